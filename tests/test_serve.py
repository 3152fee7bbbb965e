"""Claims about the endpoint, made with OpenAI's own client, unmodified."""

import asyncio
import json
import shutil
import subprocess
import threading
from dataclasses import replace

import httpx
import openai
import pytest

from agent.serve.backends import Asked, EmbeddedBackend
from tests.fake_llm import FakeLLM
from tests.homes import ROOT
from tests.serving import release, served, wren_home
from tests.tiny_gguf import write_gguf

HELLO = [{"role": "user", "content": "Hello there."}]


@pytest.fixture(scope="module")
def wren(tmp_path_factory):
    """(the served home, the model server behind it)."""
    config = wren_home(tmp_path_factory.mktemp("wren"))
    with FakeLLM().running(config) as model:
        behind = replace(config.serve, backend="openai", url=model.url, model="fake")
        with served(replace(config, serve=behind)) as door:
            yield door, model


@pytest.fixture
def client(wren):
    door, _ = wren
    with openai.OpenAI(base_url=f"{door.url}/v1", api_key=door.token, max_retries=0) as client:
        yield client


def test_a_chat_is_answered_in_openais_form(client):
    found = client.chat.completions.create(model="junior", messages=HELLO)
    assert found.choices[0].message.content == "You said: Hello there."
    assert found.choices[0].finish_reason == "stop" and found.usage.completion_tokens == 4


def test_a_chat_is_streamed_word_by_word(client):
    stream = client.chat.completions.create(
        model="junior", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    words = [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]
    assert words == ["You", " said:", " Hello", " there."]
    assert chunks[-1].usage.total_tokens == 11


def test_a_completion_is_answered_and_streamed(client):
    whole = client.completions.create(model="junior", prompt="Hello.")
    parts = list(client.completions.create(model="junior", prompt="Hello.", stream=True))
    assert whole.choices[0].text == "You said: Hello."
    assert "".join(part.choices[0].text for part in parts) == "You said: Hello."


def test_models_are_listed_and_told_apart(client):
    names = [model.id for model in client.models.list()]
    assert names == ["junior", "junior-rewrite", "junior:2026-11-20"]
    assert client.models.retrieve("junior:2026-11-20").owned_by == "junior"
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        client.chat.completions.create(model="gpt-9", messages=HELLO)


@pytest.mark.parametrize("name", ["junior:" + "a" * 5000, "junior:..", "junior:x/y", "junior:\0"])
def test_a_generation_that_cannot_be_one_does_not_exist(client, name):
    with pytest.raises(openai.NotFoundError, match="there is no generation"):
        client.chat.completions.create(model=name, messages=HELLO)


def test_the_card_comes_first_and_the_programs_system_text_after_it(client, wren):
    _, model = wren
    client.chat.completions.create(
        model="junior", messages=[{"role": "system", "content": "Be brief."}, *HELLO], temperature=0
    )
    system = model.asked[-1]["messages"][0]
    assert system["content"].startswith("You are Wren") and system["content"].endswith("Be brief.")
    assert model.asked[-1]["temperature"] == 0


def test_a_stream_that_is_cancelled_stops_the_model(tmp_path):
    config = wren_home(tmp_path)
    slow = FakeLLM(answer=lambda _: "word " * 500, pause_seconds=0.02)
    with slow.running(config) as model:
        behind = replace(config.serve, backend="openai", url=model.url)
        with served(replace(config, serve=behind)) as door:
            client = openai.OpenAI(base_url=f"{door.url}/v1", api_key=door.token)
            stream = client.chat.completions.create(model="junior", messages=HELLO, stream=True)
            next(iter(stream))
            stream.close()
            ended = threading.Event()
            while not (slow.broken_off or ended.wait(0.05)):
                assert not slow.finished
    assert slow.broken_off == 1


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
def test_the_readmes_curl_lines_work_as_written(wren):
    door, model = wren
    model.answer = lambda messages: "It isn't late."
    text = (ROOT / "README.md").read_text().partition("## The junior at work")[2]
    lines = text.split("```\n")[1].replace("~/.junior", str(door.config.home))
    lines = lines.replace("http://127.0.0.1:4910", door.url)
    said = subprocess.run(["bash", "-euc", lines], capture_output=True, text=True, check=True)
    answers = _documents(said.stdout)
    words = [one["choices"][0]["message"]["content"] for one in answers[:2]]
    assert words == ["It isn't late.", "It isn't late."] and not answers[2]["duplicate"]


def _documents(text: str) -> list[dict]:
    """JSON objects that follow each other without anything between."""
    found, place = [], 0
    while place < len(text):
        document, place = json.JSONDecoder().raw_decode(text, place)
        found.append(document)
    return found


def test_a_rewrite_keeps_the_facts_or_the_input(client, wren):
    _, model = wren
    text = "The pump ran at 4 bar. I do not know why.\n\n```\ncode = 1\n```\n"
    model.answer = lambda messages: "The pump ran at 5 bar."
    found = client.chat.completions.create(
        model="junior-rewrite", messages=[{"role": "user", "content": text}]
    )
    assert found.choices[0].message.content == text
    assert "numbers: 4 became 5" in found.model_extra["kept_unchanged"][0]


def test_a_rewrite_is_streamed_paragraph_by_paragraph(client, wren):
    _, model = wren
    model.answer = lambda messages: (
        messages[-1]["content"].split("\n\n")[1].replace("do not", "don't")
    )
    stream = client.chat.completions.create(
        model="junior-rewrite", stream=True,
        messages=[{"role": "user", "content": "I do not know.\n\n# Head\n\nWe do not mind it."}],
    )  # fmt: skip
    parts = [c.choices[0].delta.content for c in stream if c.choices[0].delta.content]
    assert parts[0] == "I don't know.\n\n" and parts[-1] == "We don't mind it."
    assert "".join(parts) == "I don't know.\n\n# Head\n\nWe don't mind it."


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "invalid_json"),
        (b'{"messages": "\xff"}', 400, "invalid_utf8"),
        (b"[" * 50_000, 400, "invalid_json"),
        (b'{"messages": []}', 400, "invalid"),
        (b'{"messages": [{"role": "user", "content": "\\ud800"}]}', 400, "invalid_utf8"),
        (b'{"messages": [{"role": "user", "content": "a"}], "n": 3}', 400, "unsupported"),
        (b'{"messages": [{"role": "user", "content": "a"}], "temperature": "x"}', 400,
         "invalid_value"),
        (b'{"messages": [{"role": "user", "content": "a"}], "stop": 5}', 400, "invalid_type"),
        (b'{"messages": [{"role": [], "content": "a"}]}', 400, "role"),
        (b'{"messages": [{"role": "user", "content": "%s"}]}' % (b"a" * 60_000), 400,
         "context_length_exceeded"),
        (b"a" * 10_000_000, 413, "request_too_large"),
    ],
    ids=["broken", "utf8", "deep", "empty", "half", "n", "type", "stop", "role", "context",
         "10 MB"],
)  # fmt: skip
def test_bad_input_is_told_in_openais_shape(wren, body, status, code):
    door, _ = wren
    answer = httpx.post(f"{door.url}/v1/chat/completions", content=body, headers=door.bearer)
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    assert answer.json()["error"]["code"] == code and "Traceback" not in answer.text


def test_a_backend_that_is_down_is_named(tmp_path):
    config = wren_home(tmp_path, backend="openai", url="http://127.0.0.1:9/v1")
    with served(config) as door:
        client = openai.OpenAI(base_url=f"{door.url}/v1", api_key=door.token, max_retries=0)
        with pytest.raises(openai.InternalServerError, match=r"127\.0\.0\.1:9") as caught:
            client.chat.completions.create(model="junior", messages=HELLO)
    assert caught.value.status_code == 503


def test_without_a_generation_the_answer_says_what_to_do(tmp_path):
    with served(wren_home(tmp_path, nights=())) as door:
        asked = {"model": "junior", "messages": HELLO}
        answer = httpx.post(f"{door.url}/v1/chat/completions", json=asked, headers=door.bearer)
        page = httpx.get(f"{door.url}/", headers=door.bearer)
    assert answer.status_code == 503 and "junior night" in answer.json()["error"]["message"]
    assert page.status_code == 200 and "junior night" in page.text


def test_the_embedded_runner_answers_by_generation(tmp_path):
    config = wren_home(tmp_path, nights=("2026-11-20", "2026-11-21"))
    with served(config) as door:
        client = openai.OpenAI(base_url=f"{door.url}/v1", api_key=door.token)
        said = {
            name: client.chat.completions.create(
                model=name, messages=HELLO, max_tokens=12, temperature=0
            ).choices[0]
            for name in ("junior", "junior:2026-11-21", "junior:2026-11-20")
        }
    assert said["junior"].message.content == said["junior:2026-11-21"].message.content
    assert said["junior"].message.content != said["junior:2026-11-20"].message.content
    assert said["junior"].finish_reason in ("stop", "length")


def test_a_server_of_one_model_is_asked_for_the_current_junior_alone(tmp_path):
    config = wren_home(tmp_path, nights=("2026-11-20", "2026-11-21"))
    with FakeLLM().running(config) as model:
        behind = replace(config.serve, backend="openai", url=model.url)
        with served(replace(config, serve=behind)) as door:
            client = openai.OpenAI(base_url=f"{door.url}/v1", api_key=door.token)
            said = [
                client.chat.completions.create(model=name, messages=HELLO, max_tokens=4)
                for name in ("junior:2026-11-21", "junior:2026-11-20")
            ]
    texts = [one.choices[0].message.content for one in said]
    assert texts[0] == "You said: Hello there." != texts[1] and len(model.asked) == 1


def test_a_seed_below_zero_is_one_and_without_any_answers_differ(tmp_path):
    with served(wren_home(tmp_path)) as door:
        client = openai.OpenAI(base_url=f"{door.url}/v1", api_key=door.token)

        def said(**how: object) -> str:
            found = client.chat.completions.create(
                model="junior", messages=HELLO, max_tokens=12, temperature=1, **how
            )
            return found.choices[0].message.content

        assert said(seed=-1) == said(seed=-1)
        assert said() != said()


def test_a_runner_that_fails_in_its_thread_ends_the_answer(tmp_path):
    backend = EmbeddedBackend(lambda _: write_gguf(tmp_path / "model.gguf"), 512)

    async def answered() -> list:
        wrong = Asked(tuple(HELLO), stop=(5,))
        return [said async for said in backend.answer("any", wrong)]

    with pytest.raises(TypeError):
        asyncio.run(answered())


def test_a_switch_between_two_requests_drops_none(tmp_path):
    config = wren_home(tmp_path)
    errors, answered, over = [], [], threading.Event()
    with served(config) as door:
        client = openai.OpenAI(base_url=f"{door.url}/v1", api_key=door.token, max_retries=0)

        def ask() -> None:
            while not over.is_set():
                try:
                    found = client.chat.completions.create(
                        model="junior", messages=HELLO, max_tokens=4, temperature=0
                    )
                    answered.append(found.choices[0].message.content)
                except openai.OpenAIError as error:
                    errors.append(error)

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        for night in ("2026-11-21", "2026-11-22", "2026-11-23", ""):
            before = len(answered)
            while len(answered) < before + 6 and not errors:
                over.wait(0.01)
            if night:
                release(config, night)
        over.set()
        for thread in threads:
            thread.join()
    assert errors == [] and len(set(answered)) == 4
