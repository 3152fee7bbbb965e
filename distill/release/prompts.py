"""The prompts a model must be given: the GGUF's own chat template, read and rendered in process."""

import re
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from distill.embedded.chat_template import ChatTemplate
from distill.gguf.layout import read_layout
from memory.errors import ModelFileError

Render = Callable[[Sequence[dict[str, str]]], str]

CONTROL = re.compile(r"<\|[^<>|\s]+\|>|</?s>|<(?:start|end)_of_turn>|\[/?INST\]")

# Single turns, histories, a system message or none; line breaks, quotes and braces as people write.
CONVERSATIONS: tuple[tuple[dict[str, str], ...], ...] = (
    ({"role": "user", "content": "Who are you?"},),
    (
        {"role": "system", "content": "Answer in one line."},
        {"role": "user", "content": 'What is "{{ .Role }}"?\n\nSay it twice, naïvely: “so”.'},
    ),
    (
        {"role": "user", "content": "Good morning."},
        {"role": "assistant", "content": "Morning. The log is written.\n\n- one\n- two"},
        {"role": "user", "content": "And today?"},
    ),
    (
        {"role": "system", "content": "You keep a journal."},
        {"role": "user", "content": "What happened?"},
        {"role": "assistant", "content": "Little."},
        {"role": "user", "content": "Then?"},
        {"role": "assistant", "content": "I slept."},
        {"role": "user", "content": "Good."},
    ),
)


def read_chat_template(path: Path) -> ChatTemplate:
    """The chat template in a GGUF's header.

    Raises ModelFileError for what is no whole GGUF or has no chat template.
    """
    layout = read_layout(path)
    source = layout.value("tokenizer.chat_template")
    if not source:
        raise ModelFileError(f"{path}: holds no chat template; export it again")
    tokens = layout.value("tokenizer.ggml.tokens") or []

    def text_of(name: str) -> str:
        number = layout.value(f"tokenizer.ggml.{name}_token_id")
        known = number is not None and number < len(tokens)
        return tokens[number].decode("utf-8", "replace") if known else ""

    return ChatTemplate(source.decode("utf-8", "replace"), bos=text_of("bos"), eos=text_of("eos"))


def composes(path: Path) -> bool:
    """Whether the base's tokenizer brings text to NFC, which llama.cpp and Ollama leave to us.

    A card or prompt of ours that is not NFC would otherwise get tokens no row was trained on.
    """
    return bool(read_layout(path).value("junior.tokenizer.nfc"))


def expected_prompts(render: Render, card: str) -> list[dict[str, Any]]:
    """[{"messages", "prompt"}] a server must render: `card` goes where no system turn is."""
    expected = []
    for messages in CONVERSATIONS:
        whole = list(messages)
        if card and whole[0]["role"] != "system":
            whole.insert(0, {"role": "system", "content": card})
        expected.append({"messages": list(messages), "prompt": render(whole)})
    return expected


def stops(render: Render) -> tuple[str, ...]:
    """The control texts that stand between an answer and the next turn: where to stop."""
    asked = {"role": "user", "content": "question"}
    told = {"role": "assistant", "content": "the answer"}
    rendered = render([asked, told, asked])
    between = rendered.partition("the answer")[2].partition("question")[0]
    return tuple(dict.fromkeys(CONTROL.findall(between)))


def go_templates(render: Render) -> list[str]:
    """Go templates that may frame as `render` does, likeliest first; the server's prompt decides.

    First those of modelfiles/ whose control texts occur in a rendered prompt, then one worked out
    from what `render` puts around each role's words.
    """
    rendered = render(CONVERSATIONS[1])
    found = []
    for file in sorted(resources.files("modelfiles").iterdir(), key=lambda file: file.name):
        if file.name.endswith(".gotmpl"):
            text = file.read_text(encoding="utf-8")
            if set(CONTROL.findall(text)) <= set(CONTROL.findall(rendered)):
                found.append(text)
    worked_out = _work_out(render)
    return found + ([worked_out] if worked_out else [])


def _work_out(render: Render) -> str:
    """A Go template for any frame of fixed texts, read off one history and one single turn.

    Only what stands between two contents is needed, not where one turn's frame ends and the next
    begins: system is followed by user, user by assistant, assistant by user.
    """
    marks = {"system": "\ue000", "user": "\ue001", "assistant": "\ue002"}
    turns = [{"role": role, "content": mark} for role, mark in marks.items()]
    history = re.split("[\ue000-\ue002]", render([*turns, turns[1]]))
    single = re.split("[\ue000-\ue002]", render([turns[1]]))
    if len(history) != 5 or len(single) != 2:
        return ""
    head_system, to_user, to_assistant, to_next, tail = map(_literal, history)
    head = _literal(single[0])
    return (
        "{{ range $i, $m := .Messages }}"
        f'{{{{ if eq .Role "system" }}}}{head_system}{{{{ .Content }}}}{to_user}'
        f'{{{{ else if eq .Role "assistant" }}}}{to_assistant}{{{{ .Content }}}}{to_next}'
        f"{{{{ else }}}}{{{{ if eq $i 0 }}}}{head}{{{{ end }}}}{{{{ .Content }}}}{{{{ end }}}}"
        f"{{{{ end }}}}{tail}"
    )


def _literal(text: str) -> str:
    """Fixed text in a Go template; the begin token is left to the server's tokenizer."""
    begin = next((begin for begin in BEGINS if text.startswith(begin)), "")
    return text.removeprefix(begin).replace("{{", '{{ "{{" }}')


def _common_start(one: str, other: str) -> str:
    length = 0
    while length < min(len(one), len(other)) and one[length] == other[length]:
        length += 1
    return one[:length]


def same_prompt(expected: str, seen: str) -> bool:
    """Whether two prompts are one; a server may leave the begin token to its tokenizer."""
    first = CONTROL.match(expected)
    without = expected[first.end() :] if first else expected
    return seen == expected or (bool(first) and first[0] in BEGINS and seen == without)


BEGINS = ("<s>", "<|begin_of_text|>", "<|endoftext|>", "<bos>")


def difference(expected: str, seen: str) -> str:
    """Where two prompts part, in one line an operator can read."""
    place = len(_common_start(expected, seen))
    near = slice(max(0, place - 20), place + 40)
    return f"expected {expected[near]!r}, the server renders {seen[near]!r}"
