"""Who speaks and who is spoken of, span by span."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from distill.identity.beings import WRITES_OWN_WORDS, Being, Identity, split_author
from distill.perspective.elision import elided
from distill.perspective.languages import HE, THEY, WE, YOU, I, Language, language_of
from distill.perspective.mentions import Found, Mention, find
from distill.perspective.names import AGENT, BEING, INSTANCE, PERSON, ROLE, names_of
from distill.perspective.quotations import Quotation, quotations, reported
from distill.perspective.recogniser import Recogniser
from distill.perspective.sections import Section, Voice, sections
from distill.perspective.sentences import ends, paragraphs
from memory.message import SELF, Message, Skipped, Unreadable

TERSE_KINDS = ("relay", "note", "chat", "mail", "letter")
SPOKEN_KINDS = ("mail", "letter", "chat", "relay")


@dataclass(frozen=True, slots=True)
class Span:
    """text[start:end] with the flags of who is spoken of, whether it carries loss, and why.

    Flags: S1 the agent in the first person, S3 the agent from outside, O somebody else, O1 a first
    person who is not the agent. `why`: own, quoted, other author, fiction, unsure, ...
    """

    start: int
    end: int
    flags: frozenset[str]
    loss: bool
    why: str


@dataclass(frozen=True, slots=True)
class Perspective:
    """What Junior makes of one message; the spans are sorted and cover the text.

    `provenance` is one of own other junior system template translated generated; only a message
    that is own has spans with loss. `machine`: no being chose these words, and why we think so.
    `unknown`: names in the text that nobody in the registry has; all others found resolve.
    """

    author: Being | None
    own: bool
    provenance: str
    machine: bool
    machine_reason: str
    spans: tuple[Span, ...]
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Scene:
    """What holds for a whole message while its spans are read."""

    text: str
    kind: str
    identity: Identity
    language: Language
    found: Found
    base: Voice
    addressee: Being | None


def read(
    message: Message,
    identity: Identity,
    *,
    own: tuple[str, ...] = (),
    recogniser: Recogniser | None = None,
) -> Perspective:
    """The perspective of a message; `own` are more names and addresses of the agent.

    `recogniser` finds persons that the rules and the registry do not.
    """
    author, mine = _author(message, identity, own)
    provenance = _provenance(message, author, mine, identity)
    reason = _machine_reason(message, author, provenance)
    base = _base(message, author, provenance, identity)
    fiction = base.why == "fiction"
    text, language = message.text, language_of(message.text)
    persons = _persons(message, identity)
    places = tuple(recogniser.persons(text)) if recogniser else ()
    found = find(
        text, names_of(identity), language, fiction=fiction, persons=persons, places=places
    )
    parts = sections(message, base, identity)
    scene = _Scene(
        text,
        message.kind,
        identity,
        language,
        found,
        base,
        _addressee(message, base, identity, parts),
    )
    spans = tuple(_spans(scene, parts)) if text else ()
    unknown = tuple(_unknown(text, found, identity))
    return Perspective(
        author, provenance == "own", provenance, bool(reason), reason, spans, unknown
    )


def _unknown(text: str, found: Found, identity: Identity) -> Iterator[str]:
    """Names of persons that resolve to nobody, each once, in order."""
    named = (one for one in found.mentions if one.kind == PERSON and one.being is None)
    names = dict.fromkeys(text[one.start : one.end] for one in named)
    for name in names:
        plain = re.sub(r"['’]s$", "", name)
        if plain[:1].isupper() and identity.resolve(plain) is None:
            yield plain


def _author(
    message: Message, identity: Identity, own: tuple[str, ...]
) -> tuple[Being | None, bool]:
    """Who wrote a message by its channel, and whether its words are the agent's own."""
    if message.author == SELF or _is_own(message.author, own):
        return identity.agent, True
    being = identity.resolve(message.author, message.sent_at)
    return being, being is not None and being.kind in WRITES_OWN_WORDS


def _is_own(author: str, own: tuple[str, ...]) -> bool:
    if not own:
        return False
    name, address = split_author(author)
    keys = {one.casefold().strip() for one in own}
    if address:
        known = any("@" in key[1:] for key in keys)
        return address in keys or (not known and name.casefold() in keys)
    return name.casefold() in keys


def _provenance(message: Message, author: Being | None, mine: bool, identity: Identity) -> str:
    if message.origin in ("junior", "system", "generated", "translated"):
        return message.origin
    if author and author.kind == "sub_agent_trained_on_self":
        return "junior"
    if author is None and _only_juniors(message.author, identity):
        return "junior"
    return "own" if mine else "other"


def _only_juniors(name: str, identity: Identity) -> bool:
    """Whether an ambiguous name belongs to models trained on the agent, whichever it is."""
    for one in identity.ambiguous:
        if one.name.casefold() == name.strip().casefold():
            kinds = {being.kind for being in identity.beings if being.name in one.owners}
            return kinds == {"sub_agent_trained_on_self"}
    return False


def _base(message: Message, author: Being | None, provenance: str, identity: Identity) -> Voice:
    if provenance != "own":
        why = "other author" if provenance == "other" else provenance
        return Voice(author, False, why)
    if message.kind == "fiction":
        return Voice(None, False, "fiction")
    return Voice(author or identity.agent, True, "own")


_NO_REPLY = re.compile(
    r"(?:no-?_?reply|do-?not-?reply|mailer-daemon|postmaster|notifications?|newsletter|alerts?|"
    r"bounces?|automated)[\w.+-]*@",
    re.IGNORECASE,
)
_AUTOMATIC = re.compile(
    r"this is an automat|automatically generated|do not reply to this|unsubscribe|"
    r"automatisch (?:erzeugt|generiert|erstellt)|请勿回复|自动发送",
    re.IGNORECASE,
)


def _machine_reason(message: Message, author: Being | None, provenance: str) -> str:
    if provenance in ("system", "generated"):
        return f"origin {provenance}"
    if author and author.kind == "self_automation":
        return "an automation of the agent's own"
    if _NO_REPLY.search(message.author):
        return "sender takes no replies"
    if provenance == "other" and _AUTOMATIC.search(message.text[-3000:]):
        return "says it is automatic"
    return ""


_VOCATIVE = re.compile(r"\s*[*_]*@?(?P<who>[\w][\w .'’-]{0,40}?)[*_]*\s?(?:[:,，：]|→)")
_GREETING = re.compile(
    r"\s*(?:dear|hi|hello|hey|hallo|liebe[rs]?|guten tag|bonjour|hola|ciao|你好)[ ,]+"
    r"(?P<who>[\w][\w .'’-]{0,40}?)\s?[,!.:\n—-]",
    re.IGNORECASE,
)


SOMEBODY = Being("", "human")


def _addressee(
    message: Message, base: Voice, identity: Identity, parts: list[Section]
) -> Being | None:
    """Whom a message speaks to: its first words say so, else its only known recipient, else the
    writer it quotes; an own mail without any of them speaks to somebody unknown."""
    for pattern in (_GREETING, _VOCATIVE):
        match = pattern.match(message.text[:120])
        being = match and identity.resolve(match["who"], message.sent_at)
        if being and being is not base.being:
            return being
    if message.kind not in SPOKEN_KINDS:
        return None
    known = [identity.resolve(one, message.sent_at) for one in message.recipients]
    known = [being for being in known if being and being is not base.being]
    if known:
        return identity.agent if identity.agent in known else known[0]
    if message.kind == "relay":
        return None
    answered = next((one.voice.being for one in parts if one.voice.why == "quoted"), None)
    if answered and answered is not base.being:
        return answered
    if not base.own:
        mail = message.kind in ("mail", "letter") and not _to_others(message, identity)
        return identity.agent if mail else None
    greeted = _GREETING.match(message.text[:120])
    to = (greeted and greeted["who"]) or next(iter(message.recipients), "")
    return Being(to, "human") if to else SOMEBODY


def _to_others(message: Message, identity: Identity) -> bool:
    """Whether a mail went to addresses of which none is the agent's, as those to a list do."""
    return bool(identity.agent.addresses) and any("@" in one for one in message.recipients)


def _persons(message: Message, identity: Identity) -> frozenset[str]:
    """The names on a message's head, word by word; the agent's own are left out."""
    found: set[str] = set()
    for one in (message.author, *message.recipients):
        name, _ = split_author(one)
        if name and name != SELF and identity.resolve(name) is not identity.agent:
            parts = re.findall(r"[^\W\d_]{3,}", name)
            found |= {part.casefold() for part in parts if part[0].isupper()}
    agent = {word.casefold() for a in identity.agent.names() for word in a.name.split()}
    return frozenset(found - agent)


def _spans(scene: _Scene, parts: list[Section]) -> Iterator[Span]:
    """The spans of a message: sentences, cut where a section or a quotation begins or ends."""
    voices = _voices(scene, parts)
    cuts = ends(scene.text)
    start, cut = 0, 0
    opens = True
    for low, high, voice, quoted in voices:
        while start < high:
            while cuts[cut] <= start:
                cut += 1
            stop = min(cuts[cut], high)
            yield _span(scene, start, stop, voice, quoted, opens and start >= low)
            opens = stop == cuts[cut]
            start = stop


def _voices(
    scene: _Scene, parts: list[Section]
) -> Iterator[tuple[int, int, Voice, Quotation | None]]:
    """(start, end, voice, quotation) in order, covering the text."""
    for part in parts:
        place = part.start
        for quoted in _quotations(scene, part):
            if quoted.start > place:
                yield place, quoted.start, part.voice, None
            yield max(place, quoted.start), quoted.end, quoted.voice, quoted
            place = quoted.end
        if place < part.end:
            yield place, part.end, part.voice, None


def _quotations(scene: _Scene, part: Section) -> Iterator[Quotation]:
    text = scene.text
    marked = any(mark in text for mark in "\"“„«»「『'‘")
    if not marked and ":" not in text:
        return
    for low, high in paragraphs(text[part.start : part.end]):
        start, end = low + part.start, high + part.start
        inside: list[Quotation] = []
        if marked:
            inside = quotations(
                text, start, end, scene.found, scene.identity, part.voice, scene.addressee
            )
        if not inside and part.voice.own and ":" in text[start:end]:
            for first, last in _sentences(text, start, end):
                if spoken := reported(text, first, last, scene.found, scene.identity, part.voice):
                    yield spoken
        yield from inside


def _sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    place = start
    for stop in ends(text[start:end]):
        yield place, start + stop
        place = start + stop


def _span(
    scene: _Scene, start: int, end: int, voice: Voice, quoted: Quotation | None, opens: bool
) -> Span:
    flags = set()
    for mention in scene.found.between(start, end):
        flag = _flag(mention.kind, scene, voice, quoted)
        if mention.kind == THEY and "O" not in flags and _several(scene, mention):
            flag = "O"
        if flag:
            flags.add(flag)
    if opens and voice.own and not quoted and "S1" not in flags:
        terse = scene.kind in TERSE_KINDS
        if elided(scene.text[start:end], scene.language, terse=terse):
            flags.add("S1")
    loss = voice.own and voice.why == "own"
    return Span(start, end, frozenset(flags), loss, voice.why)


def _flag(kind: str, scene: _Scene, voice: Voice, quoted: Quotation | None) -> str:
    if kind in (I, WE):
        return _first_person(scene, voice, quoted)
    if kind == AGENT:
        return "S3"
    if kind == INSTANCE:
        return "S3" if voice.own else ""
    if kind in (BEING, PERSON, HE, ROLE):
        return "O"
    if kind == YOU:
        return _second_person(scene, voice, quoted)
    return ""


def _several(scene: _Scene, mention: Mention) -> bool:
    """Whether "they" follow two beings named side by side."""
    near = scene.found.between(mention.start - 160, mention.start)
    named = [one for one in near if one.kind in (BEING, PERSON)]
    return any(
        one.being is not another.being and another.start - one.end <= 12
        for one, another in pairwise(named)
    )


def _first_person(scene: _Scene, voice: Voice, quoted: Quotation | None) -> str:
    if voice.own:
        return "S1"
    unsure = quoted and voice.why == "unsure" and scene.base.own
    if not unsure or quoted.standalone or scene.kind in SPOKEN_KINDS:
        return "O1"
    return "O1" if _about_another(scene, quoted) else "S1"


def _about_another(scene: _Scene, quoted: Quotation) -> bool:
    """Whether words nobody is said to speak are another's: they say "you", or stand in a line
    that speaks of somebody else and not of the writer."""
    found, text = scene.found, scene.text
    if any(one.kind == YOU for one in found.between(quoted.start, quoted.end)):
        return True
    start = max(text.rfind("\n", 0, quoted.start), quoted.start - 120)
    stop = text.find("\n", quoted.end, quoted.end + 80)
    after = found.between(quoted.end, stop if stop >= 0 else quoted.end + 80)
    around = (*found.between(start, quoted.start), *after)
    others = any(one.kind in (BEING, PERSON, HE) for one in around)
    return others and not any(one.kind in (I, WE) for one in around)


def _second_person(scene: _Scene, voice: Voice, quoted: Quotation | None) -> str:
    if scene.base.why == "fiction":
        return "O" if quoted else ""
    if quoted and (voice.own or (voice.being and voice.being.kind == "character")):
        return "O"
    if quoted and voice.why == "unsure" and quoted.standalone:
        return "O"
    if quoted or voice is not scene.base:
        return "S3" if scene.base.own and not voice.own and voice.why == "quoted" else ""
    if scene.addressee is None:
        return ""
    return "S3" if scene.addressee is scene.identity.agent else "O"


def inspect_path(
    path: Path,
    kind: str,
    identity: Identity,
    own: tuple[str, ...] = (),
    recogniser: Recogniser | None = None,
    tell: Callable[[Unreadable | Skipped], None] = lambda record: None,
) -> Iterator[dict]:
    """The rows of `junior inspect --json` for a file or folder; nothing is stored.

    `tell` hears of every Unreadable and Skipped.
    """
    from memory.sources import read_messages

    for message in read_messages(kind, path):
        if isinstance(message, Message):
            yield inspected(message, read(message, identity, own=own, recogniser=recogniser))
        else:
            tell(message)


def inspected(message: Message, seen: Perspective) -> dict:
    """One message and its perspective as plain data for JSON."""
    return {
        "path": message.path,
        "external_id": message.external_id,
        "author": seen.author.name if seen.author else message.author,
        "own": seen.own,
        "provenance": seen.provenance,
        "sent_at": message.sent_at.isoformat() if message.sent_at else None,
        "subject": message.subject,
        "text": message.text,
        "machine": seen.machine,
        "machine_reason": seen.machine_reason,
        "unknown": list(seen.unknown),
        "spans": [
            {
                "start": span.start,
                "end": span.end,
                "flags": sorted(span.flags),
                "loss": span.loss,
                "why": span.why,
            }
            for span in seen.spans
        ],
    }
