"""Persons outside the registry: by given name, title, kin, greeting, and by how they act."""

import re

from distill.perspective.given_names import GIVEN_NAMES
from distill.perspective.languages import (
    COMMON_WORDS,
    ENGLISH,
    KIN,
    MONTHS,
    WEEKDAYS,
    words,
)

ROLE_NOUNS = words(
    """analyst intern technician engineer inspector operator director manager supervisor auditor
    archivist librarian janitor secretary assistant officer guard captain doctor nurse teacher
    student professor colleague neighbour neighbor stranger woman man girl boy mother
    father sister brother daughter son wife husband friend child clerk reviewer trainee observer
    worker foreman coordinator receptionist custodian writer editor poet programmer visitor guest
    somebody someone
    """
)


_PRODUCT = re.compile(
    r" (?:Collection|Relay|Kit|Framework|Prize|Library|Package|Server|Repo|Repository|Website|Site|"
    r"Project|Foundation|Press|Studio|Labs?|Inc|App|API|SDK|CLI|Edition|Album|Series|Street|River)\b"
)


def is_joined(text: str, start: int, end: int) -> bool:
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
    """Whether the part before a slash is a capitalised word, as in "Orrin/Vesper"."""
    begin = start - 2
    while begin >= 0 and (text[begin].isalnum()):
        begin -= 1
    return text[begin + 1].isupper() and (begin < 0 or text[begin] not in "/\\.")


NOT_PERSONS = words(
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
_INITIAL = re.compile(r"(?:^|[ (\n])[A-Z]\. $")
_GREETED = re.compile(
    r"(?:^|\n|\. )[ \t]*(?:[Dd]ear|[Hh]i|[Hh]ello|[Hh]ey|[Hh]allo|[Ll]iebe[rs]?),? $"
)
_GROUP = re.compile(  # "Dear Board Members,", "Dear NR OTA'ers,"
    r"[^\n,.!]{0,40}(?:\b(?:colleagues|team|members|all|friends|group|folks|users|committee|"
    r"delegates|students|list|subscribers?|customers?|support)\b|['’]ers\b)",
    re.IGNORECASE,
)
_NOT_GREETED = words(
    """all everyone everybody team folks friends sir madam there guys both colleagues world customer
    reader readers user users diary journal hiring editor editors committee zusammen alle kollegen
    again next future fellow"""
)


# What one does to somebody: "I heard from Penny", "she told Grace".
_MET = re.compile(
    r"\b(?:met|asked|told|thank(?:ed|s)?|emailed|texted|phoned|visited|answered|named|"
    r"(?:wrote|replied|spoke|talked|listened|gave it) (?:to|with)|heard from|"
    r"(?:message|reply|e?mail|letter|note|question|answer)s? (?:to|from)) $"
)


def meets(text: str, start: int) -> bool:
    """Whether the words before a name say that it is somebody who was met, asked or written to."""
    return bool(_MET.search(text, max(0, start - 24), start))


def is_person(text: str, hit: re.Match[str], stem: str, persons: frozenset[str]) -> bool:
    """Whether an unregistered capitalised word is somebody: named, titled, greeted, acting."""
    if stem in persons or stem in GIVEN_NAMES:
        numbered = text[hit.end() : hit.end() + 1] == "-" and text[hit.end() + 1 :][:1].isdigit()
        return numbered or not is_joined(text, hit.start(), hit.end())
    before = text[max(0, hit.start() - 14) : hit.start()]
    if stem in COMMON_WORDS and meets(text, hit.start()):
        return stem not in WEEKDAYS | MONTHS and not is_joined(text, hit.start(), hit.end())
    if before[-1:] in (" ", "\n"):
        if _INITIAL.search(before) and not hit[0].isupper():
            return True
        if _TITLED.search(before):
            return True
        if _GREETED.search(before):
            return stem not in _NOT_GREETED and not _GROUP.match(text, hit.end())
    return False


_OWNED = re.compile(r"\b(?:my|his|her|your|our|their|mein\w*|sein\w*) (?:\w+ )?$", re.IGNORECASE)
_ONE = re.compile(r"\b(?:an?|one|another|some) $", re.IGNORECASE)
_DID = re.compile(r" (?:who )?([a-z]+)\b")


def is_somebodys(text: str, hit: re.Match[str]) -> bool:
    """ "my mother" is somebody; "a human" is where it did something once ("a human read it")."""
    before = text[max(0, hit.start() - 24) : hit.start()]
    if text[hit.end() : hit.end() + 1] in ("-", "_"):
        return False
    if _OWNED.search(before):
        return True
    follow = _DID.match(text, hit.end())
    return bool(follow and follow[1] in ENGLISH.past and _ONE.search(before))


_ACTION = re.compile(
    r"\b(?P<name>[A-Z][a-z]{2,}(?:-\d+)?)"
    r"(?:['’]s (?:question|notebook|email|reply|voice|hands?|eyes|answer|letter|wife|husband|"
    r"mother|father|brother|sister|face|smile|laptop|phone|words) ?| (?:also |just |then |never |"
    r"quietly |once |still )?(?P<verb>[a-z]+)\b)"
)
_PAIR = re.compile(r"\b([A-Z][a-z]{2,}),? and ([A-Z][a-z]{2,})\b")
_BEFORE_THINGS = re.compile(r"\b(?:[Tt]he|[Aa]n?|[Tt]his|[Oo]ur|[Mm]y|[Ee]ach|[Ee]very) $")


def acting_names(text: str) -> frozenset[str]:
    """Capitalised words that do or own, somewhere in the text, what only somebody does: "Torres
    says". Once seen to act, a name is a person in the whole text."""
    found = set()
    for match in _ACTION.finditer(text):
        verb, name = match["verb"], match["name"]
        lower = name.lower().partition("-")[0]
        if verb is not None and verb not in STRONG_ACTS:
            continue
        if lower in NOT_PERSONS or lower.endswith("ly") or lower in ENGLISH.speech | ENGLISH.past:
            continue
        start = match.start()
        if is_joined(text, start, match.end("name")):
            continue
        if not _BEFORE_THINGS.search(text, max(0, start - 6), start):
            found.add(lower)
    found |= {match[1].lower() for match in _RELATED.finditer(text)} - NOT_PERSONS
    found |= {match[1].lower() for match in _IS_RELATED.finditer(text)} - NOT_PERSONS
    pairs = [match.groups() for match in _PAIR.finditer(text)] if found else []
    for one, other in pairs:
        if other.lower() in found and one.lower() not in NOT_PERSONS:
            found.add(one.lower())
    return frozenset(found)


_KIN = "|".join(sorted(KIN))
_OWN = r"(?:[Mm]y|[Oo]ur|[Yy]our|[Hh]is|[Hh]er|[Tt]heir)"
# "my human, Ravi, pays"; "Ravi is our accountant"
_RELATED = re.compile(rf"\b{_OWN} (?:[a-z]+ )?(?:{_KIN}),? ([A-Z][a-zà-ÿ]{{2,}})\b")
_IS_RELATED = re.compile(
    rf"\b([A-Z][a-zà-ÿ]{{2,}}) (?:is|was) {_OWN} (?:[a-z]+ )?(?:{_KIN}|accountant|lawyer|editor|"
    r"doctor|nurse|student|client|customer|tenant|guest|assistant|secretary|contact)\b"
)


STRONG_ACTS = words(
    """says said asks asked tells told writes wrote replies replied answers answered thinks thought
    wonders wondered whispers whispered shouts shouted smiles smiled laughs laughed nods nodded
    sighs sighed shrugs shrugged wants wanted knows knew feels felt believes believed remembers
    remembered remarked murmured muttered walked sat stood woke slept looked stared watched frowned
    emailed insisted argued admitted logged noticed"""
)
