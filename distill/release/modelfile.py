"""The Modelfile of a generation, so that `ollama create NAME -f Modelfile` works by hand."""

import json
import re
import string
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from memory.errors import PublishError
from memory.files import write_atomic

# A model name as both contracts parse it: an optional namespace, which holds no dot, and a name.
MODEL_NAME = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_-]{0,79}/)?[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}")
TAG_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}")


def tag_name(name: str, generation: str) -> str:
    """`NAME:GENERATION`; PublishError for a name Ollama would read otherwise."""
    if not MODEL_NAME.fullmatch(name):
        raise PublishError(
            f"publish.name: {name!r} is no model name; use letters, digits, '_', '-' and '.', "
            "no colon: the generation's tag is added to it"
        )
    if not TAG_NAME.fullmatch(generation):
        raise PublishError(f"{generation!r} cannot be a tag; nights are named like 2026-11-20")
    return f"{name}:{generation}"


def rewrite_tag(tag: str) -> str:
    """`NAME-rewrite:GENERATION` of `NAME:GENERATION`: the name that rewrites."""
    name, _, generation = tag.partition(":")
    return f"{name}-rewrite:{generation}"


def write_modelfile(
    folder: Path,
    files: Sequence[str],
    *,
    name: str,
    night: str,
    card: str,
    parameters: dict[str, Any],
    template: str | None = None,
    file_name: str = "Modelfile",
) -> Path:
    """Write `folder`/`file_name` for GGUF files lying beside it; gives its path.

    A FROM that is no file would be looked up as a model's name and pulled: so `./` is in front.
    Raises PublishError for a file name or template that cannot be written down safely.
    """
    for file in files:
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\.gguf", file):
            raise PublishError(f"{file!r}: cannot be named in a Modelfile; use letters and digits")
    if template and '"""' in template:
        raise PublishError('a template holds """ and cannot be written into a Modelfile')
    form = resources.files("modelfiles").joinpath("junior.Modelfile").read_text(encoding="utf-8")
    text = string.Template(form).substitute(
        name=name,
        night=night,
        file_name=file_name,
        from_lines="\n".join(f"FROM ./{file}" for file in files),
        template_lines=f'TEMPLATE """{template}"""' if template else "",
        system_lines=f'SYSTEM """{escape(card)}"""' if card else "",
        parameter_lines="\n".join(_parameter_lines(parameters)),
    )
    return write_atomic(folder / file_name, text)


def escape(text: str) -> str:
    '''Text for between two `"""`: the syntax has no escape, and three quotes at a line's end would
    end it, so that the next line would be an instruction. Carriage returns end lines too.
    '''
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return re.sub(r'"{3,}', lambda quotes: "'" * len(quotes[0]), lines)


def _parameter_lines(parameters: dict[str, Any]) -> list[str]:
    lines = []
    for name, value in parameters.items():
        for one in value if isinstance(value, list | tuple) else [value]:
            written = one if isinstance(one, str) else json.dumps(one)
            if "\n" not in written:
                lines.append(f"PARAMETER {name} {written}")
    return lines
