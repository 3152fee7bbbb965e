"""Files in two shards, made again from an adapter alone, and weighed by importance."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from distill.gguf import ExportConfig, export, join_shards, make_again
from memory.errors import ModelFileError
from memory.files import sha256_file
from tests import tiny_models
from tests.test_gguf import SLOWER, adapters, made, run, tensors_of  # noqa: F401 fixtures too

ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]


def test_a_split_holds_what_the_one_file_does_and_the_second_writes_only_attention(tmp_path):
    base = tiny_models.make_base(tmp_path / "base", "qwen3", hidden_size=256)
    given = {"config": ExportConfig(), "provenance": {"night": "n"}}
    shards = []
    for night in ("1", "2"):
        lora = {"target_modules": ATTENTION, "seed": int(night)}
        adapter = tiny_models.make_adapter(base, tmp_path / night / "adapter", **lora)
        folder, name = tmp_path / night, f"junior-{night}"
        shards.append(export(base, adapter, folder, name=name, split=True, **given))
        whole = run(base, adapter, folder / "whole", ExportConfig())
        joined = join_shards(folder, [file.name for file in shards[-1]], "joined")
        assert tensors_of(folder / joined.name) == tensors_of(whole)
    assert shards[0][0].sha256 == shards[1][0].sha256 != shards[0][1].sha256
    first, again = (
        tmp_path / night / files[0].name for night, files in zip("12", shards, strict=True)
    )
    assert first.stat().st_ino == again.stat().st_ino


def test_a_damaged_shard_that_stays_is_made_again(tmp_path):
    base = tiny_models.make_base(tmp_path / "base", "qwen2", hidden_size=256)
    adapter = tiny_models.make_adapter(base, tmp_path / "adapter", target_modules=ATTENTION)
    given = {"name": "j", "config": ExportConfig(), "provenance": {}, "split": True}
    first, _ = export(base, adapter, tmp_path / "1", **given)
    kept = next(base.path.glob("unchanged-*.gguf"))
    data = bytearray(kept.read_bytes())
    data[-9] ^= 1
    kept.unlink()  # as another file: the night's own link keeps the good bytes
    kept.write_bytes(data)
    again, _ = export(base, adapter, tmp_path / "2", **given)
    assert again.sha256 == first.sha256 == sha256_file(tmp_path / "2" / again.name)


def test_an_adapter_on_more_than_attention_is_not_split(made, adapters, tmp_path):  # noqa: F811
    given = {"name": "j", "config": ExportConfig(), "provenance": {}, "split": True}
    assert len(export(made["llama"], adapters["llama"], tmp_path, **given)) == 1


def test_a_file_is_made_again_from_the_adapter_alone(made, adapters, tmp_path):  # noqa: F811
    base = made["qwen2"]
    shutil.copytree(adapters["qwen2"], tmp_path / "adapter")
    path = run(base, tmp_path / "adapter", tmp_path, ExportConfig())
    before = path.read_bytes()
    path.unlink()
    make_again(tmp_path, base)
    assert path.read_bytes() == before
    path.unlink()
    with pytest.raises(ModelFileError, match="not the base, that was released"):
        make_again(tmp_path, replace(base, revision="r2"))


def test_an_adapter_with_a_flipped_byte_is_not_exported(made, adapters, tmp_path):  # noqa: F811
    shutil.copytree(adapters["qwen2"], tmp_path / "adapter")
    weights = tmp_path / "adapter" / "adapter_model.safetensors"
    data = bytearray(weights.read_bytes())
    (tmp_path / "train.json").write_text(json.dumps({"adapter_sha256": sha256_file(weights)}))
    run(made["qwen2"], tmp_path / "adapter", tmp_path)
    data[-7] ^= 1
    weights.write_bytes(data)
    with pytest.raises(ModelFileError, match=r"adapter_model\.safetensors: is damaged"):
        run(made["qwen2"], tmp_path / "adapter", tmp_path)


@pytest.mark.parametrize("quantisation", SLOWER[1:])
def test_an_importance_matrix_weighs_as_llama_cpps_own(made, adapters, tmp_path, quantisation):  # noqa: F811
    shutil.copytree(adapters["qwen3"], tmp_path / "adapter")
    plain = run(made["qwen3"], tmp_path / "adapter", tmp_path / "plain", ExportConfig(quantisation))
    write_importance(tmp_path / "adapter")
    ours = run(made["qwen3"], tmp_path / "adapter", tmp_path / "a", ExportConfig(quantisation))
    config = ExportConfig(quantisation, one_pass=False)
    theirs = run(made["qwen3"], tmp_path / "adapter", tmp_path / "b", config)
    assert tensors_of(ours) == tensors_of(theirs)
    unweighed = quantisation in ("Q6_K", "Q8_0")  # at widths under 256 Q6_K becomes Q8_0
    assert (tensors_of(ours) == tensors_of(plain)) == unweighed


def write_importance(adapter):
    from safetensors.numpy import load_file, save_file

    chance = np.random.default_rng(0)
    found = {}
    for name, down in load_file(adapter / "adapter_model.safetensors").items():
        if "lora_A" in name:
            module = name.removeprefix("base_model.model.").partition(".lora_A")[0]
            found[module] = chance.random(down.shape[1], np.float32) ** 4
    save_file(found, adapter / "importance.safetensors")
