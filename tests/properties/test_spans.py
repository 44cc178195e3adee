"""Enrolment, whatever the spans: cut ones count like whole ones, inclusive ends like half-open ones."""

from __future__ import annotations

import datetime as dt
from collections import Counter

import ibis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medhome.study.periods import month_index
from medhome.study.population_choices import EXPOSURE_RULES
from medhome.tables import engine, member_months

FIRST, LAST = dt.date(2008, 1, 1), dt.date(2008, 4, 30)
MONTHS = tuple(range(month_index("2008-01"), month_index("2008-05")))
DAYS = st.dates(dt.date(2007, 12, 20), dt.date(2008, 5, 10))


@pytest.fixture(scope="module")
def con():
    with engine.session() as con:
        yield con


def exposed(con, spans: list[tuple[dt.date, dt.date]], rule: str) -> dict[int, int]:
    """Thousandths of exposure by month of one person with these spans, both ends inside."""
    flags = ("x_medical_benefit", "x_pharmacy_benefit", "x_capitated")
    eligibility = ibis.memtable(
        [("A", first, last, "commercial", 1, 1, 0) for first, last in spans],
        schema={
            "person_id": "string",
            "enrollment_start_date": "date",
            "enrollment_end_date": "date",
            "payer_type": "string",
            **dict.fromkeys(flags, "int32"),
        },
    )
    person = ibis.memtable(
        [(0, "A", None, None)],
        schema={"person_key": "int32", "person_id": "string", "death_month": "int32", "death_date": "date"},
    )
    table = member_months.exposed(eligibility, person, MONTHS, [], rule)
    found = engine.fetch(con.create_table("properties_spans", table, overwrite=True))
    return dict(zip(found["month"].tolist(), found["w"].tolist(), strict=True))


@pytest.mark.parametrize("rule", EXPOSURE_RULES)
@settings(max_examples=6)
@given(ends=st.tuples(DAYS, DAYS), cuts=st.lists(DAYS, max_size=3), lap=st.integers(0, 9))
def test_a_span_cut_into_touching_or_overlapping_ones_counts_like_the_whole(con, rule, ends, cuts, lap):
    first, last = sorted(ends)
    inner = sorted({cut for cut in cuts if first < cut <= last})
    starts = [first, *inner]
    touching = [cut - dt.timedelta(days=1) for cut in inner]
    overlapping = [min(last, end + dt.timedelta(days=lap)) for end in touching]
    whole = exposed(con, [(first, last)], rule)
    assert exposed(con, list(zip(starts, [*touching, last], strict=True)), rule) == whole
    assert exposed(con, list(zip(starts, [*overlapping, last], strict=True)), rule) == whole


@pytest.mark.parametrize("rule", EXPOSURE_RULES)
@settings(max_examples=6)
@given(spans=st.lists(st.tuples(DAYS, st.integers(0, 70)), min_size=1, max_size=3))
def test_an_inclusive_end_counts_as_the_half_open_end_a_day_later(con, rule, spans):
    """The days d with first <= d < last + 1, counted one by one, give each month what the rule says."""
    days = {first + dt.timedelta(days=i) for first, length in spans for i in range(length)}
    inclusive = [(f, f + dt.timedelta(days=n - 1)) for f, n in spans if n] or [
        (FIRST, FIRST - dt.timedelta(days=1))
    ]
    calendar = [FIRST + dt.timedelta(days=i) for i in range((LAST - FIRST).days + 1)]
    of_month = Counter(d.month for d in calendar)
    covered = Counter(d.month for d in calendar if d in days)
    expected = {}
    for month, all_days in of_month.items():
        n = covered[month]
        counts = {
            "mid_month": dt.date(2008, month, 15) in days,
            "first_of_month": dt.date(2008, month, 1) in days,
            "any_day": n > 0,
            "full_month": n == all_days,
            "day_fraction": n > 0,
        }[rule]
        if counts:
            share = n / all_days if rule == "day_fraction" else 1
            expected[2008 * 12 + month - 1] = int(1000 * share + 0.5)
    assert exposed(con, inclusive, rule) == expected
