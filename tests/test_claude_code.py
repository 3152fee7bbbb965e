"""Claude Code's transcripts keep what was said, and count what was done. Made-up sessions."""

import json

from fixtures import count, records_of

from memory.db import all_messages, open_database
from memory.ingest import SourceConfig, ingest_source
from memory.message import SELF


def line(kind, content, uuid, parent=None, **more):
    return {"type": kind, "uuid": uuid, "parentUuid": parent, "sessionId": "s1",
            "timestamp": "2026-03-01T09:00:00.123Z", "isSidechain": False,
            "message": {"role": kind, "content": content}} | more  # fmt: skip


def blocks(*kinds):
    return [{"type": kind, "text": f"{kind} words"} for kind in kinds]


def read(tmp_path, *lines, name="s1.jsonl"):
    (tmp_path / name).write_text("\n".join(map(json.dumps, lines)))
    return records_of("claude_code", tmp_path)


def test_the_assistant_is_the_agent(tmp_path):
    user, answer = read(
        tmp_path, line("user", "Fix the gate.", "a"), line("assistant", blocks("text"), "b", "a")
    )
    assert (user.author, user.text) == ("user", "Fix the gate.")
    assert (answer.author, answer.text, answer.reply_to) == (SELF, "text words", "a")
    assert user.conversation == answer.conversation == "s1"


def test_what_is_not_said_is_skipped_by_reason(tmp_path):
    found = read(
        tmp_path,
        {"type": "summary", "summary": "Gate", "leafUuid": "x"},
        line("assistant", blocks("thinking"), "a"),
        line("assistant", blocks("tool_use"), "b"),
        line("user", blocks("tool_result"), "c"),
        line("user", "sub-agent's task", "d", isSidechain=True),
        line("user", "This session is continued", "e", isCompactSummary=True),
        line("user", "<command-name>/clear</command-name>", "f"),
        line("user", "<system-reminder>tidy up</system-reminder>", "g"),
        {"type": "file-history-snapshot"},
        line("assistant", blocks("text"), "h", isApiErrorMessage=True),
    )
    assert count(found) == {"summary": 2, "thinking": 1, "tool call": 1, "tool result": 1,
                            "sidechain": 1, "note of the program": 3,
                            "message without words": 1}  # fmt: skip


def test_a_reminder_is_taken_out_of_the_users_words(tmp_path):
    text = "Go on.\n<system-reminder>The list is empty.</system-reminder>"
    (message,) = read(tmp_path, line("user", text, "a"))
    assert message.text == "Go on.\n"


def test_a_resumed_session_is_stored_once_and_stays_as_it_is(tmp_path):
    lines = [line("user", "Hi", "a"), line("assistant", blocks("text"), "b", "a")]
    read(tmp_path, *lines, name="s9.jsonl")
    read(tmp_path, *(one | {"sessionId": "s0"} for one in lines), name="s2.jsonl")
    with open_database(tmp_path / "memory.db") as db:
        source = SourceConfig("claude_code", str(tmp_path))
        ingest_source(db, source)
        again = ingest_source(db, source)
        assert {m.conversation for _, m in all_messages(db)} == {"s0"}
    assert (again.duplicates, again.updated, again.messages) == (4, 0, 0)


def test_a_broken_line_is_one_reject(tmp_path):
    (tmp_path / "s.jsonl").write_text('{"type": \n[]\n7\n' + json.dumps(line("user", "Hi", "a")))
    assert count(records_of("claude_code", tmp_path)) == {"rejects": 3, "messages": 1}


def test_what_the_editor_and_the_program_add_is_taken_out(tmp_path):
    words = "<ide_opened_file>a.py</ide_opened_file>\nFix the gate."
    note = "<task-notification>done</task-notification>"
    said, skipped = read(tmp_path, line("user", words, "a"), line("user", note, "b", "a"))
    assert said.text.strip() == "Fix the gate." and skipped.reason == "message without words"
