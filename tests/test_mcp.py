"""Claims about the tools, made with the official client: over HTTP and over standard input."""

import json
import sys
from contextlib import asynccontextmanager
from dataclasses import replace

import anyio
import httpx
import pytest

from memory.db import open_database
from tests.fake_llm import FakeLLM
from tests.homes import ROOT
from tests.serving import served, wren_home

TOOLS = {"search_memory", "recent", "who_is", "log", "ask_junior", "rewrite", "status"}


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    config = wren_home(tmp_path_factory.mktemp("mcp"))
    with FakeLLM().running(config) as model:
        behind = replace(config.serve, backend="openai", url=model.url)
        with served(replace(config, serve=behind)) as found:
            yield found


@asynccontextmanager
async def over_http(door):
    """The official client, let in by the token."""
    import httpx2
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    async with httpx2.AsyncClient(headers=door.bearer) as http:
        transport = streamable_http_client(f"{door.url}/mcp", http_client=http)
        async with Client(transport, raise_exceptions=True) as client:
            yield client


def called(door, tool: str, /, **arguments):
    """A tool's result: (structured content, is_error, text)."""

    async def call():
        async with over_http(door) as client:
            return await client.call_tool(tool, arguments)

    result = anyio.run(call)
    return result.structured_content, result.is_error, result.content[0].text


def test_every_tool_is_listed_with_its_sentence(door):
    async def listed():
        async with over_http(door) as client:
            return (await client.list_tools()).tools

    tools = anyio.run(listed)
    assert {tool.name for tool in tools} == TOOLS and all(tool.description for tool in tools)


def test_what_is_logged_is_found_with_id_and_date(door):
    stored, _, _ = called(door, "log", kind="journal", text="An otter under the pier.", key="otter")
    again, _, _ = called(door, "log", kind="journal", text="An otter under the pier.", key="otter")
    found, _, _ = called(door, "search_memory", query="otter", limit=1000)
    newest, _, _ = called(door, "recent", limit=1)
    assert again == {"id": stored["id"], "duplicate": True}
    assert [hit["id"] for hit in found["hits"]] == [stored["id"]] and found["hits"][0]["sent_at"]
    assert newest["messages"][0]["text"] == "An otter under the pier."


def test_the_junior_is_asked_and_rewrites(door):
    said, _, _ = called(door, "ask_junior", text="Hello.")
    rewritten, _, _ = called(door, "rewrite", text="It is 4 o'clock.")
    assert said == {"text": "You said: Hello.", "generation": "2026-11-20"}
    assert rewritten["text"] == "It is 4 o'clock." and rewritten["kept_unchanged"]


def test_the_juniors_own_words_are_not_stored_as_the_agents(door):
    said, _, _ = called(door, "ask_junior", text="A line for the log.")
    stored, _, _ = called(door, "log", kind="note", text=said["text"])
    own, _, _ = called(door, "log", kind="note", text="Nobody said this before me.")
    with open_database(door.config.database_path) as db:
        origins = dict(db.execute("select id, origin from messages").fetchall())
    assert (origins[stored["id"]], origins[own["id"]]) == ("junior", "spoken")


def test_status_and_who_is_answer(door):
    state, _, _ = called(door, "status")
    wren, _, _ = called(door, "who_is", name="Wren")
    nobody, _, _ = called(door, "who_is", name="Nobody At All")
    assert state["current"] == "2026-11-20" and "2026-11-20" in state["sentence"]
    assert wren["is_the_agent"] and nobody == {"known": False, "name": "Nobody At All"}


def test_a_wrong_call_is_an_error_in_plain_words(door):
    _, is_error, text = called(door, "log", kind="poem", text="x")
    assert is_error and "journal" in text and "Traceback" not in text
    _, is_error, text = called(door, "rewrite", text="A line.\n\n" * 3000)
    assert is_error and "at a time" in text


def test_the_card_and_the_report_are_resources(door):
    async def read():
        async with over_http(door) as client:
            names = [str(r.uri) for r in (await client.list_resources()).resources]
            card = await client.read_resource("junior://card")
            report = await client.read_resource("junior://report")
            return names, card.contents[0].text, report.contents[0].text

    (door.config.nights_path / "2026-11-20" / "report.html").write_text("<p>")
    names, card, report = anyio.run(read)
    assert names == ["junior://report", "junior://card"] and card.startswith("You are Wren")
    assert json.loads(report)["verdict"] == "released"


def test_without_the_token_there_are_no_tools(door):
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    assert httpx.post(f"{door.url}/mcp", json=asked).status_code == 401


@pytest.mark.slow
def test_the_tools_answer_over_standard_input_too(tmp_path):
    from mcp import Client, StdioServerParameters

    home = wren_home(tmp_path).home
    junior = StdioServerParameters(
        command=sys.executable, args=["-m", "agent.cli", "--home", str(home), "mcp"], cwd=ROOT
    )

    async def call():
        async with Client(junior) as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
            return names, await client.call_tool("who_is", {"name": "Otto"})

    names, result = anyio.run(call)
    assert names == TOOLS and not result.is_error
