"""The tiny base after two steps, for tests that need a whole base and no skill."""

from distill.base import Base, make_tiny_base
from distill.base.tiny import TinyConfig


def quick_tiny_base() -> Base:
    """The tiny base's shape with 512 tokens after two steps, in the cache of the test."""
    return make_tiny_base(config=TinyConfig(steps=2, vocabulary=512, threads=1))
