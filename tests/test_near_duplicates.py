"""Nearly the same texts are found, and different ones are left apart."""

import random
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from distill.curate.near_duplicates import groups

WORDS = [f"{a}{b}" for a in "bdfgklmn" for b in ("ada", "elo", "iri", "onu", "uma")]


def made_up(seed: int, words: int = 120) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=words))


def test_a_text_with_one_word_changed_is_nearly_the_same():
    text = made_up(1)
    other = text.replace(text.split()[50], "changed", 1)
    assert groups([made_up(2), text, made_up(3), other.upper(), text]) == [[1, 3, 4]]


def test_half_a_text_is_another():
    assert groups([made_up(1), made_up(1)[:400] + made_up(2)]) == []


def test_short_texts_are_never_nearly_the_same():
    assert groups(["Happy birthday, dear Ada!", "Happy birthday, dear Ada"] * 3) == []


def test_chinese_is_compared_too():
    text = (
        "今天我们去公园散步，看见很多人在湖边钓鱼，天气很好，风也不大，大家都很高兴，后来下雨了。"
        * 2
    )
    assert groups([text, text + "好", "明天我们不去公园。" * 9]) == [[0, 1]]


def test_a_thousand_copies_of_one_form_take_no_longer_than_others():
    copies = [f"{made_up(1)} {number}" for number in range(2000)]
    start = time.perf_counter()
    assert groups(copies) == [list(range(2000))]
    assert time.perf_counter() - start < 3


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(max_size=300), max_size=20))
def test_any_texts_give_disjoint_groups_of_them(texts):
    found = groups(texts)
    members = [index for group in found for index in group]
    assert len(members) == len(set(members)) and all(len(group) > 1 for group in found)
    assert found == groups(texts)
