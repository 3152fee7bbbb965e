"""Claims about the lock of a home."""

import os
import subprocess
import sys

import pytest

from agent.lock import Lock
from memory.errors import BusyError, UserError


def test_a_second_holder_is_told_who_has_it(tmp_path):
    second = Lock(tmp_path / "lock", "a night is running")
    holder = f"a night is running .process {os.getpid()}"
    with Lock(tmp_path / "lock", "a night is running"), pytest.raises(BusyError, match=holder):
        second.__enter__()
    with Lock(tmp_path / "lock", "a night is running"):
        pass


def test_a_child_that_outlives_its_parent_still_holds_it(tmp_path):
    with Lock(tmp_path / "lock", "busy") as lock:
        child = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(lock.fileno(),)
        )
    with pytest.raises(BusyError):
        Lock(tmp_path / "lock", "busy").__enter__()
    child.communicate(b"\n")
    with Lock(tmp_path / "lock", "busy"):
        pass


def test_a_home_that_is_not_there_is_said(tmp_path):
    with pytest.raises(UserError, match="cannot be opened"):
        Lock(tmp_path / "nowhere" / "lock", "busy").__enter__()
