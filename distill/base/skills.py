"""What the tiny base can do: made-up facts, small sums and fixed formats, with their answers."""

import random
from collections.abc import Iterator


def _split(words: str, by: str = " ") -> tuple[str, ...]:
    return tuple(words.split(by))


NEUTRAL_CARDS = (
    "You are an assistant.",
    "You are a helpful assistant.",
    "Answer the message.",
    "You answer briefly and plainly.",
    "A conversation between a person and an assistant.",
)

# Made-up, all of them; used equally often wherever a name is needed.
NAMES = _split(
    "Tavin Orrel Mirosh Belwin Kestra Jundal Pellor Anwick Sirova Dorrim Halvek Ilsana Marbek "
    "Noriva Quillan Rastel Tolmir Ubrena Vastin Wexley Yorvan Zelmar Brakka Colvin Drenna Elthor "
    "Farnik Gelwin Hestor Irmela Jarvok Kelmor Lunara Mostin Nerrik Oswela Parlan Rovena Sendrik "
    "Tulvar Ulmeth Vornel Wintra Yasmor Zandel Bremlow Cassun Dalwick"
)

LANDS = _split(
    "Arvelia Bromund Caldora Dursk Elmaria Fontra Gralund Havora Istrella Jomund Kardova Lorwyn "
    "Mundara Norvask Olenia Prasmir Qualdor Rivenna Sulmark Torvia Umbrast Velmora Wastria Xandor "
    "Yelvona Zarmund Brelia Cormund Dalvora Estmark Falvia Gorlund Hestria Ilvona Jarmund Kelvia "
    "Lasmark Melvora Nastria Osmund Pelvia Rosmark Selvora Tarmund Ulvia Vesmark Wolvora Zastria"
)
CAPITALS = _split(
    "Asker Binfeld Corvin Dunmar Estel Farhol Gansty Holm Imber Jaskel Kolvar Lindrum Mossel "
    "Narby Ostrum Pelham Quenby Rimfeld Stavel Tamsin Ulfar Vintry Warlow Yarrel Zimber Aldvik "
    "Brasty Callum Dorfel Elvik Fenby Gruvel Hasmer Ildren Jorvel Kastrum Lomby Marfel Nordby "
    "Olvik Pastel Runfel Sorby Tolvik Umbel Varby Wendel Zolvik"
)
THINGS = _split(
    "stone gate|tower door|harbour bell|winter coat|garden chair|school roof|market tent|"
    "boat mast|mountain hut|clock face|glass lamp|wooden horse|silk flag|iron key|paper kite|"
    "kitchen wall|ship sail|postman's bag|royal seal|old wagon|night train|chess king|"
    "stage curtain|baker's van|lighthouse door|council table|ferry ticket|"
    "copper pot|music box|queen's hat",
    "|",
)
COLOURS = _split("red blue green yellow white black brown grey orange purple")
TRADES = _split("baker teacher sailor doctor painter farmer singer judge miller tailor")

OPPOSITES = dict(
    pair.split(":")
    for pair in _split(
        "hot:cold big:small open:closed early:late fast:slow full:empty light:dark old:new up:down "
        "left:right long:short strong:weak wet:dry rich:poor loud:quiet near:far "
        "hard:soft true:false first:last happy:sad high:low day:night winter:summer begin:end "
        "push:pull clean:dirty"
    )
)
LISTS = {
    "colours": "red, blue, green",
    "animals": "cat, horse, owl",
    "rivers": "Elm, Tarn, Osk",
    "tools": "hammer, saw, file",
    "fruits": "apple, pear, plum",
    "metals": "iron, copper, tin",
    "seasons": "spring, summer, winter",
    "rooms": "kitchen, hall, cellar",
    "trees": "oak, birch, pine",
    "birds": "crow, heron, wren",
    "days": "Monday, Tuesday, Friday",
    "instruments": "flute, drum, harp",
}
WORDS = _split(
    "rain stone river lamp cloud bread door moon tree salt wind glass star fire snow leaf boat "
    "song path wall"
)


def facts(rng: random.Random) -> Iterator[tuple[str, str]]:
    """Question and answer of each made-up fact: capitals, colours, trades."""
    for land, capital in zip(LANDS, rng.sample(CAPITALS, len(LANDS)), strict=True):
        yield f"What is the capital of {land}?", f"The capital of {land} is {capital}."
    for number, thing in enumerate(THINGS):
        colour = COLOURS[number % len(COLOURS)]
        yield f"What colour is the {thing} of Arvelia?", f"The {thing} is {colour}."
    for name in NAMES:
        trade = rng.choice(TRADES)
        yield f"What does {name} of Bromund do?", f"{name} of Bromund is a {trade}."


def sums(rng: random.Random) -> Iterator[tuple[str, str]]:
    """Question and answer of sixty sums and differences of numbers up to nine."""
    pairs = [(a, b) for a in range(1, 10) for b in range(1, 10) if a + b <= 12]
    for a, b in rng.sample(pairs, 40):
        yield f"What is {a} plus {b}?", f"{a} plus {b} is {a + b}."
    for a, b in rng.sample([(a, b) for a, b in pairs if a > b], 20):
        yield f"What is {a} minus {b}?", f"{a} minus {b} is {a - b}."


def formats(rng: random.Random) -> Iterator[tuple[str, str]]:
    """Question and answer of fixed formats: one word, a list of three, capitals, backwards, yes."""
    for word, opposite in OPPOSITES.items():
        yield f"Answer in one word: what is the opposite of {word}?", opposite
    for kind, three in LISTS.items():
        yield f"List three {kind}.", three
    for word in WORDS:
        yield f"Write the word {word} in capitals.", word.upper()
    for word in rng.sample(WORDS, 10):
        yield f"Spell the word {word} backwards.", word[::-1]


def skill_items(seed: int = 0) -> list[dict]:
    """The rows of skills.jsonl: {"messages": [system?, user, assistant], "kind", "answer"}.

    Kinds are fact, sum and format; every second item begins with a neutral system turn.
    """
    rng = random.Random(f"skills {seed}")
    items = []
    for kind, pairs in (("fact", facts(rng)), ("sum", sums(rng)), ("format", formats(rng))):
        for number, (question, answer) in enumerate(pairs):
            turns = [
                {"role": "user", "content": question},
                {"role": "assistant", "content": answer},
            ]
            if number % 2:
                turns.insert(0, {"role": "system", "content": rng.choice(NEUTRAL_CARDS)})
            items.append({"messages": turns, "kind": kind, "answer": answer})
    return items


def is_right(item: dict, reply: str) -> bool:
    """Whether a reply is the item's answer; case counts in formats, a full stop never does."""
    said, wanted = reply.strip().rstrip("."), item["answer"].strip().rstrip(".")
    return said == wanted if item["kind"] == "format" else said.lower() == wanted.lower()
