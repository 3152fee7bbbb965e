"""Reads blogs in Jekyll's layout: posts with front matter, in any language."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from memory.message import Message, Skipped, Unreadable
from memory.sources import folder
from memory.sources.dates import find_moment_in_name
from memory.sources.html import html_to_text
from memory.sources.texts import Head, find_date_of_text, find_title, read_front_matter

Record = Message | Unreadable | Skipped

POSTS = "_posts"
SUFFIXES = (".md", ".markdown", ".mkd", ".mkdn", ".mkdown", ".text", ".txt", ".rmd", ".html",
            ".htm", ".kramdown")  # fmt: skip
SHORTEST_POST = 100  # characters

FENCED = r"^(?P<fence>[ \t]{0,12}(?:`{3,}|~{3,}))[^\n]*\n.*?(?:^(?P=fence)[`~]*[ \t]*$|\Z)"
VERBATIM = r"\{%-?\s{0,9}raw\s{0,9}-?%\}(?P<raw>.*?)(?:\{%-?\s{0,9}endraw\s{0,9}-?%\}|\Z)"
HIGHLIGHT = (
    r"\{%-?\s{0,9}highlight\b[^%]{0,300}-?%\}(?P<code>.*?)"
    r"(?:\{%-?\s{0,9}endhighlight\s{0,9}-?%\}|\Z)"
)
INLINE = r"(?P<ticks>`{1,3})(?!`)[^\n]{0,400}?[^`\n](?P=ticks)(?!`)"
CODE = re.compile("|".join((FENCED, VERBATIM, HIGHLIGHT, INLINE)), re.S | re.M)
RAW = re.compile(r"\{%-?\s{0,9}(?:end)?raw\s{0,9}-?%\}")
ANY = 2**31
HIDDEN = tuple(  # cut out with all that is between; searched one after the other, in linear time
    (re.compile(opening, re.I | re.M), re.compile(closing, re.I | re.M), longest)
    for opening, closing, longest in (
        (r"\{%-?\s{0,9}comment\s{0,9}-?%\}", r"\{%-?\s{0,9}endcomment\s{0,9}-?%\}", ANY),
        (r"^\{::comment\}", r"^[ \t]{0,9}\{:/(?:comment)?\}", ANY),
        (r"\{::comment\}", r"\{:/(?:comment)?\}", ANY),
        ("<!--", "-->", ANY),
        *(
            (rf"<{tag}\b", rf"</{tag}\s{{0,9}}>", ANY)
            for tag in ("script", "style", "iframe", "svg")
        ),
        (r"\{%", r"%\}", 1000),
        (r"\{\{", r"\}\}", 1000),
    )
)
# kramdown's extensions, closings and attributes: https://kramdown.gettalong.org/syntax.html
KRAMDOWN = re.compile(
    r"\{::[^{}\n]{0,300}/?\}|\{:/[a-z]{0,20}\}|(?<!\\)\{:[^{}\n]{0,300}\}",
)
IMAGE = re.compile(
    r"!\[(?:[^\[\]\n]|\[[^\[\]\n]{0,200}\]){0,500}\]"
    r"(?:\([^()\n]{0,1000}(?:\([^()\n]{0,300}\)[^()\n]{0,300})?\)|\[[^\]\n]{0,200}\])"
    r"|<img\b[^>]{0,2000}>",
    re.I,
)
EMPTY_LINK = re.compile(r"\[[ \t]{0,20}\](?:\([^()\n]{0,1000}\)|\[[^\]\n]{0,200}\])")
LINK_DEFINITION = re.compile(r"^ {0,3}\[[^\]\n^]{1,200}\]:[ \t]{0,20}\S[^\n]{0,2000}$", re.M)


def list_files(root: Path) -> Iterator[Path]:
    """The posts in every `_posts` under `root`; of a folder without one every text in it."""
    if not root.is_dir():
        yield root
        return
    anywhere = POSTS in root.absolute().parts or not any(
        POSTS in path.relative_to(root).parts for path in folder.list_files(root)
    )
    for path in folder.list_files(root):
        if path.suffix.lower() in SUFFIXES and (anywhere or POSTS in path.relative_to(root).parts):
            yield path


def read_file(file: Path, root: Path) -> Iterator[Record]:
    """The one post of a file, what the site's generator takes out taken out.

    The title is the front matter's, else the first heading, else the file's name; the date the
    front matter's, else the file name's. A post under 100 characters is skipped.
    """
    path = folder.relative(file, root)
    text = folder.read_text(file, path)
    if not isinstance(text, str):
        yield text
        return
    head = read_front_matter(text)
    body = html_to_text(head.body) if file.suffix.lower() in (".html", ".htm") else head.body
    body = strip(body)
    if len(body) < SHORTEST_POST:
        yield Skipped(path, "", f"post under {SHORTEST_POST} characters")
        return
    yield _message(path, file, replace(head, body=body))


def _message(path: str, file: Path, head: Head) -> Message:
    sent_at = head.sent_at or find_moment_in_name(file.name) or find_date_of_text(head.body, file)
    return Message(
        source="blog",
        kind="essay",
        external_id=path,
        conversation="",
        author=head.author,
        recipients=head.recipients,
        sent_at=sent_at,
        subject=strip(head.title) or find_title(head.body) or _title_of_name(file.stem),
        text=head.body,
        reply_to="",
        origin=head.origin,
        path=path,
    )


def _title_of_name(stem: str) -> str:
    """2014-09-02-relative-includes as "Relative Includes"."""
    slug = re.sub(r"^\d{2,4}-\d{1,2}-\d{1,2}-", "", stem)
    return " ".join(word[:1].upper() + word[1:] for word in re.split(r"[-_\s]+", slug) if word)


# --- what is no text --------------------------------------------------------------------------


def strip(body: str) -> str:
    """A post's text without Liquid, kramdown's attributes, link definitions and images.

    Code, fenced or inline, stays as it is; of Liquid's own blocks of code stays what they wrap.
    """
    pieces, end = [], 0
    for hit in CODE.finditer(body):
        pieces += [_strip_prose(body[end : hit.start()]), _code(hit)]
        end = hit.end()
    pieces.append(_strip_prose(body[end:]))
    text = "\n".join(line.rstrip() for line in "".join(pieces).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _code(hit: re.Match[str]) -> str:
    for name in ("raw", "code"):
        if hit[name] is not None:
            return RAW.sub("", hit[name])
    return hit[0]


def _strip_prose(text: str) -> str:
    for opening, closing, longest in HIDDEN:
        text = _cut(text, opening, closing, longest)
    for pattern in (KRAMDOWN, IMAGE, EMPTY_LINK, LINK_DEFINITION):
        text = pattern.sub("", text)
    return text


def _cut(text: str, opening: re.Pattern[str], closing: re.Pattern[str], longest: int) -> str:
    """Without what is between the two; what is not closed within `longest` characters stays."""
    pieces, kept, at = [], 0, 0
    while (start := opening.search(text, at)) and (stop := closing.search(text, start.end())):
        if stop.start() - start.end() > longest:
            at = stop.start() - longest  # whatever opens before that is too long as well
            continue
        pieces.append(text[kept : start.start()])
        kept = at = stop.end()
    return "".join(pieces) + text[kept:]
