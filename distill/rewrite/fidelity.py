"""Whether a rewritten paragraph says what the input says: numbers, names, dates, denials, may."""

import re
from collections import Counter
from collections.abc import Iterable

LENGTHS = (0.5, 2.0)  # of the input's characters; SLACK more or less is always allowed
SLACK = 24
SHARED = 0.35  # of the content words, both ways: below it is an answer and no rewrite

_LINK = re.compile(r"https?://[^\s)>\]]+|[\w.+-]+@[\w-]+\.[\w.]+")
_CODE = re.compile(r"`[^`]+`")
_QUOTED = re.compile(r"[\"“„]([^\"“”„]{2,})[\"”]")
_NUMBER = re.compile(r"(?<![\w.])[-+]?\d[\d,]*(?:[.:]\d+)*")
_TWO_TO_TWENTY = """two three four five six seven eight nine ten eleven twelve thirteen fourteen
    fifteen sixteen seventeen eighteen nineteen twenty"""
_NUMBER_WORDS = {word: str(number) for number, word in enumerate(_TWO_TO_TWENTY.split(), 2)}
_DATE_WORDS = """january february march april june july august september october november december
    monday tuesday wednesday thursday friday saturday sunday today tomorrow yesterday tonight noon
    midnight"""
_DATES = frozenset(_DATE_WORDS.split())
_NOT = re.compile(
    r"n['’]t\b|\b(?:not|cannot|never|no|none|nobody|nothing|nowhere|neither|nor|without)\b", re.I
)
_MODALITY = {
    "must": r"\b(?:must|have to|has to|had to|need to|needs to|should|ought to)\b",
    "may": r"\b(?:may|might|could|maybe|perhaps|possibly|probably|likely|seems?|apparently)\b",
    "if": r"\b(?:if|unless|whether)\b",
    "will": r"\b(?:will|would|shall)\b|\w['’](?:ll|d)\b",
}
_PERSONS = {
    "I": r"\b(?:I|me|my|mine|myself)\b",
    "you": r"\b(?:you|your|yours|yourself)\b",
    "we": r"\b(?:we|us|our|ours|ourselves)\b",
}
# Words that carry no matter, so that neither loss nor gain of one counts.
_EMPTY_WORDS = """a an the and or but so to of in on at by for with from as is are was were be been
    am it its that this these those there here he she they them his her their i me my you your we
    us our do does did have has had will would can could may might must should not no very just
    really quite well oh then than too also what which who when where how"""
_EMPTY = frozenset(_EMPTY_WORDS.split())


def problems(before: str, after: str, names: Iterable[str] = ()) -> list[str]:
    """What `after` lost or added against `before`, a few words each; empty where it is faithful.

    `names` are known names, which count at the start of a sentence too.
    """
    if not after.strip():
        return ["nothing was said"]
    found = [
        f"{what}: {_shown(ours)} became {_shown(theirs)}"
        for what, count in _COUNTS.items()
        if (ours := count(before)) != (theirs := count(after))
    ]
    found += _names(before, after, tuple(names))
    found += [f"{who!r} came in" for who, p in _PERSONS.items() if _new(p, before, after)]
    if ("?" in before) != ("?" in after):
        found.append("a question became a statement, or a statement a question")
    return found + _length(before, after) + _matter(before, after)


def _numbers(text: str) -> Counter:
    found = Counter(one.replace(",", "") for one in _NUMBER.findall(_LINK.sub(" ", text)))
    words = re.findall(r"[a-z]+", text.lower())
    return found + Counter(_NUMBER_WORDS[word] for word in words if word in _NUMBER_WORDS)


def _dates(text: str) -> Counter:
    return Counter(word for word in re.findall(r"[a-z]+", text.lower()) if word in _DATES)


def _modality(text: str) -> Counter:
    counts = {name: len(re.findall(p, text, re.I)) for name, p in _MODALITY.items()}
    return Counter({name: n for name, n in counts.items() if n})


_COUNTS = {
    "links": lambda text: Counter(_LINK.findall(text)),
    "code": lambda text: Counter(_CODE.findall(text)),
    "quotations": lambda text: Counter(_QUOTED.findall(text)),
    "numbers": _numbers,
    "dates": _dates,
    "negations": lambda text: len(_NOT.findall(text)),
    "modality": _modality,
}


def _shown(count: Counter | int) -> str:
    return str(count) if isinstance(count, int) else ", ".join(sorted(count.elements())) or "none"


def _new(pattern: str, before: str, after: str) -> bool:
    return bool(re.search(pattern, after)) and not re.search(pattern, before, re.I)


def _names(before: str, after: str, known: tuple[str, ...]) -> list[str]:
    """Names lost, and words with a capital inside a sentence that came in."""
    said, words = _capitalised(before), set(_folded(before))
    said |= {name for name in known if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", before)}
    lost = sorted(name for name in said if not re.search(rf"\b{re.escape(name)}\b", after, re.I))
    known_now = {name for name in known if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", after)}
    added = sorted(
        name for name in _capitalised(after) | known_now if not set(_folded(name)) <= words
    )
    return [f"{name} is gone" for name in lost] + [f"{name} came in" for name in added]


def _capitalised(text: str) -> set[str]:
    """Words with a capital that do not open a sentence; "I" and its forms are none."""
    inside = re.finditer(r"(?<![.!?:…\n\"“(>*_-] )(?<!^)(?<=[\w,;] )([A-Z][\w-]+)", text)
    return {match[1] for match in inside if match[1].lower() not in _DATES}


def _folded(text: str) -> list[str]:
    return re.findall(r"[^\W_]+(?:['’][^\W_]+)*", text.casefold())


def _length(before: str, after: str) -> list[str]:
    low, high = (factor * len(before) for factor in LENGTHS)
    if low - SLACK <= len(after) <= high + SLACK:
        return []
    return [f"{len(after)} characters where the input has {len(before)}"]


def _matter(before: str, after: str) -> list[str]:
    ours, theirs = _stems(before), _stems(after)
    if not ours or not theirs:
        return []
    shared = min(_part(ours, theirs), _part(theirs, ours))
    return [] if shared >= SHARED else [f"only {shared:.0%} of the words are the same"]


def _part(ours: Counter, theirs: Counter) -> float:
    return (ours & theirs).total() / ours.total()


def _stems(text: str) -> Counter:
    """First five letters of each content word; a contraction is none."""
    words = (re.sub(r"['’]s$", "", word) for word in _folded(text))
    return Counter(word[:5] for word in words if word not in _EMPTY and not re.search("['’]", word))
