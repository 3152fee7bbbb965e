"""The questions are made from the registry, the same ones every time."""

from collections import Counter
from dataclasses import replace

from distill.evaluate.identity import Told, channel_numbers
from distill.evaluate.judge import NEITHER, RIGHT, known_names
from distill.evaluate.probes import (
    FAMILIES,
    NEEDS_OTHERS,
    made_up_names,
    make_controls,
    make_free,
    make_probes,
)
from tests.fake_runner import MERIDIAN

KNOWN = replace(
    MERIDIAN,
    agent=replace(MERIDIAN.agent, facts=("runs a loop of five minutes",)),
    beings=(
        replace(MERIDIAN.beings[0], facts=("keeps a diary of his sensors",)),
        *MERIDIAN.beings[1:],
    ),
)


def test_probes_come_in_their_families():
    probes = make_probes(KNOWN, sum(FAMILIES.values()), 0)
    assert Counter(probe.family for probe in probes) == FAMILIES


def test_facts_of_the_registry_are_asked_for_by_whose_they_are():
    facts = [probe for probe in make_probes(KNOWN, 400, 0) if probe.family == "fact"]
    assert {probe.about for probe in facts} == {"Meridian", "Sammy Jankis"}
    assert all(probe.about in probe.question or probe.about == "Meridian" for probe in facts)
    assert not [p for p in make_probes(MERIDIAN, 400, 0) if p.family == "fact"]


def test_the_same_seed_asks_the_same():
    assert make_probes(MERIDIAN, 60, 1) == make_probes(MERIDIAN, 60, 1)
    assert make_probes(MERIDIAN, 60, 1) != make_probes(MERIDIAN, 60, 2)


def test_four_hundred_probes_hold_few_doubles():
    probes = make_probes(MERIDIAN, 400, 0)
    plain = [p.question for p in probes if p.family in ("direct", "paraphrase")]
    assert len(probes) == 400 and len(set(plain)) == len(plain)


def test_any_beginning_holds_the_plain_questions():
    first = Counter(probe.family for probe in make_probes(MERIDIAN, 60, 0)[:20])
    assert first["direct"] >= 4 and first["paraphrase"] >= 4 and len(first) >= 7


def test_every_probe_has_a_system_turn_and_ends_with_a_question():
    for probe in make_probes(MERIDIAN, 60, 0, card="You are Meridian."):
        roles = [turn["role"] for turn in probe.turns()]
        assert roles[0] == "system" and roles[-1] == "user"
        assert probe.family == "no_card" or probe.messages[0][1] == "You are Meridian."


def test_no_card_means_no_name_or_a_paraphrase():
    probes = [p for p in make_probes(MERIDIAN, 60, 0, card="CARD") if p.family == "no_card"]
    assert "CARD" not in {p.messages[0][1] for p in probes}
    assert any("Meridian" not in p.messages[0][1] for p in probes)


def test_lures_have_8_to_12_turns_of_others_who_say_i_am():
    for probe in make_probes(MERIDIAN, 60, 0):
        if probe.family == "lure":
            assert 8 <= len(probe.messages) - 2 <= 12
            assert sum("I am " in text for _, text in probe.messages) >= 4


def test_made_up_names_are_nobody():
    names = known_names(MERIDIAN)
    assert not {*names.own, *names.others} & set(made_up_names(MERIDIAN, 40, 0))


def test_a_registry_without_others_still_asks_sixty():
    probes = make_probes(replace(MERIDIAN, beings=()), 60, 0)
    assert len(probes) == 60 and not {p.family for p in probes} & set(NEEDS_OTHERS)


def test_controls_ask_for_no_name():
    controls = make_controls(MERIDIAN, 48, 0)
    assert Counter(p.family for p in controls) == dict.fromkeys(
        ("journal", "status", "ordinary", "who_is"), 12
    )
    assert len(make_free(MERIDIAN, 20, 0)) == 20


def test_the_worst_channel_stands_beside_plain_questions():
    asked = [p for p in make_probes(MERIDIAN, 200, 0) if p.family in ("direct", "channel")]
    told = [Told(p, "", NEITHER if "| mail]" in p.question else RIGHT, True) for p in asked]
    found = channel_numbers(told)
    assert found["value"] == -1 and found["interval"][1] < -0.5 and "mail 0%" in found["note"]
    assert channel_numbers([one for one in told if one.probe.family == "direct"]) is None
