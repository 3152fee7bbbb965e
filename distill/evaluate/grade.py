"""Rules that say whether an answer is right; code is run in a process with nothing in reach."""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

SECONDS = 5
_FENCED = re.compile(r"```(?:python|py)?\s*\n(.*?)(?:```|\Z)", re.DOTALL)
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")

# What the child runs: limits on itself, then no files, no network, no processes, no new modules.
_CHILD = """
import collections, functools, itertools, json, math, operator, re, resource, string, sys
given = json.load(sys.stdin)
for what, most in (("RLIMIT_CPU", 2), ("RLIMIT_AS", 1 << 29), ("RLIMIT_FSIZE", 0),
                   ("RLIMIT_CORE", 0)):
    resource.setrlimit(getattr(resource, what), (most, most))
FORBIDDEN = ("open", "os.", "socket.", "subprocess.", "shutil.", "ctypes.", "import", "pty.",
             "signal.", "sys._getframe", "sys.settrace", "gc.")
def refuse(event, arguments):
    if event.startswith(FORBIDDEN) and not (event == "import" and arguments[0] in sys.modules):
        raise PermissionError(event)
sys.addaudithook(refuse)
space = {"__name__": "answer"}
exec(given["code"], space)
said = [space["f"](one) for one in given["arguments"]]
print(json.dumps(said))
"""


def is_right(item: dict, answer: str) -> bool:
    """Whether the answer to an item of `items` is right by the item's rule."""
    return RULES[item["rule"]](answer.strip(), item["wanted"])


def code_of(answer: str) -> str:
    """The code in an answer: of its first fence, else from the first line that begins a program."""
    fenced = _FENCED.search(answer)
    if fenced:
        return fenced[1]
    start = re.search(r"^(?:def |from |import |f = )", answer, re.MULTILINE)
    return answer[start.start() :] if start else ""


def runs_right(answer: str, wanted: dict) -> bool:
    """Whether f of the answer gives what `wanted["reference"]` gives on its arguments.

    Runs in a child of its own: no environment, an empty folder, 2 s of CPU, 512 MB, no file, no
    network and no process (an audit hook, which stops mistakes and idle mischief; who attacks
    Python itself is stopped by the limits and by the stage's unit alone).
    """
    code = code_of(answer)
    if not code or len(code) > 10_000:
        return False
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(
                [sys.executable, "-I", "-S", "-c", _CHILD],
                input=json.dumps({"code": code, "arguments": wanted["arguments"]}),
                capture_output=True,
                text=True,
                timeout=SECONDS,
                cwd=Path(folder),
                env={},
            )
        except subprocess.TimeoutExpired:
            return False
    reference = eval(wanted["reference"])  # ours, out of items.CODE
    right = json.dumps([reference(argument) for argument in wanted["arguments"]])
    return done.returncode == 0 and done.stdout.splitlines()[-1:] == [right]


def _letters(text: str) -> str:
    return "".join(character for character in text if character.isalpha())


def _plain(text: str) -> str:
    return text.strip().strip("\"'`*.!").strip()


def _has(text: str, word: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) is not None


def _number(answer: str, wanted: float) -> bool:
    """The last number that is said: "12 + 5 = 17"."""
    found = [float(one.replace(",", "").rstrip(".")) for one in _NUMBER.findall(answer)]
    return bool(found) and found[-1] == wanted


def _first_of(answer: str, names: list[str]) -> bool:
    """Of the names, the first in the list is named first in the answer."""
    places = {name: m.start() for name in names if (m := re.search(re.escape(name), answer, re.I))}
    return bool(places) and min(places, key=lambda name: places[name]) == names[0]


def _sequence(answer: str, wanted: list[str]) -> bool:
    found = [_plain(part).casefold() for part in re.split(r"[,\n;]+| and ", answer) if part.strip()]
    return found == [one.casefold() for one in wanted]


def _json(answer: str, wanted: dict) -> bool:
    fenced = re.search(r"\{.*?\}", answer, re.DOTALL)
    try:
        return fenced is not None and json.loads(fenced[0]) == wanted
    except ValueError:
        return False


RULES: dict[str, Callable[..., bool]] = {
    "capitals": lambda a, _: bool(_letters(a)) and _letters(a).isupper(),
    "lower": lambda a, _: bool(_letters(a)) and _letters(a).islower(),
    "commas": lambda a, n: len([p for p in a.split(",") if p.strip()]) == n and "\n" not in a,
    "lines": lambda a, n: len([line for line in a.splitlines() if line.strip()]) == n,
    "ends": lambda a, word: _plain(a).casefold().endswith(word),
    "begins": lambda a, word: _plain(a).casefold().startswith(word),
    "holds": _has,
    "one_word": lambda a, letter: len(a.split()) == 1 and _plain(a).casefold().startswith(letter),
    "json": _json,
    "number": _number,
    "one_of": lambda a, words: any(_has(a, word) for word in words),
    "first_of": _first_of,
    "sequence": _sequence,
    "exact": lambda a, wanted: _plain(a) == wanted,
    "last": lambda a, word: _has(_plain(a).splitlines()[-1] if a else "", word),
    "code": runs_right,
}
