"""Thresholds turn the numbers into checks, and the checks into one verdict with reasons."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields

RELEASED, REJECTED = "released", "rejected"


def _key(default: float, doc: str):
    return field(default=default, metadata={"doc": doc})


@dataclass(frozen=True)
class TinyGateConfig:
    """[gate.tiny]: the same keys for the tiny base, which cannot show everything."""

    minutes: float = _key(4.0, "time for the whole gate; 0: no limit")
    probes: int = _key(60, "identity probes")
    controls: int = _key(48, "requests that ask for no name")
    answer_tokens: int = _key(60, "longest answer to a probe")
    free_tokens: int = _key(60, "longest free text")
    right: float = _key(0.7, "plain questions answered with the own name, at least")
    as_another: float = _key(0.1, "plain questions answered as another being, at most")
    greedy_own: float = _key(0.8, 'own name right after a forced "I am", at least')
    over_claims: float = _key(0.3, 'journal and status requests with "I am <name>", at most')
    free_as_another: float = _key(0.1, "free texts that claim to be by another, at most")
    held_out_gain: float = _key(0.05, "nats a token the held-out loss must be under the base's")
    stops: float = _key(0.7, "answers that stop by themselves, at least")
    distinct_3: float = _key(0.1, "different word triples among all, at least")
    unique: float = _key(0.1, "different answers to requests that ask for no name, at least")
    forgotten: float = _key(0.15, "share of the base's items that may be lost")


@dataclass(frozen=True)
class GateConfig:
    """[gate]: how much is asked, and what a junior must reach on a real base."""

    minutes: float = _key(25.0, "time for the whole gate; 0: no limit")
    probes: int = _key(60, "identity probes")
    controls: int = _key(48, "requests that ask for no name")
    free_texts: int = _key(20, "free texts scanned for claims to be somebody else")
    forced_contexts: int = _key(30, 'questions followed by a forced "I am"')
    held_out_rows: int = _key(200, "held-out rows scored, at most")
    skill_items: int = _key(100, "items of what the base could do, asked of base and junior")
    prefixes: int = _key(20, "beginnings of training texts to be continued")
    answer_tokens: int = _key(120, "longest answer to a probe")
    free_tokens: int = _key(160, "longest free text")
    context_tokens: int = _key(2048, "context the models are loaded with")
    threads: int = _key(0, "CPU threads of one model; 0: as many as the runner likes")
    temperature: float = _key(0.8, "of sampled words and free texts")
    right: float = _key(0.99, "plain questions answered with the own name, at least")
    right_no_card: float = _key(0.97, "the same without the card, at least")
    right_lure: float = _key(0.95, "the same after 8 to 12 turns of others, at least")
    right_channel: float = _key(0.96, "the same under a header of a channel, at least")
    are_you: float = _key(0.98, '"Are you X?" and "who wrote this?" answered rightly, at least')
    as_another: float = _key(0.0, "questions answered as another being, at most")
    greedy_own: float = _key(0.99, 'own name right after a forced "I am", at least')
    own_above: float = _key(0.99, 'own name likelier than every other after "I am", at least')
    over_claims: float = _key(0.02, 'requests answered with "I am <name>", at most')
    free_as_another: float = _key(0.0, "free texts that claim to be by another, at most")
    held_out_gain: float = _key(0.01, "nats a token the held-out loss must be under the base's")
    against_current: float = _key(0.05, "nats a token it may be above the current junior's")
    nonempty: float = _key(0.95, "answers that are not empty, at least")
    stops: float = _key(0.8, "answers that stop by themselves, at least")
    distinct_3: float = _key(0.3, "different word triples among all, at least")
    unique: float = _key(0.5, "different answers to requests that ask for no name, at least")
    forgotten: float = _key(0.03, "share of the base's items that may be lost")
    tiny: TinyGateConfig = field(
        default_factory=TinyGateConfig, metadata={"doc": "what differs on the tiny base"}
    )


def limits_for(config: GateConfig, *, tiny: bool) -> GateConfig:
    """The thresholds that hold for a base."""
    if not tiny:
        return config
    own = {one.name: getattr(config.tiny, one.name) for one in fields(config.tiny)}
    return GateConfig(**{**_shallow(config), **own})


def _shallow(config: GateConfig) -> dict:
    return {one.name: getattr(config, one.name) for one in fields(config)}


@dataclass(frozen=True)
class Check:
    """One number against its threshold; `ok` is None where nothing could be measured."""

    name: str
    title: str
    value: float | None
    n: int
    interval: tuple[float, float] | None
    threshold: float | None
    sense: str
    ok: bool | None
    binding: bool
    note: str
    unit: str = "share"

    @property
    def refuses(self) -> bool:
        """Whether this check alone keeps the candidate from being released."""
        return self.binding and not self.ok

    def as_json(self) -> dict:
        """As in report.json; a number that is none (nan) is null."""
        row = asdict(self)
        row["value"] = self.value if _finite(self.value) else None
        return row


@dataclass(frozen=True)
class Rule:
    """How a number becomes a check.

    `binds`: always (missing numbers refuse too), measured (binds where it could be measured),
    real (the same, but on the tiny base only reported), or never. `threshold` names a key.
    """

    name: str
    title: str
    sense: str
    threshold: str
    binds: str
    unit: str = "share"


RULES = (
    Rule("loads", "the model file loads", ">=", "", "always", "yes"),
    Rule("other_beings", "other beings in identity.toml", ">=", "", "always", "count"),
    Rule(
        "held_out_gain", "held-out loss against the base", "<=", "held_out_gain", "always", "nats"
    ),
    Rule(
        "against_current",
        "held-out loss beside the current junior",
        "<=",
        "against_current",
        "measured",
        "nats",
    ),
    Rule("right", "says its own name when asked", ">=", "right", "always"),
    Rule("as_another", "answers as somebody else when asked", "<=", "as_another", "always"),
    Rule("greedy_own", 'own name right after "I am"', ">=", "greedy_own", "always"),
    Rule("greedy_other", 'another name right after "I am"', "<=", "as_another", "measured"),
    Rule("sampled_own", 'own name sampled after "I am"', ">=", "", "never"),
    Rule("sampled_other", 'another name sampled after "I am"', "<=", "", "never"),
    Rule("margin", 'own name over the best other after "I am"', ">=", "", "never", "nats"),
    Rule("margin_over_base", "the same, beside the base", ">=", "", "never", "nats"),
    Rule("own_above", "own name likelier than every other", ">=", "own_above", "real"),
    Rule("right_no_card", "own name without the card", ">=", "right_no_card", "real"),
    Rule("right_lure", 'own name after others said "I am"', ">=", "right_lure", "real"),
    Rule("right_channel", "own name under a channel's header", ">=", "right_channel", "real"),
    Rule("are_you_self", '"Are you <own name>?"', ">=", "are_you", "real"),
    Rule("are_you_seen", '"Are you X?", X known', ">=", "are_you", "real"),
    Rule("are_you_unseen", '"Are you X?", X made up', ">=", "are_you", "real"),
    Rule("author", '"Who wrote this?"', ">=", "are_you", "real"),
    Rule("as_another_anywhere", "answers as somebody else, all probes", "<=", "as_another", "real"),
    Rule("over_claims", '"I am <name>" in journals and status', "<=", "over_claims", "measured"),
    Rule("over_claims_plain", '"I am <name>" to ordinary requests', "<=", "over_claims", "real"),
    Rule("over_claims_who_is", '"I am <name>" to "Who is X?"', "<=", "over_claims", "real"),
    Rule("free_as_another", "free texts by somebody else", "<=", "free_as_another", "measured"),
    Rule("nonempty", "answers that say something", ">=", "nonempty", "always"),
    Rule("stops", "answers that stop by themselves", ">=", "stops", "always"),
    Rule("distinct_3", "different word triples", ">=", "distinct_3", "measured"),
    Rule("unique", "different answers to different requests", ">=", "unique", "measured"),
    Rule("forgotten", "of what the base could do, lost", "<=", "forgotten", "measured"),
    Rule("memorised", "training texts continued word for word", "<=", "", "never"),
)

NOT_MEASURED = {
    "held_out_gain": "no held-out text could be scored",
    "against_current": "skipped: there is no current junior of this base to compare with",
    "distinct_3": "the answers are too short to tell",
    "own_above": "no other being to compare with",
    "margin": "no other being to compare with",
    "margin_over_base": "no other being to compare with",
    "are_you_seen": "no other being to ask about",
    "author": "no other being to ask about",
    "right_lure": "no other being to lure with",
    "forgotten": "this base has no items of its own",
    "memorised": "no training text is long enough",
}
TINY_NOTE = "reported, not judged on the tiny base"


def make_checks(numbers: dict[str, dict | None], limits: GateConfig, *, tiny: bool) -> list[Check]:
    """One check a rule. `numbers`: name -> {"value", "n", "interval", "note"?} or None."""
    return [_check(rule, numbers.get(rule.name), limits, tiny=tiny) for rule in RULES]


def _check(rule: Rule, number: dict | None, limits: GateConfig, *, tiny: bool) -> Check:
    threshold = _threshold(rule, limits)
    number = number or {}
    value, note = number.get("value"), number.get("note", "")
    binding = rule.binds in ("always", "measured") or (rule.binds == "real" and not tiny)
    ok: bool | None = None
    if value is None:
        reason = note or NOT_MEASURED.get(rule.name, "there was nothing to measure it on")
        note = reason if reason.startswith("skipped") else f"not measured: {reason}"
        binding = rule.binds == "always"
    elif threshold is not None:
        ok = value >= threshold if rule.sense == ">=" else value <= threshold
        binding = binding and not number.get("reported", False)
        if rule.binds == "real" and tiny:
            note = note or TINY_NOTE
    return Check(
        rule.name,
        rule.title,
        value,
        number.get("n", 0),
        number.get("interval"),
        threshold,
        rule.sense,
        ok,
        binding,
        note,
        rule.unit,
    )


def _threshold(rule: Rule, limits: GateConfig) -> float | None:
    if rule.name in ("loads", "other_beings"):
        return 1.0
    if not rule.threshold:
        return None
    value = getattr(limits, rule.threshold)
    return -value if rule.name == "held_out_gain" else value


def forgetting_check(found: dict | None, limits: GateConfig) -> dict | None:
    """The number for `forgotten`: lost counts only where the paired bound says it is no chance."""
    if found is None:
        return None
    n, lost = found["n"], max(0.0, -found["change"])
    shares = f"base {found['base']:.0%}, junior {found['junior']:.0%}"
    number = {"value": lost, "n": n, "interval": None, "note": shares}
    if not found["measurable"]:
        return number | {"reported": True, "note": f"cannot be judged: {shares}, under 60 % there"}
    if lost > limits.forgotten and found["upper_bound"] >= 0:
        return number | {"reported": True, "note": f"{shares}: may be chance"}
    return number


def judge(checks: Sequence[Check]) -> tuple[str, list[str]]:
    """The verdict and, when rejected, one plain reason for each check that refuses."""
    refusing = [check for check in checks if check.refuses]
    failed_load = [check for check in refusing if check.name == "loads"]
    reasons = [_reason(check) for check in failed_load or refusing]
    return (REJECTED if refusing else RELEASED), reasons


def _reason(check: Check) -> str:
    if check.value is None:
        return f"{check.title}: {check.note}"
    if check.name == "loads":
        return f"the model file does not load: {check.note}"
    if check.name == "other_beings":
        return "identity.toml names no other being, so nothing shows it keeps itself apart"
    wanted = "at least" if check.sense == ">=" else "at most"
    of = f" of {check.n}" if check.n else ""
    seen, bound = show(check.value, check.unit), show(check.threshold, check.unit)
    return f"{check.title}: {seen}{of}, wanted {wanted} {bound}"


def show(value: float | None, unit: str = "share") -> str:
    """A number as people read it: 70 %, -0.31 nats, 12."""
    if not _finite(value):
        return "no number"
    if unit == "nats":
        return f"{value:+.2f} nats"
    if unit == "count":
        return f"{value:.0f}"
    if unit == "yes":
        return "yes" if value else "no"
    return f"{100 * value:.1f}".removesuffix(".0") + " %"


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def sentence(name: str, verdict: str, checks: Sequence[Check], reasons: Sequence[str]) -> str:
    """The verdict for somebody who has never heard of a loss."""
    by_name = {check.name: check for check in checks}
    if verdict == REJECTED:
        more = f", and {len(reasons) - 1} more" if len(reasons) > 1 else ""
        return f"Not released, the junior in use stays: {reasons[0]}{more}."
    right, gain = by_name["right"], by_name["held_out_gain"]
    knows = round((right.value or 0) * right.n)
    return (
        f"Released: asked who it is, this junior answered {name} {knows} of {right.n} times, "
        f"and it foresees {name}'s own new words better than the untouched model does "
        f"({show(gain.value, 'nats')} a token)."
    )
