"""Every measure of a study, evaluated in the engine and collapsed for the models: the room's front door."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ibis
import numpy as np
from ibis.expr.types import Table

from medhome.study.measure_choices import FAMILIES
from medhome.study.measure_results import CollapsedMeasures, MeasureCells
from medhome.study.periods import Span, month_end
from medhome.study.spec import StudySpec
from medhome.tables.measures import known
from medhome.tables.measures.counting import (
    Exposure,
    Members,
    Tally,
    attached,
    collapsed,
    events_table,
    without_reason,
)
from medhome.tables.measures.definitions import Measure, chosen, code_lists, named_by_payment
from medhome.tables.measures.lines import day_of, fills, medical_lines
from medhome.tables.measures.quality import CLOSURE, collapse_quality
from medhome.tables.measures.use_of_care import Care, scale_of
from medhome.tables.measures.value_sets import ValueSets
from medhome.tables.measures.years import years_of
from medhome.tables.panel import Panel

_IN_ENGINE = ("primary_care_visits", "specialist_visits", "imaging", "generic_fills")
_FAMILIES = (*FAMILIES, CLOSURE)
_LINES = "medhome_measure_lines"
_LONGEST_MONTHS = 120


def collapse_measures(
    inputs: Mapping[str, Table], panel: Panel, spec: StudySpec, data: Path
) -> CollapsedMeasures:
    """How much care was used, was due and was given, by practice and month, for each measure of the study?

    Arguments
        inputs: contract-shaped tables. panel: who is analysed in which month. data: folder of the input
            tables, from which ``measures.value_sets`` is named.

    Returns nothing where the study does not ask (``measures.enabled``). Raises `StudyFileError` for a measure
    or list that is not there, also where pay for performance names it, `DataProblem` for a value set that
    cannot be read.
    """
    named_by_payment(spec)
    if not spec.measures.enabled:
        return CollapsedMeasures()
    wanted = chosen(spec)
    months = spec.periods.analysed
    members = Members.of(panel, inputs["eligibility"])
    span, last_day = Span(months[0], months[-1] + 1), day_of(month_end(months[-1]))
    care = care_between(panel.con, inputs, members, span, last_day, spec, data)
    facts = known.facts(care, inputs)
    unknown = [(m, known.why_unknown(m, care, inputs, facts)) for m in wanted]
    ready = [m for m, why in unknown if not why]
    found = _utilisation([m for m in ready if m.family == "utilisation"], care, panel, spec)
    by_year = [m for m in ready if m.family != "utilisation"]
    periods = {year.period for year in years_of(spec)}
    if len(periods) < 2:
        unknown += [(m, "a period of the study has no whole year") for m in by_year]
    elif by_year:
        found += collapse_quality(by_year, care, panel, inputs, spec)
    order = {m.id: i for i, m in enumerate(wanted)}
    missing = [(m, why) for m, why in unknown if why]
    kept = []
    for one in found:
        if why := without_reason(one):
            missing += [(m, why) for m in wanted if m.id == one.measure]
        else:
            kept.append(one)
    kept.sort(key=lambda one: _FAMILIES.index(one.family))
    panel.con.drop_table(_LINES, force=True)
    return CollapsedMeasures(
        measures=tuple(kept), unknown=known.listed(sorted(missing, key=lambda pair: order[pair[0].id]))
    )


def care_between(
    con: Any,
    inputs: Mapping[str, Table],
    members: Members,
    months: Span,
    last_day: int,
    spec: StudySpec,
    data: Path,
) -> Care:
    """The care of these members that measures of these months read, with the longest look-back before them.

    Arguments
        con: the engine, which keeps the lines of care as a table of its own.
        months: those that are measured. last_day: up to which care counts.
    """
    within = Span(months.first - _LONGEST_MONTHS, months.end)
    people = members.table.select("person_id").distinct()
    lines = medical_lines(inputs, within, spec).semi_join(people, "person_id")
    drugs = fills(inputs, within, spec)
    if drugs is not None:
        drugs = drugs.semi_join(people, "person_id").select(*drugs.columns)
    folder = (data / spec.measures.value_sets) if spec.measures.value_sets else None
    return Care(
        medical=con.create_table(_LINES, lines, overwrite=True),
        drugs=drugs,
        lists=code_lists(spec),
        sets=ValueSets(folder),
        members=members,
        last_day=last_day,
    )


def _utilisation(wanted: list[Measure], care: Care, panel: Panel, spec: StudySpec) -> list[MeasureCells]:
    if not wanted:
        return []
    parts: list[Table] = []
    frames = []
    for m in wanted:
        if m.counts == "generic_fills":
            parts.append(care.generic(m))
        elif m.counts == "imaging":
            parts.append(care.imaging(m))
        elif m.counts in _IN_ENGINE:
            parts.append(care.visits(m))
        else:
            frames.append(care.hospital_events(m))
    if frames:
        parts.append(events_table(frames))
    rows = attached(panel, care.members, ibis.union(*parts) if len(parts) > 1 else parts[0])
    place = care.members.places(rows["person_key"])
    exposures: dict[tuple[int, int], Exposure] = {}
    found = []
    for m in wanted:
        ages = (m.population.age_min, m.population.age_max)
        mine = (rows["measure"] == m.id).to_numpy() & rows["age"].between(*ages).to_numpy()
        tally = Tally(
            person=place[mine],
            month=rows["month"].to_numpy()[mine].astype(np.int64),
            n=rows["n"].to_numpy()[mine],
            d=rows["d"].to_numpy()[mine],
            scale=scale_of(m),
        )
        exposure = None
        if m.unit == "per_1000":
            if ages not in exposures:
                exposures[ages] = Exposure.of(panel, care.members, ages, spec)
            exposure = exposures[ages]
        found.append(collapsed(about(m), tally, care.members, exposure, spec))
    return found


def about(measure: Measure) -> dict[str, str]:
    """What a measure's cells say of it."""
    return {
        "measure": measure.id,
        "family": measure.family,
        "label": measure.label,
        "unit": measure.unit,
        "direction": measure.direction,
    }
