"""How much each column of a matrix matters: the mean square of what the last updates put in."""

from functools import partial
from pathlib import Path

from distill.gguf.tensors import IMPORTANCE
from memory.files import write_atomic


class Importance:
    """Sums over the inputs of every 4-bit layer during the last `updates` updates."""

    def __init__(self, trainer, updates: int) -> None:
        """Joins `trainer` as a callback; with 0 updates it does nothing."""
        from transformers import TrainerCallback

        self._model, self._updates, self._hooks = trainer.model, updates, []
        self._replaced: list[tuple] = []
        self._sums: dict[str, list] = {}
        outer = self

        class Callback(TrainerCallback):
            def on_step_begin(self, args, state, control, **_):
                outer.begin(state.max_steps - state.global_step)

            def on_train_end(self, args, state, control, **_):
                outer.end()

        if updates:
            trainer.add_callback(Callback())

    def begin(self, updates_left: int) -> None:
        """From the first of the last updates on, every layer's input is counted.

        Functions that run several layers at once (distill/train/lean.py) step aside for these.
        """
        if self._hooks or updates_left > self._updates:
            return
        import bitsandbytes

        for name, module in self._model.named_modules():
            if isinstance(vars(module).get("forward"), partial):
                self._replaced.append((module, module.forward))
                del module.forward
            if isinstance(module, bitsandbytes.nn.Linear4bit):
                name = name.removeprefix("base_model.model.").removesuffix(".base_layer")
                self._hooks.append(module.register_forward_pre_hook(self._counting(name)))

    def _counting(self, name: str):
        def count(_module, inputs) -> None:
            values = inputs[0].detach().flatten(0, -2).float()
            total = self._sums.setdefault(name, [0.0, 0])
            total[0] = total[0] + values.square().sum(0)
            total[1] += len(values)

        return count

    def end(self) -> None:
        """The layers are left as they were."""
        for hook in self._hooks:
            hook.remove()
        for module, forward in self._replaced:
            module.forward = forward
        self._hooks, self._replaced = [], []

    def write(self, adapter: Path) -> None:
        """Writes importance.safetensors beside the adapter's weights, where anything was counted.

        Each matrix by its name in the base: (columns,) fp32.
        """
        from safetensors.torch import save

        if self._sums:
            means = {name: (total / count).cpu() for name, (total, count) in self._sums.items()}
            write_atomic(adapter / IMPORTANCE, save(means))
