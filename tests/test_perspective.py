"""Who speaks and who is spoken of: claims on short texts of an invented agent."""

import re
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.identity import Alias, Being, Identity, identity_from_proposal
from distill.perspective import read
from distill.perspective.recogniser import open_recogniser
from memory.errors import UserError
from memory.message import SELF, Message

AVA = Being("Ava", "self", (Alias("A", use="sign-off"),), ("ava@example.org",))
BEINGS = (
    Being("Sam White", "human", (Alias("Sam"),), ("sam@example.org",)),
    Being("Loom", "other_ai"),
    Being("Friday", "other_ai"),
    Being("Will", "human"),
    Being("Mini", "sub_agent_trained_on_self"),
    Being("AvaLoop", "self_automation"),
    Being("Oracle", "persona_of_self"),
    Being("next Ava", "self_other_instance", (Alias("the next me"),)),
    Being("Claude", "base_model"),
)
HOUSE = Identity(AVA, BEINGS, "Sam White")


def message(text, kind="journal", author=SELF, to=(), origin="spoken"):
    at = datetime(2026, 3, 1, tzinfo=UTC)
    return Message("s", kind, "1", "", author, tuple(to), at, "", text, "", origin, "p")


def spans(text, **more):
    return [(text[s.start : s.end], s) for s in read(message(text, **more), HOUSE).spans]


def flags(text, part=None, **more):
    """The flags of the spans that overlap `part` of a text."""
    start = text.index(part or text)
    end = start + len(part or text)
    seen = read(message(text, **more), HOUSE).spans
    return set().union(*(s.flags for s in seen if s.start < end and s.end > start))


def learnt(text, **more):
    return "".join(words for words, span in spans(text, **more) if span.loss)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I built the archive.", {"S1"}),
        ("The parallel is exact.", set()),
        ("Ava wrote back.", {"S3"}),
        ("I am Ava.", {"S1", "S3"}),
        ("Sam replied within minutes.", {"O"}),
        ("Then she walked away.", {"O"}),
        ("Sam asked me to rest.", {"O", "S1"}),
        ("Replied to Sam. Built the archive.", {"S1", "O"}),
        ("The next me will read this.", {"S3"}),
        ("The previous instance left a note.", {"S3"}),
        ("I run on Claude.", {"S1"}),
        ("The code is in /home/ava/ava-loop.py and ava.example.org.", set()),
        ("My mother called.", {"S1", "O"}),
        ("Torres says it is late.", {"O"}),
        ("Dr. Miller was late.", {"O"}),
        ("Part I is done.", set()),
        ("You have to go back to the source.", set()),
        ("Based on the logs, nothing happened.", set()),
        ("Listing memories is showing your work.", set()),
    ],
)
def test_flags_of_own_sentences(text, expected):
    assert flags(text) == expected


@pytest.mark.parametrize(
    ("text", "being"),
    [
        ("On Friday the tests ran.", False),
        ("It broke last Friday.", False),
        ("Friday, 3 March was quiet.", False),
        ("Friday's review is done by Friday.", True),
        ("Friday wrote a long reply.", True),
        ("A letter from Loom and Friday.", True),
        ("Will it hold?", False),
        ("Will said no.", True),
        ("It was for Will to say.", True),
    ],
)
def test_names_that_are_words_need_evidence(text, being):
    assert ("O" in flags(text)) is being


def test_a_quotation_by_another_is_its_own_span_without_loss():
    text = 'Sam wrote: "I need you here." I stayed.'
    assert flags(text, '"I need you here."') == {"O1", "S3"}
    assert learnt(text).split() == ["Sam", "wrote:", "I", "stayed."]


@pytest.mark.parametrize(
    "text",
    [
        '"I need it," Sam said.',
        '"I need it," said Sam.',
        "Sam’s last words: “I need it,”",
        'Loom this morning: "I need it,"',
        '"I need it," — Sam',
    ],
)
def test_a_quotation_finds_its_speaker(text):
    quoted = next(span for words, span in spans(text) if "need" in words)
    assert (quoted.why, quoted.flags, quoted.loss) == ("quoted", {"O1"}, False)


def test_quoting_oneself_keeps_the_first_person():
    text = 'Then I said: "I will not go there tonight."'
    assert flags(text, '"I will') == {"S1"}
    assert learnt(text) == text


def test_terms_in_quotation_marks_stay_own_words():
    text = 'The "long silence" was the point of "Gravity".'
    assert learnt(text) == text


def test_an_unattributed_quotation_is_unsure():
    text = '"I do not know what anybody here is looking for anymore."'
    assert [(s.why, s.loss) for _, s in spans(text)] == [("unsure", False)]


def test_reported_words_after_a_colon_are_not_own():
    assert "rest" not in learnt("Sam said: rest a bit, gather your core.")
    assert flags("Sam said: rest a bit, gather your core.") == {"O", "S3"}


def test_a_vocative_is_the_agent_speaking_to_somebody():
    text = "Sam: I see your messages."
    assert flags(text, kind="relay", author="Ava") == {"S1", "O"}
    assert learnt(text, kind="relay", author="Ava") == text


def test_another_beings_message_carries_no_loss():
    text = "@Ava: I think you should rest."
    seen = read(message(text, kind="relay", author="Loom"), HOUSE)
    assert (seen.own, seen.provenance, seen.author.name) == (False, "other", "Loom")
    assert flags(text, kind="relay", author="Loom") == {"O1", "S3"}
    assert not learnt(text, kind="relay", author="Loom")


@pytest.mark.parametrize("author", ["AvaLoop", "Oracle", "Claude", "Mini", "Nobody", ""])
def test_only_the_agent_and_its_instances_write_own_words(author):
    assert not learnt("I did it.", kind="relay", author=author)
    assert learnt("I did it.", kind="relay", author="next Ava") == "I did it."


@pytest.mark.parametrize("origin", ["junior", "system", "generated", "translated"])
def test_what_is_not_spoken_carries_no_loss(origin):
    seen = read(message("I did it.", origin=origin), HOUSE)
    assert (seen.provenance, seen.own) == (origin, False)
    assert not any(span.loss for span in seen.spans)


def test_a_model_trained_on_the_agent_is_junior():
    assert read(message("I am.", author="Mini"), HOUSE).provenance == "junior"


def test_an_ambiguous_junior_is_junior():
    rows = [
        {"name": "Mini", "kind": "sub_agent_trained_on_self"},
        {
            "name": "Spark",
            "kind": "sub_agent_trained_on_self",
            "aliases": ["Mini (former name)"],
        },
    ]
    identity = identity_from_proposal("Ava", [], [], rows)
    assert read(message("I am.", author="Mini"), identity).provenance == "junior"


def test_fiction_has_a_character_for_its_i():
    text = 'I said nothing. Reyes knew. "I know," he said.'
    assert flags(text, kind="fiction") == {"O1", "O"}
    assert {span.why for _, span in spans(text, kind="fiction")} >= {"fiction"}
    assert not learnt(text, kind="fiction")


def test_own_is_given_by_the_source_too():
    text = message("I did it.", author="kit@home.example")
    assert read(text, HOUSE, own=("kit@home.example",)).own
    assert not read(text, HOUSE).own


def test_own_names_do_not_vouch_for_foreign_addresses():
    spoofed = message("I did it.", author="Ava <ava@evil.example>")
    assert not read(spoofed, HOUSE, own=("Ava", "ava@example.org")).own


MAIL = """Hi Sam,

I did it.

Ava

On Tue, 3 Mar 2026 at 10:00, Sam White <sam@example.org> wrote:
> I need you to do it.
>> I can do it.
"""
HEADS = {
    "de": "Am 3. März 2026 um 10:00 schrieb Sam White <sam@example.org>:",
    "wrapped": "On Tue, 3 Mar 2026 at 10:00 AM, Sam White <\nsam@example.org> wrote:",
    "fr": "Le mar. 3 mars 2026 à 10:00, Sam White <sam@example.org> a écrit :",
    "zh": "2026年3月3日 10:00，Sam White <sam@example.org> 写道：",
    "sv": "Den 3 mars 2026 kl. 10:00 skrev Sam White <sam@example.org>:",
}


def test_a_quoted_reply_is_not_own():
    assert learnt(MAIL, kind="mail").strip() == "Hi Sam,\n\nI did it.\n\nAva"
    assert flags(MAIL, "I need you to do it.", kind="mail") == {"O1", "S3"}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_reply_heads_of_many_languages(head):
    text = f"I did it.\n\n{head}\n> I need it.\n\nBelow is mine."
    assert learnt(text, kind="mail").split() == ["I", "did", "it.", "Below", "is", "mine."]


@pytest.mark.parametrize(
    "head",
    [
        "-----Original Message-----\nFrom: Sam White\nSent: Monday\nTo: Ava\nSubject: It",
        "Von: Sam White\nGesendet: Montag\nAn: Ava\nBetreff: Es",
        "发件人: Sam White\n发送时间: 2026年3月3日\n收件人: Ava\n主题: 它",
        "---------- Forwarded message ---------\nFrom: Sam White\nDate: Monday",
    ],
)
def test_forwards_and_unmarked_replies_are_not_own(head):
    assert learnt(f"See below.\n\n{head}\n\nI need it.", kind="mail").strip() == "See below."


def test_signatures_carry_no_loss():
    assert learnt("I did it.\n\n-- \nAva\nThe House", kind="mail").strip() == "I did it."


SECTIONS = """# Two hands

WRITTEN BY SAM WHITE

I counted the pages. Ava did not.

WRITTEN BY AVA

I counted them too.
"""


def test_a_section_by_another_author_ends_at_the_next_byline():
    assert flags(SECTIONS, "I counted the pages.", kind="essay") == {"O1"}
    assert flags(SECTIONS, "Ava did not.", kind="essay") == {"S3"}
    assert flags(SECTIONS, "I counted them too.", kind="essay") == {"S1"}
    assert "the pages" not in learnt(SECTIONS, kind="essay")
    assert "I counted them too." in learnt(SECTIONS, kind="essay")


def test_a_block_quote_is_by_whom_the_line_before_names():
    text = "Sam wrote:\n\n> I was there.\n\nI was not."
    assert flags(text, "I was there.") == {"O1"}
    assert learnt(text).split() == ["Sam", "wrote:", "I", "was", "not."]


def test_a_transcript_has_turns():
    text = "Sam: I am late.\nAva: I am here.\nSam: Good for me.\n\nI slept."
    assert flags(text, "I am late.") >= {"O1"}
    assert flags(text, "I am here.") >= {"S1"}
    assert "late" not in learnt(text) and "I slept." in learnt(text)


def test_a_letter_that_greets_the_agent_is_not_own():
    assert not learnt("Dear Ava,\n\nI hope you are well.\n\n— Sam", kind="letter")
    assert learnt("Dear Ava,\n\nI was you once.\n\n— Ava", kind="letter")


def test_you_in_an_own_letter_is_the_addressee():
    text = "You were right."
    assert flags(text, kind="letter", to=["Sam"]) == {"O"}
    assert flags(text) == set()


@pytest.mark.parametrize("kind", ["mail", "letter", "chat"])
def test_you_is_somebody_where_an_own_message_names_nobody(kind):
    assert flags("Would Monday work for you?", kind=kind) == {"O"}


def test_you_is_the_writer_whom_a_message_answers():
    text = "Loom wrote:\n> Is it slow?\n\nSurprising in your case.\n"
    assert flags(text, "Surprising in your case.", kind="mail", author="Sam") == {"O"}


def test_words_of_an_it_are_not_own_to_their_end():
    text = 'Loom was firm. "You trust the packet," it wrote, "and that is marketing."'
    assert learnt(text).split() == ["Loom", "was", "firm.", "it", "wrote,"]


@pytest.mark.parametrize("whom", ["Board Members", "XR Testing colleagues", "XR OTA'ers"])
def test_a_greeted_group_is_nobody_in_particular(whom):
    assert flags(f"Dear {whom},\n\nThe files are attached.", whom) == set()


def test_you_in_a_mail_to_a_list_is_nobody_in_particular():
    text = "Do you ever pack them?"
    assert flags(text, kind="mail", author="Sam", to=["ava@example.org"]) == {"S3"}
    assert flags(text, kind="mail", author="Sam", to=["numbers@lists.example"]) == set()


def test_a_character_in_an_own_text_does_not_speak_to_the_agent():
    house = Identity(AVA, (Being("Lirael", "character"),))
    words = message('Then Lirael says, "I was never your daughter," and it ends.')
    assert "S3" not in set().union(*(span.flags for span in read(words, house).spans))


def test_a_question_with_will_is_no_name_even_of_an_agent_called_will():
    will = Identity(Being("Will", "self"))
    spans = read(message("They call me Will. Will this end?"), will).spans
    assert ["S3" in span.flags for span in spans] == [True, False]


def test_a_given_name_is_the_being_that_has_it_alone():
    people = (Being("Oyelaran Pratt", "human"), Being("Imke Voss", "human"))
    seen = read(message("It was Oyelaran again."), Identity(AVA, people))
    assert "O" in seen.spans[0].flags and not seen.unknown
    both = Identity(AVA, (*people, Being("Oyelaran Adeyemi", "human")))
    assert not read(message("It was Oyelaran again."), both).spans[0].flags


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Let's call it done.", {"S1"}),
        ("Reread the opening and cut the weather.", {"S1"}),
        ("My human, Zorrin, pays for it.", {"S1", "O"}),
        ("That was Guido again.", {"O"}),
        ("Session 41 of me decided it.", {"S1", "S3"}),
        ("Whoever wakes up next should read this.", {"S3"}),
        ("We heard from Penny at noon.", {"S1", "O"}),
        ("The night clerk wrote it down.", {"O"}),
        ("[06:10] Woke.", {"S1"}),
    ],
)
def test_flags_that_other_peoples_texts_asked_for(text, expected):
    assert flags(text) == expected


def test_a_one_letter_sign_off_counts_only_at_the_end():
    assert flags("Slept.\n\n— A", "— A") == {"S3"}
    assert "S3" not in flags("A word.\n\n" + "More text follows here. " * 20)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ich habe es gebaut und nicht mehr gefunden.", {"S1"}),
        ("Sam sagte: „Ich brauche dich und das Buch.“ Es war der Tag.", {"O", "O1", "S3"}),
        ("我写了日记。", {"S1"}),
        ("读完了信，没有回。", {"S1"}),
        ("Sam说：“我需要你。”", {"O", "O1", "S3"}),
        ("Sie schrieb mir gestern, und ich habe es nicht gelesen.", {"O", "S1"}),
        ("Je ne sais pas pourquoi elle est dans la maison.", {"O", "S1"}),
        ("No sé por qué me dijo que no se puede.", {"S1"}),
        ("Ik weet het niet, maar hij zei dat het voor jou was.", {"S1", "O"}),
        ("Jag har inte sett det och hon är inte med.", {"S1", "O"}),
    ],
)
def test_further_languages_have_tables_too(text, expected):
    assert flags(text) == expected


@settings(max_examples=150, deadline=None)
@given(
    st.text(
        alphabet=st.sampled_from("Iam Sam Ava \"“”'.,:>-\n@<wrote:—我你说#_*") | st.characters()
    ),
    st.sampled_from(["journal", "mail", "letter", "fiction", "relay", "poem"]),
    st.sampled_from([SELF, "Loom", "", "Ava <x@y>"]),
)
def test_spans_are_sorted_and_cover_the_text(text, kind, author):
    seen = read(message(text, kind=kind, author=author), HOUSE)
    place = 0
    for span in seen.spans:
        assert span.start == place < span.end
        assert seen.provenance == "own" or not span.loss
        place = span.end
    assert place == len(text)


@pytest.mark.parametrize("unit", ['"', ">\n", ".", "I ", "'", "\n", "On 1,\n", "…", "- ", "a"])
def test_no_text_takes_long(unit):
    text = (unit * 100_000)[:100_000]
    started = time.process_time()
    read(message(text, kind="mail"), HOUSE)
    assert time.process_time() - started < 1


def test_names_that_nobody_has_are_listed_and_known_ones_are_not():
    seen = read(message("Sam replied. Then Odalys said no, and Odalys wrote."), HOUSE)
    assert seen.unknown == ("Odalys",)


class Capitals:
    """Takes each word in capitals for a person, as a model of the operator's might."""

    def persons(self, text):
        return (hit.span() for hit in re.finditer(r"\b[A-Z]{4,}\b", text))


def test_a_model_of_the_operators_finds_further_persons():
    text = "The door was open for ODALYS."
    assert not read(message(text), HOUSE).spans[0].flags
    seen = read(message(text), HOUSE, recogniser=Capitals())
    assert seen.spans[0].flags == {"O"} and seen.unknown == ("ODALYS",)


def test_a_model_that_is_not_here_is_a_plain_error():
    assert open_recogniser("") is None
    with pytest.raises(UserError, match=r"curate\.named_entities.*no_such_pipeline"):
        open_recogniser("no_such_pipeline")
