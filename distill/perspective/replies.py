"""Quoted mail: replies under their heads, forwards, block quotes by depth, signatures."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from distill.perspective.footers import find_footers
from distill.perspective.languages import (
    DATED,
    FORWARD_BLOCK,
    FORWARD_LINE,
    HEAD_OPENERS,
    LIST_FOOTER,
    NOTES_BLOCK,
    QUOTING,
    SENT_FROM,
    WROTE,
)


@dataclass(frozen=True, slots=True)
class Part:
    """text[start:end] is a `role`: quoted, head or signature; `who` wrote it as the head says."""

    start: int
    end: int
    role: str
    who: str = ""


LONGEST_FOOTER, LONGEST_TAIL = 2_000, 20_000  # characters
_MAIL_KINDS = ("mail", "letter", "chat", "document")
_COLON_LINE = re.compile("^[^\n]*[:：][ \t\r\u200e\u200f\u202a-\u202e]*$", re.MULTILINE)
_UNSEEN = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")  # marks of direction
_QUOTED_LINES = re.compile(r"^[ \t]*>[^\n]*(?:\n[ \t]*>[^\n]*)*\n?", re.MULTILINE)
_PIPED = re.compile(r"\s*\n[ \t]*\|[^\n]*(?:\n[ \t]*\|[^\n]*)*\n?")  # as some quote: "| It rains."
_INITIALS = re.compile(r"^[ \t]*[A-Z]{2,4}>{1,3} [^\n]*\n?", re.MULTILINE)  # "PQ> It rains."
_ADDRESS_END = re.compile(r"<[^<>\s]+@[^<>\s]+>\s*[:：]$")  # Gmail's head without a verb
_SIGNATURE = re.compile(r"^(?:-- ?|_{20,}[ \t]*)$", re.MULTILINE)


def quoted_parts(text: str, kind: str) -> list[Part]:
    """The parts of a text that quote others, later ones on top of earlier ones."""
    mail = kind in _MAIL_KINDS
    heads = sorted(_heads(text, mail))
    parts: list[Part] = list(_signatures(text, heads)) if mail else []
    ends = {}
    for index, (start, stop, who) in enumerate(heads):
        limit = heads[index + 1][0] if index + 1 < len(heads) else len(text)
        if start < (parts[-1].end if parts and parts[-1].role == "head" else 0):
            continue
        ends[stop] = who
        # "Sam wrote:" over a block quote in a journal is the writer's own line.
        if mail or any(letter.isdigit() or letter == "@" for letter in text[start:stop]):
            parts.append(Part(start, stop, "head"))
        if piped := _PIPED.match(text, stop, limit):
            parts.append(Part(piped.start(), piped.end(), "quoted", who))
        elif text[stop : stop + 200].lstrip()[:1] != ">" and limit > stop:
            parts.append(Part(stop, limit, "quoted", who))
    if ">" in text:
        for block in _QUOTED_LINES.finditer(text):
            parts += _levels(text, block, ends)
        parts += [Part(*line.span(), "quoted") for line in _INITIALS.finditer(text) if mail]
    return parts


def _heads(text: str, mail: bool) -> Iterator[tuple[int, int, str]]:
    """(start, end, who) of each head that is not itself quoted."""
    if ":" not in text and "：" not in text and "--" not in text:
        return
    for match in _COLON_LINE.finditer(text):
        if head := _reply_head(text, match, mail):
            yield head
    for block in (FORWARD_BLOCK, NOTES_BLOCK) if mail else ():
        for match in block.finditer(text):
            if match[0].lstrip()[:1] != ">" and _is_block(match[0]):
                yield match.start(), match.end(), match["who"].strip()
    for match in FORWARD_LINE.finditer(text):
        if match[0].lstrip()[:1] != ">":
            yield match.start(), match.end(), ""


def _is_block(lines: str) -> bool:
    """Two lines with colons may be anybody's: a mail's head has an address, a date or a third."""
    return "@" in lines or lines.strip().count("\n") > 1 or re.search(r"\d", lines) is not None


def _reply_head(text: str, match: re.Match[str], mail: bool) -> tuple[int, int, str] | None:
    """ "On <date>, <who> wrote:" that may be wrapped over three lines."""
    start, stop = match.span()
    line = _UNSEEN.sub("", match[0]).strip()
    if line[:1] == ">" or len(line) > 300:
        return None
    followed = text[stop : stop + 40].lstrip()[:1] == ">"
    dated = DATED.search(line) is not None
    if not WROTE.search(line):
        addressed = "@" in line and any(letter.isdigit() for letter in line)
        bare = dated and _ADDRESS_END.search(line)
        told = addressed or QUOTING.match(line) if followed else bare
        return (start, stop, _who(line)) if told and mail else None
    if dated and mail and len(line.split()) <= 16:
        return start, stop, _who(line)
    for _ in range(3):
        if HEAD_OPENERS.match(line) and any(letter.isdigit() for letter in line):
            return start, stop, _who(line)
        before = text.rfind("\n", 0, max(0, start - 1)) + 1
        if before >= start - 1 or start == 0:
            break
        previous = text[before : start - 1].strip()
        if not previous or len(previous) > 200 or previous[:1] == ">":
            break
        line, start = previous + " " + line, before
    start, line = match.start(), _UNSEEN.sub("", match[0]).strip()
    if "@" in line or (len(line.split()) <= 5 and (followed or mail)):
        return start, stop, _who(line)
    return (start, stop, _who(line)) if followed and mail else None


def _who(head: str) -> str:
    """The writer in a head: the name and address beside the verb, the date being cut away."""
    head = head.rstrip(" :：\t\r")
    address = re.search(r"([^,;<>\d:]{0,80}?)\s?<\s*([^<>\s]{1,100}@[^<>\s]{1,100})\s*>", head)
    if address:
        name = re.sub(rf"^.*(?:{WROTE.pattern})|\b[AP]M\b", "", address[1]).strip(" \"'")
        return f"{name} <{address[2]}>"
    verb = WROTE.search(head)
    if not verb:
        return head
    after = head[verb.end() :].strip()
    if after:
        return after
    before = re.split(r"[,;]|\d[\d:./]*(?:\s*[AP]M\b)?", head[: verb.start()])
    return before[-1].strip()


def _signatures(text: str, heads: list[tuple[int, int, str]]) -> Iterator[Part]:
    """From "-- " or a rule to the end of the text or the next head; "Sent from my phone"."""
    edges = [start for start, _, _ in heads] + [len(text)]
    if "--" in text or "____" in text:
        for match in _SIGNATURE.finditer(text):
            stop = next((edge for edge in edges if edge > match.start()), len(text))
            quoted = text.find("\n>", match.end(), stop)
            yield Part(match.start(), stop if quoted < 0 else quoted + 1, "signature")
            if quoted < 0:
                break
    if match := LIST_FOOTER.search(text, max(0, len(text) - LONGEST_FOOTER)):
        yield Part(match.start(), match.end(), "signature")
    for match in SENT_FROM.finditer(text):
        yield Part(match.start(), match.end(), "signature")
    for start, stop in find_footers(text, max(0, len(text) - LONGEST_TAIL)):
        yield Part(start, stop, "signature")


def _levels(text: str, block: re.Match[str], ends: dict[int, str]) -> Iterator[Part]:
    """The lines of one block of ">" lines, each depth in the voice its head names."""
    start = block.start()
    who = next((ends[at] for at in range(start, max(-1, start - 4), -1) if at in ends), None)
    by_depth = {1: _attributed(text, block) if who is None else who}
    open_start, open_depth = start, 0
    for line in block[0].splitlines(keepends=True):
        depth = line[: len(line) - len(line.lstrip(" \t>"))].count(">")
        if depth != open_depth:
            if start > open_start:
                yield Part(open_start, start, "quoted", by_depth.get(open_depth, ""))
            open_start, open_depth = start, depth
        bare = line.strip(" \t\r\n>")
        if bare.endswith((":", "：")) and WROTE.search(bare):
            by_depth[depth + 1] = _who(bare)
        start += len(line)
    yield Part(open_start, start, "quoted", by_depth.get(open_depth, ""))


_SIGNED = re.compile(r"(?:—|–|--|~)[ \t*_]{0,4}([^\n—–~-]{1,60})\s*$")


def _attributed(text: str, block: re.Match[str]) -> str:
    """Who a block quote is by: its last line "— Name", or the line before it that ends in ":"."""
    last = block[0].rstrip().rpartition("\n")[2]
    signed = _SIGNED.search(last[-70:])
    if signed:
        return re.split(r"[,(|*_]", signed[1])[0].strip()
    lead = text[max(0, block.start() - 200) : block.start()].rstrip().rpartition("\n")[2]
    return lead[:-1] if lead.endswith((":", "：")) else ""


def own_text(text: str, kind: str = "mail") -> str:
    """What the writer of a mail wrote: the text without its heads, quotations and signature."""
    kept = bytearray(b"\1" * len(text))
    for part in quoted_parts(text, kind):
        kept[part.start : part.end] = bytes(part.end - part.start)
    return "".join(letter for letter, keep in zip(text, kept, strict=True) if keep)
