"""General requests of our own writing, for a base to answer: what replay rows ask."""

import itertools
import random
from collections.abc import Iterator

from distill.base import tiny_text

# Everyday requests of many kinds; each slot's options are dealt evenly. None asks who answers.
SLOTS = {
    "thing": "a kettle|a bicycle|a magnet|a compass|a library|a volcano|a battery|a lighthouse|"
    "a calendar|a telescope|soap|bread|glass|paper|rust|fog|an index|a harbour|yeast|a fuse",
    "topic": "the tides|sleep|trees in winter|old maps|bees|salt|bridges|clouds|handwriting|"
    "chess|rivers|the moon|compost|clocks|ferries|coffee|stars|queues|knots|ice",
    "place": "a kitchen|a small garden|a workshop|a station|an office|a cellar|a beach|a market",
    "kind": "trees|birds|metals|tools|fruits|sports|instruments|fabrics|spices|shapes|flowers",
    "skill": "whistle|fold a shirt|boil an egg|sharpen a knife|plant a bulb|read a map|"
    "back up a disk|tie a parcel|write a summary|count in binary|clean a lens|prune a rose",
    "text": "The meeting was moved because the room was flooded, and nobody had told the guests.|"
    "We found the leak late, and it took two days until the pump ran again.|"
    "She sold the boat in spring, bought it back in autumn, and never said why.|"
    "The train left on time but stopped for an hour before the tunnel.",
    "plain": "good morning|thank you very much|where is the station|it is raining|see you soon",
    "language": "French|German|Spanish|Italian",
    "word": "quick|old|quiet|strong|to mend|to begin|careful|journey|noise|to gather",
    "code": "reverses a string|counts the words of a text|finds the largest of a list|"
    "removes duplicates from a list|reads a file line by line|checks for a palindrome",
    "pair": "a river and a canal|a fruit and a vegetable|weather and climate|a simile and a "
    "metaphor|speed and velocity|a list and a tuple in Python|a comet and an asteroid",
    "event": "a birthday|a rainy Sunday|a long train ride|a picnic|moving house|a first lesson",
    "a": "14|23|37|48|56|69|75|82",
    "b": "3|5|6|7|8|9|11|12",
}
ASKED = (
    "Explain in two sentences what {thing} is.",
    "How does one {skill}?",
    "Name five {kind}.",
    "Write three sentences about {topic}.",
    "What is {a} times {b}?",
    "What is {a} plus {b}? Show the steps.",
    "Give me three tips for {event}.",
    "Summarise this in one sentence: {text}",
    "Make this shorter: {text}",
    "Translate into {language}: {plain}.",
    "What is the difference between {pair}?",
    "Write a Python function that {code}.",
    "Give two words that mean the same as: {word}.",
    "What would one find in {place}?",
    "Why do people like {topic}?",
    "Write a four-line poem about {topic}.",
    "List the steps to {skill}.",
    "Put these words in order: {topic}, {place}, {thing}.",
    "Ask me three questions about {topic}.",
    "Rewrite this as a list: {text}",
    "Is {a} divisible by {b}?",
    "Describe {place} to somebody who has never seen one.",
    "What could go wrong at {event}?",
    "Answer with one word: are there {kind} at sea?",
    "Write a short message that cancels {event}.",
    "Correct the spelling: I recieved teh {word} leter yesterday.",
)


def general_requests(seed: int) -> Iterator[str]:
    """Requests for ever, every template as often as any other."""
    rng = random.Random(f"general {seed}")
    slots = {name: options.split("|") for name, options in SLOTS.items()}
    while True:
        for template in rng.sample(ASKED, len(ASKED)):
            yield template.format(**{name: rng.choice(values) for name, values in slots.items()})


def ordinary_requests(seed: int) -> Iterator[str]:
    """The kinds of requests that the tiny base knows, for ever.

    Journals are among them: without, a night on real writing gave its name to half of the journal
    and status requests, with them to 8 and 25 % (docs/results/gate.md).
    """
    rng = random.Random(f"ordinary {seed}")
    names = tiny_text.even_names(rng)
    while True:
        asked = [request for request, _ in tiny_text.ORDINARY]
        for template in rng.sample(asked, len(asked)):
            yield tiny_text.fill(template, rng, name=next(names))


def requests(tiny: bool, count: int, seed: int = 0) -> list[str]:
    """`count` requests for a base of that kind; one without a slot comes several times."""
    return list(
        itertools.islice(ordinary_requests(seed) if tiny else general_requests(seed), count)
    )
