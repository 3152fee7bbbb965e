"""Outlook's files are read mail by mail, and a damaged one ends in a reject. Made-up items."""

from types import SimpleNamespace

import pytest
from fixtures import count, fixture_folder, records_of

from memory.sources.pst import _head, rtf_to_text


def test_the_samples_give_their_mails():
    records = records_of("pst", fixture_folder("pst"))
    assert count(records) == {"messages": 11}
    first = records[0]
    assert first.author.startswith("Jörn Kottmann <")
    assert first.subject == "Re: Feature Generators"
    assert first.sent_at.isoformat() == "2014-02-26T07:50:04+00:00"
    assert all(one.text and one.sent_at and one.author for one in records)


@pytest.mark.parametrize("keep", [4, 600, 50_000])
def test_a_file_cut_short_is_no_crash(tmp_path, keep):
    (sample,) = fixture_folder("pst").glob("*/testPST.pst")
    (tmp_path / "cut.pst").write_bytes(sample.read_bytes()[:keep])
    (tmp_path / "other.pst").write_text("no mail")
    found = count(records_of("pst", tmp_path))
    assert found["not a PST file"] == 1
    assert found.total() >= 2


def test_an_item_without_a_head_gets_one_of_what_outlook_kept():
    silent = SimpleNamespace(get_transport_headers=lambda: None, get_sender_name=lambda: "Mira Ost",
                             get_subject=lambda: "\x01\x05Re: Rain", get_delivery_time=lambda: None,
                             get_client_submit_time=lambda: None)  # fmt: skip
    assert _head(silent, {}) == 'From: "Mira Ost"\nSubject: Re: Rain'


def test_rich_text_is_words():
    head = r"{\rtf1\ansi{\fonttbl{\f0 Arial;}}{\*\generator x;}\f0 "
    rtf = head + r"Gr\'fc\'dfe \u8364?\par\b it {rains}\}}"
    assert rtf_to_text(rtf) == "Grüße €\nit rains}"
