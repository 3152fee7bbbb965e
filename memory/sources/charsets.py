"""Decodes the bytes of a mail, whatever its charset claims to be."""

import codecs
import re
from functools import lru_cache

# What senders write, and what they mean: the larger set of those that share their first letters
MEANT = {
    "us-ascii": "utf-8", "ascii": "utf-8", "iso-8859-1": "cp1252", "latin-1": "cp1252",
    "latin1": "cp1252", "gb2312": "gb18030", "gbk": "gb18030", "ks-c-5601-1987": "cp949",
    "euc-kr": "cp949", "shift-jis": "cp932", "sjis": "cp932", "iso-8859-8-i": "iso-8859-8",
    "iso-8859-9": "cp1254", "tis-620": "cp874", "iso-8859-11": "cp874",
    "unicode-1-1-utf-7": "utf-7", "unicode-1-1-utf-8": "utf-8", "logical": "iso-8859-8",
    "visual": "iso-8859-8", "mac": "mac_roman", "mac-ce": "mac_latin2", "asmo-708": "iso-8859-6",
}  # fmt: skip
LIKE = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"(?:windows|win|cp|dos|ibm|oem)-?(\d{3,4})", r"cp\1"),
        (r"mac-(\w+)", r"mac_\1"),
        (r"iso-?8859-?(\d\d?)", r"iso8859-\1"),
        (r".*utf-?8", "utf-8"),
        (r".*(?:2022-?jp|5022\d)", "iso2022_jp_ext"),
        (r".*(?:euc-?jp|51932)", "euc_jp"),
        (r".*(?:jis|kanji|31j|japanese)", "cp932"),
        (r".*(?:euc-?kr|ksc?-?5601|ks-?c-?5601|korean)", "cp949"),
        (r".*hk", "big5hkscs"),
        (r".*big-?5", "cp950"),
        (r".*(?:gb-?2312|gbk|gb18030|euc-?cn)", "gb18030"),
    )
)
MANY_BYTES = ("gb18030", "gb2312", "gbk", "hz", "big5", "big5hkscs", "cp950", "cp932", "shift_jis",
              "euc_jp", "cp949", "euc_kr")  # fmt: skip
ESCAPES = re.compile(rb"\x1b\$[@B]|\x1b\$\([CD]")  # of ISO-2022-JP, which is 7 bits wide
TOLD = re.compile(
    rb"<meta\b[^>]{0,200}charset\s*=\s*[\"']?([\w-]{2,40})|<\?xml[^>]{0,100}encoding=[\"']([\w-]{2,40})",
    re.IGNORECASE,
)
LONGEST_HEAD = 4096


@lru_cache(1024)
def encoding_of(charset: str | None) -> str:
    """Python's name of what a charset parameter means; "utf-8" for what nobody knows."""
    bare = re.split(r"[;,\s]", (charset or "utf-8").strip("\"' \t").lower(), maxsplit=1)[0]
    name = bare.replace("_", "-").removeprefix("cs").removeprefix("x-").strip("-")
    if meant := MEANT.get(name):
        return meant
    likely = (pattern.sub(other, hit[0]) for pattern, other in LIKE if (hit := pattern.match(name)))
    for candidate in (name, *likely):
        try:
            return codecs.lookup(candidate).name if candidate else "utf-8"
        except (LookupError, ValueError):
            continue
    return "utf-8"


def told_in(page: bytes) -> str:
    """The charset a page of HTML names in its head; "" where it names none."""
    hit = TOLD.search(page[:LONGEST_HEAD])
    return (hit[1] or hit[2]).decode() if hit else ""


def decode(data: bytes, encoding: str) -> str:
    """Text by the first of `encoding`, UTF-8 and Windows' Latin that fits.

    A few bytes that are none of an East Asian text are U+FFFD, and not a page of Latin letters.
    """
    escaped = ESCAPES.search(data) is not None
    encoding = "iso2022_jp_ext" if escaped else encoding
    for name in (encoding,) if escaped else (encoding, "utf-8"):
        try:
            return data.decode(name)
        except (LookupError, ValueError):
            continue
    if escaped or encoding in MANY_BYTES:
        text = data.decode(encoding, "replace")
        if text.count("\ufffd") <= 2 + len(text) // 50:
            return text
    try:
        return data.decode("cp1252")
    except ValueError:
        return data.decode("latin-1")


def unflow(text: str, delete_space: bool) -> str:
    """Lines of format=flowed joined to the paragraphs they were written as (RFC 3676)."""
    lines: list[str] = []
    open_depth = -1
    for line in text.split("\n"):
        words = line.lstrip(">")
        depth = len(line) - len(words)
        words = words.removeprefix(" ")  # stuffed
        flows = words.endswith(" ") and words != "-- "
        if depth == open_depth and words != "-- ":
            lines[-1] += words[:-1] if flows and delete_space else words
        else:
            mark = ">" * depth + (" " if depth else "")
            lines.append(mark + (words[:-1] if flows and delete_space else words))
        open_depth = depth if flows else -1
    return "\n".join(lines)
