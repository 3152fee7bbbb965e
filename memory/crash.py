"""Named places where a test ends the process at once: JUNIOR_CRASH_AT=stage.point."""

import os
import signal

# What a stage writes, in its order; "half": whole under a temporary name, "whole": it has its own.
FILES = {
    "night": ("identity.toml", "config.json"),
    "ingest": (),
    "curate": ("train.jsonl", "held_out.jsonl", "manifest.json"),
    "train": ("sealed.json", "train.json"),
    "export": ("export.json",),
    "evaluate": ("report.html", "report.json"),
    "release": ("Modelfile", "release.json"),
}
ALSO = {
    "night": ("night.begun",),
    "ingest": ("ingest.uncommitted",),
    "release": ("release.unregistered", "release.registered", "release.switched"),
}


def _points(stage: str) -> tuple[str, ...]:
    files = tuple(f"{name}.{at}" for name in FILES[stage] for at in ("half", "whole"))
    inside = (*files, *ALSO.get(stage, ()))
    if stage == "night":
        return inside
    return (f"{stage}.begun", *inside, f"{stage}.unrecorded", f"{stage}.recorded")


# In the order in which a night comes by them.
POINTS = (*(point for stage in FILES for point in _points(stage)), "night.unfinished")


def reach(point: str) -> None:
    """Ends the process as `kill -9` would, where $JUNIOR_CRASH_AT names this point.

    By another signal where $JUNIOR_CRASH_BY names one, such as SIGSEGV.
    """
    if os.environ.get("JUNIOR_CRASH_AT") == point:
        os.kill(os.getpid(), signal.Signals[os.environ.get("JUNIOR_CRASH_BY", "SIGKILL")])
