"""Every command of `junior`, a few lines over one function each."""

import json
import os
import sys

from typer.exceptions import Abort, TyperException

# in the help's order
from agent.cli import home, memory, dataset, nights, juniors, work, keeping, judging  # isort: skip
from agent.cli.app import app
from memory.errors import UserError

__all__ = [
    "app",
    "dataset",
    "home",
    "judging",
    "juniors",
    "keeping",
    "main",
    "memory",
    "nights",
    "work",
]


def main(argv: list[str] | None = None) -> None:
    """The `junior` command: exit 0 done, 1 failed, 2 wrong use, 3 the gate said no, 75 later."""
    argv = _home_first(sys.argv[1:] if argv is None else argv)
    try:
        sys.exit(app(args=argv, standalone_mode=False))
    except TyperException as error:  # a wrong flag, a missing argument
        error.show()
        _refuse(argv, error.format_message(), error.exit_code)
    except UserError as error:
        print(f"junior: {error}", file=sys.stderr)
        _refuse(argv, str(error), error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(0)
    except OSError as error:  # a folder that is not there, a full disk
        said = f"{error.filename or 'a file'}: {error.strerror or error}"
        print(f"junior: {said}", file=sys.stderr)
        _refuse(argv, said, 1)
    except Abort:
        print("junior: given up before the end, nothing is done", file=sys.stderr)
        _refuse(argv, "given up", 1)


def _refuse(argv: list[str], message: str, code: int) -> None:
    """Ends with a code; with --json the reason is a document."""
    if "--json" in argv:
        print(json.dumps({"error": message}))
    sys.exit(code)


def _home_first(argv: list[str]) -> list[str]:
    """`--home DIR` may stand after the command too: moved to the front, before any `--`."""
    end = argv.index("--") if "--" in argv else len(argv)
    rest, home = [], []
    i = 0
    while i < end:
        if argv[i] == "--home" and i + 1 < end:
            home, i = argv[i : i + 2], i + 2
        elif argv[i].startswith("--home="):
            home, i = [argv[i]], i + 1
        else:
            rest.append(argv[i])
            i += 1
    return home + rest + argv[end:]
