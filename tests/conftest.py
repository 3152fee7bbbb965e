"""Fixtures that several test files share; what needs a GPU is skipped where there is none."""

import pytest

from tests.ollama_servers import any_ollama, fake_ollama, live_ollama
from tests.release_house import bare, faked, house

__all__ = ["any_ollama", "bare", "fake_ollama", "faked", "house", "live_ollama"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked:
        return
    import torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="no CUDA device here"))
