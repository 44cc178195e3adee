"""Outcomes that the program cannot have changed: counted once a person and month, voids off, by hand."""

from __future__ import annotations

import ibis
import numpy as np
import pandas as pd
import pytest

from medhome.study.cells import Cells, MonthPairs
from medhome.study.problems import StudyFileError
from medhome.study.spec import StudySpec
from medhome.tables import engine, placebo_outcomes
from medhome.tables.panel import Panel

from tiny_world import study  # isort: skip

FIRST = 2008 * 12
"""January 2008; the start is April."""

OUTCOMES = [{"codes": "appendicitis"}, {"codes": "appendicitis", "measure": "cost"}, {"codes": "fracture"}]

# person, first day, first diagnosis, claim, status, adjustment, adjusts, dollars
CLAIMS = [
    ("a", "2008-01-05", "5409", "c1", "paid", "original", None, 500.0),
    ("a", "2008-01-09", "541", "c2", "paid", "original", None, 40.0),  # the same month: one member-month
    ("a", "2008-05-02", "K3580", "c3", "paid", "original", None, 10.0),  # an ICD-10 code under ICD-9
    ("b", "2008-02-01", "5400", "c4", "paid", "original", None, 70.0),
    ("b", "2008-02-01", "5400", "c5", "reversed", "void", "c4", -70.0),  # taken back
    ("c", "2008-04-20", "5401", "c6", "paid", "original", None, 9.0),
    ("c", "2008-06-20", "5401", "c7", "paid", "original", None, 3.0),
    ("d", "2008-04-20", "25000", "c8", "paid", "original", None, 9.0),
]


@pytest.fixture(scope="module")
def found():
    spec = study(placebo_outcomes=OUTCOMES)
    people = pd.DataFrame({"person_id": list("abcd"), "person_key": range(4), "practice_id": list("PPQQ")})
    people["organization_id"] = people["practice_id"].map({"P": "O1", "Q": "O2"})
    people["arm"] = people["practice_id"].map({"P": "treated", "Q": "comparison"})
    people["stratum"] = "adults"
    months = people[["person_key"]].merge(pd.DataFrame({"month": range(FIRST, FIRST + 6)}), how="cross")
    months = months[~((months["person_key"] == 2) & (months["month"] == FIRST + 5))]  # c leaves in June
    columns = ["person_id", "day", "diagnosis_code_1", "claim_id", "x_claim_status", "x_adjustment_type"]
    claims = pd.DataFrame(CLAIMS, columns=[*columns, "x_adjusts_claim_id", "dollars"])
    claims["claim_start_date"] = pd.to_datetime(claims.pop("day")).dt.date
    claims["paid_date"], claims["diagnosis_code_type"] = claims["claim_start_date"], "icd-9-cm"
    claims["allowed_cents"] = (100 * claims.pop("dollars")).astype("int64")
    keys = ("organization_id", "practice_id", "arm", "stratum", "month")
    cells = months.merge(people, on="person_key").groupby(list(keys)).size().reset_index(name="rows")
    cells = Cells(keys=keys, scales={}, frame=cells.assign(w=1000 * cells["rows"]))
    pairs = _pairs(months.merge(people, on="person_key").assign(y=0))
    with engine.session() as con:
        tables = {n: con.create_table(n, ibis.memtable(f)) for n, f in
                  (("medical_claim", claims), ("members", people), ("months", months))}  # fmt: skip
        panel = Panel.__new__(Panel)
        for name in ("members", "months"):
            object.__setattr__(panel, name, tables[name])
        yield spec, months.merge(people, on="person_key"), placebo_outcomes.collapse(
            {"medical_claim": tables["medical_claim"]}, panel, cells, MonthPairs(frame=pairs), spec
        )


def _pairs(rows: pd.DataFrame) -> pd.DataFrame:
    """Cross-products of months, from every pair of a person's rows."""
    both = rows.merge(rows, on=["person_key", "organization_id"], suffixes=("_s", "_t"))
    both = both[both["month_s"] <= both["month_t"]].assign(st=lambda f: f["y_s"] * f["y_t"], one=1)
    sums = both.groupby(["organization_id", "month_s", "month_t"])[["one", "y_s", "y_t", "st"]].sum()
    names = {"one": "members", "y_s": "sum_s", "y_t": "sum_t", "st": "sum_st"}
    return sums.reset_index().rename(columns=names)


def test_member_months_with_such_a_claim(found):
    _, _, (rate, cost, fracture) = found
    assert [o.id for o in (rate, cost, fracture)] == ["appendicitis", "appendicitis_cost", "fracture"]
    frame = rate.cells.frame.assign(mean=rate.cells.mean("outcome")).set_index(["practice_id", "month"])
    hits = {("P", FIRST): 500.0, ("Q", FIRST + 3): 500.0}  # one of two members; c's June is not enrolled
    assert frame["mean"][frame["mean"] > 0].to_dict() == hits
    dollars = cost.cells.frame.assign(mean=cost.cells.mean("outcome")).set_index(["practice_id", "month"])
    assert dollars["mean"][dollars["mean"] > 0].to_dict() == {("P", FIRST): 270.0, ("Q", FIRST + 3): 4.5}
    assert not fracture.cells.total("outcome").any()
    assert rate.people == 0 and rate.unit == "per 1,000 member-months"  # nobody of the program after


def test_cross_products_are_those_of_every_member(found):
    _, rows, (rate, _, _) = found
    had = {(0, FIRST), (2, FIRST + 3)}
    y = [100_000 * ((p, m) in had) for p, m in zip(rows["person_key"], rows["month"], strict=True)]
    wanted = _pairs(rows.assign(y=y))
    for column in ("members", "sum_s", "sum_t", "sum_st"):
        np.testing.assert_array_equal(rate.pairs.frame[column], wanted[column])


def test_lists_that_do_not_exist_or_stand_twice_are_refused():
    with pytest.raises(StudyFileError, match="lists are hip_fracture, appendicitis"):
        study(placebo_outcomes=[{"codes": "colds"}])
    with pytest.raises(StudyFileError, match="stand there twice"):
        study(placebo_outcomes=[{"codes": "fracture"}, {"codes": "fracture"}])
    assert isinstance(study(), StudySpec) and not study().placebo_outcomes
