"""A tiny IMAP server on loopback that holds made-up mails and remembers what was asked."""

import contextlib
import re
import socketserver
import threading
from dataclasses import dataclass, field


@dataclass
class FakeImap:
    """`folders`: {name: {UID: mail}}; `flags`: {name: what LIST says of it}."""

    folders: dict[str, dict[int, bytes]]
    flags: dict[str, str] = field(default_factory=dict)
    validity: int = 7
    password: str = "open sesame"
    break_at: int = 0  # the UID at which the connection is dropped
    asked: list[str] = field(default_factory=list)
    port: int = 0

    @contextlib.contextmanager
    def serve(self):
        """Answers until the end of the block; `port` says where."""
        fake = self

        class Session(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                _talk(fake, self.rfile, self.wfile)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        with Server(("127.0.0.1", 0), Session) as server:
            self.port = server.server_address[1]
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
            yield self
            server.shutdown()


def _talk(fake: FakeImap, lines, out) -> None:
    folder = ""

    def say(line: str) -> None:
        out.write(line.encode() + b"\r\n")

    say("* OK fake")
    for line in lines:
        tag, _, command = line.decode().strip().partition(" ")
        word, _, rest = command.partition(" ")
        fake.asked.append("LOGIN" if word == "LOGIN" else command)
        if word == "CAPABILITY":
            say("* CAPABILITY IMAP4rev1")
        elif word == "LOGIN" and not rest.endswith(f'"{fake.password}"'):
            say(f"{tag} NO [AUTHENTICATIONFAILED] wrong password")
            continue
        elif word == "LIST":
            for name in fake.folders:
                say(f'* LIST ({fake.flags.get(name, "")}) "/" "{name}"')
        elif word in ("SELECT", "EXAMINE"):
            folder = rest.strip('"')
            if folder not in fake.folders:
                say(f"{tag} NO no such folder")
                continue
            say(f"* {len(fake.folders[folder])} EXISTS")
            say(f"* OK [UIDVALIDITY {fake.validity}] numbers")
        elif word == "UID":
            for uid, mail in _wanted(fake.folders[folder], rest):
                if uid == fake.break_at and "BODY" in rest:
                    return
                if "BODY" in rest:
                    out.write(b"* 1 FETCH (UID %d BODY[] {%d}\r\n%s)\r\n" % (uid, len(mail), mail))
                else:
                    say(f"* 1 FETCH (UID {uid} RFC822.SIZE {len(mail)})")
        elif word == "LOGOUT":
            say("* BYE")
            say(f"{tag} OK done")
            return
        say(f"{tag} OK done")


def _wanted(mails: dict[int, bytes], rest: str):
    """`5:*` names the last mail even when 5 is past it (RFC 3501 6.4.8)."""
    numbers = re.match(r"FETCH (\S+)", rest)[1]
    if numbers.endswith(":*"):
        first = min(int(numbers[:-2]), max(mails, default=0))
        return [(uid, mail) for uid, mail in mails.items() if uid >= first]
    return [(int(uid), mails[int(uid)]) for uid in numbers.split(",") if int(uid) in mails]
