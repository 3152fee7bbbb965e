"""How results look: one JSON document, or words and tables for people."""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from memory.errors import UsageError


def out(result: object, as_json: bool, words: str | Callable[[dict], object]) -> None:
    """Prints the result: JSON on standard output, or a format string, a text or a rich table."""
    if as_json:
        print(json.dumps(result, ensure_ascii=False, default=str))
        return
    shown = words.format(**result) if isinstance(words, str) else words(result)
    if isinstance(shown, str):
        print(shown)
    elif shown is not None:
        from rich.console import Console

        Console().print(shown)


def note(text: str) -> None:
    """A remark on standard error."""
    if text:
        print(text, file=sys.stderr)


def parse_date(text: str) -> datetime | None:
    """ "2026-03-01" or a time with it, as aware UTC; None for "". Raises UsageError."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"not a date: {text!r}; write 2026-03-01 or 2026-03-01T09:00") from None
    return moment.astimezone(UTC)


@contextlib.contextmanager
def progress(title: str) -> Iterator[Callable[..., None]]:
    """A bar with rate and estimate on standard error where a terminal is there; else nothing."""
    if not sys.stderr.isatty():
        yield lambda *args, **kwargs: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=None)

        def tell(event: object = None, *args, **kwargs) -> None:
            if isinstance(event, dict) and "step" in event:
                bar.update(task, completed=event["step"], total=event.get("steps"))
            elif hasattr(event, "read"):
                bar.update(task, completed=event.read)

        yield tell


def rejects(db, source: str, limit: int = 5) -> None:
    """The first records of a source that could not be read, and why, on standard error."""
    query = "select path, place, reason from rejects where source = ? limit ?"
    for row in db.query(query, [source, limit]):
        where = " ".join(part for part in (row["path"], row["place"]) if part)
        note(f"{source}: {where + ': ' if where else ''}{row['reason']}")


def not_read(record) -> None:
    """An Unreadable or a Skipped record, on standard error."""
    where = " ".join(filter(None, (record.path, getattr(record, "where", ""))))
    note(f"{where + ': ' if where else ''}{record.reason}")


def night_progress() -> Callable[[dict], None]:
    """A live line for the stage at work, and one greppable line as each stage ends."""
    live = sys.stderr.isatty()

    def tell(event: dict) -> None:
        clear = "\r\x1b[K" if live else ""
        if event.get("done"):
            print(f"{clear}{event['summary']}", file=sys.stderr, flush=True)
        elif live and "step" in event:
            steps = event.get("steps")
            share = f" {event['step']}/{steps}" if steps else f" {event['step']}"
            extra = f" loss {event['loss']:.3f}" if event.get("loss") is not None else ""
            rate = event.get("tokens_per_second")
            extra += f", {rate:,.0f} tokens/s" if rate else ""
            left = event.get("eta_seconds")
            extra += f", {left / 60:.1f} min left" if left else ""
            print(f"{clear}{event['stage']}{share}{extra}", end="", file=sys.stderr, flush=True)

    return tell


def table(columns: list[str], rows: list[list[object]], empty: str = ""):
    """A rich table, every cell as text and nothing in it read as markup; no rows: `empty`."""
    from rich.table import Table
    from rich.text import Text

    if not rows and empty:
        return empty
    made = Table()
    for column in columns:
        made.add_column(column)
    for row in rows:
        made.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    return made


def checks_table(found: dict):
    rows = [
        ["ok" if c["ok"] else "NO", c["name"], c["found"], c["advice"]] for c in found["checks"]
    ]
    return table(["", "check", "found", "what to do"], rows)


def counts_table(sources: dict[str, dict]):
    columns = ["read", "messages", "updated", "duplicates", "rejects"]
    rows = []
    for name, counts in sources.items():
        skipped = ", ".join(f"{n:,} {why}" for why, n in counts["skipped"].items())
        rows.append([name, *(f"{counts[column]:,}" for column in columns), skipped])
    return table(["source", *columns, "skipped"], rows)


def hits_table(found: dict):
    columns = ["id", "source", "author", "sent_at", "snippet"]
    rows = [[hit[column] for column in columns] for hit in found["hits"]]
    return table(columns, rows, "nothing found")


def inspected(found: dict) -> str:
    """Each message with its spans: flags before, struck out in words where loss is off."""
    lines = []
    for message in found["messages"]:
        own = "own" if message["own"] else message["provenance"]
        lines.append(f"== {message['path']} {message['external_id']} ({message['author']}, {own})")
        for span in message["spans"]:
            text = " ".join(message["text"][span["start"] : span["end"]].split())
            mark = "+" if span["loss"] else "-"
            flags = " ".join(span["flags"]) or "."
            lines.append(f"{mark} {flags:8} {span['why']:14} {text[:110]}")
        if message["unknown"]:
            lines.append(f"? nobody in the registry: {', '.join(message['unknown'])}")
    return "\n".join(lines) or "no message in it"


def beings_table(found: dict):
    rows = [
        [
            ", ".join([b["name"], *b.get("aliases", [])]),
            b["kind"],
            b.get("count", ""),
            "; ".join(b.get("examples", []))[:100],
        ]
        for b in found["beings"]
    ]
    return table(["name", "kind", "count", "examples"], rows, "nobody new")


def dataset_words(found: dict) -> str:
    """The dataset in plain sentences."""
    lines = [
        f"{found['examples']:,} examples, {found['loss_tokens']:,} loss tokens, "
        f"{found['foreign_loss_tokens']} of them somebody else's."
    ]
    for key in ("by_author", "by_provenance", "by_source", "by_view"):
        if not found.get(key):
            continue
        parts = sorted(found[key].items(), key=lambda item: -_number(item[1]))
        words = ", ".join(f"{name} {_brief(value)}" for name, value in parts[:12])
        lines.append(f"{key.replace('_', ' ')}: {words}")
    lines += ["left out:"] if found["dropped"] else []
    lines += [f"  {n:>7,}  {reason}" for reason, n in sorted(found["dropped"].items())]
    lines += [f"{note}." for note in found.get("notes", [])]
    return "\n".join(lines)


def _number(value: object) -> float:
    return sum(map(_number, value.values())) if isinstance(value, dict) else float(value)


def _brief(value: object) -> str:
    if isinstance(value, dict):
        return "(" + ", ".join(f"{key} {_brief(v)}" for key, v in value.items()) + ")"
    return f"{value:,}"


def base_row(base) -> dict:
    return {
        "name": base.name,
        "path": str(base.path),
        "revision": base.revision,
        "lineage": base.lineage,
        "tiny": base.tiny,
    }


def bases_table(found: list[dict]):
    rows = [[base["name"], base["revision"][:12], base["path"]] for base in found]
    return table(["base", "revision", "path"], rows, "no base is here: `junior base fetch`")


def night_words(found: dict) -> str:
    if "stopped" in found:
        return "the night was asked to stop" if found["stopped"] else "no night is running"
    if found["verdict"] is None:
        return f"no night started: {found['reason']}"
    lines = [f"night {found['night']}: {found['verdict']}"]
    if found["reason"]:
        lines.append(found["reason"])
    if found["report"]:
        lines.append(f"report: {found['report']}")
    return "\n".join(lines)


def nights_table(found: dict):
    rows = []
    for night in found["nights"]:
        stages = ", ".join(f"{s['name']} {s['seconds'] or 0:.0f}s" for s in night["stages"])
        rows.append([night["id"], night["verdict"], night["base"], stages, night["reason"]])
    return table(["night", "verdict", "base", "stages", "why"], rows, "no night yet")


def traced(found: dict) -> str:
    lines = [f"row {found['row']} of night {found['night']} ({found['view']})"]
    for message in found["messages"]:
        lines.append(f"-- {message['id']} {message['source']} {message['external_id']}")
        lines.append(message["text"])
    return "\n".join(lines)


def config_words(values: dict[str, dict], origin: bool) -> str:
    return "\n".join(
        f"{key} = {json.dumps(entry['value'])}" + (f"   ({entry['origin']})" if origin else "")
        for key, entry in values.items()
    )


def generations_table(found: dict):
    columns = ["id", "created_at", "verdict", "scores", "bytes", "kept", "tag", "digest"]
    columns += ["current", "pinned"]
    short = [row | {"digest": row["digest"][:12]} for row in found["generations"]]
    rows = [[_cell(row.get(column)) for column in columns] for row in short]
    return table(columns, rows, "nothing has been released yet")


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else ""
    return _brief(value) if isinstance(value, dict) else value


def units(found: dict) -> str:
    return "\n".join(
        [f"# {unit['path']}\n{unit['text']}" for unit in found["units"]] + found["notes"]
    )
