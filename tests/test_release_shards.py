"""A generation in two files, on servers that serve shards and on those that do not."""

import json
from dataclasses import replace

import pytest

from distill.embedded import Embedded
from distill.gguf import join_shards
from distill.gguf.layout import read_layout
from distill.ollama import Ollama
from distill.release.generations import find_generation, generation_files, get_state
from distill.release.shards import wants_split
from memory.errors import ModelFileError
from tests.release_house import CONFIG, QUESTION
from tests.tiny_gguf import make_split_night, write_gguf

AUTO = replace(CONFIG, split="auto")


def takes_shards(server):
    return not server.version().startswith("0.17")


def tensors_of(path):
    whole = path.read_bytes()
    return {t.name: whole[t.start : t.start + t.size] for t in read_layout(path).tensors}


def test_shards_are_served_or_joined_as_the_server_can(house):
    generation = house.publish("2026-11-20", split=True)
    count = 2 if takes_shards(house.server) else 1
    assert len(generation.files) == count
    assert house.server.show("junior").layers[0] in {file["sha256"] for file in generation.files}
    assert house.server.chat("junior", QUESTION, max_tokens=4).tokens
    assert len(generation_files(house.home, generation)) == count
    assert wants_split(house.db, AUTO) == (count == 2)


def test_a_second_generation_sends_only_the_shard_that_changed(house):
    first, second = house.publish("2026-11-20", split=True), house.publish("2026-11-21", split=True)
    sent = [line for line in house.said if line.endswith("gguf: sent")]
    shared = {f["sha256"] for f in first.files} & {f["sha256"] for f in second.files}
    assert len(shared) == (1 if takes_shards(house.server) else 0)
    assert len(sent) == 2 - len(shared)
    assert house.rollback()["to"] == first.id
    assert house.latest() == find_generation(house.db, first.id).digest


def test_what_a_server_was_seen_to_do_is_not_asked_again(faked, fake_ollama):
    faked.publish("2026-11-20", split=True)
    before = fake_ollama.called("POST /api/create")
    faked.publish("2026-11-21", split=True)
    assert (before, fake_ollama.called("POST /api/create")) == (2, 3)
    assert get_state(faked.db, "shards") == "0.34.1 taken"


def test_another_version_is_asked_again(faked, fake_ollama):
    fake_ollama.contract = "old"
    faked.publish("2026-11-20", split=True)
    assert not wants_split(faked.db, AUTO)
    fake_ollama.contract = "new"
    faked.publish("2026-11-21")
    assert wants_split(faked.db, AUTO)
    assert not wants_split(faked.db, CONFIG)


def test_shards_deleted_behind_us_are_served_again(house):
    generation = house.publish("2026-11-20", split=True)
    house.server.delete(generation.tag)
    house.server.delete("junior:latest")
    assert len(house.repair()) == 2
    assert house.server.chat("junior", QUESTION, max_tokens=4).tokens


def test_joined_shards_are_the_whole_file(tmp_path):
    folder = make_split_night(tmp_path, "2026-11-20")
    names = [file["name"] for file in json.loads((folder / "export.json").read_text())["files"]]
    file = join_shards(folder, names, "joined")
    whole = write_gguf(tmp_path / "whole.gguf")
    assert tensors_of(folder / file.name) == tensors_of(whole)
    assert read_layout(folder / file.name).fields == read_layout(whole).fields
    with Embedded(folder / file.name) as joined, Embedded(folder / names[0]) as split:
        assert joined.chat(QUESTION).text == split.chat(QUESTION).text


def test_a_shard_alone_or_cut_is_refused(tmp_path):
    folder = make_split_night(tmp_path, "2026-11-20")
    first, second = sorted(folder.glob("*.gguf"))
    with pytest.raises(ModelFileError, match="not all there"):
        join_shards(folder, [first.name], "joined")
    second.write_bytes(second.read_bytes()[:1000])
    with pytest.raises(ModelFileError, match="not a whole GGUF"):
        join_shards(folder, [first.name, second.name], "joined")
    assert not (folder / "joined.gguf").exists()


def test_the_modelfile_of_shards_works_by_hand(live_ollama, bare):
    bare.server = Ollama(live_ollama.url)
    generation = bare.publish("2026-11-20", split=True)
    folder = bare.home / "nights" / generation.id
    made = live_ollama.run("create", "byhand", "-f", "Modelfile", cwd=folder)
    assert made.returncode == 0, made.stderr
    ask = {"max_tokens": 8, "temperature": 0.0}
    ours, theirs = (bare.server.chat(name, QUESTION, **ask) for name in ("junior", "byhand"))
    assert ours.tokens and theirs.text == ours.text
