"""The knobs of `junior serve`, each with what it is for."""

from dataclasses import dataclass, field
from typing import Any

BACKENDS = ("auto", "ollama", "openai", "embedded")


def _knob(default: Any, doc: str) -> Any:
    return field(default=default, metadata={"doc": doc})


@dataclass(frozen=True)
class ServeConfig:
    """[serve]: where programs and people come in, and what is behind the door."""

    host: str = _knob("127.0.0.1", "address that is listened on; another than loopback is visible")
    port: int = _knob(4910, "its port; 0: any free one")
    socket: str = _knob("", "path of a Unix socket to listen on instead, of mode 0600")
    backend: str = _knob(
        "auto", "auto: Ollama where it serves the generation, else embedded; or openai, ollama"
    )
    url: str = _knob("", "an OpenAI-compatible server's address, such as http://127.0.0.1:8080/v1")
    model: str = _knob("", "the model's name there")
    hosts: tuple[str, ...] = _knob((), "further Host names it answers to")
    origins: tuple[str, ...] = _knob((), "web pages of other origins that may call it")
    body_bytes: int = _knob(1_000_000, "largest request")
    body_seconds: float = _knob(20.0, "time a request has to arrive")
    answer_seconds: float = _knob(300.0, "time an answer has, and its longest silence")
    concurrency: int = _knob(96, "requests at once; more are told to come again (429)")
    log_answers: bool = _knob(False, "keep what the junior answered, as its own: it never trains")

    def __post_init__(self) -> None:
        problems = []
        if self.backend not in BACKENDS:
            problems.append(f"backend must be one of {', '.join(BACKENDS)}, not {self.backend!r}")
        if self.backend == "openai" and not self.url:
            problems.append('backend "openai" needs url')
        if self.body_bytes < 1 or self.concurrency < 1 or not 0 <= self.port < 65536:
            problems.append("body_bytes and concurrency are at least 1, port is 0 to 65535")
        if problems:
            raise ValueError("; ".join(problems))
