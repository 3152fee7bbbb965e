"""Where a text refers to somebody: names of the registry, pronouns, persons by how they act."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from distill.identity.beings import Being
from distill.perspective.languages import ENGLISH, HE, KIN, Language
from distill.perspective.names import (
    AGENT,
    INSTANCE,
    NOUN,
    PERSON,
    ROLE,
    SAY,
    WORD,
    WORD_HAN,
    Names,
    Pattern,
)
from distill.perspective.persons import (
    ROLE_NOUNS,
    STRONG_ACTS,
    acting_names,
    is_joined,
    is_person,
    is_somebodys,
)

INSTANCES = re.compile(
    r"\b(?:(?:previous|prior|next|last|earlier|future|past|former|other|another|fresh|new|current|"
    r"subsequent|later|this|that|each|every|whichever|which|one|any|different|successive)[ -]+"
    r"(?:instance|incarnation|me|self|version of (?:me|myself)|context of mine)s?|"
    r"(?:instances?|versions?|copies|copy) of (?:me|myself)|instances? (?:that|who)|"
    r"(?:future|past)-me|(?:night|day|morning|evening) instance|the me (?:that|who|from|of)|"
    r"(?:session|run|boot|iteration|generation|loop|wake|restart)s?(?: #?\d+)? of me|"
    r"who(?:ever|soever) (?:wakes|boots|comes next|comes after|inherits|picks this up))"
    r"\b(?!['’]?s? file)",
    re.IGNORECASE,
)


_MAYBE_INSTANCE = re.compile(r"inst|vers|cop|me|self|hoever|incarn")


# "the two people who know" are certain people; "people" and "two people" are anybody.
_PEOPLE = re.compile(
    r"\b(?:the|these|those) (?:two|three|four|five|six|seven|eight|nine|ten|other|same) people\b",
    re.IGNORECASE,
)


# "the analyst wrote", "the night clerk's note": a role that acts or owns is a certain somebody.
_ROLE = re.compile(
    rf"\b[Tt]he (?:[a-z]+ )?(?:{'|'.join(sorted(ROLE_NOUNS))})(?=['’]s [a-z]|"
    rf"(?: (?:in|at|from) \S+)? (?:who )?(?:{'|'.join(sorted(STRONG_ACTS | ENGLISH.past))})\b)"
)

# "sie" is she beside a verb in the singular, and "Jonas-san" is Jonas.
_SHE_SAYS = re.compile(
    r"\b[Ss]ie (?=(?:\w+ )?(?:schreibt|schrieb|sagte?|meinte?|fragte?|antwortete?|bat|rief|will|"
    r"wollte|hat|hatte|ist|war|kommt|kam|geht|ging|weiß|wusste|denkt|dachte|findet|fand|lachte?|"
    r"erzählte?)\b)"
)
_HONOURED = re.compile(r"[一-鿿]{1,4}(?:様|さん|さま|氏|くん|ちゃん|先生|女士|老师|老師)")


@dataclass(frozen=True, slots=True)
class Mention:
    """text[start:end] refers to `being` (None: a pronoun or somebody unknown)."""

    start: int
    end: int
    kind: str
    being: Being | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The mentions of a text in order, and where its words begin."""

    mentions: tuple[Mention, ...]
    starts: tuple[int, ...]

    def between(self, start: int, end: int) -> tuple[Mention, ...]:
        """Mentions that begin in [start, end)."""
        return self.mentions[bisect_left(self.starts, start) : bisect_left(self.starts, end)]


def find(
    text: str,
    names: Names,
    language: Language,
    *,
    fiction: bool = False,
    persons: frozenset[str] = frozenset(),
    places: Iterable[tuple[int, int]] = (),
) -> Found:
    """Every mention in a text: names, pronouns, acting persons, verbs and nouns of speech.

    `persons` are words known to be names here, as those of the recipients are; in `fiction`
    roles are persons too ("the analyst"). `places` is where a model found further persons.
    """
    blocked = [match.span() for regex in names.not_names for match in regex.finditer(text)]
    mentions = list(_mentions(text, names, language, blocked, fiction, persons))
    if names.cjk:
        owner = names.cjk_owner
        mentions += [Mention(*hit.span(), *owner[hit[0]]) for hit in names.cjk.finditer(text)]
    if _MAYBE_INSTANCE.search(text):
        mentions += [Mention(*hit.span(), INSTANCE) for hit in INSTANCES.finditer(text)]
    if language.code == "de":
        mentions += [Mention(hit.start(), hit.start() + 3, HE) for hit in _SHE_SAYS.finditer(text)]
    elif language.code == "zh":
        mentions += [Mention(*hit.span(), PERSON) for hit in _HONOURED.finditer(text)]
    mentions += [Mention(*hit.span(), ROLE) for hit in _ROLE.finditer(text)]
    if "people" in text:
        mentions += [Mention(*hit.span(), PERSON) for hit in _PEOPLE.finditer(text)]
    if names.sign_off:
        tail = max(0, len(text) - 200)
        hits = names.sign_off.finditer(text, tail)
        mentions += [Mention(hit.start(1), hit.end(1), AGENT) for hit in hits]
    mentions += _further(places, mentions)
    mentions.sort(key=lambda one: (one.start, -one.end))
    return Found(tuple(mentions), tuple(one.start for one in mentions))


def _further(places: Iterable[tuple[int, int]], found: list[Mention]) -> list[Mention]:
    """Persons that a model found where the rules saw nothing."""
    return [
        Mention(start, end, PERSON)
        for start, end in places
        if not any(one.start < end and start < one.end for one in found)
    ]


def _mentions(
    text: str,
    names: Names,
    language: Language,
    blocked: list[tuple[int, int]],
    fiction: bool,
    persons: frozenset[str],
) -> Iterator[Mention]:
    by_word, pronouns = names.by_word, language.pronouns
    speech, nouns = language.speech, language.speech_nouns
    sure = _sure_names(text, names)
    persons |= acting_names(text)
    until = 0
    word_pattern = WORD_HAN if language.code == "zh" else WORD
    for hit in word_pattern.finditer(text):
        start, word = hit.start(), hit[0]
        if start < until:
            continue
        lower = word.lower().replace("’", "'")
        kind = pronouns.get(lower)
        if kind:
            if not (lower == "i" and not _is_pronoun_i(text, start, word)):
                yield Mention(start, hit.end(), kind)
        else:
            stem = lower.partition("'")[0]
            patterns = by_word.get(stem)
            mention = patterns and _name_at(text, start, patterns, language, sure, blocked)
            if mention:
                yield mention
                until = mention.end
            elif word[0].isupper():
                if is_person(text, hit, stem, persons):
                    yield Mention(start, hit.end(), PERSON)
            elif stem in KIN and is_somebodys(text, hit):
                yield Mention(start, hit.end(), PERSON)
            elif fiction and stem in ROLE_NOUNS:
                yield Mention(start, hit.end(), ROLE)
            if lower in speech:
                yield Mention(start, hit.end(), SAY)
            elif stem in nouns:
                yield Mention(start, hit.end(), NOUN)


_NUMBERED = re.compile(
    r"\b(?:Part|Chapter|Act|Vol(?:ume|\.)|Book|War|Phase|Mode|Type|Section|Stage|Level|Class|Teil|"
    r"Kapitel|Band|Article|Appendix) $"
)


def _is_pronoun_i(text: str, start: int, word: str) -> bool:
    """ "I" is no pronoun in "Part I", "i.e.", "I/O", "i = 0" or "Mode I."."""
    after = text[start + 1 : start + 3]
    if word == "i":
        return after[:1] == " " and text[max(0, start - 1) : start] in ("", " ", "\n", '"')
    if (after[:1] in "/&_" and after[:1]) or _NUMBERED.search(text, max(0, start - 9), start):
        return False
    return after[:2] not in (".e", ".1", ".2") and not (
        start and text[start - 1] in "/_." and text[start - 2 : start] != ".."
    )


def _sure_names(text: str, names: Names) -> frozenset[str]:
    """Common words that this text uses as a name: capitalised within a sentence."""
    found = set()
    for word in names.openers:
        name = word.capitalize()
        place = text.find(name)
        while place >= 0 and _opens_sentence(text, place):
            place = text.find(name, place + 1)
        if place >= 0:
            found.add(word)
    return frozenset(found)


def _opens_sentence(text: str, start: int) -> bool:
    head = text[max(0, start - 6) : start].rstrip(" \t\"'“‘*_(#>-—")
    return not head or head[-1] in ".!?:\n…"


def _name_at(
    text: str,
    start: int,
    patterns: tuple[Pattern, ...],
    language: Language,
    sure: frozenset[str],
    blocked: list[tuple[int, int]],
) -> Mention | None:
    for pattern in patterns:
        hit = pattern.regex.match(text, start)
        if not hit:
            continue
        if any(low <= start < high for low, high in blocked):
            return None
        end = hit.end()
        if is_joined(text, start, end):
            return None
        if text[start].islower() and pattern.name[0].isupper() and " " not in pattern.name:
            if _HAILED.search(text, max(0, start - 12), start):
                return Mention(start, end, pattern.kind, pattern.being)
            continue
        if pattern.common and _ASKS.match(text, start):
            return None
        if pattern.calendar and not _acts_as_being(text, start, end, language):
            return None
        if (
            pattern.common
            and not pattern.calendar
            and pattern.word not in sure
            and _opens_sentence(text, start)
            and not _acts_as_being(text, start, end, language)
        ):
            return None
        return Mention(start, end, pattern.kind, pattern.being)
    return None


# "Will this end?" asks, whoever is called Will.
_ASKS = re.compile(
    r"(?:Will|May|Mark|Bill|Grant|Trace|Drew|Skip|Chase|Hope) (?:this|that|it|he|she|they|we|you|I|"
    r"the|there|these|those|an?|my|our|your|his|her|its|their|any\w*|some\w*)\b"
)
_WEEK = re.compile(
    r"(?:\b(?:on|last|next|this|every|each|by|until|till|since|before|after|past|good|black|"
    r"final|late|early|mid|monday|tuesday|wednesday|thursday|friday|saturday|sunday|through|to|"
    r"casual|one|a|the|that|am|nächsten|letzten)[ ,/-]+|\d[ ,]+|[(\[|])$",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"(?:,? +(?:\d|morning|afternoon|evening|night|the \d|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|"
    r"nov|dec|at \d|and (?:mon|tues|wednes|thurs|satur|sun)day)|[,)\]|]? *\d)",
    re.IGNORECASE,
)
_GREETING = re.compile(
    r"(?:\b(?:hi|hello|hey|dear|thanks|thank you|hallo|liebe[rs]?|lieber|danke|cc|from|with|and|"
    r"to|between|told|asked|email(?:ed)?|for|by),? +|@)$",
    re.IGNORECASE,
)


# In lower case a name counts where somebody is hailed: "hey ava", "@ava".
_HAILED = re.compile(
    r"(?:\b(?:hi|hello|hey|dear|thanks|thx|thank you|hallo|morning|night|yes|ok),? |(?<!\w)@)$",
    re.IGNORECASE,
)


def _acts_as_being(text: str, start: int, end: int, language: Language) -> bool:
    """Evidence that a word is somebody: it acts, owns, is greeted or is spoken to."""
    before, after = text[max(0, start - 24) : start], text[end : end + 40]
    if _WEEK.search(before) or _TIME.match(after):
        return False
    match = re.match(r"['’]s\s+(\w+)", after)
    if match and match[1] not in ("coming", "over", "here"):
        return True
    if before.endswith("@"):
        return True
    word = re.match(
        r"(?:,? (?:who|also|just|never|always|then|now|still|has|had) ?)? ?(\w+)", after
    )
    if word and (word[1] in language.acting or word[1] in ("is", "isn", "was", "has", "does")):
        return True
    if re.match(r"\s*(?::|\(|—|→)", after) and not before.strip():
        return True
    return bool(_GREETING.search(before)) and not re.match(r"\s*\w+ing\b", after)
