"""What must hold here before a night starts by itself: mains power, a quiet processor."""

import os
from pathlib import Path

from agent.schedule import ScheduleConfig

SUPPLIES = Path("/sys/class/power_supply")


def hindrance(config: ScheduleConfig, supplies: Path = SUPPLIES) -> str:
    """Why a night should wait, in plain words; "" where nothing hinders it."""
    if not config.on_battery and is_on_battery(supplies):
        return "waiting for mains power (schedule.on_battery)"
    if config.max_load:
        load = os.getloadavg()[0] / (os.cpu_count() or 1)
        if load > config.max_load:
            return f"waiting for a quieter machine: load {load:.1f} a core (schedule.max_load)"
    return ""


def is_on_battery(supplies: Path = SUPPLIES) -> bool:
    """Whether there is mains power that could be there and is not (sysfs-class-power of Linux).

    A machine without any mains entry, such as a server, is never on battery.
    """
    mains = [path.parent for path in supplies.glob("*/type") if _read(path) in ("Mains", "USB")]
    online = [_read(place / "online") for place in mains]
    return bool(online) and "1" not in online and bool(list(supplies.glob("BAT*")))


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
