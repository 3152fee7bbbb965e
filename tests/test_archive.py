"""An export is read the same from a folder, a file, or a zip that nobody unpacks."""

import io
import struct
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.message import Skipped, Unreadable
from memory.sources.archive import ArchiveError, Place, open_members, read_members

TEXTS = {"a/message_2.json": b"two", "a/message_10.json": b"ten", "a/photo.jpg": b"x"}


def make_zip(path, members=TEXTS, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def contents(path, pattern=r"\.json$"):
    return [(name, stream.read()) for name, stream in open_members(path, pattern)]


def echo(stream, place):
    yield Skipped(place.name, "", stream.read().decode("utf-8", "replace"))


def read(file, root=None):
    return list(read_members(file, root or file, r"\.json$", echo, "a chat"))


def test_a_folder_and_a_zip_give_the_same(tmp_path):
    (tmp_path / "export" / "a").mkdir(parents=True)
    for name, data in TEXTS.items():
        (tmp_path / "export" / name).write_bytes(data)
    packed = contents(make_zip(tmp_path / "export.zip"))
    assert packed == contents(tmp_path / "export")
    assert packed == [("a/message_2.json", b"two"), ("a/message_10.json", b"ten")]


def test_a_member_can_be_rewound(tmp_path):
    for _, stream in open_members(make_zip(tmp_path / "z"), "message_2"):
        assert stream.read() == b"two"
        stream.seek(0)
        assert stream.readline() == b"two"


def test_names_never_leave_the_archive(tmp_path):
    evil = make_zip(tmp_path / "z", {"../../evil.json": b"1", "/etc/evil.json": b"2"})
    assert sorted(data for _, data in contents(evil)) == [b"1", b"2"]
    assert [path.name for path in tmp_path.iterdir()] == ["z"]


def test_files_of_the_finder_are_passed_over(tmp_path):
    assert contents(make_zip(tmp_path / "z", {"__MACOSX/._a.json": b"", ".b.json": b""})) == []


def test_a_bomb_is_stopped_and_named(tmp_path):
    bomb = make_zip(tmp_path / "z", {"a.json": bytes(200 * 2**20)})
    total = 0
    with pytest.raises(ArchiveError, match="far more than its size"):
        for _, stream in open_members(bomb, "json"):
            while data := stream.read(2**20):
                total += len(data)
    assert total < 150 * 2**20


def test_an_encrypted_member_is_unreadable_and_the_others_are_read(tmp_path):
    data = bytearray(make_zip(tmp_path / "z", {"a.json": b"x", "b.json": b"y"}).read_bytes())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the first member's flags
        data[data.index(mark) + at] |= 1
    (tmp_path / "z").write_bytes(data)
    first, second = read(tmp_path / "z")
    assert isinstance(first, Unreadable) and "encrypted" in first.reason
    assert first.where == "a.json"
    assert second == Skipped("z/b.json", "", "y")


def test_half_a_zip_is_one_unreadable(tmp_path):
    data = make_zip(tmp_path / "z").read_bytes()
    (tmp_path / "z").write_bytes(data[:60])
    (record,) = read(tmp_path / "z")
    assert isinstance(record, Unreadable) and "no whole zip" in record.reason


def test_a_list_of_names_too_long_is_refused(tmp_path):
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 9, 9, 2**30, 0, 0)
    (tmp_path / "z").write_bytes(b"PK\x03\x04" + end)
    (record,) = read(tmp_path / "z")
    assert "more files" in record.reason


def test_a_zip_without_what_is_looked_for_is_skipped(tmp_path):
    assert read(make_zip(tmp_path / "z", {"b.txt": b""})) == [Skipped("z", "", "not a chat")]


def test_other_files_of_a_folder_are_skipped_but_a_file_named_is_read(tmp_path):
    (tmp_path / "b.txt").write_bytes(b"words")
    assert read(tmp_path / "b.txt", tmp_path) == [Skipped("b.txt", "", "not a chat")]
    assert read(tmp_path / "b.txt") == [Skipped("b.txt", "", "words")]


def test_a_missing_file_is_named(tmp_path):
    assert read(tmp_path / "none.json") == [Skipped("none.json", "", "file is gone")]


def test_places_say_where():
    assert Place("z", "a").unreadable("item 3", "why") == Unreadable("z", "a: item 3", "why")
    assert Place("z").skipped("item 3", "why") == Skipped("z", "item 3", "why")


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=8))
def test_damaged_zips_raise_nothing(tmp_path_factory, changes):
    packed = io.BytesIO()
    make_zip(packed)
    data = bytearray(packed.getvalue())
    for at, value in changes:
        data[at % len(data)] = value
    file = tmp_path_factory.mktemp("damaged") / "z"
    file.write_bytes(data)
    assert read(file)
