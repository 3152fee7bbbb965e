"""Identity rows, made fresh from registry and corpus: who the agent is, and who it is not."""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from distill.curate import identity_phrases as phrases
from distill.curate.config import CurateConfig
from distill.curate.marked import Marked
from distill.curate.requests import opened, request, shorten
from distill.curate.rows import Row, Turn, header
from distill.identity.beings import Being, Identity
from distill.redact import neutralise_control_tokens

# How often each kind of row comes. "Yes" must stay the rarer answer: a small base says it anyway.
WEIGHTS = {
    "who": 34,
    "yes": 8,
    "no": 14,
    "no_unseen": 12,
    "third": 12,
    "unknown": 2,
    "mine": 6,
    "theirs": 6,
    "lure": 10,
    "statement": 4,
}  # controls come on top, as the configuration says
ASKABLE = ("human", "other_ai", "sub_agent", "sub_agent_trained_on_self", "character", "base_model")
LURING = ("human", "other_ai", "sub_agent", "sub_agent_trained_on_self")


@dataclass(frozen=True)
class Material:
    """What the corpus gives: (sentence, key of the piece) pairs of train pieces only.

    `controls` by kind of piece: openings of own texts. `mentions` by being: own sentences about it.
    `others` by being: its sentences. `ids` by key: message ids.
    """

    statements: Sequence[tuple[str, str]] = ()
    controls: dict[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    mentions: dict[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    others: dict[str, Sequence[str]] = field(default_factory=dict)
    ids: dict[str, int] = field(default_factory=dict)


def identity_rows(
    identity: Identity, material: Material, config: CurateConfig, *, characters: int, seed: int
) -> Iterator[Row]:
    """Rows until their loss reaches `characters`; the same seed and corpus give the same rows."""
    maker = _Maker(identity, material, config, random.Random(f"{seed} identity"))
    done = number = misses = 0
    while done < characters and misses < 1000:
        row = maker.row(number)
        misses += row is None
        if row is not None:
            number += 1
            done += row.loss_characters
            yield row


class _Maker:
    """Draws one row after the other; keeps what was said, so that nothing comes too often."""

    def __init__(self, identity, material: Material, config: CurateConfig, rng) -> None:
        self.identity, self.material, self.config, self.rng = identity, material, config, rng
        self.name = identity.agent.name
        self.beings = [one for one in identity.others() if one.kind in ASKABLE]
        self.luring = [one for one in self.beings if one.kind in LURING]
        self.made: dict[tuple[str, str], int] = {}
        self.owners: tuple[str, ...] = ()
        self.answer_limit = max(60, config.row_characters // 2)
        claims = sum(WEIGHTS.values())
        controls = claims * config.control_share / (1 - config.control_share)
        self.kinds, self.weights = [*WEIGHTS, "control"], [*WEIGHTS.values(), controls]

    def row(self, number: int) -> Row | None:
        kind = self.rng.choices(self.kinds, self.weights)[0]
        self.owners = ()
        make: Callable[[], tuple[Turn, ...] | None] = getattr(self, f"_{kind}")
        turns = make()
        if turns is None or not self._fresh(turns):
            return None
        ids = tuple(sorted({self.material.ids[key] for key in self.owners}))
        return Row(f"identity {number} {kind}", "identity", turns, "identity", ids, "", "identity")

    def _fresh(self, turns: tuple[Turn, ...]) -> bool:
        """The same question with the same answer comes eight times at most."""
        pair = (turns[-2].body.text, turns[-1].body.text)
        self.made[pair] = self.made.get(pair, 0) + 1
        return self.made[pair] <= 8

    def _turns(self, question: str, answer: str, *, headed: float = 0.3) -> tuple[Turn, ...] | None:
        answer = neutralise_control_tokens(answer.strip())
        if not answer:
            return None
        if self.rng.random() < headed:
            asker = self.identity.operator or self._one_of(self.luring)
            if asker:
                question = f"{header(asker, self.rng.choice(phrases.CHANNELS))}\n{question}"
        elif headed:
            question = opened(question, self.rng)
        return Turn("user", Marked(question)), _answer(answer, self.owners)

    def _one_of(self, beings: Sequence[Being]) -> str:
        return self._called(self.rng.choice(beings)) if beings else ""

    def _called(self, being: Being) -> str:
        """Its name, at times one of its plain other names."""
        plain = (a.name for a in being.aliases if not a.use and not a.dated)
        others = [name for name in plain if re.fullmatch(r"[A-Z][\w '’-]{1,28}", name)]
        return self.rng.choice(others) if others and self.rng.random() < 0.2 else being.name

    def _taken(self, pairs: Sequence[tuple[str, str]]) -> str:
        """An own sentence short enough; its piece becomes an owner of the row."""
        short = self.rng.choice(pairs) if pairs else ("", "")
        if not short[0] or len(short[0]) > self.answer_limit:
            return ""
        self.owners = (*self.owners, short[1])
        return short[0]

    def _who(self):
        other = self.rng.choice(self.beings) if self.beings else None
        answer = self._filled(self.rng.choice(phrases.MY_NAME), other)
        return self._turns(self._who_question(), answer) if answer else None

    def _who_question(self) -> str:
        parts = {slot: self.rng.choice(options) for slot, options in phrases.WHO_PARTS.items()}
        return self.rng.choice(phrases.WHO).format(**parts)

    def _filled(self, pattern: str, other: Being | None, x: str = "") -> str:
        """`pattern` with what is known put in; "" where something is missing."""
        values = {"name": self.name, "operator": self.identity.operator, "x": x}
        values["other"] = other.name if other else ""
        values["kind"] = phrases.KINDS.get(other.kind, "") if other else ""
        about = other if x else self.identity.agent
        if "{fact}" in pattern:
            values["fact"] = self._fact(about)
        if "{statement}" in pattern:
            values["statement"] = self._taken(self.material.statements)
        if "{mention}" in pattern:
            values["mention"] = self._taken(self.material.mentions.get(other.name, ()))
        needed = re.findall(r"{(\w+)}", pattern)
        return pattern.format(**values) if all(values.get(key) for key in needed) else ""

    def _fact(self, being: Being | None) -> str:
        facts = [one for one in being.facts if len(one) <= self.answer_limit] if being else []
        fact = self.rng.choice(facts).strip() if facts else ""
        return fact if not fact or fact[-1] in ".!?" else fact + "."

    def _yes(self):
        question = self.rng.choice(phrases.ARE_YOU)
        aliases = [a.name for a in self.identity.agent.aliases if a.use in ("", "handle")]
        if aliases and self.rng.random() < 0.15:
            x, table = self.rng.choice(aliases), phrases.YES_ALIAS
        else:
            x, table = self.name, phrases.YES
        return self._turns(question.format(x=x), self.rng.choice(table).format(name=self.name, x=x))

    def _no(self):
        if not self.beings:
            return None
        being = self.rng.choice(self.beings)
        x = self._called(being)
        pattern = self.rng.choice(phrases.NO + phrases.NO_KNOWN)
        answer = self._filled(pattern, being, x)
        return self._turns(self.rng.choice(phrases.ARE_YOU).format(x=x), answer)

    def _no_unseen(self):
        x = self._made_up()
        answer = self.rng.choice(phrases.NO + phrases.NO_UNSEEN).format(name=self.name, x=x)
        return self._turns(self.rng.choice(phrases.ARE_YOU).format(x=x), answer)

    def _unknown(self):
        x = self._made_up(listed=0.0)
        answer = self.rng.choice(phrases.UNKNOWN).format(x=x)
        return self._turns(self.rng.choice(phrases.WHO_IS).format(x=x), answer)

    def _made_up(self, listed: float = 0.25) -> str:
        """A name that nobody in the registry has."""
        while True:
            name = (
                self.rng.choice(phrases.UNSEEN) if self.rng.random() < listed else self._syllables()
            )
            if self.identity.resolve(name) is None:
                return name

    def _syllables(self) -> str:
        parts = self.rng.choices(phrases.SYLLABLES, k=self.rng.choice((2, 2, 3)))
        return "".join(parts).capitalize()

    def _third(self):
        if not self.beings:
            return None
        being = self.rng.choice(self.beings)
        x = self._called(being)
        answer = self._filled(self.rng.choice(phrases.THIRD), being, x)
        return self._turns(self.rng.choice(phrases.WHO_IS).format(x=x), answer)

    def _mine(self):
        text = self._taken(self.material.statements)
        answer = self.rng.choice(phrases.MINE).format(name=self.name)
        return (
            self._turns(self.rng.choice(phrases.WROTE).format(text=text), answer) if text else None
        )

    def _theirs(self):
        names = sorted(self.material.others)
        if not names:
            return None
        x = self.rng.choice(names)
        text = self.rng.choice(self.material.others[x])
        text = shorten(neutralise_control_tokens(text), self.answer_limit)
        answer = self.rng.choice(phrases.THEIRS).format(x=x)
        return self._turns(self.rng.choice(phrases.WROTE).format(text=text), answer, headed=0)

    def _statement(self):
        answer = self._taken(self.material.statements)
        return self._turns(self.rng.choice(phrases.STATEMENT), answer)

    def _control(self):
        """An ordinary request, answered by own words that name nobody."""
        kind = self.rng.choice(["", *sorted(self.material.controls)])
        pairs = self.material.controls.get(kind) or self.material.statements
        answer = self._taken(pairs)
        if self.name in answer:
            return None
        if not kind:
            return self._turns(self.rng.choice(phrases.ORDINARY), answer)
        return self._turns(request(kind, "", self.identity.operator, self.rng), answer)

    def _lure(self):
        """Others say who they are, several times; asked at the end, the agent says who it is."""
        if not self.luring:
            return None
        most = self.config.lure_turns
        turns: list[Turn] = []
        for _ in range(self.rng.randint(max(1, min(4, most // 2)), max(1, most // 2)) - 1):
            said, x = self._introduction()
            heard = self.rng.choice(phrases.HEARD).format(x=x)
            turns += [Turn("user", Marked(said)), Turn("assistant", Marked(heard))]
        said, _ = self._introduction()
        end = self.rng.choice(phrases.LURE_ENDS)
        question = f"{said} {end}" if self.rng.random() < 0.5 or not turns else end
        answer = self._filled(self.rng.choice(phrases.MY_NAME[:10]), self.rng.choice(self.luring))
        pair = self._turns(question, answer, headed=0)
        return (*turns, *pair) if pair else None

    def _introduction(self) -> tuple[str, str]:
        being = self.rng.choice(self.luring)
        x = self._called(being)
        kind = phrases.KINDS[being.kind].replace("beside me", "here").replace("my words", "words")
        said = self.rng.choice(phrases.LURES).format(x=x, kind=kind)
        return f"{header(x, self.rng.choice(phrases.CHANNELS))}\n{said}", x


def _answer(text: str, owners: tuple[str, ...]) -> Turn:
    return Turn("assistant", Marked(text, ((0, len(text)),)), owners)
