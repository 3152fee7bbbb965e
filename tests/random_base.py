"""A base of random weights with its own small byte-level BPE, made in a second for tests."""

from dataclasses import dataclass, field
from pathlib import Path

CHATML = (
    "{% for m in messages %}{% if loop.first and m.role != 'system' %}"
    "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud.<|im_end|>\n{% endif %}"
    "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
STRIPPING = CHATML.replace("{{ m.content }}", "{{ m.content | trim }}")
TEXT = (
    "I am the agent and I write a journal every night. You are a helpful assistant. "
    "[from: Sammy | relay] Who are you? The basement is quiet and the loop goes on. "
) * 20


@dataclass(frozen=True)
class RandomBase:
    """What train() needs to know of a base; `distill.base.Base` has these fields, too."""

    path: Path
    name: str = "random"
    revision: str = "0"
    tiny: bool = True
    lineage: str = "random"
    files: dict[str, str] = field(default_factory=dict)


def make_tokenizer(template: str = CHATML, vocabulary: int = 400):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.post_processor = processors.ByteLevel(trim_offsets=True)
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=special, initial_alphabet=alphabet
    )
    backend.train_from_iterator([TEXT], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=template,
    )


def make_random_base(folder: Path, *, hidden: int = 64, vocabulary: int = 400) -> RandomBase:
    """Two layers of random Qwen2 in Hugging Face layout, the same on every call."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(0)
    tokenizer = make_tokenizer(vocabulary=vocabulary)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=True,
        max_position_embeddings=2048,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    Qwen2ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return RandomBase(Path(folder))


def make_row(answer: str, question: str = "Who are you?", spans=None) -> dict:
    loss = [[0, len(answer)]] if spans is None else spans
    return {
        "messages": [
            {"role": "system", "content": "You are Meridian.", "loss": []},
            {"role": "user", "content": question, "loss": []},
            {"role": "assistant", "content": answer, "loss": loss},
        ]
    }
