"""Do a report's own files agree with one another? For a reviewer who may not have the data.

Digests, the run's id, sums, ratios, intervals and the amounts in the report's sentences are held against
``manifest.json`` and ``results.json``. Nothing is computed anew: numbers that were wrong from the start and
agree with each other pass. ``medhome verify`` with the data finds those.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medhome.reporting.amounts import Amount, Known, Numbers, amounts, sentences, written
from medhome.reporting.file_schemas import faults
from medhome.reporting.json_files import read_json
from medhome.reporting.manifest import run_id_of
from medhome.reporting.table_numbers import unsupported
from medhome.reporting.verify import RESULTS, Published

_FIRST = "index.html"


@dataclass(frozen=True, kw_only=True)
class Held:
    """One kind of agreement: what was held against what, how often, and where it failed."""

    id: str
    about: str
    compared: int
    findings: tuple[str, ...]

    @property
    def line(self) -> str:
        word = f"{len(self.findings)} of {self.compared} fail" if self.findings else f"{self.compared} hold"
        return f"{self.about}: {word}"


@dataclass(frozen=True, kw_only=True)
class Consistency:
    """What was held against what in a report's own files.

    absent: files that the manifest describes and that are not here. amounts: those of the report's sentences,
    each with the results that read like it. odd_cells: numbers of tables that are no results.
    """

    run_id: str
    held: tuple[Held, ...]
    absent: tuple[str, ...]
    amounts: tuple[Amount, ...] = ()
    odd_cells: tuple[str, ...] = ()

    @property
    def unsupported(self) -> tuple[str, ...]:
        """Amounts of sentences and tables that are no result: to be looked at, no failure."""
        told = dict.fromkeys(one.line for one in self.amounts if not one.names)
        return (*told, *self.odd_cells)

    @property
    def agrees(self) -> bool:
        return not any(h.findings for h in self.held)

    def to_plain(self) -> dict[str, Any]:
        return {
            "schema": "medhome/consistency/1",
            "agrees": self.agrees,
            "run_id": self.run_id,
            "held": [
                {"id": h.id, "about": h.about, "compared": h.compared, "findings": list(h.findings)}
                for h in self.held
            ],
            "absent": list(self.absent),
            "amounts": [
                {"page": a.page, "amount": a.text, "around": a.around, "results": list(a.names)}
                for a in self.amounts
            ],
            "unsupported": list(self.unsupported),
        }

    def to_text(self) -> str:
        word = "its files agree with one another" if self.agrees else "its files do NOT agree"
        lines = [f"run {self.run_id[:16]}: {word} (nothing was computed anew)"]
        for one in self.held:
            lines += [one.line, *(f"  {finding}" for finding in one.findings)]
        if self.absent:
            lines.append(f"not here, and so not looked at: {', '.join(self.absent)}")
        if self.unsupported:
            lines.append("amounts in sentences and tables that results.json does not hold as they are:")
            lines += [f"  {line}" for line in self.unsupported]
        return "\n".join(lines)


def consistency(published: Published, folder: Path) -> Consistency:
    """Hold a report's files against one another.

    Arguments
        published: what `verify.read_published` read from ``folder``.
    """
    manifest, numbers = published.manifest, published.numbers
    here = [o["name"] for o in manifest["outputs"] if (folder / o["name"]).is_file()]
    pages = {name: sentences(folder / name) for name in here if name.endswith(".html")}
    said = amounts(pages, numbers, manifest.get("parameters", {}))
    documents = {"manifest": manifest, "results": read_json(folder / RESULTS)}
    results_id = documents["results"].get("run_id")
    ids = {"run_id of the manifest": run_id_of(manifest), f"run_id of {RESULTS}": results_id}
    wrong = [f"{what}: {found}" for what, found in ids.items() if found != manifest.get("run_id")]
    odd = tuple(fault for name, document in documents.items() for fault in faults(name, document))
    held = [
        Held(id="shape", about="manifest and results with their schemas", compared=2, findings=odd),
        Held(id="digests", about="files with their digests", compared=len(here), findings=published.altered),
        Held(id="run", about="the run's id with what made it", compared=len(ids), findings=tuple(wrong)),
    ]
    for name, about, look in LAWS:
        found = list(look(numbers))
        held.append(
            Held(id=name, about=about, compared=len(found), findings=tuple(f for f in found if f is not None))
        )
    unsaid = tuple(_unsaid(pages, numbers))
    found_in = sum(1 for one in said if one.names)
    held.append(
        Held(id="text", about="amounts in sentences with results.json", compared=found_in, findings=unsaid)
    )
    shown, odd_cells = unsupported({n: folder / n for n in here if n.endswith(".html")}, numbers)
    held.append(Held(id="tables", about="numbers of tables with results.json", compared=shown, findings=()))
    outputs = [o["name"] for o in manifest["outputs"]]
    return Consistency(
        run_id=str(manifest.get("run_id")),
        held=tuple(held),
        absent=tuple(n for n in outputs if n not in here),
        amounts=tuple(said),
        odd_cells=tuple(odd_cells),
    )


def _intervals(numbers: Numbers) -> Iterator[str | None]:
    """Intervals that hold their estimate, the narrow inside the wide."""
    for name, number in numbers.items():
        value, narrow, wide = (number.get(k) for k in ("value", "ci90", "ci95"))
        for level, interval in (("90%", narrow), ("95%", wide)):
            if value is not None and interval is not None:
                inside = _at_most(interval[0], value) and _at_most(value, interval[1])
                yield None if inside else f"{name}: {value} lies outside its {level} interval {interval}"
        if narrow is not None and wide is not None:
            inside = _at_most(wide[0], narrow[0]) and _at_most(narrow[1], wide[1])
            yield None if inside else f"{name}: the 90% interval {narrow} lies outside the 95% one {wide}"


def _ratios(numbers: Numbers) -> Iterator[str | None]:
    """Actual over expected, and actual less expected, under each definition."""
    for name in numbers:
        if not name.endswith(".ae_ratio"):
            continue
        stem = name.removesuffix("ae_ratio")
        parts = (f"{stem}actual_pmpm", f"{stem}expected_pmpm", f"{stem}difference_pmpm", name)
        actual, expected, difference, ratio = (numbers.get(p, {}).get("value") for p in parts)
        if actual is not None and expected and ratio is not None:
            good = math.isclose(actual / expected, ratio, rel_tol=1e-8)
            yield None if good else f"{name}: {ratio}, but actual over expected is {actual / expected:.10g}"
        if actual is not None and expected is not None and difference is not None:
            good = math.isclose(actual - expected, difference, rel_tol=1e-8, abs_tol=1e-6)
            wrong = f"{parts[2]}: {difference}, but actual less expected is {actual - expected:.10g}"
            yield None if good else wrong


def _sums(numbers: Numbers) -> Iterator[str | None]:
    """Dollars over member-months in savings, and member-months of both program years in all."""

    def value(name: str) -> Any:
        return numbers.get(name, {}).get("value")

    months = value("savings.member_months")
    for name in ("gross", "net", "fees"):
        pmpm, total = value(f"savings.{name}_pmpm"), value(f"savings.{name}_total_usd")
        if name != "net" and None not in (pmpm, total, months):
            good = math.isclose(pmpm * months, total, rel_tol=1e-8, abs_tol=0.01)
            yield None if good else f"savings.{name}_total_usd: {total}, not {pmpm} times {months}"
    years = [v for k in numbers if re.fullmatch(r"savings\.year\.\d+\.member_months", k) and (v := value(k))]
    if years and months is not None:
        good = math.isclose(sum(years), months, rel_tol=1e-9)
        yield None if good else f"savings.member_months: {months}, but the years have {sum(years)}"
    sources = [value(k) for k in numbers if re.fullmatch(r"did\.variance\..*\.share", k)]
    if sources and None not in sources:
        good = math.isclose(sum(sources), 1.0, abs_tol=1e-8)
        yield None if good else f"did.variance: the shares sum to {sum(sources):.10g}, not 1"

    kinds = [value(k) for k in numbers if re.fullmatch(r"where\.category\.(?!all\.)\w+\.estimate", k)]
    whole = value("where.category.all.estimate")
    if kinds and whole is not None and None not in kinds:
        total = math.fsum(kinds)
        good = math.isclose(total, whole, rel_tol=1e-7, abs_tol=1e-7)
        yield None if good else f"where.category.all.estimate: {whole}, but its parts sum to {total:.10g}"


def _one_headline(numbers: Numbers) -> Iterator[str | None]:
    """The effect is one number, wherever it stands: among definitions, kinds of service, and as savings."""
    effect = numbers.get("did.total_pmpm", {}).get("value")
    for name, sign in (
        ("expected.E3.difference_pmpm", 1),
        ("where.category.all.estimate", 1),
        ("savings.gross_pmpm", -1),
    ):
        found = numbers.get(name, {}).get("value")
        if effect is not None and found is not None:
            good = math.isclose(sign * found, effect, rel_tol=1e-8, abs_tol=1e-8)
            yield None if good else f"{name}: {found}, but did.total_pmpm is {effect}"


def _withheld(numbers: Numbers) -> Iterator[str | None]:
    """Withheld numbers have no value."""
    for name, number in numbers.items():
        if number.get("suppressed"):
            yield None if number.get("value") is None else f"{name}: withheld, with a value"


LAWS: tuple[tuple[str, str, Callable[[Numbers], Iterator[str | None]]], ...] = (
    ("intervals", "intervals with their estimates", _intervals),
    ("ratios", "actual and expected cost with their ratio and difference", _ratios),
    ("sums", "totals with their parts", _sums),
    ("headline", "the effect wherever it stands", _one_headline),
    ("withheld", "withheld numbers without a value", _withheld),
)


def _at_most(low: float, high: float) -> bool:
    return low <= high or math.isclose(low, high, rel_tol=1e-8, abs_tol=1e-9)


def _unsaid(pages: Mapping[str, list[str]], numbers: Numbers) -> Iterator[str]:
    """Headlines of results.json that no sentence or card of the first page says."""
    if _FIRST not in pages:
        return
    said = [match[0] for sentence in pages[_FIRST] for match in written(sentence)]
    for name, number in numbers.items():
        value = number.get("value")
        if not number.get("headline") or value is None:
            continue
        reads = Known({name: {"value": value, "unit": number.get("unit", "")}}, {})
        if not any("." in text and name in reads.names(text) for text in said):
            yield f"{name}: no sentence of {_FIRST} says {value:,.2f}"
