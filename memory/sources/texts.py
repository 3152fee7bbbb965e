"""Reads folders of texts: journals, poems, essays, letters, notes, fiction."""

import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from memory.message import SELF, Message, Skipped, Unreadable
from memory.sources.dates import as_utc, find_date, find_moment, find_moment_in_name, read_stamp
from memory.sources.folder import read_text, relative
from memory.sources.html import html_to_text
from memory.sources.mail import LONGEST_HEADER, read_addresses

KINDS = {
    "journals": "journal",
    "poems": "poem",
    "essays": "essay",
    "letters": "letter",
    "notes": "note",
    "fiction": "fiction",
}
SPLIT_KINDS = ("journals", "notes")  # where a heading that begins with a date begins an entry
HEADER_LINES = 12  # lines that are not blank; a date further down is of the story
FOOTER_LINES = 3
LONGEST_LINE = 300  # characters of a line in which a title or a date is looked for

FRONT_MATTER = re.compile(r"\s*^---[ \t]*\n(.*?\n)?(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.S | re.M)
NESTING, DEEPEST = re.compile(r"[\[{]|[-?:] (?=[-?:] )"), 500
TOML = re.compile(r"\s*^\+\+\+[ \t]*\n(.*?\n)\+\+\+[ \t]*(?:\n|\Z)", re.S | re.M)
ORG_HEAD = re.compile(r"\s*(?:#\+\w{1,30}:[^\n]*(?:\n|\Z))+")
ORG_HEADING = re.compile(r"\*{1,8} +[<\[]?((?:19|20)\d\d-\d\d-\d\d\b.*)")
HEADING = re.compile(r"(#{1,6})[ \t]+(.*)")
BRACKETED = re.compile(r"(?:#{1,6}[ \t]+\[.*|={3,}[ \t].*[ \t]={3,}[ \t]*)")
FENCE = re.compile(r"[ \t]*(?:```|~~~)")
RULE = re.compile(r"[ \t]*(?:[-*_=][ \t]*){3,}")
EMPHASISED = re.compile(r"([*_]{1,3}).*\1[ \t\\]*")
LABELLED = re.compile(r"[*_]{0,3}[\w ]{1,24}[*_]{0,3}:[*_]{0,3} .*")
BYLINE = re.compile(r"by .{1,80}$", re.IGNORECASE)
HEAD_LINE = re.compile(r"(From|To|Cc|Bcc|Reply-To|Subject|Date|Sent):[ \t]*(.*)", re.IGNORECASE)
BETWEEN = re.compile(r"—|–|--| - |[|/·•().,:\[\]]")


@dataclass(frozen=True, slots=True)
class Head:
    """What a text says of itself before it begins; `body` is what follows."""

    body: str
    title: str = ""
    sent_at: datetime | None = None
    author: str = SELF
    recipients: tuple[str, ...] = ()
    origin: str = "spoken"


def read_file(file: Path, root: Path, source: str) -> Iterator[Message | Unreadable | Skipped]:
    """The one message of a file, or one an entry where headings with dates divide it.

    `source` is one of KINDS. Front matter that parses (and, of letters, a mail's head) is taken
    out of the text, nothing else is. Never raises for what is in the file.
    """
    path = relative(file, root)
    text = read_text(file, path)
    if not isinstance(text, str):
        yield text
        return
    if file.suffix.lower() in (".html", ".htm"):
        text = _page_text(text)
    head = read_front_matter(text)
    if source == "letters":
        head = read_letter_head(head)
    if not head.body.strip():
        yield Skipped(path, "", "no text after the front matter")
        return
    entries = split_entries(head.body, loose=source in SPLIT_KINDS)
    if len(entries) == 1 and not entries[0][0]:
        sent_at = head.sent_at or find_date_of_text(head.body, file)
        title = head.title or find_title(head.body)
        yield _message(source, path, path, head, title, sent_at, head.body)
        return
    seen: Counter[str] = Counter()
    for number, (heading, body) in enumerate(entries):
        seen[heading] += 1
        title = (find_title(body) if number == 0 else "") or heading
        yield _entry(file, path, source, head, title, seen[heading], heading, body)


def _page_text(html: str) -> str:
    """The words of a page; what Apple Journal shows beside them (places, songs) is none."""
    from selectolax.lexbor import LexborHTMLParser

    if "assetGrid" in html and len(html) < 2**20:
        page = LexborHTMLParser(html)
        for node in page.css("div.assetGrid"):
            node.decompose()
        html = page.html or html
    return html_to_text(html)


def _entry(
    file: Path,
    path: str,
    source: str,
    head: Head,
    title: str,
    number: int,
    heading: str,
    body: str,
) -> Message:
    """One dated entry; its key is path#heading, with #2 for the second of that heading."""
    key = f"{path}#{heading}" if heading else path
    key += f"#{number}" if number > 1 else ""
    sent_at = find_moment(heading, _latest()) or head.sent_at or find_date_of_text("", file)
    return _message(source, path, key, head, title, sent_at, body)


def _message(
    source: str, path: str, key: str, head: Head, title: str, sent_at: datetime | None, text: str
) -> Message:
    return Message(
        source=source,
        kind=KINDS[source],
        external_id=key,
        conversation="",
        author=head.author,
        recipients=head.recipients,
        sent_at=sent_at,
        subject=title,
        text=text,
        reply_to="",
        origin=head.origin,
        path=path,
    )


def _trim(body: str) -> str:
    """Without blank lines at both ends, which change whenever a line is appended."""
    return re.sub(r"\A(?:[ \t]*\n)+", "", body).rstrip()


# --- heads ----------------------------------------------------------------------------------


def read_front_matter(text: str) -> Head:
    """YAML between `---` lines; where it is no YAML mapping it stays in the text.

    Even then its lines are looked through for the date, the author, and whether somebody else's
    hand (`generated:`, `translated:`) wrote the text.
    """
    hit = FRONT_MATTER.match(text)
    if not hit:
        return _other_head(text)
    block = hit.group(1) or ""
    values = _load_yaml(block)
    if values is None:
        return _head_from(_lines_as_mapping(block), _trim(text))
    return _head_from(values, _trim(text[hit.end() :]))


def _other_head(text: str) -> Head:
    """TOML between `+++` lines, as Hugo has it, or Org's `#+KEY: value` lines; they are taken out.

    TOML that does not parse stays, as broken YAML does.
    """
    if hit := TOML.match(text):
        try:
            return _head_from(tomllib.loads(hit[1]), _trim(text[hit.end() :]))
        except (tomllib.TOMLDecodeError, RecursionError):
            return _head_from({}, _trim(text))
    if not (hit := ORG_HEAD.match(text)):
        return Head(_trim(text))
    pairs = re.findall(r"^#\+(\w+):[ \t]*(.*?)[ \t]*$", hit[0], re.M)
    values = {key: value.strip("<>[]") if key.lower() == "date" else value for key, value in pairs}
    return _head_from(values, _trim(text[hit.end() :]))


def _load_yaml(block: str) -> dict[str, Any] | None:
    if len(block) > LONGEST_HEADER or len(NESTING.findall(block)) > DEEPEST:
        return None  # libyaml's own recursion ends the process on a megabyte of "["
    try:
        values = yaml.load(block, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError):
        return None  # ValueError: a date like 2026-02-30
    if values is None and not block.strip():
        return {}
    return values if isinstance(values, dict) else None


def _lines_as_mapping(block: str) -> dict[str, str]:
    pairs = re.findall(r"^(\w[\w -]*):[ \t]+(.*?)[ \t]*$", block, re.M)
    return {key: value.strip("\"'") for key, value in pairs}


def _head_from(values: dict[Any, Any], body: str) -> Head:
    known = {str(key).strip().lower(): value for key, value in values.items()}
    return Head(
        body=body,
        title=_first(known, "title", "subject"),
        sent_at=_first_moment(known, "date", "created", "created_at", "published", "timestamp"),
        author=_first(known, "author", "by", "from", "authors") or SELF,
        recipients=_names(known.get("to")),
        origin=_origin(known),
    )


def _origin(known: dict[str, Any]) -> str:
    said = str(known.get("origin", "")).lower()
    for origin in ("generated", "translated"):
        keys = [key for key in known if key.replace("-", "_").split("_")[0] == origin]
        keys += ["ai_generated"] if origin == "generated" else ["translator", "translation"]
        if said == origin or any(_true(known.get(key)) for key in keys):
            return origin
    return "spoken"


def _true(value: Any) -> bool:
    if isinstance(value, dict | list):
        return bool(value)
    return str(value).strip().lower() not in ("", "none", "false", "no", "0", "[]", "{}")


def _first(known: dict[str, Any], *keys: str) -> str:
    for key in keys:
        value = known.get(key)
        if isinstance(value, list):
            value = ", ".join(str(item) for item in value if not isinstance(item, dict | list))
        if value is not None and not isinstance(value, dict | bool) and str(value).strip():
            return " ".join(str(value).split())
    return ""


def _first_moment(known: dict[str, Any], *keys: str) -> datetime | None:
    for key in keys:
        value = known.get(key)
        if isinstance(value, datetime):
            return as_utc(value)
        if isinstance(value, date):
            return datetime(value.year, value.month, value.day, tzinfo=UTC)
        scalar = isinstance(value, str | int | float)
        if scalar and (moment := find_moment(str(value)) or read_stamp(value)):
            return moment
    return None


def _names(value: Any) -> tuple[str, ...]:
    """ "Ada <a@b.c>, Bo" as its parts; a list as its items."""
    if isinstance(value, list):
        return tuple(str(item) for item in value if item and not isinstance(item, dict | list))
    return tuple(read_addresses(value[:LONGEST_HEADER])) if isinstance(value, str) else ()


def read_letter_head(head: Head) -> Head:
    """The lines From:, To:, Subject:, Date: a letter may begin with, taken out of the text."""
    found, rest = _head_lines(head.body.split("\n"))
    if not found or (len(found) == 1 and rest and rest[0].strip()):
        return head  # "To: ..." with the text right below it is a text that begins so
    return Head(
        body=_trim("\n".join(rest)),
        title=found.get("subject") or head.title,
        sent_at=read_stamp(found.get("date") or found.get("sent")) or head.sent_at,
        author=found.get("from") or head.author,
        recipients=_names(found.get("to")) + _names(found.get("cc")) or head.recipients,
        origin=head.origin,
    )


def _head_lines(lines: list[str]) -> tuple[dict[str, str], list[str]]:
    """Names and values of a head, folded lines joined, with the lines that follow it."""
    found: dict[str, str] = {}
    for number, line in enumerate(lines):
        if hit := HEAD_LINE.fullmatch(line.rstrip()):
            found[hit[1].lower()] = hit[2].strip()
        elif found and line[:1] in (" ", "\t") and line.strip():
            found[list(found)[-1]] += " " + line.strip()
        else:
            return found, lines[number:]
    return found, []


# --- entries --------------------------------------------------------------------------------


def split_entries(body: str, *, loose: bool) -> list[tuple[str, str]]:
    """(heading, text) of each dated entry; [("", body)] where there are none.

    `### [2026-03-01 09:00]` and `=== 2026-03-01 ... ===` begin an entry in any text; with `loose`
    so does a heading of level 2 to 6 that begins with a date (of level 1 where there are several),
    and one of Org. A bare title above the first entry goes with it, words above it are an entry of
    their own with heading "".
    """
    entries: list[tuple[str, list[str]]] = [("", [])]
    fenced, lines = False, body.split("\n")
    least = 1 if loose and sum(bool(_entry_heading(line, 1)) for line in lines) > 1 else 2
    for line in lines:
        fenced ^= bool(FENCE.match(line))
        heading = "" if fenced else _entry_heading(line, least if loose else 0)
        if heading:
            entries.append((heading, []))
        entries[-1][1].append(line)
    if len(entries) > 1 and all(_is_title(line) for line in entries[0][1]):
        title = entries.pop(0)[1]
        entries[0][1][:0] = title
    return [(heading, _trim("\n".join(lines))) for heading, lines in entries]


def _entry_heading(line: str, least: int) -> str:
    """What a heading of level `least` or more says that begins with a date; 0: in brackets only."""
    if line[:1] not in ("#", "=", "*") or len(line) > LONGEST_LINE:
        return ""
    if line[0] == "*":
        org = ORG_HEADING.fullmatch(line.rstrip()) if least else None
        return org[1].rstrip(">] ") if org else ""
    hit = HEADING.fullmatch(line)
    said = hit[2].rstrip("# \t") if hit else line.strip("= \t")
    bracketed = BRACKETED.fullmatch(line)
    if not bracketed and not (least and hit and len(hit[1]) >= least):
        return ""
    found = find_date(said[:40])
    return said if found and not re.search(r"\w", _without_weekday(said[: found.start()])) else ""


def _without_weekday(words: str) -> str:
    return re.sub(
        r"(?i)\b(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|satur|sat|sun)(?:day)?\b", "", words
    )


def _is_title(line: str) -> bool:
    return not line.strip() or bool(RULE.fullmatch(line) or re.match(r"#[ \t]", line))


# --- titles and dates -----------------------------------------------------------------------


def find_title(body: str) -> str:
    """The first line if it is a heading, underlined, wholly bold, or followed by a date line."""
    lines = [line[:LONGEST_LINE] for line in body.split("\n") if line.strip()][:2]
    if not lines:
        return ""
    first, second = lines[0].strip(), lines[1] if len(lines) > 1 else ""
    if hit := HEADING.fullmatch(first):
        return _plain(hit[2])
    underlined = re.fullmatch(r"[ \t]*(={3,}|-{3,})[ \t]*", second) and f"{first}\n" in body
    if len(first) <= 120 and (EMPHASISED.fullmatch(first) or underlined or _is_date_line(second)):
        return "" if find_date(first) and not _plain(first).strip(" []") else _plain(first)
    return ""


def _plain(title: str) -> str:
    words = " ".join(title.split()).rstrip("#").rstrip()
    return re.sub(r"^([*_]{1,3})(.*)\1$", r"\2", words).strip()


def find_date_of_text(body: str, file: Path) -> datetime | None:
    """Heading, bold or italic line, plain date line, footer, file name, then mtime."""
    latest = _latest()
    for line in _dated_lines(body):
        if moment := find_moment(line, latest):
            return moment
    if moment := find_moment_in_name(file.name, latest):
        return moment
    try:
        return datetime.fromtimestamp(int(file.stat().st_mtime), UTC)
    except (OSError, OverflowError, ValueError):
        return None


def _latest() -> datetime:
    """Nothing was written after tomorrow: a later date belongs to the story."""
    return datetime.now(UTC) + timedelta(days=1)


def _dated_lines(body: str) -> list[str]:
    """Lines of head and foot that may carry the date: headings, emphasised lines, then others."""
    lines = [line[:LONGEST_LINE] for line in body.split("\n") if line.strip()]
    header = list(_header_lines(lines))
    footer = [line for line in lines[-FOOTER_LINES:] if _is_date_line(line)]
    headings = [line for line in header if HEADING.fullmatch(line)]
    marked = [line for line in header if EMPHASISED.fullmatch(line) or LABELLED.fullmatch(line)]
    return [*headings, *marked, *header, *reversed(footer)]


def _header_lines(lines: list[str]) -> Iterator[str]:
    for number, line in enumerate(lines[:HEADER_LINES]):
        stripped = line.strip()
        if RULE.fullmatch(line):
            continue
        if HEADING.fullmatch(stripped) or EMPHASISED.fullmatch(stripped) or _is_date_line(line):
            yield stripped
        elif number < 4 and BYLINE.match(stripped):
            continue
        elif number and not (number < 3 and LABELLED.fullmatch(stripped)):
            return


def _is_date_line(line: str) -> bool:
    """A short line of which a part is nothing but a date: `Journal 7 — 2026-03-01 — Loop 9`."""
    hit = find_date(line) if len(line) <= 120 else None
    if not hit:
        return False
    marked = line[: hit.start()] + "\0" + line[hit.end() :]
    return any(part.strip(" *_#\\~").split(" ")[0] == "\0" for part in BETWEEN.split(marked))
