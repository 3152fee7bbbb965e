"""Text with the spans of it that carry loss: cutting, trimming and joining keep both in step."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from distill.redact import move_spans, neutralise_control_tokens, redact

Spans = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Marked:
    """`text` and the sorted, disjoint spans (offsets into it) that carry loss."""

    text: str
    loss: Spans = ()

    @property
    def loss_characters(self) -> int:
        return sum(end - start for start, end in self.loss)

    def part(self, start: int, end: int) -> "Marked":
        """The piece from `start` to `end`, its outer white space off."""
        inside = self.text[start:end]
        start += len(inside) - len(inside.lstrip())
        end = max(start, end - (len(inside) - len(inside.rstrip())))
        clipped = ((max(s, start) - start, min(e, end) - start) for s, e in self.loss)
        return Marked(self.text[start:end], tuple((s, e) for s, e in clipped if s < e))

    def without_loss(self, spans: Iterable[tuple[int, int]]) -> "Marked":
        """The same text; what lies in `spans` carries no loss any more."""
        loss = list(self.loss)
        for start, end in spans:
            loss = [
                part
                for s, e in loss
                for part in ((s, min(e, start)), (max(s, end), e))
                if part[0] < part[1]
            ]
        return Marked(self.text, tuple(loss))

    def trimmed(self) -> "Marked":
        """From the line of the first loss character to the line of the last."""
        if not self.loss:
            return Marked("")
        start = self.text.rfind("\n", 0, self.loss[0][0] + 1) + 1
        end = self.text.find("\n", self.loss[-1][1] - 1)
        return self.part(start, len(self.text) if end < 0 else end)

    def scrubbed(self, seen: Counter | None = None) -> "Marked":
        """Without secrets and control tokens; placeholders carry no loss. Kinds count in `seen`."""
        text, findings = redact(neutralise_control_tokens(self.text))
        if seen is not None:
            seen.update(finding.kind for finding in findings)
        return Marked(text, tuple(move_spans(self.loss, findings)))


def join(parts: Sequence[Marked], between: str) -> Marked:
    """One text of several."""
    texts, loss, at = [], [], 0
    for part in parts:
        texts.append(part.text)
        loss += [(s + at, e + at) for s, e in part.loss]
        at += len(part.text) + len(between)
    return Marked(between.join(texts), tuple(loss))


def merge(spans: Iterable[tuple[int, int]], text: str) -> Spans:
    """`spans` in order, those that touch or have only white space between them as one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and not text[merged[-1][1] : start].strip():
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif start < end:
            merged.append((start, end))
    return tuple(merged)


_BREAKS = ("\n\n", "\n", ". ", "? ", "! ", " ")


def cut_points(text: str, limit: int) -> list[tuple[int, int]]:
    """`text` as consecutive ranges of at most `limit` characters.

    Each is cut in its second half, between paragraphs if it can be, else lines, sentences, words.
    """
    ranges, at = [], 0
    while len(text) - at > limit:
        left = len(text) - at
        room = (
            limit if left > 1.4 * limit else min(limit, round(0.65 * left))
        )  # no crumb at the end
        end = _break(text, at, room)
        ranges.append((at, end))
        at = end
    ranges.append((at, len(text)))
    return [(start, end) for start, end in ranges if text[start:end].strip()]


def _break(text: str, start: int, room: int) -> int:
    for mark in _BREAKS:
        found = text.rfind(mark, start + room // 2, start + room)
        if found >= 0:
            return found + len(mark)
    return start + room
