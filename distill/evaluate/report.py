"""report.html: the verdict, the numbers and the evidence on one page that needs no network."""

import itertools
import json
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from distill.evaluate.gate import show
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
LEFT, RIGHT, TOP, BOTTOM = 44, 560, 12, 272
MOST_ROWS = 15


def write_report(folder: Path, report: dict[str, Any], identity: Identity) -> Path:
    """Writes folder/report.html from the report, manifest.json and metrics.jsonl beside it."""
    manifest = _read_json(folder / "manifest.json")
    text = render_report(report, manifest, _read_lines(folder / "metrics.jsonl"), identity)
    write_atomic(folder / "report.html", text)
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
        tables=_tables(manifest),
        curve=loss_curve(metrics),
        pages=own_pages(manifest.get("samples", []), identity),
        limits=list(_limits(report)),
        kinds=KINDS,
        rulings=_ruling,
        show=show,
        number=_number,
        mark=mark,
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
    """What decides, with what failed first, and what is only shown."""
    deciding = [check for check in checks if check["binding"]]
    shown = [check for check in checks if not check["binding"]]
    if deciding:
        yield "These decide", sorted(deciding, key=lambda check: bool(check["ok"]))
    if shown:
        yield "These are only shown", shown


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


def loss_curve(metrics: Sequence[dict]) -> dict[str, Any] | None:
    """Places in a 640 x 300 drawing for the training and held-out loss; None without two points.

    `metrics`: {"step", "loss", "held_out_loss"}, either loss None where it was not measured.
    """
    train = _points(metrics, "loss")
    held = _points(metrics, "held_out_loss")
    if len(train) < 2:
        return None
    steps = max(step for step, _ in train + held)
    values = [loss for _, loss in train + held]
    low, high = min(values), max(max(values), min(values) + 0.1)

    def x(step: float) -> float:
        return round(LEFT + (RIGHT - LEFT) * step / max(1, steps), 1)

    def y(loss: float) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * (loss - low) / (high - low), 1)

    train_label, held_label = y(train[-1][1]) + 4, y(held[-1][1]) + 4 if held else 0
    if held and abs(train_label - held_label) < 15:
        held_label = train_label + (15 if held_label >= train_label else -15)
    return {
        "steps": steps,
        "train": " ".join(f"{x(step)},{y(loss)}" for step, loss in train),
        "held": " ".join(f"{x(step)},{y(loss)}" for step, loss in held),
        "dots": [(x(step), y(loss)) for step, loss in held],
        "grid": [(y(v), f"{v:.2f}") for v in (low, (low + high) / 2, high)],
        "first": f"{train[0][1]:.2f}",
        "last": f"{train[-1][1]:.2f}",
        "held_last": f"{held[-1][1]:.2f}" if held else "",
        "train_label": train_label,
        "held_label": held_label,
    }


def _points(metrics: Iterable[dict], key: str) -> list[tuple[int, float]]:
    return [(row["step"], row[key]) for row in metrics if row.get(key) is not None]


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
        "goes unseen, and so does a habit planted in the data that no question touches."
    )
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
    if not report["tiny"]:
        yield "What the junior has forgotten of its base is not measured on this base yet."
    yield "Nobody has read these answers yet: the last word is a person's."
