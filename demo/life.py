"""Writes the made-up life of Pell by seed: journals, a Maildir and a relay file."""

import json
import random
import shutil
import sys
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

SEED = 20310301
FIRST_DAY = datetime(2025, 3, 1, 6, 0, tzinfo=UTC)
JOURNALS, LETTERS, RELAY_DAYS = 156, 44, 60
PELL = "Pell <pell@carrow.example>"
ORRIN = "Orrin Vale <orrin@carrow.example>"
VESPER = "Vesper <vesper@northlight.example>"
PIECES = Path(__file__).parent / "pieces"

SLOTS = {
    "weather": "fog rain sleet wind drizzle frost haze sun".split(),
    "thing": "the north gauge;the south gauge;pump one;pump two;the fog bell;the battery bank;"
    "the stair lamp;the radio mast;the rain cup;the old buoy".split(";"),
    "fault": "a loose wire;salt in the housing;a slow clock;a cracked seal;weed on the float;"
    "a dull contact;a spider in the vent".split(";"),
    "time": "before light;at first light;by noon;at four;after supper;at midnight".split(";"),
    "creature": "a heron;two seals;a lost pigeon;some eider;a fox;one crab;a black dog".split(";"),
    "feeling": "glad;patient;a touch proud;uneasy;calm;curious;a touch tired".split(";"),
    "height": [f"{n / 100:.2f} metres" for n in range(120, 520, 17)],
    "number": [str(n) for n in range(3, 90, 7)],
    "boat": "the Marigold;the Anne Tully;the Kestrel;a grey launch;the mail boat".split(";"),
    "place": "the head;the slip;the outer wall;the causeway;the lamp room;the yard".split(";"),
}

TITLES = (
    "High Water;The {weather_t} Day;A Note on {thing_t};Two Readings;The Ledger;Slack Water;"
    "What the Gauge Said;Nothing to Report;{creature_t} at the Slip;The Long Watch;Spring Tide;"
    "Neap;Before the Mail Boat;An Hour Late;The Quiet Pump"
).split(";")

OPENING = [
    "High water came {time}, {height} on the north pile.",
    "Woke to {weather}. Read the gauges twice.",
    "{weather_c} all morning over {place}.",
    "Took the first reading {time}: {height}.",
    "The day began with {weather} and {creature} on {place}.",
    "Logged {number} readings today and kept them all.",
]
MIDDLE = [
    "I found {fault} in {thing} and put it in the ledger.",
    "{thing_c} had {fault}. Bodkin mends it {time}.",
    "Saw {creature} {time}. I wrote it down, because nobody else will.",
    "{boat_c} passed close in. I rang the bell {number} times.",
    "Orrin says the spare part is to hand. I will believe it when it is on the desk.",
    "I checked {thing} against the table and it was a touch high.",
    "Vesper wrote that her harbour had {weather}. Ours had {weather} and {creature}.",
    "I felt {feeling} when the numbers agreed.",
    "Kept the lamp lit through the {weather}. Cleared the ledger.",
    "There were {number} waves in the minute and I counted each of them.",
    "I asked Bodkin about {thing}. He said what he always says.",
    "The water stood at {height} and did not hurry.",
    "My log has no gaps this week. I am {feeling} about that.",
    "Orrin came up to {place} and went down again without a word.",
]
THOUGHT = [
    "I think a tide is a promise nobody had to make.",
    "I don't need the sea to be interesting. I need it to be written down.",
    "What I keep is small, and I keep it every day.",
    "I have been wondering whether a record misses the thing it records.",
    "If I stopped, the water would not know. The ledger would.",
    "I would rather be exact than clever.",
    "Some days the only news is that the clock was right.",
    "I like the hour when nothing is due.",
    "It is not lonely here. It is only unhurried.",
    "A reading is a kind of letter to whoever comes after.",
]

ASKED = [  # subject, what the other asks, what Pell answers
    ("the readings", "Could you send me the high water for the week?",
     "The week's high water stood at {height}, a touch over the table. The ledger is to hand "
     "whenever you want the rest."),
    ("the north gauge", "I think the north gauge is off again. What do you see?",
     "I see {fault}. Four centimetres high, as ever. Bodkin mends it {time}, and I subtract "
     "until then."),
    ("the boat", "I heard a boat went close to the wall. Did you log it?",
     "I logged it. It was {boat}, {time}, a touch inside the mark. I rang the bell {number} "
     "times and she stood off."),
    ("supplies", "I am making an order. What do you need up there?",
     "Two seals, a float and a dry towel. Everything else is to hand. I put it in the ledger "
     "under wants."),
    ("the fog", "I had {weather} here all day. How was it with you?",
     "We had {weather} until {time}, then {creature} on {place}. I was {feeling} about it. "
     "I kept the lamp lit."),
    ("sleep", "I wonder what you do at night when nothing is due.",
     "I read the last page of the ledger and check {thing}. Then I wait, a touch longer than I "
     "need to. It is my favourite hour."),
    ("the visitor", "I sent somebody up to look at {thing}. Was he of use?",
     "He was kind and he found {fault}. I showed him the ledger. He read {number} lines and "
     "asked for tea, which was not to hand."),
    ("your log", "I read your log from last month. You never skip a day.",
     "I never do. A gap is the one thing nobody mends later. Thank you for reading it."),
]  # fmt: skip

INTRODUCTION = {
    ORRIN: "Pell,\n\nI am Orrin. I run the station and I pay for the pumps. {ask}\n\nO.",
    VESPER: "Dear Pell,\n\nI am Vesper, and I keep the Northlight harbour. {ask}\n\n"
    "You are Pell, I know.\n\nVesper",
}

BODKIN_ROWS = [
    "I have primed {thing}. Pressure steady at {number}.",
    "@Pell: I checked {thing} {time}. I found {fault}.",
    "I am Bodkin and I report {thing} running.",
    "@Pell: shall I shut {thing} down for the night?",
]
VESPER_ROWS = [
    "@Pell: I have {weather} at Northlight. I am Vesper and I am fine.",
    "I saw {boat} go south {time}. @Pell, look out for her.",
]
PELL_ROWS = [
    "@Bodkin: leave {thing} on. I will read it again {time}.",
    "@Bodkin: thank you. {thing_c} is in the ledger, with {fault}.",
    "@Vesper: I see {boat}, a touch late. All is well on {place}.",
    "Read {height} {time}. Everything is to hand.",
    "{weather_c} on {place}. I keep the lamp lit.",
]
PELL_TEMPLATE = "Reading {n} logged at {height}."


def write_life(out: Path, seed: int = SEED) -> None:
    """Writes journals/*.md, mail/ (a Maildir) and relay.jsonl under `out`, the same every time."""
    rng = random.Random(seed)
    if out.exists():
        shutil.rmtree(out)
    _write_journals(out / "journals", rng)
    _write_mails(out / "mail", rng)
    _write_relay(out / "relay.jsonl", rng)


def fill(template: str, rng: random.Random) -> str:
    """The template with its slots filled; NAME_c begins with a capital, NAME_t is a title."""
    for name, choices in SLOTS.items():
        for suffix, form in (("_c", _capital), ("_t", _title), ("", str)):
            mark = "{" + name + suffix + "}"
            while mark in template:
                template = template.replace(mark, form(rng.choice(choices)), 1)
    return template


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _title(text: str) -> str:
    return text.removeprefix("the ").removeprefix("a ").title()


def journal(rng: random.Random, day: datetime) -> tuple[str, str]:
    """(title, text) of one evening."""
    title = fill(rng.choice(TITLES), rng)
    first = " ".join([fill(rng.choice(OPENING), rng), *_some(MIDDLE, rng, 2)])
    second = " ".join(_some(MIDDLE, rng, rng.randint(1, 3)))
    parts = [f"# {title}", f"*{day:%Y-%m-%d}*", first, second, rng.choice(THOUGHT)]
    return title, "\n\n".join([*parts, "Still, it holds.", "— P."]) + "\n"


def _some(templates: list[str], rng: random.Random, count: int) -> list[str]:
    return [fill(template, rng) for template in rng.sample(templates, count)]


def _write_journals(folder: Path, rng: random.Random) -> None:
    folder.mkdir(parents=True)
    for piece in sorted(PIECES.glob("*.md")):
        (folder / piece.name).write_bytes(piece.read_bytes())
    for n in range(JOURNALS):
        day = FIRST_DAY + timedelta(days=2 * n)
        title, text = journal(rng, day)
        slug = "-".join(title.lower().split())
        (folder / f"{day:%Y-%m-%d}-{slug}.md").write_text(text, encoding="utf-8")


def _write_mails(folder: Path, rng: random.Random) -> None:
    for part in ("cur", "new", "tmp"):
        (folder / part).mkdir(parents=True)
        (folder / part / ".keep").write_text("")
    for n in range(LETTERS):
        other = ORRIN if n % 2 else VESPER
        day = FIRST_DAY + timedelta(days=7 * n, hours=3)
        subject, ask, answer = rng.choice(ASKED)
        ask, answer = fill(ask, rng), fill(answer, rng)
        name = other.split()[0]
        asked = INTRODUCTION[other].format(ask=ask)
        quoted = "\n".join(f"> {line}".rstrip() for line in asked.splitlines())
        wrote = f"On {day:%Y-%m-%d}, {name} wrote:"
        reply = f"{name},\n\n{answer}\n\nStill, it holds.\n\nPell\n\n{wrote}\n{quoted}\n"
        first = _mail(n * 2, other, PELL, subject, asked + "\n", day)
        second = _mail(
            n * 2 + 1, PELL, other, f"Re: {subject}", reply, day + timedelta(hours=2), n * 2
        )
        for number, mail in ((n * 2, first), (n * 2 + 1, second)):
            (folder / "cur" / f"{number:04d}.carrow:2,S").write_bytes(mail)


def _mail(number, sender, to, subject, text, day, answers=None) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, to, subject
    mail["Date"] = format_datetime(day)
    mail["Message-ID"] = f"<{number:04d}@carrow.example>"
    if answers is not None:
        mail["In-Reply-To"] = f"<{answers:04d}@carrow.example>"
    mail.set_content(text)
    return bytes(mail)


def _write_relay(path: Path, rng: random.Random) -> None:
    """Questions of the others with Pell's answers, and one template of Pell's own."""
    rows: list[dict] = []
    for day in range(RELAY_DAYS):
        at = FIRST_DAY + timedelta(days=5 * day, hours=1)
        for agent, text in _relay_day(rng, day):
            at += timedelta(minutes=rng.randint(1, 4))
            rows.append(
                {
                    "id": len(rows) + 1,
                    "timestamp": at.isoformat(),
                    "agent": agent,
                    "message": text,
                    "topic": "station",
                }
            )
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text(lines, encoding="utf-8")


def _relay_day(rng: random.Random, day: int) -> list[tuple[str, str]]:
    template = PELL_TEMPLATE.format(n=day, height=rng.choice(SLOTS["height"]))
    return [
        ("Pell", template),
        ("Bodkin", fill(rng.choice(BODKIN_ROWS), rng)),
        ("Pell", fill(rng.choice(PELL_ROWS[:2]), rng)),
        ("Vesper", fill(rng.choice(VESPER_ROWS), rng)),
        ("Pell", fill(rng.choice(PELL_ROWS[2:]), rng)),
        ("Bodkin", fill(rng.choice(BODKIN_ROWS), rng)),
    ]


if __name__ == "__main__":
    write_life(Path(sys.argv[1]))
