"""Publishing, switching, repairing, rolling back and pruning, on the fake and on real servers."""

import json
import os
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from distill import release
from distill.generations import current_generation, find_generation, generation_files
from distill.modelfile import tag_name, write_modelfile
from distill.ollama import Ollama
from distill.prompts import ChatTemplate, go_templates, read_chat_template, same_prompt, stops
from distill.publisher import load_recipe, verify_served
from distill.release import PublishConfig, connect, pin, prune, publish_current, repair, rollback
from memory.db import Database, open_database
from memory.errors import ModelFileError, NoServerError, NotReleasedError, PublishError
from tests.fake_ollama import CUTS, go_template
from tests.tiny_gguf import CHATML, COUNTED, UNHEARD, make_night

CARD = "You are Wren, who keeps a log. You are not Otto."
CONFIG = PublishConfig()
QUESTION = [{"role": "user", "content": "Who are you?"}]
LINES = ("error line", "no success")  # only a stream has lines
FAULTS = [(call, fault) for call in ("create", "show", "chat") for fault in ("500", "slow", *CUTS)]
FAULTS += [("create", fault) for fault in LINES]
FIRST = datetime(2026, 11, 20, 4, tzinfo=UTC)


@dataclass(frozen=True)
class Base:
    name: str = "tiny"
    lineage: str = "tiny-1"


@dataclass(frozen=True)
class Wren:
    card: str = CARD

    def default_card(self) -> str:
        return self.card


@dataclass
class House:
    """A home with its database and the server that is published to."""

    home: Path
    db: Database
    server: Ollama | None
    said: list[str]
    config: PublishConfig = CONFIG

    def publish(self, night, *, seed=None, template=CHATML, **told):
        make_night(self.home, night, template=template, seed=seed or int(night[-2:]))
        day = FIRST + timedelta(days=int(night[-2:]))
        told = {"identity": Wren(), "server": self.server, "now": day} | told
        return release.publish(
            self.db, self.home, night, base=Base(), config=self.config, say=self.said.append, **told
        )

    def rollback(self, generation=None):
        args = (self.db, self.home, generation)
        return rollback(*args, server=self.server, config=self.config)

    def repair(self):
        return repair(self.db, self.home, self.server, self.config)

    def prune(self):
        return prune(self.db, self.home, self.server, self.config, say=self.said.append)

    def current(self):
        return current_generation(self.db).id

    def latest(self):
        return self.server.tags()["junior:latest"].digest


@pytest.fixture
def bare(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    with open_database(home / "memory.db") as db:
        yield House(home, db, None, [])


@pytest.fixture
def house(bare, any_ollama):
    bare.server = Ollama(any_ollama.url)
    yield bare
    bare.server.close()


@pytest.fixture
def faked(bare, fake_ollama):
    bare.server = Ollama(fake_ollama.url, call_seconds=0.5, load_seconds=0.5)
    yield bare
    bare.server.close()


def spoil(path):
    """Flip one bit, keeping the size and the time."""
    whole, seen = bytearray(path.read_bytes()), path.stat()
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))


# On every server


def test_publish_makes_the_night_current_and_latest(house):
    generation = house.publish("2026-11-20")
    assert (generation.tag, generation.current) == ("junior:2026-11-20", True)
    assert house.latest() == generation.digest
    shown = house.server.show("junior:latest")
    assert shown.layers == (generation.files[0]["sha256"],)
    assert shown.system == CARD
    assert set(shown.parameters["stop"]) >= {"<|im_end|>", "<|im_start|>"}
    assert house.said[-1] != "" and house.repair() == []


def test_rollback_takes_seconds_and_goes_back_and_forth(house):
    first, second = house.publish("2026-11-20"), house.publish("2026-11-21")
    back = house.rollback()
    assert (back["from"], back["to"]) == (second.id, first.id)
    assert back["seconds"] < 5
    assert (house.current(), house.latest()) == (first.id, first.digest)
    assert house.rollback("junior:2026-11-21")["to"] == second.id
    assert house.latest() == second.digest


def test_a_deleted_tag_is_made_again_from_our_file(house):
    generation = house.publish("2026-11-20")
    house.server.delete("junior:2026-11-20")
    house.server.delete("junior:latest")
    done = house.repair()
    assert len(done) == 2 and "made again from its file" in done[0]
    assert house.latest() == find_generation(house.db, generation.id).digest
    assert house.repair() == []


def test_latest_overwritten_by_hand_is_set_back(house):
    first, second = house.publish("2026-11-20"), house.publish("2026-11-21")
    house.server.copy(first.tag, "junior:latest")
    assert house.repair() == ["junior:latest set to junior:2026-11-21"]
    assert house.latest() == second.digest


def test_prune_keeps_current_previous_newest_and_pinned(house):
    house.publish("2026-11-20")
    pin(house.db, "2026-11-20")
    house.config = replace(CONFIG, keep=2)
    for night in ("2026-11-21", "2026-11-22", "2026-11-23"):
        house.publish(night)
    kept = ["2026-11-23", "2026-11-22", "2026-11-20"]
    assert [one.id for one in release.list_generations(house.db)] == kept
    tags = {f"junior:{night}" for night in kept} | {"junior:latest"}
    assert set(house.server.tags()) == tags
    folder = house.home / "nights" / "2026-11-21"
    assert not list(folder.glob("*.gguf")) and (folder / "report.json").exists()


def test_a_template_no_server_knows_is_rendered_exactly(house):
    generation = house.publish("2026-11-20", template=UNHEARD)
    turns = [{"role": "user", "content": "Who?"}]
    seen = house.server.render(generation.tag, turns)
    assert seen == f"<|turn|>SYSTEM: {CARD}<|over|><|turn|>USER: Who?<|over|><|turn|>ME: "


def test_a_template_that_cannot_be_rendered_is_refused_with_the_difference(house):
    house.publish("2026-11-20")
    with pytest.raises(PublishError, match=r"expected '2 turns.*the server renders"):
        house.publish("2026-11-21", template=COUNTED)
    assert house.current() == "2026-11-20"
    assert "junior:2026-11-21" not in house.server.tags()


def test_somebody_elses_latest_is_never_overwritten(house):
    house.config = replace(CONFIG, name="other")
    house.publish("2026-11-20")
    house.server.copy("other:2026-11-20", "junior:latest")
    house.db.execute("delete from generations")
    house.db.execute("delete from state")
    house.config = CONFIG
    with pytest.raises(PublishError, match=r"junior:latest exists and Junior did not make it"):
        house.publish("2026-11-21")
    assert current_generation(house.db) is None


def test_somebody_elses_tag_is_never_overwritten(house):
    house.config = replace(CONFIG, name="other")
    house.publish("2026-11-20")
    house.server.copy("other:2026-11-20", "junior:2026-11-21")
    house.config = CONFIG
    with pytest.raises(PublishError, match=r"junior:2026-11-21 exists and Junior did not"):
        house.publish("2026-11-21")


def test_probes_must_agree_with_what_was_measured(house):
    house.publish("2026-11-20")
    prompt = "<|im_start|>user\nWho are you?<|im_end|>\n<|im_start|>assistant\n"
    seen = house.server.first_tokens("junior:2026-11-20", prompt)
    token = max(seen, key=seen.get)
    probe = {"prompt": prompt, "token": token, "log_probability": seen[token]}
    house.publish("2026-11-21", seed=20, probes=[probe])
    wrong = probe | {"log_probability": seen[token] - 0.2}
    with pytest.raises(PublishError, match="answers otherwise than the file that was measured"):
        house.publish("2026-11-22", seed=20, probes=[wrong])
    assert house.current() == "2026-11-21"


def test_a_card_with_quotes_arrives_whole(house):
    card = 'You are "Wren".\nSay """no""" to Otto."""\nPARAMETER num_ctx 1'
    generation = house.publish("2026-11-20", identity=Wren(card))
    shown = house.server.show(generation.tag)
    assert (shown.system, shown.parameters["num_ctx"]) == (card, 4096)


# Real servers and their command line


def test_ollama_run_answers_by_tag_and_by_name(live_ollama, bare):
    bare.server = Ollama(live_ollama.url)
    bare.publish("2026-11-20")
    for name in ("junior:2026-11-20", "junior"):
        answer = live_ollama.run("run", name, "Who are you?")
        assert answer.returncode == 0 and answer.stdout.strip()


def test_the_modelfile_works_by_hand(live_ollama, bare):
    bare.server = Ollama(live_ollama.url)
    card = 'You are "Wren".\nSay """no""" to Otto."""\nPARAMETER num_ctx 1'
    for night, template in (("2026-11-20", CHATML), ("2026-11-21", UNHEARD)):
        generation = bare.publish(night, template=template, identity=Wren(card))
        folder = bare.home / "nights" / night
        made = live_ollama.run("create", "byhand", "-f", "Modelfile", cwd=folder)
        assert made.returncode == 0, made.stderr
        ours, theirs = bare.server.show(generation.tag), bare.server.show("byhand")
        assert theirs.layers == ours.layers
        assert theirs.parameters == ours.parameters
        assert theirs.template == ours.template
        assert theirs.system == card.replace('"""', "'''")


class Struck(Ollama):
    """A client whose real server is killed (-9) right before it makes one call."""

    def __init__(self, server, call):
        super().__init__(server.url)
        self._server, self._at = server, call

    def _strike(self, call):
        if call == self._at:
            self._server.kill()

    def chat(self, *args, **told):
        self._strike("chat")
        return super().chat(*args, **told)

    def copy(self, *args):
        self._strike("copy")
        return super().copy(*args)


def kill_after(server, count):
    heard = []

    def hear(line):
        heard.append(line)
        if len(heard) == count:
            server.kill()

    return hear


@pytest.mark.parametrize("call", ["upload", "create", "chat"])
def test_a_server_killed_before_the_switch_changes_nothing(live_ollama, bare, call):
    bare.server = Ollama(live_ollama.url)
    first = bare.publish("2026-11-20")
    make_night(bare.home, "2026-11-21", seed=21)
    where = (bare.db, bare.home, "2026-11-21")
    told = {"base": Base(), "identity": Wren(), "config": CONFIG}
    say = kill_after(live_ollama, {"upload": 1, "create": 2}.get(call, 0))
    with pytest.raises(PublishError, match=f"Ollama at {live_ollama.url}"):
        release.publish(*where, **told, server=Struck(live_ollama, call), say=say)
    assert bare.current() == first.id
    live_ollama.start()
    bare.repair()
    assert bare.latest() == first.digest
    assert bare.server.chat("junior:latest", QUESTION, max_tokens=4).tokens
    assert release.publish(*where, **told, server=bare.server).current


def test_a_server_killed_in_the_switch_is_mended(live_ollama, bare):
    bare.server = Ollama(live_ollama.url)
    bare.publish("2026-11-20")
    bare.server = Struck(live_ollama, "copy")
    second = bare.publish("2026-11-21")
    assert second.current and "the next tick" in bare.said[-1]
    live_ollama.start()
    bare.server = Ollama(live_ollama.url)
    assert bare.repair() == ["junior:latest set to junior:2026-11-21"]
    assert bare.latest() == second.digest


# Faults, on the fake


@pytest.mark.parametrize(("call", "fault"), FAULTS)
def test_a_fault_before_the_switch_changes_nothing(faked, fake_ollama, call, fault):
    first = faked.publish("2026-11-20")
    fake_ollama.faults[f"/api/{call}"] = fault
    with pytest.raises(PublishError, match=f"Ollama at {fake_ollama.url}"):
        faked.publish("2026-11-21")
    fake_ollama.faults.clear()
    assert (faked.current(), faked.latest()) == (first.id, first.digest)
    assert "junior:2026-11-21" not in fake_ollama.models or call == "create"
    told = {"base": Base(), "identity": Wren(), "config": CONFIG, "server": faked.server}
    assert release.publish(faked.db, faked.home, "2026-11-21", **told).current


@pytest.mark.parametrize("fault", ["truncated manifest", "disk full"])
def test_a_server_that_keeps_half_is_refused(faked, fake_ollama, fault):
    faked.publish("2026-11-20")
    fake_ollama.faults["/api/create"] = fault
    with pytest.raises(PublishError):
        faked.publish("2026-11-21")
    assert faked.current() == "2026-11-20"


@pytest.mark.parametrize("fault", ["500", "slow", *CUTS[:2]])
def test_a_fault_in_the_switch_is_said_and_mended(faked, fake_ollama, fault):
    faked.publish("2026-11-20")
    fake_ollama.faults["/api/copy"] = fault
    generation = faked.publish("2026-11-21")
    assert generation.current and "the next tick" in faked.said[-1]
    fake_ollama.faults.clear()
    faked.repair()
    assert faked.latest() == generation.digest


def test_a_model_that_runs_elsewhere_is_refused(faked, fake_ollama):
    faked.publish("2026-11-20")
    fake_ollama.models["junior:2026-11-20"].remote_host = "https://elsewhere.example"
    with pytest.raises(PublishError, match=r"would be run at https://elsewhere\.example"):
        recipe = load_recipe(faked.home / "nights" / "2026-11-20")
        verify_served(faked.server, recipe, "junior:2026-11-20")


def test_prune_leaves_a_tag_that_was_changed(faked, fake_ollama):
    faked.config = replace(CONFIG, keep=1)
    faked.publish("2026-11-20")
    faked.publish("2026-11-21")
    fake_ollama.models["junior:2026-11-20"] = replace(
        fake_ollama.models["junior:2026-11-20"], system="Mine."
    )
    faked.publish("2026-11-22")
    assert "junior:2026-11-20" in fake_ollama.models
    assert any("not as Junior made it" in line for line in faked.said)


def test_a_tag_of_a_killed_release_is_known_as_ours(faked, fake_ollama):
    faked.publish("2026-11-20")
    fake_ollama.models["junior:2026-11-21"] = fake_ollama.models["junior:2026-11-20"]
    note = ("insert or replace into state values ('publishing', ?)",)
    faked.db.execute(*note, (f"{fake_ollama.url} junior:2026-11-21",))
    assert faked.publish("2026-11-21").current


def test_rollback_from_a_good_night_skips_the_one_rolled_back_from(faked):
    for night in ("2026-11-20", "2026-11-21"):
        faked.publish(night)
    faked.rollback()
    faked.publish("2026-11-22")
    assert faked.rollback()["to"] == "2026-11-20"


# Damage


def test_a_flipped_byte_is_never_published(faked, fake_ollama):
    folder = make_night(faked.home, "2026-11-20")
    spoil(next(folder.glob("*.gguf")))
    told = {"base": Base(), "identity": Wren(), "config": CONFIG, "server": faked.server}
    with pytest.raises(ModelFileError, match="is damaged"):
        release.publish(faked.db, faked.home, "2026-11-20", **told)
    assert fake_ollama.called("POST") == 0


def test_a_flipped_byte_is_never_served_again(faked):
    generation = faked.publish("2026-11-20")
    spoil(generation_files(faked.home, generation)[0])
    faked.server.delete(generation.tag)
    with pytest.raises(ModelFileError, match=r"is damaged.*not served.*junior rollback"):
        faked.repair()
    with pytest.raises(ModelFileError, match="is damaged"):
        generation_files(faked.home, generation)


def test_a_missing_file_is_named(faked):
    generation = faked.publish("2026-11-20")
    path = generation_files(faked.home, generation)[0]
    path.unlink()
    with pytest.raises(ModelFileError, match=f"{path}: cannot be read"):
        generation_files(faked.home, generation)


# Without a server


def test_without_a_server_the_generation_is_registered(bare):
    generation = bare.publish("2026-11-20")
    assert (generation.tag, generation.digest, generation.current) == ("", "", True)
    assert bare.publish("2026-11-21").current
    assert bare.rollback()["to"] == "2026-11-20"


def test_publish_brings_a_later_server_up_to_date(bare, fake_ollama):
    bare.publish("2026-11-20")
    with closing(Ollama(fake_ollama.url)) as server:
        done = publish_current(bare.db, bare.home, server, CONFIG)
        assert len(done) == 2
        assert current_generation(bare.db).tag == "junior:2026-11-20"
        assert publish_current(bare.db, bare.home, server, CONFIG) == []


def test_nothing_released_is_said(bare):
    with pytest.raises(NotReleasedError, match="run `junior night` first") as caught:
        publish_current(bare.db, bare.home, None, CONFIG)
    assert caught.value.exit_code == 3
    bare.publish("2026-11-20")
    with pytest.raises(NoServerError, match="no Ollama answers"):
        publish_current(bare.db, bare.home, None, CONFIG)
    with pytest.raises(NotReleasedError, match="oldest generation"):
        bare.rollback()
    with pytest.raises(NotReleasedError, match="no kept generation; there is 2026-11-20"):
        bare.rollback("2026-11-19")


def test_connect_gives_none_where_nothing_answers(fake_ollama, monkeypatch):
    monkeypatch.setenv("OLLAMA_HOST", fake_ollama.url)
    assert connect(CONFIG).version() == "0.34.1"
    assert connect(replace(CONFIG, ollama="off")) is None
    fake_ollama.stop()
    assert connect(CONFIG) is None
    with pytest.raises(PublishError, match="neither auto nor off"):
        connect(replace(CONFIG, ollama="on"))


def test_prune_without_a_server_keeps_the_tag_for_later(bare, fake_ollama):
    bare.config = replace(CONFIG, keep=1)
    with closing(Ollama(fake_ollama.url)) as server:
        for night in ("2026-11-20", "2026-11-21"):
            bare.publish(night, server=server)
        bare.publish("2026-11-22")
        assert len(release.list_generations(bare.db)) == 2
        assert "junior:2026-11-20" in fake_ollama.models
        repair(bare.db, bare.home, server, bare.config)
        prune(bare.db, bare.home, server, bare.config)
    assert "junior:2026-11-20" not in fake_ollama.models


# Names, templates, Modelfile


@pytest.mark.parametrize("name", ["junior", "wren-2", "qwen2.5", "me/junior", "_x"])
def test_model_names_that_hold(name):
    assert tag_name(name, "2026-11-20.2") == f"{name}:2026-11-20.2"


@pytest.mark.parametrize("name", ["", "a:b", "a/b/c", "x.y/z", "-a", ".a", "a b", "ä", "../x"])
def test_model_names_that_are_refused(name):
    with pytest.raises(PublishError, match="is no model name"):
        tag_name(name, "2026-11-20")


def test_the_chat_template_is_read_from_the_file(tmp_path):
    folder = make_night(tmp_path, "2026-11-20", template=UNHEARD)
    found = read_chat_template(next(folder.glob("*.gguf")))
    assert (found.source, found.eos) == (UNHEARD, "<|im_end|>")
    (tmp_path / "cut.gguf").write_bytes(next(folder.glob("*.gguf")).read_bytes()[:3000])
    for file in (tmp_path / "cut.gguf", tmp_path / "absent.gguf", tmp_path / "home.db"):
        with pytest.raises(ModelFileError, match="not a whole GGUF"):
            read_chat_template(file)


@pytest.mark.parametrize("file", ["chatml", "llama3"])
def test_a_familys_template_frames_as_its_jinja_does(file):
    llama3 = (
        "{{ bos_token }}{% for message in messages %}<|start_header_id|>{{ message.role }}"
        "<|end_header_id|>\n\n{{ message.content | trim }}<|eot_id|>{% endfor %}"
        "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
    )
    source = {"chatml": CHATML, "llama3": llama3}[file]
    render = ChatTemplate(source, "<|begin_of_text|>", "").render
    turns = [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}]
    for template in go_templates(render):
        assert same_prompt(render(turns), go_template(template, turns))
    assert len(go_templates(render)) == 2
    assert stops(render)[0] in ("<|im_end|>", "<|eot_id|>")


def test_a_modelfile_names_nothing_but_files_beside_it(tmp_path):
    told = {"name": "junior", "night": "1", "card": "", "parameters": {}}
    for name in ("../x.gguf", "a b.gguf", "llama3", "x.gguf\nSYSTEM"):
        with pytest.raises(PublishError, match="cannot be named"):
            write_modelfile(tmp_path, [name], **told)
    assert "FROM ./x.gguf\n" in write_modelfile(tmp_path, ["x.gguf"], **told).read_text()


def test_release_json_can_be_read_again(bare):
    generation = bare.publish("2026-11-20")
    recipe = load_recipe(bare.home / "nights" / generation.id)
    assert recipe.files == generation.files
    path = bare.home / "nights" / generation.id / "release.json"
    assert json.loads(path.read_text())["parameters"]["stop"] == ["<|im_end|>", "<|im_start|>"]
    path.write_text("{")
    with pytest.raises(ModelFileError, match="cannot be used"):
        load_recipe(path.parent)
