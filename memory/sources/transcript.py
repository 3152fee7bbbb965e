"""Reads transcripts of speech: srt, vtt, sbv, and the text files of recorders such as Plaud.

Speakers are called as the file calls them; who of them is the agent is said by `own`. Speech
without a name is by "speaker" and nobody's own until `own` says so.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from html import unescape
from pathlib import Path

from memory.message import Message, Skipped, Unreadable
from memory.sources import folder
from memory.sources.texts import find_date_of_text

Record = Message | Unreadable | Skipped

UNNAMED = "speaker"
SUFFIXES = (".srt", ".vtt", ".sbv", ".txt", ".md", ".text")
SILENCE_SECONDS = 120.0  # a longer pause ends what one speaker says in one piece

_TIME = r"(?:\d{1,3}:)?\d{1,2}:\d{2}(?:[.,]\d{1,3})?"
CLOCK = re.compile(r"\d:\d\d")
CUE = re.compile(rf"\s*({_TIME})\s*(?:-->|,)\s*({_TIME})(?:\s.*)?$")
ARROW = re.compile(r"\s*\S+\s*-->\s*\S+|\s*\d+:\d\d:\S+,\d+:\d\d:\S+\s*$")
SPOKEN_BY = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]{1,80})>")
TAG = re.compile(r"</?[A-Za-z][^<>]{0,200}>|<[\d:.]{4,16}>|\{\\[^{}]{1,40}\}")
NAME = r"[^\W_][\w.'’ \-()]{0,38}?"
LABEL = re.compile(
    rf"\s*(?:[-–]\s*|>{{1,3}}\s*)?\[?(?P<who>{NAME})\]?\s*[:：]\s+(?P<said>\S.*)$", re.S
)
ONLY_NAME = re.compile(NAME.removesuffix("?"))
BRACKETED = re.compile(r"\s*\[(?P<who>[A-Z][\w.' -]{0,38})\]\s+(?P<said>\S.*)$", re.S)
BOLD_NAME = re.compile(rf"^(\s*)(\*\*|__)({NAME}\s*[:：]?)\2", re.M)  # of recorders' Markdown
NUMBERED = re.compile(
    r"(?:speaker|sprecher(?:in)?|locuteur|hablante|说话人|发言人|講者)[ _]?\w{1,3}", re.IGNORECASE
)
NO_NAMES = ("note", "warning", "attention", "question", "answer", "example", "hinweis", "http",
            "https", "ps", "nb", "subject", "re", "date", "time", "注")  # fmt: skip
STAMP = rf"[\[(]?(?P<at>{_TIME})(?:\s*(?:-->|-|–|~)\s*{_TIME})?[\])]?"
STAMPED = (  # a line of a recorder's text that says when and who, the words after it or below it
    re.compile(rf"\s*{STAMP}\s*[-–|•]?\s*(?P<who>{NAME})\s*[:：]\s*(?P<said>.*)$"),
    re.compile(rf"\s*\[?(?P<who>{NAME})\]?\s*[,|·•-]?\s+{STAMP}\s*[:：]?\s*(?P<said>)$"),
    re.compile(rf"\s*(?P<who>{NAME})\s*[\[(（](?P<at>{_TIME})[\])）]\s*[:：]\s*(?P<said>.*)$"),
    re.compile(rf"\s*(?P<who>{NAME})\s*[:：]\s*[\[(（](?P<at>{_TIME})[\])）]\s*(?P<said>.*)$"),
    re.compile(rf"\s*(?P<who>{NAME})\s\[(?P<at>{_TIME})\]\s+(?P<said>\S.*)$"),
    re.compile(rf"\s*{STAMP}\s+(?:[-–|•]\s+)?(?P<who>{NAME})(?P<said>)$"),
    re.compile(rf"\s*{STAMP}\s*(?P<who>)(?P<said>.*)$"),
)
CUE_IN_LINE = re.compile(rf"\s*\[({_TIME})\s*-->\s*({_TIME})\]\s*(.*)$")  # whisper.cpp's output
NAMED_ABOVE = re.compile(r"\d+ \"([^\"]{1,80})\" \(\d+\)$")  # Webex: 1 "Ada" (123456)
MADE_BY = re.compile(r"\s*Transcribed by https?://\S+\s*$")
HEADING = r"\s*(?:#{1,6}\s*|[*_]{1,3}|【|={2,}\s*)?(?:\d+[.)]\s*)?"
SUMMARY = re.compile(
    HEADING
    + r"(?:(?:ai|auto(?:matic)?)[ -]*)?(?:meeting |call )?(?:summary|overview|key (?:points|"
    r"takeaways)|takeaways|action items|next steps|to-?dos?|chapters|outline|mind ?map|minutes"
    r"|zusammenfassung|résumé|resumen|riassunto|samenvatting|resumo|итоги|краткое содержание"
    r"|(?:ai|智能)?(?:总结|摘要|纪要|要点|待办)|会议(?:总结|纪要|摘要)|özet)\b[\s:：*_】=#]*$",
    re.IGNORECASE,
)
SPEECH = re.compile(
    HEADING + r"(?:full |raw )?(?:transcript(?:ion)?|transkript(?:ion)?|transcripción|trascrizione"
    r"|转写|转录|文字记录|原文|逐字稿|стенограмма)\b[\s:：*_】=#]*$",
    re.IGNORECASE,
)


@dataclass
class Turn:
    """What one speaker said in one piece; `start` and `end` in seconds, None when not said."""

    who: str
    start: float | None
    end: float | None
    lines: list[str]


def list_files(root: Path) -> Iterator[Path]:
    """The subtitle and text files under `root`, or `root` itself where it is a file."""
    for path in folder.list_files(root):
        if path == root or path.suffix.lower() in SUFFIXES:
            yield path


def read_file(file: Path, root: Path) -> Iterator[Record]:
    """One message for all that a speaker said until another did, or until a pause of 2 minutes.

    A section headed as a summary was written by a machine: one message of origin "generated".
    A time that cannot be read is a reject with its line.
    """
    path = folder.relative(file, root)
    text = folder.read_text(file, path)
    if not isinstance(text, str):
        yield text
        return
    problems: list[Unreadable] = []
    lines = BOLD_NAME.sub(r"\1\3", text).split("\n")
    summary, cues = "", list(_cues(lines, path, problems))
    if not cues and not problems and file.suffix.lower() not in (".srt", ".vtt", ".sbv"):
        summary, cues = _plain(lines, "summary" in file.stem.lower())
    bold = {hit[3].rstrip(": ：") for hit in BOLD_NAME.finditer(text) if hit[3][-1] in ":："}
    turns = _merge(_name(cues, bold))
    if not turns and not summary and not problems:
        yield Skipped(path, "", "no speech in the file")
    yield from problems
    yield from _messages(turns, summary, path, find_date_of_text(text[:4000], file))


def _messages(
    turns: list[Turn], summary: str, path: str, sent_at: datetime | None
) -> Iterator[Message]:
    before = ""
    for number, turn in enumerate(turns, 1):
        key = f"{path}#{number:05}"
        yield _message(path, key, turn.who, "\n".join(turn.lines), sent_at, before, "spoken")
        before = key
    if summary:
        yield _message(path, f"{path}#summary", "", summary, sent_at, "", "generated")


def _message(
    path: str, key: str, who: str, text: str, sent_at: datetime | None, before: str, origin: str
) -> Message:
    return Message(
        source="transcript",
        kind="chat" if origin == "spoken" else "document",
        external_id=key,
        conversation=path,
        author=who,
        recipients=(),
        sent_at=sent_at,
        subject="",
        text=text,
        reply_to=before,
        origin=origin,
        path=path,
    )


# --- subtitles --------------------------------------------------------------------------------


def _cues(lines: list[str], path: str, problems: list[Unreadable]) -> Iterator[Turn]:
    """The cues of srt, vtt and sbv; the lines before the first and those of notes are no speech.

    https://www.w3.org/TR/webvtt1/ ; a blank line ends a cue, a number or name may stand above it.
    """
    cue: Turn | None = None
    above = ""
    for number, line in enumerate(lines, 1):
        hit = CUE.match(line) if ":" in line else None
        if hit and (cue is None or not _inside(cue, hit)):
            if cue and cue.lines:
                yield cue
            who = NAMED_ABOVE.match(above)
            cue = Turn(who[1] if who else "", _seconds(hit[1]), _seconds(hit[2]), [])
        elif "-->" in line and (whole := CUE_IN_LINE.match(line)):
            yield Turn("", _seconds(whole[1]), _seconds(whole[2]), [whole[3]])
        elif not hit and ARROW.match(line) and ("-->" in line or cue is None):
            if cue and cue.lines:
                yield cue
            cue = None
            problems.append(Unreadable(path, f"line {number}", "time that cannot be read"))
        elif not line.strip():
            if cue and cue.lines:
                yield cue
            cue = None
        elif cue is not None and not hit:
            _add(cue, line)
        above = line
    if cue and cue.lines:
        yield cue


def _inside(cue: Turn, hit: re.Match[str]) -> bool:
    """A comma line of numbers in the words of a cue is no time; an arrow always is one."""
    return bool(cue.lines) and "-->" not in hit[0]


def _add(cue: Turn, line: str) -> None:
    if voice := SPOKEN_BY.search(line):
        cue.who = " ".join(unescape(voice[1]).split())
    words = unescape(TAG.sub("", line)).strip()
    if words:
        cue.lines.append(words)


def _seconds(time: str) -> float:
    parts = time.replace(",", ".").split(":")
    return sum(float(part) * 60**power for power, part in enumerate(reversed(parts)))


# --- text -------------------------------------------------------------------------------------


def _plain(lines: list[str], generated: bool) -> tuple[str, list[Turn]]:
    """(the machine's summary, what was said) of a text without cues."""
    summary: list[str] = []
    turns: list[Turn] = []
    for line in lines:
        if MADE_BY.match(line):
            continue
        if SUMMARY.match(line):
            generated = True
        elif SPEECH.match(line):
            generated = False
            continue
        elif generated and (hit := _stamped(line)) and hit["who"]:
            generated = False
        if generated:
            summary.append(line)
        elif hit := _stamped(line):
            at = _seconds(hit["at"])
            turns.append(Turn(hit["who"], at, at, [hit["said"]] if hit["said"].strip() else []))
        elif NUMBERED.fullmatch(line.strip()) and (not turns or turns[-1].start is None):
            turns.append(Turn(line.strip(), None, None, []))
        elif line.strip() and turns and (turns[-1].start is not None or not LABEL.match(line)):
            turns[-1].lines.append(line.strip())
        elif line.strip():
            turns.append(Turn("", None, None, [line.strip()]))
    _take_names(turns)
    if any(turn.start is not None for turn in turns):  # what stands above them is the head
        turns = [turn for turn in turns if turn.start is not None]
    return "\n".join(summary).strip(), [turn for turn in turns if turn.lines]


def _take_names(turns: list[Turn]) -> None:
    """Names on a line of their own, below every bare time or above it."""
    bare = [turn for turn in turns if turn.start is not None]
    if not bare or any(turn.who for turn in bare):
        return
    below = [turn.lines[0].strip() for turn in bare if len(turn.lines) > 1]
    above = [turn.lines[-1].strip() for turn in turns[: turns.index(bare[-1])] if turn.lines]
    if len(below) == len(bare) and _are_names(below):
        for turn in bare:
            turn.who = turn.lines.pop(0).strip()
    elif len(above) >= len(bare) and _are_names(above[-len(bare) :]):
        for turn, name in zip(bare, above[-len(bare) :], strict=True):
            turn.who = name
        for turn in bare[:-1]:
            turn.lines.pop()


def _are_names(lines: list[str]) -> bool:
    """Whether lines can be the speakers of a talk: short, without a stop, two or more of them."""
    return len(lines) > 1 and all(
        len(line.split()) <= 4 and ONLY_NAME.fullmatch(line) is not None for line in lines
    )


def _stamped(line: str) -> re.Match[str] | None:
    if not CLOCK.search(line):
        return None
    return next(filter(None, (pattern.match(line) for pattern in STAMPED)), None)


# --- both -------------------------------------------------------------------------------------


def _name(cues: list[Turn], bold: set[str]) -> list[Turn]:
    """Takes "Name: " from the words where it is a speaker's, and parts a cue between two.

    It is one where the file numbers its speakers, where the name comes twice or is written
    `bold`, or where nearly every cue begins with one; "Note: ..." is not.
    """
    unnamed = [cue for cue in cues if not cue.who]
    labels = [hit for cue in unnamed for line in cue.lines if (hit := _label(line))]
    seen = Counter(hit["who"] for hit in labels)
    everywhere = sum(bool(_label(cue.lines[0])) for cue in unnamed) > 0.8 * len(unnamed)
    names = {
        who
        for who in seen
        if who.lower() not in NO_NAMES
        and (seen[who] > 1 or who in bold or NUMBERED.fullmatch(who) or everywhere)
    }
    return [part for cue in cues for part in ([cue] if cue.who else _parts(cue, names))]


def _label(line: str) -> re.Match[str] | None:
    if "[" in line and (hit := BRACKETED.match(line)):
        return hit
    return LABEL.match(line) if ":" in line or "：" in line else None


def _parts(cue: Turn, names: set[str]) -> list[Turn]:
    parts: list[Turn] = []
    for line in cue.lines:
        hit = _label(line)
        if hit and hit["who"] in names:
            parts.append(Turn(hit["who"].strip(), cue.start, cue.end, [hit["said"]]))
        elif parts:
            parts[-1].lines.append(line)
        else:
            parts.append(Turn("", cue.start, cue.end, [line]))
    return parts


def _merge(cues: list[Turn]) -> list[Turn]:
    turns: list[Turn] = []
    for cue in cues:
        who = cue.who or UNNAMED
        last = turns[-1] if turns else None
        if last and last.who == who and _pause(last, cue) < SILENCE_SECONDS:
            # captions that roll show a line again in the next cue
            last.lines += [line for line in cue.lines if line != last.lines[-1]]
            last.end = cue.end
        else:
            turns.append(Turn(who, cue.start, cue.end, list(cue.lines)))
    return turns


def _pause(last: Turn, cue: Turn) -> float:
    return cue.start - last.end if cue.start is not None and last.end is not None else 0.0
