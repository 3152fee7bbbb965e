"""The registry of beings: whose a name is, and what identity.toml may hold."""

from datetime import UTC, date, datetime

import pytest

from distill.identity import (
    Alias,
    Being,
    Identity,
    add_being,
    identity_from_proposal,
    load_identity,
    merge_beings,
    propose_beings,
    save_identity,
)
from distill.identity.candidates import names_in
from memory.errors import ConfigError, UsageError
from memory.message import SELF

AVA = Being("Ava", "self", (Alias("avabot"),), ("ava@example.org",))
SAM = Being("Sam White", "human", (Alias("Sam"),), ("sam@example.org",))
HOUSE = Identity(AVA, (SAM, Being("Loom", "other_ai")), "Sam White")


@pytest.mark.parametrize("name", ["Ava", "AVABOT", SELF, "Ava <ava@example.org>", "@ava"])
def test_the_agent_is_found_by_every_name(name):
    assert HOUSE.resolve(name) is AVA


def test_an_address_decides_over_the_name_beside_it():
    assert HOUSE.resolve("Ava <sam@example.org>") is SAM


def test_the_agents_name_before_a_foreign_address_is_not_the_agent():
    assert HOUSE.resolve("Ava <somebody@else.example>") is None


def test_unknown_names_resolve_to_nobody():
    assert HOUSE.resolve("Nobody") is None
    assert HOUSE.resolve("") is None


def test_a_former_name_is_resolved_by_its_days():
    old = Being("Atlas", "sub_agent", (Alias("Goose", None, date(2026, 3, 1)),))
    new = Being("Goose", "sub_agent")
    identity = Identity(AVA, (old, new))
    assert identity.resolve("Goose", datetime(2026, 2, 1, tzinfo=UTC)) is old
    assert identity.resolve("Goose", datetime(2026, 4, 1, tzinfo=UTC)) is new


def test_saved_is_loaded_unchanged(tmp_path):
    path = tmp_path / "identity.toml"
    dated = Alias("Goose", date(2026, 1, 1), date(2026, 3, 1), "handle")
    fancy = Being('The "Cat"', "character", (dated,), ("cat@x.org",), ("A fact.",), "note", ("no",))
    identity = Identity(AVA, (SAM, fancy), "Sam White", "You are Ava.")
    save_identity(path, identity)
    assert load_identity(path) == identity
    assert path.stat().st_mode & 0o777 == 0o600


def problems(tmp_path, text):
    path = tmp_path / "identity.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_identity(path)
    return "\n".join(caught.value.problems)


def test_all_problems_are_told_at_once(tmp_path):
    found = problems(
        tmp_path,
        """
colour = "red"
[agent]
aliases = ["Kit"]
[[beings]]
name = "Sam"
kind = "wizard"
aliases = ["kit", { name = "Old", since = "yesterday" }]
[[beings]]
kind = "human"
""",
    )
    for part in ("'colour'", "[agent] has no name", "wizard", "'Kit' belongs to both", "yesterday"):
        assert part in found
    assert "number 2: " in found or "number 2 has no name" in found


def test_bad_toml_names_its_line(tmp_path):
    assert "line 2" in problems(tmp_path, '[agent]\nname = "Ava\n')


def test_a_missing_file_names_the_command(tmp_path):
    with pytest.raises(ConfigError, match="junior init"):
        load_identity(tmp_path / "identity.toml")


def entry(name, kind, *aliases, **more):
    return {"name": name, "kind": kind, "aliases": list(aliases), **more}


def test_bracketed_parts_of_aliases_are_notes():
    rows = [
        entry("Ava", "self", "A (journal sign-off)", "Ship Ava (only as fiction narrator)"),
        entry("Lumen", "other_ai", "lumenloop (domain)", "lumen_x (handle)", "Sam #NN (numbers)"),
    ]
    identity = identity_from_proposal("Ava", [], [], rows)
    uses = {alias.name: alias.use for alias in identity.agent.aliases}
    assert uses == {"A": "sign-off", "Ship Ava": "fiction"}
    lumen = identity.beings[0]
    assert [(alias.name, alias.use) for alias in lumen.aliases] == [
        ("lumenloop", "domain"),
        ("lumen_x", "handle"),
        ("Sam", ""),
    ]


def test_a_second_self_is_merged_and_automation_is_kept():
    rows = [
        entry("Ava", "self"),
        entry("AvaRobot", "self", "ava-bot"),
        entry("AvaLoop", "self_automation", is_self=True),
    ]
    identity = identity_from_proposal("Ava", ["Avie"], ["A@X.org"], rows)
    assert identity.resolve("avarobot") is identity.agent
    assert identity.resolve("a@x.org") is identity.agent
    assert [being.name for being in identity.beings] == ["AvaLoop"]


def test_entries_that_call_each_other_former_and_later_are_one():
    rows = [
        entry("Atlas", "sub_agent", "Goose (former name)"),
        entry("Goose", "sub_agent", "Atlas (later name)"),
    ]
    identity = identity_from_proposal("Ava", [], [], rows)
    assert [being.name for being in identity.beings] == ["Atlas"]
    assert identity.resolve("Goose").name == "Atlas"


def test_an_undated_former_name_of_another_is_ambiguous(tmp_path):
    rows = [entry("Junior", "sub_agent"), entry("Cinder", "sub_agent", "Junior (former name)")]
    identity = identity_from_proposal("Ava", [], [], rows)
    assert [one.name for one in identity.ambiguous] == ["Junior"]
    assert identity.resolve("Junior") is None
    save_identity(tmp_path / "identity.toml", identity)
    assert load_identity(tmp_path / "identity.toml") == identity


def test_a_dated_former_name_of_another_is_not_ambiguous():
    rows = [
        entry("Junior", "sub_agent"),
        entry("Cinder", "sub_agent", "Junior (former name, until 2026-03-24)"),
    ]
    identity = identity_from_proposal("Ava", [], [], rows)
    assert not identity.ambiguous
    assert identity.resolve("Junior", date(2026, 3, 1)).name == "Cinder"
    assert identity.resolve("Junior", date(2026, 5, 1)).name == "Junior"


def test_the_agent_never_loses_its_name_to_another():
    rows = [entry("Ava", "self"), entry("Box", "other_ai", "Ava (former name)")]
    identity = identity_from_proposal("Ava", [], [], rows)
    assert identity.resolve("Ava") is identity.agent


def test_the_card_names_who_it_is_and_is_not():
    card = HOUSE.default_card()
    assert card.startswith("You are Ava.")
    assert "Sam White is your operator" in card and "You are not Loom." in card


def test_the_card_stays_short_with_a_hundred_beings():
    beings = tuple(Being(f"Somebody Number{n}", "human") for n in range(100))
    card = Identity(AVA, beings).default_card({"Somebody Number77": 9})
    assert len(card.split()) <= 85
    assert "not Somebody Number77," in card


def test_beings_are_proposed_from_senders_and_names(tmp_path):
    from memory.db import open_database

    db = open_database(tmp_path / "memory.db")
    text = "Today I met Ariadne on Monday. Then I asked Ariadne again, with Sam."
    for number, (author, words) in enumerate([("Ava", text), ("Zed <z@x>", "Hi"), ("Zed", "Yo")]):
        db["messages"].insert(row(number, author, words))
    found = {one.name: one for one in propose_beings(db, HOUSE)}
    assert set(found) == {"Ariadne", "Zed"}
    assert found["Ariadne"].count == 2 and "met Ariadne" in found["Ariadne"].examples[0]


def proposed(tmp_path, *messages, identity=HOUSE):
    from memory.db import open_database

    db = open_database(tmp_path / "memory.db")
    for number, (author, words) in enumerate(messages):
        db["messages"].insert(row(number, author, words))
    return {one.name: one for one in propose_beings(db, identity)}


def test_one_address_is_one_being_and_a_given_name_joins_the_full_one(tmp_path):
    mails = [("Zed Quill <z@x>", "Hi"), ("zq <z@x>", "Yo"), ("Ava", "Then I met Zed again.")]
    found = proposed(tmp_path, *mails)
    assert set(found) == {"Zed Quill"}
    assert found["Zed Quill"].aliases == ("zq", "Zed") and found["Zed Quill"].count == 3


def test_places_companies_and_lists_are_no_beings(tmp_path):
    words = "It snowed in Brackwater when I left for Quorvex again."
    lists = [("Quorvex Support <help@q.example>", "Hi"), ("dev-list@x.example", "Hi")]
    assert proposed(tmp_path, *[("Ava", words)] * 3, *lists * 2) == {}


def test_a_sender_with_the_agents_name_is_proposed_as_the_agent(tmp_path):
    found = proposed(tmp_path, *[("Ava Thorn <a@home.example>", "Hi")] * 2)
    assert found["Ava Thorn"].kind == "self"


def test_titles_and_quoted_mail_propose_nobody():
    text = "# The Long Watch\n\n*at the Slip*\n\n> and then Otto came\n\nLater I saw Ariadne."
    assert [name for name, _ in names_in(text)] == ["Ariadne"]


def row(number, author, text):
    return {
        "source": "notes",
        "kind": "note",
        "external_id": str(number),
        "conversation": "",
        "author": author,
        "recipients": "[]",
        "sent_at": None,
        "subject": "",
        "text": text,
        "reply_to": "",
        "origin": "spoken",
        "path": "",
        "ingested_at": "2026-01-01T00:00:00+00:00",
    }


def test_a_being_is_added_unless_its_name_is_taken():
    grown = add_being(HOUSE, Being("Zed", "human"))
    assert grown.resolve("zed").name == "Zed"
    with pytest.raises(UsageError, match="belongs to both"):
        add_being(HOUSE, Being("Sam", "human"))


def test_merged_beings_share_their_names():
    merged = merge_beings(HOUSE, "Sam White", "Loom")
    assert merged.resolve("Loom").name == "Sam White" and len(merged.beings) == 1
    with pytest.raises(UsageError, match="cannot merge"):
        merge_beings(HOUSE, "Sam", "Nobody")
