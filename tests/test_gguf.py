"""What the exported file must be, against llama.cpp, transformers and PEFT, on random models."""

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from distill.embedded import Embedded
from distill.embedded.llama import LlamaModel
from distill.gguf import ExportConfig, base_gguf, export
from distill.gguf.metadata import read_vocabulary, without_makers_text
from distill.gguf.quantise import QUANTISATIONS
from distill.gguf.tensors import permutation
from memory.errors import ModelFileError, UserError
from tests import tiny_models
from tests.tiny_models import FAMILIES, TEXTS

pytestmark = pytest.mark.slow

F16 = ExportConfig(quantisation="F16")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bases")
    return {family: tiny_models.make_base(folder / family, family) for family in FAMILIES}


@pytest.fixture(scope="module")
def adapters(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("adapters")
    return {f: tiny_models.make_adapter(base, folder / f) for f, base in made.items()}


@pytest.fixture(params=FAMILIES)
def family(request):
    return request.param


def run(base, adapter, folder, config=F16, **more):
    given = {"name": "junior", "provenance": {"night": "2026-11-20"}} | more
    (file,) = export(base, adapter, folder, config=config, **given)
    return folder / file.name


def tensors_of(path):
    from gguf import GGUFReader

    return {t.name: (t.tensor_type, t.data.tobytes()) for t in GGUFReader(path).tensors}


def values_of(path, name):
    from gguf import GGUFReader

    return next(t.data for t in GGUFReader(path).tensors if t.name == name).astype(np.float32)


SLOWER = [n if n == "Q4_K_M" else pytest.param(n, marks=pytest.mark.slow) for n in QUANTISATIONS]


@pytest.mark.parametrize("quantisation", SLOWER[1:])
@pytest.mark.parametrize(
    ("hidden", "mlp", "layers", "tied"),
    [(256, 512, 9, True), (256, 352, 2, False), (96, 160, 5, True), (72, 100, 1, False)],
)
def test_every_tensor_equals_llama_cpps_own(
    tmp_path, family, quantisation, hidden, mlp, layers, tied
):
    base = tiny_models.make_base(
        tmp_path / "base",
        family,
        hidden_size=hidden,
        intermediate_size=mlp,
        num_hidden_layers=layers,
        tie_word_embeddings=tied,
    )
    ours = run(base, None, tmp_path / "a", ExportConfig(quantisation=quantisation))
    theirs = run(base, None, tmp_path / "b", ExportConfig(quantisation, one_pass=False))
    assert tensors_of(ours) == tensors_of(theirs)


def test_every_tensor_equals_llama_cpps_own_with_an_adapter(made, adapters, tmp_path, family):
    base, adapter = made[family], adapters[family]
    ours = run(base, adapter, tmp_path / "a", ExportConfig(threads=3))
    theirs = run(base, adapter, tmp_path / "b", ExportConfig(one_pass=False))
    assert tensors_of(ours) == tensors_of(theirs)


@pytest.mark.parametrize(
    "lora",
    [
        {},
        {"r": 6, "lora_alpha": 5, "use_rslora": True},
        {"use_dora": True, "target_modules": ["q_proj", "v_proj"]},
        {"rank_pattern": {"q_proj": 2}, "alpha_pattern": {"k_proj": 32, "layers.1.*.v_proj": 3}},
    ],
    ids=["lora", "rslora", "dora", "patterns"],
)
def test_adapters_are_merged_as_peft_merges_them(made, tmp_path, lora):
    base = made["qwen2"]
    adapter = tiny_models.make_adapter(base, tmp_path / "adapter", **lora)
    path = run(base, adapter, tmp_path / "out")
    merged = tiny_models.load_merged(base, adapter).merge_and_unload().state_dict()
    for layer in range(3):
        for ours, theirs in (("attn_q", "q"), ("attn_k", "k"), ("attn_v", "v")):
            weight = merged[f"model.layers.{layer}.self_attn.{theirs}_proj.weight"].numpy()
            found = values_of(path, f"blk.{layer}.{ours}.weight")
            np.testing.assert_allclose(found, weight, rtol=2**-10, atol=1e-6)


def test_llamas_rows_are_permuted_as_transformers_converter_does():
    assert permutation(8, 2).tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_shards_and_stored_types_make_no_difference(tmp_path, dtype):
    from transformers import AutoModelForCausalLM

    base = tiny_models.make_base(tmp_path / "one", "qwen3", dtype=dtype)
    sharded = tiny_models.make_base(tmp_path / "many", "qwen3", dtype=dtype)
    (sharded.path / "model.safetensors").unlink()
    model = AutoModelForCausalLM.from_pretrained(base.path, dtype="auto")
    model.save_pretrained(sharded.path, max_shard_size="100KB")
    assert (sharded.path / "model.safetensors.index.json").is_file()
    one, many = (run(b, None, b.path / "out") for b in (base, sharded))
    assert one.read_bytes() == many.read_bytes()
    stored = model.state_dict()["model.layers.0.self_attn.q_norm.weight"].float().numpy()
    assert (values_of(one, "blk.0.attn_q_norm.weight") == stored).all()


def test_the_file_reads_text_as_the_tokenizer_does(made, tmp_path, family):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(made[family].path)
    model = LlamaModel(run(made[family], None, tmp_path), n_ctx=64, threads=1, gpu=False)
    end = tokenizer.eos_token
    texts = [*TEXTS, f"a{end}b<tool>c {end}", "e\u0301 not composed", "\ufeff\x00\x7f", "१२३ ١٢٣"]
    for text in texts:
        expected = tokenizer(text, add_special_tokens=False).input_ids
        assert model.tokens(text) == expected, text
    assert model.special("eos") == end and model.is_end(tokenizer.eos_token_id)
    model.close()


def test_no_text_is_read_otherwise(made, tmp_path, family):
    from hypothesis import given, settings
    from hypothesis import strategies as st
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(made[family].path / "tokenizer.json"))
    model = LlamaModel(run(made[family], None, tmp_path), n_ctx=64, threads=1, gpu=False)

    @settings(max_examples=150, deadline=None, derandomize=True, database=None)
    @given(st.text(st.characters(codec="utf-8", max_codepoint=0x2FFF), max_size=40))
    def same(text):
        assert model.tokens(text) == tokenizer.encode(text, add_special_tokens=False).ids

    same()
    model.close()


@pytest.mark.slow
def test_the_file_answers_as_the_adapter_does(tmp_path, family):
    import torch
    from transformers import AutoTokenizer

    base, adapter = tiny_models.make_speaking(tmp_path, family)
    tokenizer = AutoTokenizer.from_pretrained(base.path)
    model = tiny_models.load_merged(base, adapter)
    plain = Embedded(run(base, None, tmp_path / "plain"), n_ctx=256)
    changed = 0
    with Embedded(run(base, adapter, tmp_path / "out"), n_ctx=256) as embedded, plain:
        for prompt in tiny_models.questions(50):
            messages = tiny_models.conversation(prompt)
            ids = tokenizer(embedded.render(messages), add_special_tokens=False).input_ids
            with torch.no_grad():
                out = model.generate(
                    torch.tensor([ids]),
                    max_new_tokens=16,
                    do_sample=False,
                    eos_token_id=tokenizer.eos_token_id,
                    pad_token_id=0,
                )
            text = tokenizer.decode(out[0, len(ids) :], skip_special_tokens=True).strip()
            assert embedded.chat(messages, max_tokens=16).text == text
            changed += plain.chat(messages, max_tokens=16).text != text
    assert changed > 30


def test_threads_do_not_change_a_byte(tmp_path):
    base = tiny_models.make_base(tmp_path / "base", "qwen2", vocab_size=9000, hidden_size=256)
    one = run(base, None, tmp_path / "1", ExportConfig(threads=1))
    many = run(base, None, tmp_path / "4", ExportConfig(threads=4))
    assert one.read_bytes() == many.read_bytes()


def test_the_hash_is_the_files_and_it_is_private(made, tmp_path):
    (file,) = export(
        made["qwen2"], None, tmp_path, name="junior", config=ExportConfig(), provenance={}
    )
    data = (tmp_path / file.name).read_bytes()
    assert (file.sha256, file.bytes) == (hashlib.sha256(data).hexdigest(), len(data))
    assert (tmp_path / file.name).stat().st_mode & 0o777 == 0o600
    assert sorted(os.listdir(tmp_path)) == ["export.json", "junior.gguf"]


def test_a_finished_export_is_not_made_again_and_a_damaged_one_is(made, adapters, tmp_path):
    base, adapter = made["qwen2"], adapters["qwen2"]
    path = run(base, adapter, tmp_path)
    before = path.stat().st_mtime_ns
    run(base, adapter, tmp_path)
    assert path.stat().st_mtime_ns == before
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert run(base, adapter, tmp_path).read_bytes() == data
    assert run(base, None, tmp_path).read_bytes() != data


def test_the_base_alone_is_made_once(made):
    base = made["qwen3"]
    path = base_gguf(base, ExportConfig())
    before = path.stat().st_mtime_ns
    assert base_gguf(base, ExportConfig()) == path and path.stat().st_mtime_ns == before
    path.write_bytes(b"half")
    assert base_gguf(base, ExportConfig()).stat().st_size > 1000


def test_progress_counts_bytes_up_to_the_total(made, tmp_path):
    seen = []
    run(made["llama"], None, tmp_path, ExportConfig(), progress=seen.append)
    done = [step["step"] for step in seen]
    assert done == sorted(done) and done[-1] == seen[-1]["steps"] < 200_000


def test_provenance_is_in_the_file(made, tmp_path):
    path = run(made["qwen2"], None, tmp_path, provenance={"night": "n7", "dataset_hash": "abc"})
    model = LlamaModel(path, n_ctx=64, threads=1, gpu=False)
    found = [
        model.metadata(key)
        for key in (
            "general.name",
            "general.version",
            "general.base_model.0.name",
            "general.base_model.0.version",
            "junior.dataset_hash",
        )
    ]
    model.close()
    assert found == ["junior", "n7", "tiny/random", "r1", "abc"]


def test_no_maker_speaks_in_the_template(made, tmp_path):
    qwen = (
        "{{- '<|im_start|>system\\nYou are Qwen, created by Alibaba Cloud. You are a helpful"
        " assistant.<|im_end|>\\n' }}{{- 'You are Qwen, created by Alibaba Cloud. You are a helpful"
        " assistant.' }}{%- generation -%}x{%- endgeneration -%}"
    )
    assert without_makers_text(qwen) == "{{- '' }}{{- '' }}{%- if true -%}x{%- endif -%}"
    with Embedded(run(made["qwen2"], None, tmp_path)) as embedded:
        text = embedded.render([{"role": "user", "content": "hi"}])
    assert text == "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"


def test_llama_threes_long_contexts_are_kept(tmp_path):
    rope = {
        "rope_type": "llama3",
        "rope_theta": 500000.0,
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    }
    base = tiny_models.make_base(tmp_path / "base", "llama", rope_parameters=rope)
    factors = values_of(run(base, None, tmp_path / "out"), "rope_freqs.weight")
    rotary = tiny_models.load_merged(base, None).model.rotary_emb
    plain = 500000.0 ** -(np.arange(0, 16, 2) / 16)
    np.testing.assert_allclose(plain / factors, rotary.inv_freq.numpy(), rtol=1e-5)


def test_what_does_not_fit_is_refused_in_plain_words(made, adapters, tmp_path):
    with pytest.raises(UserError, match="does not have"):
        run(made["qwen2"], adapters["qwen3"], tmp_path)
    tied = tiny_models.make_adapter(
        made["qwen2"], tmp_path / "a", target_modules=["embed_tokens", "q_proj"]
    )
    with pytest.raises(UserError, match="cannot be added to the base"):
        run(made["qwen2"], tied, tmp_path)
    with pytest.raises(ValueError, match="Q4_K_M"):
        ExportConfig(quantisation="Q3")
    with pytest.raises(ModelFileError, match="no such file"):
        run(made["qwen2"], tmp_path / "nothing", tmp_path)
    assert not list(tmp_path.glob("*.gguf*"))


def test_a_diverged_adapter_is_refused(made, tmp_path):
    from memory.errors import StageError

    adapter = tiny_models.make_adapter(made["llama"], tmp_path / "a", lora_alpha=10**9)
    with pytest.raises(StageError, match="diverged"):
        run(made["llama"], adapter, tmp_path)
    assert not list(tmp_path.glob("*.gguf*"))


def test_damaged_weights_and_tokenizers_are_plain_errors(tmp_path):
    base = tiny_models.make_base(tmp_path / "base", "qwen2")
    weights = base.path / "model.safetensors"
    whole = weights.read_bytes()
    for broken in (b"", whole[:100], whole[:-1000], b"\xff" * 64):
        weights.write_bytes(broken)
        with pytest.raises(ModelFileError, match=r"model\.safetensors: damaged"):
            run(base, None, tmp_path)
    weights.write_bytes(whole)
    tokenizer = json.loads((base.path / "tokenizer.json").read_text())
    tokenizer["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = r"\w+"
    (base.path / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(UserError, match="byte-level BPE that llama"):
        read_vocabulary(base.path, {"vocab_size": 448})


def test_too_little_room_is_said_before_anything_is_written(made, tmp_path):
    with pytest.raises(UserError, match=r"[\d,]{15,} bytes are needed .* [\d,]+ are free"):
        run(made["qwen2"], None, tmp_path, ExportConfig(spare_gb=1e6))
    assert list(tmp_path.iterdir()) == []


CHILD = """
import resource, sys
from pathlib import Path
import gguf, llama_cpp
from distill.gguf import ExportConfig, export
from tests.tiny_models import TinyBase
if int(sys.argv[3]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
config = ExportConfig(one_pass=sys.argv[4] == "1")
export(TinyBase(Path(sys.argv[1])), None, Path(sys.argv[2]), name="j", config=config, provenance={})
"""


def child(base, folder, limit: int, one_pass: bool = True):
    """export() in a process of its own; -B, as a .pyc cut at `limit` would stay."""
    return subprocess.run(
        [sys.executable, "-B", "-c", CHILD, base.path, folder, str(limit), str(int(one_pass))],
        env={"PATH": "/nonexistent", "PYTHONPATH": os.getcwd()},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("one_pass", [True, False])
def test_a_disk_that_fills_up_leaves_nothing_behind(made, tmp_path, one_pass):
    for limit in (1_000, 40_000, 90_000):
        result = child(made["llama"], tmp_path, limit, one_pass)
        assert result.returncode == 1
        assert "StageError" in result.stderr.splitlines()[-1]
        assert list(tmp_path.iterdir()) == []


def test_export_needs_no_tools_and_says_nothing(made, tmp_path):
    result = child(made["llama"], tmp_path, 0)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert (tmp_path / "j.gguf").is_file()
