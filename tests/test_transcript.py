"""Transcripts become what each speaker said in one piece. Made-up talks."""

import json
from pathlib import Path

import pytest
from fixtures import count, fixture_folder, records_of


def read(path, text):
    path.write_text(text)
    return records_of("transcript", path)


def said(records):
    return [(one.author, one.text) for one in records]


def test_cues_of_one_speaker_are_one_message(tmp_path):
    cues = ["Mira: Hello.", "Mira: Are you there?", "Tolo: Yes.\nMira: Good.", "Note: a list."]
    text = "\n\n".join(
        f"{n}\n00:00:0{n},000 --> 00:00:0{n},900\n{cue}" for n, cue in enumerate(cues, 1)
    )
    records = read(tmp_path / "call.srt", text)
    assert said(records) == [("Mira", "Hello.\nAre you there?"), ("Tolo", "Yes."),
                             ("Mira", "Good."), ("speaker", "Note: a list.")]  # fmt: skip
    assert records[1].reply_to == records[0].external_id == "call.srt#00001"


def test_voices_of_vtt_are_speakers_and_marks_are_no_words(tmp_path):
    text = ("WEBVTT - Call\n\nNOTE made up\n\nSTYLE\n::cue { color: red }\n\n"
            "a\n00:01.000 --> 00:02.000 align:start\n<v.loud Mira Ost>It <i>rains</i> &amp; snows\n"
            "\n00:02.000 --> 00:03.000\n<v Tolo Brandt>So it does</v>\n")  # fmt: skip
    assert said(read(tmp_path / "c.vtt", text)) == [
        ("Mira Ost", "It rains & snows"), ("Tolo Brandt", "So it does")]  # fmt: skip


def test_a_long_pause_begins_another_message(tmp_path):
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\none\n\n05:00.000 --> 05:01.000\ntwo\n"
    assert said(read(tmp_path / "c.vtt", text)) == [("speaker", "one"), ("speaker", "two")]


def test_rolling_captions_are_not_said_twice(tmp_path):
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\nyeah\n\n00:02.000 --> 00:03.000\nyeah\nwhat\n"
    assert said(read(tmp_path / "c.vtt", text)) == [("speaker", "yeah\nwhat")]


@pytest.mark.parametrize(
    "text",
    ["Speaker 1 00:00:01\nHello.\n\nSpeaker 2 00:00:09\nHi.\nThanks.\n",
     "[00:00:01] Speaker 1: Hello.\n[00:00:09] Speaker 2: Hi.\nThanks.\n",
     "00:00:01 Speaker 1\nHello.\n00:00:09 Speaker 2\nHi.\nThanks.\n",
     "Weekly call\n2026-03-01\n\nSpeaker 1 (0:01):\nHello.\nSpeaker 2 (0:09):\nHi.\nThanks.\n",
     "Speaker 1: Hello.\nSpeaker 2: Hi.\nThanks.\n"],
)  # fmt: skip
def test_the_text_of_a_recorder_is_read_by_speaker(tmp_path, text):
    records = read(tmp_path / "2026-03-01 call.txt", text)
    assert said(records) == [("Speaker 1", "Hello."), ("Speaker 2", "Hi.\nThanks.")]
    assert records[0].sent_at.date().isoformat() == "2026-03-01"


@pytest.mark.parametrize("heading", ["## AI Summary", "Summary:", "智能总结", "**Action items**"])
def test_a_summary_was_written_by_a_machine(tmp_path, heading):
    text = f"{heading}\nThey spoke of rain.\n\nTranscript\nSpeaker 1 00:00:01\nIt rains.\n"
    speech, summary = read(tmp_path / "call.txt", text)
    assert (speech.author, speech.origin, speech.text) == ("Speaker 1", "spoken", "It rains.")
    assert (summary.origin, summary.kind) == ("generated", "document")
    assert "They spoke of rain." in summary.text


def test_a_time_that_cannot_be_read_is_a_reject_with_its_line(tmp_path):
    text = "WEBVTT\n\n00:01.000 --> 00:0x.000\nlost\n\n00:03.000 --> 00:04.000\nkept\n"
    broken, kept = read(tmp_path / "c.vtt", text)
    assert (broken.where, kept.text) == ("line 3", "kept")


def test_text_without_speakers_is_one_message_by_nobody(tmp_path):
    (message,) = read(tmp_path / "memo.txt", "It rains again.\n\nI shall stay in.\n")
    assert (message.author, message.text) == ("speaker", "It rains again.\nI shall stay in.")


def test_the_samples_give_their_counts():
    found = count(records_of("transcript", fixture_folder("transcripts")))
    assert (found["rejects"], found["empty file"], found["no speech in the file"]) == (2, 1, 6)
    assert found["messages"] >= 25


@pytest.mark.parametrize(
    "text",
    [
        "# Talk\n\n**Mira:** It rains.\n\n**Tolo:** It does.\n",
        "**Mira** (00:03): It rains.\n\n**Tolo** (00:10): It does.\n",
        "Mira (0:03): It rains.\nTolo (0:10): It does.\n",
    ],
)
def test_names_in_bold_or_before_a_time_in_brackets_are_speakers(tmp_path, text):
    assert said(read(tmp_path / "t.md", text))[-2:] == [("Mira", "It rains."), ("Tolo", "It does.")]


def test_names_in_brackets_are_speakers_and_sounds_are_not(tmp_path):
    cues = ["[SPEAKER_00] It rains.", "[music]", "[SPEAKER_01] It does."]
    times = (f"{n}\n00:00:0{n},000 --> 00:00:0{n},900\n{cue}\n" for n, cue in enumerate(cues, 1))
    found = said(read(tmp_path / "t.srt", "\n".join(times)))
    assert ("SPEAKER_00", "It rains.") in found and ("SPEAKER_01", "It does.") in found


RECORDERS = json.loads((Path(__file__).parent / "data/transcripts.json").read_text("utf-8"))


@pytest.mark.parametrize("name", RECORDERS)
def test_who_said_what_in_the_files_of_many_recorders(tmp_path, name):
    """The same made-up talk of two, as 44 programs write it."""
    records = read(tmp_path / name, RECORDERS[name])
    first, second = (one for one in records if one.origin == "spoken")
    assert " ".join(first.text.split()) == "Hello there everyone."
    assert second.text == "I think it rains." and len({first.author, second.author, "speaker"}) == 3


def test_a_clock_in_brackets_is_not_always_a_speakers(tmp_path):
    (message,) = read(tmp_path / "a.txt", "We met (10:30) at the harbour.\nIt rained.\n")
    assert message.author == "speaker" and "We met (10:30)" in message.text
