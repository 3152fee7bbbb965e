"""Whose words the parts of a text are, by structure: replies, forwards, bylines, block quotes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from distill.identity.beings import Being, Identity
from distill.perspective.replies import Part, quoted_parts
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
    layers = [Section(0, len(text), base)]
    for finder in (_letter_to_agent, _front_matter, _bylines, _transcript):
        layers += finder(message, base, identity)
    parts = quoted_parts(text, message.kind)
    own_head = parts and parts[0].start == 0 and parts[0].role == "head" and base.own
    if own_head and len(parts) > 1 and _writer(parts[1].who, identity, message) is base.being:
        # A text that keeps its own "From: ... To: ..." at the top quotes nobody.
        layers.append(Section(0, parts[0].end, Voice(base.being, True, "front matter")))
        del parts[:2]
    layers += [_section(part, message, base, identity) for part in parts]
    return _flatten(layers)


def _flatten(layers: list[Section]) -> list[Section]:
    """The topmost layer at each place; one pass, since a mail can have thousands of parts."""
    if len(layers) == 1:
        return layers
    edges = sorted({edge for one in layers for edge in (one.start, one.end)})
    place = {edge: index for index, edge in enumerate(edges)}
    voices = [layers[0].voice] * (len(edges) - 1)
    for one in layers[1:]:
        low, high = place[one.start], place[one.end]
        voices[low:high] = [one.voice] * (high - low)
    flat: list[Section] = []
    for index, voice in enumerate(voices):
        if flat and flat[-1].voice == voice:
            flat[-1] = Section(flat[-1].start, edges[index + 1], voice)
        else:
            flat.append(Section(edges[index], edges[index + 1], voice))
    return flat


def _section(part: Part, message: Message, base: Voice, identity: Identity) -> Section:
    if part.role == "signature":
        voice = Voice(base.being, base.own, "signature" if base.own else base.why)
    elif part.role == "head":
        voice = Voice(None, False, "quoted head")
    else:
        voice = voice_of(identity, _writer(part.who, identity, message), "quoted")
    return Section(part.start, part.end, voice)


def _writer(who: str, identity: Identity, message: Message) -> Being | None:
    """The being a head or attribution names: "Orrin Vale <orrin@x>", "I", "Vesper's last mail"."""
    who = re.sub(r"\[mailto:[^\]]*\]|[*\"]", "", who).strip()
    if not who:
        return None
    if being := identity.resolve(who, message.sent_at):
        return being
    words = re.findall(r"[\w'’-]+", who)[:12]
    for size in (2, 1):
        for index in range(len(words) - size + 1):
            name = re.sub(r"['’]s$", "", " ".join(words[index : index + size]))
            if name[:1].isupper() and (being := identity.resolve(name, message.sent_at)):
                return being if "@" not in who or being is not identity.agent else None
    return identity.agent if words and words[0] in ("I", "My", "Me", "Ich") else None


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
    if not base.own or message.kind in ("fiction", "relay", "chat", "mail"):
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
