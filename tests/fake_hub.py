"""A model hub on the loopback: one repository's files, resumable, and the ways a hub says no."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPOSITORY = "someone/small-model"


@dataclass
class FakeHub:
    """`folder` is served as REPOSITORY at COMMIT and branch main.

    `answer` is an HTTP status to give instead, `error_code` its X-Error-Code; a file named in
    `broken` is sent with its last byte changed, one in `cut` half and then the line is dropped.
    `asked` holds "METHOD path range".
    """

    folder: Path
    answer: int = 200
    error_code: str = ""
    broken: set[str] = field(default_factory=set)
    cut: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    endpoint: str = ""

    def files(self) -> list[Path]:
        return sorted(p for p in self.folder.rglob("*") if p.is_file())

    def describe(self, file: Path) -> dict:
        """The file as the hub lists it: large ones by SHA-256, small ones as git blobs."""
        data, name = file.read_bytes(), file.relative_to(self.folder).as_posix()
        blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        found = {"type": "file", "path": name, "rfilename": name, "size": len(data)}
        found |= {"oid": blob, "blobId": blob}
        if name.endswith(".safetensors"):
            sha256 = hashlib.sha256(data).hexdigest()
            found["lfs"] = {"oid": sha256, "sha256": sha256, "size": len(data), "pointerSize": 134}
        return found


@contextmanager
def serve(folder: Path) -> Iterator[FakeHub]:
    """A hub over `folder` at `hub.endpoint` until the block ends."""
    hub = FakeHub(folder)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_) -> None:
            pass

        def do_HEAD(self) -> None:
            answer(self, hub, body=False)

        def do_GET(self) -> None:
            answer(self, hub, body=True)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def answer(request: BaseHTTPRequestHandler, hub: FakeHub, *, body: bool) -> None:
    """One answer: a listing, a file (or the rest of it), or the refusal the hub is set to."""
    path = urlsplit(request.path).path
    hub.asked.append(f"{request.command} {path} {request.headers.get('Range', '')}".strip())
    if hub.answer != 200:
        return send(request, hub.answer, b"{}", {"X-Error-Code": hub.error_code})
    if path in (f"/api/models/{REPOSITORY}/revision/{r}" for r in ("main", COMMIT)):
        files = [hub.describe(file) for file in hub.files()]
        found = {"id": REPOSITORY, "modelId": REPOSITORY, "sha": COMMIT, "siblings": files}
        return send(request, 200, json.dumps(found).encode())
    if path == f"/api/models/{REPOSITORY}/tree/{COMMIT}":
        return send(request, 200, json.dumps([hub.describe(f) for f in hub.files()]).encode())
    if path.startswith(f"/{REPOSITORY}/resolve/{COMMIT}/"):
        return send_file(request, hub, path.removeprefix(f"/{REPOSITORY}/resolve/{COMMIT}/"), body)
    known = path.startswith(f"/api/models/{REPOSITORY}/")
    send(request, 404, b"{}", {"X-Error-Code": "RevisionNotFound" if known else "RepoNotFound"})


def send_file(request: BaseHTTPRequestHandler, hub: FakeHub, name: str, body: bool) -> None:
    file = hub.folder / name
    data, about = file.read_bytes(), hub.describe(file)
    etag = about.get("lfs", {}).get("oid", about["oid"])
    headers = {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
    if name in hub.broken:
        data = data[:-1] + bytes([data[-1] ^ 1])
    start = int((request.headers.get("Range") or "bytes=0-")[6:].partition("-")[0])
    if start:
        headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
    headers["Content-Length"] = str(len(data) - start)
    if body and name in hub.cut:
        data = data[: len(data) // 2]
        request.close_connection = True
    send(request, 206 if start else 200, data[start:] if body else b"", headers)


def send(request: BaseHTTPRequestHandler, code: int, data: bytes, headers: dict | None = None):
    request.send_response(code)
    for key, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
        request.send_header(key, value)
    request.end_headers()
    request.wfile.write(data)
