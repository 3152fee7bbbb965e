"""What goes wrong between Junior and a server, and that nothing is lost by it."""

import os
import resource
from dataclasses import replace

import pytest

from agent import juniors
from agent.config import Config
from agent.served import is_served
from distill import release
from distill.ollama import Ollama
from distill.release.generations import current_generation, generation_files
from distill.release.publisher import load_recipe, verify_served
from memory.errors import ModelFileError, NoServerError, PublishError
from tests.fake_ollama import CUTS, FakeOllama
from tests.release_house import CARD, CONFIG, QUESTION, Base
from tests.tiny_gguf import make_night

pytestmark = pytest.mark.slow

LINES = ("error line", "no success")  # only a stream has lines
CALLS = ("blobs", "create", "show", "chat")
FAULTS = [(call, fault) for call in CALLS for fault in ("500", "slow", *CUTS)]
FAULTS += [("create", fault) for fault in LINES]


def spoil(path):
    """Flip one bit, keeping the size and the time."""
    whole, seen = bytearray(path.read_bytes()), path.stat()
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))


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
    told = {"base": Base(), "card": CARD, "config": CONFIG}
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


@pytest.mark.parametrize(("call", "fault"), FAULTS)
def test_a_fault_before_the_switch_changes_nothing(faked, fake_ollama, call, fault):
    first = faked.publish("2026-11-20")
    fake_ollama.faults[f"/api/{call}"] = fault
    with pytest.raises(PublishError, match=f"Ollama at {fake_ollama.url}"):
        faked.publish("2026-11-21")
    fake_ollama.faults.clear()
    assert (faked.current(), faked.latest()) == (first.id, first.digest)
    assert "junior:2026-11-21" not in fake_ollama.models or call == "create"
    assert faked.server.chat("junior:latest", QUESTION).tokens
    told = {"base": Base(), "card": CARD, "config": CONFIG, "server": faked.server}
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


def tick(house):
    """What the daemon does once a minute where nothing else is to be done."""
    config = Config(home=house.home, publish=replace(CONFIG, host=house.server.url))
    if not is_served(config):
        juniors.publish(config)
    return is_served(config)


def tag_deleted(server, _):
    server.delete("junior:2026-11-21")


def latest_deleted(server, _):
    server.delete("junior:latest")


def latest_overwritten(server, _):
    server.copy("junior:2026-11-20", "junior:latest")


def tag_overwritten(server, _):
    server.copy("junior:2026-11-20", "junior:2026-11-21")


def all_gone(server, _):
    for tag in server.tags():
        server.delete(tag)


def manifests_cut(_, running):
    if isinstance(running, FakeOllama):
        for model in running.models.values():
            model.truncated = True
        return
    for manifest in (running.folder / "models" / "manifests").rglob("*"):
        if manifest.is_file():
            manifest.write_bytes(manifest.read_bytes()[:40])


DAMAGES = (
    tag_deleted,
    latest_deleted,
    latest_overwritten,
    tag_overwritten,
    all_gone,
    manifests_cut,
)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_within_one_tick_the_current_junior_is_served_again(house, any_ollama, damage):
    house.publish("2026-11-20")
    house.publish("2026-11-21")
    damage(house.server, any_ollama)
    assert tick(house)
    assert house.latest() == current_generation(house.db).digest
    assert house.server.chat("junior", QUESTION, max_tokens=4).tokens


def test_a_tick_leaves_a_server_alone_that_does_not_answer(faked, fake_ollama):
    faked.publish("2026-11-20")
    fake_ollama.stop()
    assert tick(faked)
    assert faked.current() == "2026-11-20"
    faked.server = Ollama(fake_ollama.url)
    with pytest.raises(NoServerError, match="does not answer; start it"):
        faked.publish("2026-11-21")
    assert faked.current() == "2026-11-20"


def test_a_store_that_takes_no_more_is_said(live_ollama, bare):
    bare.server = Ollama(live_ollama.url)
    first = bare.publish("2026-11-20")
    resource.prlimit(live_ollama.process.pid, resource.RLIMIT_FSIZE, (60_000, 60_000))
    with pytest.raises(PublishError, match=f"Ollama at {live_ollama.url}: "):
        bare.publish("2026-11-21")
    assert (bare.current(), bare.latest()) == (first.id, first.digest)
    assert bare.server.chat("junior", QUESTION, max_tokens=4).tokens


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


def test_a_flipped_byte_is_never_published(faked, fake_ollama):
    folder = make_night(faked.home, "2026-11-20")
    spoil(next(folder.glob("*.gguf")))
    told = {"base": Base(), "card": CARD, "config": CONFIG, "server": faked.server}
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
