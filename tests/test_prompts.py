"""Chat templates read from a GGUF and said in Go, names and Modelfiles."""

import json

import pytest

from distill.embedded.chat_template import ChatTemplate
from distill.release.modelfile import tag_name, write_modelfile
from distill.release.prompts import go_templates, read_chat_template, same_prompt, stops
from distill.release.publisher import load_recipe
from memory.errors import ModelFileError, PublishError
from tests.fake_ollama import go_template
from tests.tiny_gguf import CHATML, UNHEARD, make_night


@pytest.mark.parametrize("name", ["junior", "wren-2", "qwen2.5", "me/junior", "_x"])
def test_model_names_that_hold(name):
    assert tag_name(name, "2026-11-20.2") == f"{name}:2026-11-20.2"


@pytest.mark.parametrize("name", ["", "a:b", "a/b/c", "x.y/z", "-a", ".a", "a b", "ä", "../x"])
def test_model_names_that_are_refused(name):
    with pytest.raises(PublishError, match="is no model name"):
        tag_name(name, "2026-11-20")


def test_the_chat_template_is_read_from_the_file(tmp_path):
    folder = make_night(tmp_path, "2026-11-20", template=UNHEARD)
    found = read_chat_template(next(folder.glob("*.gguf")))
    assert found.chat_template == UNHEARD
    (tmp_path / "cut.gguf").write_bytes(next(folder.glob("*.gguf")).read_bytes()[:3000])
    for file in (tmp_path / "cut.gguf", tmp_path / "absent.gguf", tmp_path / "home.db"):
        with pytest.raises(ModelFileError, match="not a whole GGUF"):
            read_chat_template(file)


@pytest.mark.parametrize("file", ["chatml", "llama3"])
def test_a_familys_template_frames_as_its_jinja_does(file):
    llama3 = (
        "{{ bos_token }}{% for message in messages %}<|start_header_id|>{{ message.role }}"
        "<|end_header_id|>\n\n{{ message.content | trim }}<|eot_id|>{% endfor %}"
        "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
    )
    source = {"chatml": CHATML, "llama3": llama3}[file]
    render = ChatTemplate(source, bos="<|begin_of_text|>", eos="").render
    turns = [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}]
    for template in go_templates(render):
        assert same_prompt(render(turns), go_template(template, turns))
    assert len(go_templates(render)) == 2
    assert stops(render)[0] in ("<|im_end|>", "<|eot_id|>")


def test_a_modelfile_names_nothing_but_files_beside_it(tmp_path):
    told = {"name": "junior", "night": "1", "card": "", "parameters": {}}
    for name in ("../x.gguf", "a b.gguf", "llama3", "x.gguf\nSYSTEM"):
        with pytest.raises(PublishError, match="cannot be named"):
            write_modelfile(tmp_path, [name], **told)
    assert "FROM ./x.gguf\n" in write_modelfile(tmp_path, ["x.gguf"], **told).read_text()


def test_release_json_can_be_read_again(bare):
    generation = bare.publish("2026-11-20")
    recipe = load_recipe(bare.home / "nights" / generation.id)
    assert recipe.files == generation.files
    path = bare.home / "nights" / generation.id / "release.json"
    assert json.loads(path.read_text())["parameters"]["stop"] == ["<|im_end|>", "<|im_start|>"]
    path.write_text("{")
    with pytest.raises(ModelFileError, match="cannot be used"):
        load_recipe(path.parent)
