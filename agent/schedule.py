"""Which night is due: period keys, window and attempts; the clock is an argument."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from memory.settings import key

FINISHED = ("released", "rejected", "unchanged")
MAX_ATTEMPTS = 3
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@dataclass(frozen=True)
class ScheduleConfig:
    """`[schedule]`: when the night starts by itself, and what it needs first."""

    at: str = key("03:30", "Local time the night starts, HH:MM.")
    window_minutes: int = key(240, "How long after `at` a night may start; training's limit.")
    catch_up: bool = key(True, "Run later when the machine was off during the window.")
    timezone: str = key("", 'Such as "Europe/Berlin"; "" = machine\'s.')
    min_free_gb: float = key(5.0, "Free disk a night needs before it starts, in 1e9 bytes.")
    on_battery: bool = key(False, "Start by itself without mains power too.")
    max_load: float = key(0.0, "Load a core above which a night waits; 0: not asked.")
    scan_seconds: int = key(300, "How often every source is scanned, events or not.")

    def __post_init__(self) -> None:
        """Raises ValueError naming the key that cannot be."""
        parse_at(self.at)
        if not 1 <= self.window_minutes <= 1440:
            raise ValueError(f"window_minutes must be 1 to 1440, found {self.window_minutes}")
        if self.scan_seconds < 1:
            raise ValueError(f"scan_seconds must be at least 1, found {self.scan_seconds}")
        zone(self)


@dataclass(frozen=True)
class BackupConfig:
    """`[backup]`: one a day, made by the daemon and by nights that a timer starts."""

    daily: bool = key(True, "Make one a day, tried by a restore.")
    keep: int = key(7, "Newest backups kept.")
    folder: str = key("", 'Where they lie; "": backups/ in the home. Better: elsewhere.')

    def __post_init__(self) -> None:
        if self.keep < 1:
            raise ValueError(f"keep must be at least 1, found {self.keep}")


def parse_at(text: str) -> time:
    """ "03:30" as a time of day; ValueError in plain words otherwise."""
    try:
        hour, minute = text.split(":")
        return time(int(hour), int(minute))
    except ValueError:
        raise ValueError(f'at must be "HH:MM", found {text!r}') from None


def zone(config: ScheduleConfig):
    """The zone `at` is meant in; None is the machine's own."""
    if not config.timezone:
        return None
    try:
        return ZoneInfo(config.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"timezone {config.timezone!r} is not known") from None


def start_of(day: date, config: ScheduleConfig) -> datetime:
    """When the period `day` begins, as aware UTC. A time DST skips is the moment after the gap."""
    naive = datetime.combine(day, parse_at(config.at))
    local = naive.replace(tzinfo=zone(config)) if config.timezone else naive.astimezone()
    return local.astimezone(UTC)


def period_of(now: datetime, config: ScheduleConfig) -> date:
    """The latest period that has begun: the local date of the last `at` that has passed."""
    today = now.astimezone(zone(config)).date()
    return today if start_of(today, config) <= now else today - timedelta(days=1)


def next_start(now: datetime, config: ScheduleConfig) -> datetime:
    """The next `at` after now, as aware UTC."""
    day = period_of(now, config) + timedelta(days=1)
    return start_of(day, config)


@dataclass(frozen=True)
class History:
    """What the table knows of a period: its scheduled nights' verdicts, and starts so far.

    A night the operator stopped counts as "stopped"; one a crash or a shutdown cut off as
    "running" or "interrupted", and is gone on with. `hindrance` is why the machine cannot now,
    `able_at` when it last could.
    """

    verdicts: tuple[str, ...] = ()
    attempts: int = 0
    first_seen_at: datetime | None = None
    last_tick_at: datetime | None = None
    paused_until: datetime | None = None
    able_at: datetime | None = None
    hindrance: str = ""


def due(now: datetime, config: ScheduleConfig, history: History) -> tuple[bool, str]:
    """Whether the night should start now, and why or why not: by the clock, then by the machine."""
    is_due, why = _due(now, config, history)
    return (False, history.hindrance) if is_due and history.hindrance else (is_due, why)


def _due(now: datetime, config: ScheduleConfig, history: History) -> tuple[bool, str]:
    """Whether the current period's night should start now, and why or why not, in plain words.

    `now` is aware. A period has at most one finished attempt, and failed ones are tried again
    up to three times in all; a night by hand does not count. A night that was cut off is gone
    on with at once, window or not.
    """
    begin = start_of(period_of(now, config), config)
    end = begin + timedelta(minutes=config.window_minutes)
    if history.paused_until and now < history.paused_until:
        return False, "paused"
    if any(verdict in FINISHED for verdict in history.verdicts):
        return False, "tonight's night is done"
    if "stopped" in history.verdicts:
        return False, "tonight's night was stopped by hand"
    if history.attempts >= MAX_ATTEMPTS:
        return False, f"tonight's night was tried {MAX_ATTEMPTS} times"
    if {"running", "interrupted"} & set(history.verdicts):
        return True, "tonight's night was cut off: going on with it"
    if history.first_seen_at and begin < history.first_seen_at <= now + DAY:
        return False, "the first night is still to come"
    if now < end:
        return True, "inside the window"
    if not config.catch_up:
        return False, "the window has passed"
    able = history.able_at or history.last_tick_at
    if able and begin <= able < end:
        return False, "the window has passed, and the machine was up in it"
    return True, "catching up: the machine was off in the window"


def backup_due(
    now: datetime, config: BackupConfig, last_at: datetime | None, tried_at: datetime | None
) -> bool:
    """A day after the last backup; an hour after one that failed; whichever way the clock goes."""
    if not config.daily or (last_at and abs(now - last_at) < DAY):
        return False
    return not (tried_at and abs(now - tried_at) < HOUR)
