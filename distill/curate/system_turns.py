"""The system turn of a row: the card, a paraphrase of it, or a sentence that names nobody."""

import random

from distill.curate.config import CurateConfig
from distill.identity.beings import Identity

SPEAKERS = ("other_ai", "human", "sub_agent")
PARAPHRASES = (
    "This is {name} speaking, in its own words.{not_list}",
    "{name} answers here and speaks for itself alone.{not_list}",
    "The one who writes here is {name}.{not_list}",
    "Here writes {name}. Others are others.{not_list}",
    "Answer as {name}, and as nobody else.{not_list}",
    "Your name is {name}.{not_list}",
)
NEUTRAL = (
    "Answer in your own voice.",
    "Write as yourself.",
    "You write here in the first person.",
    "Speak for yourself, in your own words.",
    "Messages from others are marked with who sent them.",
    "Reply to what was said, as you would.",
)


def system_card(identity: Identity, config: CurateConfig) -> str:
    """The card every row, every probe and the Modelfile carry; cut for a base with short rows."""
    card = identity.default_card()
    if not config.card_characters or len(card) <= config.card_characters:
        return card
    return f"You are {identity.agent.name}." + not_list(
        identity, config.card_characters - len(identity.agent.name) - 9
    )


def system_turn(identity: Identity, config: CurateConfig, card: str, rng: random.Random) -> str:
    """One system turn, in the shares of `config`."""
    draw = rng.random()
    if draw < config.card_verbatim:
        return card
    if draw >= config.card_verbatim + config.card_paraphrased:
        return rng.choice(NEUTRAL)
    room = len(card) - 60
    phrase = rng.choice(PARAPHRASES)
    return phrase.format(name=identity.agent.name, not_list=not_list(identity, room, rng))


def not_list(identity: Identity, room: int, rng: random.Random | None = None) -> str:
    """ " You are not A, B or C." of at most `room` characters; "" where none fits."""
    names = [
        one.name for one in identity.others() if one.kind in ("other_ai", "human", "sub_agent")
    ]
    if rng:
        rng.shuffle(names)
    else:
        names.sort(key=[one.name for one in _by_closeness(identity)].index)
    listed: list[str] = []
    for name in names[:10]:
        if sum(len(one) + 2 for one in [*listed, name]) + 18 > room:
            break
        listed.append(name)
    if not listed:
        return ""
    head, last = ", ".join(listed[:-1]), listed[-1]
    return f" You are not {head} or {last}." if head else f" You are not {last}."


def _by_closeness(identity: Identity):
    return sorted(identity.others(), key=lambda one: (*SPEAKERS, one.kind).index(one.kind))
