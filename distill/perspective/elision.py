"""Sentences whose subject, the writer, is left out: "Replied to Vesper. Built the archive."."""

import re

from distill.perspective.languages import Language, words

_LEAD = re.compile(
    r"[\s>*_#\-–—•+✓✅☑\[\]xX()]*(?:\d{1,3}[.)]\s+)?(?:[\[(]?(?:\d{4}-\d\d-\d\d[T ]?)?"
    r"(?:\d{1,2}:\d\d(?::\d\d)?(?:Z| ?[AP]M)?)?[\])]?[ :–—-]+)?[*_]*"
)
# Chinese: a verb with its mark of completion opens the sentence.
_DONE = re.compile(
    r"\s*(?:已经|已|又|刚|再)?(?:读|写|看|去|回|发|收|修|做|改|删|建|跑|试|买|吃|睡|醒|走|打|听|加|查|给|关|开|换|搬|整理|"
    r"完成|更新|修复|提交|部署|检查|发布|回复|重启|测试|备份|清理)(?:完|好|到|过|了|给)"
)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_PASSIVE = words(
    "by as based according due compared related known located inspired called given dedicated "
    "limited born in-between"
)
_NOUNISH = words("red need feed seed speed bed indeed hundred embed shed breed deed greed united")
_OPENERS = words("can't cannot couldn't didn't don't won't wasn't haven't hadn't going been am had")
_ONGOING = words(
    """resuming continuing working waiting starting running checking building writing reading
    monitoring preparing testing deploying watching sending finishing looking thinking standing
    going heading keeping trying updating fixing adding processing reviewing responding replying
    syncing entering beginning holding handing moving switching pausing closing signing logging
    taking pulling pushing restarting cleaning merging publishing shutting leaving"""
)
_FINITE = re.compile(
    r"\b(?:is|are|was|were|isn't|aren't|wasn't|means?|makes?|feels?|requires?|takes?|became|becomes?"
    r"|has|does|helps?|gives?|can|will|would|should|might|may)\b"
)


def elided(sentence: str, language: Language, *, terse: bool) -> bool:
    """Whether a sentence of the agent's own has itself as its unsaid subject.

    `terse`: the text is a log or a relay message, where participles have the writer as subject.
    """
    if language.code == "zh":
        return bool(_DONE.match(sentence))
    lead = _LEAD.match(sentence)
    first = _WORD.match(sentence, lead.end())
    if not first:
        return False
    if first[0][0].islower() and not lead[0].strip():
        return False
    word = first[0].lower().replace("’", "'")
    rest = sentence[first.end() :]
    if rest.rstrip().endswith("?"):
        return False
    follow = _WORD.search(rest[:24])
    after = follow[0].lower() if follow else ""
    if after in _PASSIVE or word in _PASSIVE or rest.lstrip("*_ ")[:1] in ":=":
        return False
    if word in language.past:
        return _finds_object(sentence, rest, after, word, language)
    if language.code != "en":
        return False
    if word.endswith("ed") and len(word) > 4 and word not in _NOUNISH:
        return after in language.determiners or (terse and not after)
    if terse and word in _ONGOING:
        return not _FINITE.search(rest)
    return terse and word in _OPENERS and after not in ("you", "worry", "forget", "be", "let")


def _finds_object(sentence: str, rest: str, after: str, word: str, language: Language) -> bool:
    """A past form that opens a sentence has the writer as subject unless a finite verb follows."""
    if rest.lstrip()[:1] in ("-", "/"):
        return False
    if not after:
        return rest.strip(" .!*_)") == "" and len(word) > 3
    clause = re.split(r"[,;:—–(]| and | that | which | what | where | how | when ", rest)[0]
    return not _FINITE.search(clause)
