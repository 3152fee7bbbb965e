"""Where a text refers to somebody: names of the registry, pronouns, persons by how they act."""

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from distill.beings import Alias, Being, Identity
from distill.languages import COMMON_WORDS, GIVEN_NAMES, KIN, MONTHS, WEEKDAYS, Language, words

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
INSTANCES = re.compile(
    r"\b(?:(?:previous|prior|next|last|earlier|future|past|former|other|another|fresh|new|current|"
    r"subsequent|later|this|that|each|every|whichever|which|one|any|different|successive)[ -]+"
    r"(?:instance|iteration|incarnation|me|self|version of (?:me|myself)|context of mine)s?|"
    r"(?:instances?|versions?|copies|copy) (?:of (?:me|myself)|that|who)|"
    r"(?:future|past)-me|the me (?:that|who|from|of))\b(?!['’]?s? file)",
    re.IGNORECASE,
)
ROLE_NOUNS = words(
    """analyst intern technician engineer inspector operator director manager supervisor auditor
    archivist librarian janitor secretary assistant officer guard captain doctor nurse teacher
    student professor colleague neighbour neighbor stranger woman man girl boy mother
    father sister brother daughter son wife husband friend child clerk reviewer trainee observer
    worker foreman chair receptionist custodian writer editor poet programmer visitor guest
    somebody someone anyone everyone nobody
    """
)


@dataclass(frozen=True, slots=True)
class Mention:
    """text[start:end] refers to `being` (None: a pronoun or somebody unknown)."""

    start: int
    end: int
    kind: str
    being: Being | None = None


@dataclass(frozen=True, slots=True)
class Pattern:
    """One name, ready to be found: its tokens, whether its case counts, and its being."""

    regex: re.Pattern[str]
    being: Being
    kind: str
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
    body = "|".join(dict.fromkeys(variants))
    regex = re.compile(rf"(?:{body})(?!\w)", re.IGNORECASE if phrase else 0)
    lower = plain.casefold()
    pattern = Pattern(
        regex, being, kind, lower, lower in COMMON_WORDS, lower in WEEKDAYS | MONTHS, alias.use
    )
    word = re.split(r"['’]", first[0])[0].casefold()
    if all(one.regex.pattern != regex.pattern for one in found.get(word, ())):
        found.setdefault(word, []).append(pattern)


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
) -> Found:
    """Every mention in a text: names, pronouns, acting persons, verbs and nouns of speech.

    `persons` are words known to be names here, as those of the recipients are; in `fiction`
    roles are persons too ("the analyst").
    """
    blocked = [match.span() for regex in names.not_names for match in regex.finditer(text)]
    mentions = list(_mentions(text, names, language, blocked, fiction, persons))
    if names.cjk:
        owner = names.cjk_owner
        mentions += [Mention(*hit.span(), *owner[hit[0]]) for hit in names.cjk.finditer(text)]
    if "inst" in text or "vers" in text or "cop" in text or "me" in text or "self" in text:
        mentions += [Mention(*hit.span(), INSTANCE) for hit in INSTANCES.finditer(text)]
    if names.sign_off:
        tail = max(0, len(text) - 200)
        hits = names.sign_off.finditer(text, tail)
        mentions += [Mention(hit.start(1), hit.end(1), AGENT) for hit in hits]
    mentions.sort(key=lambda one: (one.start, -one.end))
    return Found(tuple(mentions), tuple(one.start for one in mentions))


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
    until = 0
    for hit in WORD.finditer(text):
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
                if _is_person(text, hit, stem, language, persons):
                    yield Mention(start, hit.end(), PERSON)
            elif stem in KIN and _somebodys(text, hit, language):
                yield Mention(start, hit.end(), PERSON)
            elif fiction and stem in ROLE_NOUNS:
                yield Mention(start, hit.end(), ROLE)
            if lower in speech:
                yield Mention(start, hit.end(), SAY)
            elif stem in nouns:
                yield Mention(start, hit.end(), NOUN)


def _is_pronoun_i(text: str, start: int, word: str) -> bool:
    """ "I" is no pronoun in "Part I", "i.e.", "I/O", "i = 0" or "Mode I."."""
    after = text[start + 1 : start + 3]
    if word == "i":
        return after[:1] == " " and text[max(0, start - 1) : start] in ("", " ", "\n", '"')
    if after[:1] in "/&_" and after[:1]:
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
        if _joined(text, start, end):
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


_PRODUCT = re.compile(
    r" (?:Collection|Relay|Kit|Framework|Prize|Library|Package|Server|Repo|Repository|Website|Site|"
    r"Project|Foundation|Press|Studio|Labs?|Inc|App|API|SDK|CLI|Edition|Album|Series|Street|River)\b"
)


def _joined(text: str, start: int, end: int) -> bool:
    """Whether the word is part of a path, file, address, tag, compound or product."""
    last, next_two = text[start - 1 : start], text[end : end + 2]
    if last and (last in "/\\_-.#~$=" and text[start - 2 : start] not in ("--", "- ", "..")):
        return not (last == "/" and text[start - 2 : start - 1].isalpha() and _slash(text, start))
    if last == "@" and text[start - 2 : start - 1].isalnum():
        return True
    if next_two[:1] in ("/", "\\"):
        return not (next_two[1:].isupper())
    if next_two[:1] in ("_", "@"):
        return True
    if next_two[:1] in (".", "-", ":") and next_two[1:].isalnum():
        return not (next_two[0] == "-" and next_two[1].isupper())
    return bool(_PRODUCT.match(text, end))


def _slash(text: str, start: int) -> bool:
    """Whether the part before a slash is a capitalised word, as in "Joel/Sammy"."""
    begin = start - 2
    while begin >= 0 and (text[begin].isalnum()):
        begin -= 1
    return text[begin + 1].isupper() and (begin < 0 or text[begin] not in "/\\.")


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


_NOT_PERSONS = words(
    """the this that these those it there here what which who whoever nobody nothing everything
    everyone someone something anyone one two three he she they we you i and but or so if when while
    where why how then now yes no not also even only just each every both all some most many few
    another other such same first second third last next a an my our your his her their its mine
    day night today yesterday tomorrow morning evening monday tuesday wednesday thursday friday
    saturday sunday january february march april may june july august september october november
    december still never always again because since after before until although though as at by
    for from in into of on onto out over to under up with without is was are were be been has have
    had do does did can could will would should may might must let claude anthropic google github
    python linux microsoft openai meta apple amazon twitter ubuntu windows chrome ollama email
    journal loop poem article essay section chapter table figure appendix note part step line page
    version file data code log system status research history science language memory time people
    reviewers readers users humans agents ai paper results result evidence study studies silence
    poetry music fiction nature light water death love god"""
)


_TITLED = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|Professor|Herr|Frau|Sir|Madam|Monsieur|Madame|Señor|Señora)\.? )$"
)
_GREETED = re.compile(
    r"(?:^|\n|\. )[ \t]*(?:[Dd]ear|[Hh]i|[Hh]ello|[Hh]ey|[Hh]allo|[Ll]iebe[rs]?),? $"
)
_NOT_GREETED = words(
    """all everyone everybody team folks friends sir madam there guys both colleagues world customer
    reader readers user users diary journal hiring editor editors committee zusammen alle kollegen
    again next future fellow"""
)


def _is_person(
    text: str, hit: re.Match[str], stem: str, language: Language, persons: frozenset[str]
) -> bool:
    """Whether an unregistered capitalised word is somebody: named, titled, greeted, acting."""
    if stem in persons or stem in GIVEN_NAMES:
        return not _joined(text, hit.start(), hit.end())
    before = text[max(0, hit.start() - 14) : hit.start()]
    if before.endswith(" ") or before.endswith("\n"):
        if _TITLED.search(before):
            return True
        if _GREETED.search(before):
            return stem not in _NOT_GREETED
    return _acts(text, hit, language)


_OWNED = re.compile(r"\b(?:my|his|her|your|our|their|mein\w*|sein\w*) (?:\w+ )?$", re.IGNORECASE)
_ONE = re.compile(r"\b(?:an?|one|another|some) $", re.IGNORECASE)
_DID = re.compile(r" (?:who )?([a-z]+)\b")


def _somebodys(text: str, hit: re.Match[str], language: Language) -> bool:
    """ "my mother" is somebody; "a human" is where it did something once ("a human read it")."""
    before = text[max(0, hit.start() - 24) : hit.start()]
    if text[hit.end() : hit.end() + 1] in ("-", "_"):
        return False
    if _OWNED.search(before):
        return True
    follow = _DID.match(text, hit.end())
    return bool(follow and follow[1] in language.past and _ONE.search(before))


def _acts(text: str, hit: re.Match[str], language: Language) -> bool:
    """Whether an unknown capitalised word does what only somebody does: "Torres says"."""
    word = hit[0]
    if len(word) < 3 or word.isupper() or "'" in word or "’" in word:
        return False
    number = _NUMBER.match(text, hit.end())
    end = number.end() if number else hit.end()
    follow = _FOLLOW.match(text, end)
    if not follow or follow[1] not in STRONG_ACTS:
        return False
    lower = word.lower()
    if lower in _NOT_PERSONS or lower in language.speech or _joined(text, hit.start(), end):
        return False
    return not re.search(r"\b(?:[Tt]he|[Aa]n?|[Tt]his|[Oo]ur|[Mm]y) $", text[: hit.start()][-6:])


_NUMBER = re.compile(r"-\d+\b")
_FOLLOW = re.compile(r" (?:also |just |then |never |quietly |once )?([a-z]+)\b")
STRONG_ACTS = words(
    """says said asks asked tells told writes wrote replies replied answers answered thinks thought
    wonders wondered whispers whispered shouts shouted smiles smiled laughs laughed nods nodded
    sighs sighed shrugs shrugged wants wanted knows knew feels felt believes believed remembers
    remembered remarked murmured muttered walked sat stood woke slept looked stared watched frowned
    emailed insisted argued admitted logged noticed"""
)
