"""Is this environment the one that the lock and the report's manifest describe, and can it make a report?"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from medhome.reporting.made_with import environment_here
from medhome.study.provenance import PACKAGES

OLDEST = (3, 11)
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FONT = Path("mpl-data", "fonts", "ttf", "DejaVuSans.ttf")
NEEDED = (
    *PACKAGES,
    *("ipykernel", "ipython", "jupyter-client", "latex2mathml", "nbclient", "nbformat"),
    *("packaging", "rich", "sqlglot", "typer"),
)
"""Packages without which no report is made; the others of the lock are what these and the tests need."""

_EXIT = {"missing": 1, "differs": 3, "ok": 0, "optional": 0}
STANDINGS = ("missing", "differs", "optional", "ok")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at: missing (no report without it), differs, optional (absent), or ok."""

    part: str
    name: str
    standing: str
    here: str
    wanted: str = ""
    advice: str = ""

    @property
    def line(self) -> str:
        wanted = f", {self.wanted} wanted" if self.wanted and self.standing != "ok" else ""
        advice = f": {self.advice}" if self.advice and self.standing != "ok" else ""
        return f"{self.standing:8} {self.part:9} {self.name} {self.here}{wanted}{advice}"


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """Everything that was looked at, the gravest first."""

    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        """1 when something needed is missing, else 3 when something is not as locked or published, else 0."""
        codes = {_EXIT[f.standing] for f in self.findings}
        return 1 if 1 in codes else 3 if 3 in codes else 0

    def to_plain(self) -> dict[str, Any]:
        return {
            "schema": "medhome/doctor/1",
            "exit_code": self.exit_code,
            "findings": [
                {k: getattr(f, k) for k in ("part", "name", "standing", "here", "wanted", "advice")}
                for f in self.findings
            ],
        }

    def to_text(self) -> str:
        word = {0: "as locked", 1: "something needed is missing", 3: "works, but is not as locked"}
        return "\n".join([f"environment: {word[self.exit_code]}", *(f.line for f in self.findings)])


def examine(lock: Path | None, package: Path, published: Mapping[str, Any] | None = None) -> Diagnosis:
    """Look at the environment that runs this.

    Arguments
        lock: ``requirements.lock``, or None where there is none (an installed package).
        package: folder of the package's sources.
        published: the manifest of a report, to name what differs from where it was made.
    """
    found = [*_python(), *_packages(lock), *_surroundings()]
    if published is not None:
        found += _as_published(published, package)
    return Diagnosis(findings=tuple(sorted(found, key=lambda f: STANDINGS.index(f.standing))))


def locked_versions(lock: Path) -> dict[str, str]:
    """Name and version of every package that the lock holds for this Python and platform."""
    pins: dict[str, str] = {}
    text = lock.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            pin = Requirement(line.split(" --hash=")[0].strip())
            if pin.marker is None or pin.marker.evaluate({"extra": ""}):
                pins[canonicalize_name(pin.name)] = str(pin.specifier).removeprefix("==")
    return pins


def _python() -> Iterator[Finding]:
    here, oldest = platform.python_version(), ".".join(map(str, OLDEST))
    good = sys.version_info[:2] >= OLDEST
    yield Finding(
        part="python",
        name=platform.python_implementation(),
        standing="ok" if good else "missing",
        here=here,
        wanted=f"{oldest} or later",
        advice="" if good else "install a later Python",
    )


def _packages(lock: Path | None) -> Iterator[Finding]:
    if lock is None:
        yield Finding(
            part="lock",
            name="requirements.lock",
            standing="optional",
            here="is not here",
            advice="a checkout or a replication package has it; versions were compared with nothing",
        )
    pins = {} if lock is None else locked_versions(lock)
    needed = {canonicalize_name(name) for name in NEEDED}
    absent = 0
    for name in sorted({*pins, *needed}):
        here, wanted = _version(name), pins.get(name, "")
        if here is None and name in needed:
            yield Finding(
                part="package", name=name, standing="missing", here="is not installed", wanted=wanted,
                advice="pip install --require-hashes -r requirements.lock",
            )  # fmt: skip
        elif here is None:
            absent += 1
        elif wanted and here != wanted:
            yield Finding(part="package", name=name, standing="differs", here=here, wanted=wanted)
        elif name in needed:
            yield Finding(part="package", name=name, standing="ok", here=here, wanted=wanted)
    if absent:
        yield Finding(
            part="lock",
            name=f"{absent} further locked packages",
            standing="optional",
            here="are not installed",
            advice="tests and tools need them, reports do not",
        )


def _surroundings() -> Iterator[Finding]:
    """What stands beside the packages: fonts, engines, a browser, a place for kernels."""
    matplotlib = importlib.util.find_spec("matplotlib")
    font = matplotlib is not None and (Path(str(matplotlib.origin)).parent / FONT).is_file()
    yield Finding(
        part="font",
        name="DejaVu Sans",
        standing="ok" if font else "missing",
        here="comes with matplotlib" if font else "is not in matplotlib's folder",
        advice="figures are laid out with it; install matplotlib from its wheel",
    )
    for name, module, advice in (
        ("datafusion", "datafusion", "pip install 'medhome[engines]', for --engine datafusion"),
        ("spark", "pyspark", "pip install 'medhome[spark]' and Java, for --engine spark"),
    ):
        here = _version(module)
        java = module != "pyspark" or shutil.which("java") is not None
        yield Finding(
            part="engine",
            name=name,
            standing="ok" if here and java else "optional",
            here=(here or "is not installed") if java or not here else f"{here} without Java",
            advice=advice,
        )
    browser = next((b for b in BROWSERS if shutil.which(b)), None)
    yield Finding(
        part="browser",
        name=browser or "Chromium",
        standing="ok" if browser else "optional",
        here="is here" if browser else "is not here",
        advice="only the tests of pages and make screenshots use it",
    )
    try:
        with tempfile.TemporaryDirectory(prefix="mh"):
            standing, here = "ok", "can be written"
    except OSError as error:
        standing, here = "missing", f"cannot be written ({error.strerror})"
    yield Finding(
        part="folder", name="for temporary files", standing=standing, here=here, advice="name one in TMPDIR"
    )


def _as_published(published: Mapping[str, Any], package: Path) -> Iterator[Finding]:
    """What the manifest of a report says of its environment, beside this one."""
    from medhome.reporting.differences import differences, short

    here = {"environment": environment_here(package)}
    for one in differences({"environment": published.get("environment", {})}, here):
        yield Finding(
            part="report",
            name=one.name,
            standing="differs",
            here=short(one.new),
            wanted=short(one.old),
            advice="the report was made with it",
        )


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
