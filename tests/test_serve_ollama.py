"""Claims about the endpoint in front of Ollama, the fake in both contracts and real servers."""

from dataclasses import replace

import openai
import pytest

from agent.config import load_config
from distill.ollama import Ollama
from tests.serving import served

HELLO = [{"role": "user", "content": "Hello there."}]


def behind(house, url: str, backend: str = "auto"):
    config = load_config(house.home, {"publish.host": url})
    return replace(config, serve=replace(config.serve, port=0, backend=backend))


def asked(door, model: str = "junior") -> openai.types.chat.ChatCompletion:
    with openai.OpenAI(base_url=f"{door.url}/v1", api_key=door.token, max_retries=0) as client:
        return client.chat.completions.create(
            model=model, messages=HELLO, temperature=0, max_tokens=8
        )


def streamed(door) -> list[str]:
    with openai.OpenAI(base_url=f"{door.url}/v1", api_key=door.token, max_retries=0) as client:
        stream = client.chat.completions.create(
            model="junior", messages=HELLO, temperature=0, max_tokens=8, stream=True
        )
        return [chunk.choices[0].delta.content or "" for chunk in stream]


def test_each_generation_answers_by_its_own_tag_and_a_switch_is_seen_at_once(house, any_ollama):
    house.publish("2026-11-20")
    with served(behind(house, any_ollama.url, "ollama")) as door:
        first = asked(door)
        house.publish("2026-11-21")
        second, older = asked(door), asked(door, "junior:2026-11-20")
    same = [found.choices[0].message.content for found in (first, older)]
    assert same[0] == same[1] and same[0] and first.usage.completion_tokens > 0
    assert second.choices[0].finish_reason in ("stop", "length")


def test_a_stream_of_ollama_is_passed_on(house, any_ollama):
    house.publish("2026-11-20")
    with served(behind(house, any_ollama.url, "ollama")) as door:
        whole = asked(door).choices[0].message.content
        parts = streamed(door)
    assert "".join(parts) == whole and len(parts) > 1


def test_a_prompt_longer_than_the_context_is_refused_and_not_cut(live_ollama, bare):
    bare.server = Ollama(live_ollama.url)
    bare.publish("2026-11-20")
    long = [{"role": "user", "content": "word " * 1500}]
    with (
        served(behind(bare, live_ollama.url, "ollama")) as door,
        openai.OpenAI(base_url=f"{door.url}/v1", api_key=door.token, max_retries=0) as client,
        pytest.raises(openai.BadRequestError, match="context") as caught,
    ):
        client.chat.completions.create(model="junior", messages=long, max_tokens=4)
    assert caught.value.code == "context_length_exceeded"


def test_where_ollama_is_down_the_file_itself_answers(faked, fake_ollama):
    faked.publish("2026-11-20")
    with served(behind(faked, fake_ollama.url)) as door:
        by_ollama = asked(door).choices[0].message.content
    fake_ollama.stop()
    with served(behind(faked, fake_ollama.url)) as door:
        by_file = asked(door).choices[0].message.content
    assert by_ollama.startswith("I am ") and by_file != by_ollama
