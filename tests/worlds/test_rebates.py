"""Paid drugs net of rebates: to the cent, a reversal takes back its own, and only paid dollars move."""

from __future__ import annotations

import ibis
import pytest
import small_world

from medhome.study.problems import StudyFileError
from medhome.tables.engine import fetch, session
from medhome.tables.rebates import net_of_rebates


@pytest.fixture(scope="module")
def con():
    with session() as con:
        yield con


def _amounts(con, folder, **changes):
    claims = [
        small_world.claim("t1", "T", "2008-05-10", 100.00),
        small_world.claim("c1", "C", "2008-05-10", 50.00),
    ]
    found = small_world.build(con, folder, claims, **changes)
    months = fetch(found.months)
    return found, months[["allowed_cents", "paid_cents"]].sum()


def test_only_the_paid_dollars_of_drugs_move(con, tmp_path):
    _, before = _amounts(con, tmp_path / "a")
    found, after = _amounts(con, tmp_path / "b", claims__drug_rebate_share=0.25)
    paid = round(float(small_world.FILL["paid_amount"]) * 100)
    assert after["allowed_cents"] == before["allowed_cents"]
    assert before["paid_cents"] - after["paid_cents"] == paid - round(paid * 0.75) > 0
    flow = found.quality["waterfall"].set_index("reason")
    assert "net of rebates of 0.25" in flow.loc["files", "label"]
    # The reconciliation still adds up, from the files' lines to the model.
    changes = flow.drop(index="model")["paid_usd"].sum()
    assert changes == pytest.approx(flow.loc["model", "paid_usd"], abs=0.005)


def test_a_reversal_takes_back_what_its_claim_was_worth(con):
    spec = small_world.study(claims__drug_rebate_share=0.15)
    cents = [1001, -1001, 7, -7, 0, None]
    rows = ibis.memtable({"paid_cents": cents}, schema={"paid_cents": "int64"})
    found = con.to_pandas(net_of_rebates(rows, spec))["paid_cents"].tolist()
    # 1001 * 0.85 = 850.85, 7 * 0.85 = 5.95: to the nearest cent on either side of zero.
    assert found[:5] == [851, -851, 6, -6, 0] and found[5] != found[5]


def test_a_share_of_all_or_more_is_refused():
    with pytest.raises(StudyFileError, match="drug_rebate_share"):
        small_world.study(claims__drug_rebate_share=1.0)
