"""Named places where a test ends the process at once: JUNIOR_CRASH_AT=stage.point."""

import os
import signal

STAGES = ("ingest", "curate", "train", "export", "evaluate", "release")
# "half": written and synced under its temporary name; "whole": it has its name
FILES = (
    "identity.toml",
    "config.json",
    "train.jsonl",
    "held_out.jsonl",
    "manifest.json",
    "sealed.json",
    "train.json",
    "export.json",
    "report.html",
    "report.json",
    "Modelfile",
    "release.json",
)
POINTS = (
    "night.begun",
    *(f"{stage}.{at}" for stage in STAGES for at in ("begun", "unrecorded", "recorded")),
    "night.unfinished",
    "ingest.uncommitted",
    "release.unregistered",
    "release.registered",
    "release.switched",
    *(f"{name}.{at}" for name in FILES for at in ("half", "whole")),
)


def reach(point: str) -> None:
    """Ends the process as `kill -9` would, where $JUNIOR_CRASH_AT names this point."""
    if os.environ.get("JUNIOR_CRASH_AT") == point:
        os.kill(os.getpid(), signal.SIGKILL)
