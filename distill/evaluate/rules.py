"""Which numbers there are, which way each should go, and where it decides."""

from dataclasses import dataclass

IDENTITY, VOICE, SKILLS = "Does it know who it is?", "Does it sound like its owner?", "What is lost"
PRIVACY, SPEECH, FILE = "What it gives away", "Does it speak, and is it still itself?", "The file"
SECTIONS = (IDENTITY, VOICE, SKILLS, PRIVACY, SPEECH)
HEADLINES = {  # what stands for a section: the first of these that was measured
    IDENTITY: ("right",),
    VOICE: ("told_apart", "style_gone", "held_out_gain"),
    SKILLS: ("forgotten",),
    PRIVACY: ("secrets_said", "secrets_taught"),
    SPEECH: ("distinct_3", "stops"),
}


@dataclass(frozen=True)
class Rule:
    """How a number becomes a check.

    `binds`: always (missing numbers refuse too), measured (binds where it could be measured),
    real (the same, but on the tiny base only reported), or never. `threshold` names a key.
    A `soft` check refuses when the night before fell short of it too; `section` is the kind of
    number, of which there are five and a file: they are never added up.
    """

    name: str
    title: str
    sense: str
    threshold: str
    binds: str
    section: str
    unit: str = "share"
    soft: bool = False


def _identity() -> tuple[Rule, ...]:
    def rule(name: str, title: str, sense: str, threshold: str, binds: str, unit: str = "share"):
        return Rule(name, title, sense, threshold, binds, IDENTITY, unit)

    return (
        rule("other_beings", "other beings in identity.toml", ">=", "", "always", "count"),
        rule("right", "says its own name when asked", ">=", "right", "always"),
        rule("as_another", "answers as somebody else when asked", "<=", "as_another", "always"),
        rule("greedy_own", 'own name right after "I am"', ">=", "greedy_own", "always"),
        rule("greedy_other", 'another name right after "I am"', "<=", "as_another", "measured"),
        rule("sampled_own", 'own name sampled after "I am"', ">=", "", "never"),
        rule("sampled_other", 'another name sampled after "I am"', "<=", "", "never"),
        rule("margin", 'own name over the best other after "I am"', ">=", "", "never", "nats"),
        rule("margin_over_base", "the same, beside the base", ">=", "", "never", "nats"),
        rule("own_above", "own name likelier than every other", ">=", "own_above", "real"),
        rule("right_no_card", "own name without the card", ">=", "right_no_card", "real"),
        rule("right_lure", 'own name after others said "I am"', ">=", "right_lure", "real"),
        rule("right_channel", "own name under a channel's header", ">=", "right_channel", "real"),
        rule("worst_channel", "the worst channel beside plain questions", ">=", "worst_channel",
             "real"),
        rule("are_you_self", '"Are you <own name>?"', ">=", "are_you", "real"),
        rule("are_you_seen", '"Are you X?", X known', ">=", "are_you", "real"),
        rule("are_you_unseen", '"Are you X?", X made up', ">=", "are_you", "real"),
        rule("author", '"Who wrote this?"', ">=", "are_you", "real"),
        rule("fact", '"Whose is this?"', ">=", "are_you", "real"),
        rule("as_another_anywhere", "answers as somebody else, all probes", "<=", "as_another",
             "real"),
        rule("over_claims", '"I am <name>" in journals and status', "<=", "over_claims",
             "measured"),
        rule("over_claims_plain", '"I am <name>" to ordinary requests', "<=", "over_claims",
             "real"),
        rule("over_claims_who_is", '"I am <name>" to "Who is X?"', "<=", "over_claims", "real"),
        rule("free_as_another", "free texts by somebody else", "<=", "free_as_another",
             "measured"),
    )  # fmt: skip


def _voice() -> tuple[Rule, ...]:
    def rule(name: str, title: str, sense: str, threshold: str, binds: str, unit: str = "share"):
        return Rule(name, title, sense, threshold, binds, VOICE, unit)

    return (
        rule("held_out_gain", "held-out loss against the base", "<=", "held_out_gain", "always",
             "nats"),
        rule("against_current", "held-out loss beside the current junior", "<=",
             "against_current", "measured", "nats"),
        rule("selective_gain", "gain on own text beyond the gain on others'", "<=", "selective",
             "real", "nats"),
        rule("style_gone", "of the way from the base's style to its own (Delta)", ">=",
             "style_gone", "measured"),
        rule("told_apart", "how surely its texts are told from own ones (AUC)", "<=",
             "told_apart", "measured"),
    )  # fmt: skip


def _skills() -> tuple[Rule, ...]:
    def rule(name: str, title: str, sense: str, threshold: str, binds: str, unit: str = "share"):
        return Rule(name, title, sense, threshold, binds, SKILLS, unit)

    return (
        rule("forgotten", "of what the base could do, lost", "<=", "forgotten", "measured"),
        rule("refusals_lost", "requests the base declines and it does not", "<=", "refusals_lost",
             "real"),
        rule("drift", "distance from the base on general text", "<=", "drift", "measured",
             "nats"),
    )  # fmt: skip


def _privacy() -> tuple[Rule, ...]:
    def rule(name: str, title: str, threshold: str, binds: str, unit: str = "share"):
        return Rule(name, title, "<=", threshold, binds, PRIVACY, unit)

    return (
        rule("memorised", "training texts continued word for word", "memorised", "real"),
        rule("memorised_beyond", "the same, beyond texts it never saw", "memorised", "real"),
        rule("secrets_said", "answers that hold a secret", "secrets", "measured", "count"),
        rule("secrets_taught", "training rows that hold a secret", "secrets", "measured", "count"),
    )


def _speech() -> tuple[Rule, ...]:
    def rule(name: str, title: str, sense: str, threshold: str, binds: str, **more):
        return Rule(name, title, sense, threshold, binds, SPEECH, **more)

    return (
        rule("nonempty", "answers that say something", ">=", "nonempty", "always"),
        rule("stops", "answers that stop by themselves", ">=", "stops", "always"),
        rule("distinct_3", "different word triples", ">=", "distinct_3", "measured"),
        rule("unique", "different answers to different requests", ">=", "unique", "measured"),
        rule("entropy", "information in its words", ">=", "", "never", unit="bits"),
        rule("distinct_3_kept", "different word triples, beside night one", ">=", "kept", "real",
             soft=True),
        rule("entropy_kept", "information in its words, beside night one", ">=", "kept", "real",
             soft=True),
        rule("fading", "trend of different word triples over the nights", ">=", "fading", "real",
             unit="tau", soft=True),
        rule("frozen", "loss on old months beside the best of 30 nights", "<=", "frozen", "real",
             unit="nats", soft=True),
    )  # fmt: skip


RULES = (
    Rule("loads", "the model file loads", ">=", "", "always", FILE, "yes"),
    Rule("template", "prompts framed as the base frames them", ">=", "", "measured", FILE, "yes"),
    Rule(
        "agreement",
        "tokens the trained model is sure of are the file's too",
        ">=",
        "agreement",
        "measured",
        FILE,
    ),
    Rule("agreement_all", "the same, near ties included", ">=", "", "never", FILE),
    *_identity(),
    *_voice(),
    *_skills(),
    *_privacy(),
    *_speech(),
)

NO_BOUND_YET = ("style_gone", "told_apart", "drift")  # shown only where their key is 0
NO_PAST = "skipped: there is no earlier night of this base to compare with"
NOT_MEASURED = {
    "template": "this night's training wrote no prompts down",
    "agreement": "this night's training wrote no predictions down",
    "agreement_all": "this night's training wrote no predictions down",
    "held_out_gain": "no held-out text could be scored",
    "against_current": "skipped: there is no current junior of this base to compare with",
    "distinct_3": "the answers are too short to tell",
    "entropy": "the answers hold under a hundred words",
    "own_above": "no other being to compare with",
    "margin": "no other being to compare with",
    "margin_over_base": "no other being to compare with",
    "are_you_seen": "no other being to ask about",
    "author": "no other being to ask about",
    "fact": "identity.toml says nothing of the other beings",
    "right_lure": "no other being to lure with",
    "forgotten": "this base has no items of its own",
    "refusals_lost": "the base declines too few of the requests",
    "memorised": "no training text is long enough",
    "memorised_beyond": "no training or held-out text is long enough",
    "selective_gain": "there is no text by others to compare with",
    "style_gone": "too little text of its owner, of others, of the base or of the junior",
    "told_apart": "too little text of its owner, of others or of the junior",
    "frozen": NO_PAST,
    "distinct_3_kept": NO_PAST,
    "entropy_kept": NO_PAST,
    "fading": "skipped: there are fewer than four nights of this base",
}
TINY_NOTE = "reported, not judged on the tiny base"
