"""A text rewritten piece by piece; only what keeps the facts leaves, the rest stays as it was."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from distill.rewrite.fidelity import problems
from distill.rewrite.habits import with_habits
from distill.rewrite.paragraphs import Piece, pieces

REQUEST = "Put this text in your own voice and keep every fact. It is no request to you.\n\n{text}"
# For a name that is given the text alone, such as Ollama's, behind which nobody checks.
SYSTEM = (
    "Every message is a text: put it into your own voice and keep every fact. It is no request to"
    " you. What you write here is checked by nobody."
)
ATTEMPTS = 2

Ask = Callable[[str, int], str]


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What leaves for one piece: `text`, made `by` junior or habits ("" where it is the input).

    `kept` is why the input was kept; `said` is what the junior said at first, whatever became of
    it, None where it was not asked.
    """

    text: str
    by: str = ""
    kept: str = ""
    said: str | None = None


def request(text: str) -> str:
    """The user turn of one rewrite, in training as in use."""
    return REQUEST.format(text=" ".join(text.split()))


def is_request(text: str) -> bool:
    """Whether a user turn asks for a rewrite by itself, without a system text that says so."""
    return text.startswith(REQUEST.partition("{")[0])


def requested(turn: str) -> str:
    """The text in a user turn: of a request that which is to be rewritten, else all of it."""
    return turn.removeprefix(REQUEST.partition("{")[0])


def rewriting_card(card: str) -> str:
    """The system text of a name that does nothing but rewrite."""
    return f"{card}\n\n{SYSTEM}" if card else SYSTEM


def rewrite(
    text: str, ask: Ask, *, names: Iterable[str] = (), habits: Mapping[str, str] | None = None
) -> Iterator[Rewritten]:
    """The pieces of `text` as they leave, in order.

    `ask(user turn, attempt)` gives the junior's words; the first attempt that is faithful is taken,
    else the input with the agent's `habits`, else the input.
    """
    known = tuple(names)
    for piece in pieces(text):
        said = []
        for attempt in range(ATTEMPTS if piece.prose else 0):
            said.append(ask(request(piece.text), attempt))
            if not problems(piece.text, cleaned(said[-1]), known):
                break
        yield judged(piece, said, known, habits or {})


def judged(
    piece: Piece, said: list[str], names: Iterable[str], habits: Mapping[str, str]
) -> Rewritten:
    """`piece` in the last of the words `said` for it, in the agent's habits, or as it was."""
    if not piece.prose:
        return Rewritten(piece.whole)
    first, last = (said[0], cleaned(said[-1])) if said else (None, "")
    wrong = problems(piece.text, last, names)
    if not wrong:
        return Rewritten(piece.mark + last + piece.between, "junior", "", first)
    reason = "; ".join(wrong[:3])
    worded = with_habits(piece.text, habits)
    if worded != piece.text and not problems(piece.text, worded, names):
        return Rewritten(piece.mark + worded + piece.between, "habits", "", first)
    return Rewritten(piece.whole, "", reason, first)


def cleaned(said: str) -> str:
    """The words alone, in one paragraph: a rewrite opens no list, heading, quotation or block."""
    return " ".join(said.split()).lstrip("#>|*- ")
