"""A real Chromium over its debugging pipe: pages opened, clicked, typed into, and pictured."""

import base64
import itertools
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--hide-scrollbars", "--disable-background-networking", "--remote-debugging-pipe",
)  # fmt: skip
PATIENCE_SECONDS = 30.0
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")


class Browser:
    """One page. `errors` are what its console and its scripts complained about."""

    def __init__(self, profile: Path) -> None:
        """`profile` is a folder of its own; the test is skipped where no Chromium is installed."""
        self.profile = profile
        self.errors: list[str] = []
        self._numbers, self._held = itertools.count(1), b""
        self._session: str | None = None

    def __enter__(self) -> "Browser":
        if CHROMIUM is None:
            pytest.skip("no Chromium here")
        self._reading, theirs_out = os.pipe()
        theirs_in, self._writing = os.pipe()
        command = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
        self._process = subprocess.Popen(
            ["bash", "-c", command, "bash", CHROMIUM, *FLAGS, f"--user-data-dir={self.profile}"],
            pass_fds=(theirs_in, theirs_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(20)
        os.close(self._reading)
        os.close(self._writing)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the DevTools protocol (chromedevtools.github.io) and its result."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        message |= {"sessionId": self._session} if self._session else {}
        os.write(self._writing, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != number:
            self._note(answer)
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._held:
            part = os.read(self._reading, 1 << 20)
            assert part, "the browser is gone"
            self._held += part
        whole, self._held = self._held.split(b"\0", 1)
        return json.loads(whole)

    def _note(self, event: dict[str, Any]) -> None:
        told = event.get("params", {})
        if event.get("method") == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(told["exceptionDetails"]))
        if event.get("method") == "Log.entryAdded" and told["entry"]["level"] == "error":
            self.errors.append(told["entry"]["text"])
        if event.get("method") == "Runtime.consoleAPICalled" and told["type"] == "error":
            self.errors.append(json.dumps(told["args"]))

    def go(self, url: str) -> None:
        """Navigate and wait until the page is complete."""
        self.run("window.before = true")
        self.call("Page.navigate", url=url)
        self.until("document.readyState === 'complete' && !window.before")

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression in the page."""
        found = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def until(self, script: str) -> Any:
        """The first true value of an expression; fails when none comes."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (value := self._value(script)):
            assert time.monotonic() < deadline, f"never true: {script}"
            time.sleep(0.05)
        return value

    def _value(self, script: str) -> Any:
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        return found["result"].get("value")

    def ask_beside(self, text: str) -> None:
        """On the page of the chat: asks the junior and its base, until the base has begun."""
        self.run("document.querySelector('input[name=beside]').click()")
        self.run("document.querySelector('textarea').focus()")
        self.call("Input.insertText", text=text)
        self.press("Enter", "\r")
        self.until("document.querySelector('.base')?.innerText.length > 1")

    def press(self, key: str, text: str = "") -> None:
        """One key, as a keyboard sends it."""
        code = {"Tab": 9, "Enter": 13, " ": 32}.get(key, 0)
        how: dict[str, Any] = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        how |= {"text": text} if text else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", **how)
        self.call("Input.dispatchKeyEvent", type="keyUp", **how)

    def size(self, width: int, height: int, *, dark: bool = False, phone: bool = False) -> None:
        """The window's size in CSS pixels, and the colours its owner prefers."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=phone)  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self, path: Path) -> None:
        """What is seen, as a PNG."""
        data = self.call("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(data))
