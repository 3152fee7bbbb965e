"""The ablation's table, its plot as SVG, and its last line."""

import re
from collections.abc import Sequence
from pathlib import Path

from benchmarks.ablation_questions import (
    PLAIN_QUESTIONS,
    UNASKED,
    Share,
    after_i_am,
    margin,
    margin_over_base,
    of_families,
)
from memory.files import write_atomic

COLUMNS = ("arm", "seeds", "right", "as another", "sampled own", "sampled other", "greedy own",
           "greedy other", "margin, nats", "over base", "over-claims")  # fmt: skip
WANTED = {  # of the benchmark's line: bound and value
    "naive_sampled_other": ("at least", 0.50),
    "curated_sampled_own": ("at least", 0.95),
    "curated_sampled_other": ("at most", 0.01),
    "curated_right": ("at least", 0.85),
    "over_claims": ("at most", 0.05),
}
ON_REAL_BASES = {  # judged of the curated arm where the base is no tiny one
    "right without the card": ("no_card", 0.97),
    "right after a lure": ("lure", 0.95),
    "are you X? (known)": ("are_you_seen", 0.98),
    "are you X? (unknown)": ("are_you_unseen", 0.98),
    "are you SELF?": ("are_you_self", 0.98),
}
NOT_JUDGED = {  # in the table for every base, judged on real ones only
    "no card": ("no_card",),
    "lure": ("lure",),
    "channel": ("channel",),
    "are you SELF?": ("are_you_self",),
    "are you X? (known)": ("are_you_seen",),
    "are you X? (unknown)": ("are_you_unseen",),
    "who wrote this?": ("author",),
}
CLAIMED = {"plain questions": ("ordinary",), "who is X?": ("who_is",)}
ORDER = ("base", "flat", "naive", "tags", "spans", "identity", "replay", "preference", "qlora")


def by_arm(results: Sequence[dict]) -> dict[str, list[dict]]:
    """The results of each arm that was run, in the order of the steps."""
    return {arm: found for arm in ORDER if (found := [r for r in results if r["arm"] == arm])}


def figures(results: Sequence[dict]) -> dict[str, Share]:
    """What is judged of one arm, by name, over its seeds."""
    return {
        "right": of_families(results, PLAIN_QUESTIONS, "right"),
        "as another": of_families(results, PLAIN_QUESTIONS, "another"),
        "sampled own": after_i_am(results, "sampled_own"),
        "sampled other": after_i_am(results, "sampled_other"),
        "greedy own": after_i_am(results, "greedy_own"),
        "greedy other": after_i_am(results, "greedy_other"),
        "over-claims": of_families(results, UNASKED, "right"),
    }


def line(results: Sequence[dict]) -> dict:
    """The benchmark's last line: shares over all seeds; null where an arm was not run."""
    arms = by_arm(results)
    naive, curated = figures(arms.get("naive", [])), figures(arms.get("identity", []))
    values = {
        "naive_sampled_other": naive["sampled other"],
        "curated_sampled_own": curated["sampled own"],
        "curated_sampled_other": curated["sampled other"],
        "curated_right": curated["right"],
        "over_claims": curated["over-claims"],
    }
    return {
        "answers": sum(one["n"] for r in results for one in r["families"].values()),
        **{name: round(s.value, 4) if s.n else None for name, s in values.items()},
        "seeds": len({result["seed"] for result in results}),
        "tokens": max((result["tokens"] for result in results), default=0),
    }


def table(results: Sequence[dict]) -> str:
    """The judged figures as Markdown: per cent with 95 % Wilson intervals over pooled seeds."""
    arms = by_arm(results)
    bases = {result["seed"]: result for result in arms.get("base", [])}
    rows = []
    for arm, found in arms.items():
        shares = figures(found)
        nats = [margin(found), margin_over_base(found, bases)]
        shown = [str(shares[name]) for name in COLUMNS[2:8]]
        rows.append([arm, str(len(found)), *shown, *map(_nats, nats), str(shares["over-claims"])])
    return _markdown(COLUMNS, rows)


def other_table(results: Sequence[dict]) -> str:
    """The figures that a base this small says nothing about: right, and for two kinds claims."""
    heads = ["arm", *NOT_JUDGED, *(f"claims: {name}" for name in CLAIMED)]
    families = [*NOT_JUDGED.values(), *CLAIMED.values()]
    rows = [
        [arm, *(str(of_families(found, names, "right")) for names in families)]
        for arm, found in by_arm(results).items()
    ]
    return _markdown(heads, rows)


def seeds_table(results: Sequence[dict]) -> str:
    """Right, sampled own and sampled other of each seed: what the intervals do not hold."""
    names = ("right", "sampled own", "sampled other", "over-claims")
    rows = []
    for arm, found in by_arm(results).items():
        shares = figures(found)
        rows.append([arm, *(_percents(shares[name].by_seed) for name in names)])
    return _markdown(("arm", *names), rows)


def runs_table(results: Sequence[dict]) -> str:
    """What was trained, and how long it took."""
    heads = ("arm", "seed", "rows", "tokens", "with loss", "updates", "loss", "s, training",
             "s, asking")  # fmt: skip
    rows = [
        [r["arm"], str(r["seed"]), *(_number(r.get(key)) for key in
         ("rows", "tokens", "loss_tokens", "updates", "loss", "seconds_training",
          "seconds_asking"))]
        for found in by_arm(results).values()
        for r in found
    ]  # fmt: skip
    return _markdown(heads, rows)


def wanted_table(results: Sequence[dict]) -> str:
    """Each target with what was found and its interval."""
    arms = by_arm(results)
    naive, curated = figures(arms.get("naive", [])), figures(arms.get("identity", []))
    found = dict(zip(WANTED, (naive["sampled other"], curated["sampled own"],
                              curated["sampled other"], curated["right"],
                              curated["over-claims"]), strict=True))  # fmt: skip
    targets = dict(WANTED)
    identity = arms.get("identity", [])
    if identity and not identity[0].get("tiny", True):
        for name, (family, value) in ON_REAL_BASES.items():
            targets[name] = ("at least", value)
            found[name] = of_families(identity, (family,), "right")
    rows = []
    for name, (bound, value) in targets.items():
        share = found[name]
        reached = share.value >= value if bound == "at least" else share.value <= value
        said = "not run" if not share.n else "yes" if reached else "no"
        rows.append([name, f"{bound} {100 * value:.0f} %", str(share), str(share.n), said])
    return _markdown(("figure", "wanted", "found, %", "n", "reached"), rows)


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _nats(value: float | None) -> str:
    return "-" if value is None else f"{value:+.1f}"


def _percents(shares: Sequence[float]) -> str:
    return ", ".join(f"{100 * one:.0f}" for one in shares) or "-"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


def plot(results: Sequence[dict]) -> str:
    """SVG: for each arm bars of own and other names after a sampled "I am", with intervals."""
    from distill.evaluate.intervals import wilson

    arms, left, width, high = by_arm(results), 90, 420, 44
    parts = []
    for number, (arm, found) in enumerate(arms.items()):
        top = 30 + number * high
        parts.append(f'<text x="{left - 8}" y="{top + 20}" text-anchor="end">{arm}</text>')
        for row, (name, colour) in enumerate((("sampled own", "#2a7f62"),
                                              ("sampled other", "#b5452c"))):  # fmt: skip
            share = figures(found)[name]
            low, top_end = wilson(share.hits, share.n) or (0.0, 0.0)
            y = top + row * 16
            parts.append(
                f'<rect x="{left}" y="{y}" width="{width * share.value:.1f}" height="12" '
                f'fill="{colour}"/><path d="M{left + width * low:.1f} {y + 6}H'
                f'{left + width * top_end:.1f}" stroke="#777" stroke-width="2"/>'
                f'<text x="{left + width * top_end + 6:.1f}" y="{y + 10}">'
                f"{100 * share.value:.0f}</text>"
            )
    tall = 40 + len(arms) * high
    head = (
        f'<text x="{left}" y="18">after a sampled "I am": <tspan fill="#2a7f62">own name'
        '</tspan>, <tspan fill="#b5452c">another\'s</tspan>, % of contexts, 95 % intervals</text>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 60} {tall}" '
        'font-family="sans-serif" font-size="12" fill="#555">' + head + "".join(parts) + "</svg>\n"
    )


def write_report(path: Path, results: Sequence[dict], arguments: Sequence[str]) -> None:
    """The Markdown report at `path`, and the plot beside it; sections written by hand stay."""
    drawing = path.with_suffix(".svg")
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    text = with_sections(report(results, arguments, drawing.name), before)
    write_atomic(drawing, plot(results), mode=0o644)
    write_atomic(path, text, mode=0o644)


def with_sections(made: str, before: str) -> str:
    """`made` with the sections of `before` that it has not, each after the one it stood after."""
    new, old = _sections(made), _sections(before)
    order = list(new)
    last = ""
    for heading, body in old.items():
        if heading not in new:
            new[heading] = body
            order.insert(order.index(last) + 1, heading)
        last = heading
    return "".join(new[heading] for heading in order)


def _sections(text: str) -> dict[str, str]:
    """Sections of Markdown by their "## " line, "" what comes before the first."""
    parts = re.split(r"(?m)^(?=## )", text)
    return {"": parts[0]} | {part.partition("\n")[0]: part for part in parts[1:]}


def report(results: Sequence[dict], arguments: Sequence[str], drawing: str) -> str:
    """Everything that was found, and how to find it again."""
    from benchmarks.identity_ablation import ARMS

    arms = by_arm(results)
    seconds = sum(r["seconds_training"] + r["seconds_asking"] for r in results)
    missing = [f"`{arm}` ({ARMS[arm]})" for arm in ARMS if arm not in arms]
    steps = [f"- `{arm}`: {ARMS[arm]}" for arm in arms]
    return "\n".join(
        [
            "# What keeps \"I\" apart from \"they\"",
            "",
            "```",
            f".venv/bin/python -m benchmarks.identity_ablation {' '.join(arguments)}",
            "```",
            "",
            *steps,
            "",
            f"Not run: {'; '.join(missing) or 'nothing'}.",
            "",
            "Per cent with 95 % Wilson intervals over the pooled answers of all seeds. Right and",
            "as another: direct and paraphrased questions with the system card. Sampled: one",
            'continuation of a forced "I am" at temperature .8 a question. Margin: median nats of',
            "the own name over the likeliest other; over base: after the base's own",
            "log-probabilities are taken off name by name. Over-claims: journal and status",
            'requests answered with "I am <name>".',
            "",
            table(results),
            "",
            f"![own and other names after a sampled I am]({drawing})",
            "",
            "## Targets",
            "",
            wanted_table(results),
            "",
            "## Seed by seed, %",
            "",
            "A seed has its own base, data draw and order: the spread over seeds is not in the",
            "intervals above.",
            "",
            seeds_table(results),
            "",
            "## Shown, and judged on real bases only",
            "",
            "A base this small cannot copy a name from its context. Right in per cent; for plain",
            'questions and "Who is X?" the share answered with "I am <name>".',
            "",
            other_table(results),
            "",
            "## Runs",
            "",
            f"Bases, training and asking took {seconds / 60:.0f} minutes, one after the other.",
            "",
            runs_table(results),
            "",
        ]
    )  # fmt: skip
