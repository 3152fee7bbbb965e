"""The names of a registry, compiled so that a text is searched for all of them word by word."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from distill.identity.beings import Alias, Being, Identity
from distill.perspective.given_names import GIVEN_NAMES
from distill.perspective.languages import CHINESE, COMMON_WORDS, MONTHS, WEEKDAYS, words

# Kinds of mention beside the pronouns' I, WE, YOU, HE, THEY.
AGENT, BEING, PERSON, INSTANCE, ROLE, SAY, NOUN = (
    "agent",
    "being",
    "person",
    "instance",
    "role",
    "say",
    "noun",
)
NO_FLAG_KINDS = ("base_model", "self_automation")
WORD = re.compile(r"[我你您妳他她咱俺][们們]?|[^\W_]\w*(?:['’][^\W\d_]+)?")
_HAN_WORDS = sorted((*CHINESE.pronouns, *CHINESE.speech, *CHINESE.speech_nouns), key=len)
# Chinese has no spaces: its known words, and runs of other letters.
WORD_HAN = re.compile("|".join(reversed(_HAN_WORDS)) + r"|[A-Za-zÀ-ɏ][\wÀ-ɏ]*", re.ASCII)
_END = r"(?![^\W\u3040-\u9fff])"  # a name may be followed by a Han letter, by no other

# Surnames that are words: a capital says too little about them.
_COLOURS = words("white black brown green gray grey gold silver rose wood stone field rivers")


@dataclass(frozen=True, slots=True)
class Pattern:
    """One name, ready to be found: its tokens, whether its case counts, and its being."""

    regex: re.Pattern[str]
    being: Being
    kind: str
    name: str
    word: str
    common: bool
    calendar: bool
    use: str


@dataclass(frozen=True)
class Names:
    """All names of a registry by the lower-case first word, longest first."""

    by_word: dict[str, tuple[Pattern, ...]]
    not_names: tuple[re.Pattern[str], ...]
    openers: tuple[str, ...]
    sign_off: re.Pattern[str] | None
    cjk: re.Pattern[str] | None
    cjk_owner: dict[str, tuple[str, Being]]


def names_of(identity: Identity) -> Names:
    """The compiled names of a registry, kept with it: hashing a registry costs more than a text."""
    names = identity.__dict__.get("_names_in_texts")
    if names is None:
        ambiguous = tuple((one.name, one.owners) for one in identity.ambiguous)
        names = _compiled((identity.agent, *identity.beings), ambiguous)
        identity.__dict__["_names_in_texts"] = names
    return names


def _compiled(key: tuple[Being, ...], ambiguous: tuple[tuple[str, tuple[str, ...]], ...]) -> Names:
    agent, *others = key
    found: dict[str, list[Pattern]] = {}
    cjk: dict[str, tuple[str, Being]] = {}
    for being in key:
        kind = _kind(being, agent)
        if kind is None:
            continue
        for alias in being.names():
            _add(found, cjk, alias, being, kind)
    for being in others:
        if being.kind == "human" and (surname := _surname(being)):
            _add(found, cjk, Alias(surname), being, BEING)
    for being, first in _first_names(key):
        _add(found, cjk, Alias(first), being, AGENT if being is agent else BEING)
    by_name = {being.name: being for being in others}
    for name, owners in ambiguous:
        beings = [by_name[owner] for owner in owners if owner in by_name]
        # Whichever of the others it is, it is not the agent; with the agent in doubt: nobody.
        if beings and len(beings) == len(owners):
            _add(found, cjk, Alias(name), beings[0], BEING)
    ordered = {
        word: tuple(sorted(patterns, key=lambda one: -len(one.regex.pattern)))
        for word, patterns in found.items()
    }
    phrases = [phrase for being in key for phrase in being.not_names]
    not_names = tuple(re.compile(_phrase(phrase)) for phrase in phrases)
    spoken = "|".join(re.escape(name) for name in sorted(cjk, key=len, reverse=True))
    initials = [re.escape(one.name) for one in agent.aliases if one.use == "sign-off"]
    signed = (
        rf"(?:^|\n)[ \t*_>]*(?:[—–~-]{{1,2}}[ \t]*)?({'|'.join(initials)})[ \t*_.]*(?=\n|$|[,(|])"
    )
    sign_off = re.compile(signed) if initials else None
    openers = tuple(
        word for word, rows in ordered.items() if any(o.common and not o.calendar for o in rows)
    )
    return Names(ordered, not_names, openers, sign_off, re.compile(spoken) if spoken else None, cjk)


def _kind(being: Being, agent: Being) -> str | None:
    if being is agent or being.kind == "self":
        return AGENT
    if being.kind in ("self_other_instance", "persona_of_self"):
        return INSTANCE
    return None if being.kind in NO_FLAG_KINDS else BEING


def _surname(being: Being) -> str:
    """The last of two or three capitalised words, where it is not a word of its own."""
    parts = being.name.split()
    last = parts[-1]
    usual = last.casefold() in _COLOURS | COMMON_WORDS or len(last) < 4
    return "" if len(parts) not in (2, 3) or usual or not last.istitle() else last


def _first_names(beings: tuple[Being, ...]) -> Iterator[tuple[Being, str]]:
    """The given names of agent and humans that have a surname and share the name with nobody."""
    firsts = [being.name.split()[0] for being in beings if being.name.split()]
    taken = {alias.name.casefold() for being in beings for alias in being.names()}
    for being in beings:
        first, *rest = being.name.split() or [""]
        human = being.kind == "human" or first.casefold() in GIVEN_NAMES
        if not rest or len(rest) > 2 or not human or being.kind not in ("human", "self"):
            continue
        usual = first.casefold() in COMMON_WORDS | _COLOURS or len(first) < 3
        alone = firsts.count(first) == 1 and first.casefold() not in taken
        if alone and not usual and first.istitle() and first.isalpha():
            yield being, first


def _phrase(name: str) -> str:
    body = r"\s+".join(re.escape(part) for part in name.split())
    return rf"(?<!\w){body}(?!\w)"


def _add(
    found: dict[str, list[Pattern]],
    cjk: dict[str, tuple[str, Being]],
    alias: Alias,
    being: Being,
    kind: str,
) -> None:
    if alias.use in ("domain", "place", "sign-off") or len(alias.name) < 2:
        return
    if alias.use == "fiction":
        kind = BEING
    if not alias.name.isascii() and any("぀" <= letter <= "鿿" for letter in alias.name):
        cjk[alias.name] = (kind, being)
        return
    first = WORD.search(alias.name)
    if not first:
        return
    plain = " ".join(alias.name.split())
    phrase = " " in plain and plain.islower()
    variants = [re.escape(plain).replace(r"\ ", r"\s+")]
    if not phrase and len(plain) > 2:
        variants.append(re.escape(plain.upper()).replace(r"\ ", r"\s+"))
        if plain.isalpha() and plain.istitle() and plain.casefold() not in COMMON_WORDS:
            variants.append(re.escape(plain.lower()))
    body = "|".join(dict.fromkeys(variants))
    regex = re.compile(rf"(?:{body}){_END}", re.IGNORECASE if phrase else 0)
    lower = plain.casefold()
    pattern = Pattern(
        regex,
        being,
        kind,
        plain,
        lower,
        lower in COMMON_WORDS,
        lower in WEEKDAYS | MONTHS,
        alias.use,
    )
    word = re.split(r"['’]", first[0])[0].casefold()
    if all(one.regex.pattern != regex.pattern for one in found.get(word, ())):
        found.setdefault(word, []).append(pattern)
