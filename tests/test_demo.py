"""Claims about the made-up life: it is what its generator writes, and there is enough of it."""

from pathlib import Path

from demo.life import write_life
from memory.sources import read_messages

LIFE = Path(__file__).parent.parent / "demo" / "life"


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_life_in_the_repository_is_what_the_generator_writes(tmp_path):
    write_life(tmp_path / "life")
    assert contents(tmp_path / "life") == contents(LIFE)


def test_the_life_holds_enough_of_each_kind():
    assert len(list((LIFE / "journals").glob("*.md"))) >= 150
    assert len(list((LIFE / "mail" / "cur").iterdir())) >= 80
    assert len((LIFE / "relay.jsonl").read_text().splitlines()) >= 300


def test_every_journal_is_of_the_day_it_names():
    """A date that is still to come would be taken for a story's, and the file's time for it."""
    journals = list(read_messages("journals", LIFE / "journals"))
    named = [message for message in journals if message.path.startswith("20")]
    assert len(named) >= 150
    assert all(message.path.startswith(f"{message.sent_at:%Y-%m-%d}") for message in named)


def test_three_others_say_i():
    relay = (LIFE / "relay.jsonl").read_text()
    mails = "".join(path.read_text() for path in (LIFE / "mail" / "cur").iterdir())
    assert "I am Bodkin" in relay and "I am Vesper" in mails and "I am Orrin" in mails
