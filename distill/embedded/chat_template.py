"""A GGUF file's own chat template, rendered as transformers renders a base's."""

from collections.abc import Sequence
from datetime import datetime

from distill.tokens import FIXED_DATE
from memory.errors import ModelFileError, UserError


class ChatTemplate:
    """A compiled template; `distill.tokens.Renderer` takes it in place of a tokenizer."""

    def __init__(self, source: str, *, bos: str, eos: str) -> None:
        """`source` is Jinja. Raises ModelFileError when it does not compile."""
        from jinja2 import TemplateSyntaxError
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _refuse
        environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
        self.chat_template, self._tokens = source, {"bos_token": bos, "eos_token": eos}
        try:
            self._template = environment.from_string(source)
        except TemplateSyntaxError as error:
            raise ModelFileError(f"the model's chat template is broken: {error}") from error

    def apply_chat_template(
        self, messages: Sequence[dict], *, add_generation_prompt: bool, **_ignored
    ) -> str:
        """transformers' name for rendering: `role` and `content` of each message as one text."""
        return self._template.render(
            messages=list(messages),
            add_generation_prompt=add_generation_prompt,
            date_string=FIXED_DATE,
            enable_thinking=False,
            **self._tokens,
        )

    def render(self, messages: Sequence[dict]) -> str:
        """The prompt up to where the model begins to speak. Raises UserError if it is refused."""
        from jinja2 import TemplateError

        try:
            return self.apply_chat_template(messages, add_generation_prompt=True)
        except TemplateError as error:
            raise UserError(f"the model's chat template refuses these messages: {error}") from error


def _to_json(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False) -> str:
    import json

    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def _refuse(message: str) -> str:
    from jinja2 import TemplateError

    raise TemplateError(message)
