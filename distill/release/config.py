"""`[publish]`: where the released junior is served, how many are kept, and the server itself."""

from dataclasses import dataclass

from distill.ollama import Ollama
from distill.release.modelfile import tag_name
from memory.errors import NoServerError
from memory.settings import key


@dataclass(frozen=True)
class PublishConfig:
    """Where the released junior is served, and how many are kept."""

    name: str = key("junior", "name of the model: `ollama run NAME`; two agents need two")
    ollama: str = key("auto", "auto: an Ollama that answers serves the junior; off: none is asked")
    host: str = key("", "its host:port; empty: OLLAMA_HOST, which must be this machine, or 11434")
    keep: int = key(7, "newest generations kept, besides the current, the one before, the pinned")
    num_ctx: int = key(4096, "tokens of context the server gives the model")
    max_tokens: int = key(2048, "longest answer, so that `ollama run` ends; 0: no limit")
    temperature: float = key(0.7, "sampling temperature where a program asks for none")
    keep_adapters: int = key(
        30, "older generations whose adapter is kept; rollback makes the GGUF again"
    )
    max_gb: float = key(40.0, "model files and adapters of all nights, in 1e9 bytes; 0: no bound")
    split: str = key("off", "auto: two files where only attention is adapted; off: one file")
    rewrite: str = key(
        "auto", "NAME-rewrite in Ollama: on, off, auto: where the night learnt rewriting"
    )

    def __post_init__(self) -> None:
        """Raises ValueError naming the key that cannot be."""
        two, three = ("auto", "off"), ("auto", "on", "off")
        for name, known in (("ollama", two), ("split", two), ("rewrite", three)):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"{name} must be {' or '.join(known)}, found {getattr(self, name)!r}"
                )


def connect(config: PublishConfig) -> Ollama | None:
    """The Ollama that serves, or None: none answers, or `publish.ollama` is off.

    Raises PublishError for a name or an address that must not be used.
    """
    tag_name(config.name, "latest")
    if config.ollama == "off":
        return None
    server = Ollama(config.host)
    try:
        server.version()
    except NoServerError:
        server.close()
        return None
    return server
