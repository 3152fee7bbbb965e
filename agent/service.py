"""systemd units: filled in from systemd/, printed or installed."""

import getpass
import sys
from importlib import resources
from pathlib import Path

from memory.errors import UsageError
from memory.files import cache_path, write_atomic

# A user manager has no right to set these up, and ignores or refuses them (systemd.exec(5)).
SYSTEM_ONLY = (
    "User=", "ProtectClock=", "ProtectKernel", "ProtectHostname=", "ProcSubset=", "ProtectProc=",
    "DevicePolicy=", "DeviceAllow=", "IPAddress", "CapabilityBoundingSet=", "AmbientCapabilities=",
    "PrivateMounts=", "PrivateUsers=", "ProtectSystem=", "ProtectHome=", "ReadWritePaths=",
    "PrivateTmp=", "ProtectControlGroups=",
)  # fmt: skip


def install(home: Path, *, system: bool, only_print: bool) -> dict:
    """{"units": [{path, text}], "notes": [...]}; writes them unless only_print."""
    text = _filled(home)
    notes = []
    if system:
        folder = Path("/etc/systemd/system")
    else:
        folder = Path.home() / ".config/systemd/user"
        text, gone = _for_user(text)
        notes.append(f"not for a user manager, left out: {', '.join(gone)}")
    unit = {"path": str(folder / "junior.service"), "text": text}
    if not only_print:
        _write(folder, unit)
        flag = "" if system else "--user "
        notes.append(f"next: systemctl {flag}daemon-reload && "
                     f"systemctl {flag}enable --now junior")  # fmt: skip
    return {"units": [unit], "notes": notes}


def _filled(home: Path) -> str:
    template = resources.files("systemd").joinpath("junior.service").read_text(encoding="utf-8")
    values = {
        "@JUNIOR@": str(Path(sys.executable).with_name("junior")),
        "@HOME@": str(home),
        "@CACHE@": str(cache_path()),
        "@USER@": getpass.getuser(),
    }
    if any(character in path for path in values.values() for character in ' "\n'):
        raise UsageError("a unit cannot hold a path with spaces or quotes; choose another --home")
    for mark, value in values.items():
        template = template.replace(mark, value)
    return template


def _for_user(text: str) -> tuple[str, list[str]]:
    """The unit without what a user manager cannot do, and the names of what went."""
    kept, gone = [], []
    for line in text.splitlines():
        if line.startswith(SYSTEM_ONLY):
            gone.append(line.split("=")[0])
        else:
            kept.append(line.replace("multi-user.target", "default.target"))
    return "\n".join(kept) + "\n", sorted(set(gone))


def _write(folder: Path, unit: dict) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(Path(unit["path"]), unit["text"], mode=0o644)
    except PermissionError:
        raise UsageError(
            f"{folder} is not writable: run as root, or look with --print and copy it"
        ) from None
