"""The bytes of a mail are read in the charset its sender meant, not the one it wrote."""

import base64

import pytest

from memory.sources.charsets import decode, encoding_of, unflow
from memory.sources.mail import read_mail

# (charset as senders write it, Python's name of what they send, words)
CHARSETS = """
iso-8859-1 iso-8859-1 Grüße
iso-8859-15 iso-8859-15 Grüße_€
windows-1252 windows-1252 Grüße_–_€
utf-8 utf-8 Grüße_公园
utf-7 utf-7 Grüße
us-ascii us-ascii hello
iso-8859-2 iso-8859-2 Dešť
windows-1250 windows-1250 Déšť_–_ž
iso-8859-5 iso-8859-5 дождь
koi8-r koi8-r дождь
koi8-u koi8-u дощ_і_їжа
windows-1251 windows-1251 дождь
cp866 cp866 дождь
x-mac-cyrillic mac_cyrillic дождь
iso-8859-7 iso-8859-7 βροχή
windows-1253 windows-1253 βροχή
iso-8859-8 iso-8859-8 גשם
iso-8859-8-i iso-8859-8 גשם
windows-1255 windows-1255 גשם
iso-8859-6 iso-8859-6 مطر
windows-1256 windows-1256 مطر
iso-8859-9 iso-8859-9 yağmur
windows-1254 windows-1254 yağmur
iso-8859-4 iso-8859-4 lietus_ā
windows-1257 windows-1257 lietus_ā
iso-8859-13 iso-8859-13 lietus_ā
iso-8859-10 iso-8859-10 regn_å
iso-8859-14 iso-8859-14 glaw_ŵ
iso-8859-16 iso-8859-16 ploaie_ș
windows-1258 windows-1258 Viêt_Nam
tis-620 tis_620 ฝน
windows-874 cp874 ฝน
iso-8859-11 iso-8859-11 ฝน
gb2312 gb2312 下雨
gbk gbk 下雨嘅
gb18030 gb18030 下雨㐀
hz-gb-2312 hz 下雨
big5 big5 下雨
big5-hkscs big5hkscs 下雨嘅
iso-2022-jp iso-2022-jp 雨が降る
shift_jis cp932 雨が①
windows-31j cp932 雨が①
euc-jp euc-jp 雨が降る
cp932 cp932 雨①
euc-kr euc-kr 비가_온다
ks_c_5601-1987 cp949 비가_온다
cp949 cp949 비가_똠
iso-2022-kr iso-2022-kr 비가_온다
x-mac-roman mac_roman Grüße
macintosh macintosh Grüße
x-windows-949 cp949 비가_똠
x-gbk gbk 下雨
x-sjis cp932 雨が
x-euc-jp euc_jp 雨
windows-932 cp932 雨①
cp-1252 cp1252 Grüße
win-1251 cp1251 дождь
cp1251 cp1251 дождь
ansi_x3.4-1968 ansi_x3.4-1968 hello
iso_8859-1 iso_8859-1 Grüße
iso8859_1 iso8859_1 Grüße
latin1 latin1 Grüße
l1 l1 Grüße
unicode-1-1-utf-8 utf-8 Grüße
utf8 utf8 Grüße
UTF8MB4 utf-8 Grüße
utf-16 utf-16 Grüße
utf-16le utf-16-le Grüße
cp437 cp437 Grüße
ibm850 ibm850 Grüße
cp852 cp852 déšť
iso-ir-100 latin-1 Grüße
chinesebig5 big5 下雨
gb_2312-80 gb2312 下雨
x-big5 big5 下雨
big-5 big5 下雨
ms_kanji cp932 雨
csisolatin1 csisolatin1 Grüße
csshiftjis cp932 雨
cseuckr euc_kr 비
ksc5601 euc_kr 비
korean euc_kr 비
x-mac-japanese cp932 雨
unknown-8bit cp1252 Grüße
x-unknown cp1252 Grüße
default cp1252 Grüße
_autodetect cp1252 Grüße
8bit cp1252 Grüße
iso-8859-1;format=flowed cp1252 Grüße
windows-1252http-equivcontent-type cp1252 Grüße
dos-862 cp862 גשם
logical iso-8859-8 גשם
visual iso-8859-8 גשם
asmo-708 iso-8859-6 مطر
dos-720 cp720 مطر
x-mac-turkish mac_turkish yağmur
x-mac-ce mac_latin2 déšť
x-mac-greek mac_greek βροχή
ptcp154 ptcp154 дождь
iso-2022-jp-2 iso-2022-jp-2 雨
iso-2022-jp-ms iso-2022-jp 雨
cp50220 iso-2022-jp 雨が降る
cp51932 euc_jp 雨
eucjpms euc_jp 雨
gb2312_charset gb2312 下雨
euc-cn gb2312 下雨
"""
SENT = [tuple(line.split()) for line in CHARSETS.strip().splitlines()]


def read(data, kind="text/plain"):
    head = f"From: pell@example.org\nMIME-Version: 1.0\nContent-Type: {kind}\n"
    encoded = f"{head}Content-Transfer-Encoding: base64\n\n".encode() + base64.b64encode(data)
    return read_mail(encoded, "a.eml").text


@pytest.mark.parametrize(("charset", "encoding", "words"), SENT)
def test_words_in_the_charsets_of_the_world(charset, encoding, words):
    assert read(words.encode(encoding), f"text/plain; charset={charset}").strip("\ufeff") == words


BROKEN = [("iso-2022-jp", b"\x1b$B\x2d\x21\x31\x2b\x1b(B", "雨"),
          ("gb2312", "下雨".encode("gbk") + b"\xff", "下雨"),
          ("big5", "下雨".encode("big5") + b"\xf9", "下雨"),
          ("shift_jis", "雨が".encode("cp932") + b"\xfc\xfc", "雨が"),
          ("euc-kr", "비가".encode("euc_kr") + b"\xff", "비가")]  # fmt: skip


@pytest.mark.parametrize(("charset", "data", "words"), BROKEN)
def test_a_broken_letter_does_not_cost_the_others(charset, data, words):
    assert words in decode(data, encoding_of(charset))


@pytest.mark.parametrize("head", ['<meta http-equiv="Content-Type" content="text/html; '
                                  'charset=gb2312">', "<meta charset=gbk>"])  # fmt: skip
def test_a_page_says_its_charset_where_the_mail_does_not(head):
    page = f"<html><head>{head}</head><body>下雨</body></html>".encode("gbk")
    assert read(page, "text/html").strip() == "下雨"


def test_a_flowed_text_is_the_paragraphs_it_was_written_as():
    text = "It rained \nall night.\n\n> Did \n> it?\n-- \nPell"
    assert unflow(text, False) == "It rained all night.\n\n> Did it?\n-- \nPell"
    assert unflow("雨が \n降る", True) == "雨が降る"
    assert unflow(" > no quotation", False) == "> no quotation"
