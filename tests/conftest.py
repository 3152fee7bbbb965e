"""Fixtures that several test files share."""

from tests.ollama_servers import any_ollama, fake_ollama, live_ollama
from tests.release_house import bare, faked, house

__all__ = ["any_ollama", "bare", "fake_ollama", "faked", "house", "live_ollama"]
