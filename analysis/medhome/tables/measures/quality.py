"""Preventive and chronic care, medication and gaps, year by year: from services to cells."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from medhome.study.measure_results import MeasureCells
from medhome.study.spec import StudySpec
from medhome.tables.engine import fetch
from medhome.tables.measures.counting import Tally, collapsed
from medhome.tables.measures.definitions import Measure
from medhome.tables.measures.due import Due, Lookback, Windows, due, eligible, reach_of, tally, windows_of
from medhome.tables.measures.lines import CodeLists, services
from medhome.tables.measures.medication import days_covered
from medhome.tables.measures.use_of_care import Care
from medhome.tables.measures.years import People
from medhome.tables.panel import Panel

COMPOSITES = {
    "preventive": "All preventive care: services given of those due",
    "chronic": "All chronic care: services given of those due",
}
CLOSURE = "closure"


def collapse_quality(
    wanted: list[Measure], care: Care, panel: Panel, inputs: Mapping[str, Table], spec: StudySpec
) -> list[MeasureCells]:
    """Every measure of care due and of days covered, their composites, and the gaps that were closed.

    Arguments
        wanted: measures that can be known. care: the care of the cohort.
    """
    people = People.of(panel, care.members, inputs, spec)
    look = Lookback(reach=reach_of(care.medical), years=people.years)
    names = list(dict.fromkeys(name for m in wanted for name in m.lists))
    mine = services(care.medical, care.drugs, care.lists, names)
    seen = Windows.of(mine, people, names, windows_of(wanted, look))
    found: list[MeasureCells] = []
    by_family: dict[str, list[list[Due]]] = {}
    for m in (m for m in wanted if m.counts == "care"):
        years = [due(m, n, people, seen, look) for n in range(len(people.years))]
        of_measure = _about(m.id, m.family, m.label, m.direction) | {"note": _cut(m, look)}
        found.append(_collapsed(of_measure, [(d.year, d.due, d.given) for d in years], people, care, spec))
        if any(d.given.any() for d in years):  # else it is not known here, and no part of a composite
            by_family.setdefault(m.family, []).append(years)
            found += _closed(m, years, people, care, spec)
    covered = [m for m in wanted if m.counts == "days_covered"]
    found += _covered(covered, care, people, seen, look, spec)
    for family, label in COMPOSITES.items():
        if len(parts := by_family.get(family, [])) > 1:
            of_all = _about(f"composite_{family}", family, label, "higher")
            found.append(_together(of_all, parts, people, care, spec))
    closed = [y for years in by_family.values() for y in years if y[0].opened is not None]
    if len(closed) > 1:
        of_all = _about("composite_closure", CLOSURE, "All gaps: closed of those open", "higher")
        gaps = [[(d.year, d.opened, d.closed) for d in years] for years in closed]
        found.append(_summed(of_all | {"gap": "yes"}, gaps, people, care, spec))
    return found


def _about(measure: str, family: str, label: str, direction: str) -> dict[str, str]:
    return {
        "measure": measure,
        "family": family,
        "label": label,
        "unit": "share",
        "direction": direction,
    }


def _cut(measure: Measure, look: Lookback) -> str:
    """What a reader must know of a look-back that claims do not fill."""
    longest = max(s.months for s in measure.numerator)
    left = look.cut(longest)
    return "" if left == longest else f"look-back of {longest} months cut to {left}, in every year"


_Years = list[tuple[int, np.ndarray, np.ndarray]]


def _collapsed(
    about: dict[str, str], years: _Years, people: People, care: Care, spec: StudySpec
) -> MeasureCells:
    return collapsed(about, tally(years, people, care.members), care.members, None, spec)


def _closed(
    measure: Measure, years: list[Due], people: People, care: Care, spec: StudySpec
) -> list[MeasureCells]:
    gaps = [(d.year, d.opened, d.closed) for d in years if d.opened is not None and d.closed is not None]
    if not gaps:
        return []
    about = _about(f"closed_{measure.id}", CLOSURE, measure.label, "higher")
    return [_collapsed(about | {"gap": "yes"}, gaps, people, care, spec)]


def _together(
    about: dict[str, str], parts: list[list[Due]], people: People, care: Care, spec: StudySpec
) -> MeasureCells:
    return _summed(about, [[(d.year, d.due, d.given) for d in years] for years in parts], people, care, spec)


def _summed(
    about: dict[str, str], parts: list[list], people: People, care: Care, spec: StudySpec
) -> MeasureCells:
    """Opportunities of several measures together: each service due counts once."""
    each = [tally(years, people, care.members) for years in parts]
    whole = Tally(
        person=np.concatenate([t.person for t in each]),
        month=np.concatenate([t.month for t in each]),
        n=np.concatenate([t.n for t in each]),
        d=np.concatenate([t.d for t in each]),
    )
    return collapsed(about, whole, care.members, None, spec)


def _covered(
    wanted: list[Measure], care: Care, people: People, seen: Windows, look: Lookback, spec: StudySpec
) -> list[MeasureCells]:
    """Measures of days covered: members of the right age with enough fills in the year."""
    if not wanted or care.drugs is None:
        return []
    stays = care.stays[["person_id", "admit", "discharge"]]
    stays = stays.assign(row=people.ids.get_indexer(pd.Index(stays["person_id"])))
    stays = stays[stays["row"] >= 0]
    found = []
    for m in wanted:
        fills = fills_of(care.drugs, care.lists, m.list, people)
        years: _Years = []
        for number, year in enumerate(people.years):
            asked = eligible(m.population, number, people, seen, look)
            for out in m.exclusions:
                asked &= seen.days(out.list, look.at_end(year, out.months)) == 0
            known = days_covered(fills, stays, len(people.ids), (year.opens, year.closes))
            over = asked & (known.fills >= m.least_fills) & (known.days > 0)
            years.append((number, over, over & known.reaches(m.threshold)))
        found.append(_collapsed(_about(m.id, m.family, m.label, m.direction), years, people, care, spec))
    return found


def fills_of(drugs: Table, lists: CodeLists, name: str, people: People) -> pd.DataFrame:
    """Fills of a list's drugs: ``row`` (of `People`), ``day``, ``drug`` (number of the product), ``supply``.

    A product is a drug code without its last two digits, which tell packages apart.
    """
    codes = lists[name]
    wanted = drugs.drug_class.isin([c for s, c in codes if s == "drug-class"])
    wanted |= drugs.ndc.isin([c for s, c in codes if s == "ndc"])
    found = fetch(
        drugs.filter(wanted, _.supply > 0)
        .select("person_id", "day", "supply", product=drugs.ndc.substr(0, 9))
        .distinct()
        .order_by("person_id", "day", "product", "supply")
    )
    row = people.ids.get_indexer(pd.Index(found["person_id"]))
    drug = pd.factorize(found["product"], sort=True)[0]
    frame = pd.DataFrame({"row": row, "day": found["day"], "drug": drug, "supply": found["supply"]})
    return frame[row >= 0].reset_index(drop=True)
