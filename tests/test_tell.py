"""Claims about telling how a night went: numbers, a notification, no text of the memory."""

import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.util import find_spec

import pytest

from agent.config import load_config
from agent.status import status
from agent.tell import TellConfig, tell_night, write_textfile
from memory.db import open_database
from memory.errors import UserError
from tests.homes import here

NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)


@pytest.fixture
def home(tmp_path):
    made = tmp_path / "home"
    here(made, "init", "--yes", "--name", "Pell", "--base", "tiny")
    here(made, "log", "journal", "It rained on the okapi.")
    with open_database(made / "memory.db") as db:
        moments = {"started_at": "2026-11-21T03:30:00+00:00", "finished_at": NOW.isoformat()}
        db["nights"].insert({"id": "2026-11-21", "verdict": "rejected"} | moments)
    return made


def config_with(home, **values):
    return load_config(home, {f"tell.{key}": value for key, value in values.items()})


def test_the_textfile_is_numbers_that_others_may_read(home, tmp_path):
    config = config_with(home, textfile=str(tmp_path / "junior.prom"))
    path = write_textfile(config, status(config, NOW), NOW)
    lines = dict(line.rsplit(" ", 1) for line in path.read_text().splitlines())
    assert lines["junior_messages"] == "1"
    assert lines['junior_last_night{verdict="rejected"}'] == "1"
    assert lines['junior_last_night{verdict="released"}'] == "0"
    assert path.stat().st_mode & 0o777 == 0o644 and "okapi" not in path.read_text()


def test_without_a_textfile_or_urls_nothing_is_told(home):
    config = load_config(home)
    assert write_textfile(config, status(config, NOW), NOW) is None
    assert tell_night(config, "2026-11-21", "failed", "why") is False


@pytest.mark.parametrize("values", [{"on": ("fine",)}, {"textfile": "numbers.txt"}])
def test_values_that_cannot_be_are_named(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        TellConfig(**values)


@pytest.mark.skipif(find_spec("apprise") is not None, reason="apprise is installed")
def test_without_apprise_it_says_what_to_install(home):
    with pytest.raises(UserError, match=r"pip install 'junior\[notify\]'"):
        tell_night(config_with(home, urls=["json://localhost"]), "2026-11-21", "failed", "why")


@pytest.mark.skipif(find_spec("apprise") is None, reason="apprise is not installed")
def test_a_refused_night_is_told_and_an_unchanged_one_is_not(home):
    heard = []

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self):
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            return None

    server = HTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = config_with(home, urls=[f"json://127.0.0.1:{server.server_port}"])
    assert tell_night(config, "2026-11-21", "rejected", "Not released: too shy.")
    assert not tell_night(config, "2026-11-22", "unchanged", "")
    server.shutdown()
    assert [one["title"] for one in heard] == ["Junior: 2026-11-21 rejected"]
    assert heard[0]["message"] == "Not released: too shy."
