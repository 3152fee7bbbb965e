"""The knobs of `junior serve`, each with what it is for."""

from dataclasses import dataclass

from memory.settings import key

BACKENDS = ("auto", "ollama", "openai", "embedded")


@dataclass(frozen=True)
class ServeConfig:
    """[serve]: where programs and people come in, and what is behind the door."""

    host: str = key("127.0.0.1", "address that is listened on; another than loopback is visible")
    port: int = key(4910, "its port; 0: any free one")
    socket: str = key("", "path of a Unix socket to listen on instead, of mode 0600")
    backend: str = key(
        "auto", "auto: Ollama where it serves the generation, else embedded; or openai, ollama"
    )
    url: str = key("", "an OpenAI-compatible server's address, such as http://127.0.0.1:8080/v1")
    model: str = key("", "the model's name there")
    hosts: tuple[str, ...] = key((), "further Host names it answers to")
    origins: tuple[str, ...] = key((), "web pages of other origins that may call it")
    body_bytes: int = key(1_000_000, "largest request")
    body_seconds: float = key(20.0, "time a request has to arrive")
    answer_seconds: float = key(300.0, "time an answer has")
    concurrency: int = key(96, "requests at once; more are told to come again (429)")
    log_answers: bool = key(False, "keep what the junior answered, as its own: it never trains")

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
