"""The plain side of a pair, by rules: what makes a text somebody's is taken out, facts stay."""

import re

# Whole words, in any case; the replacement takes over a capital at the start.
_CONTRACTIONS = (
    (r"\bcan['’]t\b", "cannot"),
    (r"\bwon['’]t\b", "will not"),
    (r"\bshan['’]t\b", "shall not"),
    (r"\bain['’]t\b", "is not"),
    (r"\blet['’]s\b", "let us"),
    (r"(?<=\w)n['’]t\b", " not"),
    (r"(?<=\bI)['’]m\b", " am"),
    (r"(?<=\w)['’]re\b", " are"),
    (r"(?<=\w)['’]ve\b", " have"),
    (r"(?<=\w)['’]ll\b", " will"),
    (r"\b(it|that|there|here|what|who|where|he|she)['’]s\b(?! been\b)", r"\1 is"),
    (r"\b(it|that|there|he|she)['’]s(?= been\b)", r"\1 has"),
    (
        r"\b(I|you|he|she|it|we|they)['’]d\b(?! (?:been|better|gone|done|seen|had|\w+ed)\b)",
        r"\1 would",
    ),
    (r"\b(I|you|he|she|it|we|they)['’]d(?= (?:been|better|gone|done|seen|had|\w+ed)\b)", r"\1 had"),
)
_CASUAL = {
    "gonna": "going to", "wanna": "want to", "gotta": "have to", "kinda": "", "sorta": "",
    "dunno": "do not know", "cos": "because", "cuz": "because",
    "'til": "until", "u": "you", "ur": "your", "pls": "please", "plz": "please", "thx": "thank you",
    "thanks": "thank you", "btw": "by the way", "idk": "I do not know", "tho": "though",
    "yeah": "yes", "yep": "yes", "yup": "yes", "nope": "no", "nah": "no", "ok": "okay",
    "alot": "a lot", "teh": "the", "adn": "and", "taht": "that", "wich": "which",
    "recieve": "receive", "recieved": "received", "definately": "definitely",
    "seperate": "separate", "occured": "occurred", "untill": "until", "wierd": "weird",
    "becuase": "because", "beleive": "believe", "thier": "their", "truely": "truly",
    "tommorow": "tomorrow", "tomorow": "tomorrow", "goverment": "government",
    "enviroment": "environment", "neccessary": "necessary", "acheive": "achieve",
    "dont": "do not", "doesnt": "does not", "didnt": "did not", "isnt": "is not",
    "wasnt": "was not", "cant": "cannot", "wouldnt": "would not", "couldnt": "could not",
    "im": "I am", "ive": "I have", "thats": "that is", "whats": "what is",
}  # fmt: skip
# Turns of phrase with one plain equivalent that holds whatever stands around it.
_PHRASES = {
    "a touch": "slightly", "a bit": "slightly", "a tad": "slightly", "a little bit": "slightly",
    "to hand": "available", "at hand": "available", "by and by": "later",
    "as ever": "as always", "for the time being": "for now", "at the end of the day": "finally",
    "in order to": "to", "due to the fact that": "because", "once and for all": "finally",
    "put up with": "tolerate", "mend": "repair", "mends": "repairs", "mended": "repaired",
    "kept the lamp lit": "left the light on", "keep the lamp lit": "leave the light on",
    "in the ledger": "in the log", "into the ledger": "into the log", "the ledger": "the log",
    "stood off": "kept away", "wee": "small", "reckon": "think", "reckoned": "thought",
    "fetch": "get", "fetched": "got", "amid": "among", "amidst": "among", "whilst": "while",
}  # fmt: skip
_FILLERS = (
    r"(?:^|(?<=[.!?…]\s))(?:well|oh|ah|so|now|anyway|look|hey|hmm+|okay so|right)\s*,\s*",
    r",?\s*\b(?:you know|I mean|to be honest|honestly speaking|at any rate)\b,?",
    r"\b(?:really|actually|basically|honestly|literally|simply|just|quite)\s+",
    r"(?<!\ba )(?<!\bthe )(?<!\bthis )(?<!\bthat )(?<!\bwhat )(?<!\bsome )\b(?:sort|kind) of\s+",
    r"\b(?:ha)+h?a?\b[.!,]*|\b(?:lol|lmao|haha\w*|hehe\w*)\b[.!,]*",
)
_PICTURES = "[\U0001f300-\U0001faff\u2600-\u27bf\ufe0f\u200d]+"
_KEPT = re.compile(r"`[^`\n]+`|https?://\S+|\S+@\S+\.\S+|[\"“][^\"”\n]{1,300}[\"”]")


def plain_version(text: str) -> str:
    """`text` said plainly: no contraction, filler, slip, dash, picture or turn of phrase.

    Code, links, addresses and quotations stay as they are. Where nothing but fillers is there,
    the text itself comes back.
    """
    kept: list[str] = []

    def hide(match: re.Match) -> str:
        kept.append(match.group())
        return f"\x00{len(kept) - 1}\x00"

    plain = _mended(_punctuated(_worded(_KEPT.sub(hide, text))))
    plain = re.sub(r"\x00(\d+)\x00", lambda m: kept[int(m[1])], plain)
    return plain if re.search(r"\w", plain) else text


def _worded(text: str) -> str:
    for pattern, words in _CONTRACTIONS:
        text = re.sub(pattern, lambda m, w=words: _as_case(m, m.expand(w)), text, flags=re.I)
    for pattern in _FILLERS:
        text = re.sub(pattern, "", text, flags=re.I | re.M)
    text = _PHRASE.sub(lambda m: _as_case(m, _PHRASES[" ".join(m[0].lower().split())]), text)
    return _WORD.sub(lambda m: _as_case(m, _CASUAL[m[0].lower()]), text)


def _any_of(words: dict[str, str]) -> re.Pattern[str]:
    by_length = sorted(words, key=len, reverse=True)
    joined = "|".join(re.escape(one).replace(r"\ ", r"\s+") for one in by_length)
    return re.compile(rf"(?<![\w'’-])(?:{joined})(?![\w'’-])", re.I)


_PHRASE, _WORD = _any_of(_PHRASES), _any_of(_CASUAL)


def _as_case(match: re.Match, words: str) -> str:
    found = match.group()
    return words[:1].upper() + words[1:] if found[:1].isupper() and words else words


def _punctuated(text: str) -> str:
    text = re.sub(_PICTURES, "", text)
    text = re.sub(r"(\w)\1{3,}", r"\1", text)
    text = re.sub(r"(?m)(?<=\S)[ \t]*(?:—|–(?!\d)|(?<= )--?(?= ))[ \t]*(?=\S)", ", ", text)
    text = re.sub(r"\s*(?:\.{2,}|…)(?=\s*$)", ".", text, flags=re.M)
    text = re.sub(r"\s*(?:\.{2,}|…)\s*", ", ", text)
    text = re.sub(r"\?[?!]+", "?", re.sub(r"!+", ".", re.sub(r"!+\?", "?", text)))
    text = re.sub(r",\s*(?=[,.;:!?])", "", text)
    return re.sub(r"[ \t]+(?=[,.;:?])", "", re.sub(r"[ \t]{2,}", " ", text))


def _mended(text: str) -> str:
    """Capitals where sentences begin, a capital I, a full stop at the end of a sentence."""
    text = re.sub(r"(?<![\w'’.-])i(?=[\s,'’])", "I", text.strip().lstrip(",;: "))
    text = re.sub(r"(?:^|(?<=[.!?]\s))[a-zà-ÿ]", lambda m: m[0].upper(), text)
    if " " in text and text[-1:].isalnum():
        text += "."
    return text
