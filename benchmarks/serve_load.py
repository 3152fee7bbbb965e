"""Many clients at once at `junior serve` and at its backend: latency added, answers lost or mixed.

    .venv/bin/python -m benchmarks.serve_load [--clients 64] [--seconds 60]

The backend is a fake that streams a fixed number of words at a fixed pace; the same clients call it
directly and through `junior serve`, in turns, while a night publishes a generation every 5 s.
"""

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

WORDS, PAUSE_SECONDS = 12, 0.05
TURNS = 2
RELEASE_SECONDS = 5.0


@dataclass
class Run:
    """What the clients saw: seconds to the first word and to the end, and what went wrong."""

    first: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    lost: int = 0
    mixed: int = 0


async def _fake_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One keep-alive connection of the fake backend: WORDS words, one every PAUSE_SECONDS."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            size = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            asked = json.loads(await reader.readexactly(size))["messages"][-1]["content"]
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                b"transfer-encoding: chunked\r\n\r\n"
            )
            for number in range(WORDS):
                await asyncio.sleep(PAUSE_SECONDS)
                said = asked if number == 0 else f" word{number}"
                _chunk(writer, {"choices": [{"index": 0, "delta": {"content": said}}]})
                await writer.drain()
            _chunk(writer, {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
            writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def _chunk(writer: asyncio.StreamWriter, part: dict) -> None:
    body = f"data: {json.dumps(part)}\n\n".encode()
    writer.write(b"%x\r\n%s\r\n" % (len(body), body))


async def _fake_backend() -> None:
    server = await asyncio.start_server(_fake_answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def _client(name: int, port: int, token: str, until: float, run: Run) -> None:
    """One question after another on one connection, each with a number of its own.

    It starts somewhere within the time of an answer: clients in step would measure their own queue.
    """
    await asyncio.sleep(random.Random(name).random() * WORDS * PAUSE_SECONDS)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    number = 0
    while time.monotonic() < until:
        number += 1
        mine = f"question-{name}-{number}"
        asked = {"model": "junior", "messages": [{"role": "user", "content": mine}], "stream": True}
        body = json.dumps(asked).encode()
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n"
            f"authorization: Bearer {token}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        begin = time.monotonic()
        writer.write(head.encode() + body)
        try:
            text, first = await _read_answer(reader)
        except (asyncio.IncompleteReadError, ConnectionError):
            run.lost += 1
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            continue
        run.first.append(first - begin)
        run.whole.append(time.monotonic() - begin)
        wanted = " ".join([mine, *(f"word{n}" for n in range(1, WORDS))])
        run.mixed += text != wanted
    writer.close()


async def _read_answer(reader: asyncio.StreamReader) -> tuple[str, float]:
    """(the whole text, when its first word came) of one chunked answer."""
    status = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in status.split(b"\r\n")[0]:
        raise ConnectionError(status.decode())
    said, first = [], 0.0
    while size := int(await reader.readuntil(b"\r\n"), 16):
        chunk = (await reader.readexactly(size + 2))[:-2]
        for event in chunk.split(b"\n\n"):
            if event.startswith(b"data: {"):
                choices = json.loads(event[6:])["choices"]
                said += [c["delta"].get("content") or "" for c in choices]
                first = first or (time.monotonic() if any(said) else 0.0)
    await reader.readuntil(b"\r\n")
    return "".join(said), first


async def _load(clients: int, port: int, token: str, seconds: float) -> Run:
    run = Run()
    until = time.monotonic() + seconds
    async with asyncio.TaskGroup() as group:
        for name in range(clients):
            group.create_task(_client(name, port, token, until, run))
    return run


def _cpu_seconds(pid: int) -> float:
    """Processor seconds of a process so far, all its threads (proc(5), stat 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _rss_mb(pid: int) -> float:
    fields = Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()
    return int(fields[0]) / 1024


def _serve(folder: str, backend: int) -> None:
    """The served home in a process of its own, as `junior serve` runs it."""
    from agent.serve.app import serve
    from agent.serve.doors import read_token
    from tests.serving import wren_home

    config = wren_home(Path(folder), backend="openai", url=f"http://127.0.0.1:{backend}/v1")

    def say(link: str) -> None:
        print(json.dumps([urlsplit(link).port, read_token(config.home)]), flush=True)

    serve(config, say)


def _nights(folder: str) -> None:
    """A generation released every few seconds, by a process of its own as a night is."""
    from agent.config import load_config
    from tests.serving import release

    config = load_config(Path(folder) / "home", {"publish.ollama": "off"})
    print("ready", flush=True)
    for day in range(1, 29):
        time.sleep(RELEASE_SECONDS)
        release(config, f"2026-12-{day:02}")


def _start(*arguments: str) -> tuple[subprocess.Popen, str]:
    command = [sys.executable, "-m", "benchmarks.serve_load", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    return process, process.stdout.readline()


def measure(clients: int, seconds: float, folder: str) -> dict:
    """Both sides in turns; latencies in milliseconds."""
    backend, port = _start("--fake")
    served, line = _start("--serve", folder, port.strip())
    nights, _ = _start("--nights", folder)
    doors, memory = json.loads(line), []
    direct, through = Run(), Run()
    try:
        asyncio.run(_load(clients, doors[0], doors[1], 2.0))  # connections, imports
        before = _cpu_seconds(served.pid)
        for _ in range(TURNS):
            for run, at in ((direct, int(port)), (through, doors[0])):
                found = asyncio.run(_load(clients, at, doors[1], seconds / TURNS))
                run.first += found.first
                run.whole += found.whole
                run.lost, run.mixed = run.lost + found.lost, run.mixed + found.mixed
                memory += [_rss_mb(served.pid)] if run is through else []
        spent = _cpu_seconds(served.pid) - before
    finally:
        for process in (nights, served, backend):
            process.terminate()
            process.wait(20)
    return _figures(direct, through) | {
        "clients": clients,
        "cpu_ms_an_answer": round(1000 * spent / max(1, len(through.whole)), 2),
        "rss_mb": [round(m) for m in memory],
    }


def _figures(direct: Run, through: Run) -> dict:
    found = {"answers": len(through.whole), "lost": through.lost, "mixed": through.mixed}
    for name, of in (("first", "first"), ("whole", "whole")):
        ours, theirs = sorted(getattr(through, of)), sorted(getattr(direct, of))
        for label, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
            added = ours[int(share * len(ours))] - theirs[int(share * len(theirs))]
            found[f"{name}_added_{label}_ms"] = round(1000 * added, 1)
        print(f"{name}: direct median {1000 * median(theirs):.1f} ms, through"
              f" {1000 * median(ours):.1f} ms", file=sys.stderr)  # fmt: skip
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--fake", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--nights", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fake:
        asyncio.run(_fake_backend())
    elif options.serve:
        _serve(options.serve[0], int(options.serve[1]))
    elif options.nights:
        _nights(options.nights)
    else:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(measure(options.clients, options.seconds, folder)))


if __name__ == "__main__":
    main()
