"""Write the README's table of keys and its tree from the code: `make docs`."""

import ast
import dataclasses
import subprocess
from pathlib import Path

from agent.config import SECTIONS

ROOT = Path(__file__).parent.parent
ROOMS = {
    "agent": "WHEN things happen, and who acts",
    "distill": "WHAT IS LEARNT: messages become a released model",
    "memory": "WHAT WAS SAID: one SQLite file",
    "modelfiles": "Go templates and the Modelfile",
    "systemd": "units",
    "benchmarks": "one script for each measured claim",
}
BELOW = {
    "demo/": "a made-up agent's life and the script that lives one night of it",
    "tests/": "claims, one file a module; homes.py and bases.py make small ones",
    "docs/results/": "what was measured, with commands and machine",
}


def shown(value: object) -> str:
    if dataclasses.is_dataclass(value):
        return "a table"
    if isinstance(value, tuple):
        return str(list(value))
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else repr(value)


def key_table() -> str:
    rows = ["| key | default | what |", "|---|---|---|"]
    for section, cls in SECTIONS.items():
        default = cls()
        for field in dataclasses.fields(cls):
            doc = field.metadata.get("doc", "").rstrip(".").replace("|", "\\|")
            value = shown(getattr(default, field.name))
            rows.append(f"| `{section}.{field.name}` | {value} | {doc} |")
    return "\n".join(rows)


def first_sentence(path: Path) -> str:
    if path.suffix != ".py" or not path.exists():
        return ""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.split("\n")[0].rstrip(".:")


def tree() -> str:
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    run = subprocess.run(listed, capture_output=True, text=True, cwd=ROOT, check=True)
    tracked = [Path(line) for line in run.stdout.split("\n") if (ROOT / line).is_file()]
    lines: list[tuple[str, str]] = []

    def walk(folder: Path, depth: int) -> None:
        here = sorted(p for p in tracked if p.parent == folder and p.name != "__init__.py")
        lines.extend(("  " * depth + p.name, first_sentence(ROOT / p)) for p in here)
        parents = {p.parents[-depth - 2] for p in tracked if folder in p.parents[1:]}
        for below in sorted(parents):
            what = first_sentence(ROOT / below / "__init__.py")
            lines.append(("  " * depth + below.name + "/", what))
            walk(below, depth + 1)

    for room, what in ROOMS.items():
        lines.append((room + "/", what))
        walk(Path(room), 1)
    lines.extend(BELOW.items())
    width = max(len(name) for name, _ in lines) + 2
    return "```\n" + "\n".join((a.ljust(width) + b).rstrip() for a, b in lines) + "\n```"


def main() -> None:
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    for mark, body in {"keys": key_table(), "tree": tree()}.items():
        before, _, after = text.split(f"<!-- {mark} -->")
        text = f"{before}<!-- {mark} -->\n{body}\n<!-- {mark} -->{after}"
    readme.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
