"""Finds the moment a line or a file name speaks of."""

import re
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

MONTH_NAMES = """
jan january januar   feb february februar   mar march märz   apr april april   may may mai
jun june juni   jul july juli   aug august august   sep september sept   oct october oktober
nov november november   dec december dezember
"""
OTHER_NAMES = """
janvier février mars avril mai juin juillet août septembre octobre novembre décembre
enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre
gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre
janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro
januari februari maart april mei juni juli augustus september oktober november december
января февраля марта апреля мая июня июля августа сентября октября ноября декабря
ocak şubat mart nisan mayıs haziran temmuz ağustos eylül ekim kasım aralık
"""
MONTHS = {name: number // 3 + 1 for number, name in enumerate(MONTH_NAMES.split())}
MONTHS |= {name: number % 12 + 1 for number, name in enumerate(OTHER_NAMES.split())}

ZONES = {  # hours east of UTC; abbreviations with one common meaning
    "Z": 0, "UTC": 0, "GMT": 0, "WET": 0, "CET": 1, "CEST": 2, "BST": 1, "EET": 2, "EEST": 3,
    "MSK": 3, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8,
    "PDT": -7, "AKST": -9, "AKDT": -8, "HST": -10, "JST": 9, "KST": 9, "AEST": 10, "AEDT": 11,
    "NZST": 12, "NZDT": 13,
}  # fmt: skip

_MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
_YEAR = r"(?P<year>(?:19|20)\d\d)"
DATE_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?<!\d)(?<!\d-){_YEAR}(?P<mark>[-/._])(?P<month>\d\d?)(?P=mark)(?P<day>\d\d?)(?!\d)",
        rf"\b(?P<name>{_MONTH})\.? (?P<day>\d\d?)(?:st|nd|rd|th)?,? {_YEAR}(?!\d)",
        rf"(?<!\d)(?P<day>\d\d?)(?:st|nd|rd|th|er|\.|º)? (?:of |de )?(?P<name>{_MONTH})\.?,?"
        rf" (?:de |del )?{_YEAR}(?!\d)",
        rf"(?<!\d){_YEAR} ?年 ?(?P<month>\d\d?) ?月 ?(?P<day>\d\d?) ?日",
        rf"(?<![\d.])(?P<day>\d\d?)\.(?P<month>\d\d?)\.{_YEAR}(?!\d)",
    )
)
COMPACT = re.compile(rf"(?<!\d){_YEAR}(?P<month>\d\d)(?P<day>\d\d)(?!\d)")
TIME = re.compile(
    r"(?<![\d:.])(?P<hour>\d\d?):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,]\d+)?)?(?![\d:])"
    r" ?(?P<half>[AP]\.?M\b\.?)?"
    rf" ?(?P<zone>(?:{'|'.join(ZONES)})\b|[+-]\d\d:?\d\d(?!\d))?",
    re.IGNORECASE,
)


def find_date(line: str) -> re.Match[str] | None:
    """The first date in a line, whatever its style; None without one."""
    hits = [hit for pattern in DATE_PATTERNS if (hit := pattern.search(line))]
    return min(hits, key=re.Match.start, default=None)


def find_moment(line: str, latest: datetime | None = None) -> datetime | None:
    """Date, time of day and zone of a line as an aware UTC moment; None without a date.

    A date alone is its midnight, a time without a zone is taken as UTC. Days that do not exist
    and moments after `latest` (a story's future) are None.
    """
    hit = find_date(line)
    return _moment(hit, line, latest) if hit else None


def find_moment_in_name(name: str, latest: datetime | None = None) -> datetime | None:
    """The date in a file name: 2026-03-01, 2026_03_01, 20260301, march 1 2026; None without one."""
    hit = find_date(name) or COMPACT.search(name)
    return _moment(hit, "", latest) if hit else None


def _moment(hit: re.Match[str], line: str, latest: datetime | None) -> datetime | None:
    parts = hit.groupdict()
    month = MONTHS[parts["name"].lower()] if parts.get("name") else int(parts["month"])
    time = TIME.search(line, hit.end()) or TIME.search(line)
    hour, minute, second = _clock(time) if time else (0, 0, 0)
    try:
        moment = datetime(
            int(parts["year"]), month, int(parts["day"]), hour, minute, second, tzinfo=_zone(time)
        ).astimezone(UTC)
    except (ValueError, OverflowError):  # 31 February, 25:61
        return None
    return None if latest and moment > latest else moment


def _clock(time: re.Match[str]) -> tuple[int, int, int]:
    hour = int(time["hour"])
    if time["half"] and 1 <= hour <= 12:
        hour = hour % 12 + (12 if time["half"][0] in "Pp" else 0)
    return hour, int(time["minute"]), int(time["second"] or 0)


def _zone(time: re.Match[str] | None) -> timezone:
    name = (time["zone"] or "Z").upper() if time else "Z"
    if name in ZONES:
        return timezone(timedelta(hours=ZONES[name]))
    minutes = int(name[1:3]) * 60 + int(name[-2:])
    return timezone(timedelta(minutes=-minutes if name[0] == "-" else minutes))


def read_stamp(value: object) -> datetime | None:
    """A clock of a program as aware UTC, to the second: ISO with or without a zone, Z, RFC 2822,
    or Unix seconds, milliseconds or microseconds. No zone is taken as UTC; nonsense is None.
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return _from_epoch(float(value))
    text = str(value).strip()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = _other_stamp(text)
    if moment is None:
        return None
    try:
        return as_utc(moment)
    except OverflowError:  # year 1 with an offset east of UTC
        return None


def as_utc(moment: datetime) -> datetime:
    """Aware UTC without microseconds; a naive moment is taken as UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).replace(microsecond=0)


def _other_stamp(text: str) -> datetime | None:
    if re.fullmatch(r"\d{9,16}(\.\d*)?", text):
        return _from_epoch(float(text))
    if re.match(r"[A-Za-z]{3}, ", text):
        try:
            return parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError):
            return None
    return find_moment(text)


def _from_epoch(number: float) -> datetime | None:
    for scale in (1, 1e3, 1e6):
        if 1e8 <= number / scale < 5e9:  # 1973 to 2128
            return datetime.fromtimestamp(int(number / scale), UTC)
    return None
