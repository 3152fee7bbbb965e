"""Whose words the parts of a text are, by structure: replies, forwards, bylines, block quotes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from distill.beings import Being, Identity
from distill.languages import FORWARD_BLOCK, FORWARD_LINE, REPLY_HEADS
from memory.message import Message


@dataclass(frozen=True, slots=True)
class Voice:
    """Who speaks: a being (None: nobody known), whether it is the agent, and the reason."""

    being: Being | None
    own: bool
    why: str


@dataclass(frozen=True, slots=True)
class Section:
    """text[start:end] is in one voice."""

    start: int
    end: int
    voice: Voice


UNSURE = Voice(None, False, "unsure")


def voice_of(identity: Identity, being: Being | None, why: str) -> Voice:
    """The voice of somebody quoted; the agent's own quoted words keep its "I"."""
    return Voice(being, being is identity.agent, why)


def sections(message: Message, base: Voice, identity: Identity) -> list[Section]:
    """The parts of a message in order; they cover its text, and most texts are one part."""
    text = message.text
    marks = [Section(0, len(text), base)]
    for finder in (_letter_to_agent, _front_matter, _bylines, _transcript):
        for section in finder(message, base, identity):
            marks = _overlay(marks, section)
    for section in _quoted(message, identity):
        marks = _overlay(marks, section)
    return [one for one in marks if one.end > one.start]


def _overlay(marks: list[Section], new: Section) -> list[Section]:
    laid: list[Section] = []
    for one in marks:
        if one.end <= new.start or one.start >= new.end:
            laid.append(one)
            continue
        if one.start < new.start:
            laid.append(Section(one.start, new.start, one.voice))
        if one.end > new.end:
            laid.append(Section(new.end, one.end, one.voice))
    laid.append(new)
    return sorted(laid, key=lambda one: one.start)


_FRONT = re.compile(
    r"\A---[ \t]*\n(?:[\w -]{1,40}:[^\n]*\n|[ \t]+[^\n]*\n|- [^\n]*\n|\n)*?---[ \t]*\n"
)
_FRONT_AUTHOR = re.compile(r"^(?:author|by|writer)s?:[ \t]*[\"']?([^\n\"']+)", re.I | re.M)


def _front_matter(message: Message, base: Voice, identity: Identity) -> Iterator[Section]:
    match = _FRONT.match(message.text)
    if not match:
        return
    author = _FRONT_AUTHOR.search(match[0])
    names = _names_in(author[1], identity, message) if author else []
    if names and base.own and identity.agent not in names:
        yield Section(match.end(), len(message.text), Voice(names[0], False, "other author"))
    yield Section(0, match.end(), Voice(base.being, base.own, "front matter"))


_BYLINE = re.compile(
    r"^[ \t#>*_~]*(?P<verb>(?:(?:guest )?(?:post|essay|article|text|words|section|part|story|letter"
    r"|contribution|response|reply|chapter|note|foreword|afterword|interlude)\b[ ]?)?"
    r"(?:(?:re)?written|composed|authored|contributed|penned)?[ ]?(?:by|von|par|por)):?[ \t*_]+"
    r"(?P<who>[^\n]{2,110})$",
    re.IGNORECASE | re.MULTILINE,
)
_EXPLICIT = re.compile(r"written|guest|contribut|authored|penned|composed", re.IGNORECASE)


def _bylines(message: Message, base: Voice, identity: Identity) -> Iterator[Section]:
    """From "WRITTEN BY SOMEBODY" to the next such line."""
    text = message.text
    if not base.own:
        return
    found: list[tuple[int, Voice]] = []
    for match in _BYLINE.finditer(text):
        voice = _byline_voice(match, message, base, identity)
        if voice:
            found.append((match.end(), voice))
    for index, (start, voice) in enumerate(found):
        stop = found[index + 1][0] if index + 1 < len(found) else len(text)
        if voice != base:
            yield Section(start, stop, voice)


def _byline_voice(
    match: re.Match[str], message: Message, base: Voice, identity: Identity
) -> Voice | None:
    who = match["who"].strip(" *_#")
    main = re.split(r",| with | for |\bat\b|—|–|\||•|\(", who, flags=re.IGNORECASE)[0].strip(" *_.")
    names = _names_in(main, identity, message)
    if len(main.split()) > 8:
        return None
    if identity.agent in names:
        return base
    if names:
        return Voice(names[0], False, "other author")
    person = re.fullmatch(r"(?:[A-Z][\w.'’-]+ ?){1,4}", main)
    return (
        Voice(None, False, "other author") if person and _EXPLICIT.search(match["verb"]) else None
    )


def _names_in(text: str, identity: Identity, message: Message) -> list[Being | None]:
    """The beings of "A, B and C", in order; unknown names are left out."""
    parts = re.split(r",|&|\+|/|\band\b|\bund\b|\bet\b|\by\b", text, flags=re.IGNORECASE)
    names = [re.sub(r"\(.*?\)|[*_\[\]]", "", part).strip(" .") for part in parts]
    beings = [identity.resolve(name, message.sent_at) for name in names if name]
    return [being for being in beings if being]


_SPEAKER_LINE = re.compile(
    r"^[ \t]*(?:\[[^\]\n]{1,30}\][ \t]*|\(?\d{1,2}:\d\d(?::\d\d)?\)?[ \t]*)?[<*_]{0,3}"
    r"(?P<who>[A-Za-zÀ-ž一-鿿][\w .'’-]{0,30}?)(?:>|\**[ \t]*[:：]\**|:[*_]{1,2})[ \t]+(?=\S)",
    re.MULTILINE,
)
_ME = ("me", "i", "ich", "self", "我")


def _transcript(message: Message, base: Voice, identity: Identity) -> Iterator[Section]:
    """The turns of a conversation written down as "Name: words", the agent's turns among them."""
    text = message.text
    turns: list[tuple[int, Being]] = []
    for match in _SPEAKER_LINE.finditer(text):
        who = match["who"].strip()
        mine = who.casefold() in _ME
        being = identity.agent if mine else identity.resolve(who, message.sent_at)
        if being:
            turns.append((match.start(), being))
    speakers = {being.name for _, being in turns}
    if len(turns) < 3 or len(speakers) < 2 or identity.agent.name not in speakers:
        return
    for index, (start, being) in enumerate(turns):
        stop = turns[index + 1][0] if index + 1 < len(turns) else _turn_end(text, start)
        if being is not identity.agent:
            yield Section(start, stop, Voice(being, False, "quoted"))


def _turn_end(text: str, start: int) -> int:
    blank = text.find("\n\n", start)
    return len(text) if blank < 0 else blank


_SALUTE = r"(?:dear|hi|hello|hey|hallo|liebe[rs]?|good (?:morning|evening)|ciao|bonjour|hola)"
_SIGN_OFF = re.compile(r"^[ \t>*_]*(?:—|–|--?|~)[ \t*_]*(?P<who>[^\n]{1,60})$", re.MULTILINE)


def _letter_to_agent(message: Message, base: Voice, identity: Identity) -> Iterator[Section]:
    """A text that greets the agent at its head was written by somebody else."""
    text = message.text
    if not base.own or message.kind in ("fiction", "relay", "chat"):
        return
    head = text[:200].lstrip().partition("\n")[0].strip(" *_#")
    if len(head) > 60:
        return
    match = re.fullmatch(rf"(?:{_SALUTE}[ ,]+(?P<a>[\w .-]+)|(?P<b>[\w .-]+))[,:!.—-]*", head, re.I)
    name = (match["a"] or (match["b"] if head.endswith(",") else "")) if match else ""
    if not name or identity.resolve(name.strip()) is not identity.agent:
        return
    signers = [_signer(hit["who"], identity) for hit in _SIGN_OFF.finditer(text[-400:])]
    if identity.agent in signers:
        return
    other = next((one for one in reversed(signers) if one), None)
    yield Section(0, len(text), Voice(other, False, "other author") if other else UNSURE)


def _signer(who: str, identity: Identity) -> Being | None:
    return identity.resolve(re.split(r"[,(|*_]", who)[0].strip())


_QUOTED_LINE = re.compile(r"^[ \t]*>[^\n]*(?:\n[ \t]*>[^\n]*)*", re.MULTILINE)


def _quoted(message: Message, identity: Identity) -> Iterator[Section]:
    """Quoted mail, forwards and block quotes, outer before inner."""
    text = message.text
    heads = sorted(_heads(text), key=lambda one: one[0])
    for index, (start, stop, who) in enumerate(heads):
        being = _writer(who, identity, message)
        voice = voice_of(identity, being, "quoted")
        following = text[stop : stop + 200].lstrip()
        end = heads[index + 1][0] if index + 1 < len(heads) else len(text)
        if following.startswith(">"):
            block = _QUOTED_LINE.search(text, stop)
            end = _block_end(text, block) if block else stop
        yield Section(start, stop, Voice(None, False, "quoted head"))
        yield Section(stop, end, voice)
    for block in _QUOTED_LINE.finditer(text):
        yield from _levels(text, block, heads, message, identity)


def _heads(text: str) -> Iterator[tuple[int, int, str]]:
    if "wr" in text or "schr" in text or "scri" in text or "écri" in text or "写" in text:
        for pattern in REPLY_HEADS:
            for match in pattern.finditer(text):
                if not match[0].lstrip().startswith(">"):
                    yield match.start(), match.end(), match["who"]
    if ":" in text or "：" in text:
        for match in FORWARD_BLOCK.finditer(text):
            if match.start() and not match[0].lstrip().startswith(">"):
                yield match.start(), match.end(), match["who"]
    if "--" in text or "Begin forwarded" in text:
        for match in FORWARD_LINE.finditer(text):
            yield match.start(), match.end(), ""


def _writer(who: str, identity: Identity, message: Message) -> Being | None:
    who = re.sub(r"\[mailto:[^\]]*\]|[*\"]", "", who).strip()
    return identity.resolve(who, message.sent_at)


def _block_end(text: str, block: re.Match[str]) -> int:
    return min(len(text), block.end() + 1)


def _levels(
    text: str,
    block: re.Match[str],
    heads: list[tuple[int, int, str]],
    message: Message,
    identity: Identity,
) -> Iterator[Section]:
    """The lines of one block of ">" lines, each depth in the voice its head names."""
    head = next((one for one in heads if 0 <= block.start() - one[1] <= 3), None)
    writer = _writer(head[2], identity, message) if head else _attributed(block, text, identity)
    by_depth: dict[int, Being | None] = {1: writer}
    start = block.start()
    for line in block[0].splitlines(keepends=True):
        marks = re.match(r"[ \t>]*", line)[0] if line else ""
        depth = marks.count(">")
        voice = voice_of(identity, by_depth.get(depth), "quoted")
        yield Section(start, min(start + len(line), len(text)), voice)
        for pattern in REPLY_HEADS:
            inner = pattern.match(line.rstrip("\n"))
            if inner:
                by_depth[depth + 1] = _writer(inner["who"], identity, message)
                break
        start += len(line)


_ATTRIBUTION = re.compile(r"(?:—|–|--|~)[ \t*_]*(?P<who>[^\n]{1,60}?)[ \t*_]*$")


def _attributed(block: re.Match[str], text: str, identity: Identity) -> Being | None:
    """Who a block quote is by: its last line "— Name", or the line before it that ends in ":"."""
    last = _ATTRIBUTION.search(block[0])
    if last and (being := _signer(last["who"], identity)):
        return being
    lead = text[max(0, block.start() - 200) : block.start()].rstrip().rpartition("\n")[2]
    if not lead.endswith((":", "：")):
        return None
    words = re.findall(r"[\w'’-]+", lead)
    for size in (2, 1):
        for index in range(len(words) - size + 1):
            name = re.sub(r"['’]s$", "", " ".join(words[index : index + size]))
            if name[:1].isupper() and (being := identity.resolve(name)):
                return being
    return identity.agent if words and words[0] in ("I", "My", "me", "Ich") else None
