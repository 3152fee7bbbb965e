"""How many messages a second are told apart into "I" and "they", on one core, without a model.

    .venv/bin/python -m benchmarks.perspective [CORPUS]

CORPUS holds what benchmarks/real_night.py reads; ../shared/corpora/meridian is used when no other
is named. Reading files is not timed, and every message is looked at once.
"""

import argparse
import json
import time
from collections import Counter, defaultdict
from pathlib import Path

from agent.setup import read_beings
from benchmarks.real_night import DEFAULT, SOURCES
from distill.identity import identity_from_proposal
from distill.perspective import read
from memory.message import Message
from memory.sources import read_messages


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--agent", default="Meridian", help="whose identity it is")
    options = parser.parse_args()
    if not (options.corpus / "beings.json").exists():
        print(json.dumps({"skipped": f"no corpus at {options.corpus}"}))
        return
    beings = read_beings(options.corpus / "beings.json")
    identity = identity_from_proposal(options.agent, (), (), beings)
    counts, seconds, characters = Counter(), defaultdict(float), Counter()
    for kind, place in SOURCES.items():
        if not (options.corpus / place).exists():
            continue
        messages = read_messages(kind, options.corpus / place)
        for message in [one for one in messages if isinstance(one, Message)]:
            begin = time.process_time()
            read(message, identity)
            seconds[kind] += time.process_time() - begin
            counts[kind] += 1
            characters[kind] += len(message.text)
    for kind, n in counts.most_common():
        rate, size = n / seconds[kind], characters[kind] / n
        print(f"{kind:10} {n:7,} messages of {size:7,.0f} characters: {rate:9,.0f} a second")
    total = {
        "messages": counts.total(),
        "messages_per_second": round(counts.total() / sum(seconds.values())),
        "megabytes_per_second": round(characters.total() / 1e6 / sum(seconds.values()), 2),
    }
    print(json.dumps(total))


if __name__ == "__main__":
    main()
