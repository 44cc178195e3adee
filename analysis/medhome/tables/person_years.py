"""Concurrent risk: each member's diagnoses of the same year as the cost, as terms of the cost model.

Diagnoses made under the program can move with how the program codes; frozen risk cannot. Both are shown side
by side, and this is the one that is not frozen (`docs/methods/risk-scores.md`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import IntegerValue, Table

from medhome.study.cells import WEIGHT_SCALE, Cells, Rows, moment_name
from medhome.study.periods import Span
from medhome.study.risk_years import RiskYear, risk_years
from medhome.study.spec import StudySpec
from medhome.tables import collapse
from medhome.tables.conditions import codes_seen, condition_labels, groups_of, standing_codes
from medhome.tables.engine import fetch
from medhome.tables.panel import Panel

OUTCOME = "allowed_capped"
TABLE = "medhome_person_years"
_WIDE = "decimal(38, 0)"


def year_of(month: IntegerValue, spec: StudySpec) -> IntegerValue:
    """The year of risk of a month analysed (`medhome.study.risk_years`)."""
    steps = [(month.between(y.months.first, y.months.last), y.year) for y in risk_years(spec.periods)]
    return ibis.cases(*steps).cast("int32")


def windows_table(years: tuple[RiskYear, ...]) -> Table:
    """``year``, ``window_first`` and ``window_end`` (months, the last not inside) of years of risk."""
    return ibis.memtable(
        [(y.year, y.window.first, y.window.end) for y in years],
        schema={"year": "int32", "window_first": "int32", "window_end": "int32"},
    )


def coded_years(
    inputs: Mapping[str, Table],
    panel: Panel,
    spec: StudySpec,
    years: tuple[RiskYear, ...],
    codes: Table | None = None,
) -> Table:
    """Each code that stands of each member in the window of each year.

    One row each: ``person_key``, ``year``, ``system``, ``code``. codes: of what to read; all where left out.
    """
    span = Span(min(y.window.first for y in years), max(y.window.end for y in years))
    who = panel.members.select("person_key", "person_id")
    standing = standing_codes(
        dict(inputs), spec, ("person_id", "month", "system", "code"), span, who.select("person_id"), codes
    )
    kept = panel.con.create_table("medhome_standing", standing.drop("net"), overwrite=True)
    windows = windows_table(years)
    inside = kept.join(windows, [kept.month >= windows.window_first, kept.month < windows.window_end])
    found = inside.select("person_id", "year", "system", "code").distinct().join(who, "person_id")
    return found.select("person_key", "year", "system", "code")


def person_years(
    inputs: Mapping[str, Table], panel: Panel, spec: StudySpec, scores: Table | None = None
) -> Table:
    """What did each member cost in each year, and which conditions were coded in that year?

    Arguments
        scores: ``person_key``, ``year``, ``score_band`` where the study's risk is a score.

    One row per member and year with exposure: ``person_key``, ``year``, ``w``, ``allowed_capped_cents``, and
    the terms of the year: one 0/1 column for each condition, or ``score_band``.
    """
    cost = (
        panel.months.mutate(year=year_of(panel.months.month, spec))
        .group_by("person_key", "year")
        .aggregate(w=_.w.sum(), allowed_capped_cents=_.allowed_capped_cents.sum())
    )
    if scores is not None:
        joined = cost.left_join(scores, ["person_key", "year"])
        found = joined.select(*cost.columns, score_band=joined.score_band.fill_null("none"))
    else:
        # Few codes are of a condition: known first, so that no other is ever counted.
        groups = panel.con.create_table("medhome_groups", groups_of(codes_seen(dict(inputs))), overwrite=True)
        coded = coded_years(inputs, panel, spec, risk_years(spec.periods), groups)
        names = list(condition_labels())
        grouped = coded.join(groups, ["system", "code"])
        flags = grouped.group_by("person_key", "year").aggregate(
            **{f"condition:{n}": (grouped.condition_id == n).cast("int8").max() for n in names}
        )
        joined = cost.left_join(flags, ["person_key", "year"])
        terms = {f"condition:{n}": joined[f"condition:{n}"].fill_null(0).cast("int8") for n in names}
        found = joined.select(*cost.columns, **terms)
    kept = panel.con.create_table(TABLE, found.order_by("person_key", "year"), overwrite=True)
    panel.con.drop_table("medhome_standing", force=True)
    return kept


def terms_of(panel: Panel, spec: StudySpec) -> dict[str, str]:
    """The terms of the concurrent model with labels: those of the frozen one, and every condition."""
    others = {t: label for t, label in panel.terms.items() if not t.startswith("condition:")}
    if spec.risk.model != "age-sex-conditions":
        return others
    return others | {f"condition:{name}": label for name, label in condition_labels().items()}


def rows(panel: Panel, years: Table, spec: StudySpec) -> Rows:
    """The comparison arm's baseline years: what the concurrent model is fitted on.

    `Rows` with one row per member and year, ``period`` "baseline".
    """
    terms = terms_of(panel, spec)
    who = panel.members.filter(_.arm == "comparison")
    joined = _with_members(years.filter(_.year < 0), who)
    columns = {t: collapse.indicator(joined, t) for t in terms}
    ordered = joined.order_by("person_key", "year")
    frame = fetch(
        ordered.select(
            "organization_id", "practice_id", "arm", "w", allowed_capped=ordered.allowed_capped_cents,
            **{t: columns[t] for t in terms},
        )
    )  # fmt: skip
    return Rows(frame=frame.assign(period="baseline"), terms=terms, weight_scale=WEIGHT_SCALE)


def score(panel: Panel, years: Table, coefficients: Mapping[str, float]) -> Table:
    """``person_key``, ``year``, ``w`` and ``expected_cents`` by the concurrent model, in whole cents."""
    joined = _with_members(years, panel.members)
    cents = collapse.expected_cents(joined, coefficients)
    scored = joined.select("person_key", "year", "w", expected_cents=cents)
    return panel.con.create_table(
        "medhome_years_scored", scored.order_by("person_key", "year"), overwrite=True
    )


def cells(scored: Panel, known: Cells, spec: StudySpec) -> Cells:
    """Practice-months of ``allowed_capped`` with the panel's own ``expected``, for one effect.

    Arguments
        known: cells of the same months with another expected cost; what has no part in that is theirs.
    """
    found = collapse.cells(scored, spec, outcomes=(OUTCOME,), only="expected")
    frame = found.frame
    if not known.frame[list(found.keys)].equals(frame[list(found.keys)]):
        raise ValueError("the cells known are not those of these months")
    for names in ((OUTCOME,), (OUTCOME, OUTCOME)):
        frame[moment_name(*names)] = known.frame[moment_name(*names)]
    return Cells(keys=found.keys, scales={v: 100 for v in (OUTCOME, "expected")}, frame=frame)


def concurrent(panel: Panel, scored_years: Table, spec: StudySpec) -> Panel:
    """The panel whose ``expected`` is that of each month's own year."""
    months = panel.months.mutate(year=year_of(panel.months.month, spec))
    mine = scored_years.select("person_key", "year", expected_now_cents="expected_cents")
    joined = months.join(mine, ["person_key", "year"])
    kept = joined.select(*panel.months.columns, "expected_now_cents")
    ordered = kept.order_by("person_key", "month")  # a member's months together are summed faster
    table = panel.con.create_table("medhome_months_concurrent", ordered, overwrite=True)
    return dataclasses.replace(panel, months=table)


def _with_members(years: Table, members: Table) -> Table:
    """Years with what is known of the member, but for terms that the year has of its own."""
    own = [c for c in members.columns if c in years.columns and c != "person_key"]
    return years.join(members.drop(*own), "person_key")


def by_arm(panel: Panel, scored_years: Table) -> pd.DataFrame:
    """Concurrent expected cost of each arm's members by year.

    One row per arm and year: ``members``, ``member_months``, ``expected_usd`` (over member-months).
    """
    joined = scored_years.join(panel.members.select("person_key", "arm"), "person_key")
    found = fetch(
        joined.group_by("arm", "year")
        .aggregate(members=_.count(), w=_.w.sum(), weighted=_weighted(joined).sum().cast(_WIDE))
        .order_by("arm", "year")
    )
    return _in_dollars(found, ["arm", "year", "members"])


def by_member(panel: Panel, scored_years: Table) -> pd.DataFrame:
    """Concurrent expected cost of each member before and after the start.

    One row per member and side, members in a fixed order: ``member`` (a running number), ``organization_id``,
    ``arm``, ``after`` (bool), ``member_months``, ``expected_usd`` (over member-months).
    """
    joined = scored_years.join(panel.members.select("person_key", "organization_id", "arm"), "person_key")
    found = fetch(
        joined.group_by("person_key", "organization_id", "arm", after=joined.year > 0)
        .aggregate(w=_.w.sum(), weighted=_weighted(joined).sum().cast(_WIDE))
        .order_by("person_key", "after")
    )
    found["member"] = pd.factorize(found["person_key"])[0]
    return _in_dollars(found, ["member", "organization_id", "arm", "after"])


def _weighted(joined: Table) -> IntegerValue:
    return (joined.w.cast("int64") * joined.expected_cents).cast(_WIDE)


def _in_dollars(found: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    return found[keys].assign(
        member_months=found["w"].astype(float) / WEIGHT_SCALE,
        expected_usd=found["weighted"].astype(float) / WEIGHT_SCALE / 100,
    )
