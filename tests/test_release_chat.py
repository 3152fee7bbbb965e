"""Talking to the current junior: at the Ollama that serves it, else in this process."""

import io
import json
from dataclasses import replace

import pytest

from agent.config import Config
from agent.juniors import Served, converse, generation_rows, open_junior
from distill.embedded import Embedded
from memory.errors import ModelFileError
from tests.release_house import CARD, CONFIG


def released(house, night="2026-11-20"):
    """The night is released, with what its curation left; gives the configuration."""
    generation = house.publish(night)
    folder = house.home / "nights" / generation.id
    (folder / "manifest.json").write_text(json.dumps({"system_card": CARD}))
    host = {"host": house.server.url} if house.server else {"ollama": "off"}
    return Config(home=house.home, publish=replace(CONFIG, **host)), folder


class Heard:
    """A runner that keeps what it is asked."""

    def __init__(self, runner):
        self.runner, self.asked = runner, []

    def stream(self, turns, **how):
        self.asked.append((turns, how))
        yield from ("I am ", "Wren.")


def talk(monkeypatch, junior, *lines):
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(lines) + "\n"))
    converse(junior)


def test_the_server_that_serves_it_answers(house):
    config, _ = released(house)
    with open_junior(config, "") as junior:
        assert isinstance(junior.runner, Served)
        said = junior.ask("Who are you?", max_tokens=8)
    assert said["generation"] == "2026-11-20" and isinstance(said["text"], str)


def test_without_a_server_this_process_answers_and_nothing_damaged(bare):
    config, folder = released(bare)
    with open_junior(config, "") as junior:
        assert isinstance(junior.runner, Embedded)
        assert set(junior.ask("Who?", max_tokens=4)) == {"text", "tokens_per_second", "generation"}
    path = next(folder.glob("*.gguf"))
    whole = bytearray(path.read_bytes())
    whole[-9] ^= 1
    path.write_bytes(whole)
    with pytest.raises(ModelFileError, match="is damaged"), open_junior(config, ""):
        pass


def test_a_server_that_serves_something_else_is_not_asked(faked, fake_ollama):
    released(faked)
    config, _ = released(faked, "2026-11-21")
    faked.server.copy("junior:2026-11-20", "junior:latest")
    with open_junior(config, "") as junior:
        assert isinstance(junior.runner, Embedded)


def test_a_conversation_has_history_again_card_and_generation(bare, monkeypatch, capsys):
    config, _ = released(bare)
    with open_junior(config, "") as junior:
        junior.runner = heard = Heard(junior.runner)
        talk(monkeypatch, junior, "Hello", "And?", "/again", "/card", "/generation", "/what")
        asked, junior.runner = heard.asked, heard.runner
    roles = [[turn["role"] for turn in turns] for turns, _ in asked]
    assert roles[0] == ["system", "user"] and len(roles[1]) == 4 and roles[2] == roles[1]
    assert [how["seed"] for _, how in asked] == [0, 0, 1]
    shown = capsys.readouterr().out
    assert CARD in shown and "/what is no command" in shown and shown.count("2026-11-20") == 2


def test_a_server_that_breaks_off_ends_the_answer_and_not_the_talk(
    faked, fake_ollama, monkeypatch, capsys
):
    config, _ = released(faked)
    with open_junior(config, "") as junior:
        fake_ollama.faults["/api/chat"] = "no success"
        talk(monkeypatch, junior, "Hello", "/generation")
    shown = capsys.readouterr()
    assert "in the middle of an answer" in shown.err
    assert shown.out.count("2026-11-20") == 2


def test_a_decomposed_question_reaches_a_server_composed(faked, fake_ollama):
    faked.publish("2026-11-20")
    served = Served(faked.server, "junior", composed=True)
    plain = Served(faked.server, "junior", composed=False)
    asked = [[{"role": "user", "content": text}] for text in ("Zoe\u0308?", "Zo\u00eb?")]
    assert served.chat(asked[0]).text == plain.chat(asked[1]).text
    assert plain.chat(asked[0]).text != plain.chat(asked[1]).text


def test_generations_say_what_is_kept_of_each(faked):
    faked.config = replace(CONFIG, keep=1)
    for night in ("2026-11-20", "2026-11-21", "2026-11-22"):
        config, folder = released(faked, night)
        (folder / "adapter").mkdir()
    faked.prune()
    rows = generation_rows(config)
    assert [(row["id"], row["kept"]) for row in rows] == [
        ("2026-11-22", "model"),
        ("2026-11-21", "model"),
        ("2026-11-20", "adapter"),
    ]
