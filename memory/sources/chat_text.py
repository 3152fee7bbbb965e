"""Reads chats exported as text: "[date, time] name: words", over as many lines as it takes."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import BinaryIO

from memory.sources.chat import lines

LARGEST_MESSAGE = 4 * 2**20  # characters
SURVEYED = 50_000  # headers looked at to learn a file's layout
# Half days as phones write them, without dots, marks and spaces; by CLDR's "a" and "B"
AFTERNOON = (
    "pm", "下午", "晚上", "中午", "傍晚", "午後", "오후", "μμ", "م", "ös", "ch", "du", "अपराह्न",
    "मउ", "หลังเที่ยง", "بظ", "слоб", "odp", "אחהצ", "nm", "ከሰዓት", "ಅಪರಾಹ್ನ", "ਬਾਦੁ", "பிற்பகல்",
    "பிப", "පව", "ល្ងាច", "epasdites", "pasdites", "ptg", "ptang", "попладне",
)  # fmt: skip
MORNING = (
    "am", "上午", "凌晨", "早上", "清晨", "半夜", "午前", "오전", "πμ", "ص", "öö", "sa", "de",
    "पूर्वाह्न", "मपू", "ก่อนเที่ยง", "قظ", "проб", "dop", "לפנהצ", "vm", "ጥዋት", "ಪೂರ್ವಾಹ್ನ", "ਪੂਦੁ",
    "முற்பகல்", "முப", "පෙව", "ព្រឹក", "eparadites", "paradites", "pg", "pagi", "претпладне",
)  # fmt: skip
HALF = (r"[ap]\.?\s?m\b\.?|[上下中]午|凌晨|清晨|半夜|傍晚|早上|晚上|午[前後]|오[전후]"
        r"|[πμ]\.?\s?μ\.?"
        r"|ö[öÖsS]|sa|ch|d[eu]\.|पूर्वाह्न|अपराह्न|म\.?\s?(?:पू|उ)\.?|(?:ก่อน|หลัง)เที่ยง"
        r"|[بق]\.?\s?ظ\.?|(?:пр|сл)\.?\s?об\.?|[do][od]p\.|(?:אחה|לפנה)[\"״']צ|[صم]|[vn]m\.?"
        r"|ከሰዓት|ጥዋት|ಪೂರ್ವಾಹ್ನ|ಅಪರಾಹ್ನ"
        r"|(?:ਪੂ|ਬਾ)\.?ਦੁ\.?|பிற்பகல்|முற்பகல்|(?:பி|மு)\.?ப\.?|(?:පෙ|ප)\.?ව\.?|ល្ងាច|ព្រឹក"
        r"|(?:e )?(?:pas|para)dites|pt?g|(?:пре|по)т?пладне")  # fmt: skip
QUOTED = re.compile('["“«„].')  # a notice that names a group: "Ada renamed "Rain: 2026" to
# Marks of direction and white space that stand in headers unseen.
UNSEEN = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
DATE = (r"(?P<first>\d{1,4})(?P<mark>[./年년-])\s?(?P<second>\d{1,2})[./月월-]\s?"
        r"(?P<third>\d{1,4})(?:\s(?:BE|พ\.ศ\.))?")  # fmt: skip
CLOCK = (r"(?P<hour>\d{1,2})(?P<colon>[:.]|\s?h\s?)(?P<minute>\d{2})"
         r"(?:(?:[:.]|\s?min\s?)(?P<second_of>\d{2})(?:\s?s\b)?)?")  # fmt: skip
END = r"(?(open)\]|(?:[-\u2013\u2014]|,(?=\s)))\s?"
HEADER = re.compile(
    rf"(?P<open>\[)?\s*{DATE}(?:[日일.]|\s?г\.)?[,،]?\s*"
    r"(?:(?:klo|kl\.|às|à|at|um|om|alle|o|u|во|v|la|στις)\s+)?"
    rf"(?:(?P<before>{HALF})\s*)?{CLOCK}\s*(?P<after>{HALF})?(?:\s?(?:ч\.|h|uhr))?\s*{END}",
    re.IGNORECASE,
)
CLOCK_FIRST = re.compile(  # in Vietnam, and where messages are copied out of WhatsApp Web
    rf"(?P<open>\[)?(?P<before>(?!))?{CLOCK}\s*(?P<after>{HALF})?,\s{DATE}\s*{END}", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: the `line` it begins at, its moment, its clock as `written`, name and words.

    `author` is "" for a notice. `written` sorts and does not depend on which of day and month was
    taken to come first.
    """

    line: int
    sent_at: datetime | None
    written: str
    author: str
    text: str
    whole: bool = True


@dataclass
class _Survey:
    """What the headers of a file have in common."""

    layouts: Counter = field(default_factory=Counter)
    orders: Counter = field(default_factory=Counter)  # layout -> "d" or "m": seen over 12
    steps_back: Counter = field(default_factory=Counter)  # by order, how often time went back
    last: dict = field(default_factory=dict)


def read_entries(stream: BinaryIO) -> Iterator[Entry]:
    """Every entry of a chat's text; nothing for a text that is no chat.

    The layout most headers have (brackets, marks, digits of the year, clock) is the file's; a
    line in another is part of a message, such as a quoted chat. Whether day or month comes first
    is decided for the whole file: by a number over 12, else by which of the two makes time run
    forwards, else by what such a clock usually means. Reads the stream twice.
    """
    layout, day_first = _survey(stream)
    if layout is None:
        return
    stream.seek(0)
    yield from _count_seconds(_entries(stream, layout, day_first))


def _count_seconds(entries: Iterator[Entry]) -> Iterator[Entry]:
    """Where a clock has no seconds, those of a minute are :00, :01, ...: they keep their order."""
    minute, earlier = "", 0
    for entry in entries:
        earlier = earlier + 1 if entry.written == minute else 0
        minute = entry.written
        if earlier and entry.sent_at and len(minute) <= len("20260301T0900"):
            entry = replace(entry, sent_at=entry.sent_at + timedelta(seconds=min(earlier, 59)))
        yield entry


def _entries(stream: BinaryIO, layout: tuple, day_first: bool) -> Iterator[Entry]:
    entry: tuple[int, re.Match[str], str] | None = None
    parts: list[str] = []
    size = 0
    for number, line in enumerate(lines(stream), 1):
        header = find_header(line)
        if header and _layout(header[0]) == layout:
            if entry:
                yield _entry(*entry, parts, size, day_first)
            entry, parts, size = (number, *header), [], 0
        elif entry:
            size += len(line)
            if size < LARGEST_MESSAGE:
                parts.append(line)
    if entry:
        yield _entry(*entry, parts, size, day_first)


def find_header(line: str) -> tuple[re.Match[str], str] | None:
    """The clock a line begins with and what follows it; None where it begins otherwise."""
    start = clean = line[:80]
    if not start.isascii():
        start = start.replace("\u202f", " ").replace("\xa0", " ")
        clean = UNSEEN.sub("", start)
    if not clean[:1].isdecimal() and clean[:1] != "[":
        return None
    hit = HEADER.match(clean) or CLOCK_FIRST.match(clean)
    if not hit or (len(hit["third"]) not in (2, 4) and len(hit["first"]) != 4):
        return None
    if len(clean) == len(start):
        return hit, line[hit.end() :]
    seen = [at for at, mark in enumerate(start) if not UNSEEN.match(mark)]
    return hit, line[seen[hit.end() - 1] + 1 :]


def _layout(hit: re.Match[str]) -> tuple:
    year_first = len(hit["first"]) == 4
    digits = 4 if year_first else len(hit["third"])
    half = "before" if hit["before"] else "after" if hit["after"] else ""
    seconds = bool(hit["second_of"])
    signs = hit.start("hour") < hit.start("first"), hit["mark"], hit["colon"].strip()
    return bool(hit["open"]), signs, year_first, digits, half, seconds


def _survey(stream: BinaryIO) -> tuple[tuple | None, bool]:
    survey = _Survey()
    for line in lines(stream):
        if header := find_header(line):
            _look(header[0], survey)
            if survey.layouts.total() >= SURVEYED:
                break
    if not survey.layouts:
        return None, True
    layout = survey.layouts.most_common(1)[0][0]
    return layout, _is_day_first(layout, survey)


def _look(hit: re.Match[str], survey: _Survey) -> None:
    layout, first, second = _layout(hit), int(hit["first"]), int(hit["second"])
    survey.layouts[layout] += 1
    survey.orders[layout, "d"] += first > 12
    survey.orders[layout, "m"] += second > 12
    for order, month, day in (("d", second, first), ("m", first, second)):
        moment = (int(hit["third"]), month, day, int(hit["hour"]) if not layout[4] else 0)
        survey.steps_back[layout, order] += moment < survey.last.get((layout, order), moment)
        survey.last[layout, order] = moment


def _is_day_first(layout: tuple, survey: _Survey) -> bool:
    over = survey.orders[layout, "d"] - survey.orders[layout, "m"]
    back = survey.steps_back[layout, "m"] - survey.steps_back[layout, "d"]
    if over or back:
        return (over or back) > 0
    mark, half = layout[1][1], layout[4]
    return not (mark == "/" and half == "after")  # 1/2/26, 8:30 PM: as Americans write it


def _entry(
    number: int, hit: re.Match[str], rest: str, parts: list[str], size: int, day_first: bool
) -> Entry:
    name, mark, said = rest.partition(": ")
    if not mark and rest.rstrip().endswith(":"):
        name, mark, said = rest.rstrip()[:-1], ":", "\n"
    if not mark or len(name) > 100 or "\n" in name or QUOTED.search(name):
        name, said = "", rest
    text = (said + "".join(parts)).rstrip("\n")
    sent_at, written = _moment(hit, day_first)
    return Entry(number, sent_at, written, clean_name(name), text, size < LARGEST_MESSAGE)


def clean_name(name: str) -> str:
    """A name without unseen marks, and without the "~" before one that is no contact."""
    plain = UNSEEN.sub("", name).replace("\u202f", " ").replace("\xa0", " ")
    return plain.removeprefix("~").strip()


def _moment(hit: re.Match[str], day_first: bool) -> tuple[datetime | None, str]:
    first, second, third = int(hit["first"]), int(hit["second"]), int(hit["third"])
    hour, minute, after = int(hit["hour"]), int(hit["minute"]), int(hit["second_of"] or 0)
    half = re.sub(r"[.\s\"״']", "", hit["before"] or hit["after"] or "").lower()
    if half in AFTERNOON and not (half == "中午" and hour == 11):
        hour = hour % 12 + 12
    elif half in MORNING:
        hour %= 12
    if len(hit["first"]) == 4:
        year, month, day = first, second, third
    else:
        year, month, day = third, *((second, first) if day_first else (first, second))
    year += 2500 if 52 <= year < 100 else 2000 if year < 100 else 0  # of Thailand: 2552 is 2009
    year -= 543 if 2400 < year < 2700 else 0
    clock = f"{hour:02}{minute:02}" + (f"{after:02}" if hit["second_of"] else "")
    written = f"{year}{_two(hit)}T{clock}"
    try:
        if 1300 < year < 1500:
            year, month, day = _from_persian(year, month, day)
        return datetime(year, month, day, hour, minute, after, tzinfo=UTC), written
    except ValueError:  # the 31st of February
        return None, written


def _from_persian(year: int, month: int, day: int) -> tuple[int, int, int]:
    """A day of the Solar Hijri calendar, by its cycle of 33 years from 1 Farvardin 1403."""

    def days(year: int, month: int, day: int) -> int:
        year += 1595
        months = (month - 1) * 31 if month < 7 else (month - 7) * 30 + 186
        return 365 * year + year // 33 * 8 + (year % 33 + 3) // 4 + months + day

    moment = date(2024, 3, 20) + timedelta(days=days(year, month, day) - days(1403, 1, 1))
    return moment.year, moment.month, moment.day


def _two(hit: re.Match[str]) -> str:
    """Day and month as they stand, which is the same whatever their order is taken to be."""
    names = ("second", "third") if len(hit["first"]) == 4 else ("first", "second")
    return "".join(f"{int(hit[name]):02}" for name in names)
