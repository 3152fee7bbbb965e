"""Telling people and programs how it went: notifications by apprise, a Prometheus textfile."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from memory.errors import UserError
from memory.files import write_atomic

if TYPE_CHECKING:
    from agent.config import Config

VERDICTS = ("released", "rejected", "unchanged", "failed", "interrupted")


@dataclass(frozen=True)
class TellConfig:
    """`[tell]`: who hears of a night that the clock or a timer started."""

    urls: tuple[str, ...] = field(
        default=(), metadata={"doc": "apprise URLs; needs `pip install junior[notify]`"}
    )
    on: tuple[str, ...] = field(
        default=("released", "rejected", "failed"), metadata={"doc": "verdicts that are told"}
    )
    textfile: str = field(
        default="", metadata={"doc": "for Prometheus' node exporter: .../junior.prom; empty: none"}
    )

    def __post_init__(self) -> None:
        if unknown := set(self.on) - set(VERDICTS):
            known = ", ".join(VERDICTS)
            raise ValueError(f"on: {', '.join(sorted(unknown))} is no verdict; known: {known}")
        if self.textfile and not self.textfile.endswith(".prom"):
            raise ValueError(f"textfile must end in .prom, found {self.textfile!r}")


def tell_night(config: "Config", night: str, verdict: str, reason: str) -> bool:
    """Notifies of a verdict that is to be told; whether all were reached.

    Says the verdict and the gate's sentence, never a text of the memory. Raises UserError where
    apprise is not installed or does not know an address.
    """
    if not config.tell.urls or verdict not in config.tell.on:
        return False
    try:
        import apprise
    except ImportError:
        raise UserError(
            f"{config.config_path}: [tell] urls needs apprise: pip install 'junior[notify]'"
        ) from None
    messenger = apprise.Apprise()
    for url in config.tell.urls:
        if not messenger.add(url):
            kind = url.partition("://")[0]
            raise UserError(f"{config.config_path}: [tell] urls: apprise knows no {kind}://")
    return bool(messenger.notify(title=f"Junior: {night} {verdict}", body=reason or verdict))


def write_textfile(config: "Config", status: dict, now: datetime) -> Path | None:
    """The status as Prometheus' text format (prometheus.io/docs, exposition formats); None if off.

    Readable by others, as the exporter is another user: numbers only.
    """
    if not config.tell.textfile:
        return None
    last = status["last_night"] or {}
    lines = [
        _line("messages", status["messages"]),
        _line("rejects", status["rejects"]),
        _line("disk_bytes", status["disk_bytes"]),
        _line("problems", len(status["problems"])),
        _line("written_timestamp_seconds", int(now.timestamp())),
    ]
    for verdict in VERDICTS:
        is_it = int(last.get("verdict") == verdict)
        lines.append(_line(f'last_night{{verdict="{verdict}"}}', is_it))
    for name, moment in (
        ("last_night_timestamp_seconds", last.get("finished_at")),
        ("last_backup_timestamp_seconds", status["last_backup"]),
    ):
        if moment:
            lines.append(_line(name, int(datetime.fromisoformat(moment).timestamp())))
    try:
        return write_atomic(Path(config.tell.textfile), "".join(lines), mode=0o644)
    except OSError as error:
        raise UserError(f"[tell] textfile {config.tell.textfile}: {error.strerror}") from error


def _line(name: str, value: int) -> str:
    return f"junior_{name} {value}\n"
