"""The configuration in force: config.toml read, checked and explained."""

import dataclasses
import json
import math
import os
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path

import tomlkit
from tomlkit.exceptions import TOMLKitError

from agent.schedule import BackupConfig, ScheduleConfig
from agent.serve.config import ServeConfig
from agent.tell import TellConfig
from distill.base import BaseConfig
from distill.curate import CurateConfig
from distill.evaluate.gate import GateConfig
from distill.gguf import ExportConfig
from distill.release import PublishConfig
from distill.train import TrainConfig
from memory.errors import ConfigError
from memory.files import home_path, write_atomic
from memory.ingest import SourceConfig
from memory.sources import SOURCES


@dataclass(frozen=True)
class Config:
    """Every section, composed; `origins` says where a value that is no default came from."""

    home: Path
    sources: tuple[SourceConfig, ...] = ()
    base: BaseConfig = field(default_factory=BaseConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    backup: BackupConfig = field(default_factory=BackupConfig)
    tell: TellConfig = field(default_factory=TellConfig)
    curate: CurateConfig = field(default_factory=CurateConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    export: ExportConfig = field(default_factory=ExportConfig)
    gate: GateConfig = field(default_factory=GateConfig)
    publish: PublishConfig = field(default_factory=PublishConfig)
    serve: ServeConfig = field(default_factory=ServeConfig)
    origins: dict[str, str] = field(default_factory=dict)

    @property
    def config_path(self) -> Path:
        return self.home / "config.toml"

    @property
    def identity_path(self) -> Path:
        return self.home / "identity.toml"

    @property
    def database_path(self) -> Path:
        return self.home / "memory.db"

    @property
    def nights_path(self) -> Path:
        return self.home / "nights"


SECTIONS: dict[str, type] = {
    "base": BaseConfig,
    "schedule": ScheduleConfig,
    "backup": BackupConfig,
    "tell": TellConfig,
    "curate": CurateConfig,
    "train": TrainConfig,
    "export": ExportConfig,
    "gate": GateConfig,
    "publish": PublishConfig,
    "serve": ServeConfig,
}


NEVER_NEGATIVE = ("minutes", "hours", "days", "seconds", "_gb")  # by the unit in a key's name


def load_config(
    home: Path | None = None,
    flags: dict[str, object] | None = None,
    frozen: Path | None = None,
) -> Config:
    """The configuration of `home`: flags beat environment, environment beats file, file default.

    `flags` and the environment name a value as `section.key` and `JUNIOR_SECTION_KEY`; with
    `frozen`, a night's config.json is read instead and nothing else counts.
    Raises ConfigError with every problem found, an unknown key included.
    """
    home = Path(home) if home else home_path()
    path = frozen or home / "config.toml"
    table = _read_json(path) if frozen else _read_toml(path)
    problems: list[str] = []
    origins: dict[str, str] = {}
    sources = _sources(table.pop("sources", []), problems)
    sections = {}
    for name, cls in SECTIONS.items():
        values = table.pop(name, {})
        if not isinstance(values, dict):
            problems.append(f"[{name}] must be a table")
            values = {}
        origins |= {f"{name}.{key}": "file" for key in values}
        values = dict(values)
        if not frozen:
            _overlay(name, cls, values, flags or {}, origins, problems)
        sections[name] = read_section(cls, values, f"[{name}]", problems)
    problems += [f"unknown section [{name}]" for name in table]
    problems += [] if frozen else _unknown_variables()
    problems += [
        f"unknown flag {flag}" for flag in flags or {} if flag.split(".")[0] not in SECTIONS
    ]
    if problems:
        raise ConfigError(path, problems)
    return Config(home=home, sources=sources, origins=origins, **sections)


def _read_toml(path: Path) -> dict:
    try:
        return tomlkit.parse(path.read_text(encoding="utf-8")).unwrap()
    except FileNotFoundError:
        return {}
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise ConfigError(path, [f"not readable as TOML: {error}"]) from error
    except OSError as error:
        raise ConfigError(path, [f"cannot be read: {error.strerror}"]) from error


def freeze(config: Config) -> dict:
    """The configuration as a night keeps it: every value, as load_config(frozen=) reads it."""
    sections = {name: dataclasses.asdict(getattr(config, name)) for name in SECTIONS}
    sources = [dataclasses.asdict(source) for source in config.sources]
    return json.loads(json.dumps(sections | {"sources": sources}, default=str))


def _read_json(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(path, [f"not a night's configuration: {error}"]) from error


def _overlay(name, cls, values, flags, origins, problems) -> None:
    """Puts environment variables, then flags, over what the file says."""
    hints = typing.get_type_hints(cls)
    for f in dataclasses.fields(cls):
        if dataclasses.is_dataclass(hints[f.name]):
            continue
        variable = f"JUNIOR_{name}_{f.name}".upper()
        if variable in os.environ:
            values[f.name] = _parse(os.environ[variable], hints[f.name], variable, problems)
            origins[f"{name}.{f.name}"] = f"environment {variable}"
        if f"{name}.{f.name}" in flags:
            values[f.name] = flags[f"{name}.{f.name}"]
            origins[f"{name}.{f.name}"] = "flag"


def _unknown_variables() -> list[str]:
    """A problem for each JUNIOR_SECTION_KEY whose section there is, but no such key."""
    known, sections = set(), []
    for name, cls in SECTIONS.items():
        sections.append(f"JUNIOR_{name}_".upper())
        known |= {f"JUNIOR_{name}_{f.name}".upper() for f in dataclasses.fields(cls)}
    ours = (variable for variable in os.environ if variable.startswith(tuple(sections)))
    return [
        f"environment: unknown {variable}" for variable in sorted(ours) if variable not in known
    ]


def _parse(text: str, kind: object, where: str, problems: list[str]) -> object:
    """An environment variable's text as the type its field has; the text itself if it is none."""
    if kind is bool:
        if text.lower() in ("1", "true", "yes", "on"):
            return True
        return False if text.lower() in ("0", "false", "no", "off", "") else text
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            return text
    if typing.get_origin(kind) is tuple:
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def read_section(cls: type, values: dict, where: str, problems: list[str]):
    """An instance of the frozen dataclass `cls`; problems are added to the list, never raised."""
    hints = typing.get_type_hints(cls)
    known = {f.name: f for f in dataclasses.fields(cls)}
    problems += [
        f"{where} unknown key {key!r} (known: {', '.join(sorted(known))})"
        for key in values
        if key not in known
    ]
    good = {}
    for key in (name for name in values if name in known):
        value = _checked(hints[key], values[key], f"{where} {key}", problems)
        if value is not None and (wrong := _out_of_range(known[key], value)):
            problems.append(f"{where} {key} {wrong}, found {value}")
        elif value is not None:
            good[key] = value
    try:
        return cls(**good)
    except ValueError as error:
        problems.append(f"{where} {error}")
    except TypeError:
        missing = [f.name for f in dataclasses.fields(cls) if _required(f) and f.name not in good]
        problems.append(f"{where} needs {', '.join(missing)}")
    return None


def _out_of_range(f: dataclasses.Field, value: object) -> str:
    """What a number of this name cannot be; "" where it can."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    if not math.isfinite(value):
        return "must be a number"
    if f.name.endswith("_share") and not 0 <= value <= 1:
        return "is a share, 0 to 1"
    counted = isinstance(value, int) or f.name.endswith(NEVER_NEGATIVE)
    if counted and value < 0 <= (f.default if isinstance(f.default, int | float) else -1):
        return "must not be negative"
    return ""


def _required(f: dataclasses.Field) -> bool:
    return f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING


def _checked(kind: object, value: object, where: str, problems: list[str]):
    """`value` as `kind`, or None with a problem added."""
    if dataclasses.is_dataclass(kind):
        if isinstance(value, dict):
            return read_section(kind, value, f"{where.replace('] ', '.')}]", problems)
        problems.append(f"{where} must be a table")
        return None
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        kind = next(k for k in typing.get_args(kind) if k is not type(None))
    if origin is tuple:
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        problems.append(f"{where} must be a list of strings, found {value!r}")
        return None
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is Path and isinstance(value, str):
        return Path(value).expanduser()
    if (
        isinstance(kind, type)
        and isinstance(value, kind)
        and (kind is bool) == (isinstance(value, bool))
    ):
        return value
    name = getattr(kind, "__name__", str(kind))
    problems.append(f"{where} must be {name}, found {value!r}")
    return None


def _sources(tables: object, problems: list[str]) -> tuple[SourceConfig, ...]:
    """[[sources]] with names made unique: the kind, then kind-2."""
    if not isinstance(tables, list):
        problems.append("sources must be written as [[sources]] tables")
        return ()
    found, names = [], set()
    for index, values in enumerate(tables, 1):
        where = f"[[sources]] {index}"
        source = read_section(SourceConfig, values, where, problems)
        if source is None:
            continue
        if source.kind not in SOURCES:
            problems.append(f"{where} unknown kind {source.kind!r} (known: {', '.join(SOURCES)})")
        if source.name and source.name in names:
            problems.append(f"{where} the name {source.name!r} is used twice")
        names.add(source.name)
        found.append(source)
    return name_sources(found)


def name_sources(sources: list[SourceConfig]) -> tuple[SourceConfig, ...]:
    """Gives the nameless ones their names: the kind, then kind-2, kind-3."""
    taken = {source.name for source in sources if source.name}
    named = []
    for source in sources:
        name, n = source.name or source.kind, 1
        while not source.name and name in taken:
            n += 1
            name = f"{source.kind}-{n}"
        taken.add(name)
        named.append(dataclasses.replace(source, name=name))
    return tuple(named)


def write_config(home: Path, values: dict[str, dict[str, object]], sources) -> Path:
    """Writes a complete, commented config.toml; keys left at their default are commented out."""
    document = tomlkit.document()
    document.add(tomlkit.comment("Junior's configuration. Lines commented out show the defaults."))
    document.add(tomlkit.comment("`junior config --origin` says which value is in force and why."))
    for name, cls in SECTIONS.items():
        document.add(tomlkit.nl())
        document.add(name, _section_table(cls, values.get(name, {})))
    document.add(tomlkit.nl())
    document.add(tomlkit.comment("Where the words are: kind, path; optional name, own, author."))
    tables = tomlkit.aot()
    for source in sources:
        table = tomlkit.table()
        for key in ("kind", "path", "name", "own", "author"):
            value = getattr(source, key)
            if value and not (key == "name" and value == source.kind):
                table.add(key, list(value) if isinstance(value, tuple) else str(value))
        tables.append(table)
    if sources:
        document.add("sources", tables)
    else:
        for line in ("[[sources]]", 'kind = "journals"', 'path = "/home/me/journals"'):
            document.add(tomlkit.comment(line))
    path = home / "config.toml"
    write_atomic(path, tomlkit.dumps(document))
    return path


def _section_table(cls: type, values: dict[str, object]):
    table = tomlkit.table()
    default = cls()
    for f in dataclasses.fields(cls):
        value, doc = getattr(default, f.name), f.metadata.get("doc", "")
        if doc:
            table.add(tomlkit.comment(doc))
        if dataclasses.is_dataclass(value):
            table.add(f.name, _section_table(type(value), values.get(f.name, {})))
        elif f.name in values:
            table.add(f.name, values[f.name])
        else:
            table.add(tomlkit.comment(f"{f.name} = {tomlkit.item(_plain(value)).as_string()}"))
    return table


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Path) else value


def flatten(config: Config) -> dict[str, object]:
    """Every value in force by its dotted name, sources apart."""
    flat: dict[str, object] = {}
    for name in SECTIONS:
        for key, value in dataclasses.asdict(getattr(config, name)).items():
            if isinstance(value, dict):
                flat |= {f"{name}.{key}.{k}": _plain(v) for k, v in value.items()}
            else:
                flat[f"{name}.{key}"] = _plain(value)
    return flat
