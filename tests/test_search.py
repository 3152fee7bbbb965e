"""Search finds what was said, whatever is typed."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from memory.db import open_database, transaction
from memory.fulltext import index_new
from memory.ingest import log_message
from memory.message import Message
from memory.search import RARE, search
from memory.store import store

SAID = [
    ("Ada", "The rain fell on the old harbour all night."),
    ("Bo", "Old rain, new rain, rain again: rain."),
    ("Ada", "今天我们去公园散步。"),
    ("Cy_1", 'He said "stop" AND left (maybe) at 5*3.'),
]


@pytest.fixture
def db(tmp_path):
    db = open_database(tmp_path / "memory.db")
    for day, (author, text) in enumerate(SAID, 1):
        now = datetime(2026, 3, day, tzinfo=UTC)
        log_message(db, "note", text, author=author, now=now)
    return db


def ids(db, query, **filters):
    return [hit.id for hit in search(db, query, **filters)]


def test_the_best_comes_first_or_the_newest(db):
    log_message(db, "note", "A little rain.", author="Ada", now=datetime(2026, 4, 1, tzinfo=UTC))
    assert ids(db, "rain")[0] == 2
    assert ids(db, "rain", newest=True) == [5, 2, 1]
    assert ids(db, "rain", limit=1) == [2]


def test_every_word_must_occur_and_a_phrase_in_order(db):
    assert sorted(ids(db, "old rain")) == [1, 2]
    assert ids(db, '"old rain"') == [2]
    assert ids(db, "rain harbour") == [1]


@pytest.mark.parametrize(
    "query",
    ['"', "AND", "stop* OR", "a:b", "(maybe", "^x", "NEAR(a b)", "-", "'; drop", "5*3", "\0"],
)
def test_no_query_breaks_the_search(db, query):
    assert isinstance(search(db, query), list)


@pytest.mark.parametrize("query", ["", "  ", "***", '""'])
def test_a_query_without_words_finds_nothing(db, query):
    assert search(db, query) == []


def test_chinese_is_found(db):
    (hit,) = search(db, "公园")
    assert (hit.id, hit.snippet) == (3, "今天我们去公园散步。")


@pytest.mark.parametrize(
    "query",
    ["园", "步", "我们", "散步", "公园散步", '"去公园"', "今天 散步", "gpt公司", "GPT", "公司"],
)
def test_chinese_is_found_by_any_letters_of_it(db, query):
    log_message(db, "note", "公园散步今天我们：GPT公司", author="Bo", now=datetime.now(UTC))
    log_message(db, "note", "去公园", author="Bo", now=datetime.now(UTC))
    assert 5 in ids(db, query) or 6 in ids(db, query)


@pytest.mark.parametrize("query", ["园公", "天们", "公散", "司G", "公园 雨"])
def test_chinese_that_is_not_there_is_not_found(db, query):
    assert ids(db, query) == []


@pytest.mark.parametrize("query", ["散步", "東京", "カフェ", "안녕", "公 园"])
def test_other_scripts_without_spaces_are_found(db, query):
    text = "東京のカフェで。안녕하세요. 公\n园 散\n步"
    log_message(db, "note", text, author="Bo", now=datetime.now(UTC))
    assert 5 in ids(db, query)


def test_a_common_word_is_ranked_among_the_last_stored(db):
    with transaction(db):
        for number in range(RARE + 10):
            message = Message("log", "note", str(number), "", "Bo", (), None, "", "fog " * 9 + "x",
                              "", "spoken", "")  # fmt: skip
            store(db, replace(message, text="fog " * (1 + (number == RARE))), "2026")
        index_new(db)
    assert ids(db, "fog")[0] == 5 + RARE
    assert len(ids(db, "fog", newest=True)) == 20
    assert ids(db, "fog rain") == []


def test_a_snippet_is_one_line_around_the_word(db):
    log_message(db, "note", "a\n" * 500 + "needle\nb", author="Bo", now=datetime.now(UTC))
    (hit,) = search(db, "needle")
    assert "needle b" in hit.snippet and len(hit.snippet) <= 162 and "\n" not in hit.snippet


def test_filters_narrow_what_is_found(db):
    assert ids(db, "rain", author="ada") == [1]
    assert ids(db, "stop", author="cy_") == [4]
    assert ids(db, "stop", author="c%1") == []
    assert ids(db, "rain", since=datetime(2026, 3, 2, tzinfo=UTC)) == [2]
    assert ids(db, "rain", until=datetime(2026, 3, 2, tzinfo=UTC)) == [1]
    assert ids(db, "rain", source="mail") == []


def test_a_hit_says_who_when_and_what(db):
    (hit,) = search(db, "harbour")
    assert (hit.source, hit.author, hit.sent_at) == ("log", "Ada", "2026-03-01T00:00:00+00:00")
    assert "old harbour" in hit.snippet
