"""Claims about the name that rewrites: the same layer, switched and let go with the other."""

import json
from dataclasses import replace

import pytest

from agent.config import Config
from agent.served import is_served
from distill import release
from distill.rewrite.rewriter import SYSTEM
from memory.errors import PublishError
from tests.fake_ollama import FakeOllama
from tests.release_house import CARD, CONFIG, Base
from tests.tiny_gguf import make_night

NAMES = ("junior:2026-11-20", "junior-rewrite:2026-11-20", "junior:latest", "junior-rewrite:latest")


@pytest.fixture
def rewriting(house):
    house.config = replace(CONFIG, rewrite="on")
    return house


def latest(house) -> str:
    """The digest of what `junior-rewrite` is; "" where there is none."""
    found = house.server.tags().get("junior-rewrite:latest")
    return found.digest if found else ""


def stored_bytes(running) -> int:
    """What the server's store holds."""
    if isinstance(running, FakeOllama):
        return sum(map(len, running.blobs.values()))
    files = (one for one in (running.folder / "models").rglob("*") if one.is_file())
    return sum(one.stat().st_size for one in files)


def test_a_second_name_has_its_own_system_text_over_the_same_layer(rewriting):
    generation = rewriting.publish("2026-11-20")
    assert set(rewriting.server.tags()) == set(NAMES)
    main, second = (rewriting.server.show(name) for name in ("junior", "junior-rewrite"))
    assert second.layers == main.layers and second.parameters == main.parameters
    assert (main.system, second.system) == (CARD, f"{CARD}\n\n{SYSTEM}")
    assert latest(rewriting) == generation.rewrite_digest != generation.digest
    assert rewriting.repair() == []


def test_the_second_name_costs_no_model_file(rewriting, any_ollama):
    generation = rewriting.publish("2026-11-20")
    assert 0 <= stored_bytes(any_ollama) - generation.bytes < 20_000 < generation.bytes


def test_both_names_are_switched_rolled_back_and_pruned_together(rewriting):
    first, second = rewriting.publish("2026-11-20"), rewriting.publish("2026-11-21")
    assert latest(rewriting) == second.rewrite_digest
    rewriting.rollback()
    assert (rewriting.latest(), latest(rewriting)) == (first.digest, first.rewrite_digest)
    rewriting.config = replace(rewriting.config, keep=1)
    for night in ("2026-11-22", "2026-11-23"):
        rewriting.publish(night)
    left = {name.partition(":")[2] for name in rewriting.server.tags()}
    assert left == {"latest", "2026-11-22", "2026-11-23"}
    assert len(rewriting.server.tags()) == 6


def test_what_is_lost_of_the_second_name_is_mended(rewriting):
    rewriting.publish("2026-11-20")
    config = Config(home=rewriting.home, publish=replace(CONFIG, host=rewriting.server.url))
    for name in (NAMES[1], NAMES[3]):
        rewriting.server.delete(name)
        assert not is_served(config)
        assert rewriting.repair()
        assert is_served(config) and set(rewriting.server.tags()) == set(NAMES)


def test_a_generation_that_never_learnt_it_takes_the_name_away(house):
    house.publish("2026-11-20")
    house.config = replace(CONFIG, rewrite="on")
    learnt = house.publish("2026-11-21")
    house.rollback("2026-11-20")
    assert latest(house) == "" and "junior-rewrite:2026-11-21" in house.server.tags()
    house.rollback("2026-11-21")
    assert latest(house) == learnt.rewrite_digest


@pytest.mark.parametrize(("rows", "name"), [(12, "junior-rewrite:2026-11-20"), (0, "")])
def test_by_itself_it_is_made_where_the_night_learnt_rewriting(faked, rows, name):
    folder = make_night(faked.home, "2026-11-20", seed=20)
    (folder / "manifest.json").write_text(json.dumps({"by_view": {"rewrite": rows}}))
    told = {"base": Base(), "card": CARD, "config": CONFIG, "server": faked.server}
    release.publish(faked.db, faked.home, "2026-11-20", **told)
    made = [one for one in faked.server.tags() if one.startswith("junior-rewrite:2")]
    assert made == ([name] if name else [])


def test_somebody_elses_second_name_is_never_overwritten(rewriting):
    rewriting.config = replace(CONFIG, name="other")
    rewriting.publish("2026-11-20")
    rewriting.server.copy("other:2026-11-20", "junior-rewrite:latest")
    rewriting.db.execute("delete from generations")
    rewriting.config = replace(CONFIG, rewrite="on")
    with pytest.raises(PublishError, match="junior-rewrite:latest exists and Junior did not"):
        rewriting.publish("2026-11-21")
    assert "junior:2026-11-21" not in rewriting.server.tags()


def test_the_modelfile_of_the_second_name_works_by_hand(live_ollama, bare):
    from distill.ollama import Ollama

    bare.server, bare.config = Ollama(live_ollama.url), replace(CONFIG, rewrite="on")
    generation = bare.publish("2026-11-20")
    folder = bare.home / "nights" / "2026-11-20"
    made = live_ollama.run("create", "byhand", "-f", "Modelfile-rewrite", cwd=folder)
    assert made.returncode == 0, made.stderr
    theirs = bare.server.show("byhand")
    assert theirs.system == f"{CARD}\n\n{SYSTEM}"
    assert theirs.layers == (generation.files[0]["sha256"],)
