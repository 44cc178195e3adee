"""Effects of every member: equal to dummies of members on the rows, weighted or not, and refused by name."""

from __future__ import annotations

import ibis
import numpy as np
import pandas as pd
import pytest
from member_months import member_months
from numpy.testing import assert_allclose
from tiny_world import study

from medhome.models.comparison_group import PracticeWeights
from medhome.models.estimates_by_method import _of_members
from medhome.models.member_effects import member_effect
from medhome.study.problems import ModelRefusal
from medhome.tables.member_patterns import patterns
from medhome.tables.panel import Panel

START = 2008 * 12 + 3


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    size = dict(organizations=5, practices=2, members=6, months=6, start=3, first_month=2008 * 12)
    return member_months(4, effect_usd=-80.0, stay=0.6, **size)


def panel(rows: pd.DataFrame) -> Panel:
    made = Panel.__new__(Panel)
    rows = rows.rename(columns={"member": "person_key", "allowed_capped": "allowed_capped_cents"})
    keys = ["person_key", "organization_id", "practice_id", "arm"]
    months = rows[["person_key", "month", "allowed_capped_cents"]].assign(w=1000)
    for name, frame in (("members", rows[keys].drop_duplicates()), ("months", months)):
        object.__setattr__(made, name, ibis.memtable(frame))
    return made


@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_the_regression_with_dummies_of_members(rows, weighted):
    cells = patterns(panel(rows), study(estimation__member_effects=True))
    sites = rows[["organization_id", "practice_id", "arm"]].drop_duplicates().itertuples(index=False)
    factors = {tuple(s): 1.0 + (s.arm == "comparison") * k / 4 for k, s in enumerate(sites)}
    weights = PracticeWeights(factors=factors if weighted else {})
    found = member_effect(weights.applied(cells), START)
    effect = ((rows["arm"] == "treated") & (rows["month"] >= START)).to_numpy(dtype=float)
    dummies = [pd.get_dummies(rows[c]).to_numpy(dtype=float) for c in ("member", "month")]
    X = np.column_stack([effect, dummies[0], dummies[1][:, 1:]])
    root = np.sqrt(weights.of(rows)) if weighted else np.ones(len(rows))
    y = rows["allowed_capped"].to_numpy(dtype=float) / 100
    assert_allclose(found.estimate, np.linalg.lstsq(X * root[:, None], y * root, rcond=None)[0][0], rtol=1e-8)
    assert found.df == 4 and found.se > 0
    row = _of_members(weights.applied(cells), START, valid=False)
    assert (row["method"], row["estimate"], row["valid"]) == ("member-effects", found.estimate, False)
    one = cells.where((cells.frame["arm"] == "treated").to_numpy())
    assert "Not estimated" in str(_of_members(one, START, valid=False)["reading"])


def test_it_is_asked_for_and_needs_whole_months(rows):
    assert patterns(panel(rows), study()) is None
    with pytest.raises(ModelRefusal, match="whole member-months"):
        patterns(panel(rows), study(estimation__member_effects=True, population__exposure="day_fraction"))
