"""A raw corpus is cut into documents and nothing of it is lost."""

import json

import pytest
from fixtures import count, fixture_folder, records_of

from memory.message import SELF
from memory.sources.corpus import LONGEST_DOCUMENT

PARAGRAPH = "It rained, and the gate stood open. " * 20


def test_a_short_file_is_one_document(tmp_path):
    (tmp_path / "rain.txt").write_text("# Rain\n\nIt rained.\n")
    (message,) = records_of("corpus", tmp_path)
    assert (message.kind, message.author, message.subject) == ("document", SELF, "Rain")
    assert (message.text, message.external_id) == ("# Rain\n\nIt rained.", "rain.txt#1")


def test_a_long_file_is_cut_between_paragraphs(tmp_path):
    paragraphs = [f"{number}. {PARAGRAPH.strip()}" for number in range(60)]
    (tmp_path / "long.txt").write_text("\n\n".join(paragraphs))
    texts = [message.text for message in records_of("corpus", tmp_path)]
    assert "\n\n".join(texts) == "\n\n".join(paragraphs)
    assert len(texts) > 3
    assert max(map(len, texts)) < LONGEST_DOCUMENT + 2000


def test_what_is_appended_changes_the_last_document_alone(tmp_path):
    file = tmp_path / "long.txt"
    file.write_text(f"{PARAGRAPH}\n\n" * 60)
    before = records_of("corpus", tmp_path)
    file.write_text(file.read_text() + "The end.\n")
    after = records_of("corpus", tmp_path)
    kept = len(before) - 1
    assert [m.text for m in after][:kept] == [m.text for m in before][:kept]


@pytest.mark.parametrize("text", ["x" * 200_000, "x y " * 50_000, "\n" * 200_000 + "x"])
def test_a_text_without_paragraphs_is_cut_all_the_same(tmp_path, text):
    (tmp_path / "odd.txt").write_text(text)
    texts = [message.text for message in records_of("corpus", tmp_path)]
    assert max(map(len, texts)) < 80_000
    assert "".join(texts).replace("\n", "").strip() == text.replace("\n", "").strip()


def test_lines_of_json_are_documents(tmp_path):
    lines = [json.dumps({"text": "Rain " * 9000}), "{broken", json.dumps({"text": ""})]
    (tmp_path / "c.jsonl").write_text("\n".join(lines))
    found = count(records_of("corpus", tmp_path))
    assert found == {"messages": 1, "rejects": 1, "empty document": 1}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_any_encoding_is_read(tmp_path, encoding):
    (tmp_path / "a.txt").write_bytes("Grüße aus Köln\r\nund Straße".encode(encoding))
    (message,) = records_of("corpus", tmp_path)
    assert message.text == "Grüße aus Köln\nund Straße"


def test_the_samples_give_their_counts():
    records = records_of("corpus", fixture_folder("raw_corpus"))
    assert count(records) == {"messages": 13, "licence": 1}
    assert "gutenberg" not in " ".join(one.text for one in records[:-1]).lower()
