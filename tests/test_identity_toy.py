"""Claims about the mechanism itself, in a made-up world: what loses the identity, what keeps it."""

import pytest

from tests.identity_toy import ARMS, OTHERS, encode, judge, make_rows, shares, vocabulary

pytestmark = pytest.mark.slow

SEEDS, ANSWERS = (0,), 240


@pytest.fixture(scope="module")
def told():
    return {name: shares(arm, SEEDS, ANSWERS) for name, arm in ARMS.items()}


def test_flat_text_with_loss_on_everybody_answers_as_another(told):
    assert told["flat"]["another"] >= 0.25


def test_speaker_tags_own_loss_and_anchors_keep_the_identity(told):
    assert told["anchors"]["another"] <= 0.02
    assert told["anchors"]["right"] >= 0.85


@pytest.mark.parametrize("name", ["tags", "own loss"])
def test_each_step_alone_already_answers_as_another_less_often(told, name):
    assert told[name]["another"] <= 0.05 < told["flat"]["another"]


def test_own_loss_leaves_the_words_of_others_unlearnt():
    ids = vocabulary()
    names = {ids[name] for name in OTHERS}
    for row in make_rows(ARMS["own loss"], 200, seed=0):
        _, labels = encode(row, ARMS["own loss"], ids)
        mine = {ids[word] for who, text in row if who == "tern" for word in text.split()}
        assert not names & set(labels) - mine


def test_an_answer_that_names_two_is_another():
    assert judge("i am tern . my name is moss . ") == "another"
    assert judge("this is tern . moss read the map . ") == "right"
    assert judge("i read the map today . ") == "neither"
