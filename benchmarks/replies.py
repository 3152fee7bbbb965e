"""Cutting quoted replies out of mail, beside the chain quotequail -> email-reply-parser.

    .venv/bin/python -m benchmarks.replies [FIXTURES]

FIXTURES holds email_reply/expected_reply.jsonl with its mails, and emails_sent/, as
../shared/fixtures does. Exact: what is left is what the peer's own test expects; leak: something
it forbids is left.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path

DEFAULT = Path("../shared/fixtures")


def ours(text: str) -> str:
    """The text without what `distill.perspective.replies` takes for quoted, head or signature."""
    from distill.perspective.replies import own_text

    return own_text(text).strip()


def chain(text: str) -> str:
    """quotequail where it sees a quotation, else email-reply-parser."""
    import quotequail
    from email_reply_parser import EmailReplyParser

    shown = quotequail.quote(text)
    if any(not visible for visible, _ in shown):
        return "\n".join(part for visible, part in shown if visible).strip()
    return EmailReplyParser.parse_reply(text).strip()


def cases(folder: Path) -> Iterator[tuple[str, str, dict]]:
    """(name, mail, expectations) of each case of the peers."""
    for line in (folder / "expected_reply.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        text = row["input"]
        if row["kind"] == "text_file":
            text = (folder / row["input"]).read_text(encoding="utf-8")
        yield f"{row['set']} {row['source'].partition('::')[2]}", text.replace("\r\n", "\n"), row
    path = folder / "quotequail/expected_unwrap_and_html.jsonl"
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        row = json.loads(line)
        values = dict(zip(row["params"], row["values"], strict=True))
        if isinstance(values.get("text"), str) and isinstance(values.get("expected"), dict):
            want = values["expected"]
            kept = [want[key] for key in ("text_top", "text_bottom") if want.get(key)]
            expected = {"expected": "\n".join(kept), "must_not_contain": [want.get("text") or "\0"]}
            yield f"quotequail {row['source'].partition('::')[2]}", values["text"], expected


def judge(left: str, row: dict) -> tuple[bool, bool]:
    """(exact, leak): as the peers' test has it; blank lines are not compared."""
    wanted = row.get("expected")
    inside = all(part in left for part in row.get("must_contain", ()))
    leak = any(part in left for part in row.get("must_not_contain", ()))
    if wanted is None:
        return inside and not leak, leak
    lines = [line.strip() for line in wanted.splitlines() if line.strip()]
    found = [line.strip() for line in left.splitlines() if line.strip()]
    return lines == found, leak or any(line not in lines for line in found)


def clean_mails(folder: Path) -> tuple[int, int, float]:
    """(mails, those that lose over 5 % of their words, share of all words kept)."""
    total = lost = words = kept = 0
    for file in sorted(folder.rglob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            mail = json.loads(line)["email"].replace("\r\n", "\n")
            before, after = len(mail.split()), len(ours(mail).split())
            total, words, kept = total + 1, words + before, kept + after
            lost += after < 0.95 * before
    return total, lost, kept / max(1, words)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("fixtures", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--show", action="store_true", help="print the cases we miss")
    options = parser.parse_args()
    folder = options.fixtures / "email_reply"
    if not (folder / "expected_reply.jsonl").exists():
        print(json.dumps({"skipped": f"no cases at {folder}"}))
        return
    figures: dict[str, float] = {}
    sides: dict[str, Callable[[str], str]] = {"ours": ours, "chain": chain}
    every = list(cases(folder))
    for name, side in sides.items():
        verdicts = [(case, text, row, *judge(side(text), row)) for case, text, row in every]
        figures[f"{name}_exact"] = sum(exact for *_, exact, _ in verdicts)
        figures[f"{name}_leaks"] = sum(leak for *_, leak in verdicts)
        for case, text, row, exact, _ in verdicts if options.show and name == "ours" else ():
            if not exact:
                print(f"--- {case}\nwant {row.get('expected')!r}\nfound {side(text)!r}")
        print(f"{name:6} exact {figures[f'{name}_exact']:>3} of {len(every)}, "
              f"leaks {figures[f'{name}_leaks']:>3}")  # fmt: skip
    mails, lost, kept = clean_mails(options.fixtures / "emails_sent")
    print(f"clean mails: {lost} of {mails} lose over 5 % of their words; {kept:.4f} of all kept")
    figures |= {"cases": len(every), "clean_mails": mails, "clean_mails_cut": lost}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
