"""What was booked by a lag is what the rules keep with that run-out: 8 of 64 combinations of choices.

Each two choices on copies, repeated totals and capitation meet; the months of claims take turns. With
``--exhaustive`` every three of them meet.
"""

from __future__ import annotations

import itertools

import pytest
import small_world
from small_world import claim, person, void

from medhome.tables import claims, engine, sources
from medhome.tables.engine import fetch


def _stay(claim_id: str, first: str, last: str, allowed: float, paid_date: str) -> dict:
    return claim(
        claim_id, "T", first, allowed, claim_type="institutional", bill_type_code="111",
        admission_date=first, discharge_date=last, claim_end_date=last, paid_date=paid_date,
    )  # fmt: skip


def _replacing(claim_id: str, target: str, allowed: float, paid_date: str) -> dict:
    return claim(
        claim_id, "T", "2008-02-11", allowed, paid_date=paid_date, x_adjustment_type="replacement",
        x_adjusts_claim_id=target,
    )  # fmt: skip


def _paid_apart(claim_id: str, allowed: tuple, paid: tuple, **changes) -> list[dict]:
    """A claim of February whose lines, seen by clinicians of two kinds, were paid in different months."""
    return [
        claim(claim_id, "D", "2008-02-14", dollars, claim_line_number=n, paid_date=day,
              place_of_service_code="11" if n == 1 else "81", **changes)
        for n, (dollars, day) in enumerate(zip(allowed, paid, strict=True), 1)
    ]  # fmt: skip


def world() -> list[dict]:
    """Claims that are copied, replaced, taken back, repeated on lines, capitated, split and late."""
    first = claim("A1", "T", "2008-02-11", 60, paid_date="2008-02-20")
    copied = claim("D1", "T", "2008-03-03", 70, paid_date="2008-03-10")
    again = copied | {"claim_id": "D2", "paid_date": "2008-04-10"}
    lost = claim("E1", "C", "2008-03-04", 80, paid_date="2008-03-10")
    returned = lost | {"claim_id": "E2", "paid_date": "2008-04-10"}
    both = lost | {"claim_id": "E3", "paid_date": "2008-04-10"}
    march = _stay("S1", "2008-03-28", "2008-04-04", 7000.10, "2008-05-28")
    june = _stay("S3", "2008-05-30", "2008-06-02", 3000, "2008-09-20")  # June + 3 months, May + 4
    taken = claim("V1", "C", "2008-01-20", 45, paid_date="2008-02-01")
    return [
        claim("T0", "T", "2008-01-10", 100), claim("C0", "C", "2008-01-10", 100, rendering_npi="N2"),
        first, _replacing("A2", "A1", 50, "2008-03-10"), _replacing("A3", "A2", 40, "2008-05-10"),
        claim("B1", "T", "2008-02-11", 33, paid_date="2008-02-20"),
        _replacing("B2", "B1", 31, "2008-03-10"),
        void("B1V", claim("B1", "T", "2008-02-11", 33), "2008-04-02"),  # after what replaced it
        claim("G1", "T", "2008-02-12", 20), _replacing("G2", "G1", 21, "2008-07-01"),  # late
        copied, again, again | {"claim_id": "D3", "paid_date": "2008-05-10"},
        lost, returned, both, void("E1V", lost, "2008-05-03"),
        march, void("S1V", march, "2008-06-28"), june,
        taken, void("V1V", taken, "2008-04-01", claim_start_date="2008-03-01"),
        *_paid_apart("H2", (90, 90, 90), ("2008-02-20", "2008-04-20", "2008-03-20")),
        *_paid_apart("H3", (90, 90, 90), ("2008-04-20", "2008-03-20", "2008-02-20")),  # the last line first
        *_paid_apart("H4", (80, 80, 75), ("2008-03-20", "2008-02-20", "2008-04-20")),  # not one total
        *_paid_apart("H5", (70, 70), ("2008-02-20", "2008-03-20"), charge_amount="60.00"),  # above the charge
        *_paid_apart("H6", (60, 65, 60), ("2008-02-20", "2008-02-20", "2008-03-20")),
        *_paid_apart("H7", (50, 50, 50), ("2008-02-20", "2008-03-20", "2008-07-20")),  # the third one is late
        *_paid_apart("H8", (45, 45, 40), ("2008-02-20", "2008-03-20", "2008-07-20")),
        *[claim("H1", "D", "2008-04-11", 90, claim_line_number=n, charge_amount="150.00") for n in (1, 2, 3)],
        claim("K1", "T", "2008-02-13", 0, x_capitated=1, service_unit_quantity=2, paid_date="2008-03-20"),
        claim("K2", "T", "2008-05-13", 55, x_capitated=1),
        claim("K3", "T", "2008-05-14", 0, x_capitated=1),
        claim("N1", "D", "2008-05-10", 12, paid_date=None),
        claim("Z1", "T", "2008-02-12", 500, x_claim_status="denied"),
        claim("W1", "C", "2008-04-28", 66, claim_end_date="2008-05-02", paid_date="2008-06-01"),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    people = [person("T", x_capitated=1), person("C", x_capitated=0), person("D", x_capitated=0)]
    folder = small_world.write(tmp_path_factory.mktemp("bookings"), world(), people)
    with engine.session() as con:
        opened = sources.open_inputs(con, small_world.study(), folder)
        yield {name: con.create_table(f"held_{name}", table) for name, table in opened.items()}


def kept(inputs, spec) -> dict[tuple, int]:
    lines = claims.lines(inputs, spec)
    found = fetch(lines.filter(lines.disposition == claims.KEPT))
    sums = found.groupby(["person_id", "month", "category"])["allowed_cents"].sum()
    return {k: v for k, v in sums.items() if v}


def booked(inputs, spec, by: int) -> dict[tuple, int]:
    found = fetch(claims.bookings(inputs, spec))
    mine = found[found["lag"].isna() | (found["lag"].fillna(0) <= by)]
    sums = mine.groupby(["person_id", "month", "category"])["allowed_cents"].sum()
    return {k: v for k, v in sums.items() if v}


MONTHS = (("admission", "start"), ("split_by_day", "start"), ("admission", "end"), ("admission", "paid"))
RULES = itertools.product(
    ("drop", "keep"), ("lines", "header"), ("as_paid", "shadow_price", "add_payment", "exclude")
)
CHOICES = [
    pytest.param(
        (*rule, MONTHS[(n + n // 4) % 4]),
        id="-".join((*rule, *MONTHS[(n + n // 4) % 4])),
        # The first two and the third together are even: each two of them still take all their pairs.
        marks=() if (n // 8 + n // 4 + n) % 2 == 0 else pytest.mark.exhaustive,
    )
    for n, rule in enumerate(RULES)
]
"""Each rule on copies, totals and capitation, and with each the months in turn (all 64 pass, but slowly)."""


rare = pytest.mark.exhaustive
FEWEST = ((0, "split_by_day"), (2, "admission"))


@pytest.mark.parametrize("choice", CHOICES)
def test_the_cut_s_diagonal_is_the_cost_that_counts(inputs, choice):
    duplicates, header, capitation, (stays, month) = choice
    spec = small_world.study(
        claims__duplicates=duplicates,
        claims__header_amounts=header,
        claims__capitation=capitation,
        claims__stays=stays,
        claims__claims_month=month,
        **({"claims__capitation_pmpm_usd": 40.0} if capitation == "add_payment" else {}),
    )
    found = booked(inputs, spec, spec.periods.run_out_months)
    assert found == kept(inputs, spec)
    assert len(found) > 8


@pytest.mark.parametrize(
    ("run_out", "stays"),
    [
        pytest.param(lag, stays, marks=() if (lag, stays) in FEWEST else rare)
        for lag in (0, 1, 2)
        for stays in ("admission", "split_by_day")
    ],
)
def test_at_every_lag_it_is_what_an_earlier_cut_would_have_kept(inputs, run_out, stays):
    choices = {"claims__stays": stays, "claims__header_amounts": "header"}
    early = small_world.study(periods__run_out_months=run_out, **choices)
    assert booked(inputs, small_world.study(**choices), run_out) == kept(inputs, early)


def test_a_copy_counts_from_the_month_in_which_its_first_is_taken_back(inputs):
    """E1 of March, $80, is taken back in May: two copies of April, none counted until then."""
    found = fetch(claims.bookings(inputs, small_world.study()))
    march = found[(found["person_id"] == "C") & (found["month"] == 2008 * 12 + 2)]
    assert march.groupby("lag")["allowed_cents"].sum().to_dict() == {0: 8_000, 2: 8_000}
    february = found[(found["person_id"] == "T") & (found["month"] == 2008 * 12 + 1)]
    # A1 60, B1 33, G1 20; then A2 for A1 and B2 for B1; then B1 out by its void; then A3 for A2; then G2.
    by_lag = february.groupby("lag")["allowed_cents"].sum().to_dict()
    assert by_lag == {0: 11_300, 1: -1_200, 2: 0, 3: -1_000, 5: 100}

