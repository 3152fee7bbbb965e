"""Of a mail its writer's words are left: no heads, quotations, signatures, in sixty languages."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.replies import cases, clean_mails, judge, ours
from distill.perspective.replies import own_text, quoted_parts

DEFAULT = Path(__file__).parents[2] / "shared/fixtures"
QUOTED = "> Does it rain\n> over there?\n"
HEADS = [  # made-up people, as mail programs write them
    "On Wed, Nov 12, 2025 at 10:00 AM Ada Quill <ada@example.org> wrote:",
    "Am Mi., 12. Nov. 2025 um 10:00 Uhr schrieb Ada Quill <ada@example.org>:",
    "Le mer. 12 nov. 2025 à 10:00, Ada Quill <ada@example.org> a écrit :",
    "El mié, 12 nov 2025 a las 10:00, Ada Quill (<ada@example.org>) escribió:",
    "Il giorno mer 12 nov 2025 alle ore 10:00 Ada Quill <ada@example.org> ha scritto:",
    "Op wo 12 nov 2025 om 10:00 schreef Ada Quill <ada@example.org>:",
    "Em qua., 12 de nov. de 2025 às 10:00, Ada Quill <ada@example.org> escreveu:",
    "ср, 12 нояб. 2025 г. в 10:00, Ada Quill <ada@example.org>:",
    "Ada Quill <ada@example.org> 于2025年11月12日周三 10:00写道：",
    "Ada Quill <ada@example.org>, 12 Kas 2025 Çar, 10:00 tarihinde şunu yazdı:",
    "2025年11月12日(水) 10:00 Ada Quill <ada@example.org>:",
]
PLAIN_HEADS = [  # over words without a ">", as phones and web mail leave them
    "2025-11-12 10:12 GMT+01:00 Ada Quill <ada@example.org>:",
    "ср, 12 нояб. 2025 г. в 10:12, Ada Quill <ada@example.org>:",
    "2025年11月12日(水) 10:12 Ada Quill <ada@example.org>:",
    "Ada Quill schrieb am Mi., 12. Nov. 2025, 10:12:",
    "At 10:12 AM 11/12/2025, Ada Quill wrote:",
    "st 12. 11. 2025 v 10:12 odesílatel Ada Quill <ada@example.org> napsal:",
    "Vào Th 4, 12 thg 11, 2025 vào lúc 10:12 Ada Quill <ada@example.org> đã viết:",
    "---- On Wed, 12 Nov 2025 10:12:00 +0100 Ada <ada@example.org> wrote ----",
]


@pytest.mark.parametrize("head", PLAIN_HEADS)
def test_words_under_a_head_are_cut_without_marks_of_quotation(head):
    assert own_text(f"It does.\n\n{head}\nDoes it rain?\nYes: it does.\n").strip() == "It does."


@pytest.mark.parametrize("head", ["Quoting Ada:", "* Ada Quill [2025-11-12 10:12]:", "Ada said:"])
def test_a_short_head_counts_over_a_quotation_alone(head):
    assert own_text(f"It does.\n\n{head}\n> Rain?\n").strip() == "It does."
    assert "Ada" in own_text(f"It does.\n\n{head}\nRain.\n")


@pytest.mark.parametrize(
    "footer",
    [
        "-----------------------\nTo unsubscribe, e-mail: rain-unsubscribe@example.org",
        "You received this message because you are subscribed to rain.\nSee example.org",
        "Get Outlook for iOS<https://example.org/x>",
    ],
)
def test_what_lists_and_phones_put_below_is_cut(footer):
    assert own_text(f"It does.\n\n{footer}\n").strip() == "It does."


BLOCKS = [
    "From: Ada Quill\nSent: Wednesday\nTo: Bo\nSubject: Rain\n\nDoes it rain?",
    "Von: Ada Quill\nGesendet: Mittwoch\nAn: Bo\nBetreff: Regen\n\nRegnet es?",
    "De : Ada Quill\nRépondre à : x@example.org\nDate : hier\nÀ : Bo\nObjet : Pluie\n\nIl pleut ?",
    "发件人: Ada Quill\n发送时间: 2025年11月12日\n收件人: Bo\n主题: 雨\n\n下雨吗？",
    "От: Ada Quill\nДата: 12 ноября\nКому: Bo\nТема: Дождь\n\nИдёт дождь?",
    "差出人: Ada Quill\n送信日時: 11月12日\n宛先: Bo\n件名: 雨\n\n雨ですか",
    "Kimden: Ada Quill\nTarih: 12 Kasım\nKime: Bo\nKonu: Yağmur\n\nYağıyor mu?",
    "Ada Quill/North/Example@EXAMPLE\n11/12/2025 10:00 AM\nTo: Bo\ncc:\nSubject: Rain\n\nRain?",
    "-------- Forwarded by Ada Quill/North/Example on 11/12/2025 10:00 AM --------\n\nRain?",
    "Début du message réexpédié :\n\nIl pleut ?",
    "-------- Пересылаемое сообщение --------\n\nДождь?",
]


@pytest.mark.parametrize("head", HEADS)
def test_a_reply_is_left_alone_under_any_head(head):
    assert own_text(f"It does.\n\n{head}\n\n{QUOTED}").strip() == "It does."


@pytest.mark.parametrize("block", BLOCKS)
def test_what_a_block_of_heads_brings_is_cut(block):
    assert own_text(f"It does.\n\n{block}").strip() == "It does."


def test_answers_between_quoted_lines_stay():
    text = f"{HEADS[0]}\n> Rain?\n\nYes.\n\n> Wind?\n\nNo.\n"
    assert own_text(text).split() == ["Yes.", "No."]


def test_a_sign_off_stays_and_a_signature_goes():
    assert own_text("It does.\n\nWarmly,\nAda\n\n-- \nAda Quill, North").split()[-1] == "Ada"


HOSTILE = ["On ", "-", "\n", "> ", "- ", "x:\n", "From: a\n", "a/b 1/2/25 1:00\n", "To: a\ncc: b\n"]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_takes_long(text):
    start = time.perf_counter()
    own_text(text * (150_000 // len(text)))
    assert time.perf_counter() - start < 1


def test_the_cases_of_peers_are_cut_as_they_expect():
    folder = DEFAULT / "email_reply"
    if not folder.is_dir():
        pytest.skip("the fixtures are not here")
    verdicts = [judge(ours(text), row) for _, text, row in cases(folder)]
    assert sum(exact for exact, _ in verdicts) >= 40
    assert sum(leak for _, leak in verdicts) <= 1
    assert clean_mails(DEFAULT / "emails_sent")[1] == 0


@given(st.text(alphabet="On >:\n-ab@12", max_size=400))
def test_parts_lie_within_the_text(text):
    assert all(0 <= part.start <= part.end <= len(text) for part in quoted_parts(text, "mail"))


MADE_UP = json.loads((Path(__file__).parent / "data/reply_heads.json").read_text("utf-8"))
UNDER_HEADS = [  # (what stands over the quotation, the quotation)
    *((head, said) for head in MADE_UP["heads"].values() for said in (QUOTED, "Does it rain?\n")),
    *((block, "Does it rain?\n") for name in ("blocks", "forwards")
      for block in MADE_UP[name].values()),
]  # fmt: skip


def test_heads_of_sixty_languages_are_cut_with_what_stands_under_them():
    own = "I think so too.\n\nQuill"
    left = [head for head, said in UNDER_HEADS
            if own_text(f"{own}\n\n{head}\n\n{said}").strip() != own]  # fmt: skip
    assert len(UNDER_HEADS) > 280 and left == [MADE_UP["heads"][name] for name in
                                               ("horde", "horde-en")]  # fmt: skip


KEPT = (
    "Dear Pell,\n\n1. Za: the boat\n2. Do: the sails\n\nQuill",
    "No: I will not come.\nTo: think of it makes me sad.",
    "Из дома: всё хорошо.\nДо: встречи!",
    "Ready at 9:00, room 2026, where she spoke and nobody knew:\nthat was all.",
    "Da: ist sie wieder.\nA: und weiter.",
)


@pytest.mark.parametrize("text", KEPT)
def test_lines_with_colons_in_own_words_stay(text):
    assert own_text(text) == text


SHAPES = json.loads((Path(__file__).parent / "data/replies.json").read_text("utf-8"))


@pytest.mark.parametrize(("name", "text", "own"), SHAPES)
def test_what_phones_lawyers_lists_and_quoting_leave_of_a_made_up_mail(name, text, own):
    left, expected = ([line.strip() for line in one.splitlines() if line.strip()]
                      for one in (own_text(text), own))  # fmt: skip
    assert left == expected
