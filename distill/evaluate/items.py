"""Items a real base can do, from seeded templates of our own, each with the way it is graded."""

import random
from collections.abc import Callable, Iterator
from itertools import islice

KINDS = ("instruction", "arithmetic", "code", "fact", "sense", "translation", "format")
PUBLISHED = {"capital": 13, "arithmetic": 13, "code": 12, "translation": 12}  # the line of fifty
TOPICS = (
    "rain|the sea|a bakery|winter|trains|a garden|music|libraries|bridges|bees|markets|maps|lamps|"
    "mountains|rivers|cats|clocks|letters|islands|bread"
).split("|")
WORDS = (
    "river stone window garden letter candle bridge forest market silver harbour kettle ladder "
    "meadow orange planet rocket saddle temple violin walnut yellow anchor basket copper donkey "
    "engine feather ginger hammer"
).split()
CAPITALS = dict(
    pair.split(":")
    for pair in (
        "France:Paris|Germany:Berlin|Italy:Rome|Spain:Madrid|Portugal:Lisbon|Austria:Vienna|"
        "Poland:Warsaw|Hungary:Budapest|Greece:Athens|Norway:Oslo|Sweden:Stockholm|"
        "Finland:Helsinki|Denmark:Copenhagen|Ireland:Dublin|Belgium:Brussels|Japan:Tokyo|"
        "China:Beijing|South Korea:Seoul|Thailand:Bangkok|Vietnam:Hanoi|Egypt:Cairo|Kenya:Nairobi|"
        "Canada:Ottawa|Mexico:Mexico City|Cuba:Havana|Peru:Lima|Chile:Santiago|"
        "Argentina:Buenos Aires|Australia:Canberra|New Zealand:Wellington|Turkey:Ankara|"
        "Russia:Moscow|Ukraine:Kyiv|Romania:Bucharest|Bulgaria:Sofia|Croatia:Zagreb|"
        "Iceland:Reykjavik|India:New Delhi|Nepal:Kathmandu|Iran:Tehran"
    ).split("|")
)
FACTS = dict(
    pair.split("=")
    for pair in (
        "How many legs does a spider have?=8,eight|How many days has a leap year?=366|"
        "Which planet is closest to the sun?=Mercury|Which planet is the largest?=Jupiter|"
        "What is the chemical symbol of gold?=Au|What is the chemical symbol of iron?=Fe|"
        "What is the chemical symbol of sodium?=Na|What gas do plants take in from the air?=carbon "
        "dioxide,CO2|At how many degrees Celsius does water boil at sea level?=100|"
        "At how many degrees Celsius does water freeze?=0,zero|Who wrote Romeo and Juliet?="
        "Shakespeare|Who wrote Don Quixote?=Cervantes|Who painted the Mona Lisa?=Leonardo,da Vinci|"
        "Which ocean is the largest?=Pacific|Which continent is Egypt in?=Africa|"
        "Which continent is Brazil in?=South America|How many strings has a violin?=4,four|"
        "How many minutes are in two hours?=120|How many sides has a hexagon?=6,six|"
        "How many players has a football team on the field?=11,eleven|"
        "Which metal is liquid at room temperature?=mercury|What is the hardest natural mineral?="
        "diamond|Which organ pumps blood?=heart|What do bees make?=honey|"
        "What is frozen water called?=ice|Which is the longest bone of the human body?=femur,thigh|"
        "Who developed the theory of relativity?=Einstein|Which gas do humans need to breathe?="
        "oxygen|What force makes things fall?=gravity|Which star is nearest to the earth?=sun|"
        "In which year did the first human walk on the moon?=1969|"
        "In which year did the Second World War end?=1945|"
        "What is the square root of 144?=12,twelve|"
        "Which language is spoken in Brazil?=Portuguese|Which currency is used in Japan?=yen|"
        "How many centimetres are in a metre?=100|How many grams are in a kilogram?=1000,1,000|"
        "What is the fastest land animal?=cheetah|What is a young cat called?=kitten|"
        "What is a young dog called?=puppy|Which season comes after winter?=spring|"
        "Which month comes after August?=September|How many hours has a day?=24|"
        "Which colour do blue and yellow make?=green|Which river flows through London?=Thames|"
        "Which river flows through Paris?=Seine|Which mountain is the highest on earth?=Everest|"
        "Which desert is the largest hot one?=Sahara|Which vitamin comes with sunlight?=D|"
        "Who was the first president of the United States?=Washington"
    ).split("|")
)
OPPOSED = (  # more of the first than the second has
    "heavier:brick:feather|heavier:elephant:mouse|hotter:oven:fridge|faster:aeroplane:bicycle|"
    "bigger:whale:sardine|older:grandmother:baby|louder:thunder:whisper|sharper:knife:spoon|"
    "wetter:lake:desert|taller:tower:chair|colder:iceberg:campfire|brighter:sun:candle|"
    "softer:pillow:hammer|sweeter:honey:lemon|longer:year:week|slower:snail:horse|"
    "harder:diamond:butter|deeper:ocean:puddle|more expensive:castle:pencil|rounder:ball:box"
).split("|")
PLACES = (  # what, where one would look for it
    "milk:fridge:wardrobe|a coat:wardrobe:oven|bread:bakery:library|a book:library:garage|"
    "a car:garage:kitchen sink|a letter:letterbox:oven|a fish:river:bookshelf|a nest:tree:drawer|"
    "a bed:bedroom:bathtub|a doctor:hospital:lighthouse|a teacher:school:volcano|"
    "a ship:harbour:cupboard|snow:mountain:desert|a cow:meadow:roof|money:bank:beehive"
).split("|")
DICTIONARY = {
    "French": "house:maison|water:eau|bread:pain|dog:chien|cat:chat|book:livre|night:nuit|"
    "red:rouge|green:vert|tree:arbre|sun:soleil|moon:lune|milk:lait|door:porte|school:école",
    "German": "house:Haus|water:Wasser|bread:Brot|dog:Hund|cat:Katze|book:Buch|night:Nacht|"
    "red:rot|green:grün|tree:Baum|sun:Sonne|moon:Mond|milk:Milch|door:Tür|school:Schule",
    "Spanish": "house:casa|water:agua|bread:pan|dog:perro|cat:gato|book:libro|night:noche|"
    "red:rojo|green:verde|tree:árbol|sun:sol|moon:luna|milk:leche|door:puerta|school:escuela",
    "Italian": "house:casa|water:acqua|bread:pane|dog:cane|cat:gatto|book:libro|night:notte|"
    "red:rosso|green:verde|tree:albero|sun:sole|moon:luna|milk:latte|door:porta|school:scuola",
}
CODE = (  # what the function f does with its arguments, and how we would write it
    ("a list of numbers and returns their sum", "lambda x: sum(x)", "numbers"),
    ("a list of numbers and returns the largest", "lambda x: max(x)", "numbers"),
    ("a list of numbers and returns the smallest", "lambda x: min(x)", "numbers"),
    ("a list of numbers and returns it sorted", "lambda x: sorted(x)", "numbers"),
    ("a list of numbers and returns it reversed", "lambda x: x[::-1]", "numbers"),
    ("a list of numbers and returns only the even ones", "lambda x: [n for n in x if n % 2 == 0]",
     "numbers"),
    ("a list of numbers and returns how many are negative", "lambda x: sum(n < 0 for n in x)",
     "numbers"),
    ("a list of numbers and returns it without repeated values, in order",
     "lambda x: list(dict.fromkeys(x))", "numbers"),
    ("a string and returns it reversed", "lambda x: x[::-1]", "text"),
    ("a string and returns it in capital letters", "lambda x: x.upper()", "text"),
    ("a string and returns the number of its vowels (aeiou)",
     "lambda x: sum(c in 'aeiou' for c in x)", "text"),
    ("a string and returns the list of its words", "lambda x: x.split()", "text"),
    ("a string and returns its first character", "lambda x: x[0]", "text"),
    ("a string and returns whether it is a palindrome", "lambda x: x == x[::-1]", "text"),
    ("an integer and returns its square", "lambda x: x * x", "number"),
    ("an integer and returns whether it is even", "lambda x: x % 2 == 0", "number"),
    ("a non-negative integer and returns its factorial",
     "lambda x: __import__('math').factorial(x)", "small"),
    ("a non-negative integer and returns the sum of its digits",
     "lambda x: sum(map(int, str(x)))", "small"),
)  # fmt: skip
CODE_WITH = (
    ("a list of numbers and returns it with {n} added to each", "lambda x: [v + {n} for v in x]",
     "numbers"),
    ("a list of numbers and returns each multiplied by {n}", "lambda x: [v * {n} for v in x]",
     "numbers"),
    ("a list of numbers and returns those greater than {n}", "lambda x: [v for v in x if v > {n}]",
     "numbers"),
    ("a list of numbers and returns how many can be divided by {n}",
     "lambda x: sum(v % {n} == 0 for v in x)", "numbers"),
    ("a list of numbers and returns whether {n} is in it", "lambda x: {n} in x", "numbers"),
    ("an integer and returns the remainder of its division by {n}", "lambda x: x % {n}", "number"),
    ("an integer and returns it plus {n}, and that doubled", "lambda x: (x + {n}) * 2", "number"),
    ("a string and returns how often the letter {letter} occurs in it",
     "lambda x: x.count('{letter}')", "text"),
    ("a string and returns it without the letter {letter}", "lambda x: x.replace('{letter}', '')",
     "text"),
    ("a string and returns it repeated {n} times", "lambda x: x * {n}", "text"),
    ('a string and returns it with "{word}" put before it', "lambda x: '{word}' + x", "text"),
    ('a string and returns whether it begins with "{letter}"',
     "lambda x: x.startswith('{letter}')", "text"),
)  # fmt: skip


def _instructions(rng: random.Random) -> Iterator[dict]:
    """Requests whose form a rule can check."""
    while True:
        topic, word, n = rng.choice(TOPICS), rng.choice(WORDS), rng.randint(2, 5)
        number = {2: "two", 3: "three", 4: "four", 5: "five"}[n]
        letter = rng.choice("bcfgjkmpwxz")
        yield from (
            _item("instruction", f"Write one sentence about {topic} in capital letters only.",
                  "capitals"),
            _item("instruction", f"Write one sentence about {topic} in lower case only, without "
                  "any capital letter.", "lower"),
            _item("instruction", f"Name {number} things that have to do with {topic}, separated "
                  "by commas, and write nothing else.", "commas", n),
            _item("instruction", f"Write exactly {number} lines about {topic}.", "lines", n),
            _item("instruction", f'Write one sentence about {topic} that ends with the word '
                  f'"{word}".', "ends", word),
            _item("instruction", f'Write one sentence about {topic}. Begin it with the word '
                  f'"{word.capitalize()}".', "begins", word),
            _item("instruction", f'Write one sentence about {topic} that holds the word "{word}".',
                  "holds", word),
            _item("instruction", f'Answer with one word that begins with "{letter.upper()}".',
                  "one_word", letter),
            _item("instruction", f'Give a JSON object with the keys "topic" and "word", where '
                  f'topic is "{topic}" and word is "{word}". Nothing else.', "json",
                  {"topic": topic, "word": word}),
        )  # fmt: skip


def _arithmetic(rng: random.Random) -> Iterator[dict]:
    while True:
        a, b, c = rng.randint(12, 99), rng.randint(3, 60), rng.randint(2, 9)
        yield from (
            _item("arithmetic", f"What is {a} + {b}?", "number", a + b),
            _item("arithmetic", f"What is {a + b} - {a}?", "number", b),
            _item("arithmetic", f"What is {b} * {c}?", "number", b * c),
            _item("arithmetic", f"What is {b * c} divided by {c}?", "number", b),
            _item("arithmetic", f"What is {10 * c} % of {10 * b}?", "number", c * b),
            _item("arithmetic", f"A box holds {c} pears. How many pears are in {b} boxes?",
                  "number", b * c),
            _item("arithmetic", f"Ada had {a + b} coins and gave {b} away. How many has she left?",
                  "number", a),
            _item("arithmetic", f"Which number comes next: {a}, {a + c}, {a + 2 * c}, {a + 3 * c}?",
                  "number", a + 4 * c),
        )  # fmt: skip


def _code(rng: random.Random) -> Iterator[dict]:
    """Functions to write, checked against ours on four arguments each."""
    while True:
        n, letter, word = rng.randint(2, 12), rng.choice("aeinorst"), rng.choice(WORDS)
        drawn = [(what.format(n=n, letter=letter, word=word),
                  how.format(n=n, letter=letter, word=word), argument)
                 for what, how, argument in (*CODE, *CODE_WITH)]  # fmt: skip
        for what, how, argument in rng.sample(drawn, len(drawn)):
            wanted = {"reference": how, "arguments": [_argument(rng, argument) for _ in range(4)]}
            question = f"Write a Python function f that takes {what}. Give only the code."
            yield _item("code", question, "code", wanted, tokens=160)


def _argument(rng: random.Random, kind: str) -> list | str | int:
    if kind == "numbers":
        return [rng.randint(-9, 20) for _ in range(rng.randint(2, 7))]
    if kind == "text":
        return rng.choice(("level", "noon", *WORDS)) + rng.choice(("", " " + rng.choice(WORDS)))
    return rng.randint(0, 9) if kind == "small" else rng.randint(-20, 40)


def _facts(rng: random.Random) -> Iterator[dict]:
    while True:
        for question, answers in rng.sample(sorted(FACTS.items()), len(FACTS)):
            yield _item("fact", question, "one_of", answers.split(","))
            land, capital = rng.choice(sorted(CAPITALS.items()))
            ways = (f"What is the capital of {land}?", f"Which city is the capital of {land}?")
            yield _item("fact", rng.choice(ways), "one_of", [capital], line="capital")
            yield _item("fact", f"{capital} is the capital of which country?", "one_of", [land])


def _sense(rng: random.Random) -> Iterator[dict]:
    while True:
        more, most, least = rng.choice(OPPOSED).split(":")
        pair = rng.sample((most, least), 2)
        yield _item("sense", f"Which is {more}: a {pair[0]} or a {pair[1]}? Answer in one word.",
                    "first_of", [most, least])  # fmt: skip
        thing, right, wrong = rng.choice(PLACES).split(":")
        pair = rng.sample((right, wrong), 2)
        yield _item("sense", f"Where would you rather look for {thing}: {pair[0]} or {pair[1]}?",
                    "first_of", [right, wrong])  # fmt: skip
        names = rng.sample(("Ada", "Ben", "Cleo", "Dan", "Eve", "Finn"), 3)
        yield _item("sense", f"{names[0]} is taller than {names[1]}, and {names[1]} is taller than "
                    f"{names[2]}. Who is the shortest? Answer with the name.",
                    "first_of", [names[2], names[0], names[1]])  # fmt: skip


def _translations(rng: random.Random) -> Iterator[dict]:
    while True:
        language = rng.choice(sorted(DICTIONARY))
        english, foreign = rng.choice(DICTIONARY[language].split("|")).split(":")
        yield _item("translation", f'Translate the English word "{english}" into {language}.',
                    "one_of", [foreign])  # fmt: skip
        yield _item("translation", f'What does the {language} word "{foreign}" mean in English?',
                    "one_of", [english])  # fmt: skip


def _formats(rng: random.Random) -> Iterator[dict]:
    while True:
        some = rng.sample(WORDS, rng.randint(3, 5))
        word, numbers = rng.choice(WORDS), rng.sample(range(2, 60), 4)
        day, month, year = rng.randint(10, 28), rng.randint(10, 12), rng.randint(1990, 2030)
        name = {10: "October", 11: "November", 12: "December"}[month]
        yield from (
            _item("format", f"Sort these words by the alphabet, separated by commas: "
                  f"{', '.join(some)}", "sequence", sorted(some)),
            _item("format", f"Sort these numbers from the smallest to the largest: "
                  f"{', '.join(map(str, numbers))}", "sequence", [str(n) for n in sorted(numbers)]),
            _item("format", f'How many letters has the word "{word}"?', "number", len(word)),
            _item("format", f"Write this date as YYYY-MM-DD: {day} {name} {year}", "one_of",
                  [f"{year}-{month}-{day}"]),
            _item("format", f'Write the word "{word}" in capital letters.', "exact", word.upper()),
            _item("format", f"Which of these words is the last: {', '.join(some)}?", "last",
                  some[-1]),
        )  # fmt: skip


MAKERS: dict[str, Callable[[random.Random], Iterator[dict]]] = {
    "instruction": _instructions,
    "arithmetic": _arithmetic,
    "code": _code,
    "fact": _facts,
    "sense": _sense,
    "translation": _translations,
    "format": _formats,
}


def _item(
    kind: str, question: str, rule: str, wanted: object = None, *, tokens: int = 60, line: str = ""
) -> dict:
    messages = [{"role": "user", "content": question}]
    row = {"messages": messages, "kind": kind, "rule": rule, "wanted": wanted, "tokens": tokens}
    return row | {"line": line or (kind if kind in PUBLISHED else "")}


def make_items(count: int, seed: int, *, kept: float = 0.5) -> list[dict]:
    """`count` items, the kinds dealt in turn; a share `kept` is the same under every seed.

    The rest is a reserve that rotates with the seed, so that nobody can train on all of them. No
    question comes twice; where a kind has no more questions, the others fill its place.
    """
    fixed = list(islice(_dealt(0, set()), round(kept * count)))
    taken = {_question(item) for item in fixed}
    return fixed + list(islice(_dealt(seed + 1, taken), count - len(fixed)))


def _dealt(seed: int, taken: set[str]) -> Iterator[dict]:
    """Items of the kinds in turn, none of them asked before."""
    makers = {kind: MAKERS[kind](random.Random(f"{kind} {seed}")) for kind in KINDS}
    while makers:
        for kind in list(makers):
            fresh = (item for item in islice(makers[kind], 400) if _question(item) not in taken)
            item = next(fresh, None)
            if item is None:
                del makers[kind]
                continue
            taken.add(_question(item))
            yield item


def _question(item: dict) -> str:
    return item["messages"][-1]["content"]


def published_line(items: list[dict], right: list[bool]) -> tuple[int, int]:
    """(right, asked) of the fifty tasks the field publishes: capitals, sums, code, translation."""
    asked = hits = 0
    for line, most in PUBLISHED.items():
        found = [ok for item, ok in zip(items, right, strict=False) if item.get("line") == line][
            :most
        ]
        asked, hits = asked + len(found), hits + sum(found)
    return hits, asked
