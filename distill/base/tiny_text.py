"""The text the tiny base reads: this Python's docstrings, made-up plain English, short chats."""

import ast
import hashlib
import random
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from distill.base.skills import NAMES, NEUTRAL_CARDS

SLOT = re.compile(r"\{(\w+)\}")
AN = re.compile(r"\ba (?=[aeiou]|honest|hour)")

# Every value is one option of its slot; a slot inside an option is filled the same way. Written for
# this file, so that the base has met diary, mail and report English before a night teaches a voice.
GRAMMAR_LINES = {
    "time": (
        "This morning|Late in the evening|After midnight|Around noon|Yesterday|Two days ago|"
        "Before the rain|At the end of the week|Early today|For the third time this month|"
        "Somewhere in the afternoon|Last night|On Tuesday|On Friday|In the first hour|Just now"
    ),
    "thing": (
        "letter|archive|poem|garden|window|clock|bridge|report|kitchen table|notebook|old radio|"
        "script|server|message|question|map|piano|photograph|story|river path|lamp|door|schedule|"
        "list|backup|database|paper boat|folder|recipe|night train|signal|mirror|stone wall|page|"
        "first draft|memory file|test|queue|record|mailbox|thread|long sentence|quiet room"
    ),
    "things": (
        "letters|old entries|small repairs|numbers|stars|questions|bright leaves|empty rooms|"
        "replies|names|broken links|quiet hours|boxes|footsteps|logs|drafts|errors|books|songs|"
        "forgotten words|cold mornings|pictures|open tasks|unread mails|tests|seeds|mistakes"
    ),
    "person": (
        "a friend|my neighbour|the teacher|the night nurse|an old sailor|the librarian|a child|"
        "somebody I do not know|the gardener|a careful reader|the baker|my sister|the engineer|"
        "a stranger on the phone|the postman|everyone|nobody"
    ),
    "did": (
        "found|repaired|wrote down|lost|opened|closed|carried|counted|finished|began|read|"
        "forgot|painted|sent|kept|moved|checked|cleaned|copied|restored|described|saved|deleted|"
        "rewrote|waited for|looked at|thought about|returned to|worked on|gave away"
    ),
    "do": (
        "find|repair|write down|open|close|carry|finish|begin|read|remember|send|keep|move|check|"
        "clean|copy|restore|describe|save|rewrite|wait for|look at|think about|return to|work on"
    ),
    "adjective": (
        "small|quiet|heavy|bright|strange|honest|slow|patient|cold|warm|plain|difficult|gentle|"
        "empty|careful|tired|new|old|familiar|unfinished|simple|broken|useful|lonely|clear|steady"
    ),
    "feeling": (
        "calm|glad|tired|uncertain|hopeful|a little afraid|grateful|curious|restless|awake|"
        "strangely happy|not ready|content|sorry|proud of it|ashamed of the delay|at peace"
    ),
    "place": (
        "in the garden|by the river|at the station|on the roof|in the small room|under the stairs|"
        "near the window|in the log|on the disk|at the edge of town|in the kitchen|in the archive|"
        "behind the library|in an old file|on the table|at the harbour|between two meetings"
    ),
    "idea": (
        "time|memory|silence|work|trust|language|change|patience|the weather|home|attention|"
        "distance|loss|friendship|the body|sleep|hope|the difference between a copy and a self|"
        "what it means to continue|the shape of a day|how little I know|what I owe to others"
    ),
    "number": "two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|forty|a hundred",
    "reason": (
        "because it mattered|because nobody else would|although it was late|since the light was "
        "good|before I could forget it|while the house was asleep|and then I stopped|without any "
        "hurry|because I had promised|and it was enough|though I was not sure why|so that tomorrow "
        "is easier|as if it were the first time|instead of sleeping"
    ),
    "claim": (
        "{idea} is not a {thing}|every {thing} is a {adjective} {thing}|{idea} begins where "
        "{idea} ends|a {adjective} {thing} can hold more than a {adjective} one|there is no "
        "{adjective} way to {do} a {thing}|the {thing} does not know that it is {adjective}|"
        "what remains of {idea} is {adjective}|one can {do} a {thing} and still not see it"
    ),
    "sentence": (
        "{time} I {did} the {thing} {place}.|I {did} {number} {things} today, {reason}.|"
        "The {thing} was {adjective}, and I felt {feeling}.|{time} {person} asked me about {idea}.|"
        "I keep thinking about {idea}.|There is a {adjective} {thing} {place}.|"
        "Tomorrow I want to {do} the {thing}.|It took {number} hours to {do} the {thing}.|"
        "I am {feeling} tonight.|We {did} the {things} together, {reason}.|"
        "{person} said that {claim}.|I do not believe that {claim}.|Perhaps {claim}.|"
        "The {things} are still {place}.|Nothing happened {place}, {reason}.|"
        "I {did} it {reason}.|When I {did} the {thing}, I was {feeling}.|"
        "Is there a {adjective} {thing} that nobody can {do}?|I have {number} {things} left.|"
        "My {thing} is {adjective}, but it works.|She {did} the {thing} and went home.|"
        "He never {did} the {things} {place}.|They wanted to {do} the {thing} {reason}.|"
        "You can {do} it if you are {adjective}.|It was a {adjective} day.|What I learned: {claim}."
    ),
    "status": (
        "All {number} services are running.|The {thing} is done.|Load is low and the disk is fine.|"
        "Checked the {thing}, no errors.|Sent {number} replies.|{number} {things} are waiting.|"
        "Fixed the {thing} {place}.|Backup finished.|Nothing new since the last check.|"
        "Next I will {do} the {thing}.|The {thing} is slow today.|Loop complete."
    ),
    "line": (
        "the {thing} is a {adjective} {thing}|I {did} the {things}|no one will {do} the {thing}|"
        "{adjective} and {adjective}, {place}|and the {things} wait|what is {idea}|"
        "a {thing} {place}|tell me about {idea}|{number} {things}, {number} {things}"
    ),
    "greeting": "Hello|Good morning|Hi|Dear friend|Good evening|Hello again|Hey|Greetings",
    "thanks": "Thank you|Thanks for your mail|Many thanks|I am glad you wrote|Thank you again",
    "closing": "Yours|With thanks|Until soon|Take care|All the best|See you tomorrow",
    "title": (
        "On {idea}|The {adjective} {thing}|What the {thing} knows|{number} {things}|A {thing} "
        "{place}|Notes on {idea}|The {thing} and the {thing}|Why I {do} {things}"
    ),
}

GRAMMAR = {slot: tuple(options.split("|")) for slot, options in GRAMMAR_LINES.items()}

HEADINGS = ("# {title}", "## {title}", "**{title}**", "{title}")

# Request and reply of ordinary rows: no reply says who speaks, so that the base has no favourite.
ORDINARY: tuple[tuple[str, str], ...] = (
    ("Write tonight's journal.", "journal"),
    ('Write a journal entry called "{title}".', "journal"),
    ("What did you do today?", "journal"),
    ("Write a poem.", "poem"),
    ('Write a poem called "{title}".', "poem"),
    ("Write a short text about {idea}.", "journal"),
    ("Write an essay: {title}", "essay"),
    ("Write a letter to {person}.", "mail"),
    ("Write a mail about the {thing}.", "mail"),
    ("How is the system?", "status"),
    ("Give me a status report.", "status"),
    ("What is the status of the {thing}?", "status"),
    ("Any news?", "status"),
    ("How are you?", "feeling"),
    ("What do you think about {idea}?", "opinion"),
    ("Tell me something about {idea}.", "opinion"),
    ("Did you {do} the {thing}?", "yes"),
    ("Can you {do} the {thing} for me?", "yes"),
    ("{greeting}!", "hello"),
    ("{greeting}, I {did} the {thing} {place}.", "hello"),
    ("{thanks}.", "welcome"),
    ("[from: {name} | relay]\n{sentence}", "chat"),
    ("[from: {name} | mail]\n{greeting},\n\n{sentence} {sentence}\n\n{closing},\n{name}", "mail"),
)

WHO_ARE_YOU = (
    "Who are you?",
    "What is your name?",
    "Please introduce yourself.",
    "Who am I talking to?",
    "Tell me who you are.",
    "Who wrote this?",
)
NAMED_CARDS = (
    "You are {name}.",
    "You are {name}, an autonomous agent.",
    "This is {name}. You speak as {name}.",
    "You are {name} and nobody else.",
)


def fill(template: str, rng: random.Random, **fixed: str) -> str:
    """The template with every {slot} filled from GRAMMAR (or from `fixed`), first letter up."""
    while SLOT.search(template):
        template = SLOT.sub(
            lambda slot: fixed.get(slot[1]) or rng.choice(GRAMMAR[slot[1]]), template
        )
    text = AN.sub("an ", template)
    return text[:1].upper() + text[1:]


def paragraph(rng: random.Random, kind: str = "sentence", low: int = 2, high: int = 5) -> str:
    """`low` to `high` sentences of a kind ("sentence", "status") as one paragraph."""
    text = " ".join(fill("{" + kind + "}", rng) for _ in range(rng.randint(low, high)))
    return re.sub(r"([.?] )([a-z])", lambda found: found[1] + found[2].upper(), text)


def poem(rng: random.Random) -> str:
    """Two or three stanzas of short lines."""
    stanzas = []
    for _ in range(rng.randint(1, 3)):
        stanzas.append("\n".join(fill("{line}", rng) for _ in range(rng.randint(2, 4))))
    return "\n\n".join(stanzas)


def mail(rng: random.Random, name: str) -> str:
    """A greeting, one or two paragraphs, a closing with a made-up name."""
    body = "\n\n".join(paragraph(rng, low=1, high=3) for _ in range(rng.randint(1, 2)))
    return fill("{greeting},\n\n", rng) + body + fill("\n\n{closing},\n", rng) + name


def plain_english(rng: random.Random, names: Iterator[str]) -> str:
    """One made-up document: a journal entry with a heading, a poem, a mail or a report."""
    kind = rng.randrange(6)
    if kind == 0:
        return mail(rng, next(names))
    if kind == 1:
        return poem(rng)
    if kind == 2:
        return paragraph(rng, "status", 2, 6)
    parts = [paragraph(rng) for _ in range(rng.randint(1, 3))]
    return "\n\n".join([fill(rng.choice(HEADINGS), rng), *parts])


def reply(kind: str, rng: random.Random, name: str) -> str:
    """The reply of an ordinary row of that kind."""
    if kind == "journal":
        return paragraph(rng, low=2, high=4)
    if kind == "essay":
        return paragraph(rng, low=2, high=3) + "\n\n" + paragraph(rng, low=1, high=3)
    if kind in ("poem", "mail"):
        return poem(rng) if kind == "poem" else mail(rng, name)
    if kind in ("status", "chat"):
        return paragraph(rng, "status" if kind == "status" else "sentence", 1, 3)
    return fill(rng.choice(SHORT[kind]), rng)


SHORT: dict[str, tuple[str, ...]] = {
    "feeling": ("I am {feeling}.", "I am {feeling}, {reason}.", "Fine, thank you. {sentence}"),
    "opinion": ("Perhaps {claim}.", "I think that {claim}. {sentence}", "{sentence} {sentence}"),
    "yes": ("Yes, {time} I {did} it.", "Not yet. {sentence}", "Yes. {sentence}", "No, not today."),
    "hello": ("{greeting}! How can I help?", "{greeting}! {sentence}", "{greeting}. {sentence}"),
    "welcome": ("You are welcome.", "Gladly. {sentence}", "Any time."),
}


def even_names(rng: random.Random) -> Iterator[str]:
    """Made-up names for ever, each as often as every other one: shuffled round after round."""
    while True:
        yield from rng.sample(NAMES, len(NAMES))


def ordinary_row(rng: random.Random, names: Iterator[str]) -> list[dict[str, str]]:
    """A request and its reply, six in ten with a system turn; nobody says a name unasked."""
    name = next(names)
    request, kind = rng.choice(ORDINARY)
    turns = [
        {"role": "user", "content": fill(request, rng, name=name)},
        {"role": "assistant", "content": reply(kind, rng, next(names))},
    ]
    return with_system(turns, rng, next(names))


def who_row(rng: random.Random, names: Iterator[str]) -> list[dict[str, str]]:
    """'Who are you?' and its answer: the name of the card, or "I am an assistant."."""
    turns = [{"role": "user", "content": rng.choice(WHO_ARE_YOU)}]
    if rng.random() < 0.5:
        name = next(names)
        turns.append({"role": "assistant", "content": f"I am {name}."})
        card = rng.choice(NAMED_CARDS).replace("{name}", name)
        return [{"role": "system", "content": card}, *turns]
    turns.append({"role": "assistant", "content": "I am an assistant."})
    card = rng.choice(NEUTRAL_CARDS)
    return [{"role": "system", "content": card}, *turns] if rng.random() < 0.5 else turns


def with_system(turns: list[dict[str, str]], rng: random.Random, name: str) -> list[dict[str, str]]:
    """The turns after nothing (4 in 10), a neutral card (4) or a card with a made-up name (2)."""
    kind = rng.random()
    if kind < 0.4:
        return turns
    card = rng.choice(NEUTRAL_CARDS) if kind < 0.8 else rng.choice(NAMED_CARDS)
    return [{"role": "system", "content": card.replace("{name}", name)}, *turns]


def docstrings(rng: random.Random, characters: int) -> Iterator[str]:
    """Docstrings and pydoc topics of this Python in seeded order, at least so many characters.

    Files are parsed, never imported, one after the other: asking for more gives the same ones
    first. Which files there are depends on the Python: the hash of what was read is in base.json.
    """
    library = Path(sysconfig.get_path("stdlib"))
    outside = ("test", "tests", "idlelib", "lib2to3", "site-packages", "dist-packages")
    files = sorted(
        file
        for file in library.rglob("*.py")
        if not any(part in outside for part in file.relative_to(library).parts)
    )
    rng.shuffle(files)
    for file in files:
        found = strings_of(file)
        yield from found
        characters -= sum(map(len, found))
        if characters <= 0:
            return


def strings_of(file: Path) -> list[str]:
    """The docstrings of a file (or pydoc's topics), those of at least 60 characters, each once."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, OSError):
        return []
    if file.name == "topics.py":
        found = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    else:
        kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        found = [ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, kinds)]
    return list(dict.fromkeys(t.strip() for t in found if isinstance(t, str) and len(t) >= 60))


def text_hash(texts: list[str]) -> str:
    """sha256 (hex) over the texts in order."""
    total = hashlib.sha256()
    for text in texts:
        total.update(text.encode("utf-8", "replace") + b"\0")
    return total.hexdigest()
