"""The blind test as a page in a browser on this machine: one question, one click, the next."""

import html
import secrets
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs

from agent.compare import Comparison, Trial

LONGEST_FORM = 4096
STYLE = """
:root { color-scheme: light dark; } * { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 46rem; font: 1.05rem/1.5 system-ui, sans-serif;
  overflow-wrap: anywhere; }
h1 { font-size: 1.1rem; } .asked { white-space: pre-wrap; border-left: .3rem solid #8884;
  padding-left: .8rem; max-height: 14rem; overflow: auto; }
form { display: grid; gap: .8rem; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); }
button { font: inherit; text-align: left; padding: .8rem; white-space: pre-wrap; cursor: pointer;
  border: 2px solid #8886; border-radius: .5rem; background: #8881; color: inherit; }
button:hover, button:focus { border-color: currentColor; } small { opacity: .75; }
"""


class ComparePage:
    """A server on loopback whose address holds a secret; `url` is where to go. One thread serves
    it, the one that opened the database.

    Nothing it shows says which side a text is from: the buttons have places, not names. A vote
    carries the trial it was given on, so that a reload or a second tab cannot vote for another.
    """

    def __init__(self, comparison: Comparison, name: str, port: int = 0) -> None:
        self.comparison, self.name = comparison, name
        self.token = secrets.token_urlsafe(16)
        self.server = HTTPServer(("127.0.0.1", port), _handler(self))

    @property
    def url(self) -> str:
        """The page's address."""
        return f"http://127.0.0.1:{self.server.server_port}/{self.token}/"

    def serve(self, until: Callable[[], bool] = lambda: False) -> None:
        """Answers requests until `until` says so (asked after each), or Ctrl-C."""
        with self.server:
            while not until():
                self.server.handle_request()

    def page(self) -> str:
        """The next trial, or that there is none left."""
        trial = next(self.comparison.left(), None)
        votes = self.comparison.results()["votes"]
        body = _question(trial, self.comparison.sides, self.name) if trial else _thanks(votes)
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>Which is {html.escape(self.name)}?</title><style>{STYLE}</style></head>"
            f"<body>{body}<p><small>{votes} votes so far</small></p></body></html>"
        )

    def vote(self, form: dict[str, list[str]]) -> bool:
        """Whether the form was a vote on a trial that has none yet."""
        key, place = form.get("trial", [""])[0], form.get("place", [""])[0]
        trial = next((one for one in self.comparison.left() if one.key == key), None)
        sides = self.comparison.sides
        if trial is None or place not in map(str, range(len(sides))):
            return False
        self.comparison.vote(trial, trial.order(sides)[int(place)])
        return True


def _question(trial: Trial, sides: tuple[str, ...], name: str) -> str:
    buttons = "".join(
        f'<button name="place" value="{place}">{html.escape(trial.texts[side] or "(nothing)")}'
        "</button>"
        for place, side in enumerate(trial.order(sides))
    )
    return (
        f"<h1>Which of these did {html.escape(name)} write?</h1>"
        f'<p class="asked">{html.escape(trial.question)}</p><form method="post" action="vote">'
        f'<input type="hidden" name="trial" value="{trial.key}">{buttons}</form>'
    )


def _thanks(votes: int) -> str:
    return (
        f"<h1>That was the last one. Thank you.</h1><p>{votes} votes are kept; "
        "<code>junior compare --results</code> shows what they say.</p>"
    )


def _handler(page: ComparePage) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 5  # a browser may open a connection and say nothing on it

        def do_GET(self) -> None:
            if self.path != f"/{page.token}/":
                return self.send_error(404)
            return self._send(page.page())

        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            if self.path != f"/{page.token}/vote" or not 0 < size <= LONGEST_FORM:
                return self.send_error(404)
            page.vote(parse_qs(self.rfile.read(size).decode("utf-8", "replace")))
            self.send_response(303)
            self.send_header("Location", f"/{page.token}/")
            self.send_header("Content-Length", "0")
            return self.end_headers()

        def _send(self, text: str) -> None:
            data = text.encode()
            self.send_response(200)
            for name, value in (
                ("Content-Type", "text/html; charset=utf-8"),
                ("Content-Length", str(len(data))),
                ("Cache-Control", "no-store"),
                ("Referrer-Policy", "no-referrer"),
                (
                    "Content-Security-Policy",
                    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
                    "frame-ancestors 'none'",
                ),
            ):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *arguments: object) -> None:
            """What somebody votes is nobody's log line."""

    return Handler
