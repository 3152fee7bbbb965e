"""Pictures of the served pages for the README, by a real Chromium.

    .venv/bin/python -m docs.pictures [HOME]

Serves HOME (after `make demo`: demo/home) on a free port and writes docs/pictures/*.png.
"""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from agent.config import load_config
from tests.browser import Browser
from tests.serving import Served, served

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "pictures"


def take(page: Browser, door: Served) -> None:
    """Where things stand, its dataset, a chat; generations and search on a phone, dark."""
    page.go(f"{door.url}/login?code={door.codes.new()}")
    page.size(1000, 760)
    for name, path in {"now": "/", "dataset": "/dataset#they"}.items():
        page.go(door.url + path)
        page.picture(FOLDER / f"{name}.png")
    page.go(f"{door.url}/chat")
    page.ask_beside("Who are you?")
    page.until("document.querySelector('#stop').hidden")
    page.picture(FOLDER / "chat.png")
    page.size(390, 760, dark=True, phone=True)
    for name, path in {
        "generations-phone": "/#generations",
        "search-phone": "/search?q=lamp",
    }.items():
        page.go("about:blank")
        page.go(door.url + path)
        page.picture(FOLDER / f"{name}.png")


def main() -> None:
    home = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "demo" / "home"
    config = load_config(home.absolute())
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as profile:
        free = replace(config, serve=replace(config.serve, port=0))
        with served(free) as door, Browser(Path(profile)) as page:
            take(page, door)


if __name__ == "__main__":
    main()
