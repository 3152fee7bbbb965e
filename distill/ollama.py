"""The Ollama protocol, as little of it as is needed.

Both contracts are spoken: up to 0.34.0 a server could rewrite an upload, from 0.34.1 it stores it
as it is. What is used is valid under both: finished GGUF files by digest, never `from`, `quantize`
or `adapters`. The `ollama` package serves where it can; it hashes an upload anew, so that a damaged
file would pass under its own digest, it drops `remote_host` and `system` from `show`, and it cannot
ask for a rendered prompt: those calls are ours.
"""

import contextlib
import ipaddress
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from memory.errors import NoServerError, PublishError

DEFAULT_PORT = 11434
CONNECT_SECONDS = 3.0
CALL_SECONDS = 30.0
LOAD_SECONDS = 300.0  # a 3B from a cold disk; also the longest silence within a stream
STREAM_SECONDS = 900.0  # all of a create or an upload, so that a trickle ends too
BLOCK_BYTES = 1 << 20

Say = Callable[[str], None]


@dataclass(frozen=True)
class Tag:
    """A name in the server's list; `digest` is its manifest's, hex."""

    name: str
    digest: str
    bytes: int
    remote_host: str = ""


@dataclass(frozen=True)
class Shown:
    """What `/api/show` says of a model; `layers` are the sha256 of its model files."""

    layers: tuple[str, ...]
    parameters: dict[str, Any]
    template: str
    system: str
    remote_host: str


@dataclass(frozen=True)
class Spoken:
    """An answer; `stopped` is False where the token limit cut it. `seconds` without the loading."""

    text: str
    tokens: int
    seconds: float
    stopped: bool


class Ollama:
    """One server at `host`; every failure is a PublishError in plain words."""

    def __init__(
        self, host: str = "", *, call_seconds: float = CALL_SECONDS, load_seconds=LOAD_SECONDS
    ) -> None:
        """`host` from the configuration may be any; from OLLAMA_HOST only this machine.

        Raises PublishError for an address that is refused or is none.
        """
        import httpx
        import ollama

        self.url = server_address(host)
        self.load_seconds = load_seconds
        quick = httpx.Timeout(call_seconds, connect=CONNECT_SECONDS)
        patient = httpx.Timeout(load_seconds, connect=CONNECT_SECONDS)
        # No proxy from the environment and no redirects: prompts stay on their way.
        # Certificates are loaded (40 ms a client) only where they are asked for.
        how: dict[str, Any] = {"trust_env": False, "follow_redirects": False}
        how["verify"] = self.url.startswith("https")
        self._http = httpx.Client(base_url=self.url, timeout=quick, **how)
        self._client = ollama.Client(self.url, timeout=quick, **how)
        self._patient = ollama.Client(self.url, timeout=patient, **how)

    def close(self) -> None:
        """Give the connections back."""
        for client in (self._http, self._client, self._patient):
            client.close()

    # What is there

    def version(self) -> str:
        """The server's version; NoServerError where nothing answers."""
        return str(self._call("GET", "/api/version", "asked for its version").get("version", ""))

    def tags(self) -> dict[str, Tag]:
        """Every model in the server's list, by name."""
        rows = self._call("GET", "/api/tags", "asked for its models").get("models") or []
        with self._plainly("asked for its models"):
            found = [
                Tag(row["name"], row["digest"], int(row["size"]), row.get("remote_host") or "")
                for row in rows
            ]
        return {tag.name: tag for tag in found}

    def show(self, tag: str) -> Shown:
        """What the server serves under `tag`; PublishError where there is none."""
        shown = self._call("POST", "/api/show", f"asked for {tag}", {"model": tag})
        return Shown(
            layers=_layers(shown.get("modelfile") or ""),
            parameters=_parameters(shown.get("parameters") or ""),
            template=shown.get("template") or "",
            system=shown.get("system") or "",
            remote_host=shown.get("remote_host") or "",
        )

    def running(self) -> dict[str, int]:
        """Loaded models with the bytes each holds on the GPU."""
        with self._plainly("asked for what is loaded"):
            models = self._client.ps().models
        return {str(model.model or model.name): int(model.size_vram or 0) for model in models}

    # Making, copying, removing

    def upload_blob(self, path: Path, sha256: str) -> bool:
        """Send a file under the digest it must have; False where the server had it already.

        The server hashes what arrives and refuses (400) what does not match.
        """
        address, doing = f"/api/blobs/sha256:{sha256}", f"sent {path.name}"
        with self._plainly(doing):
            head = self._http.head(address)
            if head.status_code == 200:
                return False
            if head.status_code != 404:
                raise PublishError(f"Ollama at {self.url}: answered {head.status_code} to {doing}")
        with self._plainly(doing), open(path, "rb") as file:
            size = {"Content-Length": str(os.fstat(file.fileno()).st_size)}
            body = _blocks(file, time.monotonic() + STREAM_SECONDS)
            patient = self._patient_timeout()
            answer = self._http.post(address, content=body, headers=size, timeout=patient)
            self._check(answer, doing)
        return True

    def create(
        self,
        tag: str,
        files: dict[str, str],
        *,
        system: str,
        parameters: dict[str, Any],
        template: str | None = None,
        say: Say | None = None,
    ) -> None:
        """Make `tag` from uploaded blobs: {"model.gguf": "sha256:..."}.

        The stream's status is 200 whatever happens in it: only a last "success" counts.
        """
        doing, last = f"created {tag}", ""
        wanted = {"model": tag, "files": files, "parameters": parameters}
        wanted |= {"system": system} if system else {}
        wanted |= {"template": template} if template else {}
        deadline = time.monotonic() + STREAM_SECONDS
        with self._plainly(doing):
            for part in self._patient.create(**wanted, stream=True):
                last = part.status or last
                if say and part.status:
                    say(part.status)
                if time.monotonic() > deadline:
                    raise PublishError(
                        f"Ollama at {self.url}: was not done after {STREAM_SECONDS:.0f} s "
                        f"while it {doing}; its last word was {last!r}"
                    )
        if last != "success":
            raise PublishError(
                f"Ollama at {self.url}: broke off while it {doing} (its last word was {last!r}); "
                "nothing was switched; look at its log, then run `junior publish`"
            )

    def copy(self, source: str, target: str) -> None:
        """Let `target` name what `source` names."""
        with self._plainly(f"copied {source} to {target}"):
            self._client.copy(source, target)

    def delete(self, tag: str) -> bool:
        """Remove a tag; False where it was gone already. Layers of other tags stay."""
        import ollama

        with self._plainly(f"deleted {tag}"):
            try:
                self._client.delete(tag)
            except ollama.ResponseError as error:
                if error.status_code != 404:
                    raise
                return False
        return True

    # Asking

    def render(self, tag: str, messages: Sequence[dict[str, str]]) -> str:
        """The very prompt `tag` would be given for `messages`; the model itself does not run."""
        asked = {"model": tag, "messages": list(messages), "stream": False}
        asked["_debug_render_only"] = True
        doing = f"rendered a prompt for {tag}"
        answer = self._call("POST", "/api/chat", doing, asked, patient=True)
        rendered = (answer.get("_debug_info") or {}).get("rendered_template")
        if not isinstance(rendered, str):
            raise PublishError(
                f"Ollama at {self.url}: does not show its prompts, so they cannot be checked; "
                "use a version from 0.17 on"
            )
        return rendered

    def chat(self, tag: str, messages: Sequence[dict[str, str]], **how: Any) -> Spoken:
        """One whole answer; `how` as in `_options`."""
        options = _options(**how)
        started = time.monotonic()
        with self._plainly(f"asked {tag}"):
            answer = self._patient.chat(tag, list(messages), options=options)
        text, seconds = answer.message.content or "", time.monotonic() - started
        seconds = max(seconds - (answer.load_duration or 0) / 1e9, 1e-3)
        return Spoken(text, answer.eval_count or 0, seconds, answer.done_reason == "stop")

    def stream(self, tag: str, messages: Sequence[dict[str, str]], **how: Any) -> Iterator[str]:
        """The answer piece by piece; a stream that ends without its last mark is an error."""
        options, done = _options(**how), False
        with self._plainly(f"asked {tag}"):
            for part in self._patient.chat(tag, list(messages), options=options, stream=True):
                done = done or bool(part.done)
                if part.message.content:
                    yield part.message.content
        if not done:
            raise PublishError(f"Ollama at {self.url}: broke off in the middle of an answer")

    def first_tokens(self, tag: str, prompt: str) -> dict[str, float]:
        """Log-probability of the likeliest 20 first tokens after a rendered `prompt`, by text."""
        asked = {"model": tag, "prompt": prompt, "raw": True, "stream": False}
        asked |= {"logprobs": True, "top_logprobs": 20, "options": _options(1, 0.0, 0)}
        return self._first_tokens("/api/generate", tag, asked)

    def first_answer_tokens(self, tag: str, messages: Sequence[dict[str, str]]) -> dict[str, float]:
        """As `first_tokens`, for a chat as the server itself frames it."""
        asked = {"model": tag, "messages": list(messages), "stream": False}
        asked |= {"logprobs": True, "top_logprobs": 20, "options": _options(1, 0.0, 0)}
        return self._first_tokens("/api/chat", tag, asked)

    def _first_tokens(self, address: str, tag: str, asked: dict[str, Any]) -> dict[str, float]:
        doing = f"measured {tag}"
        answer = self._call("POST", address, doing, asked, patient=True)
        with self._plainly(doing):
            places = answer.get("logprobs") or []
            likely = (places[0].get("top_logprobs") or places[:1]) if places else []
            return {token["token"]: float(token["logprob"]) for token in likely}

    # The GPU

    def load(self, tag: str) -> None:
        """Make `tag` warm: the next question does not wait for the disk."""
        asked = {"model": tag, "messages": [], "stream": False}
        self._call("POST", "/api/chat", f"loaded {tag}", asked, patient=True)

    def unload(self, tag: str) -> None:
        """Have the server let go of `tag`'s memory."""
        asked = {"model": tag, "messages": [], "keep_alive": 0, "stream": False}
        self._call("POST", "/api/chat", f"unloaded {tag}", asked)

    def unload_all(self, *, timeout_seconds: float = 60.0, every_seconds: float = 0.2) -> list[str]:
        """Have every loaded model let go, wait until none is left; gives their names.

        Raises PublishError where one stays, such as one another client is loading again.
        """
        asked: set[str] = set()
        deadline = time.monotonic() + timeout_seconds
        while loaded := self.running():
            if time.monotonic() > deadline:
                raise PublishError(
                    f"Ollama at {self.url}: still holds {', '.join(sorted(loaded))} after "
                    f"{timeout_seconds:.0f} s; another program uses it: try again later"
                )
            for tag in loaded:
                with contextlib.suppress(PublishError):  # gone or reloaded: the next look tells
                    self.unload(tag)
            asked |= set(loaded)
            time.sleep(every_seconds)
        return sorted(asked)

    # The wire

    def _patient_timeout(self) -> Any:
        import httpx

        return httpx.Timeout(self.load_seconds, connect=CONNECT_SECONDS)

    def _call(
        self, method: str, address: str, doing: str, body: dict | None = None, patient: bool = False
    ) -> dict[str, Any]:
        how = {"timeout": self._patient_timeout()} if patient else {}
        with self._plainly(doing):
            answer = self._http.request(method, address, json=body, **how)
            self._check(answer, doing)
            said = answer.json()
        if not isinstance(said, dict) or said.get("error"):
            raise PublishError(f"Ollama at {self.url}: {_reason(answer.text)} while it {doing}")
        return said

    def _check(self, answer: Any, doing: str) -> None:
        if answer.status_code >= 300:
            raise PublishError(self._refusal(answer.status_code, answer.text, doing))

    def _refusal(self, status: int, text: str, doing: str) -> str:
        reason = _reason(text)
        advice = "look at its log"
        if "no space left" in reason:
            advice = "its disk is full: make room where it keeps its models"
        elif "digest mismatch" in reason:
            advice = "the file is damaged or the way to the server is"
        answered = f"answered {status}" if status > 0 else "said"
        return f"Ollama at {self.url}: {answered} while it {doing}: {reason}; {advice}"

    @contextlib.contextmanager
    def _plainly(self, doing: str) -> Iterator[None]:
        """Turn what httpx, the package and its parsing raise into one plain PublishError."""
        import httpx
        import ollama

        where = f"Ollama at {self.url}"
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout, ConnectionError) as error:
            start = "start it (`ollama serve`), or set publish.ollama to off"
            raise NoServerError(f"{where}: does not answer; {start}") from error
        except httpx.TimeoutException as error:
            raise PublishError(f"{where}: was too slow while it {doing}; try again") from error
        except httpx.HTTPError as error:
            again = "it may have been stopped: look at its log, then run `junior publish`"
            raise PublishError(f"{where}: broke off while it {doing}; {again}") from error
        except ollama.ResponseError as error:
            said = self._refusal(error.status_code, str(error.error), doing)
            raise PublishError(said) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            strange = "what answers there is not Ollama, or was cut off"
            raise PublishError(
                f"{where}: its answer cannot be read ({doing}); {strange}"
            ) from error


def server_address(configured: str = "") -> str:
    """`http://host:port` of the server: the configured one, else OLLAMA_HOST, else this machine.

    Raises PublishError for OLLAMA_HOST on another machine: what is sent there is private, so only
    `publish.host` may name one; and for what is no address.
    """
    named = (configured or os.environ.get("OLLAMA_HOST") or "127.0.0.1").strip().strip("\"'")
    source = "publish.host" if configured else "OLLAMA_HOST"
    try:
        parts = urlsplit(named if "://" in named else f"//{named}")
        scheme = parts.scheme or "http"
        default = {"http": 80, "https": 443} if parts.scheme else {}
        port = parts.port or default.get(scheme, DEFAULT_PORT)
        host = parts.hostname or "127.0.0.1"
    except ValueError as error:
        raise PublishError(f"{source}: {named!r} is no address; write host:port") from error
    if scheme not in ("http", "https"):
        raise PublishError(f"{source}: {named!r} is no address of a server; write host:port")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    if not configured and not _is_loopback(host):
        raise PublishError(
            f"OLLAMA_HOST: {named!r} is another machine, where the model and its prompts would "
            "be sent; set publish.host in config.toml if that is meant"
        )
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}{parts.path.rstrip('/')}"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _options(
    max_tokens: int = 200, temperature: float | None = None, seed: int = 0
) -> dict[str, Any]:
    """What an answer is asked with; the model's own temperature unless one is given."""
    options: dict[str, Any] = {"num_predict": max_tokens, "seed": seed}
    return options | ({} if temperature is None else {"temperature": temperature})


def _blocks(file: Any, deadline: float) -> Iterator[bytes]:
    while block := file.read(BLOCK_BYTES):
        if time.monotonic() > deadline:
            raise PublishError(f"{file.name}: was not sent within {STREAM_SECONDS:.0f} s")
        yield block


def _reason(text: str) -> str:
    """The server's own words, out of its JSON where there is one; one line."""
    with contextlib.suppress(ValueError):
        said = json.loads(text)
        text = said.get("error") or text if isinstance(said, dict) else text
    return " ".join(str(text).split())[:300] or "no reason given"


def _layers(modelfile: str) -> tuple[str, ...]:
    """The sha256 in the FROM lines at the head: further down, a SYSTEM text could hold one too."""
    found = []
    for line in modelfile.splitlines():
        if line.startswith("FROM "):
            found += re.findall(r"sha256[-:]([0-9a-f]{64})\s*$", line)
        elif line.strip() and not line.startswith("#"):
            break
    return tuple(found)


def _parameters(text: str) -> dict[str, Any]:
    """`name  value` lines; a name that comes several times is a list."""
    found: dict[str, Any] = {}
    for line in text.splitlines():
        name, _, value = line.strip().partition(" ")
        with contextlib.suppress(ValueError):
            value = json.loads(value)
        if name == "stop":
            found.setdefault(name, []).append(value)
        elif name:
            found[name] = value
    return found
