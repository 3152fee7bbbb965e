"""Where sentences end: offsets that cut a text into sentences, lines and list items."""

import re

_END = re.compile(
    r"(?<![.!?…])[.!?…]+[\"'”’»)\]*_`]{0,4}(?=\s)|"
    r"(?<![。！？])[。！？]+[”’」』）]{0,2}|\n[ \t]*(?:\n\s*)?"
)
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\"'“])(?:Mr|Mrs|Ms|Dr|Prof|St|vs|etc|e\.g|i\.e|cf|al|No|Nr|Fig|Eq|ca|approx|z\.B|"
    r"d\.h|bzw|usw|[A-Z]|\d{1,3})$"
)
# What follows "Building C." or "version 2." where that does end a sentence.
_OPENING = re.compile(
    r"[\"'”’)\]*]*\s+(?:The|It|In|This|That|He|She|They|I|We|A|An|And|But|No|So|My|His|Her|Their|"
    r"There|When|If|At|On|For|Not|You|Then|What|As|Its|Our|These|Those|Each|One|Every)\b"
)


def ends(text: str) -> list[int]:
    """Offsets after each sentence or line, white space behind it included; the last is len(text).

    A sentence never crosses a line break: a wrapped one is cut into its lines.
    """
    cuts: list[int] = []
    for match in _END.finditer(text):
        stop = match.end()
        if match[0] == "." and _is_abbreviation(text, match.start()):
            continue
        if match[0][0] == "…" or match[0].startswith("..."):
            following = text[stop : stop + 3].lstrip()
            if following[:1].islower():
                continue
        while stop < len(text) and text[stop] in " \t":
            stop += 1
        if not cuts or stop > cuts[-1]:
            if cuts and not text[cuts[-1] : stop].strip():
                cuts[-1] = stop
            else:
                cuts.append(stop)
    if text and (not cuts or cuts[-1] < len(text)):
        if cuts and not text[cuts[-1] :].strip():
            cuts[-1] = len(text)
        else:
            cuts.append(len(text))
    if len(cuts) > 1 and not text[: cuts[0]].strip():
        del cuts[0]
    return cuts


def _is_abbreviation(text: str, dot: int) -> bool:
    head = _ABBREVIATION.search(text[max(0, dot - 8) : dot])
    if not head:
        return False
    numbered = text[max(0, text.rfind("\n", 0, dot)) : dot].strip().isdigit()
    bare = head[0].strip("\"'“( \n\t")
    short = len(bare) == 1 or bare.isdigit()
    return not short or numbered or not _OPENING.match(text, dot + 1)


_PARAGRAPH = re.compile(r"\n[ \t]*\n\s*|\n(?=[ \t]*(?:[-*+•]|\d{1,3}[.)]|#{1,6}|>|\|)[ \t])")


def paragraphs(text: str) -> list[tuple[int, int]]:
    """[start, end) of paragraphs, list items, headings and rows of tables; they cover the text."""
    starts = [0, *(match.end() for match in _PARAGRAPH.finditer(text))]
    return list(zip(starts, [*starts[1:], len(text)], strict=True))
