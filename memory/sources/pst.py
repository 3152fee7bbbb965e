"""Reads Outlook's PST and OST files, in a process of their own that may break."""

import json
import os
import re
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from memory.message import Message, Skipped, Unreadable
from memory.sources import folder
from memory.sources.html import html_to_text
from memory.sources.mail import BROKEN, LARGEST_MAIL_BYTES, read_mail

Record = Message | Unreadable | Skipped

MAGIC = b"!BDN"
SILENT_SECONDS = 60.0  # a damaged file can keep the library busy for ever
DEEPEST_FOLDER = 100
LIBRARY = (OSError, ValueError, TypeError, OverflowError, MemoryError, SystemError, RuntimeError,
           AttributeError, UnicodeError)  # fmt: skip
# Properties of an item: [MS-OXPROPS]
CLASS, SENDER, ADDRESS, SMTP, TO, CC = 0x001A, 0x0C1A, 0x0C1F, 0x5D01, 0x0E04, 0x0E03
SUBJECT, SUBMITTED, MESSAGE_ID, REPLIED, REFERENCES = 0x0037, 0x0039, 0x1035, 0x1042, 0x1039
CODEPAGE = 0x3FDE
BODY_HEADERS = re.compile(
    r"(?im)^(?:content-(?:type|transfer-encoding|disposition)|mime-version):.*\n(?:[ \t].*\n)*"
)
NOT_MAIL = re.compile(
    r"IPM\.(?:Appointment|Contact|DistList|Task|Activity|StickyNote|Schedule|Post\.RSS|Configuration"
    r"|Microsoft|FolderDesign)",
    re.IGNORECASE,
)


def list_files(root: Path) -> Iterator[Path]:
    """The .pst and .ost files under `root`, or `root` itself where it is a file."""
    for path in folder.list_files(root):
        if path == root or path.suffix.lower() in (".pst", ".ost"):
            yield path


def read_file(file: Path, root: Path) -> Iterator[Record]:
    """Every mail of the file, folder by folder; a broken one is a reject with its place.

    libpff is C and reads what others damaged: it runs in a child process, so that a crash or a
    hang of it ends in one reject, and what it holds is given back.
    """
    path = folder.relative(file, root)
    start = folder.read_bytes(file, path, 2**63, first=4)
    if not isinstance(start, bytes):
        yield start
    elif start != MAGIC:
        yield Skipped(path, "", "not a PST file" if start else "empty file")
    else:
        yield from _read(file, path)


def _read(file: Path, path: str) -> Iterator[Record]:
    found = False
    for line in _child(file):
        found = True
        if line is None:
            yield Unreadable(path, "", "cannot be read further: its reader broke off")
            continue
        item = json.loads(line)
        where = item["where"]
        if "problem" in item:
            yield Unreadable(path, where, item["problem"])
        elif "skipped" in item:
            yield Skipped(path, where, item["skipped"])
        else:
            yield read_mail(item["mail"].encode("utf-8", "replace"), path, where)
    if not found:
        yield Skipped(path, "", "no items in the file")


def _child(file: Path) -> Iterator[bytes | None]:
    """The lines of the reading process; None where it crashed or was ended for its silence."""
    home = str(Path(__file__).parent.parent.parent)
    paths = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
    process = subprocess.Popen(
        [sys.executable, "-m", "memory.sources.pst", str(file.absolute())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": paths},
    )
    rest: list[bytes] = []
    try:
        while select.select([process.stdout], [], [], SILENT_SECONDS)[0]:
            data = os.read(process.stdout.fileno(), 2**16)
            if not data:
                break
            *lines, last = data.split(b"\n")
            for line in lines:
                yield b"".join([*rest, line])
                rest = []
            rest.append(last)
        else:
            process.kill()
        if process.wait():
            yield None
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


# --- in the child -----------------------------------------------------------------------------


def write_items(path: str) -> None:
    """One line of JSON for each item of a PST file, on standard output."""
    import pypff

    file = pypff.file()
    try:
        file.open(path)
        page = _try(file.get_ascii_codepage) or "cp1252"
        folders = [(file.get_root_folder(), "", 0)]
    except LIBRARY as error:
        _write("", problem=f"cannot be opened: {_plain(error)}")
        return
    while folders:
        opened, name, depth = folders.pop()
        _write_folder(opened, name, page)
        try:
            for number in range(
                opened.get_number_of_sub_folders() if depth < DEEPEST_FOLDER else 0
            ):
                inner = opened.get_sub_folder(number)
                title = _try(inner.get_name) or "folder"
                folders.append((inner, f"{name}/{title}".strip("/"), depth + 1))
        except LIBRARY as error:
            _write(name, problem=f"has a folder that cannot be read: {_plain(error)}")


def _write_folder(opened: Any, name: str, page: str) -> None:
    total = _try(opened.get_number_of_sub_messages)
    if total is None:
        _write(name, problem="is a folder that cannot be read")
        return
    for number in range(total):
        where = f"{name} item {number + 1}".strip()
        try:
            _write_item(opened.get_sub_message(number), where, page)
        except LIBRARY as error:
            _write(where, problem=f"cannot be read: {_plain(error)}")


def _write_item(item: Any, where: str, page: str) -> None:
    known = _properties(item)
    if NOT_MAIL.match(known.get(CLASS, "")):
        _write(where, skipped="calendar, contact, task or note of Outlook")
        return
    head = _head(item, known)
    if not head:
        _write(where, skipped="item without a sender, a subject and a time")
        return
    text = _body(item, known.get(CODEPAGE, ""), page)[:LARGEST_MAIL_BYTES]
    _write(where, mail=f"{head}\nContent-Type: text/plain; charset=utf-8\n\n{text}")


def _write(where: str, **what: str) -> None:
    line = json.dumps({"where": where} | what, ensure_ascii=True)
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _plain(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _try(read: Callable[[], Any]) -> Any:
    """What the library gives, None where it raises: any of its readers may."""
    try:
        return read()
    except LIBRARY:
        return None


def _properties(item: Any) -> dict[int, str]:
    """The properties of an item that are text or numbers, by their number."""
    wanted = {CLASS, SENDER, ADDRESS, SMTP, TO, CC, SUBJECT, MESSAGE_ID, REPLIED, REFERENCES}
    found: dict[int, str] = {}
    for number in range(_try(item.get_number_of_record_sets) or 0):
        records = _try(lambda number=number: item.get_record_set(number))
        for index in range(_try(records.get_number_of_entries) or 0 if records else 0):
            entry = _try(lambda records=records, index=index: records.get_entry(index))
            kind = _try(entry.get_entry_type) if entry else None
            if kind in wanted:
                value = _try(entry.get_data_as_string)
            elif kind == CODEPAGE:
                value = _try(entry.get_data_as_integer)
            else:
                continue
            if value:
                found.setdefault(kind, str(value).strip("\0"))
    return found


def _head(item: Any, known: dict[int, str]) -> str:
    """The head the mail came with, else one made of what Outlook kept; "" with nothing."""
    came = _try(item.get_transport_headers)
    if isinstance(came, bytes):
        came = came.decode("utf-8", "replace")
    if came and came.strip():
        lines = came.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
        return BODY_HEADERS.sub("", re.sub(r"\n\s*\n", "\n", lines) + "\n").strip("\n")
    subject = known.get(SUBJECT) or _try(item.get_subject) or ""
    subject = re.sub(r"^\x01.", "", str(subject), flags=re.S)  # [MS-OXOMSG]: length of its prefix
    sent_at = _try(item.get_client_submit_time) or _try(item.get_delivery_time)
    values = {
        "From": _sender(item, known),
        "To": known.get(TO),
        "Cc": known.get(CC),
        "Subject": subject,
        "Date": format_datetime(sent_at.replace(tzinfo=UTC)) if sent_at else "",
        "Message-ID": known.get(MESSAGE_ID),
        "In-Reply-To": known.get(REPLIED),
        "References": known.get(REFERENCES),
    }
    lines = (f"{name}: {' '.join(str(value).split())}" for name, value in values.items() if value)
    return "\n".join(lines)


def _sender(item: Any, known: dict[int, str]) -> str:
    name = (known.get(SENDER) or _try(item.get_sender_name) or "").replace('"', "")
    addresses = (known.get(SMTP, ""), known.get(ADDRESS, ""))
    address = next((one for one in addresses if "@" in one and " " not in one), "")
    return f'"{name}" <{address}>' if name and address else f'"{name}"' if name else address


def _body(item: Any, codepage: str, page: str) -> str:
    """Plain text where there is one, else HTML, else RTF; their bytes say no charset."""
    readers = ((item.get_plain_text_body, str), (item.get_html_body, html_to_text),
               (item.get_rtf_body, rtf_to_text))  # fmt: skip
    for read, convert in readers:
        data = _try(read)
        if not data:
            continue
        try:
            text = convert(_decode(data, codepage, page) if isinstance(data, bytes) else data)
        except BROKEN:
            continue
        if text.strip():
            return text.replace("\r\n", "\n").strip("\n\0")
    return ""


def _decode(data: bytes, codepage: str, page: str) -> str:
    named = {"65001": "utf-8", "20127": "ascii", "28591": "latin-1"}.get(codepage, f"cp{codepage}")
    for encoding in ("utf-8", named, page, "cp1252"):
        try:
            return data.decode(encoding)
        except (LookupError, UnicodeDecodeError):
            continue
    return data.decode("latin-1")


RTF = re.compile(
    r"\\'(?P<byte>[0-9a-fA-F]{2})|\\u(?P<code>-?\d{1,6}) ?\??|\\(?P<word>[a-zA-Z]{1,32})-?\d{0,9} ?"
    r"|\\(?P<mark>[^a-zA-Z])|(?P<open>\{(?:\\\*)?)|(?P<close>\})|(?P<text>[^\\{}\r\n]+)"
)
RTF_HIDDEN = ("fonttbl", "colortbl", "stylesheet", "info", "pict", "header", "footer", "generator",
              "htmlrtf", "themedata", "listtable", "xmlnstbl")  # fmt: skip


def rtf_to_text(rtf: str) -> str:
    """The words of a Rich Text document; tables of fonts and the like and pictures are left out.

    https://www.biblioscape.com/rtf15_spec.htm
    """
    words: list[str] = []
    hidden, depth = 0, 0  # the depth at which what is hidden began
    for hit in RTF.finditer(rtf):
        if hit["open"]:
            depth += 1
            hidden = hidden or (depth if len(hit["open"]) > 1 else 0)
        elif hit["close"]:
            hidden = 0 if depth == hidden else hidden
            depth -= 1
        elif hit["word"] in RTF_HIDDEN:
            hidden = hidden or depth
        elif not hidden:
            words.append(_rtf_word(hit))
    return "".join(words)


def _rtf_word(hit: re.Match[str]) -> str:
    if hit["byte"]:
        return bytes.fromhex(hit["byte"]).decode("cp1252", "replace")
    if hit["code"]:
        return chr(int(hit["code"]) % 65536)
    if hit["word"]:
        return {"par": "\n", "line": "\n", "tab": "\t", "row": "\n", "cell": "\t"}.get(
            hit["word"], ""
        )
    return hit["text"] or (hit["mark"] if hit["mark"] in "\\{}" else "")


if __name__ == "__main__":
    write_items(sys.argv[1])
