"""Claims about the command line: documents, exit codes and plain words, on real homes."""

import functools
import io
import json
import stat
import sys

import pytest
import typer.main

from agent.cli import _home_first, app
from agent.juniors import Junior, converse
from tests import homes
from tests.homes import ROOT, here, small_home

document = functools.partial(homes.document, run=here)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    made = small_home(tmp_path_factory.mktemp("cli"), journals=6)
    assert here(made, "ingest").returncode == 0
    return made


def test_home_may_stand_anywhere_but_after_two_dashes():
    assert _home_first(["status", "--home", "x"]) == ["--home", "x", "status"]
    assert _home_first(["log", "--", "--home", "x"]) == ["log", "--", "--home", "x"]


def test_every_record_is_accounted_for_and_twice_adds_nothing(home):
    for counts in document(home, "ingest")["sources"].values():
        kept = sum(counts[k] for k in ("messages", "updated", "duplicates", "rejects"))
        assert counts["read"] == kept + sum(counts["skipped"].values())
        assert counts["messages"] == 0 and counts["duplicates"] > 0


def test_every_command_has_json_and_says_in_a_line_what_it_does():
    commands, without = typer.main.get_command(app).commands, []
    for name, command in commands.items():
        parts = getattr(command, "commands", {name: command})
        without += [part for part, c in parts.items() if not _has(c, "--json")]
        assert len(command.help.splitlines()[0]) <= 65, name  # what `junior --help` has room for
    assert sorted(without) == ["mcp", "run"]


def _has(command, flag):
    return any(flag in parameter.opts for parameter in command.params)


def test_what_the_agent_logs_is_found_and_the_same_key_is_one_message(home):
    first = document(home, "log", "note", "A heron on the slip, unlogged.", "--key", "k1")
    again = document(home, "log", "note", "A heron on the slip, unlogged.", "--key", "k1")
    assert first["duplicate"] is False and again == first | {"duplicate": True}
    hits = document(home, "search", "heron unlogged")["hits"]
    assert [hit["id"] for hit in hits] == [first["id"]]


def test_inspect_says_who_speaks_and_stores_nothing(home):
    before = document(home, "status")["messages"]
    mail = ROOT / "demo" / "life" / "mail" / "cur" / "0003.carrow:2,S"
    (message,) = document(home, "inspect", str(mail), "--source", "eml")["messages"]
    learnt = "".join(message["text"][s["start"] : s["end"]] for s in message["spans"] if s["loss"])
    assert message["own"] and "Still, it holds." in learnt and "I am Orrin" not in learnt
    assert document(home, "status")["messages"] == before


def test_everything_a_home_holds_is_private(home):
    for path in (home, *home.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_config_says_where_values_come_from(home):
    values = document(home, "config", JUNIOR_SCHEDULE_AT="04:10")["config"]
    assert values["schedule.at"] == {"value": "04:10", "origin": "environment JUNIOR_SCHEDULE_AT"}
    assert values["base.name"]["origin"] == "file"


class Parrot:
    """A runner that says backwards what was said last."""

    def stream(self, messages, **_):
        yield from messages[-1]["content"][::-1]


def test_a_conversation_has_four_commands(capsys, monkeypatch):
    typed = "Who?\n/again\n/card\n/nonsense\n\n/quit\nnever\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    converse(Junior("2026-11-20", "You are Tern.", Parrot(), 0.7))
    said = capsys.readouterr().out
    assert said.count("?ohW") == 2 and "You are Tern." in said and "/nonsense is no command" in said
    assert "reven" not in said


def test_a_pause_without_an_end_is_no_date(home):
    assert here(home, "pause").stdout == "paused until `junior unpause`\n"
    said = here(home, "status").stdout
    assert "9999" not in said and said.endswith("Paused until `junior unpause`.\n")
    assert here(home, "unpause").returncode == 0


def test_pause_and_unpause(home):
    assert document(home, "pause", "--until", "2999-01-01")["paused_until"] > "2998"
    assert document(home, "status")["why"] == "paused"
    document(home, "unpause")
    assert document(home, "status")["why"] != "paused"


def test_a_dry_run_says_what_a_night_by_hand_would_do_or_lack(home):
    night = document(home, "night", "--dry-run", JUNIOR_SCHEDULE_MIN_FREE_GB="0")
    assert night["verdict"] is None and "would run on tiny" in night["reason"]
    lacking = here(home, "night", "--dry-run", "--base", "nobody/nothing")
    assert lacking.returncode == 1 and "junior base fetch" in lacking.stderr


def test_if_due_with_nothing_due_is_no_failure(home):
    night = document(home, "night", "--if-due")
    assert night["verdict"] is None and night["reason"]


@pytest.mark.parametrize(
    "arguments, code, words",
    [
        (["import", "pigeon", "x"], 2, "unknown source kind 'pigeon'"),
        (["import", "journals", "/no/such/folder"], 1, "/no/such/folder"),
        (["inspect", "/no/such/file"], 1, "no such file"),
        (["night", "--stage", "dream"], 2, "unknown stage 'dream'"),
        (["rollback"], 3, "nothing is released yet"),
        (["report"], 1, "no report yet"),
        (["trace", "2020-01-01", "3"], 1, "no night '2020-01-01'"),
        (["pause", "--until", "soon"], 2, "not a date: 'soon'"),
        (["log", "sonnet", "text"], 2, "sonnet"),
        (["beings", "add"], 2, "takes 1 name"),
        (["beings", "add", "X", "--kind", "nonsense"], 2, "unknown kind 'nonsense'"),
        (["init", "--yes", "--name", "Again"], 2, "this home is set up"),
        (["pause", "--until", "2020-01-01"], 2, "that time is past"),
        (["export", "--output", "/no/such/folder/x"], 2, "in a folder that is there"),
        (["nights", "--limit", "0"], 2, "--limit"),
        (["frobnicate"], 2, "frobnicate"),
    ],
)
def test_mistakes_are_met_with_a_sentence_and_a_code(home, arguments, code, words):
    done = here(home, *arguments)
    assert done.returncode == code and words in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_process_ends_with_the_same_code_and_sentence(home):
    done = homes.junior(home, "rollback")
    assert done.returncode == 3 and done.stderr.startswith("junior: nothing is released yet")
    assert homes.junior(home, "ingest").returncode == 0


def test_errors_are_documents_too(home):
    done = here(home, "trace", "2020-01-01", "3", "--json")
    assert "no night" in json.loads(done.stdout)["error"] and done.returncode == 1
    wrong = here(home, "trace", "--json")
    assert "night" in json.loads(wrong.stdout)["error"] and wrong.returncode == 2


def test_lists_with_nothing_in_them_say_so(home):
    for command in ("nights", "generations", "search zyzzyva"):
        done = here(home, *command.split())
        assert done.returncode == 0 and len(done.stdout.splitlines()) == 1
    binary = here(home, "inspect", sys.executable)
    assert binary.stdout.startswith("no message") and "not a text file" in binary.stderr


def test_init_asks_again_what_is_no_answer(tmp_path):
    typed = [
        "",
        "Tern",
        "T, Ternling",
        "",
        "journals",
        f"journals={tmp_path}",
        "tiny",
        "25",
        "04:00",
    ]
    done = here(tmp_path / "home", "init", typed="\n".join(typed) + "\n")
    assert done.returncode == 0 and "KIND=PATH" in done.stderr and "HH:MM" in done.stderr
    values = document(tmp_path / "home", "config")["config"]
    assert (values["base.name"]["value"], values["schedule.at"]["value"]) == ("tiny", "04:00")
    beings = document(tmp_path / "home", "beings", "show")["beings"]
    assert beings[0]["name"] == "Tern" and beings[0]["aliases"] == ["T", "Ternling"]


def test_init_given_up_leaves_nothing(tmp_path):
    done = here(tmp_path / "home", "init", typed="Tern\n")
    assert done.returncode == 1 and not (tmp_path / "home").exists()


def test_a_home_that_is_not_there_is_said(tmp_path):
    for command in ("status", "ingest", "search x", "doctor", "nights", "chat --prompt x"):
        done = here(tmp_path / "none", *command.split())
        assert done.returncode == 1 and "junior init" in done.stdout + done.stderr
    assert not (tmp_path / "none").exists()


def test_a_config_with_three_mistakes_lists_all_three(tmp_path):
    (tmp_path / "config.toml").write_text('[schedule]\nat = "x"\nfoo = 1\n[nonsense]\n')
    done = here(tmp_path, "status")
    assert done.returncode == 2 and done.stderr.count("\n  - ") == 3


def test_beings_are_proposed_added_and_merged(tmp_path):
    home = small_home(tmp_path, journals=6)
    here(home, "ingest")
    document(home, "beings", "add", "Marigold", "--kind", "character")
    shown = document(home, "beings", "show")["beings"]
    assert {"Pell", "Vesper", "Marigold"} <= {being["name"] for being in shown}
    merged = document(home, "beings", "merge", "Marigold", "Vesper")["beings"]
    vesper = next(being for being in merged if being["name"] == "Vesper")
    assert "Marigold" in vesper["aliases"]
    assert isinstance(document(home, "beings")["beings"], list)
