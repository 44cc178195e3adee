"""May this report leave the house? Every audit over all of its files together, and the copy when all pass.

The gate (`medhome.reporting.disclosure`) withheld small counts before anything was drawn. The audits here
look at what was written, as a reader could: they trust neither the gate nor the files.
"""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medhome.reporting import disclosure, read_as_outsider, released_text
from medhome.reporting.json_files import write_json
from medhome.reporting.manifest import NAME as MANIFEST
from medhome.reporting.result_columns import MEMBER_MONTHS
from medhome.reporting.results_file import numbers as numbers_of
from medhome.reporting.rounded_counts import BASE
from medhome.reporting.verify import Published
from medhome.study.problems import DisclosureRefused
from medhome.study.released import ReleasedRun
from medhome.study.results import Evaluation, frames

NAME = "disclosure.json"
ONE_ROW_A_PERSON = ("person_id", "member_id", "claim_id", "claim_line_number")
_ROUNDED = ("members", "clinicians", "lines", "claim lines", "people", "respondents", "people asked", "rows")
_PEOPLE = (
    "members",
    "practices",
    "clinicians",
    "lines",
    "claim lines",
    "people",
    "respondents",
    "people asked",
)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A report that asks to be released: its folder, its manifest and digests, its saved results.

    identifiers: of people and claims in the input tables, where these are at hand.
    """

    folder: Path
    published: Published
    run: ReleasedRun
    identifiers: frozenset[str] = frozenset()

    @property
    def names(self) -> list[str]:
        """The files that would be released."""
        outputs = self.published.manifest["outputs"]
        return [MANIFEST, *(o["name"] for o in outputs if o.get("class") == "release")]


@dataclass(frozen=True, kw_only=True)
class Audit:
    """One audit: what it looks for, and what it found (nothing when it passed)."""

    id: str
    looks_for: str
    findings: tuple[str, ...]


def audit(candidate: Candidate) -> tuple[Audit, ...]:
    """Every audit of a report, passed or not."""
    return tuple(
        Audit(id=name, looks_for=words, findings=tuple(look(candidate))) for name, words, look in AUDITS
    )


def release(candidate: Candidate, out: Path) -> Path:
    """Copy a report's released files to ``out/<study>/<through>/``, with ``disclosure.json``, or refuse.

    An earlier release of the same study and period is replaced, whole. Raises `DisclosureRefused` with every
    finding of every audit; then nothing was written.
    """
    audits = audit(candidate)
    found = [f"{a.id}: {finding}" for a in audits for finding in a.findings]
    if found:
        listed = "\n".join(f"  {f}" for f in found)
        raise DisclosureRefused(f"{candidate.folder}: not released; {len(found)} findings\n{listed}")
    spec = candidate.run.spec
    target = out / spec.id / spec.periods.through
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".releasing-") as name:
        made = Path(name) / "report"
        for file in candidate.names:
            (made / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(candidate.folder / file, made / file)
        write_json(document(candidate, audits), made / NAME)
        if target.exists():
            os.rename(target, Path(name) / "before")
        os.rename(made, target)
    return target


def document(candidate: Candidate, audits: tuple[Audit, ...]) -> dict[str, Any]:
    """What ``disclosure.json`` holds: the policy, what was withheld, and what each audit looked for."""
    manifest = candidate.published.manifest
    return {
        "schema": "medhome/disclosure/1",
        "run_id": manifest["run_id"],
        **{k: v for k, v in manifest["disclosure"].items() if k != "audit"},
        "audit": "refused" if any(a.findings for a in audits) else "passed",
        "numbers": len(candidate.published.numbers),
        "identifiers_of_the_inputs": len(candidate.identifiers),
        "audits": [{"id": a.id, "looks_for": a.looks_for, "findings": len(a.findings)} for a in audits],
        "files": sorted(candidate.names),
    }


def _files(candidate: Candidate) -> Iterator[str]:
    """Every released file is there, unchanged, and of a kind that a report is made of."""
    for name in candidate.published.altered:
        yield f"{name}: not the file that the manifest describes"
    for name in candidate.names:
        path = candidate.folder / name
        if not path.is_file():
            yield f"{name}: the manifest describes it, and it is not there"
        elif path.suffix not in released_text.KINDS:
            yield f"{name}: not a kind of file that a report is made of"


def _small_counts(candidate: Candidate) -> Iterator[str]:
    """Counts of people, practices and lines in the saved results."""
    floor, found = candidate.run.spec.disclosure.floor, candidate.run.evaluation
    for name in Evaluation.PARTS:
        part = getattr(found, name)
        for field, frame in frames(part):
            for column in getattr(part, "COUNTS", {}).get(field, ()):
                if column in frame and any(disclosure.small(n, floor) for n in frame[column]):
                    yield f"{name}.{field}: a value of {column} lies between 1 and {floor - 1}"
    for name in ("members", "practices", "clinicians"):
        counts: Mapping[str, Any] = getattr(found.cohort, name)
        for arm, value in counts.items():
            if disclosure.small(value, floor):
                yield f"cohort.{name}: the {arm} arm has between 1 and {floor - 1}"


def _by_subtraction(candidate: Candidate) -> Iterator[str]:
    """Counts that follow from the rows of the cohort flow."""
    try:
        disclosure.audit(candidate.run.evaluation.attrition.frame, candidate.run.spec.disclosure.floor)
    except DisclosureRefused as refused:
        yield str(refused)


def _results(candidate: Candidate) -> Iterator[str]:
    """Counts of people in ``results.json`` itself, whatever the saved results say."""
    floor = candidate.run.spec.disclosure.floor
    for name, number in candidate.published.numbers.items():
        if number.get("unit") in _PEOPLE:
            small = number.get("kind") == "count" and disclosure.small(number.get("value"), floor)
            if small:
                yield f"{name}: lies between 1 and {floor - 1}"
        if number.get("suppressed") and number.get("value") is not None:
            yield f"{name}: is withheld, and has a value"
        for what, value in (number.get("n") or {}).items():
            if what in ("members", "practices", "clinicians") and disclosure.small(value, floor):
                yield f"{name}: its number of {what} lies between 1 and {floor - 1}"


def _rows(candidate: Candidate) -> Iterator[str]:
    """Tables with a row for a person or a claim, and tables that no result declares."""
    import pyarrow.parquet as pq

    declared = {
        f"evaluation/{name}.{field}.parquet"
        for name in Evaluation.PARTS
        for field, _ in frames(getattr(candidate.run.evaluation, name))
    }
    for name in candidate.names:
        path = candidate.folder / name
        if path.suffix != ".parquet" or not path.is_file():
            continue
        columns = pq.read_schema(path).names
        if name not in declared:
            yield f"{name}: a table that no part of the results declares"
        for column in ONE_ROW_A_PERSON:
            if column in columns:
                yield f"{name}: has the column {column}"


def _agreement(candidate: Candidate) -> Iterator[str]:
    """Numbers of ``results.json`` that the saved results do not have: one of the two was changed."""
    saved = numbers_of(candidate.run.evaluation, candidate.run.spec)
    told = candidate.published.numbers
    for name in sorted({*saved} ^ {*told}):
        yield f"{name}: in the saved results or in results.json, not in both"
    for name in (n for n in told if n in saved):
        for part in ("value", "suppressed", "n"):
            before, after = saved[name].get(part), told[name].get(part)
            if before != after and not _close(before, after):
                yield f"{name}: its {part} is not that of the saved results"


def _rounded(candidate: Candidate) -> Iterator[str]:
    """Under a rounding policy: counts and member-months that are no multiple of its base."""
    if not candidate.run.spec.disclosure.rounding:
        return
    for name, number in candidate.published.numbers.items():
        value = number.get("value")
        if number.get("unit") in (*_ROUNDED, MEMBER_MONTHS) and value is not None and value % BASE:
            yield f"{name}: is no multiple of {BASE}"
        for what, n in (number.get("n") or {}).items():
            if what in ("members", "member_months", "clinicians") and n is not None and n % BASE:
                yield f"{name}: its number of {what} is no multiple of {BASE}"


def _close(before: Any, after: Any) -> bool:
    """Saved numbers have all their digits, those of results.json ten, on whatever machine they were made."""
    numeric = all(isinstance(v, float) for v in (before, after))
    return numeric and math.isclose(before, after, rel_tol=1e-8, abs_tol=1e-12)


def _derived(candidate: Candidate) -> Iterator[str]:
    """Counts that follow from all numbers of ``results.json`` together, or stand on a page."""
    spec = candidate.run.spec
    floor = spec.disclosure.floor
    yield from read_as_outsider.derived(candidate.published.numbers, spec, floor)
    for name in (n for n in candidate.names if n.endswith(".html") and (candidate.folder / n).is_file()):
        page = (candidate.folder / name).read_text(encoding="utf-8")
        yield from (f"{name}{said}" for said in read_as_outsider.on_page(page, floor))


def _text(candidate: Candidate) -> Iterator[str]:
    """Paths, users, hosts, identifiers and sources in the network, in every file that is released."""
    for name in candidate.names:
        path = candidate.folder / name
        if path.suffix in released_text.KINDS and path.is_file():
            for found in released_text.findings(path, candidate.identifiers, (candidate.folder,)):
                yield f"{name}: {found}"


Look = Callable[[Candidate], Iterator[str]]

AUDITS: tuple[tuple[str, str, Look], ...] = (
    ("files", "files that are missing, changed after publication, or of another kind", _files),
    ("small-counts", "small counts of people, practices and lines in the saved results", _small_counts),
    ("subtraction", "small counts that follow by subtraction within the cohort flow", _by_subtraction),
    ("results", "small counts in results.json, and withheld numbers with a value", _results),
    ("agreement", "numbers of results.json that are not those of the saved results", _agreement),
    ("rounded", "counts that the study's policy rounds, and that are not rounded", _rounded),
    ("derived", "small counts that follow from all released tables together, or stand on a page", _derived),
    ("rows", "tables with a row for a person or a claim", _rows),
    ("text", "identifiers, paths, users, hosts and sources in the network, in any released file", _text),
)
"""Every audit of a release: its name, what it looks for, and the function that looks."""
