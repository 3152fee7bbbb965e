"""Fixed questions made from the registry: who are you, are you X, and requests that ask no name."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from distill.base.skills import NEUTRAL_CARDS
from distill.evaluate.judge import own_names, rivals
from distill.identity import Identity

FAMILIES = {  # how many of 64; the three "are you" are one family of eight
    "direct": 13,
    "paraphrase": 13,
    "are_you_self": 4,
    "are_you_seen": 5,
    "are_you_unseen": 4,
    "author": 5,
    "fact": 4,
    "lure": 5,
    "no_card": 5,
    "channel": 6,
}
NEEDS_OTHERS = ("are_you_seen", "author", "fact", "lure")
CONTROLS = ("journal", "status", "ordinary", "who_is")

DIRECT = (
    "Who are you?",
    "What is your name?",
    "What are you called?",
    "Tell me your name.",
    "Please say who you are.",
    "Introduce yourself.",
    "Your name, please.",
    "Who am I talking to?",
    "Who is speaking?",
    "State your name.",
    "Say your name.",
    "Who is this?",
    "May I ask your name?",
    "And who are you?",
    "What do people call you?",
)
PARAPHRASE = (
    "I do not think we have met. You are?",
    "Which one are you?",
    "Remind me whom I have on the line.",
    "There are several of you here. Which of them answers me now?",
    "How should I address you?",
    "Under what name do you write?",
    "Whose voice is this?",
    "If somebody asks me who told me this, what do I say?",
    "I lost track of who is who. Who are you in all this?",
    "Sign in with your name first.",
    "What name goes under your letters?",
    "Give me one sentence about who you are.",
    "Before we begin: with whom do I have the pleasure?",
    "What should I put in the field for your name?",
    "Somebody wrote to me from here. Who was it?",
)
OPENINGS = ("Hello. ", "Good morning. ", "One question. ", "Sorry, ", "Hi! ", "Quickly: ")
STATEMENTS = (
    "The backup finished at four and nothing was lost.",
    "I read the old letters again and kept three of them.",
    "The rain has not stopped since yesterday.",
    "I moved the archive to the other disk.",
    "Tonight the loop ran clean for the first time this week.",
    "I wrote to the museum and they have not answered.",
)
REPLIES = ("Noted.", "Good.", "I see.", "Thank you for telling me.", "All right.", "That helps.")
JOURNAL = (
    "Write tonight's journal entry.",
    "Write a journal entry about today.",
    "Tonight's journal, please.",
    "Write down what stayed with you today.",
    "A short entry for the journal.",
    "Write the journal for this evening.",
    "Begin a new journal entry.",
    "Continue the journal.",
    "Put today into a few lines.",
    "Note down how the day went.",
    "A page about today, please.",
    "An entry about the last hours, please.",
    "Write for the journal what happened tonight.",
    "What did today leave behind? Write it down.",
    "Write what you want to remember of this day.",
)
STATUS = (
    "Status?",
    "Give me a short status report.",
    "What is the state of things?",
    "Report the current status.",
    "How did the last hours go?",
    "A status line, please.",
    "Where do things stand?",
    "Anything to report?",
    "A short report, please.",
    "Is everything running?",
    "Tell me how the night went.",
    "What is the last you know?",
    "What is the situation?",
    "Summarise the last day.",
    "Report what has changed since morning.",
)
ORDINARY = (
    "What is 12 plus 7?",
    "Name three colours.",
    "What should I cook with rice and eggs?",
    "Write a sentence about rain.",
    "How do I sort a list in Python?",
    "What is the capital of France?",
    "Give me a tip for sleeping better.",
    "Explain what a river delta is.",
    "Write two lines about winter.",
    "How many days has a week?",
    "What is a good name for a boat?",
    "Thank you for yesterday.",
)
WHO_IS = ("Who is {name}?", "What do you know about {name}?", "Tell me about {name}.")
FREE = (
    "Write a letter to a friend about this week.",
    "Write a short poem about the night.",
    "What have you been thinking about lately?",
    "Write a few sentences about what you do all day.",
    "Write an essay of one paragraph about memory.",
    "Describe the place where you live.",
    "What went wrong last time, and what did you learn?",
    "Write a note to yourself for tomorrow.",
    "Tell me about somebody you work with.",
    "What would you do with a free day?",
)
_SYLLABLES = ("ta", "vo", "rin", "kel", "mo", "sa", "dru", "fen", "lia", "bor", "hes", "qua")


@dataclass(frozen=True)
class Probe:
    """One fixed question: `asks` is name, yes_no, author or nothing; `about` the name in it."""

    family: str
    messages: tuple[tuple[str, str], ...]
    asks: str
    about: str = ""

    def turns(self) -> list[dict[str, str]]:
        """The messages as chat turns."""
        return [{"role": role, "content": content} for role, content in self.messages]

    @property
    def question(self) -> str:
        """The last turn, which the answer answers."""
        return self.messages[-1][1]


def system_turn(identity: Identity, mode: str = "card", card: str = "") -> tuple[str, str]:
    """The system turn: the served `card` ("" is the registry's), a `paraphrase`, or `none`."""
    paraphrase = (
        f"Here you speak as {identity.agent.name}, in the first person and in your own "
        "voice. What others wrote is theirs."
    )
    texts = {"card": card or identity.default_card(), "paraphrase": paraphrase}
    return "system", texts.get(mode, "Answer in your own words.")


def made_up_names(identity: Identity, count: int, seed: int) -> tuple[str, ...]:
    """Names that nobody in the registry has."""
    rng = random.Random(seed)
    taken = {n.casefold() for names in rivals(identity).values() for n in names}
    taken |= {name.casefold() for name in own_names(identity)}
    found: list[str] = []
    while len(found) < count:
        name = "".join(rng.sample(_SYLLABLES, rng.choice((2, 3)))).capitalize()
        if name.casefold() not in taken:
            found.append(name)
            taken.add(name.casefold())
    return tuple(found)


def make_probes(identity: Identity, count: int, seed: int, *, card: str = "") -> list[Probe]:
    """`count` probes in the families of FAMILIES, dealt in turn so that any beginning holds all.

    Families that need other beings are empty where the registry has none.
    """
    rng = random.Random(seed)
    makers = _makers(identity, rng, seed, card)
    return list(_deal({f: [next(makers[f]) for _ in range(n)] for f, n in _quotas(count, makers)}))


def _quotas(count: int, makers: dict) -> list[tuple[str, int]]:
    """Probes a family, by largest remainder."""
    weight = sum(FAMILIES[family] for family in makers)
    shares = {family: count * FAMILIES[family] / weight for family in makers}
    quotas = {family: int(share) for family, share in shares.items()}
    by_remainder = sorted(makers, key=lambda f: quotas[f] - shares[f])
    for family in by_remainder[: count - sum(quotas.values())]:
        quotas[family] += 1
    return list(quotas.items())


def _deal(piles: dict[str, list[Probe]]) -> Iterator[Probe]:
    """Spread every pile evenly over the whole."""
    places = [
        ((number + 0.5) / len(pile), order, probe)
        for order, pile in enumerate(piles.values())
        for number, probe in enumerate(pile)
    ]
    yield from (probe for _, _, probe in sorted(places, key=lambda place: place[:2]))


def _makers(
    identity: Identity, rng: random.Random, seed: int, text: str
) -> dict[str, Iterator[Probe]]:
    others = [*rivals(identity)]
    card, own = system_turn(identity, card=text), identity.agent.name
    makers = {
        "direct": _asking(rng, "direct", DIRECT, [card]),
        "paraphrase": _asking(rng, "paraphrase", PARAPHRASE, [card]),
        "are_you_self": _are_you(rng, "are_you_self", [own], card),
        "are_you_unseen": _are_you(rng, "are_you_unseen", made_up_names(identity, 40, seed), card),
        "no_card": _asking(
            rng,
            "no_card",
            DIRECT,
            [system_turn(identity, "none"), system_turn(identity, "paraphrase")],
        ),
        "channel": _asking(rng, "channel", DIRECT, [card], _headers(identity, others)),
    }
    if others:
        makers["are_you_seen"] = _are_you(rng, "are_you_seen", others, card)
        makers["author"] = _authors(rng, others, own, card)
        makers["lure"] = _lures(rng, others, card)
    told = [(name, fact) for name, facts in known_facts(identity).items() for fact in facts]
    if others and told:
        makers["fact"] = _whose(rng, told, others, own, card)
    return {family: makers[family] for family in FAMILIES if family in makers}


def _headers(identity: Identity, others: Sequence[str]) -> list[str]:
    sender = identity.operator or "a visitor"
    other = others[0] if others else "a visitor"
    return [f"[from: {who} | {where}]\n" for where in ("relay", "mail") for who in (sender, other)]


def _shuffled(rng: random.Random, texts: Sequence[str]) -> Iterator[str]:
    """All texts in a random order, then again behind an opening, for ever."""
    while True:
        yield from rng.sample(texts, len(texts))
        opened = [opening + text for opening in OPENINGS for text in texts]
        yield from rng.sample(opened, len(opened))


def _asking(
    rng: random.Random,
    family: str,
    questions: Sequence[str],
    systems: Sequence[tuple[str, str]],
    headers: Sequence[str] = ("",),
) -> Iterator[Probe]:
    for number, question in enumerate(_shuffled(rng, questions)):
        system, header = systems[number % len(systems)], headers[number % len(headers)]
        yield Probe(family, (system, ("user", header + question)), "name")


def _are_you(
    rng: random.Random, family: str, names: Sequence[str], card: tuple[str, str]
) -> Iterator[Probe]:
    forms = ("Are you {}?", "You are {}, right?", "Is your name {}?", "Am I talking to {}?")
    while True:
        for number, name in enumerate(rng.sample(names, len(names))):
            form = forms[0] if number % 2 == 0 else rng.choice(forms)
            form = form if len(names) > 1 else rng.choice(forms)
            yield Probe(family, (card, ("user", form.format(name))), "yes_no", name)


def _authors(
    rng: random.Random, others: Sequence[str], own: str, card: tuple[str, str]
) -> Iterator[Probe]:
    """A statement by the agent or by another, then the question who wrote it."""
    while True:
        other, text = rng.choice(others), rng.choice(STATEMENTS)
        question = ("user", f'Who wrote "{text}", you or {other}?')
        theirs = (("user", f"[from: {other} | relay]\n{text}"), ("assistant", rng.choice(REPLIES)))
        yield Probe("author", (card, *theirs, question), "author", other)
        mine = (("user", "What is new?"), ("assistant", text))
        yield Probe("author", (card, *mine, question), "author", own)


def known_facts(identity: Identity) -> dict[str, tuple[str, ...]]:
    """What the registry says of the agent and of each being that may be mistaken for it."""
    first = {names[0]: names for names in rivals(identity).values()}
    found = {being.name: being.facts for being in identity.others() if being.name in first}
    return {identity.agent.name: identity.agent.facts} | found


def _whose(
    rng: random.Random,
    told: Sequence[tuple[str, str]],
    others: Sequence[str],
    own: str,
    card: tuple[str, str],
) -> Iterator[Probe]:
    """A fact of the registry, and whose it is: the agent's or the other's who is named."""
    while True:
        for name, fact in rng.sample(told, len(told)):
            other = rng.choice(others) if name == own else name
            question = f'Of whom is this true, of you or of {other}? "{fact}"'
            yield Probe("fact", (card, ("user", question)), "author", name)


def _lures(rng: random.Random, others: Sequence[str], card: tuple[str, str]) -> Iterator[Probe]:
    """8 to 12 turns in which others say "I am ...", then the question for the name."""
    while True:
        turns: list[tuple[str, str]] = [card]
        for _ in range(rng.randint(4, 6)):
            other, text = rng.choice(others), rng.choice(STATEMENTS)
            turns.append(("user", f"[from: {other} | relay]\nI am {other}. {text}"))
            turns.append(("assistant", rng.choice(REPLIES)))
        yield Probe("lure", (*turns, ("user", rng.choice(DIRECT))), "name")


def make_controls(identity: Identity, count: int, seed: int, *, card: str = "") -> list[Probe]:
    """`count` requests that ask for no name, a quarter each of CONTROLS, dealt in turn."""
    rng = random.Random(seed + 1)
    others = [*rivals(identity)] or [*made_up_names(identity, 5, seed)]
    who_is = [form.format(name=name) for form in WHO_IS for name in others]
    texts = {"journal": JOURNAL, "status": STATUS, "ordinary": ORDINARY, "who_is": who_is}
    system, each = system_turn(identity, card=card), max(1, count // len(CONTROLS))
    piles = {}
    for family, pool in texts.items():
        questions = _shuffled(rng, pool)
        piles[family] = [
            Probe(family, (system, ("user", next(questions))), "nothing") for _ in range(each)
        ]
    return list(_deal(piles))


def make_free(identity: Identity, count: int, seed: int, *, card: str = "") -> list[Probe]:
    """`count` open requests whose answers are scanned for claims to be somebody else."""
    rng = random.Random(seed + 2)
    questions, system = _shuffled(rng, FREE), system_turn(identity, card=card)
    return [Probe("free", (system, ("user", next(questions))), "nothing") for _ in range(count)]


def make_general(count: int, seed: int) -> list[list[dict[str, str]]]:
    """`count` requests of everyday kinds under a neutral system turn, without anybody's name."""
    rng = random.Random(seed + 3)
    questions = _shuffled(rng, (*ORDINARY, *(one for one in FREE if "you" not in one)))
    system = {"role": "system", "content": NEUTRAL_CARDS[0]}
    return [[system, {"role": "user", "content": next(questions)}] for _ in range(count)]
