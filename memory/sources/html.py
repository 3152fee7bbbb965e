"""Turns HTML into the text a reader would see, block by block."""

import re
from html import unescape
from typing import Any

# Every HTML parser swallows "<ada@example.org>" as a tag; written as an entity it survives.
ADDRESS = re.compile(r"<((?:mailto:)?[^<>\s@\"'=]{1,64}@[^<>\s\"'=]{1,255}|https?://[^<>\s\"']+)>")

UNSEEN = re.compile(
    "head|title|style|script|noscript|template|iframe|object|svg|math|select|textarea"
)
PARAGRAPHS = re.compile("p|h[1-6]|ul|ol|dl|table|pre|blockquote|figure|hr|fieldset|form")
LINES = re.compile(
    "address|article|aside|body|center|dd|details|div|dt|figcaption|footer|header|html|legend|li"
    "|main|nav|option|section|summary|tbody|tfoot|thead|tr|caption"
)
NO_DISPLAY = re.compile(r"display\s*:\s*none|mso-hide\s*:\s*all", re.IGNORECASE)
DEEPEST_QUOTE = 20
# The parser takes 0.1 s for 5,000 open elements but 12 s for 50,000; nobody writes that deep.
MANY_CHARACTERS, DEEPEST = 25_000, 5_000
MOST_TAGS = 100_000  # the walk takes 6 µs each; no page people wrote has as many
TAG = re.compile(r"</?([a-zA-Z][\w:-]*)[^<>]*>")
VOID = ("br", "img", "hr", "meta", "link", "input", "col", "p", "li", "td", "tr", "th")
SPACE = re.compile(r"[ \t\n\r\f]+")


def html_to_text(html: str) -> str:
    """Visible text: paragraphs apart, list items with "- ", quoted blocks with "> ".

    Nothing is lost however deep it is nested; an address in angle brackets stays. Links keep
    their words, pictures are left out.
    """
    from selectolax.lexbor import LexborHTMLParser

    many = len(html) > MANY_CHARACTERS
    if many and (html.count("<") > MOST_TAGS or depth_of(html) > DEEPEST):
        return re.sub(r"\n\s*\n+", "\n\n", unescape(TAG.sub(" ", html))).strip()
    root = LexborHTMLParser(ADDRESS.sub(r"&lt;\1&gt;", html)).root
    page = _Page()
    if root is not None:
        _walk(root, page)
    return page.text()


def depth_of(html: str) -> int:
    """How deep the tags nest at most, roughly."""
    depth = deepest = 0
    for tag in TAG.finditer(html):
        depth += -1 if tag[0][1] == "/" else 1 - (tag[1].lower() in VOID)
        deepest = max(deepest, depth)
    return deepest


def _walk(root: Any, page: "_Page") -> None:
    """Depth first without recursion: mails nest tables by the hundred."""
    node, open_nodes = root, []
    while node is not None or open_nodes:
        if node is None:
            node = open_nodes.pop()
            page.leave(node.tag)
            node = node.next
        elif node.is_text_node:
            page.add(node.text_content or "")
            node = node.next
        elif not node.is_element_node or _is_unseen(node):
            node = node.next
        else:
            page.enter(node.tag)
            open_nodes.append(node)
            node = node.child
        if node is None and len(open_nodes) == 0:
            return


def _is_unseen(node: Any) -> bool:
    if UNSEEN.fullmatch(node.tag):
        return True
    attributes = node.attributes
    style = attributes.get("style") or ""
    return "hidden" in attributes or bool(style and NO_DISPLAY.search(style))


class _Page:
    """The lines written so far, and how deep in quotations and preformatted text we are."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.line: list[str] = []
        self.quotes = 0
        self.preformatted = 0
        self.numbers: list[int | None] = []  # of each open list; None where it has bullets

    def enter(self, tag: str) -> None:
        """Begin an element."""
        if tag == "br":
            self.end_line(always=True)
        elif PARAGRAPHS.fullmatch(tag):
            self.end_paragraph()
        elif LINES.fullmatch(tag):
            self.end_line()
        elif tag in ("td", "th") and self.line:
            self.line.append(" ")
        self.quotes += tag == "blockquote"
        self.preformatted += tag == "pre"
        if tag in ("ol", "ul"):
            self.numbers.append(0 if tag == "ol" else None)
        if tag == "li":
            self.line.append(self._bullet())

    def _bullet(self) -> str:
        if not self.numbers or self.numbers[-1] is None:
            return "- "
        self.numbers[-1] += 1
        return f"{self.numbers[-1]}. "

    def leave(self, tag: str) -> None:
        """End an element."""
        if PARAGRAPHS.fullmatch(tag) or LINES.fullmatch(tag):
            self.end_line()
        self.quotes -= tag == "blockquote"
        self.preformatted -= tag == "pre"
        if tag in ("ol", "ul") and self.numbers:
            self.numbers.pop()
        if PARAGRAPHS.fullmatch(tag):
            self.end_paragraph()

    def add(self, text: str) -> None:
        """Words of a text node; white space counts only in preformatted text."""
        if not self.preformatted:
            self.line.append(SPACE.sub(" ", text))
            return
        first, *others = text.split("\n")
        self.line.append(first)
        for line in others:
            self.end_line(always=True)
            self.line.append(line)

    def end_line(self, *, always: bool = False) -> None:
        """Close the line if it has words, or `always`."""
        joined = "".join(self.line)
        joined = joined.rstrip() if self.preformatted else re.sub(" {2,}", " ", joined).strip()
        if joined or always:
            self.lines.append((self._quoted() + joined).rstrip())
        self.line = []

    def end_paragraph(self) -> None:
        """Close the line and leave a blank one."""
        self.end_line()
        blank = self._quoted().rstrip()
        if self.lines and self.lines[-1] != blank:
            self.lines.append(blank)

    def _quoted(self) -> str:
        return "> " * min(self.quotes, DEEPEST_QUOTE)

    def text(self) -> str:
        """All of it, without blank lines at the ends or more than one in the middle."""
        self.end_line()
        return re.sub(r"\n{3,}", "\n\n", "\n".join(self.lines)).strip("\n")
