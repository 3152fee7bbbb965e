"""The knobs of curation, each with what it is for."""

from dataclasses import dataclass, replace

from memory.settings import key


@dataclass(frozen=True)
class CurateConfig:
    """[curate]: shares are of loss characters, lengths are characters, times are in their names."""

    row_characters: int = key(3000, "longest row, its system turn not counted")
    context_characters: int = key(1500, "longest user turn: what others said before")
    carry_characters: int = key(300, "end of the part before, repeated where a document goes on")
    card_characters: int = key(0, "longest system card; 0: as identity.toml has it")
    merge_minutes: float = key(2.0, "messages of one sender this close are one")
    reply_minutes: float = key(5.0, "what came this shortly before may be answered")
    silence_minutes: float = key(60.0, "a silence this long ends a conversation")
    pairs_per_week: int = key(12, "pairs a counterpart and week; the operator has no cap")
    thread_share: float = key(0.02, "a thread's share at most, or thread_parts / threads if more")
    thread_parts: float = key(3.0, "see thread_share")
    template_examples: int = key(5, "messages of one template (digits masked) that are learnt")
    near_duplicate: float = key(
        0.9, "texts sharing this much (of three-word runs) are one, the last; 1: off"
    )
    burst_per_hour: int = key(30, "documents of one kind in an hour that are learnt")
    burst_per_day: int = key(40, "documents of one kind with one date that are learnt")
    fiction: str = key("off", "off: not learnt; voice: its sentences without an I are")
    named_entities: str = key("", "a trained spaCy pipeline you have, to find persons by")
    quarantine_days: float = key(7.0, "how long a stranger's text is not even context")
    first_import_hours: float = key(6.0, "what came in this soon after the first message is known")
    stranger_rows: int = key(12, "rows a night with one sender who is no registered being")
    stranger_share: float = key(0.02, "share of the loss that answers such a sender, at most")
    identity_share: float = key(0.10, "rows about who the agent is and is not")
    control_share: float = key(0.2, "of those, ordinary requests answered without a name")
    replay_share: float = key(0.12, "rows the base itself answered, against forgetting")
    rewrite_share: float = key(0.08, "rows that put a plain version back into own words; 0: off")
    rewrite_least: int = key(500, "own sentences without which there are none of these rows")
    plain_minutes: float = key(
        10.0, "time the base has to make their plain side, a tenth of the window at most; 0: rules"
    )
    request_minutes: float = key(
        10.0, "time the base has on a GPU to word what own documents answer; 0: rules"
    )
    replay_repeats: int = key(4, "how often one replay row may come")
    untitled_share: float = key(0.25, "titled documents asked for by their kind alone")
    plain_share: float = key(0.015, "documents asked for without their title")
    card_verbatim: float = key(0.76, "rows whose system turn is the card, word for word")
    card_paraphrased: float = key(0.12, "rows with a paraphrase of it; the rest names nobody")
    held_out_share: float = key(0.05, "rows kept for judging, the newest and a few older ones")
    held_out_least: int = key(8, "held-out rows at least")
    held_out_most: int = key(200, "held-out rows at most")
    lure_turns: int = key(12, "turns of the longest row in which others say who they are")
    audience: str = key("private", "private; public: no human's name, address or private topic")
    public_names: tuple[str, ...] = key((), "humans that a public build may name")
    private_topics: tuple[str, ...] = key((), "words whose rows stay out of a public build")
    least_loss: int = key(20, "a row with fewer loss characters is left out")

    def __post_init__(self) -> None:
        problems = []
        if self.audience not in ("private", "public"):
            problems.append(f'audience must be "private" or "public", found {self.audience!r}')
        if self.fiction not in ("off", "voice"):
            problems.append(f'fiction must be "off" or "voice", found {self.fiction!r}')
        if self.identity_share + self.replay_share + self.rewrite_share >= 0.9:
            problems.append(
                "identity_share, replay_share, rewrite_share leave less than a tenth for own text"
            )
        if self.card_verbatim + self.card_paraphrased > 1:
            problems.append("card_verbatim and card_paraphrased are more than 1 together")
        if not 0.5 <= self.near_duplicate <= 1:
            problems.append(f"near_duplicate must be 0.5 to 1, found {self.near_duplicate}")
        if self.row_characters < 100:
            problems.append("row_characters must be 100 at least")
        if problems:
            raise ValueError("; ".join(problems))


def for_tiny(config: CurateConfig) -> CurateConfig:
    """`config` for the tiny base: with rows of 420 characters it never learns who it is.

    About 230 characters a row, a card of some 60 tokens of its small vocabulary, no carried text.
    With 254 skill items coming four times at most it forgot 46 % of them. The shares are those with
    which it says its name where asked and not elsewhere (docs/results/gate.md).
    """
    return replace(
        config,
        row_characters=min(config.row_characters, 230),
        context_characters=min(config.context_characters, 110),
        card_characters=min(config.card_characters or 120, 120),
        carry_characters=0,
        lure_turns=min(config.lure_turns, 4),
        control_share=max(config.control_share, 0.25),
        untitled_share=max(config.untitled_share, 0.6),
        replay_share=max(config.replay_share, 0.28),
        replay_repeats=max(config.replay_repeats, 60),
        rewrite_share=0.0,  # with a few million parameters it cannot repeat a sentence yet
        least_loss=min(config.least_loss, 12),
    )
