"""Rows of turns with loss spans -> input_ids and labels, in the base's own chat format."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from distill.tokens.cache import TokenCache, restore, row_key, store
from memory.errors import UserError

IGNORE = -100  # torch's cross-entropy leaves these positions out
BATCH = 500  # rows a call of the tokenizer
FIXED_DATE = "1 January 2026"  # Llama's template prints today's: rows must not change overnight


@dataclass(frozen=True, slots=True)
class Record:
    """One row ready to train on: `input_ids` and `labels`, of one length, -100 without loss."""

    input_ids: list[int]
    labels: list[int]

    @property
    def loss_tokens(self) -> int:
        """How many tokens are predicted: the first one never is."""
        return sum(label != IGNORE for label in self.labels[1:])


@dataclass(frozen=True, slots=True)
class Rendered:
    """A row as text: `spans` carry loss, `ends` are where a turn with loss to its end closes."""

    text: str
    spans: tuple[tuple[int, int], ...]
    ends: tuple[int, ...]
    frame: str  # the text without the turns' contents: what the template itself adds


def tokenise(
    rows: Iterable[dict],
    tokenizer,
    *,
    max_length: int,
    counts: Counter | None = None,
    cache: TokenCache | None = None,
) -> list[Record]:
    """Rows (`messages` with `role`, `content`, `loss` spans) as records of at most `max_length`.

    A token carries loss when it lies wholly inside a loss span, or closes an assistant turn whose
    loss reaches its end. Longer rows are cut on the right; rows left without loss, and rows whose
    words the template changes, are left out. Rows that `cache` knows are not tokenised again.
    `counts` gets `rows`, `tokenised`, `cut`, `dropped`, `changed`, `tokens` and `loss_tokens`.
    Raises UserError for a row with loss outside assistant turns or control tokens in its text, and
    for a base that cannot render turns.
    """
    counts = Counter() if counts is None else counts
    label = _labeller(tokenizer)
    records = []
    for first, batch in _batches(rows):
        keys = [row_key(row) for row in batch] if cache else []
        known = cache.read(keys) if cache else {}
        new = [i for i in range(len(batch)) if not known or keys[i] not in known]
        made = dict(zip(new, label([(first + i, batch[i]) for i in new]), strict=True))
        if cache:
            entries = ((keys[i], *store(r.input_ids, r.labels, IGNORE)) for i, r in made.items())
            cache.write(entries)
        counts["rows"] += len(batch)
        counts["tokenised"] += len(new)
        for i in range(len(batch)):
            record = made[i] if i in made else Record(*restore(known[keys[i]], IGNORE))
            counts["changed"] += not record.input_ids
            if record.input_ids and (record := _cut(record, max_length, counts)):
                records.append(record)
    return records


def _labeller(tokenizer):
    """A function from [(number, row)] to their records, uncut; an empty one if words change."""
    encode, control = _raw_encoder(tokenizer), frozenset(tokenizer.added_tokens_decoder)
    renderer = Renderer(tokenizer)

    def label(rows: Sequence[tuple[int, dict]]) -> list[Record]:
        rendered = [renderer.render(row, f"row {number}") for number, row in rows]
        encodings = encode([part for r in rendered if r for part in (r.text, r.frame)])
        pairs, records = zip(encodings[::2], encodings[1::2], strict=True), []
        for (number, _), one in zip(rows, rendered, strict=True):
            if one is None:
                records.append(Record([], []))
                continue
            row, frame = next(pairs)
            _check_control_tokens(row, frame, control, f"row {number}")
            records.append(_label(row, one, control))
        return records

    return label


def tokenise_raw(rows: Iterable[dict], tokenizer, *, max_length: int) -> list[Record]:
    """What carries loss in each row as plain text, without turns: every token of it is predicted.

    For continued pre-training. Each text ends in the end-of-text token and is cut into records of
    at most `max_length`.
    """
    encode, end, records = _raw_encoder(tokenizer), tokenizer.eos_token_id, []
    for _, batch in _batches(rows):
        texts = ["\n\n".join(_own_text(row)) for row in batch]
        for encoding in encode([text for text in texts if text]):
            ids = [*encoding.ids, end]
            pieces = [ids[i : i + max_length] for i in range(0, len(ids), max_length)]
            records += [Record(piece, piece) for piece in pieces if len(piece) > 1]
    return records


def _own_text(row: dict) -> Iterator[str]:
    for turn in row["messages"]:
        for start, end in turn.get("loss") or []:
            if text := turn["content"][start:end].strip():
                yield text


class Renderer:
    """Renders rows by the chat template, and finds each turn's content in the result.

    The template is rendered once for each sequence of roles, with markers for contents; what lies
    between the markers is the template's own text. A row's real rendering must be exactly these
    pieces with its contents between them: stripped contents (Llama) are understood, a row changed
    otherwise (Qwen3 takes "</think>" out) is given up, since its spans have no place.
    """

    def __init__(self, tokenizer) -> None:
        if not tokenizer.chat_template:
            raise UserError("the base has no chat template: choose an instruct or chat base")
        self._tokenizer = tokenizer
        self._pieces: dict[tuple[str, ...], list[str]] = {}

    def render(self, row: dict, where: str) -> Rendered | None:
        """The row as text with its loss spans in it, None if the template changes its words.

        `where` names the row in errors.
        """
        turns = row["messages"]
        _check_turns(turns, where)
        pieces = self.pieces(tuple(turn["role"] for turn in turns), where)
        text = self._apply(turns, where)
        for contents in ([t["content"] for t in turns], [t["content"].strip() for t in turns]):
            if text == "".join(_interleave(pieces, contents)):
                return _place(turns, pieces, contents, text)
        return None

    def pieces(self, roles: tuple[str, ...], where: str = "row") -> list[str]:
        """The template's own text before, between and after the contents: len(roles) + 1 pieces."""
        if roles not in self._pieces:
            marks = [f"\ue000{i}\ue001" for i in range(len(roles))]
            turns = [{"role": r, "content": m} for r, m in zip(roles, marks, strict=True)]
            rest, pieces = self._apply(turns, where), []
            for mark in marks:
                piece, found, rest = rest.partition(mark)
                if not found or mark in rest:
                    raise UserError(
                        f"{where}: the base's chat template leaves out or repeats a turn of"
                        f" {'-'.join(roles)}: this order of turns cannot be trained on this base"
                    )
                pieces.append(piece)
            self._pieces[roles] = [*pieces, rest]
        return self._pieces[roles]

    def _apply(self, turns: list[dict], where: str) -> str:
        from jinja2 import TemplateError

        plain = [{"role": turn["role"], "content": turn["content"]} for turn in turns]
        try:
            return self._tokenizer.apply_chat_template(
                plain, tokenize=False, add_generation_prompt=False, date_string=FIXED_DATE
            )
        except TemplateError as error:
            raise UserError(f"{where}: the base's chat template refuses it: {error}") from error


def _check_turns(turns: Sequence[dict], where: str) -> None:
    """System turn first (or the template puts in its maker's), loss on assistant turns only."""
    if not turns or turns[0]["role"] != "system":
        raise UserError(f"{where} has no system turn first: curate gives every row one")
    for number, turn in enumerate(turns):
        spans = turn.get("loss") or []
        if spans and turn["role"] != "assistant":
            raise UserError(f"{where}, turn {number}: loss on a turn of {turn['role']!r}")
        if any(not 0 <= start <= end <= len(turn["content"]) for start, end in spans):
            raise UserError(f"{where}, turn {number}: a loss span lies outside its text: {spans}")


def _interleave(pieces: Sequence[str], contents: Sequence[str]) -> Iterator[str]:
    for piece, content in zip(pieces, contents, strict=False):
        yield piece
        yield content
    yield pieces[-1]


def _place(turns, pieces: list[str], contents: list[str], text: str) -> Rendered:
    """Moves loss spans from each turn's content to where that content lies in `text`."""
    spans, ends, position = [], [], 0
    for turn, piece, content in zip(turns, pieces, contents, strict=False):
        position += len(piece)
        raw = turn["content"]
        lead = raw.find(content) if content else 0
        for start, end in turn.get("loss") or []:
            first, last = max(0, start - lead), min(len(content), end - lead)
            if first < last:
                spans.append((position + first, position + last))
            if start < end and not raw[end:].strip():
                ends.append(position + len(content))
        position += len(content)
    return Rendered(text, tuple(spans), tuple(ends), "".join(pieces))


def _raw_encoder(tokenizer):
    """A function from texts to encodings whose offsets cover every character of a token.

    The byte-level post-processor trims the space off a token's offsets (Llama does): a token
    across a span's border would seem to lie inside. One that trims nothing replaces it in a copy.
    """
    from tokenizers import Tokenizer, processors

    if not getattr(tokenizer, "is_fast", False):
        raise UserError("the base has no tokenizer.json, which gives offsets: choose another base")
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.post_processor = processors.ByteLevel(trim_offsets=False)
    backend.no_truncation()
    backend.no_padding()
    return lambda texts: backend.encode_batch(texts, add_special_tokens=False)


def _check_control_tokens(row, frame, control: frozenset[int], where: str) -> None:
    """The control tokens of a row are the template's own, no more: text cannot end a turn."""
    found = Counter(token for token in row.ids if token in control)
    expected = Counter(token for token in frame.ids if token in control)
    if found != expected:
        tokens = {row.tokens[i] for i, token in enumerate(row.ids) if token in found - expected}
        raise UserError(
            f"{where}: its text holds control tokens of the base ({', '.join(sorted(tokens))}):"
            " they must be neutralised in curate"
        )


def _label(encoding, rendered: Rendered, control: frozenset[int]) -> Record:
    """Labels by offsets: wholly inside a span, or the control token at the end of such a turn."""
    import numpy

    inside = numpy.zeros(len(rendered.text) + 1, dtype=numpy.int64)
    for start, end in rendered.spans:
        inside[start + 1 : end + 1] = 1
    offsets = numpy.array(encoding.offsets, dtype=numpy.int64).reshape(-1, 2)
    starts, ends = offsets[:, 0], offsets[:, 1]
    covered = inside.cumsum()
    loss = (covered[ends] - covered[starts] == ends - starts) & (ends > starts)
    for i in numpy.flatnonzero(numpy.isin(starts, rendered.ends)):
        loss[i] |= encoding.ids[i] in control
    ids = encoding.ids
    return Record(ids, [t if keep else IGNORE for t, keep in zip(ids, loss.tolist(), strict=True)])


def _cut(record: Record, max_length: int, counts: Counter) -> Record | None:
    if len(record.input_ids) > max_length:
        counts["cut"] += 1
        record = Record(record.input_ids[:max_length], record.labels[:max_length])
    if not record.loss_tokens:
        counts["dropped"] += 1
        return None
    counts["tokens"] += len(record.input_ids)
    counts["loss_tokens"] += record.loss_tokens
    return record


def _batches(rows: Iterable[dict]) -> Iterator[tuple[int, list[dict]]]:
    """(number of the first row, counted from 1, rows) of at most BATCH rows."""
    rows, first = iter(rows), 1
    while batch := list(islice(rows, BATCH)):
        yield first, batch
        first += len(batch)
