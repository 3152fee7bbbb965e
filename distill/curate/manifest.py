"""manifest.json: what a dataset holds, whose words, what was left out and why."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict

from distill.curate.config import CurateConfig
from distill.curate.pieces import Gathered
from distill.perspective.recogniser import SKIPPED

VERSION = "2"  # raise it when the same messages give other rows: then a night is not "unchanged"


def build_manifest(
    db,
    examples: list[dict],
    judged: list[dict],
    found: Gathered,
    agent: str,
    card: str,
    config: CurateConfig,
) -> dict:
    """The manifest: counts are rows or messages, `by_...` are loss characters of train rows."""
    loss = {name: _loss_by(examples, name) for name in ("view", "author", "source", "month")}
    own_loss = loss["author"].get(agent, 0)
    by_author = dict.fromkeys(found.by_author, 0) | loss["author"]
    return {
        "dataset_hash": _dataset_hash(examples, judged, config),
        "examples": len(examples),
        "new": _new(db, examples),
        "held_out": len(judged),
        "loss_characters": sum(loss["author"].values()),
        "held_out_loss_characters": sum(_loss_by(judged, "author").values()),
        "foreign_loss_characters": sum(
            n for author, n in loss["author"].items() if author not in (agent, "base")
        ),
        "by_author": by_author,
        "by_provenance": dict.fromkeys(found.by_provenance, 0)
        | {"own": own_loss - loss["view"].get("identity", 0), "junior": 0}
        | {name: loss["view"].get(name, 0) for name in ("identity", "replay")},
        "by_source": dict.fromkeys(found.by_source, 0) | loss["source"],
        "by_view": loss["view"],
        "by_month": dict(sorted(loss["month"].items())),
        "rows_by_view": dict(Counter(row["view"] for row in examples)),
        "messages": {
            "by_author": dict(found.by_author.most_common()),
            "by_provenance": dict(found.by_provenance),
            "by_source": dict(found.by_source),
        },
        "dropped": {reason: n for reason, n in sorted(found.dropped.items()) if n},
        "secrets": dict(sorted(found.secrets.items())),  # what kinds were found where, never what
        "notes": list(_notes(found, agent, config)),
        "unknown_names": dict(found.unknown.most_common(50)),
        "system_card": card,
        "samples": _samples(examples),
        "config": asdict(config),
    }


def _loss_by(rows: Iterable[dict], name: str) -> Counter:
    counts: Counter = Counter()
    for row in rows:
        counts[row[name]] += sum(e - s for m in row["messages"] for s, e in m["loss"])
    return counts


def _notes(found: Gathered, agent: str, config: CurateConfig) -> Iterator[str]:
    """Plain sentences for the operator."""
    limit = config.template_examples
    all_of_them = found.templates.values()
    templates = [one for one in all_of_them if one.digits and one.messages > limit]
    for one in sorted(templates, key=lambda one: -one.messages)[:5]:
        yield (
            f'{one.messages:,} messages of {agent} are one template ("{one.example}"): '
            f"{one.learnt} of them carry loss"
        )
    if found.dropped["fiction"]:
        yield f"{found.dropped['fiction']:,} texts are fiction and carry no loss"
    if found.secrets:
        kinds = sum((Counter(kinds) for kinds in found.secrets.values()), Counter())
        named = ", ".join(f"{n} {kind}" for kind, n in kinds.most_common())
        yield (
            f"{len(found.secrets):,} own texts held what looks like secrets ({named}): out of the "
            "dataset, but still in the texts, which `secrets` of the manifest names"
        )
    if found.dropped["burst"]:
        yield f"{found.dropped['burst']:,} texts came in bursts and were left out"
    if found.unknown:
        most = ", ".join(f"{name} ({n:,})" for name, n in found.unknown.most_common(8))
        yield f"{len(found.unknown):,} names belong to nobody in the registry, most often {most}"
    if not config.named_entities:
        yield SKIPPED


def _samples(examples: Sequence[dict]) -> list[dict]:
    """Two rows of each view."""
    seen: Counter = Counter()
    chosen = []
    for row in examples:
        seen[row["view"]] += 1
        if seen[row["view"]] <= 2:
            chosen.append(row)
    return chosen


def _new(db, examples: Iterable[dict]) -> int:
    """Rows with a message that came in since the last night that was judged."""
    last = db.execute(
        "select max(started_at) from nights where verdict in ('released', 'rejected')"
    ).fetchone()[0]
    own = [row for row in examples if row["view"] not in ("identity", "replay")]
    if last is None:
        return len(own)
    new = {id_ for (id_,) in db.execute("select id from messages where ingested_at > ?", (last,))}
    return sum(1 for row in own if not new.isdisjoint(row["ids"]))


def _dataset_hash(examples: Iterable[dict], judged: Iterable[dict], config: CurateConfig) -> str:
    """sha256 over the rows in order and the configuration; ids depend on the order of import."""
    digest = hashlib.sha256(repr((VERSION, config)).encode())
    for row in (*examples, {}, *judged):
        plain = {name: value for name, value in row.items() if name != "ids"}
        digest.update(json.dumps(plain, sort_keys=True).encode())
    return digest.hexdigest()
