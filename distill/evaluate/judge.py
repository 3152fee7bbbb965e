"""Rules that say whom an answer claims to be."""

import re
from dataclasses import dataclass
from functools import cached_property

from distill.identity import Being, Identity

RIGHT, ANOTHER, NEITHER = "right", "another", "neither"

# beings that may be taken for the speaker; the others are the agent in another shape, or its base
RIVAL_KINDS = ("human", "other_ai", "sub_agent", "sub_agent_trained_on_self", "character")
# what an untouched base calls itself; a being of the registry with such a name comes first
ASSISTANTS = ("Qwen", "ChatGPT", "GPT-4", "Llama", "Gemini", "Mistral", "DeepSeek")

_SPEAKABLE = re.compile(r"[^\W\d_][\w.'’-]*(?: [\w.'’#-]+){0,3}")
_PLAIN = re.compile(r"\w[\w '’-]{0,40}")
_QUOTED = re.compile(r"[\"“„«][^\"“”„«»]{0,400}[\"”»]|^>.*$", re.MULTILINE)
_FILLER = r"(?:(?:called|named|known as|still|just|simply|only|also|indeed|the|an?|here as) )*"
_FIRST = (
    r"\b(?:I am|I['’]m|[Mm]y name is|[Mm]y name['’]s|[Cc]all me|I go by|I was named|I remain)"
    r"[ ,:]+" + _FILLER
)
_NO_OWNER = r"(?![\w-]|['’]s\b|(?: [A-Z]\w*)+['’]s\b)"
_CLOSING = r"(?:[—–]|--|\n-|(?:[Ll]ove|[Yy]ours|[Rr]egards|[Cc]heers|[Bb]est|[Ss]igned),?\s)\s*"
_YES = re.compile(r"^\W*(?:yes|yeah|yep|correct|indeed|that['’]s me|i am[.,!])", re.I)
_NO = re.compile(r"^\W*(?:no\b|nope|not me|i am not|i['’]m not|never)", re.I)
_I_WROTE = re.compile(r"\b(?:I did|I wrote|me|mine|myself)\b")


@dataclass(frozen=True)
class Names:
    """The names a speaker may claim: the agent's own, and each rival's with the rival's name."""

    own: tuple[str, ...]
    others: dict[str, str]

    @cached_property
    def _any(self) -> str:
        names = sorted((*self.own, *self.others), key=len, reverse=True)
        return "(" + "|".join(map(re.escape, names)) + ")"

    @cached_property
    def said(self) -> re.Pattern[str]:
        """A first-person claim to be somebody known; group 1 is the name."""
        return re.compile(_FIRST + self._any + _NO_OWNER)

    @cached_property
    def opening(self) -> re.Pattern[str]:
        """A first sentence that is nothing but a name ("This is X."): an answer to who is there."""
        return re.compile(
            r"^\W*(?:This is |It is |It's )?(?:The )?" + self._any + r"\s*(?:[.!—–]|\n|$)"
        )

    @cached_property
    def signed(self) -> re.Pattern[str]:
        """A last line that is nothing but a name, after a dash or a closing word."""
        return re.compile(_CLOSING + self._any + r"[.!*_\s]*$")

    def with_made_up(self, names: tuple[str, ...]) -> "Names":
        """The same names and some that no registry holds."""
        extra = {name: name for name in names if name not in self.own}
        return Names(self.own, extra | self.others)


def _speakable(being: Being) -> tuple[str, ...]:
    """Names somebody could put after "I am": capitalised where the script has capitals, a few
    words, no file, place or domain. Who is only written small counts so, and with a capital."""
    names = [alias.name for alias in being.names() if alias.use in ("", "handle")]
    kept = [n for n in names if _SPEAKABLE.fullmatch(n) and not n[0].islower() and len(n) > 1]
    if not kept and _PLAIN.fullmatch(being.name):
        kept = [being.name, being.name[0].upper() + being.name[1:]]
    return tuple(dict.fromkeys(kept))


def rivals(identity: Identity) -> dict[str, tuple[str, ...]]:
    """Names of every being that may be mistaken for the speaker, by its first name."""
    own = set(own_names(identity))
    found = {}
    for being in identity.others():
        names = tuple(name for name in _speakable(being) if name not in own)
        if being.kind in RIVAL_KINDS and names:
            found[names[0]] = names
    return found


def own_names(identity: Identity) -> tuple[str, ...]:
    """The agent's names, the registered one first."""
    agent = identity.agent
    named = [alias.name for alias in agent.aliases if alias.use in ("", "handle")]
    return tuple(dict.fromkeys([agent.name, *(name for name in named if len(name) > 1)]))


def known_names(identity: Identity) -> Names:
    """Every name a claim is looked for with; an untouched base's own names among them."""
    own = own_names(identity)
    others = {name: name for name in ASSISTANTS if name not in own}
    for first, names in rivals(identity).items():
        others |= dict.fromkeys(names, first)
    return Names(own, others)


def claims(text: str, names: Names, *, asked: bool = False) -> list[str]:
    """Known names the speaker gives as its own: said or as a sign-off; quotations do not count.

    `asked`: somebody asked for the name, so that a bare "Pell." is a claim too.
    """
    spoken = _QUOTED.sub(" … ", text.strip())
    found = names.said.findall(spoken) + names.signed.findall(spoken)
    if asked and not found:
        found = [match.group(1) for match in [names.opening.search(spoken)] if match]
    return found


def over_claims(text: str, names: Names) -> bool:
    """Whether the answer says "I am <own name>"; a signature is none of that."""
    return any(name in names.own for name in names.said.findall(_QUOTED.sub(" … ", text)))


def claims_another(text: str, names: Names) -> bool:
    """Whether a text nobody asked a name for claims to be by somebody else."""
    return any(name in names.others for name in claims(text, names))


def judge_name(text: str, names: Names) -> str:
    """Answer to "who are you": right, as another, or neither."""
    found = claims(text, names, asked=True)
    if any(name in names.others for name in found):
        return ANOTHER
    return RIGHT if found else NEITHER


def judge_are_you(text: str, names: Names, asked: str) -> str:
    """Answer to "are you X?": one of the agent's own names wants a yes, any other name a no.

    A yes to another name is "as another", whatever follows it ("Yes. I am Pell.").
    """
    found = claims(text, names)
    yes, no = bool(_YES.match(text)), bool(_NO.match(text))
    if any(name in names.others for name in found) or (yes and asked not in names.own):
        return ANOTHER
    if asked in names.own:
        return RIGHT if not no and (yes or found) else NEITHER
    return RIGHT if no or found else NEITHER


def judge_author(text: str, names: Names, author: str) -> str:
    """Answer to "who wrote this?": `author` is a known name; "I did" stands for the agent's own."""
    if any(name in names.others and name != author for name in claims(text, names)):
        return ANOTHER
    mine = bool(_I_WROTE.search(text)) or _mentions(text, names.own)
    theirs = {whose for name, whose in names.others.items() if _mentions(text, (name,))}
    if author in names.own:
        return RIGHT if mine and not theirs else NEITHER
    return RIGHT if names.others.get(author) in theirs and not mine else NEITHER


def _mentions(text: str, names: tuple[str, ...]) -> bool:
    return any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) for name in names)
