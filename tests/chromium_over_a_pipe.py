"""A headless Chromium driven over a pipe, as the tests of pages need it.

The browser's own DevTools protocol is spoken on two pipes: no driver program, no package and no port, so
that tests side by side cannot meet, and nothing listens.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


class Browser:
    """A headless Chromium that takes commands over a pipe."""

    def __init__(self, program: str, profile: Path) -> None:
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()

        def join_pipes() -> None:
            # The protocol is spoken on file descriptors 3 and 4. Moving both up first keeps one from
            # overwriting the other.
            high_in, high_out = os.dup2(to_browser, 103), os.dup2(from_browser, 104)
            os.dup2(high_in, 3)
            os.dup2(high_out, 4)

        self._process = subprocess.Popen(
            [
                program,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
                "--no-first-run",
                "--remote-debugging-pipe",
                f"--user-data-dir={profile}",
                "about:blank",
            ],
            preexec_fn=join_pipes,
            close_fds=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._waiting, self._count = b"", 0
        self.events: list[dict[str, Any]] = []

    def ask(self, method: str, session: str = "", **params: Any) -> dict[str, Any]:
        """Send one command and wait for its answer; events that come meanwhile are kept in ``events``."""
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.hear()
            if answer.get("id") == self._count:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def hear(self) -> dict[str, Any]:
        """The next message of the browser."""
        while b"\0" not in self._waiting:
            more = os.read(self._read, 1 << 20)
            if not more:
                raise RuntimeError("the browser ended before it answered")
            self._waiting += more
        message, self._waiting = self._waiting.split(b"\0", 1)
        return json.loads(message)

    def wait_for(self, method: str, session: str) -> dict[str, Any]:
        """The next event of this kind, counting those that have come already."""
        while True:
            for i, event in enumerate(self.events):
                if event.get("method") == method and event.get("sessionId") == session:
                    return self.events.pop(i)
            self.events.append(self.hear())

    def close(self) -> None:
        with contextlib.suppress(RuntimeError, OSError):
            self.ask("Browser.close")
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._read)
        os.close(self._write)


@contextlib.contextmanager
def started(program: str) -> Iterator[Browser]:
    """A browser with a fresh profile, ended afterwards."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(program, Path(profile))
        try:
            yield browser
        finally:
            browser.close()


class Tab:
    """One page in the browser: what it asked for and complained of, and how it looks at any size."""

    def __init__(self, browser: Browser, width: int = 1180, scheme: str = "light") -> None:
        self._browser = browser
        self._target = browser.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = browser.ask("Target.attachToTarget", targetId=self._target, flatten=True)["sessionId"]
        browser.events = [e for e in browser.events if e.get("sessionId") in ("", self._session)]
        for domain in ("Page", "Network", "Log", "Runtime", "DOM"):
            self.ask(f"{domain}.enable")
        # A page that tries to leave the machine finds no network, and the try is seen among the requests.
        self.ask("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=-1,
                 uploadThroughput=-1)  # fmt: skip
        self.width, self.scheme, self.url = width, scheme, ""
        self.look(width, scheme)

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        return self._browser.ask(method, self._session, **params)

    def look(self, width: int, scheme: str, medium: str = "") -> None:
        """Lay the page out anew: a width, a colour scheme, and a medium ("print")."""
        self.width, self.scheme = width, scheme
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1,
                 mobile=width < 600)  # fmt: skip
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.ask("Emulation.setEmulatedMedia", media=medium, features=features)

    def open(self, url: str) -> None:
        """Go to an address and wait until it is loaded."""
        self.url = url
        failed = self.ask("Page.navigate", url=url).get("errorText")
        if failed:
            raise RuntimeError(f"{url}: {failed}")
        self._browser.wait_for("Page.loadEventFired", self._session)

    def run(self, script: str) -> Any:
        """The value of an expression in the page; a promise is waited for."""
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise RuntimeError(details.get("exception", {}).get("description", details["text"]))
        return answer["result"].get("value")

    def height(self) -> float:
        return self.ask("Page.getLayoutMetrics")["cssContentSize"]["height"]

    def picture(self, top: float, height: float) -> bytes:
        """A part of the page as PNG, of the whole width."""
        clip = {"x": 0, "y": top, "width": self.width, "height": height, "scale": 1}
        answer = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        return base64.b64decode(answer["data"])

    def pdf(self) -> bytes:
        """The page as it is printed, on the paper that its style sheet asks for."""
        answer = self.ask("Page.printToPDF", preferCSSPageSize=True, printBackground=True)
        return base64.b64decode(answer["data"])

    def press(self, key: str) -> None:
        """Press and let go of one key, by the name of the key ("Tab")."""
        code = {"Tab": 9, "Enter": 13, " ": 32}[key]
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def click(self, selector: str) -> None:
        """Click an element where it is."""
        root = self.ask("DOM.getDocument")["root"]["nodeId"]
        node = self.ask("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.ask("DOM.scrollIntoViewIfNeeded", nodeId=node)
        corners = self.ask("DOM.getContentQuads", nodeId=node)["quads"][0]
        at = {"x": sum(corners[::2]) / 4, "y": sum(corners[1::2]) / 4, "button": "left", "clickCount": 1}
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, **at)

    def _heard(self, method: str) -> list[dict[str, Any]]:
        mine = [e for e in self._browser.events if e.get("sessionId") == self._session]
        return [e["params"] for e in mine if e["method"] == method]

    def requests(self) -> tuple[str, ...]:
        """What was asked for beside the pages that were opened: nothing, on a page of a report."""
        asked = [e for e in self._heard("Network.requestWillBeSent") if e.get("type") != "Document"]
        return tuple(u for u in (e["request"]["url"] for e in asked) if not u.startswith("data:"))

    def complaints(self) -> tuple[str, ...]:
        """Errors and warnings of the browser, and exceptions of scripts."""
        logged = [e["entry"] for e in self._heard("Log.entryAdded")]
        thrown = [e["exceptionDetails"]["text"] for e in self._heard("Runtime.exceptionThrown")]
        return tuple([e["text"] for e in logged if e["level"] in ("error", "warning")] + thrown)

    def close(self) -> None:
        self._browser.ask("Target.closeTarget", targetId=self._target)
