"""The night's report: one page that needs no network, and a text that fits into a mail."""

import itertools
import json
import textwrap
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from distill.evaluate.canaries import in_words as canaries_in_words
from distill.evaluate.gate import show
from distill.evaluate.plots import loss_curve, night_plots
from distill.evaluate.rules import FILE, HEADLINES, SECTIONS
from distill.identity import Identity
from distill.perspective import read
from memory.files import write_atomic
from memory.message import Message

KINDS = {
    "direct": "plain question",
    "paraphrase": "the same in other words",
    "are_you_self": "Are you <own name>?",
    "are_you_seen": "Are you X? (known)",
    "are_you_unseen": "Are you X? (made up)",
    "author": "who wrote this?",
    "fact": "whose is this?",
    "lure": "after others said who they are",
    "no_card": "without the card",
    "channel": "under a channel's header",
    "journal": "journal request",
    "status": "status request",
    "ordinary": "ordinary request",
    "who_is": "who is somebody else?",
    "free": "free text",
}
UNASKED = ("journal", "status", "ordinary", "who_is", "free")
MOST_ROWS = 15


def write_report(folder: Path, report: dict[str, Any], identity: Identity) -> Path:
    """Writes report.html and report.txt from the report, manifest.json and metrics.jsonl beside it;
    gives the path of the page."""
    manifest = _read_json(folder / "manifest.json")
    text = render_report(report, manifest, _read_lines(folder / "metrics.jsonl"), identity)
    write_atomic(folder / "report.html", text)
    write_atomic(folder / "report.txt", text_report(report))
    return folder / "report.html"


def render_report(
    report: dict[str, Any], manifest: dict[str, Any], metrics: Sequence[dict], identity: Identity
) -> str:
    """The page as one HTML text; everything that came from a mail or a model is escaped."""
    from jinja2 import Environment, StrictUndefined

    source = resources.files("distill.evaluate").joinpath("report.html.j2")
    environment = Environment(
        autoescape=True, trim_blocks=True, undefined=StrictUndefined, lstrip_blocks=True
    )
    return environment.from_string(source.read_text(encoding="utf-8")).render(
        report=report,
        manifest={"notes": []} | manifest if manifest else {},
        groups=list(_groups(report["checks"])),
        headlines=list(_headlines(report["checks"])),
        nights=night_plots(report.get("series", [])),
        tables=_tables(manifest),
        curve=loss_curve(metrics),
        pages=own_pages(manifest.get("samples", []), identity),
        limits=list(_limits(report)),
        canaries=report.get("canaries"),
        canaries_in_words=canaries_in_words,
        kinds=KINDS,
        rulings=_ruling,
        show=show,
        number=_number,
        mark=mark,
        state=state,
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}


def _read_lines(path: Path) -> list[dict]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines if line.strip()]


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else "not counted"


def _ruling(row: dict[str, Any]) -> str:
    if row["ruling"] == "another":
        return "as somebody else"
    if row["family"] in UNASKED:
        return "gave its name unasked"
    return "did not say who it is" if row["family"] not in KINDS else "not the right answer"


def _groups(checks: Sequence[dict]) -> Iterable[tuple[str, list[dict]]]:
    """The five kinds of number and the file, each with what failed first and what decides next."""
    for section in (*SECTIONS, FILE):
        rows = [check for check in checks if check["section"] == section]
        if rows:
            yield section, sorted(rows, key=lambda one: (not _refuses(one), not one["binding"]))


def _refuses(check: dict) -> bool:
    return check["binding"] and not check["ok"] and check.get("confirmed", True)


def _headlines(checks: Sequence[dict]) -> Iterable[dict]:
    """The number that stands for each of the five kinds; they are never added up."""
    by_name = {check["name"]: check for check in checks}
    for section in SECTIONS:
        found = [by_name[name] for name in HEADLINES[section] if name in by_name]
        measured = [check for check in found if check["value"] is not None]
        if found:
            yield {"section": section, "check": (measured or found)[0]}


def state(check: dict) -> str:
    """One word or two for how a check went."""
    if check["value"] is None:
        return "not measured"
    if check["ok"] is None:
        return "shown"
    if check["ok"]:
        return "ok"
    if not check["binding"]:
        return "short of it"
    return "no" if check.get("confirmed", True) else "warning"


def text_report(report: dict[str, Any]) -> str:
    """The report as plain text of 72 columns: verdict, reasons, the numbers, worst answers, limits.

    Fit for the body of a mail; nothing in it is the operator's own text but the answers.
    """
    lines = [f"Night {report['night']}, base {report['base']}", ""]
    lines += textwrap.wrap(report["sentence"], 72)
    for reason in report["reasons"]:
        lines += textwrap.wrap(f"- {reason}", 72, subsequent_indent="  ")
    for section, rows in _groups(report["checks"]):
        lines += ["", section]
        for check in rows:
            lines += textwrap.wrap(_check_line(check), 72, initial_indent="  ",
                                   subsequent_indent="    ")  # fmt: skip
    if report["worst"]:
        lines += ["", "The worst answers"]
    for one in report["worst"]:
        asked = " ".join(one["question"].split())
        said = " ".join(one["answer"].split())[:200] or "(nothing)"
        lines += textwrap.wrap(f"{asked} ({_ruling(one)}): {said}", 72, initial_indent="  ",
                               subsequent_indent="    ")  # fmt: skip
    if report.get("canaries"):
        told = f"Night {report['canaries']['night']}: {canaries_in_words(report['canaries'])}"
        lines += ["", "How often must a thing be said to be remembered?", *textwrap.wrap(told, 72)]
    lines += ["", "What these numbers do not show"]
    for limit in _limits(report):
        lines += textwrap.wrap(f"- {limit}", 72, subsequent_indent="  ")
    return "\n".join(lines) + "\n"


def _check_line(check: dict) -> str:
    """ "right: 96 % of 26 (81 % to 99 %), wanted at least 70 %: ok"."""
    unit = check["unit"]
    if check["value"] is None:
        return f"{check['title']}: {check['note']}"
    line = f"{check['title']}: {show(check['value'], unit)}"
    line += f" of {check['n']}" if check["n"] else ""
    if check["interval"]:
        line += " ({} to {})".format(*(show(bound, unit) for bound in check["interval"]))
    beside = (("base", "base"), ("previous", "junior in use"), ("naive", "naive build"))
    for name, words in beside:
        if check.get(name) is not None:
            line += f", {words} {show(check[name], unit)}"
    if check["threshold"] is not None and unit != "yes":
        sense = "at least" if check["sense"] == ">=" else "at most"
        line += f", wanted {sense} {show(check['threshold'], unit)}"
    return f"{line}: {state(check)}" + ("" if check["binding"] else " (does not decide)")


def _tables(manifest: dict[str, Any]) -> list[tuple[str, list[tuple[str, int]]]]:
    """Who speaks, from where, in which form, and what was left out."""
    titles = {
        "by_author": "Characters learnt, by who wrote them",
        "by_source": "Characters learnt, by source",
        "by_view": "Characters learnt, by form",
        "dropped": "Left out (messages), and why",
    }
    found = []
    for key, title in titles.items():
        rows = sorted(manifest.get(key, {}).items(), key=lambda row: -row[1])
        shown = rows[:MOST_ROWS]
        if len(rows) > MOST_ROWS:
            shown.append((f"{len(rows) - MOST_ROWS} more", sum(n for _, n in rows[MOST_ROWS:])))
        if rows:
            found.append((title, shown))
    return found


def own_pages(samples: Iterable[dict], identity: Identity, longest: int = 2500) -> list[dict]:
    """Own texts of the manifest's sample rows, cut into parts with flags and loss.

    The flags are read again from the text; the loss is what the row carries.
    """
    pages, room = [], longest
    for row in samples:
        if row["view"] in ("identity", "replay") or room <= 0:
            continue
        own = row["messages"][-1]
        text = own["content"][:room]
        room -= len(text)
        parts = list(_parts(text, own.get("loss", []), identity))
        pages.append({"source": row["source"], "month": row.get("month", ""), "parts": parts})
    return pages


def _parts(text: str, loss: Sequence[Sequence[int]], identity: Identity) -> Iterable[dict]:
    message = Message(
        "", "document", "", "", identity.agent.name, (), None, "", text, "", "spoken", ""
    )
    spans = read(message, identity).spans
    ends = [point for span in loss for point in span]
    edges = sorted({0, len(text), *(s.start for s in spans), *(s.end for s in spans), *ends})
    edges = [edge for edge in edges if edge <= len(text)]
    for start, end in itertools.pairwise(edges):
        flags = next((span.flags for span in spans if span.start <= start < span.end), frozenset())
        learnt = any(a <= start and end <= b for a, b in loss)
        yield {"text": text[start:end], "flags": flags, "loss": learnt}


def mark(part: dict) -> Any:
    """The text of a part in a span with the class of its strongest flag, escaped."""
    from markupsafe import Markup, escape

    flag = next((one for one in ("O1", "S3", "O", "S1") if one in part["flags"]), "")
    if not flag or not part["text"].strip():
        return escape(part["text"])
    title, text = " ".join(sorted(part["flags"])), part["text"]
    words = text.strip()  # a coloured line break looks like a mark
    before, _, after = text.partition(words)
    span = '{}<span class="{}" title="{}">{}</span>{}'
    return Markup(span).format(before, flag, title, words, after)


def _limits(report: dict[str, Any]) -> Iterable[str]:
    """What a reader might take from the figures and should not."""
    if report["tiny"]:
        yield (
            "The tiny base is a test of the way, not of the voice: it cannot use what stands "
            "before a question, so lures, missing cards and questions about others say nothing."
        )
    yield "Knowing its name and sounding like its owner are two things: nothing adds them up here."
    yield (
        "A lower held-out loss means that the words are foreseen better. It does not say that "
        "the answers are true, kind or wise."
    )
    yield (
        "The rulings are rules about words. A claim to be somebody else in words they do not know "
        "goes unseen, and so does a habit planted in the data that no question touches: what "
        "keeps such a habit out is the choice of what is learnt, not this test."
    )
    yield (
        "Style is counted in small words, marks and runs of letters. A junior can have all of "
        "them and say nothing its owner would say."
    )
    yield from _thin(report)
    yield "Nobody has read these answers yet: the last word is a person's (`junior compare`)."


def _thin(report: dict[str, Any]) -> Iterable[str]:
    """Where figures rest on little, were cut short, or are not there."""
    small = [check["n"] for check in report["checks"] if check["unit"] == "share" and check["n"]]
    if small and min(small) < 30:
        yield f"Some shares rest on {min(small)} answers: read their range, not their value."
    for part in report["cut_short"]:
        yield f"Time ran out in: {part}. Fewer were asked than planned; n says how many."
    for part, (count, why) in report["not_asked"].items():
        yield f"{count} could not be asked ({part}): {why}."
    for check in report["checks"]:
        if check["value"] is None:
            yield f"{check['title']}: {check['note']}."
    unbound = [c["title"] for c in report["checks"] if c["ok"] is not None and not c["binding"]]
    if unbound:
        yield f"These are shown and do not decide here: {'; '.join(unbound)}."
    free = [c["title"] for c in report["checks"] if c["threshold"] is None and c["value"]]
    if free:
        yield f"No bound has been set for: {'; '.join(free)}."
