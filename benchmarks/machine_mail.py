"""How much machine mail is told from people's, on made-up mails after the senders' documentation.

    .venv/bin/python -m benchmarks.machine_mail [--show] [FILE.mbox ...]

A mail's `X-Class` says what it is: "machine" (nobody wrote it), "human" (somebody did, also where
it looks otherwise), "carried" (a person's words within a program's mail: counted, no target).
"""

import argparse
import json
import re
from pathlib import Path

from memory.message import Message
from memory.sources.mail import read_mail

MAILS = Path(__file__).parent.parent / "tests/data/mails"
KINDS = ("machine", "human", "carried")
CLASS = re.compile(rb"^X-Class: (\w+) (.*)$", re.MULTILINE)


def judge(file: Path) -> list[tuple[str, str, bool]]:
    """(class, what it is, whether it is taken for a machine's) of each mail of an mbox."""
    mails = re.split(rb"^From x .*\n", file.read_bytes(), flags=re.MULTILINE)[1:]
    judged = []
    for data in mails:
        hit = CLASS.search(data)
        read = read_mail(CLASS.sub(b"X-Seen: yes", data, count=1), file.name)
        taken = isinstance(read, Message) and read.origin == "system"
        judged.append((hit[1].decode(), hit[2].decode(), taken))
    return judged


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--show", action="store_true", help="print the mails judged wrongly")
    options = parser.parse_args()
    for file in options.files or sorted(MAILS.glob("*.mbox")):
        judged = judge(file)
        for kind, name, taken in judged if options.show else ():
            if taken != (kind == "machine") and kind != "carried":
                print(f"{kind:8}{name}")
        kinds = {kind: [taken for one, _, taken in judged if one == kind] for kind in KINDS}
        shares = {kind: f"{sum(taken)} of {len(taken)}" for kind, taken in kinds.items()}
        print(json.dumps({"file": file.name} | shares))


if __name__ == "__main__":
    main()
