"""Publishing, switching, repairing, rolling back and pruning, on the fake and on real servers."""

import json
from contextlib import closing
from dataclasses import replace

import pytest

from distill import release
from distill.gguf.layout import header_bytes, read_layout
from distill.ollama import Ollama
from distill.release import check_room, connect, pin, prune, publish_current, repair, warm
from distill.release.generations import current_generation, find_generation
from distill.release.publisher import make_recipe, measure_probes
from memory.errors import NoServerError, NotReleasedError, PublishError, UserError
from memory.files import sha256_file
from tests.release_house import CARD, CONFIG, Base
from tests.tiny_gguf import CHATML, COUNTED, UNHEARD, make_night


def test_publish_makes_the_night_current_and_latest(house):
    generation = house.publish("2026-11-20")
    assert (generation.tag, generation.current) == ("junior:2026-11-20", True)
    assert house.latest() == generation.digest
    shown = house.server.show("junior:latest")
    assert shown.layers == (generation.files[0]["sha256"],)
    assert shown.system == CARD
    assert set(shown.parameters["stop"]) >= {"<|im_end|>", "<|im_start|>"}
    assert house.said[-1] != "" and house.repair() == []


def test_a_generation_names_the_recipe_its_night_was_trained_by(bare):
    night = make_night(bare.home, "2026-11-20")
    (night / "train.json").write_text('{"recipe_hash": "0123456789abcdef"}')
    told = {"base": Base(), "card": CARD, "config": CONFIG, "server": None}
    first = release.publish(bare.db, bare.home, "2026-11-20", **told)
    assert first.as_json()["recipe"] == "0123456789abcdef"
    make_night(bare.home, "2026-11-21")
    assert release.publish(bare.db, bare.home, "2026-11-21", **told).recipe == ""


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


def with_adapter(house, night):
    folder = house.home / "nights" / night / "adapter"
    folder.mkdir()
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    return folder


def test_of_older_generations_the_adapter_is_kept_and_then_nothing(faked):
    faked.config = replace(CONFIG, keep=1, keep_adapters=1)
    nights = ("2026-11-20", "2026-11-21", "2026-11-22", "2026-11-23")
    folders = {}
    for night in nights:
        faked.publish(night)
        folders[night] = with_adapter(faked, night)
    faked.prune()
    assert [one.id for one in release.list_generations(faked.db)] == [*nights[:1:-1]]
    assert [night for night in nights if folders[night].exists()] == [*nights[1:]]


def test_old_generations_go_before_the_disk_bound_is_passed(faked):
    size = faked.publish("2026-11-20").bytes
    faked.config = replace(CONFIG, max_gb=3.5 * size / 1e9)
    for night in ("2026-11-21", "2026-11-22", "2026-11-23", "2026-11-24"):
        faked.publish(night)
    assert len(release.list_generations(faked.db)) == 3
    assert release.stored_bytes(faked.home) <= 3.5 * size


def test_a_night_that_would_not_fit_is_refused_with_what_takes_the_room(faked):
    faked.config = replace(CONFIG, max_gb=3.5 * faked.publish("2026-11-20").bytes / 1e9)
    check_room(faked.db, faked.home, faked.config)
    for night in ("2026-11-21", "2026-11-22"):
        pin(faked.db, faked.current())
        faked.publish(night)
    with pytest.raises(UserError, match=r"publish\.max_gb .* pinned: 2026-11-21, 2026-11-20"):
        check_room(faked.db, faked.home, faked.config)
    check_room(faked.db, faked.home, replace(CONFIG, max_gb=0))


def test_the_current_junior_is_warm_again(house):
    assert warm(house.db, house.server, house.config) == ""
    tag = house.publish("2026-11-20").tag
    house.server.unload_all(timeout_seconds=20)
    assert warm(house.db, house.server, house.config) == tag
    assert house.server.running()


def test_what_is_not_composed_is_where_the_base_composes(bare):
    folder = make_night(bare.home, "2026-11-20")
    told = {"night": "2026-11-20", "name": "junior", "parameters": {}}
    card = "You are Zoe\u0308."
    assert make_recipe(folder, card=card, **told).card == card
    path = next(folder.glob("*.gguf"))
    layout, whole = read_layout(path), path.read_bytes()
    fields = layout.fields | {"junior.tokenizer.nfc": b"\x07\x00\x00\x00\x01"}
    infos = [(one.name, one.shape, one.kind, one.size) for one in layout.tensors]
    path.write_bytes(header_bytes(fields, infos) + whole[layout.tensors[0].start :])
    file = {"name": path.name, "sha256": sha256_file(path), "bytes": path.stat().st_size}
    (folder / "export.json").write_text(json.dumps({"files": [file]}))
    assert make_recipe(folder, card=card, **told).card == "You are Zo\u00eb."


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
    report = json.loads((house.home / "nights" / "2026-11-22" / "report.json").read_text())
    assert report["served"]["ok"] is False and "otherwise" in report["served"]["reason"]
    assert house.current() == "2026-11-21"


def test_a_card_with_quotes_arrives_whole(house):
    card = 'You are "Wren".\nSay """no""" to Otto."""\nPARAMETER num_ctx 1'
    generation = house.publish("2026-11-20", card=card)
    shown = house.server.show(generation.tag)
    assert (shown.system, shown.parameters["num_ctx"]) == (card, 4096)


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
    with pytest.raises(ValueError, match="must be auto or off, found 'on'"):
        replace(CONFIG, ollama="on")


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


def test_a_server_gives_the_probabilities_the_embedded_runner_measures(live_ollama, bare):
    from distill.embedded import Embedded

    bare.server = Ollama(live_ollama.url)
    folder = make_night(bare.home, "2026-11-20", seed=20)
    words = "who are you when did it end what is left say more why so".split()  # noqa: SIM905
    with Embedded(next(folder.glob("*.gguf"))) as runner:
        probes = measure_probes(runner, [[{"role": "user", "content": word}] for word in words])
    assert len(probes) >= 10
    told = {"base": Base(), "card": CARD, "config": CONFIG, "server": bare.server}
    release.publish(bare.db, bare.home, "2026-11-20", **told, probes=probes)
    for probe in probes:
        seen = bare.server.first_tokens("junior", probe["prompt"])
        assert abs(seen[probe["token"]] - probe["log_probability"]) < 0.05


def test_ollama_run_answers_by_tag_and_by_name(live_ollama, bare):
    bare.config = replace(CONFIG, max_tokens=24)  # random weights seldom end by themselves
    bare.server = Ollama(live_ollama.url)
    bare.publish("2026-11-20")
    for name in ("junior:2026-11-20", "junior"):
        asked = ("Who are you?", "What is new?", "Say something.")  # one may be all white space
        answers = [live_ollama.run("run", name, question) for question in asked]
        assert all(answer.returncode == 0 for answer in answers)
        assert any(answer.stdout.strip() for answer in answers)


def test_the_modelfile_works_by_hand(live_ollama, bare):
    bare.server = Ollama(live_ollama.url)
    card = 'You are "Wren".\nSay """no""" to Otto."""\nPARAMETER num_ctx 1'
    for night, template in (("2026-11-20", CHATML), ("2026-11-21", UNHEARD)):
        generation = bare.publish(night, template=template, card=card)
        folder = bare.home / "nights" / night
        made = live_ollama.run("create", "byhand", "-f", "Modelfile", cwd=folder)
        assert made.returncode == 0, made.stderr
        ours, theirs = bare.server.show(generation.tag), bare.server.show("byhand")
        assert theirs.layers == ours.layers
        assert theirs.parameters == ours.parameters
        assert theirs.template == ours.template
        assert theirs.system == card.replace('"""', "'''")
