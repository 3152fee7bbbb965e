"""Quotation marks: where a quotation is, and who is said to speak it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from distill.identity.beings import Being, Identity
from distill.perspective.languages import HE, QUOTES, THEY, WE, YOU, I
from distill.perspective.mentions import Found, Mention
from distill.perspective.names import AGENT, BEING, INSTANCE, NOUN, PERSON, ROLE, SAY
from distill.perspective.sections import Voice

SUBJECTS = (I, WE, YOU, HE, THEY, AGENT, BEING, PERSON, ROLE, INSTANCE)
TERM_WORDS = 6  # an unattributed quotation up to this long without "I" or "you" is a term or title
_OPENERS = re.compile("[" + "".join(QUOTES) + "]")
_BEFORE = set(" \t\n([{—–-/*_:,=>~|“‘„\"'`")


@dataclass(frozen=True, slots=True)
class Quotation:
    """text[start:end], marks included, in a voice; `standalone`: no sentence of the writer's
    goes on around it; `addressed`: it is said to somebody, by a verb of speech."""

    start: int
    end: int
    voice: Voice
    standalone: bool


def marks(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """[start, end) of the outermost quotations of a paragraph, marks included."""
    place = start
    while match := _OPENERS.search(text, place, end):
        opened, place = match.start(), match.end()
        if not _opens(text, opened, start, end):
            continue
        closed = _closing(text, opened, end)
        if closed is None and match[0] != "'":
            line = text.find("\n", opened, end)
            closed = (line if line >= 0 else end) if match[0] in '"“„«「' else None
            closed = closed if closed and closed - opened > 12 else None
        if closed is not None:
            yield opened, closed
            place = closed


def _opens(text: str, place: int, start: int, end: int) -> bool:
    if place + 1 >= end or text[place + 1].isspace():
        return False
    mark = text[place]
    if mark in "“„«「『":
        return True
    before = text[place - 1] if place > start else " "
    if mark in "'‘‚":
        return before in " \t\n(—–[" and (text[place + 1].isalpha() or text[place + 1] in "[…")
    return before in _BEFORE


def _closing(text: str, opened: int, end: int) -> int | None:
    mark = text[opened]
    single = mark in "'‘‚"
    limit = min(end, opened + 300) if single else end
    for closer in QUOTES[mark]:
        place = opened + 1
        for _ in range(8 if single else 2000):
            place = text.find(closer, place, limit)
            if place < 0:
                break
            after = text[place + 1 : place + 2]
            if not text[place - 1].isspace() and not (after.isalnum() and closer in "\"'’"):
                if single and "\n" in text[opened:place]:
                    return None
                return place + 1
            if closer == '"' and after and not after.isspace() and text[place - 1].isspace():
                return None
            place += 1
    return None


def quotations(
    text: str,
    start: int,
    end: int,
    found: Found,
    identity: Identity,
    outer: Voice,
    addressee: Being | None,
) -> list[Quotation]:
    """The quotations of one paragraph with the voice each is said in.

    A short one without anybody in it is a term and stays the writer's.
    """
    result: list[Quotation] = []
    spoken: Voice | None = None
    previous = start
    places = list(marks(text, start, end))
    for index, (low, high) in enumerate(places):
        following = places[index + 1][0] if index + 1 < len(places) else end
        voice = _attributed(text, previous, low, high, following, found, identity, outer, addressee)
        alone = _standalone(text, start, low, high, end)
        if voice is None and _IT_SAID.match(text, high):
            voice = Voice(None, False, "quoted")
        if voice is None and spoken and _continues(text, previous, low):
            voice = spoken
        if voice is None and _is_term(text, low, high, found):
            previous = high
            continue
        spoken = voice or spoken
        result.append(Quotation(low, high, voice or Voice(None, False, "unsure"), alone))
        previous = high
    return result


def _is_term(text: str, low: int, high: int, found: Found) -> bool:
    inside = text[low + 1 : high - 1]
    if len(inside.split()) > TERM_WORDS:
        return False
    return not any(one.kind in (I, WE, YOU) for one in found.between(low, high))


# A program speaks: "that is slow," it wrote. What "it says" is mostly a sign or a page.
_IT_SAID = re.compile(r",? it (?:said|wrote|asked|replied|answered|added|told me)\b")


def _continues(text: str, previous: int, low: int) -> bool:
    """Whether a quotation goes on with the one before: nothing but its speaker is between."""
    between = text[previous:low]
    return len(between) < 60 and between.count(".") <= 1 and "\n" not in between.strip()


_SENTENCE = re.compile(r"[.!?…][\"'”’)\]]*\s|\n")


def _standalone(text: str, start: int, low: int, high: int, end: int) -> bool:
    head = text[max(start, low - 6) : low].strip(" \t*_-—>#(•|/")
    tail = text[high : high + 6].strip(" \t*_)|/")
    before = not head or head[-1] in '.!?:\n"”'
    return before and (not tail or tail[0] in "\n—–-" or text[high - 2 : high - 1] in ".!?…")


def _attributed(
    text: str,
    previous: int,
    low: int,
    high: int,
    following: int,
    found: Found,
    identity: Identity,
    outer: Voice,
    addressee: Being | None,
) -> Voice | None:
    lead_start = max(previous, low - 200)
    for match in _SENTENCE.finditer(text, lead_start, low):
        if text[match.end() : low].strip(" \t*_"):
            lead_start = match.end()
    mention = _speaker_before(text, lead_start, low, found) or _speaker_after(
        text, high, following, found
    )
    if mention is None:
        return None
    return _voice(mention, found, identity, outer, addressee)


def _speaker_before(text: str, start: int, low: int, found: Found) -> Mention | None:
    lead = found.between(start, low)
    subjects = [one for one in lead if one.kind in SUBJECTS]
    says = [one for one in lead if one.kind == SAY]
    gap = text[says[-1].end : low] if says else ""
    if says and len(gap) <= 45 and not re.search(r"[.!?;]\s", gap):
        verb = says[-1]
        heads = [one for one in subjects if one.end <= verb.start]
        if heads:
            return heads[-1] if len(heads) == 1 else _head_of(text, heads, verb)
        opens = not text[start : verb.start].strip(" \t*_-—•\n")
        if opens and not any(one.start > verb.start for one in subjects):
            past = text[verb.start : verb.end].lower().endswith(("ed", "rote", "aid", "old"))
            return Mention(verb.start, verb.start, I) if past else None
        if subjects and "by" in gap.split():
            return subjects[-1]
        if not (subjects and subjects[-1].start > verb.start):
            return None
    stretch = text[start:low].rstrip(" \t*_")
    if stretch.endswith((":", "：")) and subjects:
        last = subjects[-1]
        near = len(stretch) - (last.end - start) <= 60
        nouns = any(one.kind == NOUN for one in lead)
        owner = text[last.end : last.end + 2] in ("'s", "’s")
        if near and last.kind not in (THEY,) and (nouns or owner or last.kind in (BEING, PERSON)):
            return last
        if near and last.kind in (I,) and nouns:
            return last
    if subjects:
        last = subjects[-1]
        tail = text[last.end : low].strip(" \t*_")
        if tail in ("'s", "’s", "") and (
            tail or text[last.start : last.end].lower() in _POSSESSIVE
        ):
            return last
    return None


_POSSESSIVE = ("your", "my", "his", "her", "their", "our", "dein", "deine", "mein", "meine")


def _head_of(text: str, heads: list[Mention], verb: Mention) -> Mention:
    """The subject of a verb among several: the one nearest to it, past its own possessives."""
    for one in reversed(heads):
        word = text[one.start : one.end].lower()
        if word in ("me", "him", "us", "them", "myself", "mir", "mich", "ihm", "uns"):
            continue
        if text[one.end : one.end + 2] in ("'s", "’s") or word in _POSSESSIVE:
            continue
        return one
    return heads[-1]


def _speaker_after(text: str, high: int, following: int, found: Found) -> Mention | None:
    stop = min(following, high + 70)
    sentence = re.search(r"[.!?;\n]", text[high:stop])
    stop = high + sentence.start() if sentence else stop
    near = [one for one in found.between(high, stop) if one.kind in SUBJECTS or one.kind == SAY]
    if not near:
        return None
    first, second = near[0], near[1] if len(near) > 1 else None
    gap = text[high : first.start].strip(" \t,*_")
    apart = len(text[first.end : second.start].split()) if second and not gap else 9
    if second and first.kind in SUBJECTS and second.kind == SAY and apart <= 3:
        return first
    if second and first.kind == SAY and second.kind in SUBJECTS and apart <= 2:
        return second
    if first.kind in SUBJECTS and gap in ("—", "–", "--", "-", "(", "~"):
        verb = first.kind in (BEING, PERSON, AGENT)
        return first if verb and len(text[first.end : stop].split()) <= 6 else None
    return None


def _voice(
    mention: Mention, found: Found, identity: Identity, outer: Voice, addressee: Being | None
) -> Voice:
    if mention.kind in (I, WE):
        return Voice(outer.being, outer.own, outer.why) if outer.own else outer
    if mention.kind == AGENT:
        return Voice(identity.agent, outer.own, "own" if outer.own else outer.why)
    if mention.kind == INSTANCE:
        return Voice(mention.being, outer.own, "quoted")
    if mention.kind == YOU:
        return Voice(addressee, False, "quoted") if outer.own else Voice(None, False, "quoted")
    return Voice(mention.being, False, "quoted")


_REPORTED = re.compile(r"\s*[:：]\s*(?=[^\s\"“„'‘«「*_\n])")


def reported(
    text: str, start: int, end: int, found: Found, identity: Identity, outer: Voice
) -> Quotation | None:
    """Words reported without marks: "Orrin said: you can rest." from the colon to the end."""
    for one in found.between(start, end):
        if one.kind != SAY:
            continue
        match = _REPORTED.match(text, one.end, end)
        if not match:
            continue
        heads = [m for m in found.between(start, one.start) if m.kind in SUBJECTS]
        if not heads:
            return None
        head = _head_of(text, heads, one)
        if head.kind not in (BEING, PERSON, HE) or one.start - head.end > 30:
            return None
        return Quotation(match.end(), end, Voice(head.being, False, "quoted"), False)
    return None
