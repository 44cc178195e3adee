"""Pictures of every page of a report, as a browser shows it, and what looks wrong in them.

``python -m tests.screenshots REPORT OUT`` opens each page of a report folder in headless Chromium at the
width of a phone, a tablet and a desk, light and dark, with every data table open, and writes one PNG for
each. It fails, naming the page, the width and the exhibit, where a page scrolls sideways, where text lies
over text, where text is cut off, where a plot is empty, and where a table is wider than a desk's page
(``tests/page_layout.js`` says how each is seen).
"""

from __future__ import annotations

import functools
import math
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.chromium_over_a_pipe import BROWSERS, Tab, started

WIDTHS = (390, 768, 1180)
SCHEMES = ("light", "dark")
TALLEST = 16_000
"""Chromium cannot take a taller picture (a limit of its graphics textures): the rest of a page is another."""

OPEN_DATA_TABLES = "document.querySelectorAll('.dl details').forEach(d => d.open = true)"


@dataclass(frozen=True)
class View:
    """One page as a browser laid it out."""

    page: str
    width: int
    scheme: str
    content_height: float
    faults: tuple[str, ...]
    requests: tuple[str, ...]
    complaints: tuple[str, ...]
    pictures: tuple[bytes, ...]

    @property
    def name(self) -> str:
        return f"{Path(self.page).stem}-{self.width}-{self.scheme}.png"


@functools.cache
def layout_script() -> str:
    """The function that looks for faults, as an expression."""
    return f"({Path(__file__).with_name('page_layout.js').read_text(encoding='utf-8')})"


def pages_of(report: Path) -> list[Path]:
    """The pages of a report's folder, in order of their names."""
    pages = sorted(report.glob("*.html"))
    if not pages:
        raise SystemExit(f"{report}: no page (*.html) in this folder; give the folder of a report")
    return pages


def views(
    report: Path,
    program: str,
    widths: tuple[int, ...] = WIDTHS,
    schemes: tuple[str, ...] = SCHEMES,
    picture: bool = True,
) -> Iterator[View]:
    """Every page of a report folder at every width, in every colour scheme."""
    with started(program) as browser:
        for page in pages_of(report):
            tab = Tab(browser)
            tab.open(page.resolve().as_uri())
            tab.run(OPEN_DATA_TABLES)
            for width in widths:
                for scheme in schemes:
                    yield view(tab, width, scheme, picture)
            tab.close()


def view(tab: Tab, width: int, scheme: str, picture: bool = True) -> View:
    """The page of a tab at one width, in one colour scheme."""
    tab.look(width, scheme)
    height = tab.height()
    tops = range(0, math.ceil(height) if picture else 0, TALLEST)
    return View(
        page=tab.url.rsplit("/", 1)[-1],
        width=width,
        scheme=scheme,
        content_height=height,
        faults=tuple(tab.run(f"{layout_script()}({width})")),
        requests=tab.requests(),
        complaints=tab.complaints(),
        pictures=tuple(tab.picture(top, min(height - top, TALLEST)) for top in tops),
    )


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        print("usage: python -m tests.screenshots REPORT OUT", file=sys.stderr)
        return 2
    report, out = map(Path, arguments)
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        print(
            f"none of {', '.join(BROWSERS)} is installed (Debian: apt-get install chromium)", file=sys.stderr
        )
        return 2
    out.mkdir(parents=True, exist_ok=True)
    wrong = 0
    for one in views(report, program):
        for number, picture in enumerate(one.pictures):
            (out / one.name.replace(".png", f"-{number + 1}.png" if number else ".png")).write_bytes(picture)
        said = [*one.faults, *(f"REQUEST: {r}" for r in one.requests), *one.complaints]
        wrong += len(said)
        print(f"{one.name}: {'ok' if not said else ''}{''.join(f'{chr(10)}  {s}' for s in said)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
