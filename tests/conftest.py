"""Fixtures that several test files share."""

from tests.ollama_servers import any_ollama, fake_ollama, live_ollama

__all__ = ["any_ollama", "fake_ollama", "live_ollama"]
