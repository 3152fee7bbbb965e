"""The exported file against the trained model: what train writes down, and what the gate counts."""

import json
from dataclasses import replace

import pytest

from distill.embedded import Embedded
from distill.evaluate.parity import SURE_NATS, Parity, Prompt, agreement_numbers, read_parity
from distill.gguf import ExportConfig, export
from distill.train import train
from tests.random_base import make_random_base, make_row
from tests.test_train import SMALL, make_rows, write_rows
from tests.tiny_models import make_base

pytestmark = pytest.mark.slow

HELD_OUT = make_rows(6, 100)


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """A base, and a night's folder with a trained adapter and what it said."""
    folder = tmp_path_factory.mktemp("parity")
    base = replace(make_random_base(folder / "base"), files={})
    make_base(folder / "llama", "llama")
    write_rows(folder / "night", make_rows(40), HELD_OUT)
    train(folder / "night", base, replace(SMALL, importance_updates=2), seed=5)
    return base, folder / "night"


@pytest.fixture
def runner(night, tmp_path):
    base, folder = night
    config = ExportConfig(quantisation="Q8_0")
    told = {"name": "j", "config": config, "provenance": {}}
    (file,) = export(base, folder / "adapter", tmp_path, **told)
    with Embedded(tmp_path / file.name) as embedded:
        yield embedded


def test_the_file_agrees_with_the_model_that_was_trained(night, runner):
    parity = read_parity(night[1], HELD_OUT)
    agreed = [one.agreeing(runner) for one in parity.rows]
    found, sure = agreement_numbers(agreed), agreement_numbers(agreed, SURE_NATS)
    assert len(agreed) == 6 and found["n"] > sure["n"] > 20
    assert sure["value"] > found["value"] > 0.8  # random weights in NF4 beside Q8_0
    assert sure["value"] > 0.97


def test_another_model_does_not_agree(night, runner):
    parity = read_parity(night[1], HELD_OUT)
    moved = [replace(one, tokens=[token + 1 for token in one.tokens]) for one in parity.rows]
    assert agreement_numbers([one.agreeing(runner) for one in moved])["value"] < 0.2


def test_the_template_is_the_bases_own(night, runner):
    parity = read_parity(night[1], HELD_OUT)
    framed = [one.seen(runner) for one in parity.prompts]
    assert parity.template_numbers(framed)["value"] == 1.0
    wrong = Prompt(parity.prompts[0].messages, "otherwise")
    other = Parity((), (wrong,))
    found = other.template_numbers([wrong.seen(runner)])
    assert found["value"] == 0.0 and "otherwise" in found["note"]


def test_a_night_without_predictions_is_not_measured(tmp_path):
    (tmp_path / "parity.json").write_text(json.dumps({"rows": [{"row": 9, "tokens": []}]}))
    for parity in (read_parity(tmp_path, [make_row("I am.")]), read_parity(tmp_path / "no", [])):
        assert parity == Parity()
        assert parity.template_numbers([]) is None and agreement_numbers([]) is None


def test_the_last_updates_say_which_columns_matter(night):
    from distill.gguf.tensors import read_importance

    found = read_importance(night[1] / "adapter")
    assert found["model.layers.1.mlp.down_proj"].shape == (128,)
    assert len(found) == 14 and all((one > 0).all() for one in found.values())
