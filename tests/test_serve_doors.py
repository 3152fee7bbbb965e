"""Claims about who may come in at `junior serve`, and how much they may bring."""

import json
import socket
import stat
import subprocess
import sys
from dataclasses import replace
from urllib.parse import urlsplit

import httpx
import pytest

from agent.serve.doors import CODE_SECONDS, Codes, read_token
from memory.db import open_database
from tests.fake_llm import FakeLLM
from tests.homes import ROOT
from tests.serving import served, wren_home


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with served(wren_home(tmp_path_factory.mktemp("doors"), body_seconds=1.0)) as found:
        yield found


def log_in(door) -> httpx.Client:
    """A browser with its cookie."""
    browser = httpx.Client(base_url=door.url, headers={"Accept": "text/html"})
    answer = browser.get(f"/login?code={door.codes.new()}")
    assert answer.status_code == 303
    return browser


def test_the_token_is_made_once_and_private(tmp_path):
    assert read_token(tmp_path) == read_token(tmp_path)
    assert stat.S_IMODE((tmp_path / "serve.token").stat().st_mode) == 0o600


@pytest.mark.parametrize("path", ["/", "/v1/models", "/static/junior.js", "/mcp", "/live", "/x"])
def test_everything_but_health_needs_the_token(door, path):
    assert httpx.get(door.url + path).status_code == 401
    wrong = {"Authorization": "Bearer " + "x" * 43}
    assert httpx.get(door.url + path, headers=wrong).json()["error"]["code"] == "invalid_api_key"
    assert httpx.get(f"{door.url}/health").json() == {"status": "ok"}


def test_a_link_opens_the_page_once_with_a_strict_cookie(door):
    link = f"{door.url}/login?code={door.codes.new()}"
    first, second = httpx.get(link), httpx.get(link)
    assert first.status_code == 303 and second.status_code == 401
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and door.token not in cookie
    jar = {"Cookie": cookie.split(";")[0]}
    assert httpx.get(door.url + "/", headers=jar).status_code == 200


def test_a_code_is_too_old_after_ten_minutes():
    now = [0.0]
    codes = Codes(clock=lambda: now[0])
    fresh, old = codes.new(), codes.new()
    assert codes.take(fresh)
    now[0] = CODE_SECONDS + 1
    assert not codes.take(old)


def test_another_host_name_is_refused(door):
    rebound = {**door.bearer, "Host": "evil.example:4910"}
    assert httpx.get(f"{door.url}/v1/models", headers=rebound).status_code == 403


def test_another_pages_request_is_refused_whatever_it_carries(door):
    browser = log_in(door)
    foreign = {"Origin": "http://evil.example"}
    answer = browser.post("/generations/2026-11-20/pin", headers=foreign)
    assert answer.status_code == 403 and "access-control-allow-origin" not in answer.headers
    assert browser.post("/generations/2026-11-20/pin").status_code == 403
    ours = browser.post("/generations/2026-11-20/pin", headers={"Origin": door.url})
    assert ours.status_code == 303


def test_a_body_that_never_ends_is_told_so(door):
    where = urlsplit(door.url)
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {where.netloc}\r\n"
        f"Authorization: Bearer {door.token}\r\nContent-Length: 100\r\n\r\n{{"
    )
    with socket.create_connection((where.hostname, where.port), timeout=10) as slow:
        slow.sendall(head.encode())
        assert slow.recv(64).startswith(b"HTTP/1.1 408")


def test_a_chunked_body_is_counted_too(door):
    parts = (b"x" * 100_000 for _ in range(50))
    answer = httpx.post(f"{door.url}/v1/chat/completions", content=parts, headers=door.bearer)
    assert answer.status_code == 413


def test_more_than_the_limit_are_told_to_come_again(tmp_path):
    config = wren_home(tmp_path, concurrency=1)
    with FakeLLM(answer=lambda _: "w " * 100, pause_seconds=0.05).running(config) as model:
        behind = replace(config.serve, backend="openai", url=model.url)
        with served(replace(config, serve=behind)) as door:
            asked = {"messages": [{"role": "user", "content": "a"}], "stream": True}
            where = f"{door.url}/v1/chat/completions"
            with httpx.stream("POST", where, json=asked, headers=door.bearer) as first:
                assert first.status_code == 200
                second = httpx.get(f"{door.url}/v1/models", headers=door.bearer)
    assert second.status_code == 429 and second.headers["retry-after"] == "1"


def test_an_answer_that_takes_too_long_is_ended(tmp_path):
    config = wren_home(tmp_path, answer_seconds=0.3)
    with FakeLLM(answer=lambda _: "w " * 100, pause_seconds=0.1).running(config) as model:
        behind = replace(config.serve, backend="openai", url=model.url)
        with served(replace(config, serve=behind)) as door:
            asked = {"messages": [{"role": "user", "content": "a"}]}
            where = f"{door.url}/v1/chat/completions"
            answer = httpx.post(where, json=asked, headers=door.bearer)
    assert answer.status_code == 504 and answer.json()["error"]["code"] == "timeout"


def test_what_the_agent_writes_is_stored_once_and_found_at_once(door):
    asked = {"kind": "journal", "text": "The heron came back."}
    key = {**door.bearer, "Idempotency-Key": "heron-1"}
    first = httpx.post(f"{door.url}/memory/messages", json=asked, headers=key)
    again = httpx.post(f"{door.url}/memory/messages", json=asked, headers=key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"] and again.json()["duplicate"]
    hits = httpx.get(f"{door.url}/memory/search?q=heron", headers=door.bearer).json()["hits"]
    assert [hit["id"] for hit in hits] == [first.json()["id"]] and hits[0]["author"] == "Wren"


@pytest.mark.parametrize("wrong", [{"to": 5}, {"text": []}, {"kind": "poem"}, {"by": "Otto"}])
def test_what_cannot_be_written_down_is_told(door, wrong):
    asked = {"kind": "journal", "text": "The heron."} | wrong
    answer = httpx.post(f"{door.url}/memory/messages", json=asked, headers=door.bearer)
    assert answer.status_code == 400 and set(answer.json()) == {"error"}


@pytest.mark.parametrize("since", ["yesterday", "0001-01-01", "9999-12-31T23:59:59-23:00"])
def test_a_date_that_is_none_is_told(door, since):
    answer = httpx.get(
        f"{door.url}/memory/search", params={"q": "a", "since": since}, headers=door.bearer
    )
    assert answer.status_code == 400 and "is no date" in answer.json()["error"]["message"]


def test_what_a_junior_wrote_is_kept_as_a_juniors(door):
    asked = {"kind": "note", "text": "I am a made-up answer.", "by": "junior"}
    stored = httpx.post(f"{door.url}/memory/messages", json=asked, headers=door.bearer).json()
    with open_database(door.config.database_path) as db:
        sql = "select origin from messages where id = ?"
        assert db.execute(sql, [stored["id"]]).fetchone() == ("junior",)


def test_answers_are_kept_as_a_juniors_where_that_is_asked_for(tmp_path):
    config = wren_home(tmp_path, log_answers=True)
    asked = {"messages": [{"role": "user", "content": "Hello."}], "max_tokens": 4}
    with served(config) as door:
        where = f"{door.url}/v1/chat/completions"
        said = httpx.post(where, json=asked, headers=door.bearer, timeout=60).json()
    with open_database(config.database_path) as db:
        kept = db.execute("select text, origin from messages").fetchall()
    assert kept == [(said["choices"][0]["message"]["content"], "junior")]


def test_a_unix_socket_is_private_and_serves(tmp_path):
    path = tmp_path / "door.sock"
    with served(wren_home(tmp_path, socket=str(path))) as door:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(path))) as client:
            assert client.get("http://junior/health").status_code == 200
            assert client.get("http://junior/v1/models").status_code == 401
            assert client.get("http://junior/v1/models", headers=door.bearer).status_code == 200


@pytest.mark.slow
def test_serve_prints_a_link_that_opens_the_page(tmp_path):
    """The command itself, from its start to SIGTERM; `--link` asks the running one."""
    config = wren_home(tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    junior = [sys.executable, "-m", "agent.cli", "--home", str(config.home)]
    environment = {"PATH": "/usr/bin:/bin", "JUNIOR_SERVE_PORT": port}
    run = subprocess.Popen(
        [*junior, "serve", "--json"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        link = json.loads(run.stdout.readline())["link"]
        assert httpx.get(link).status_code == 303
        another = subprocess.run(
            [*junior, "serve", "--link", "--json"], cwd=ROOT, env=environment,
            capture_output=True, text=True,
        )  # fmt: skip
        assert httpx.get(json.loads(another.stdout)["link"]).status_code == 303
    finally:
        run.terminate()
        assert run.wait(20) in (0, -15)
