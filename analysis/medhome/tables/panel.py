"""Claims and enrolment → the member-months panel of a study: the chain, materialised once.

claims netted → run-out cut → member-months → attribution → arms → eligibility → conditions → capped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from medhome.study.problems import DataProblem, ModelRefusal
from medhome.study.results import PRICES, Attrition, without_rows
from medhome.study.spec import StudySpec
from medhome.tables import (
    arms,
    claims,
    cohort,
    conditions,
    member_months,
    orphans,
    populations,
    prices,
    special,
)
from medhome.tables.deflation import in_base_dollars
from medhome.tables.engine import fetch
from medhome.tables.truncation import cap_cents, cap_trend, capped
from medhome.tables.waterfall import reconcile, volumes, waterfall, zero_allowed

__all__ = ["LARGEST_CENTS", "OUTCOMES", "Panel", "build", "cap_cents", "capped"]

OUTCOMES = ("allowed", "allowed_capped", "paid", "paid_capped")
"""What a member-month cost; in the engine each has a column ``<outcome>_cents``."""

LARGEST_CENTS = 3_000_000_000
"""Products of cents of a member-month above $30 million would pass 64 bits (and such data are in error)."""


_NOW = "expected_now_cents"
_LEFT_OUT = ("birth_month", "death_month", "death_date", "state", "area", "stays")


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Who is compared, month by month, and how they came to be it.

    months: one row per member-month: ``person_key``, ``month``, ``w`` (exposure in thousandths), ``lines``,
        and ``<outcome>_cents`` for each of `OUTCOMES`: the cost of the month, however short the exposure.
    members: one row per member: ``person_key``, ``person_id``, ``practice_id``, ``organization_id``, ``arm``,
        ``stratum``, ``age``, ``sex``, ``band``, ``special`` (where the study asks for it), and one 0/1 column
        per condition (``condition:diabetes``); ``expected_cents`` (PMPM) once scored. Where the program's
        practices start in different months also ``wave``: the month index of the practice's start, 0 in the
        comparison, which never starts.
    categories: one row per person, month and kind of service with cost: ``person_key``, ``month``,
        ``category``, ``lines``, ``allowed_cents``, ``paid_cents``; also of people outside the cohort.
    terms: terms of the risk model and their labels.
    practices, starts, clinicians: frames of `arms.practices`, `arms.starts` and `arms.clinicians`.
    cap_trend: yearly growth of the cap, as declared or as the comparison arm's cost grew.
    attrition, waterfall, volumes, reconciliation, encounters, orphans, prices: as in `medhome.study.results`.
    """

    con: Any
    months: Table
    members: Table
    categories: Table
    terms: Mapping[str, str]
    practices: pd.DataFrame
    starts: pd.DataFrame
    clinicians: pd.DataFrame
    cap_trend: Decimal
    attrition: Attrition
    waterfall: pd.DataFrame
    volumes: pd.DataFrame
    reconciliation: pd.DataFrame
    encounters: pd.DataFrame
    orphans: pd.DataFrame
    prices: pd.DataFrame

    @property
    def table(self) -> Table:
        """One row per member-month with all that is known of its member."""
        return self.months.join(self.members, "person_key")

    @property
    def quality(self) -> dict[str, pd.DataFrame]:
        """The frames of `DataQuality` that come from the panel, by name."""
        names = ("waterfall", "volumes", "reconciliation", "encounters", "orphans", "prices")
        return {name: getattr(self, name) for name in names}

    def with_expected(self, rows: Table, keys: Sequence[str]) -> Table:
        """Rows of member-months with these columns of their members and ``expected_cents``.

        Expected cost is the member's own, frozen, or that of the month where ``months`` hold one
        (``expected_now_cents``: `medhome.tables.person_years`).
        """
        joined = rows.join(self.members.select("person_key", *keys, "expected_cents"), "person_key")
        if _NOW not in self.months.columns:
            return joined
        if _NOW not in rows.columns:
            joined = joined.join(self.months.select("person_key", "month", _NOW), ["person_key", "month"])
        return joined.drop("expected_cents").rename(expected_cents=_NOW)

    @property
    def scored(self) -> bool:
        """Whether members have an expected cost."""
        return "expected_cents" in self.members.columns


def build(con: Any, inputs: dict[str, Table], spec: StudySpec) -> Panel:
    """Who was compared in which month, and what did each member-month cost?

    Arguments
        con: the engine.
        inputs: contract-shaped tables by name.
        spec: the study.

    Raises `DataProblem` when an arm is empty, when the roster cannot be read as meant, or when a member-month
    costs more than $30 million; `ModelRefusal` when practices start in waves and none is in the comparison.
    """
    analysed = spec.periods.analysed
    _refuse_unknown_groups(inputs["eligibility"], spec)
    persons = _keep(con, "medhome_people", _persons(inputs, spec))

    practices = arms.practices(inputs, spec)
    starts = arms.starts(inputs, practices, spec)
    _refuse_without_never(practices, starts)
    population = populations.populate(con, inputs, persons, practices, spec)
    assigned = population.assigned
    booked = _keep(con, "medhome_ledger", population.rekeyed(claims.ledger(inputs, persons, spec)))
    categories = _keep(
        con, "medhome_categories", claims.monthly_cost(booked.filter(_.month.isin(list(analysed))))
    )

    exposure = population.rekeyed(
        member_months.exposed(
            inputs["eligibility"],
            persons,
            analysed,
            spec.population.payer_types,
            spec.population.exposure,
            spec.population.employer_groups_excluded,
        )
    )
    flagged = _keep(
        con, "medhome_flagged", _with_cost(cohort.apply_rules(exposure, assigned, spec), categories)
    )
    flow = cohort.attrition(flagged, assigned, spec)
    _refuse_monstrous(flagged)

    without = _keep(con, "medhome_orphans", orphans.orphaned(booked, flagged, spec))
    own = flagged.filter(_.dropped_by == cohort.KEPT).drop("dropped_by")
    extra = None
    if spec.population.orphan_cost == "keep":
        extra = _keep(con, "medhome_orphans_kept", orphans.carried(without, own, spec))
        own = orphans.with_carried(own, extra)
        _refuse_monstrous(own)
    kept = in_base_dollars(own, spec)
    trend = cap_trend(kept, assigned, spec)
    months = _keep(con, "medhome_months", capped(kept, spec, trend))
    in_cohort = _in_waves(assigned.semi_join(months, "person_key"), starts)
    members = _keep(con, "medhome_members", _members(inputs, in_cohort, spec))

    raw = fetch(claims.raw_totals(inputs, spec)).iloc[0]
    followed = reconcile(booked, flagged, months, assigned, raw, spec, extra)
    without_exposure = orphans.listed(without, extra, assigned, spec)
    encounters = zero_allowed(booked, months, members, spec)
    con.drop_table("medhome_flagged")
    con.drop_table("medhome_ledger")
    con.drop_table("medhome_orphans")
    con.drop_table("medhome_orphans_kept", force=True)
    asked = spec.claims.prices
    split = (
        prices.decompose(claims.lines(inputs, spec), months, members, spec) if asked else without_rows(PRICES)
    )
    return Panel(
        con=con,
        months=months,
        members=members,
        categories=categories,
        terms=_terms_present(members, spec),
        practices=practices,
        starts=starts,
        clinicians=arms.clinicians(inputs, practices, spec),
        cap_trend=trend,
        attrition=flow,
        waterfall=waterfall(followed),
        volumes=volumes(months, members),
        reconciliation=followed,
        encounters=encounters,
        orphans=without_exposure,
        prices=split,
    )


def _keep(con: Any, name: str, expr: Table) -> Table:
    return con.create_table(name, expr, overwrite=True)


def _persons(inputs: dict[str, Table], spec: StudySpec) -> Table:
    """`member_months.people`, with ``special`` (null: none) where the study asks about special categories."""
    persons = member_months.people(inputs["eligibility"], spec)
    if spec.population.special_categories == "keep":
        return persons
    joined = persons.left_join(special.special(inputs, spec), "person_id")
    return joined.drop("person_id_right")


def _refuse_unknown_groups(eligibility: Table, spec: StudySpec) -> None:
    """A group left out by a name that nobody has would leave out nobody, without a word."""
    wanted = spec.population.employer_groups_excluded
    if not wanted:
        return
    known = fetch(eligibility.filter(_.group_id.isin(wanted)).select("group_id").distinct())["group_id"]
    if absent := sorted(set(wanted) - set(known)):
        raise DataProblem(
            f"eligibility, column group_id: no row has {', '.join(map(repr, absent))}; correct "
            "population.employer_groups_excluded of the study file"
        )


def _with_cost(flagged: Table, categories: Table) -> Table:
    cost = categories.group_by("person_key", "month").aggregate(
        lines=_.lines.sum(), allowed_cents=_.allowed_cents.sum(), paid_cents=_.paid_cents.sum()
    )
    joined = flagged.left_join(cost, ["person_key", "month"])
    return joined.select(
        "person_key",
        "month",
        "dropped_by",
        "w",
        lines=joined.lines.fill_null(0),
        allowed_cents=joined.allowed_cents.fill_null(0),
        paid_cents=joined.paid_cents.fill_null(0),
    )


def _members(inputs: dict[str, Table], in_cohort: Table, spec: StudySpec) -> Table:
    banded = conditions.with_bands(in_cohort, spec).drop(*(c for c in _LEFT_OUT if c in in_cohort.columns))
    names = [t for t in conditions.term_labels(spec) if t.startswith("condition:")]
    if not names:
        return banded.order_by("person_key")
    found = conditions.conditions(inputs, in_cohort, spec)
    flags = found.group_by("person_key").aggregate(
        **{name: (found.condition_id == name.removeprefix("condition:")).cast("int8").max() for name in names}
    )
    joined = banded.left_join(flags, "person_key").drop("person_key_right")
    return joined.mutate(**{name: joined[name].fill_null(0) for name in names}).order_by("person_key")


def _refuse_without_never(practices: pd.DataFrame, starts: pd.DataFrame) -> None:
    """Waves alone: late ones would be all that early ones are compared with, and nobody the cost model."""
    if starts["wave"].nunique() > 1 and not (practices["arm"] == arms.COMPARISON).any():
        raise ModelRefusal(
            "program_roster: its practices start in waves, and no practice is never in the program; the "
            "study needs practices that never start (arm \"comparison\"): list some"
        )


def _in_waves(assigned: Table, starts: pd.DataFrame) -> Table:
    """Members with the ``wave`` of their practice, where practices start in more than one month."""
    if starts["wave"].nunique() < 2:
        return assigned
    known = ibis.memtable(starts[["practice_id", "wave"]], schema={"practice_id": "string", "wave": "int32"})
    joined = assigned.left_join(known, "practice_id")
    wave = joined.wave.fill_null(0).cast("int32")
    return joined.select(*assigned.columns, wave=wave)


def _terms_present(members: Table, spec: StudySpec) -> dict[str, str]:
    """Terms of the risk model that somebody in the cohort has."""
    labels = conditions.term_labels(spec)
    bands = fetch(members.select("band").distinct().order_by("band"))["band"]
    present = {f"age_sex:{band}" for band in bands}
    names = [t for t in labels if t.startswith("condition:")]
    if names:
        anyone = fetch(members.aggregate(**{name: members[name].max() for name in names})).iloc[0]
        present |= {name for name in names if anyone[name]}
    if "special" in members.columns:
        found = fetch(members.select("special").distinct())["special"].dropna()
        present |= {f"special:{name}" for name in found}
    return {term: label for term, label in labels.items() if term in present}


def _refuse_monstrous(flagged: Table) -> None:
    size = ibis.greatest(flagged.allowed_cents.abs(), flagged.paid_cents.abs())
    worst = fetch(
        flagged.mutate(size=size).filter(_.size > LARGEST_CENTS).aggregate(n=_.count(), largest=_.size.max())
    ).iloc[0]
    if worst["n"]:
        raise DataProblem(
            f"medical_claim, pharmacy_claim: {worst['n']} member-months cost more than "
            f"${LARGEST_CENTS // 100:,} (the largest ${int(worst['largest']) / 100:,.2f}): are the amounts "
            "in dollars?"
        )
