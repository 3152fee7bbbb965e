"""What a second generation costs with `publish.split = auto`, in a real server's blob store."""

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.export_models import SHAPES, make_adapter

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")


def second_generation(folder: Path, binary: Path, threads: int, shape: str) -> dict:
    """Two nights' attention-only adapters exported and published; what the second one added."""
    with tempfile.TemporaryDirectory(dir=folder) as name, ollama(binary, Path(name)) as url:
        told = (folder / "base", Path(name), url, threads, shape)
        costs = [_night(number, *told) for number in "12"]
    first, second = costs
    for name, cost in zip(("first", "second"), costs, strict=True):
        print(f"{name:7}", ", ".join(f"{key} {value / 1e6:,.1f} MB" for key, value in cost.items()))
    ratios = {f"{key}_ratio": round(second[key] / first[key], 4) for key in first}
    return {"shape": shape, "server": binary.parts[-3]} | ratios


def _night(number: str, base: Path, work: Path, url: str, threads: int, shape: str) -> dict:
    """Bytes one generation writes, uploads and stores."""
    from distill import release
    from distill.gguf import ExportConfig, export
    from distill.ollama import Ollama
    from distill.release.pruning import stored_bytes
    from memory.db import open_database
    from tests.release_house import Base
    from tests.tiny_models import TinyBase

    home, night = work / "home", f"2026-11-2{number}"
    folder = home / "nights" / night
    make_adapter(folder / "adapter", SHAPES[shape], ATTENTION, seed=int(number))
    before, stored = stored_bytes(home), _blobs(work)
    config = ExportConfig(threads=threads)
    given = {"config": config, "provenance": {"night": night}, "split": True}
    files = export(TinyBase(base), folder / "adapter", folder, name=f"junior-{night}", **given)
    server, sent = Ollama(url), []
    with open_database(home / "memory.db") as db:
        release.publish(db, home, night, base=Base(), card="You are Wren.", server=server,
                        config=release.PublishConfig(split="auto"), say=sent.append)  # fmt: skip
    assert server.chat("junior", [{"role": "user", "content": "Who?"}], max_tokens=2).tokens
    server.close()
    uploaded = sum(file.bytes for file in files if f"{file.name}: sent" in sent)
    if number == "1":  # the probe sent both shards before the release did
        uploaded = sum(file.bytes for file in files)
    return {"written": stored_bytes(home) - before, "uploaded": uploaded,
            "stored": _blobs(work) - stored}  # fmt: skip


def _blobs(work: Path) -> int:
    return sum(path.stat().st_size for path in (work / "models").rglob("*") if path.is_file())


@contextmanager
def ollama(binary: Path, work: Path) -> Iterator[str]:
    """The server on a free port with an empty store in `work`/models."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    own = {"OLLAMA_HOST": address, "HOME": str(work), "OLLAMA_MODELS": str(work / "models")}
    with open(work / "log", "w") as log:
        server = subprocess.Popen([binary, "serve"], env=os.environ | own, stdout=log, stderr=log)
    try:
        _wait_for(address)
        yield f"http://{address}"
    finally:
        server.terminate()
        server.wait()


def _wait_for(address: str) -> None:
    host, port = address.split(":")
    for _ in range(200):
        try:
            return socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(f"nothing answers at {address}")
