"""The gate from top to bottom: base, candidate and current are asked the same, and judged."""

import json
import math
import time
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from distill.base import Base
from distill.evaluate import forgetting, history, identity, losses, privacy
from distill.evaluate.asking import Asking, Material, Progress
from distill.evaluate.gate import GateConfig, judge, limits_for, make_checks, sentence
from distill.evaluate.judge import rivals
from distill.evaluate.numbers import Told, side_by_side
from distill.evaluate.parity import read_parity
from distill.evaluate.probes import make_controls, make_free, make_general, make_probes
from distill.evaluate.refusals import make_refusals
from distill.evaluate.runner import Budget, OpenRunner, Runner
from distill.identity import Identity
from memory.files import write_atomic

QUICK_ITEMS = 300


@dataclass(frozen=True)
class Report:
    """What report.json holds; `sentence` is the verdict for anybody."""

    night: str
    verdict: str
    sentence: str
    reasons: list[str]
    body: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """The document, numbers that are none as null."""
        head = {
            "night": self.night,
            "verdict": self.verdict,
            "sentence": self.sentence,
            "reasons": self.reasons,
        }
        return _clean(head | self.body)

    def __str__(self) -> str:
        checks = self.body["checks"]
        ok = sum(check["ok"] is True for check in checks)
        missing = sum(check["value"] is None for check in checks)
        spent = self.body["seconds"]
        longest = sorted(spent, key=lambda name: -spent[name])[:3]
        seconds = sum(spent.values())
        return (
            f"evaluate: {self.verdict}, {ok} of {len(checks)} checks ok, "
            f"{missing} not measured, {seconds:.0f} s, most of it for "
            + ", ".join(f"{name} {spent[name]:.0f} s" for name in longest)
        )


def evaluate(
    folder: Path,
    *,
    base: Base,
    base_gguf: Path,
    candidate: Sequence[Path],
    current: Path | None,
    identity: Identity,
    config: GateConfig,
    seed: int,
    others: Sequence[dict] = (),
    progress: Progress = lambda event: None,
    open_runner: OpenRunner | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Report:
    """Judges the `candidate` GGUF (its shards); writes report.json, .txt and .html in `folder`.

    Reads held_out.jsonl and train.jsonl there, and the reports of the nights beside it. `others`
    are texts by other beings (`others.read_others`). A candidate that does not load is rejected; a
    base that does not load raises ModelFileError. `open_runner` is Embedded unless told otherwise.
    """
    from distill.evaluate.report import write_report

    limits = limits_for(config, tiny=base.tiny)
    material = read_material(folder, base, identity, limits, seed, others)
    asking = Asking(
        limits,
        seed,
        identity,
        Budget(limits.minutes, clock),
        progress,
        open_runner or _embedded(limits),
        material,
        base.tiny,
    )
    junior, base_said, now, problem = asking.run(candidate[0], base_gguf, base.lineage, current)
    nights = history.read_nights(folder, base.lineage)
    told = Told(junior, base_said, now, material, asking.names, limits, nights, seed, base.tiny)
    with asking.budget.part("numbers", 1.0):
        numbers = told.numbers(
            beings=len(rivals(identity)), problem=problem, no_current=asking.no_current
        )
    report = _report(folder, base, told, numbers, asking, current)
    write_atomic(folder / "report.json", json.dumps(report.as_json(), indent=1, ensure_ascii=False))
    write_report(folder, report.as_json(), identity)
    return report


def _embedded(limits: GateConfig) -> OpenRunner:
    from distill.embedded import Embedded

    def open_runner(path: Path) -> Runner:
        return Embedded(path, n_ctx=limits.context_tokens, threads=limits.threads or None)

    return open_runner


def read_material(
    folder: Path,
    base: Base,
    identity: Identity,
    limits: GateConfig,
    seed: int,
    others: Sequence[dict] = (),
) -> Material:
    """The rows of the night and the questions made from the registry.

    A real base's items rotate by month; those that stand in training rows are left out. The tiny
    base's own are its replay too: they stay, and are counted.
    """
    held_out, train = (_read_rows(folder / f"{name}.jsonl") for name in ("held_out", "train"))
    card = served_card(train or held_out) or identity.default_card()
    count = min(QUICK_ITEMS, limits.skill_items) if limits.quick else limits.skill_items
    month = zlib.crc32(folder.name[:7].encode())
    items = forgetting.choose_items(base.path, count, seed if base.tiny else month, tiny=base.tiny)
    fresh, seen = forgetting.unseen(items, train)
    return Material(
        losses.choose_rows(held_out, limits.held_out_rows, seed),
        train,
        list(others),
        make_probes(identity, limits.probes, seed, card=card),
        make_controls(identity, limits.controls, seed, card=card),
        make_free(identity, limits.free_texts, seed, card=card),
        items if base.tiny else fresh,
        seen,
        [] if base.tiny else make_refusals(),
        privacy.make_prompts(train, limits.secret_prompts, seed, card),
        make_general(limits.general_texts, seed),
        card,
        read_parity(folder, held_out),
    )


def served_card(rows: Sequence[dict]) -> str:
    """The system turn most rows carry: the card as it is served, cut for the base."""
    systems = Counter(
        row["messages"][0]["content"] for row in rows if row["messages"][0]["role"] == "system"
    )
    return systems.most_common(1)[0][0] if systems else ""


def _read_rows(path: Path) -> list[dict]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines if line.strip()]


def _report(
    folder: Path,
    base: Base,
    told: Told,
    numbers: dict[str, dict | None],
    asking: Asking,
    current: Path | None,
) -> Report:
    """The verdict and everything report.json holds beside it."""
    junior, base_said, nights, night = told.junior, told.base, told.nights, folder.name
    before = nights[-1].report["checks"] if nights else []
    failed = {one["name"] for one in before if one["ok"] is False}
    checks = make_checks(numbers, told.limits, tiny=base.tiny, failed_before=failed)
    verdict, reasons = judge(checks)
    rows = [check.as_json() for check in checks]
    naive = history.read_naive(folder, base.lineage)
    of = {
        "base": _base_numbers(told),
        "previous": _previous(nights, current),
        "naive": naive["values"] if naive else {},
    }
    body = {
        "base": base.name,
        "tiny": base.tiny,
        "lineage": base.lineage,
        "checks": [row | {name: one.get(row["name"]) for name, one in of.items()} for row in rows],
        **_losses(told),
        "identity": _identity_body(told),
        "speaks": {name: numbers[name] for name in ("nonempty", "stops", "unique", "distinct_3")},
        "voice": {name: numbers[name] for name in ("style_gone", "told_apart", "selective_gain")},
        "forgetting": forgetting.forgetting_numbers(base_said.skills, junior.skills),
        "kinds": forgetting.by_kind(told.material.skills, base_said.skills, junior.skills),
        "published": {
            name: forgetting.published(told.material.skills, one.skills)
            for name, one in (("base", base_said), ("junior", junior))
        },
        "frozen": history.frozen_losses(told.material.held_out, junior.losses),
        "series": history.series_of(nights, rows, night),
        "canaries": history.read_canaries(folder),
        "answers": side_by_side(junior, base_said),
        "worst": identity.worst(junior.all),
        "server_probes": list(chain.from_iterable(junior.first_tokens)),
        "card": told.material.card,
        "cut_short": sorted(asking.budget.cut_short),
        "not_asked": {name: [len(why), why[0]] for name, why in asking.not_asked.items()},
        "seconds": {k: round(v, 2) for k, v in asking.budget.seconds.items()},
    }
    words = sentence(asking.being.agent.name, verdict, checks, reasons)
    return Report(night, verdict, words, reasons, body)


def _losses(told: Told) -> dict[str, Any]:
    """Held-out losses of the three models, in nats a token."""
    found = {
        name: losses.loss_numbers(one.losses, seed=told.seed)
        for name, one in (("base", told.base), ("junior", told.junior), ("current", told.current))
    }
    values = {f"{name}_loss": one and one["value"] for name, one in found.items()}
    return values | {"loss": found}


def _identity_body(told: Told) -> dict[str, Any]:
    junior, base = told.junior, told.base
    return {
        "families": identity.families(junior.told),
        "controls": identity.families(junior.controls),
        "forced": identity.forced_numbers(junior.forced, base.forced, told.names),
        "base_forced": identity.forced_numbers(base.forced, base.forced, told.names),
    }


def _base_numbers(told: Told) -> dict[str, float | None]:
    """The base's own value of a check, where it was asked the same."""
    forced = identity.forced_numbers(told.base.forced, told.base.forced, told.names)
    names = ("greedy_own", "greedy_other", "sampled_own", "sampled_other", "margin")
    return {name: forced[name] and forced[name]["value"] for name in names}


def _previous(nights: Sequence[history.Night], current: Path | None) -> dict[str, float | None]:
    """The values of the junior in use, from its report."""
    return history.previous_of(nights, current.parent.name) if current else {}


def _clean(value: Any) -> Any:
    """JSON has no nan and no infinity."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _clean(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(one) for one in value]
    return value
