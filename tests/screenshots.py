"""Pictures of every page of a report, as a browser shows it.

``python tests/screenshots.py REPORT OUT`` opens each page of a report folder in headless Chromium at the
width of a phone and of a desk, light and dark, and writes one PNG for each. It fails, naming the page and
the width, where a page scrolls sideways.

The browser is driven by its DevTools protocol over a pipe, so neither a package nor a port is needed.
"""

from __future__ import annotations

import base64
import contextlib
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
WIDTHS = (390, 1180)
SCHEMES = ("light", "dark")
TALLEST = 16_000
"""Chromium cannot take a taller picture (a limit of its graphics textures): the rest of a page is another."""


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


@dataclass(frozen=True)
class View:
    """One page as a browser laid it out."""

    page: str
    width: int
    scheme: str
    content_width: float
    content_height: float
    requests: tuple[str, ...]
    complaints: tuple[str, ...]
    pictures: tuple[bytes, ...]

    @property
    def scrolls_sideways(self) -> bool:
        return self.content_width > self.width

    @property
    def name(self) -> str:
        return f"{Path(self.page).stem}-{self.width}-{self.scheme}.png"


def views(
    report: Path,
    program: str,
    widths: tuple[int, ...] = WIDTHS,
    schemes: tuple[str, ...] = SCHEMES,
    picture: bool = True,
) -> Iterator[View]:
    """Every page of a report folder at every width, in every colour scheme."""
    pages = sorted(report.glob("*.html"))
    if not pages:
        raise SystemExit(f"{report}: no page (*.html) in this folder; give the folder of a report")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(program, Path(profile))
        try:
            for page in pages:
                for width in widths:
                    for scheme in schemes:
                        yield _view(browser, page, width, scheme, picture)
        finally:
            browser.close()


def _view(browser: Browser, page: Path, width: int, scheme: str, picture: bool) -> View:
    target = browser.ask("Target.createTarget", url="about:blank")["targetId"]
    session = browser.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    browser.events.clear()
    for domain in ("Page", "Network", "Log"):
        browser.ask(f"{domain}.enable", session)
    phone = width < 600
    browser.ask(
        "Emulation.setDeviceMetricsOverride",
        session,
        width=width,
        height=900,
        deviceScaleFactor=1,
        mobile=phone,
    )
    browser.ask(
        "Emulation.setEmulatedMedia", session, features=[{"name": "prefers-color-scheme", "value": scheme}]
    )
    browser.ask("Page.navigate", session, url=page.resolve().as_uri())
    browser.wait_for("Page.loadEventFired", session)
    size = browser.ask("Page.getLayoutMetrics", session)["cssContentSize"]
    pictures = []
    for top in range(0, math.ceil(size["height"]) if picture else 0, TALLEST):
        clip = {
            "x": 0,
            "y": top,
            "width": max(width, size["width"]),
            "height": min(size["height"] - top, TALLEST),
            "scale": 1,
        }
        answer = browser.ask(
            "Page.captureScreenshot", session, format="png", captureBeyondViewport=True, clip=clip
        )
        pictures.append(base64.b64decode(answer["data"]))
    mine = [e for e in browser.events if e.get("sessionId") == session]
    asked = tuple(e["params"]["request"]["url"] for e in mine if e["method"] == "Network.requestWillBeSent")
    said = tuple(
        e["params"]["entry"]["text"]
        for e in mine
        if e["method"] == "Log.entryAdded" and e["params"]["entry"]["level"] in ("error", "warning")
    )
    browser.ask("Target.closeTarget", targetId=target)
    return View(
        page=page.name,
        width=width,
        scheme=scheme,
        content_width=size["width"],
        content_height=size["height"],
        requests=tuple(u for u in asked if u != page.resolve().as_uri() and not u.startswith("data:")),
        complaints=said,
        pictures=tuple(pictures),
    )


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        print("usage: python tests/screenshots.py REPORT OUT", file=sys.stderr)
        return 2
    report, out = map(Path, arguments)
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        print(
            f"none of {', '.join(BROWSERS)} is installed (Debian: apt-get install chromium)", file=sys.stderr
        )
        return 2
    out.mkdir(parents=True, exist_ok=True)
    wide = 0
    for view in views(report, program):
        for number, picture in enumerate(view.pictures):
            (out / view.name.replace(".png", f"-{number + 1}.png" if number else ".png")).write_bytes(picture)
        verdict = f"SCROLLS SIDEWAYS: {view.content_width:.0f} wide" if view.scrolls_sideways else "ok"
        wide += view.scrolls_sideways
        print(f"{view.name}: {verdict}")
    return 1 if wide else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
