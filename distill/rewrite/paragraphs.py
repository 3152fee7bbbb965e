"""Markdown in pieces: prose that may be rewritten, and all else, which stays as it is."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from distill.perspective.sentences import ends

LONGEST = 700  # characters of one piece; longer paragraphs are cut between sentences

_FENCE = re.compile(r"^\s{0,3}(`{3,}|~{3,})")
_KEPT = re.compile(r"^(?:\s{0,3}(?:>|#{1,6}\s|\||<|[-*_=]{3,}\s*$|\[[^\]]+\]:)|\t| {4,}\S)")
_ITEM = re.compile(r"^(\s*(?:[-*+]|\d{1,3}[.)])\s+(?:\[[ xX]\]\s+)?)")
_NO_PROSE = re.compile(r"(?:`[^`]*`|!?\[[^\]]*\]\([^)]*\)|https?://\S+|[\"“][^\"”]*[\"”]|\W|\d)*")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the input: `mark` and `text` as they stand, then `between`; prose or kept."""

    mark: str
    text: str
    between: str
    prose: bool

    @property
    def whole(self) -> str:
        return self.mark + self.text + self.between


def pieces(text: str) -> Iterator[Piece]:
    """The pieces of `text` in order: joined, their `whole` is the input, character by character."""
    for lines, prose in _blocks(text.splitlines(keepends=True)):
        block = "".join(lines)
        body = block.rstrip()
        between = block[len(body) :]
        mark = _ITEM.match(body)
        head = mark.group() if prose and mark else ""
        body = body[len(head) :]
        if not prose or _NO_PROSE.fullmatch(body):
            yield Piece(head, body, between, False)
        else:
            yield from _cut(head, body, between)


def _blocks(lines: list[str]) -> Iterator[tuple[list[str], bool]]:
    """(lines, prose) of blocks: fenced code, kept lines, list items, paragraphs with their gap."""
    held: list[str] = []
    fence = ""
    for line in lines:
        if fence:
            held.append(line)
            if line.strip().startswith(fence):
                yield held, False
                held, fence = [], ""
            continue
        opening = _FENCE.match(line)
        begins = opening or _KEPT.match(line) or _ITEM.match(line) or _is_after_gap(held)
        if begins and held and line.strip():
            yield held, _is_prose(held)
            held = []
        held.append(line)
        if opening:
            fence = opening[1]
        elif _KEPT.match(line):
            yield held, False
            held = []
    if held:
        yield held, not fence and _is_prose(held)


def _is_after_gap(held: list[str]) -> bool:
    return bool(held) and not held[-1].strip()


def _is_prose(held: list[str]) -> bool:
    return bool("".join(held).strip()) and not _FENCE.match(held[0])


def _cut(mark: str, body: str, between: str) -> Iterator[Piece]:
    start, parts = 0, []
    cuts = ends(body)
    for here, following in zip(cuts, [*cuts[1:], len(body) + 1], strict=True):
        if following - start > LONGEST or here == len(body):
            parts.append(body[start:here])
            start = here
    if start < len(body):
        parts.append(body[start:])
    for number, part in enumerate(parts):
        said = part.rstrip()
        gap = part[len(said) :] + (between if number == len(parts) - 1 else "")
        yield Piece(mark if number == 0 else "", said, gap, True)
