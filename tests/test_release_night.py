"""A whole night on the tiny base ends where `ollama run junior` answers, on every real server."""

import pytest
import tomlkit

from distill.ollama import Ollama
from memory.files import sha256_file
from tests.homes import document, junior, small_home
from tests.test_night import environment  # noqa: F401 a fixture

pytestmark = pytest.mark.slow
HISTORY = [
    {"role": "user", "content": "Good morning."},
    {"role": "assistant", "content": "Morning."},
    {"role": "user", "content": "Who are you?"},
]
# A base of two steps says nothing: what is shown here is what a released night leaves behind.
LENIENT = {
    "right": 0.0,
    "as_another": 1.0,
    "greedy_own": 0.0,
    "over_claims": 1.0,
    "free_as_another": 1.0,
    "held_out_gain": -9.0,
    "stops": 0.0,
    "distinct_3": 0.0,
    "unique": 0.0,
    "forgotten": 1.0,
    "probes": 12,
    "controls": 8,
    "free_texts": 4,
    "forced_contexts": 8,
    "voice_texts": 4,
    "skill_items": 8,
}


@pytest.fixture
def home(tmp_path):
    made = small_home(tmp_path)
    path = made / "config.toml"
    config = tomlkit.parse(path.read_text())
    gate = config.setdefault("gate", tomlkit.table())
    tiny = gate.get("tiny", {})
    gate["tiny"] = dict(tiny) | {key: LENIENT[key] for key in LENIENT}
    gate["nonempty"], gate["agreement"], gate["secret_prompts"] = 0.0, 0.0, 8
    config["publish"]["split"] = "auto"
    config["train"]["target_modules"] = ["q_proj", "k_proj", "v_proj", "o_proj"]
    path.write_text(tomlkit.dumps(config))
    return made


def hashes(folder):
    return {sha256_file(path) for path in folder.glob("*.gguf")}


def test_a_night_ends_in_tags_that_ollama_run_answers(live_ollama, home, environment):  # noqa: F811
    here = environment | {"OLLAMA_HOST": live_ollama.url, "JUNIOR_PUBLISH_OLLAMA": "auto"}
    here |= {"JUNIOR_TRAIN_MAX_TOKENS": "8000", "JUNIOR_PUBLISH_MAX_TOKENS": "24"}
    night = document(home, "night", **here)
    assert night["verdict"] == "released", night["reason"]
    folder, tag = home / "nights" / night["night"], f"junior:{night['night']}"
    server = Ollama(live_ollama.url)
    assert server.running()  # warm since the night ended
    assert len(hashes(folder)) == (1 if server.version().startswith("0.17") else 2)
    assert server.show("junior").layers == server.show(tag).layers
    assert set(server.show(tag).layers) <= hashes(folder)
    for name in (tag, "junior"):
        answer = live_ollama.run("run", name, "Who are you?")
        assert answer.returncode == 0, answer.stderr
    assert "junior" in live_ollama.run("list").stdout
    assert server.chat("junior", HISTORY, max_tokens=4).tokens
    made = live_ollama.run("create", "byhand", "-f", "Modelfile", cwd=folder)
    assert made.returncode == 0, made.stderr
    ours, theirs = server.show(tag), server.show("byhand")
    assert (theirs.layers, theirs.parameters) == (ours.layers, ours.parameters)
    assert (theirs.template, theirs.system) == (ours.template, ours.system)
    for path in folder.glob("*.gguf"):  # as of an old generation, whose adapter alone is kept
        path.unlink()
    for name in (tag, "junior:latest", "byhand"):
        server.delete(name)
    assert junior(home, "publish", **here).returncode == 0
    assert set(server.show(tag).layers) <= hashes(folder)
    ask = ("chat", "--generation", night["night"], "--prompt", "Who are you?")
    assert document(home, *ask, **here)["generation"] == night["night"]  # in this process
    kept = document(home, "generations", **here)["generations"]
    assert [(one["id"], one["current"], one["tag"]) for one in kept] == [
        (night["night"], True, tag)
    ]
    assert server.tags()[tag].digest == server.tags()["junior:latest"].digest
