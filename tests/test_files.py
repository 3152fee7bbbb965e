"""Files appear whole and private, or not at all."""

import os
from pathlib import Path

import pytest

from memory.files import cache_path, home_path, make_private_dir, sha256_file, write_atomic


def test_write_atomic_makes_a_private_file(tmp_path):
    path = write_atomic(tmp_path / "a.json", "grüße")
    assert path.read_bytes() == "grüße".encode()
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["a.json"]


def test_write_atomic_replaces_a_file(tmp_path):
    write_atomic(tmp_path / "a", b"old")
    write_atomic(tmp_path / "a", b"new", mode=0o644)
    assert (tmp_path / "a").read_bytes() == b"new"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644


def test_a_write_that_fails_leaves_nothing_behind(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        write_atomic(tmp_path / "folder", b"x")  # a folder cannot be replaced by a file
    assert os.listdir(tmp_path) == ["folder"]


def test_private_dir_is_private_even_where_it_was_there(tmp_path):
    (tmp_path / "home").mkdir(mode=0o755)
    assert make_private_dir(tmp_path / "home").stat().st_mode & 0o777 == 0o700
    assert make_private_dir(tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_sha256_file_is_the_known_hash(tmp_path):
    write_atomic(tmp_path / "a", b"abc")
    assert sha256_file(tmp_path / "a").startswith("ba7816bf8f01cfea")


def test_home_and_cache_follow_the_environment():
    assert home_path() == Path(os.environ.get("JUNIOR_HOME") or Path.home() / ".junior")
    assert cache_path().name == "junior"
