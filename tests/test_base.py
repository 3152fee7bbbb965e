"""Claims about bases: what is fetched, what is refused, what is noticed as damaged."""

import json
import os
import shutil
import socket
from pathlib import Path

import pytest
from fake_hub import COMMIT, REPOSITORY, serve

from distill.base import (
    APACHE_BASE,
    DEFAULT_BASE,
    PINNED,
    BaseConfig,
    base_licence,
    fetch_base,
    list_bases,
    remove_base,
    resolve_base,
)
from distill.base.files import check_base_folder, is_kept
from memory.errors import BaseMissingError, ModelFileError, UserError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("HF_HUB_OFFLINE", "HF_TOKEN", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache" / "junior" / "bases"


def safetensors(size: int = 1000) -> bytes:
    header = {"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}
    head = json.dumps(header).encode()
    return len(head).to_bytes(8, "little") + head + bytes(i % 251 for i in range(size))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder with all that a base must hold, and things that must not be kept."""
    folder = tmp_path / "model"
    (folder / "original").mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "qwen2"}')
    (folder / "tokenizer.json").write_text("{}")
    (folder / "tokenizer_config.json").write_text('{"chat_template": "{{ messages }}"}')
    (folder / "model.safetensors").write_bytes(safetensors())
    (folder / "LICENSE").write_text("Apache-2.0")
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    (folder / "modeling.py").write_text("raise SystemExit")
    (folder / "original" / "params.json").write_text("{}")
    return folder


KEPT = {"config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors", "LICENSE"}


def test_a_folder_is_fetched_whole_and_only_with_safe_files(model: Path) -> None:
    base = fetch_base(str(model))
    assert set(base.files) == KEPT
    assert base.family == "qwen2" and not base.tiny and len(base.lineage) == 16
    assert resolve_base(str(model)) == base
    assert {p.stat().st_mode & 0o777 for p in base.path.iterdir()} == {0o600}


def test_fetching_again_changes_nothing(model: Path) -> None:
    first = fetch_base(str(model))
    assert fetch_base(str(model)) == first
    assert list_bases() == [first]


def test_the_lineage_is_of_the_content(model: Path) -> None:
    first = fetch_base(str(model))
    (model / "model.safetensors").write_bytes(safetensors(1001))
    second = fetch_base(str(model))
    assert second.lineage != first.lineage and second.revision != first.revision
    assert list_bases() == [second]


def test_a_base_never_fetched_is_named_with_its_command() -> None:
    with pytest.raises(BaseMissingError, match=f"junior base fetch {DEFAULT_BASE}"):
        resolve_base(DEFAULT_BASE)
    with pytest.raises(BaseMissingError, match="junior base fetch tiny"):
        resolve_base("tiny")


def test_a_changed_byte_is_found_even_with_the_old_modification_time(model: Path) -> None:
    weights = fetch_base(str(model)).path / "model.safetensors"
    before = weights.stat()
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(ModelFileError, match=r"model\.safetensors: damaged, its content"):
        resolve_base(str(model))


def test_a_cut_off_and_a_missing_file_are_named(model: Path) -> None:
    base = fetch_base(str(model))
    os.truncate(base.path / "model.safetensors", 500)
    with pytest.raises(ModelFileError, match=r"model\.safetensors: damaged, 500 bytes"):
        resolve_base(str(model))
    (base.path / "config.json").unlink()
    with pytest.raises(ModelFileError, match=r"config\.json.*missing"):
        resolve_base(str(model))
    assert resolve_base(fetch_base(str(model)).name)  # fetching mends it


def test_touching_a_file_is_no_damage(model: Path) -> None:
    base = fetch_base(str(model))
    (base.path / "config.json").touch()
    assert resolve_base(str(model)) == resolve_base(str(model), verify=True) == base


def test_removing_a_base_removes_its_folder(model: Path) -> None:
    base = fetch_base(str(model))
    assert remove_base(str(model)) == [base]
    assert not base.path.exists() and list_bases() == []
    with pytest.raises(BaseMissingError, match="junior base list"):
        remove_base(str(model))


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"model_type": "gemma3"}, "family gemma3; Junior knows qwen2, qwen3, llama"),
        ({"model_type": "qwen2", "quantization_config": {}}, "already quantised"),
        ({"model_type": "qwen2", "auto_map": {}}, "code of its own"),
    ],
)
def test_a_model_that_cannot_be_used_is_refused(model: Path, config: dict, reason: str) -> None:
    (model / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=reason):
        fetch_base(str(model))
    assert list_bases() == []


def test_a_model_without_chat_template_is_refused(model: Path) -> None:
    (model / "tokenizer_config.json").write_text("{}")
    with pytest.raises(ModelFileError, match=r"no chat template.*Instruct"):
        fetch_base(str(model))
    (model / "chat_template.jinja").write_text("{{ messages }}")
    assert check_base_folder(model, "x") == "qwen2"


def test_missing_shards_and_cut_weights_are_refused(model: Path) -> None:
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (model / "model.safetensors.index.json").write_text(json.dumps(index))
    shutil.copy(model / "model.safetensors", model / "model-1.safetensors")
    with pytest.raises(ModelFileError, match=r"no model-2\.safetensors"):
        fetch_base(str(model))
    (model / "model-2.safetensors").write_bytes(safetensors()[:-1])
    with pytest.raises(ModelFileError, match=r"model-2\.safetensors: cut off"):
        fetch_base(str(model))


def test_a_folder_that_is_no_model_is_a_plain_message(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no model in Hugging Face layout"):
        fetch_base(str(tmp_path / "nothing"))


def test_unsafe_files_are_never_kept() -> None:
    names = ("a.bin", "a.pt", "a.pth", "a.py", "a.pkl", "x/a.safetensors", "a.gguf", "a.msgpack")
    assert not any(map(is_kept, names))


def test_a_repository_is_fetched_and_checked(model: Path) -> None:
    seen: list[dict] = []
    with serve(model) as hub:
        base = fetch_base(REPOSITORY, "", seen.append, endpoint=hub.endpoint)
        assert fetch_base(REPOSITORY, COMMIT, endpoint="http://127.0.0.1:9") == base
    assert base.revision == COMMIT and set(base.files) == KEPT
    assert seen[-1]["bytes"] == seen[-1]["total_bytes"] == base.bytes
    assert not any("pytorch_model.bin" in line for line in hub.asked)
    assert resolve_base(REPOSITORY) == resolve_base(REPOSITORY, COMMIT[:8]) == base
    assert resolve_base(REPOSITORY, "main") == base
    with pytest.raises(BaseMissingError):
        resolve_base(REPOSITORY, "fedcba9876543210")


@pytest.mark.slow  # the hub's client waits a second before each of five more tries
def test_an_interrupted_fetch_keeps_what_arrived(model: Path, cache: Path) -> None:
    with serve(model) as hub:
        hub.cut.add("model.safetensors")
        with pytest.raises(UserError):
            fetch_base(REPOSITORY, endpoint=hub.endpoint)
        assert list_bases() == []
        hub.cut.clear()
        hub.asked.clear()
        fetch_base(REPOSITORY, endpoint=hub.endpoint)
        assert not any(line.startswith("GET") and "config.json" in line for line in hub.asked)
    assert not list(cache.glob(".partial*"))


def test_a_file_that_differs_from_the_hubs_hash_is_not_kept(model: Path) -> None:
    with serve(model) as hub:
        hub.broken.add("model.safetensors")
        with pytest.raises(UserError, match=r"model\.safetensors"):
            fetch_base(REPOSITORY, endpoint=hub.endpoint)
        assert list_bases() == []
        hub.broken.clear()
        assert fetch_base(REPOSITORY, endpoint=hub.endpoint).family == "qwen2"


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (401, "RepoNotFound", "knows no such model"),
        (403, "GatedRepo", "licence"),
        (403, "", "HF_TOKEN"),
        (404, "RevisionNotFound", "no revision main"),
        (400, "", "400"),
    ],
)
def test_a_refusing_hub_is_a_plain_message(model: Path, answer: int, code: str, words: str) -> None:
    with serve(model) as hub:
        hub.answer, hub.error_code = answer, code
        with pytest.raises(UserError, match=words):
            fetch_base(REPOSITORY, endpoint=hub.endpoint)


def test_no_network_is_a_plain_message() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(UserError, match="cannot be reached"):
            fetch_base(REPOSITORY, endpoint=f"http://127.0.0.1:{closed.getsockname()[1]}")


def test_a_name_that_is_none_is_a_plain_message() -> None:
    with pytest.raises(UserError, match="OWNER/NAME"):
        fetch_base("what is this?")


def test_weights_only_as_pickles_are_refused(model: Path) -> None:
    (model / "model.safetensors").unlink()
    with serve(model) as hub, pytest.raises(UserError, match="no weights as safetensors"):
        fetch_base(REPOSITORY, endpoint=hub.endpoint)


def test_the_default_is_pinned_and_its_licence_named() -> None:
    assert BaseConfig().name == DEFAULT_BASE and len(PINNED[DEFAULT_BASE]) == 40
    assert "non-commercial" in base_licence(DEFAULT_BASE)
    assert APACHE_BASE in base_licence(DEFAULT_BASE)
