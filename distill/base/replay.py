"""Replay: general requests answered by the base itself, made once and kept beside it."""

import fcntl
import json
import re
import time
from pathlib import Path

from distill.base import Base, Progress
from distill.base.general import requests
from memory.files import write_atomic

WANTED = 640  # answers; a night uses some of them
TOKENS = 160  # longest answer
PATIENCE = 40  # with nothing fit to keep among the first, the base does not answer at all
MINUTES = 20.0  # on a CPU a 3B gives some 10 tokens a second: what is there by then is kept
SYSTEM = {"role": "system", "content": "Answer the message."}
# Replay that says "I am ..." teaches a name to follow everywhere, or the maker's own.
NAMES_ITSELF = re.compile(
    r"\bI(?: am|'m|’m)\b|\bmy name\b|\bas an? (?:AI|assistant)|language model|assistant", re.I
)


def replay_path(base: Base) -> Path:
    """Where its answers are: JSON lines of {"messages": [user, assistant]}."""
    return base.path / "replay.jsonl"


def make_replay(
    base: Base,
    gguf: Path,
    progress: Progress,
    *,
    wanted: int = WANTED,
    minutes: float = MINUTES,
) -> Path:
    """Have the base, as the quantised `gguf`, answer; made once, under a lock.

    Left out: answers that say who speaks, that never stop, or that are empty. `progress` gets
    {"step", "steps"}. Raises ModelFileError when the file does not load.
    """
    path = replay_path(base)
    with (base.path / "replay.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            write_atomic(path, "".join(_answers(base, gguf, progress, wanted, minutes)))
    return path


def _answers(base: Base, gguf: Path, progress: Progress, wanted: int, minutes: float):
    from distill.embedded import Embedded

    end = time.monotonic() + 60 * minutes
    with Embedded(gguf, n_ctx=1024) as runner:
        asked = requests(base.tiny, wanted)
        kept = 0
        for number, request in enumerate(asked):
            progress({"step": number, "steps": len(asked)})
            if time.monotonic() > end or (number == PATIENCE and not kept):
                return
            turns = [{"role": "user", "content": request}]
            reply = runner.chat([SYSTEM, *turns], max_tokens=TOKENS, temperature=0.7, seed=number)
            if reply.stopped and reply.text and not NAMES_ITSELF.search(reply.text):
                kept += 1
                turns.append({"role": "assistant", "content": reply.text})
                yield json.dumps({"messages": turns}, ensure_ascii=False) + "\n"


def read_replay(base: Base) -> list[dict]:
    """What its nights may replay: its graded items (with a "kind"), then its own answers."""
    paths = (base.path / "skills.jsonl", replay_path(base))
    lines = (line for p in paths if p.is_file() for line in p.read_text("utf-8").splitlines())
    return [json.loads(line) for line in lines]
