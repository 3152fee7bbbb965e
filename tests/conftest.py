"""Fixtures that several test files share; what needs a GPU is skipped where there is none."""

import ctypes

import pytest

from tests.ollama_servers import any_ollama, fake_ollama, live_ollama
from tests.release_house import bare, faked, house

__all__ = ["any_ollama", "bare", "fake_ollama", "faked", "house", "live_ollama"]


@pytest.hookimpl(trylast=True)  # after -m has chosen
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked and not _has_cuda():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="no CUDA device here"))


def _has_cuda() -> bool:
    """Asked of the driver first: torch takes seconds to import."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    import torch

    return torch.cuda.is_available()
