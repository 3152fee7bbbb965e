"""Public samples of other projects, where this checkout has them beside it."""

from collections import Counter
from pathlib import Path

import pytest

from memory.message import Message, Skipped
from memory.sources import SOURCES

FIXTURES = Path(__file__).parent.parent.parent / "shared" / "fixtures"


def fixture_folder(name: str) -> Path:
    """The folder of one sample; the test is skipped where it is not there."""
    if not (FIXTURES / name).exists():
        pytest.skip("the samples are not there")
    return FIXTURES / name


def records_of(kind: str, root: Path) -> list:
    """Every record; a file that yields none breaks the accounting."""
    found = []
    for file in SOURCES[kind].list_files(root):
        records = list(SOURCES[kind].read_file(file, root))
        assert records, f"{file} yields no record"
        found += records
    return found


def count(records: list) -> Counter:
    """How many messages, rejects, and skips by reason."""
    return Counter(
        "messages" if isinstance(one, Message)
        else one.reason if isinstance(one, Skipped) else "rejects"
        for one in records
    )  # fmt: skip
