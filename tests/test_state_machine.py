"""The life of a home in any order: deliver, tick, crash, restart, roll back, forget, prune."""

import contextlib
import shutil
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from agent.backup import find_damage
from agent.config import load_config
from agent.forget import forget
from distill import release
from distill.identity import save_identity
from distill.ollama import Ollama
from memory.db import open_database
from memory.errors import JuniorError
from memory.ingest import log_message
from tests.curating import IDENTITY
from tests.fake_ollama import FakeOllama
from tests.release_house import CARD, CONFIG, Base
from tests.tiny_gguf import make_night

pytestmark = pytest.mark.slow

FIRST = datetime(2026, 11, 1, 4, tzinfo=UTC)
CALLS = ("upload_blob", "create", "show", "render", "chat", "tags", "copy", "delete")


class Crash(BaseException):
    """As if the process were gone: nothing of ours catches it."""


class Dying(Ollama):
    """A client whose process dies right before (or after) its n-th call to the server."""

    left = 10**6
    after = False

    def __getattribute__(self, name):
        found = super().__getattribute__(name)
        return self._dying(found) if name in CALLS else found

    def _dying(self, call):
        def called(*args, **told):
            self.left -= 1
            if self.left == 0 and not self.after:
                raise Crash
            found = call(*args, **told)
            if self.left == 0:
                raise Crash
            return found

        return called


class Home(RuleBasedStateMachine):
    """The model: what was acknowledged, which generation is current, what is forgotten."""

    @initialize()
    def begin(self):
        self.folder = Path(tempfile.mkdtemp())
        self.server = FakeOllama().__enter__()
        save_identity(self.folder / "identity.toml", IDENTITY)
        self.db = open_database(self.folder / "memory.db")
        self.said, self.forgotten, self.nights = {}, set(), 0
        self.current, self.maybe = None, None
        self.config = replace(CONFIG, keep=2)

    def teardown(self):
        if hasattr(self, "folder"):
            self.db.close()
            self.server.stop()
            shutil.rmtree(self.folder)

    def client(self, dies_at=10**6, after=False):
        client = Dying(self.server.url)
        client.left, client.after = dies_at, after
        return client

    @rule(key=st.integers(0, 5), text=st.sampled_from(["It rained.", "It snowed.", "The sun."]))
    def deliver(self, key, text):
        number, _ = log_message(
            self.db, "journal", text, key=str(key), author="Tern", now=FIRST,
        )  # fmt: skip
        if number not in self.forgotten:
            self.said[number] = text

    @rule(dies_at=st.one_of(st.just(10**6), st.integers(1, 30)), after=st.booleans())
    def tick(self, dies_at, after):
        """A night ends released; the process may die anywhere in its release."""
        self.nights += 1
        night = f"2026-11-{self.nights:02}"
        make_night(self.folder, night, seed=self.nights)
        told = {"base": Base(), "card": CARD, "config": self.config}
        told |= {"server": self.client(dies_at, after), "now": FIRST + timedelta(days=self.nights)}
        try:
            release.publish(self.db, self.folder, night, **told)
            self.current = night
        except Crash:
            self.restart()
            found = release.current_generation(self.db)
            assert (found.id if found else None) in (self.current, night)
            self.current = found.id if found else None

    @rule()
    def restart(self):
        self.db.close()
        self.db = open_database(self.folder / "memory.db")

    @precondition(lambda self: self.current)
    @rule(dies_at=st.one_of(st.just(10**6), st.integers(1, 8)))
    def roll_back(self, dies_at):
        try:
            told = {"server": self.client(dies_at), "config": self.config}
            self.current = release.rollback(self.db, self.folder, **told)["to"]
        except JuniorError:  # none before it
            return
        except Crash:
            self.restart()
            self.current = release.current_generation(self.db).id

    @precondition(lambda self: self.said)
    @rule(data=st.data())
    def forget(self, data):
        number = data.draw(st.sampled_from(sorted(self.said)))
        forget(load_config(self.folder), messages=[number], erase=True)
        self.said[number] = ""
        self.forgotten.add(number)

    @precondition(lambda self: self.current)
    @rule(dies_at=st.one_of(st.just(10**6), st.integers(1, 8)))
    def prune(self, dies_at):
        with contextlib.suppress(Crash, JuniorError):
            release.prune(self.db, self.folder, self.client(dies_at), self.config)
        self.restart()

    @invariant()
    def every_acknowledged_message_is_there_once(self):
        if hasattr(self, "db"):
            rows = dict(self.db.execute("select id, text from messages").fetchall())
            assert rows == self.said and find_damage(self.db) == ""

    @invariant()
    def after_one_tick_latest_is_current_and_the_kept_are_whole(self):
        if not getattr(self, "current", None):
            return
        release.repair(self.db, self.folder, self.client(), self.config)
        found = release.current_generation(self.db)
        assert found.id == self.current
        assert self.server.models["junior:latest"].digest == found.digest
        for generation in release.list_generations(self.db):
            release.generation_files(self.folder, generation)

    @invariant()
    def no_temporary_file_is_left(self):
        if hasattr(self, "folder"):
            assert not [path for path in self.folder.rglob("*.tmp")]


def test_in_any_order_nothing_is_lost_and_latest_is_current():
    quick = settings(
        max_examples=25, stateful_step_count=15, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    run_state_machine_as_test(Home, settings=quick)
