"""The tiny base after two steps, for tests that need a whole base and no skill."""

from distill.base import Base, make_tiny_base
from distill.base.replay import replay_path
from distill.base.tiny import TinyConfig


def quick_tiny_base() -> Base:
    """The tiny base's shape with 512 tokens after two steps, in the cache of the test.

    It answers nothing, so its replay is empty: asking it 40 times would take seconds a test.
    """
    base = make_tiny_base(config=TinyConfig(steps=2, vocabulary=512, threads=1))
    replay_path(base).touch()
    return base
