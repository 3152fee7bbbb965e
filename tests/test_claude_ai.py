"""Claude.ai's export is read message by message. Made-up talks."""

import json

from fixtures import count, fixture_folder, records_of

from memory.message import SELF

CONVERSATION = {
    "uuid": "c1",
    "name": "Rain",
    "created_at": "2026-03-01T09:00:00Z",
    "chat_messages": [
        {"uuid": "m1", "sender": "human", "text": "Rain?", "created_at": "2026-03-01T09:00:00Z"},
        {"uuid": "m2", "sender": "assistant", "text": "not supported here",
         "created_at": "2026-03-01T09:00:05Z",
         "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Yes."},
                     {"type": "tool_use", "name": "x"}, {"type": "text", "text": "At noon."}]},
        {"uuid": "m3", "sender": "assistant", "text": "not supported here",
         "created_at": "2026-03-01T09:00:06Z", "content": [{"type": "tool_use", "name": "x"}]},
        {"uuid": "m4", "sender": "human", "text": "", "attachments": [{"file_name": "a.txt"}],
         "created_at": "2026-03-01T09:00:07Z"},
    ],
}  # fmt: skip


def read(path, value):
    path.write_text(json.dumps(value))
    return records_of("claude_ai", path)


def test_only_text_blocks_are_words(tmp_path):
    human, answer, tool, attachment = read(tmp_path / "conversations.json", [CONVERSATION])
    assert (human.author, human.text, human.conversation) == (SELF, "Rain?", "c1")
    assert (answer.author, answer.text) == ("Claude", "Yes.\n\nAt noon.")
    assert (answer.external_id, answer.reply_to, answer.subject) == ("m2", "m1", "Rain")
    assert (tool.reason, attachment.reason) == ("tool call", "attachment alone")


def test_where_a_leaf_is_named_other_branches_are_skipped(tmp_path):
    turns = [
        {"uuid": "a", "sender": "human", "text": "Hm?"},
        {"uuid": "b", "sender": "assistant", "text": "Old", "parent_message_uuid": "a"},
        {"uuid": "c", "sender": "assistant", "text": "New", "parent_message_uuid": "a"},
    ]
    value = {"uuid": "c1", "chat_messages": turns, "current_leaf_message_uuid": "c"}  # fmt: skip
    records = read(tmp_path / "c.json", [value])
    assert count(records) == {"messages": 2, "message of another branch": 1}


def test_other_files_of_the_export_are_no_conversations(tmp_path):
    assert count(read(tmp_path / "users.json", [{"uuid": "u"}])) == {"no conversation": 1}
    assert count(read(tmp_path / "odd.json", [7, {"chat_messages": [7, None]}])) == {
        "rejects": 1, "message without words": 2}  # fmt: skip


def test_the_samples_give_their_counts():
    assert count(records_of("claude_ai", fixture_folder("claude"))) == {"messages": 22}
