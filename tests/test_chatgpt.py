"""ChatGPT's export is read along the branch last shown; logs by their roles. Made-up talks."""

import json
import zipfile

import pytest
from fixtures import count, fixture_folder, records_of

from memory.db import open_database
from memory.ingest import SourceConfig, ingest_source
from memory.message import SELF, Message


def node(name, parent, role, text, **more):
    content = {"content_type": "text", "parts": [text]}
    message = {"id": name, "author": {"role": role}, "create_time": 1772355600.0,
               "content": content, "recipient": "all"}  # fmt: skip
    return {"id": name, "parent": parent, "children": [], "message": message | more}


def conversation(*nodes, current=None):
    root = {"id": "root", "parent": None, "message": None}
    mapping = {"root": root} | {one["id"]: one for one in nodes}
    return {"title": "Rain", "conversation_id": "c1", "create_time": 1772355600.0,
            "mapping": mapping, "current_node": current}  # fmt: skip


EDITED = conversation(
    node("a", "root", "user", "Will it rain?"),
    node("b", "a", "assistant", "No."),
    node("c", "a", "assistant", "Yes, at noon."),
    current="c",
)


def read(path, *values, wrap=list):
    path.write_text(json.dumps(wrap(values)))
    return records_of("chatgpt", path)


def test_the_branch_last_shown_is_read(tmp_path):
    user, answer, other = read(tmp_path / "conversations.json", EDITED)
    assert (user.author, user.text, user.reply_to) == (SELF, "Will it rain?", "")
    assert (answer.author, answer.text) == ("ChatGPT", "Yes, at noon.")
    assert (answer.external_id, answer.reply_to) == ("c1/c", "c1/a")
    assert other.reason == "message of another branch"


def test_without_a_current_node_the_newest_leaf_is_shown(tmp_path):
    nodes = [node("a", "root", "user", "Hm?"), node("b", "a", "assistant", "Old."),
             node("c", "a", "assistant", "New.", create_time=1772355700.0)]  # fmt: skip
    records = read(tmp_path / "conversations.json", conversation(*nodes))
    assert [m.text for m in records if isinstance(m, Message)] == ["Hm?", "New."]


def test_tools_thinking_and_hidden_messages_are_skipped_by_reason(tmp_path):
    thoughts = {"content_type": "thoughts", "thoughts": []}
    nodes = [
        node("a", "root", "system", "Be brief."),
        node("b", "a", "user", "about me", content={"content_type": "user_editable_context"}),
        node("c", "b", "user", "What is 2+2?"),
        node("d", "c", "assistant", "", content=thoughts),
        node("e", "d", "assistant", "2+2", recipient="python"),
        node("f", "e", "tool", "4"),
        node("g", "f", "assistant", "Four."),
    ]
    records = read(tmp_path / "conversations.json", conversation(*nodes, current="g"))
    assert count(records) == {"messages": 2, "system message": 1, "settings": 1, "thinking": 1,
                              "tool call": 1, "tool result": 1}  # fmt: skip


def test_pictures_have_no_words_but_speech_has(tmp_path):
    parts = [{"content_type": "image_asset_pointer"}, "Look.",
             {"content_type": "audio_transcription", "text": "A cloud."}]  # fmt: skip
    content = {"content_type": "multimodal_text", "parts": parts}
    message, _ = [
        *read(tmp_path / "c.json", conversation(node("a", "root", "user", "", content=content))),
        None,
    ]
    assert message.text == "Look.\n\nA cloud."


def test_shards_in_a_zip_are_read_where_they_lie(tmp_path):
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        for number in range(3):
            one = EDITED | {"conversation_id": f"c{number}"}
            archive.writestr(f"conversations-00{number}.json", json.dumps([one]))
        archive.writestr("user.json", json.dumps({"id": "u"}))
        archive.writestr("chat.html", "<html>")
    records = records_of("chatgpt", tmp_path)
    assert count(records)["messages"] == 6
    assert records[0].path == "export.zip/conversations-000.json"


def test_a_circle_of_parents_ends(tmp_path):
    records = read(tmp_path / "c.json", conversation(node("a", "b", "user", "x"),
                   node("b", "a", "assistant", "y"), current="a"))  # fmt: skip
    assert count(records) == {"messages": 2}


def test_a_log_says_roles_and_a_growing_one_is_stored_once(tmp_path):
    turns = [{"role": "system", "content": "Be Pell."}, {"role": "user", "content": "Rain?"},
             {"role": "assistant", "content": [{"type": "text", "text": "Yes."}]}]  # fmt: skip
    longer = [*turns, {"role": "user", "content": "Sure?"}]
    lines = [json.dumps({"messages": turns}), "{broken", json.dumps({"messages": longer})]
    (tmp_path / "log.jsonl").write_text("\n".join(lines))
    db = open_database(tmp_path / "memory.db")
    counts = ingest_source(db, SourceConfig("chatgpt", str(tmp_path / "log.jsonl")))
    assert (counts.messages, counts.duplicates, counts.rejects) == (3, 2, 1)
    assert [row["author"] for row in db["messages"].rows] == ["user", "assistant", "user"]


def test_the_answer_beside_a_logged_request_is_read(tmp_path):
    request = {"model": "m", "messages": [{"role": "user", "content": "Rain?"}]}
    response = {"choices": [{"message": {"role": "assistant", "content": "Yes."}}]}
    value = {"request": request, "response": response, "timestamp": "2026-03-01T09:00:00Z"}
    one, two = read(tmp_path / "log.json", value)
    assert (one.text, two.text, two.reply_to) == ("Rain?", "Yes.", one.external_id)


def test_an_export_cut_short_keeps_what_came_before(tmp_path):
    text = json.dumps([EDITED, EDITED | {"conversation_id": "c2"}])
    (tmp_path / "conversations.json").write_text(text[:-40])
    found = count(records_of("chatgpt", tmp_path))
    assert (found["messages"], found["rejects"]) == (2, 1)


def test_the_samples_give_their_counts():
    found = count(records_of("chatgpt", fixture_folder("chatgpt")))
    assert found == {"messages": 10, "message of another branch": 1, "system message": 1,
                     "conversation without messages": 1}  # fmt: skip


TURNS = [{"role": "user", "content": "Rain?"}, {"role": "assistant", "content": "Yes."}]
CODEX = [
    {"type": "session_meta", "payload": {"id": "s1"}},
    *({"type": "response_item", "timestamp": "2026-03-01T09:00:00Z",
       "payload": {"type": "message", "role": one["role"],
                   "content": [{"type": "input_text", "text": one["content"]}]}}
      for one in TURNS),
    {"type": "event_msg", "payload": {"type": "agent_message", "message": "Yes."}},
]  # fmt: skip
LOGS = {
    "turns.json": json.dumps(TURNS),
    "turns.jsonl": "\n".join(map(json.dumps, TURNS)),
    "sharegpt.json": json.dumps(
        [{"id": "1", "conversations": [{"from": "human", "value": "Rain?"},
                                       {"from": "gpt", "value": "Yes."}]}]),
    "ollama.jsonl": json.dumps({"model": "x", "prompt": "Rain?", "response": "Yes."}),
    "responses.jsonl": json.dumps({"input": "Rain?", "output": [TURNS[1] | {"type": "message"}]}),
    "openwebui.json": json.dumps([{"id": "x", "chat": {"messages": TURNS}}]),
    "rollout.jsonl": "\n".join(map(json.dumps, CODEX)),
    "langchain.json": json.dumps([{"type": "human", "data": {"content": "Rain?"}},
                                  {"type": "ai", "data": {"content": "Yes."}}]),
    "gemini.json": json.dumps({"sessionId": "s", "messages": [
        {"type": "user", "content": "Rain?"}, {"type": "gemini", "content": "Yes."}]}),
    "grok.json": json.dumps({"conversations": [{"conversation": {"id": "c"}, "responses": [
        {"response": {"sender": "human", "message": "Rain?"}},
        {"response": {"sender": "ASSISTANT", "message": "Yes."}}]}]}),
    "copilot.json": json.dumps({"sessionId": "s", "requests": [
        {"message": {"text": "Rain?"}, "response": [{"value": "Yes"}, {"value": "."}]}]}),
    "librechat.json": json.dumps({"conversationId": "c", "messages": [
        {"sender": "User", "isCreatedByUser": True, "text": "Rain?"},
        {"sender": "GPT", "isCreatedByUser": False, "text": "Yes."}]}),
    "cline.json": json.dumps([{"role": "user", "content": [{"text": "<task>\nRain?\n</task>"},
        {"text": "<environment_details>\nx\n</environment_details>"}]}, TURNS[1]]),
    "lmstudio.json": json.dumps({"messages": [
        {"currentlySelected": 0, "versions": [{"role": "user", "content": [{"text": "Rain?"}]}]},
        {"currentlySelected": 1, "versions": [
            {"role": "assistant", "steps": [{"content": [{"text": "No."}]}]},
            {"role": "assistant", "steps": [{"content": [{"text": "Yes."}]}]}]}]}),
}  # fmt: skip


@pytest.mark.parametrize("name", LOGS)
def test_logs_of_every_shape_say_who_said_what(tmp_path, name):
    (tmp_path / name).write_text(LOGS[name])
    found = [one for one in records_of("chatgpt", tmp_path) if isinstance(one, Message)]
    assert [(m.author, m.text) for m in found] == [("user", "Rain?"), ("assistant", "Yes.")]
    assert found[1].reply_to == found[0].external_id
    assert found[0].conversation == found[1].conversation


def test_marks_of_citations_are_no_words(tmp_path):
    said = node(
        "a", "root", "assistant", "Rain\ue200cite\ue202turn0search1\ue201 at noon【4†source】."
    )
    (message,) = read(tmp_path / "conversations.json", conversation(said))
    assert message.text == "Rain at noon."


def test_conversations_within_one_huge_object_are_read_one_by_one(tmp_path):
    notes = ["x" * 1000] * 34_000
    (tmp_path / "c.json").write_text(json.dumps({"notes": notes, "conversations": [EDITED]}))
    assert count(records_of("chatgpt", tmp_path))["messages"] == 2


def test_deepseeks_export_is_read_without_what_it_thought(tmp_path):
    nodes = {"root": {"message": None, "parent": None}} | {
        name: {"parent": parent, "message": {"inserted_at": "2026-03-01T09:00:00+08:00",
               "fragments": [{"type": kind, "content": text} for kind, text in parts]}}
        for name, parent, parts in (
            ("1", "root", [("REQUEST", "Rain?")]),
            ("2", "1", [("THINK", "Hm."), ("RESPONSE", "Yes.")]),
        )
    }  # fmt: skip
    talk = {"id": "c", "title": "Rain", "inserted_at": "2026-03-01T09:00:00", "mapping": nodes}
    user, answer = read(tmp_path / "conversations.json", talk)
    assert (user.author, user.text, answer.author, answer.text) == (
        SELF, "Rain?", "DeepSeek", "Yes.")  # fmt: skip
    assert user.sent_at.isoformat() == "2026-03-01T01:00:00+00:00"
