"""systemd units: filled in from systemd/, printed or installed."""

import getpass
import sys
from importlib import resources
from pathlib import Path

from memory.errors import UsageError
from memory.files import cache_path, write_atomic

UNITS = (
    "junior.service",
    "junior-stage@.service",
    "junior-serve.service",
    "junior-night.service",
    "junior-night.timer",
)
RULES = "junior.rules"
# What a user manager cannot do, or ignores (systemd.exec(5), systemd.resource-control(5)). Name
# spaces of files and of the network it can make within PrivateUsers=yes, which every unit has.
SYSTEM_ONLY = (
    "User=", "DevicePolicy=", "DeviceAllow=", "IPAddress", "CapabilityBoundingSet=",
    "AmbientCapabilities=", "PrivateDevices=", "ProtectClock=", "ProtectKernelLogs=",
    "ProtectKernelModules=", "ProtectHostname=", "ProcSubset=", "ProtectProc=", "OOMScoreAdjust=",
)  # fmt: skip


def install(home: Path, *, system: bool, only_print: bool) -> dict:
    """{"units": [{path, text}], "notes": [...]}; writes them unless only_print."""
    folder = Path("/etc/systemd/system") if system else Path.home() / ".config/systemd/user"
    units, notes, gone = [], [], set()
    for name in UNITS:
        text = _filled(name, home, "system" if system else "user")
        if not system:
            text, left_out = _for_user(text)
            gone |= set(left_out)
        units.append({"path": str(folder / name), "text": text})
    if gone:
        notes.append(f"not for a user manager, left out: {', '.join(sorted(gone))}")
    if system:
        rules = Path("/etc/polkit-1/rules.d/50-junior.rules")
        units.append({"path": str(rules), "text": _filled(RULES, home, "system")})
    if not only_print:
        for unit in units:
            _write(unit)
        flag = "" if system else "--user "
        notes.append(
            f"next: systemctl {flag}daemon-reload && systemctl {flag}enable --now junior"
            " (or junior-night.timer without a daemon; junior-serve for the endpoint)"
        )
    return {"units": units, "notes": notes}


def _filled(name: str, home: Path, scope: str) -> str:
    template = resources.files("systemd").joinpath(name).read_text(encoding="utf-8")
    values = {
        "@JUNIOR@": str(Path(sys.executable).with_name("junior")),
        "@PYTHON@": sys.executable,
        "@HOME@": str(home),
        "@CACHE@": str(cache_path()),
        "@CACHES@": str(cache_path().parent),
        "@USER@": getpass.getuser(),
        "@SCOPE@": scope,
    }
    if any(character in path for path in values.values() for character in ' "\n%'):
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


def _write(unit: dict) -> None:
    path = Path(unit["path"])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, unit["text"], mode=0o644)
    except PermissionError:
        raise UsageError(
            f"{path.parent} is not writable: run as root, or look with --print and copy it"
        ) from None
