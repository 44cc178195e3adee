"""Enrolment spans → member-months, one row per person and month of exposure.

Exposure rule ``mid_month``: a person counts in a month when a span covers its 15th day
(`docs/methods.md`, member months). Overlapping and touching spans count once. The month of death counts when
a span covers its 15th; no later month does, whatever the spans say.
"""

from __future__ import annotations

import datetime as dt

import ibis
from ibis import _
from ibis.expr.types import Table

from medhome.study.cells import WEIGHT_SCALE
from medhome.study.periods import month_start
from medhome.study.spec import StudySpec
from medhome.tables.claims import month_of

MID_MONTH_DAY = 15
EXPOSURE = WEIGHT_SCALE
"""Exposure of a member-month under the mid-month rule, in thousandths: all of it or none."""


def people(eligibility: Table, spec: StudySpec) -> Table:
    """Who is in the enrolment file?

    One row per person: ``person_key`` (whole number in the order of ``person_id``), ``person_id``,
    ``birth_month`` (month integer), ``sex`` (F, M or U), ``state``, ``death_month``. Where the spans of a
    person disagree, the span in force at the start of the baseline speaks (else the first one after it, else
    the last one before it), so that nothing learnt later changes who was compared.
    """
    start = ibis.date(month_start(spec.periods.baseline.first))
    sex = eligibility.gender.fill_null("").lower()
    spans = eligibility.select(
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
    order = [_.rank, _.near, _.birth_month, _.sex, _.state]
    chosen = (
        spans.mutate(nth=ibis.row_number().over(group_by=_.person_id, order_by=order))
        .filter(_.nth == 0)
        .select("person_id", "birth_month", "sex", "state")
    )
    deaths = eligibility.group_by("person_id").aggregate(death_month=month_of(_.death_date.min()))
    joined = chosen.left_join(deaths, "person_id").drop("person_id_right")
    key = ibis.row_number().over(order_by=joined.person_id).cast("int32")
    return joined.select(key.name("person_key"), *joined.columns)


def exposed(eligibility: Table, persons: Table, months: tuple[int, ...], payer_types: list[str]) -> Table:
    """In which months was each person enrolled, and with which benefits?

    Arguments
        months: the months looked at, as integers.
        payer_types: payers that count; none means that every payer does.

    One row per person and month: ``person_key``, ``month``, ``medical``, ``pharmacy``, ``payer`` (0 or 1:
    some span that covers the 15th has the benefit, or is of a payer that counts).

    >>> spans = ibis.memtable(
    ...     [("A", dt.date(2008, 1, 16), dt.date(2008, 3, 15), "commercial", 1, 0)],
    ...     schema={"person_id": "string", "enrollment_start_date": "date", "enrollment_end_date": "date",
    ...             "payer_type": "string", "x_medical_benefit": "int32", "x_pharmacy_benefit": "int32"})
    >>> people = ibis.memtable([(0, "A", None)],
    ...     schema={"person_key": "int32", "person_id": "string", "death_month": "int32"})
    >>> january = 2008 * 12
    >>> found = exposed(spans, people, (january, january + 1, january + 2, january + 3), [])
    >>> sorted(found.month.to_list())  # February and March: not there on 15 January
    [24097, 24098]
    """
    days = [dt.date(month // 12, month % 12 + 1, MID_MONTH_DAY) for month in months]
    calendar = ibis.memtable({"month": list(months), "day": days}, schema={"month": "int32", "day": "date"})
    payer = eligibility.payer_type.fill_null("").lower()
    wanted = [p.lower() for p in payer_types]
    spans = eligibility.select(
        person_id=eligibility.person_id,
        first_day=eligibility.enrollment_start_date,
        last_day=eligibility.enrollment_end_date.fill_null(_far()),
        medical=eligibility.x_medical_benefit.cast("int8"),
        pharmacy=eligibility.x_pharmacy_benefit.cast("int8"),
        payer=payer.isin(wanted).cast("int8") if wanted else ibis.literal(1, "int8"),
    )
    keyed = spans.join(persons.select("person_key", "person_id", "death_month"), "person_id")
    covered = keyed.join(calendar, [keyed.first_day <= calendar.day, keyed.last_day >= calendar.day])
    alive = covered.filter((_.death_month.isnull()) | (_.month <= _.death_month))
    return alive.group_by("person_key", "month").aggregate(
        medical=_.medical.max(), pharmacy=_.pharmacy.max(), payer=_.payer.max()
    )


def _far():
    return ibis.date(dt.date(9999, 12, 31))
