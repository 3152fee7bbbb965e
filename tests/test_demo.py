"""Claims about the made-up life: it is what its generator writes, and there is enough of it."""

from pathlib import Path

from demo.life import write_life

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


def test_three_others_say_i():
    relay = (LIFE / "relay.jsonl").read_text()
    mails = "".join(path.read_text() for path in (LIFE / "mail" / "cur").iterdir())
    assert "I am Bodkin" in relay and "I am Vesper" in mails and "I am Orrin" in mails
