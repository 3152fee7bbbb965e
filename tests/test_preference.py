"""Claims about the preference stage, on a model that was taught to slip."""

import json

import pytest

from distill.identity import save_identity
from distill.train import TrainConfig, for_base, train
from distill.train.preference import Pair, Watch, find_slips, learn, sample, swapped
from tests.curating import IDENTITY
from tests.random_base import make_random_base, make_row

pytestmark = pytest.mark.slow

ASKED = [{"role": "system", "content": "You are Tern."}, {"role": "user", "content": "Write."}]
OWN = "I carried the lamp home before the rain came."
WHO = {"role": "assistant", "content": "I am Tern, and I write here."}


def turns(answer: str) -> list[dict[str, str]]:
    return [*ASKED, {"role": "assistant", "content": answer}]


def slips(chosen: str, answer: str) -> list[Pair]:
    return list(find_slips([turns(chosen)], [answer], IDENTITY))


def test_another_being_s_name_is_a_slip_and_so_is_the_own_one_unasked():
    assert slips(OWN, "I am Moss. I keep notes.")[0].rejected == "I am Moss. I keep notes."
    assert slips(OWN, "I am Tern.")[0].chosen == OWN
    assert slips("No, Moss is another AI.", "Yes. It is me.")
    assert slips(WHO["content"], "The harbour was quiet.")


def test_an_answer_that_claims_nothing_wrong_is_no_slip():
    assert not slips(WHO["content"], "I am Tern.")
    assert not slips(OWN, "The harbour was quiet and I slept.")


def test_a_one_word_swap_is_no_pair():
    assert swapped("I am Tern.", "I am Moss.") and not slips("I am Tern.", "I am Moss.")
    assert not swapped(OWN, "I am Moss.")


def test_no_pair_prefers_a_claim_to_be_another():
    assert not slips("I am Moss, said the letter.", "I am Ada Quill.")


def test_it_stops_when_the_chosen_answers_become_unlikelier():
    import torch

    model, found = torch.nn.Linear(1, 1, bias=False), iter([-5.0, -4.0, -6.0])
    model.weight.data.zero_()
    watch = Watch(model, lambda: next(found))
    model.weight.data += 1
    assert not watch.step(4, 12)
    model.weight.data += 1
    assert watch.step(8, 12)
    assert model.weight.item() == 1.0 and watch.told()["updates"] == 4
    assert "unlikelier" in watch.told()["stopped"]


@pytest.fixture(scope="module")
def slipping(tmp_path_factory):
    """(model, tokenizer, config, machine): an adapter as SFT leaves it, in float32."""
    from distill.train import adapter, precision

    precision.prepare_environment(1)
    precision.project_loss_positions_only()
    base = make_random_base(tmp_path_factory.mktemp("base"))
    machine, config = precision.detect_precision(), for_base(TrainConfig(), base)
    model = adapter.add_adapter(adapter.load_quantised(base, machine), config)
    adapter.to_float32(model)
    return model, adapter.load_tokenizer(base), config, machine


@pytest.mark.slow
def test_chosen_becomes_likelier_in_float32_and_only_one_adapter_is_left(slipping):
    import torch

    model, tokenizer, config, machine = slipping
    pairs = [Pair(ASKED, f"{OWN} {n}", f"I am Moss. {n}") for n in range(32)]
    exact = {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}
    told = learn(model, tokenizer, pairs, config, machine, 0)
    assert told["chosen_after"] > told["chosen_before"] and told["updates"] == 4
    found = {n: p for n, p in model.named_parameters() if p.requires_grad}
    assert {p.dtype for p in found.values()} == {torch.float32} and found.keys() == exact.keys()
    assert any((found[n] != exact[n]).any() for n in exact if "lora_B" in n)
    assert list(model.peft_config) == ["default"]


@pytest.mark.slow
def test_the_same_seed_samples_the_same_answers(slipping):
    model, tokenizer, *_ = slipping
    prompts = [[*ASKED[:1], {"role": "user", "content": f"Write {n}."}] for n in range(3)]
    once = sample(model, tokenizer, prompts, 7)
    assert once == sample(model, tokenizer, prompts, 7) and len(once) == 3
    assert once != sample(model, tokenizer, prompts, 8)


@pytest.mark.slow
def test_a_night_with_the_stage_on_says_what_it_did(tmp_path):
    base, folder = make_random_base(tmp_path / "base"), tmp_path / "night"
    folder.mkdir()
    rows = [make_row(f"{OWN} {n}", "Write.") for n in range(12)]
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "held_out.jsonl").write_text("")
    save_identity(folder / "identity.toml", IDENTITY)
    small = TrainConfig(epochs=1.0, tokens_per_update=200, min_updates=1, threads=1)
    train(folder, base, TrainConfig(**vars(small) | {"preference": "on"}))
    told = json.loads((folder / "train.json").read_text())["preference"]
    assert told["asked"] == 12 and told["pairs"] == 0
    assert told["stopped"] == "too few slips to learn from"
