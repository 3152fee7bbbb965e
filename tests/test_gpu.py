"""The card before training: one trainer on it, Ollama unloaded, memory free; a fake nvidia-smi."""

import contextlib
import os
from dataclasses import replace

import pytest

from agent.config import Config
from agent.gpu import memory, needed_bytes, only_trainer, the_card, wait_for_memory
from distill.ollama import Ollama
from distill.release import PublishConfig
from memory.errors import BusyError
from tests.release_house import QUESTION
from tests.test_ollama import model, put  # noqa: F401 a fixture


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """`nvidia-smi` on PATH that says what the test wants; gives a function to set it."""
    tool = tmp_path / "bin" / "nvidia-smi"
    tool.parent.mkdir()
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")

    def say(free_mib, total_mib=24_576):
        answer = (
            f"case $1 in *compute-apps*) echo '77, game, 900';; *) echo '{free_mib}, {total_mib}';;"
        )
        tool.write_text(f"#!/bin/sh\n{answer} esac\n")
        tool.chmod(0o755)

    say(20_000)
    return say


def config(tmp_path, url="", base="Qwen/Qwen2.5-3B-Instruct"):
    made = Config(home=tmp_path)
    publish = PublishConfig(host=url, ollama="auto" if url else "off")
    return replace(made, publish=publish, base=replace(made.base, name=base))


def test_two_trainers_never_have_one_card(tmp_path):
    device = tmp_path / "nvidia0"
    device.touch()
    with (
        only_trainer(device),
        pytest.raises(BusyError, match="another night trains") as caught,
        only_trainer(device),
    ):
        pass
    assert caught.value.exit_code == 75
    with only_trainer(device):
        pass


def test_without_a_card_nothing_is_locked(tmp_path):
    with only_trainer(tmp_path / "none"), only_trainer(tmp_path / "none"):
        assert not (tmp_path / "none").exists()


def test_the_need_is_a_share_of_the_budget_or_of_a_smaller_card(tmp_path, driver):
    assert needed_bytes(config(tmp_path)) == pytest.approx(6.8e9)
    driver(7_000, 6_144)
    assert needed_bytes(config(tmp_path)) == pytest.approx(0.85 * 6_144 * 2**20, rel=1e-6)
    assert needed_bytes(config(tmp_path, base="tiny")) == 1e9


def test_a_card_that_is_not_free_defers_and_names_who_holds_it(tmp_path, driver):
    driver(3_000)
    with pytest.raises(BusyError, match=r"3\.1 of 25\.8 GB free .* \(process 77, game, 900 MiB"):
        wait_for_memory(needed_bytes(config(tmp_path)), 0)
    driver(20_000)
    wait_for_memory(needed_bytes(config(tmp_path)), 0)
    assert memory() == (20_000 << 20, 24_576 << 20)


def test_a_driver_that_does_not_answer_stops_no_night(tmp_path, driver):
    driver("No devices were found", "")
    assert memory() is None
    wait_for_memory(needed_bytes(config(tmp_path)), 0)


def test_ollama_lets_go_before_training(any_ollama, model, tmp_path):  # noqa: F811
    server = Ollama(any_ollama.url)
    put(server, model)
    server.chat("junior:1", QUESTION, max_tokens=2)
    with the_card(config(tmp_path, any_ollama.url), tmp_path / "none", 0):
        assert server.running() == {}


def test_a_model_another_client_loads_again_defers_the_night(fake_ollama, tmp_path):
    fake_ollama.loaded, fake_ollama.stubborn = {"other:latest": 7}, True
    with (
        pytest.raises(BusyError, match=r"still holds other:latest .* try again later") as caught,
        the_card(config(tmp_path, fake_ollama.url), tmp_path / "none", 0, unload_seconds=0.1),
    ):
        pass
    assert caught.value.exit_code == 75


def test_another_clients_answer_is_not_cut_by_our_unloading(live_ollama, model, tmp_path):  # noqa: F811
    server = Ollama(live_ollama.url)
    put(server, model)
    answer = server.stream("junior:1", QUESTION, max_tokens=300, temperature=1.0)
    said = next(answer)
    told = {"patience_seconds": 0, "unload_seconds": 0.2}
    with (
        contextlib.suppress(BusyError),
        the_card(config(tmp_path, server.url), tmp_path / "0", **told),
    ):
        pass
    assert said + "".join(answer)  # raises where it breaks off
    with the_card(config(tmp_path, server.url), tmp_path / "0", 0):
        assert server.running() == {}
