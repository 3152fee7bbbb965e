"""Persons and their pronouns as a model finds them, where the operator has one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from memory.errors import UserError

SKIPPED = (
    "named entities and coreference: no model (curate.named_entities is empty), rules and the"
    " registry alone"
)


class Recogniser(Protocol):
    """Finds what rules do not: unknown names, and pronouns that stand for a being."""

    def persons(self, text: str) -> Iterator[tuple[int, int]]:
        """[start, end) of each name of a person, and of each other word that refers to one."""
        ...


@dataclass(frozen=True)
class SpacyRecogniser:
    """A trained spaCy pipeline: entities labelled PERSON, and clusters of coreference if any."""

    pipeline: Any

    def persons(self, text: str) -> Iterator[tuple[int, int]]:
        document = self.pipeline(text)
        named = {(e.start_char, e.end_char) for e in document.ents if e.label_ in ("PERSON", "PER")}
        yield from named
        for key, cluster in document.spans.items():
            places = {(one.start_char, one.end_char) for one in cluster}
            if key.startswith("coref_clusters") and places & named:
                yield from places - named


def open_recogniser(pipeline: str) -> Recogniser | None:
    """The pipeline of that name or folder; None for "". Raises UserError where it is not here."""
    if not pipeline:
        return None
    try:
        import spacy

        return SpacyRecogniser(spacy.load(pipeline))
    except (ImportError, OSError) as error:
        raise UserError(
            f"curate.named_entities: the spaCy pipeline {pipeline!r} cannot be opened ({error}):"
            ' install spaCy and the pipeline, or set it to ""'
        ) from error
