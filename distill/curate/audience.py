"""What a public build leaves out: private humans' names, addresses, and configured topics."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from distill.curate.config import CurateConfig
from distill.curate.marked import Marked
from distill.curate.rows import Row
from distill.identity.beings import Being, Identity
from distill.redact import Finding, move_spans

ADDRESS = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+")


def for_audience(identity: Identity, config: CurateConfig) -> Identity:
    """Who may be named: everybody, and in a public build no human but those of `public_names`.

    The agent's operator is a human like the others. A card written by hand is kept, without them.
    """
    hidden = _hidden(identity, config)
    if not hidden:
        return identity
    named = tuple(being for being in identity.beings if being not in hidden)
    operator = identity.resolve(identity.operator) if identity.operator else None
    shown = "" if operator is None or operator in hidden else identity.operator
    card = _Veil(identity, config).over(Marked(identity.card)).text
    return replace(identity, beings=named, operator=shown, card=card)


def for_readers(
    rows: Iterable[Row], identity: Identity, config: CurateConfig, dropped: Counter
) -> list[Row]:
    """The rows of a public build: none about a private topic, "[person-1]" for a hidden name.

    Placeholders carry no loss; a row of which nothing is left to learn goes. Private builds are as
    they were.
    """
    if config.audience == "private":
        return list(rows)
    veil, kept = _Veil(identity, config), []
    for row in rows:
        if any(veil.forbids(turn.body.text) for turn in row.turns):
            dropped["private topic"] += 1
            continue
        row = replace(
            row, turns=tuple(replace(turn, body=veil.over(turn.body)) for turn in row.turns)
        )
        if row.loss_characters < config.least_loss:
            dropped["nothing public left"] += 1
            continue
        kept.append(row)
    return kept


def _hidden(identity: Identity, config: CurateConfig) -> list[Being]:
    if config.audience == "private":
        return []
    public = {name.casefold() for name in config.public_names}
    return [
        being
        for being in identity.beings
        if being.kind == "human"
        and public.isdisjoint(alias.name.casefold() for alias in being.names())
    ]


class _Veil:
    """Finds what must not be read; numbers of persons are the same in every row."""

    def __init__(self, identity: Identity, config: CurateConfig) -> None:
        self.persons = {
            word: number
            for number, being in enumerate(_hidden(identity, config), 1)
            for word in _words_for(being)
        }
        words = sorted(self.persons, key=len, reverse=True)
        self.names = _either(words)
        self.topics = _either(config.private_topics, re.IGNORECASE)

    def forbids(self, text: str) -> bool:
        return bool(self.topics and self.topics.search(text))

    def over(self, body: Marked) -> Marked:
        findings = sorted(self._found(body.text), key=lambda one: one.start)
        text, at = [], 0
        for one in findings:
            text += [body.text[at : one.start], one.placeholder]
            at = one.end
        whole = "".join([*text, body.text[at:]])
        return Marked(whole, tuple(move_spans(body.loss, findings)))

    def _found(self, text: str) -> Iterator[Finding]:
        taken: list[tuple[int, int]] = []
        seen: dict[str, int] = {}
        for match in ADDRESS.finditer(text):
            number = seen.setdefault(match.group().casefold(), len(seen) + 1)
            taken.append(match.span())
            yield Finding("address", *match.span(), f"[address-{number}]")
        for match in self.names.finditer(text) if self.names else ():
            if all(match.end() <= start or match.start() >= end for start, end in taken):
                number = self.persons[match.group()]
                yield Finding("person", *match.span(), f"[person-{number}]")


def _words_for(being: Being) -> Iterator[str]:
    """Every name as a whole, and its capitalised parts ("Ada" of "Ada Quill")."""
    for alias in being.names():
        yield alias.name
        yield from (part for part in alias.name.split() if len(part) > 2 and part[0].isupper())


def _either(words: Iterable[str], flags: int = 0) -> re.Pattern[str] | None:
    parts = [re.escape(word) for word in words if word.strip()]
    return re.compile(rf"(?<!\w)(?:{'|'.join(parts)})(?!\w)", flags) if parts else None
