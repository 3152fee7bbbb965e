"""What the embedded runner must hold, on random models of the three families."""

import hashlib
import math
import subprocess
import sys

import pytest

from distill.embedded import Embedded
from distill.gguf import ExportConfig, export
from memory.errors import ModelFileError, UserError
from tests import tiny_models
from tests.tiny_models import conversation


def make_file(folder, family, **shape):
    base = tiny_models.make_base(folder / family, family, **shape)
    (file,) = export(
        base,
        None,
        folder / f"{family}-out",
        name="junior",
        config=ExportConfig(quantisation="F16"),
        provenance={},
    )
    return base, folder / f"{family}-out" / file.name


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {family: make_file(folder, family) for family in tiny_models.FAMILIES}


@pytest.fixture(params=tiny_models.FAMILIES)
def family(request):
    return request.param


@pytest.fixture
def runner(made):
    with Embedded(made["qwen2"][1], n_ctx=256) as embedded:
        yield embedded


def tokenizer_of(base):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(base.path)


def test_the_prompt_is_rendered_as_transformers_renders_it(made, family):
    base, path = made[family]
    tokenizer = tokenizer_of(base)
    turns = [*conversation("  hi  "), {"role": "assistant", "content": "yes"}]
    with Embedded(path) as embedded:
        for messages in (turns[:2], [*turns, {"role": "user", "content": "and?\n"}]):
            expected = tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True
            )
            assert embedded.render(messages) == expected


def test_greedy_answers_are_deterministic_whatever_was_asked_before(runner):
    first = runner.chat(conversation("Who are you?"), max_tokens=20)
    runner.chat(conversation("Who is she?"), max_tokens=5)
    list(runner.stream(conversation("Who are they?"), max_tokens=5))
    again = runner.chat(conversation("Who are you?"), max_tokens=20)
    assert (again.text, again.tokens, again.stopped) == (first.text, first.tokens, first.stopped)


def test_a_stream_is_the_same_answer_in_pieces(runner):
    messages = conversation("Tell me about the lamp")
    whole = runner.chat(messages, max_tokens=24)
    assert "".join(runner.stream(messages, max_tokens=24, temperature=0)).strip() == whole.text


def test_a_seed_fixes_what_is_drawn(runner):
    def draw(seed):
        return runner.chat(conversation("hi"), max_tokens=16, temperature=1.0, seed=seed).text

    assert draw(1) == draw(1)
    assert len({draw(seed) for seed in range(5)}) > 1


def test_an_answer_that_is_cut_says_so(runner):
    reply = runner.chat(conversation("hi"), max_tokens=3)
    assert reply.tokens == 3 and not reply.stopped


def test_loss_is_what_transformers_computes_on_the_same_tokens(made, family):
    import torch

    from distill.tokens import tokenise

    base, path = made[family]
    text = "I am Wren — naïve, 東京. She said: “I am not.”\nBye."
    answer = {"role": "assistant", "content": text, "loss": [[0, 24], [40, len(text)]]}
    rows = [{"messages": [*conversation("Who?"), answer]}]
    rows.append({"messages": [*conversation("And?"), answer | {"loss": [[3, 9]]}]})
    expected, count = 0.0, 0
    model = tiny_models.load_merged(base, None)
    for record in tokenise(rows, tokenizer_of(base), max_length=512):
        labels = torch.tensor([record.labels])
        with torch.no_grad():
            out = model(torch.tensor([record.input_ids]), labels=labels)
        expected += float(out.loss) * record.loss_tokens
        count += record.loss_tokens
    with Embedded(path) as embedded:
        loss, tokens = embedded.loss(rows)
    assert tokens == count
    assert loss == pytest.approx(expected / count, rel=5e-3)


def test_long_rows_are_read_in_pieces_without_changing_the_loss(made):
    path = made["qwen2"][1]
    text = "I keep the lamp. " * 12
    turn = {"role": "assistant", "content": text, "loss": [[0, len(text)]]}
    row = {"messages": [*conversation("Who?"), turn]}
    with Embedded(path, n_ctx=512) as embedded:
        loss, tokens = embedded.loss([row])
        embedded._model.logit_bytes = 4 * embedded._model.vocabulary_size * 7
        pieces, again = embedded.loss([row])
    assert tokens == again > 90
    assert pieces == pytest.approx(loss, rel=1e-3)


def test_log_probabilities_follow_the_chain_rule(made):
    base, path = made["qwen2"]
    messages, names = conversation("Who are you?"), [" Wren", " Meridian", "", " 東京"]
    with Embedded(path) as embedded:
        found = embedded.log_probability(messages, "I am", names)
        again = embedded.log_probability(messages, "I am", names)
        prompt = embedded.render(messages) + "I am"
    assert found == again and found[2] == 0.0
    assert found[0] == pytest.approx(by_transformers(base, prompt, " Wren"), abs=0.05)
    assert found[3] == pytest.approx(by_transformers(base, prompt, " 東京"), abs=0.05)


def by_transformers(base, prompt: str, text: str) -> float:
    import torch

    encode = tokenizer_of(base).backend_tokenizer.encode
    start = encode(prompt, add_special_tokens=False).ids
    whole = encode(prompt + text, add_special_tokens=False).ids
    assert whole[: len(start)] == start
    with torch.no_grad():
        logits = tiny_models.load_merged(base, None)(torch.tensor([whole])).logits[0].double()
    scores = logits.log_softmax(-1)
    return sum(float(scores[i - 1, whole[i]]) for i in range(len(start), len(whole)))


def test_a_conversation_too_long_is_refused_in_plain_words(runner):
    with pytest.raises(UserError, match="begin a new one"):
        runner.chat(conversation("word " * 400))


def test_a_damaged_file_is_a_plain_error(made, tmp_path, capfd):
    data = made["qwen2"][1].read_bytes()
    for name, content in {
        "empty": b"",
        "text": b"hello",
        "header": data[:2000],
        "half": data[: len(data) // 2],
        "end": data[:-40],
    }.items():
        path = tmp_path / f"{name}.gguf"
        path.write_bytes(content)
        with pytest.raises(ModelFileError, match=name):
            Embedded(path)
    with pytest.raises(ModelFileError, match="no such file"):
        Embedded(tmp_path / "none.gguf")
    assert capfd.readouterr() == ("", "")


def test_one_changed_byte_is_noticed_by_the_hash(made, tmp_path):
    data = bytearray(made["qwen2"][1].read_bytes())
    digest = hashlib.sha256(data).hexdigest()
    path = tmp_path / "flipped.gguf"
    path.write_bytes(data)
    Embedded(path, sha256=digest).close()
    data[-5] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match="damaged"):
        Embedded(path, sha256=digest)


def test_a_vocabulary_llama_cpp_stumbles_over_ends_in_one_line(made, tmp_path):
    data = made["qwen2"][1].read_bytes()
    path = tmp_path / "flipped.gguf"
    one = (1).to_bytes(8, "little")
    path.write_bytes(data.replace(one + b"b", one + b"a", 1))  # two tokens of the same text
    code = "import sys; from distill.embedded import Embedded; Embedded(sys.argv[1])"
    command = [sys.executable, "-c", code, path]
    result = subprocess.run(command, capture_output=True, check=False, text=True)
    assert result.returncode == 1
    assert result.stderr.startswith("llama.cpp gave up") and result.stderr.count("\n") == 1


def test_shards_are_loaded_by_their_list(made, tmp_path):
    from gguf import GGUFReader, GGUFValueType, GGUFWriter

    path = made["qwen2"][1]
    reader = GGUFReader(path)
    writer = GGUFWriter(tmp_path / "x.gguf", "qwen2", split_max_tensors=20)
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name == "general.architecture":
            continue
        kind, *items = field.types
        writer.add_key_value(
            field.name, field.contents(), kind, items[-1] if kind == GGUFValueType.ARRAY else None
        )
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    shards = sorted(tmp_path.glob("x-*.gguf"))
    with Embedded(shards) as split, Embedded(path) as whole:
        messages = conversation("Who?")
        answers = [model.chat(messages, max_tokens=9).text for model in (split, whole)]
    assert len(shards) == 2 and answers[0] == answers[1]


def test_an_answer_goes_on_from_words_put_into_its_mouth(runner):
    messages = conversation("Who are you?")
    whole = runner.chat(messages, max_tokens=12)
    rest = runner.chat(messages, max_tokens=6, prefix=whole.text[:4])
    assert rest.text != whole.text


def test_a_model_loads_quickly_and_quietly(made):
    code = (
        "import sys, time; from distill.embedded import Embedded; import llama_cpp;"
        "t = time.monotonic(); e = Embedded(sys.argv[1]); s = time.monotonic() - t;"
        "r = e.chat([{'role': 'user', 'content': 'hi'}], max_tokens=2); e.close(); e.close();"
        "assert s < 1 and r.tokens"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, made["qwen2"][1]], capture_output=True, check=True, text=True
    )
    assert result.stderr == result.stdout == ""


def test_probabilities_add_up_to_one(runner):
    words = [runner._model.piece(token, special=True) for token in range(40, 60)]
    known = [w.decode() for w in words if w.isascii() and w.isalnum()]
    found = runner.log_probability(conversation("hi"), "", known)
    assert 0 < sum(math.exp(p) for p in found) <= 1.0
