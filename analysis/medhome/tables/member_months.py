"""Enrolment spans → member-months, one row per person and month of exposure.

Five exposure rules say when a month counts and for how much (`docs/methods.md`, member months). Overlapping
and touching spans, changes of plan and changes of employer group count once. The month of death counts by the
same rule; no later month does, whatever the spans say.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import ibis
from ibis import _
from ibis.expr.types import IntegerValue, StringValue, Table

from medhome.study.cells import WEIGHT_SCALE
from medhome.study.periods import month_end, month_start
from medhome.study.population_choices import EXPOSURE_RULES
from medhome.study.spec import StudySpec
from medhome.tables.claims import month_of

MID_MONTH_DAY = 15
EXPOSURE = WEIGHT_SCALE
"""Exposure of a whole member-month, in thousandths."""

FLAGS = ("medical", "pharmacy", "payer", "claims", "groups")


def people(eligibility: Table, spec: StudySpec) -> Table:
    """Who is in the enrolment file?

    One row per person: ``person_key`` (whole number in the order of ``person_id``), ``person_id``,
    ``birth_month`` (month integer), ``sex`` (F, M or U), ``state``, ``death_month``, ``death_date``; where
    the population is the market also ``area`` (``attribution.area`` of the home; null: unknown). Where the
    spans of a person disagree, the span in force at the start of the baseline speaks (else the first one
    after it, else the last one before it), so that nothing learnt later changes who was compared.
    """
    start = ibis.date(month_start(spec.periods.baseline.first))
    sex = eligibility.gender.fill_null("").lower()
    market = spec.attribution.population == "market"
    area = {"area": _area(eligibility, spec.attribution.area)} if market else {}
    spans = eligibility.select(
        **area,
        person_id=eligibility.person_id,
        birth_month=month_of(eligibility.birth_date),
        sex=ibis.cases((sex == "female", "F"), (sex == "male", "M"), else_="U"),
        state=eligibility.state.fill_null("").upper(),
        rank=ibis.cases(
            (eligibility.enrollment_end_date.fill_null(_far()) < start, 2),
            (eligibility.enrollment_start_date > start, 1),
            else_=0,
        ),
        first=month_of(eligibility.enrollment_start_date),
    )
    # Spans before the baseline: the latest first. Spans after its start: the earliest first.
    spans = spans.mutate(near=ibis.ifelse(_.rank == 1, _.first, -_.first))
    order = [_.rank, _.near, _.birth_month, _.sex, _.state, *(spans[name] for name in area)]
    chosen = (
        spans.mutate(nth=ibis.row_number().over(group_by=_.person_id, order_by=order))
        .filter(_.nth == 0)
        .select("person_id", "birth_month", "sex", "state", *area)
    )
    deaths = eligibility.group_by("person_id").aggregate(
        death_month=month_of(_.death_date.min()), death_date=_.death_date.min()
    )
    joined = chosen.left_join(deaths, "person_id").drop("person_id_right")
    key = ibis.row_number().over(order_by=joined.person_id).cast("int32")
    return joined.select(key.name("person_key"), *joined.columns)


def exposed(
    eligibility: Table,
    persons: Table,
    months: tuple[int, ...],
    payer_types: list[str],
    rule: str = "mid_month",
    groups_excluded: Sequence[str] = (),
) -> Table:
    """In which months was each person enrolled, for how much of the month, and with which benefits?

    Arguments
        months: the months looked at, as integers.
        payer_types: payers that count; none means that every payer does.
        rule: enrolled on the 15th ("mid_month"), on the first day ("first_of_month"), on at least one day
            ("any_day"), on every day ("full_month"), or covered days over days of the month
            ("day_fraction"; days after the death do not count).
        groups_excluded: employer groups (``group_id``) whose months are told apart.

    One row per person and month: ``person_key``, ``month``, ``w`` (exposure in thousandths), and ``medical``,
    ``pharmacy``, ``payer``, ``claims``, ``groups`` (0 or 1). A span has the first three when it has the
    benefit, or is of a payer that counts; it has ``claims`` when care is not capitated, so that claims show
    its cost, and ``groups`` when it is not of an employer group told apart. By the rules of one day or of any
    day a month has what one of its spans has (``claims``, ``groups``: what all have); by those that count
    days, what every covered day has.

    >>> spans = ibis.memtable(
    ...     [("A", dt.date(2008, 1, 16), dt.date(2008, 3, 14), "commercial", 1, 0, 0)],
    ...     schema={"person_id": "string", "enrollment_start_date": "date", "enrollment_end_date": "date",
    ...             "payer_type": "string", "x_medical_benefit": "int32", "x_pharmacy_benefit": "int32",
    ...             "x_capitated": "int32"})
    >>> people = ibis.memtable([(0, "A", None, None)], schema={"person_key": "int32", "person_id": "string",
    ...     "death_month": "int32", "death_date": "date"})
    >>> january = 2008 * 12
    >>> looked_at = (january, january + 1, january + 2, january + 3)
    >>> sorted(exposed(spans, people, looked_at, []).month.to_list())  # only February has its 15th inside
    [24097]
    >>> sorted(exposed(spans, people, looked_at, [], "day_fraction").w.to_list())  # 14, 16 and 29 days
    [452, 516, 1000]
    """
    if rule not in EXPOSURE_RULES:
        raise ValueError(f"{rule!r} is not an exposure rule; rules are {', '.join(EXPOSURE_RULES)}")
    pieces = _pieces(eligibility, persons, months, payer_types, rule, groups_excluded)
    if rule in ("full_month", "day_fraction"):
        return _by_days(pieces, rule)
    found = pieces.group_by("person_key", "month").aggregate(
        medical=_.medical.max(),
        pharmacy=_.pharmacy.max(),
        payer=_.payer.max(),
        claims=_.claims.min(),
        groups=_.groups.min(),
    )
    return found.mutate(w=ibis.literal(EXPOSURE, "int32"))


def of_groups(eligibility: Table, persons: Table, months: tuple[int, ...], rule: str = "mid_month") -> Table:
    """Through which employer groups was each person covered in each month?

    Arguments as in `exposed`. One row per person, month and ``group_id`` of a span that counts in the month
    by the rule of exposure (those that count days: of any span with a day in it): ``person_id``, ``month``,
    ``group_id``. Spans without a group have no row.
    """
    named = eligibility.filter(_.group_id.fill_null("") != "")
    pieces = _pieces(named, persons, months, [], rule, (), carried=("person_id", "group_id"))
    return pieces.select("person_id", "month", "group_id").distinct()


def _pieces(
    eligibility: Table,
    persons: Table,
    months: tuple[int, ...],
    payer_types: list[str],
    rule: str,
    groups_excluded: Sequence[str],
    carried: tuple[str, ...] = (),
) -> Table:
    """The part of each span that lies in each month in which it counts: its first and last day there."""
    of_rule = {"mid_month": (MID_MONTH_DAY,) * 2, "first_of_month": (1, 1)}
    rows = []
    for month in months:
        ends = of_rule.get(rule, (1, month_end(month).day))
        rows.append((month, *(dt.date(month // 12, month % 12 + 1, day) for day in ends)))
    calendar = ibis.memtable(rows, schema={"month": "int32", "opens": "date", "closes": "date"})
    payer = eligibility.payer_type.fill_null("").lower()
    wanted = [p.lower() for p in payer_types]
    spans = eligibility.select(
        person_id=eligibility.person_id,
        first_day=eligibility.enrollment_start_date,
        last_day=eligibility.enrollment_end_date.fill_null(_far()),
        medical=eligibility.x_medical_benefit.cast("int8"),
        pharmacy=eligibility.x_pharmacy_benefit.cast("int8"),
        payer=payer.isin(wanted).cast("int8") if wanted else ibis.literal(1, "int8"),
        claims=(1 - eligibility.x_capitated).cast("int8"),
        groups=_not_of(eligibility, groups_excluded),
        **{name: eligibility[name] for name in carried if name != "person_id"},
    )
    known = persons.select("person_key", "person_id", "death_month", "death_date")
    keyed = spans.join(known, "person_id")
    if rule == "day_fraction":
        keyed = keyed.mutate(last_day=ibis.least(_.last_day, _.death_date.fill_null(_far())))
    covered = keyed.join(calendar, [keyed.first_day <= calendar.closes, keyed.last_day >= calendar.opens])
    # A span whose end lies before its start has no days.
    alive = covered.filter((_.death_month.isnull()) | (_.month <= _.death_month), _.first_day <= _.last_day)
    return alive.select(
        "person_key",
        "month",
        *FLAGS,
        *carried,
        days=alive.closes.day().cast("int32"),
        first=ibis.greatest(alive.first_day, alive.opens).day().cast("int32"),
        last=ibis.least(alive.last_day, alive.closes).day().cast("int32"),
    )


def _by_days(pieces: Table, rule: str) -> Table:
    """Exposure and benefits by the days that the pieces cover together, each day once."""
    keys = ["person_key", "month"]
    found = _covered_days(pieces).rename(covered="counted")
    for flag in FLAGS:
        of_flag = _covered_days(pieces.filter(_[flag] == 1)).select(*keys, **{flag: _.counted})
        joined = found.left_join(of_flag, keys)
        every_day = (joined[flag].fill_null(0) == joined.covered).cast("int8")
        found = joined.select(*found.columns, **{flag: every_day})
    if rule == "full_month":
        found = found.filter(_.covered == _.days)
    # Halves up, in whole numbers: 15 of 31 days are 484 thousandths.
    thousandths = ((2 * EXPOSURE * found.covered + found.days) // (2 * found.days)).cast("int32")
    return found.select(*keys, *FLAGS, w=thousandths)


def _covered_days(pieces: Table) -> Table:
    """Days of each person and month that at least one piece covers: ``days`` of the month and ``counted``."""
    keys = [pieces.person_key, pieces.month]
    order = [pieces["first"], pieces["last"]]
    so_far = ibis.cumulative_window(group_by=keys, order_by=order)
    reached = pieces.mutate(reach=pieces["last"].max().over(so_far))
    in_order = ibis.window(
        group_by=[reached.person_key, reached.month],
        order_by=[reached["first"], reached["last"], reached.reach],
    )
    new = reached.mutate(before=reached.reach.lag().over(in_order).fill_null(0))
    added = ibis.greatest(0, new["last"] - ibis.greatest(new["first"] - 1, new.before))
    return (
        new.mutate(added=added)
        .group_by("person_key", "month")
        .aggregate(days=_.days.max(), counted=_.added.sum().cast("int32"))
    )


def _area(eligibility: Table, kind: str) -> StringValue:
    """Where each span's member lives: state, postal code, or its first three characters; null if unknown."""
    column = eligibility["state" if kind == "state" else "zip_code"].strip().upper()
    place = column.substr(0, 3) if kind == "zip3" else column
    return place.nullif("")


def _not_of(eligibility: Table, groups: Sequence[str]) -> IntegerValue:
    """Whether a span is not of one of these employer groups; a span without a group is not."""
    if not groups:
        return ibis.literal(1, "int8")
    return (~eligibility.group_id.fill_null("").isin(list(groups))).cast("int8")


def _far():
    return ibis.date(dt.date(9999, 12, 31))
