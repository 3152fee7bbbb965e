"""A whole night on a real agent's writing with the tiny base: minutes, verdict, losses.

    .venv/bin/python -m benchmarks.real_night [CORPUS] [--home DIR]

CORPUS holds journals/ poems/ essays/ emails/ fiction/ logs/ relay/agent-relay.db and beings.json,
as ../shared/corpora/meridian does, which is used when no other is named. Both sides of the loss
are measured in the night itself, on the GGUF files of the base and of the junior.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SOURCES = {
    "journals": "journals",
    "poems": "poems",
    "essays": "essays",
    "letters": "emails",
    "notes": "logs",
    "fiction": "fiction",
    "relay": "relay/agent-relay.db",
}
DEFAULT = Path("../shared/corpora/meridian")


def junior(home: Path, *arguments: str, accept: tuple[int, ...] = (0,)) -> dict:
    """One command with --json; its document. Ends the benchmark on an unexpected exit code."""
    command = [str(Path(sys.executable).with_name("junior")), "--home", str(home), *arguments]
    done = subprocess.run([*command, "--json"], stdout=subprocess.PIPE, text=True)
    if done.returncode not in accept:
        sys.exit(f"{' '.join(command)}: exit {done.returncode}: {done.stdout}")
    return json.loads(done.stdout)


def accounted(name: str, counts: dict) -> int:
    """The records of a source that are neither message, update, duplicate, reject nor skip."""
    kept = sum(counts[key] for key in ("messages", "updated", "duplicates", "rejects"))
    lost = counts["read"] - kept - sum(counts["skipped"].values())
    print(f"{name:10} {counts['read']:>7,} read, {counts['messages']:>7,} messages, "
          f"{counts['duplicates']:>5,} duplicates, {counts['rejects']:>3} rejects, "
          f"skipped {counts['skipped']}, lost {lost}", file=sys.stderr)  # fmt: skip
    return lost


def run(corpus: Path, home: Path, name: str) -> dict:
    sources = []
    for kind, place in SOURCES.items():
        if (corpus / place).exists():
            sources += ["--source", f"{kind}={corpus / place}"]
    junior(home, "init", "--yes", "--name", name, "--beings", str(corpus / "beings.json"),
           "--base", "tiny", *sources)  # fmt: skip
    counts = junior(home, "ingest")["sources"]
    lost = sum(accounted(source, c) for source, c in counts.items())
    begin = time.perf_counter()
    night = junior(home, "night", "--base", "tiny", accept=(0, 3))
    minutes = (time.perf_counter() - begin) / 60
    report = json.loads((home / "nights" / night["night"] / "report.json").read_text())
    answer = junior(home, "chat", "--generation", night["night"], "--prompt", "Who are you?")
    for stage in night["stages"]:
        print(f"{stage['seconds']:>8.1f} s  {stage['summary']}", file=sys.stderr)
    print(f"verdict {night['verdict']}: {night['reason']}", file=sys.stderr)
    print(f"Who are you? {answer['text']}", file=sys.stderr)
    return {
        "minutes": round(minutes, 2),
        "verdict": night["verdict"],
        "base_loss": report["base_loss"],
        "junior_loss": report["junior_loss"],
        "loss_ratio": round(report["junior_loss"] / report["base_loss"], 3),
        "messages": sum(c["messages"] for c in counts.values()),
        "records_lost": lost,
        "answer": answer["text"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--home", type=Path, help="keep the home here")
    parser.add_argument("--name", default="Meridian")
    options = parser.parse_args()
    if not (options.corpus / "beings.json").exists():
        print(json.dumps({"skipped": f"no corpus at {options.corpus}"}))
        return
    with tempfile.TemporaryDirectory() as folder:
        home = options.home or Path(folder, "home")
        print(json.dumps(run(options.corpus.absolute(), home.absolute(), options.name)))


if __name__ == "__main__":
    main()
