"""Declares a configuration key: its default, with one line that says what it is for."""

from dataclasses import field
from typing import Any


def key(default: Any, doc: str) -> Any:
    """A field of a section's dataclass; config.toml and the README show `doc` beside the key."""
    return field(default=default, metadata={"doc": doc})
