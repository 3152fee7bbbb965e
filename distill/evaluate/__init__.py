"""Separate numbers on the very GGUF that ships, and one verdict."""

from typing import Any


def __getattr__(name: str) -> Any:
    """`evaluate` and `Report`, loaded when asked for: the daemon reads GateConfig alone."""
    if name in ("evaluate", "Report"):
        from distill.evaluate import measure

        return getattr(measure, name)
    raise AttributeError(name)
