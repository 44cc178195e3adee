"""Triangles: every transaction at its own paid date; what the cut keeps is what the model has."""

from __future__ import annotations

import pandas as pd
import tiny_world

from medhome.models import completion, ladders
from medhome.study.periods import month_index
from medhome.tables import claims, collapse, engine, panel, sources, triangles

JANUARY = month_index("2008-01")


def _replaced() -> dict[str, pd.DataFrame]:
    """January's first line of person A, $100.00 paid at once, is taken back in April and put at $80.00."""
    tables = tiny_world.frames()
    lines = tables["medical_claim"]
    first = lines[(lines["claim_id"] == "A-1") & (lines["claim_line_number"] == 1)]
    april = pd.Timestamp(2008, 4, 20).date()
    void = first.assign(
        claim_id="A-1-V", allowed_amount=-100.0, paid_amount=-80.0, paid_date=april,
        x_claim_status="reversed", x_adjustment_type="void", x_adjusts_claim_id="A-1",
    )  # fmt: skip
    again = first.assign(
        claim_id="A-1-R", allowed_amount=80.0, paid_amount=64.0, paid_date=april,
        x_claim_status="paid", x_adjustment_type="replacement", x_adjusts_claim_id="A-1",
    )  # fmt: skip
    denied = first.assign(
        claim_id="A-1-D", allowed_amount=500.0, paid_amount=0.0, x_claim_status="denied",
        x_adjustment_type="original", x_adjusts_claim_id=None,
    )  # fmt: skip
    whole = lines.assign(x_claim_status="paid", x_adjustment_type="original", x_adjusts_claim_id=None)
    return tables | {"medical_claim": pd.concat([whole, void, again, denied], ignore_index=True)}


def _built(folder, spec):
    with engine.session() as con:
        inputs = sources.open_inputs(con, spec, folder)
        months = panel.build(con, inputs, spec)
        scored = collapse.score(months, {"intercept": 100})
        cells = collapse.cells(scored, spec)
        return triangles.build(inputs, scored, cells, spec), cells


def _roster():
    """Attribution as given: A and C to the program's practice, B to the other."""
    return pd.DataFrame(
        {
            "person_id": ["A", "B", "C"],
            "year_month": ["200801"] * 3,
            "payer_attributed_provider": ["1000000001", "1000000002", "1000000001"],
            "payer_attributed_provider_practice": ["P1", "P2", "P1"],
            "data_source": tiny_world.SOURCE,
        }
    )


def test_a_replaced_claim_stays_where_it_was_paid_until_it_is_taken_back(tmp_path):
    """100.00 at lag 0; at lag 3 minus 100.00 and plus 80.00. The last adjustment alone: 80.00 at lag 3."""
    spec = tiny_world.study()
    folder = tiny_world.write(tmp_path, _replaced())
    with engine.session() as con:
        inputs = sources.open_inputs(con, spec, folder)
        found = engine.fetch(claims.bookings(inputs, spec))
    january = found[(found["month"] == JANUARY) & (found["person_id"] == "A")]
    by_lag = january.groupby("lag")["allowed_cents"].sum()
    assert by_lag.to_dict() == {0: 12_025, 3: -2_000}
    assert 50_000 not in set(found["allowed_cents"]), "a denied line is never cost"


def test_what_the_cut_keeps_is_what_the_model_has(tmp_path):
    tables = _replaced() | {"provider_attribution": _roster()}
    spec = tiny_world.study()
    found, cells = _built(tiny_world.write(tmp_path, tables), spec)
    kept = found.payments[found.payments["lag"] <= spec.periods.run_out_months]
    for arm in ("treated", "comparison"):
        in_model = cells.where((cells.frame["arm"] == arm).to_numpy()).total("allowed_capped").sum()
        assert kept.loc[kept["arm"] == arm, "allowed_cents"].sum() == round(in_model * 100)
    assert set(found.categories) == {"primary_care", "pharmacy"} and found.undated_share == 0
    by_kind = sum(found.cells.total(c).sum() for c in found.categories)
    assert round(by_kind * 100) == round(cells.total("allowed_capped").sum() * 100)
    square = ladders.cumulative(found, "primary_care", "treated", spec)
    assert square[0, :4].tolist() == [120.25, 120.25, 120.25, 100.25]
    assert pd.isna(square[5, 4:]).all(), "June is followed for 3 months only"


def test_without_paid_dates_nothing_is_developed(tmp_path):
    tables = _replaced() | {"provider_attribution": _roster()}
    for name in ("medical_claim", "pharmacy_claim"):
        tables[name] = tables[name].assign(paid_date=None)
    spec = tiny_world.study()
    found, cells = _built(tiny_world.write(tmp_path, tables), spec)
    assert found.undated_share == 1.0
    result = completion.estimate(found, cells, None, spec)
    assert not result.available and result.reason == "100.0% of the dollars have no paid date"
