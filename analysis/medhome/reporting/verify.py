"""Do the numbers of a published report come out again? One verdict for each number.

same: equal after rounding to 10 significant digits (counts and sums of dollars: equal). agrees: within the
tolerance of its kind. differs: not. missing: published, but not found again. new: found, but not published.
Beside the verdicts stand the inputs, packages, parameters and code that are not as the manifest of the
published report says.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medhome.reporting.differences import Difference, differences, likely_cause
from medhome.reporting.file_schemas import faults
from medhome.reporting.json_files import read_json
from medhome.reporting.manifest import NAME as MANIFEST
from medhome.reporting.results_file import SCHEMA, TOLERANCES, significant
from medhome.study.problems import DataProblem
from medhome.study.provenance import file_digest

RESULTS = "results.json"
VERDICTS = ("differs", "missing", "new", "agrees", "same")
"""In the order in which they are shown."""

_AGREE = ("same", "agrees")
_SMALLEST = 1e-12
"""Differences below this are rounding, whatever the size of the number."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One number: as published, as found again, and the part of it that differs most."""

    name: str
    verdict: str
    label: str
    unit: str
    part: str
    published: Any
    found: Any

    @property
    def line(self) -> str:
        what = f"{self.name} {self.part}" if self.part != "value" else self.name
        before, now = f"{_shown(self.published)} {self.unit}", f"{_shown(self.found)} {self.unit}"
        if self.verdict == "missing":
            values = f"published {before}, not found again"
        elif self.verdict == "new":
            values = f"not published, found {now}"
        else:
            values = f"published {before}, found {now}"
        return f"{self.verdict:8} {what}: {values}"


@dataclass(frozen=True, kw_only=True)
class Published:
    """A report as it lies in its folder."""

    numbers: Mapping[str, Mapping[str, Any]]
    manifest: Mapping[str, Any]
    altered: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Verification:
    """The verdict on every number, the differing ones first, and what was not as published."""

    verdicts: tuple[Verdict, ...]
    altered: tuple[str, ...]
    differences: tuple[Difference, ...]
    study: str = ""
    run_id: str = ""

    @property
    def drift(self) -> tuple[str, ...]:
        """What is not as the published manifest says: data, parameters, code, environment, in lines."""
        return tuple(d.line for d in self.differences)

    @property
    def cause(self) -> str:
        """Why numbers do not agree, as far as manifests tell; empty when they do."""
        return "" if self.agrees else likely_cause(self.differences, self.altered)

    @property
    def agrees(self) -> bool:
        """Whether every number is the same or agrees, and no file was changed after publication."""
        return not self.altered and all(v.verdict in _AGREE for v in self.verdicts)

    @property
    def counts(self) -> dict[str, int]:
        found = Counter(v.verdict for v in self.verdicts)
        return {verdict: found[verdict] for verdict in VERDICTS}

    def to_plain(self) -> dict[str, Any]:
        return {
            "schema": "medhome/verification/1",
            "agrees": self.agrees,
            "study": self.study,
            "run_id": self.run_id,
            "counts": self.counts,
            "altered": list(self.altered),
            "drift": list(self.drift),
            "differences": [d.to_plain() for d in self.differences],
            "likely_cause": self.cause,
            "numbers": [
                {
                    "name": v.name,
                    "verdict": v.verdict,
                    "part": v.part,
                    "published": v.published,
                    "found": v.found,
                }
                for v in self.verdicts
            ],
        }

    def to_text(self, most: int = 40) -> str:
        """The counts, what is not as published, and the numbers that do not agree."""
        counted = ", ".join(f"{n} {verdict}" for verdict, n in self.counts.items() if n)
        word = "verified" if self.agrees else "NOT verified"
        lines = [f"{word}: {len(self.verdicts)} numbers: {counted or 'none'}"]
        lines += [f"altered  {name}: not the file that the manifest describes" for name in self.altered]
        bad = [v for v in self.verdicts if v.verdict not in _AGREE]
        lines += [v.line for v in bad[:most]]
        if len(bad) > most:
            lines.append(f"... and {len(bad) - most} more; --json lists all")
        lines += [self.cause] if self.cause else []
        if self.drift:
            lines += ["not as published:", *(f"  {line}" for line in self.drift)]
        return "\n".join(lines)


def read_published(folder: Path) -> Published:
    """Read a published report: ``results.json`` and ``manifest.json``; other files are checked where present.

    Raises `DataProblem` when the folder is not a report's.
    """
    if not folder.is_dir():
        raise DataProblem(
            f"{folder}: there is no such folder; give the folder of a report, with {RESULTS} in it"
        )
    manifest, results = read_json(folder / MANIFEST), read_json(folder / RESULTS)
    for name, document, part in ((MANIFEST, manifest, "outputs"), (RESULTS, results, "numbers")):
        if not isinstance(document, dict) or part not in document or "schema" not in document:
            raise DataProblem(f"{folder / name}: not written by medhome: it has no {part!r}")
    if results["schema"] != SCHEMA:
        raise DataProblem(
            f"{folder / RESULTS}: has the schema {results['schema']!r}; this medhome reads {SCHEMA!r}"
        )
    for name, document in ((MANIFEST, manifest), (RESULTS, results)):
        broken = faults(name.removesuffix(".json"), document, most=3, illegible=True)
        if broken:
            raise DataProblem(
                f"{folder / name}: not as medhome writes it ({'; '.join(broken)}); copy it again from where "
                "it was published"
            )
    return Published(numbers=results["numbers"], manifest=manifest, altered=tuple(_altered(folder, manifest)))


def verify(published: Path, fresh: Path) -> Verification:
    """Compare two folders: a published report, and the same study run again."""
    again = read_published(fresh)
    return compare(read_published(published), {"numbers": again.numbers}, again.manifest)


def compare(published: Published, fresh: Mapping[str, Any], manifest: Mapping[str, Any]) -> Verification:
    """Give every number a verdict.

    Arguments
        published: what `read_published` read.
        fresh: the results document of the run just made.
        manifest: what made that run, to name what is not as published.
    """
    return Verification(
        verdicts=judge(published, fresh["numbers"]),
        altered=published.altered,
        differences=differences(published.manifest, manifest),
        study=str(published.manifest["study"]["title"]),
        run_id=str(published.manifest["run_id"]),
    )


def judge(published: Published, found: Mapping[str, Mapping[str, Any]]) -> tuple[Verdict, ...]:
    """A verdict for every number of two sets, the differing ones first, and the headline before others."""
    names = [*published.numbers, *(n for n in found if n not in published.numbers)]
    verdicts = [_verdict(name, published.numbers.get(name), found.get(name)) for name in names]
    verdicts.sort(key=lambda v: (VERDICTS.index(v.verdict), not _headline(v, published, found), v.name))
    return tuple(verdicts)


def _verdict(name: str, published: Mapping[str, Any] | None, found: Mapping[str, Any] | None) -> Verdict:
    either: Mapping[str, Any] = published or found or {}
    words = {"name": name, "label": str(either.get("label", "")), "unit": str(either.get("unit", ""))}
    if published is None or found is None:
        verdict = "new" if published is None else "missing"
        return Verdict(
            verdict=verdict,
            part="value",
            published=published and published.get("value"),
            found=found and found.get("value"),
            **words,
        )
    worst = ("same", "value", published.get("value"), found.get("value"))
    for part, before, now in _parts(published, found):
        verdict = _compare(part, before, now, published)
        if VERDICTS.index(verdict) < VERDICTS.index(worst[0]):
            worst = (verdict, part, before, now)
    return Verdict(verdict=worst[0], part=worst[1], published=worst[2], found=worst[3], **words)


def _parts(published: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """The values that make up one number: itself, its uncertainty, its sizes, its being withheld."""
    for name in ("value", "suppressed", "unit", "kind", "se", "p", "df"):
        yield name, published.get(name), found.get(name)
    for name in ("ci90", "ci95"):
        before, now = published.get(name) or (None, None), found.get(name) or (None, None)
        yield f"{name} low", before[0], now[0]
        yield f"{name} high", before[1], now[1]
    before, now = published.get("n") or {}, found.get("n") or {}
    for name in sorted({*before, *now}):
        yield f"n {name}", before.get(name), now.get(name)


def _compare(part: str, before: Any, now: Any, published: Mapping[str, Any]) -> str:
    numeric = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in (before, now))
    if not numeric:
        return "same" if before == now else "differs"
    kind = "count" if part.startswith("n ") else str(published.get("kind"))
    allowed = {} if kind == "count" else published.get("tolerance", TOLERANCES.get(kind, {}))
    if before == now or (allowed and significant(before) == significant(now)):
        return "same"
    # An estimate near zero is as exact as what it is the difference of, of which its standard error tells the
    # order. A hundredth of that leaves a change by a millionth visible in small estimates too.
    size = max(abs(before), abs(now), 0.01 * abs(published.get("se") or 0.0) if part != "p" else 0.0)
    limit = max(float(allowed.get("rtol", 0.0)) * size, float(allowed.get("atol", 0.0)), _SMALLEST)
    return "agrees" if math.isclose(before, now, rel_tol=0.0, abs_tol=limit) else "differs"


def _headline(verdict: Verdict, published: Published, found: Mapping[str, Any]) -> bool:
    return any(bool(numbers.get(verdict.name, {}).get("headline")) for numbers in (published.numbers, found))


def _altered(folder: Path, manifest: Mapping[str, Any]) -> Iterator[str]:
    """Files that are not as the manifest describes them; so is a results file that it does not describe."""
    described = {item["name"]: item["sha256"] for item in manifest["outputs"]}
    if RESULTS not in described:
        yield RESULTS
    for name, digest in described.items():
        path = folder / name
        if path.is_file() and file_digest(path) != digest:
            yield name


def _shown(value: Any) -> str:
    return "no value" if value is None else f"{value:,.10g}" if isinstance(value, float) else f"{value}"
