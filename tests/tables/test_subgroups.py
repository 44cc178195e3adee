"""Groups of members and spread of kinds of service, from the engine: against pandas on the same members."""

from __future__ import annotations

import dozen
import numpy as np
import pytest
from numpy.testing import assert_allclose

from medhome.tables import collapse, sources, subgroups, triangles
from medhome.tables.engine import fetch, session


@pytest.fixture(scope="module")
def built(dozen_folder):
    spec = dozen.study()
    with session() as con:
        inputs = sources.open_inputs(con, spec, dozen_folder)
        study = dozen.build(con, dozen_folder, spec)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(subgroups, "FEWEST_MEMBERS", 1)
            groups = subgroups.group_cells(inputs, study.panel, spec)
        found = triangles.build(inputs, study.panel, study.cells, spec)
        months = fetch(study.panel.table)
        categories = fetch(study.panel.categories.semi_join(study.panel.months, ["person_key", "month"]))
        yield spec, study, groups, found, months, categories


def test_cells_of_a_condition_are_those_of_its_members(built):
    _, _, groups, _, months, _ = built
    assert (groups.groups["dimension"] == "condition").any()
    for row in groups.groups[groups.groups["dimension"] == "condition"].to_dict("records"):
        mine = months[months[row["group"]] == 1]
        assert row["members_treated"] == mine.loc[mine["arm"] == "treated", "person_key"].nunique()
        assert row["members_comparison"] == mine.loc[mine["arm"] == "comparison", "person_key"].nunique()
        part = groups.cells.where((groups.cells.frame["subgroup"] == row["group"]).to_numpy())
        assert_allclose(part.total("allowed_capped").sum(), mine["allowed_capped_cents"].sum() / 100)
        assert_allclose(part.member_months.sum(), mine["w"].sum() / 1000)
    assert groups.practices["members"].sum() == months["person_key"].nunique()


def test_high_risk_is_the_highest_tenth_of_both_arms_and_never_more(built):
    _, _, groups, _, months, _ = built
    scores = months.drop_duplicates("person_key")["expected_cents"]
    cut = round(groups.high_risk_cut_pmpm * 100)
    row = groups.groups.set_index("group").loc["risk:high"]
    above = int((scores >= cut).sum())
    assert above == row["members_treated"] + row["members_comparison"] > 0
    assert above <= 0.1 * len(scores) or cut == scores.max()


def test_products_are_told_apart_only_where_there_are_two(built):
    _, _, groups, *_ = built
    assert (groups.groups["dimension"] == "product").sum() != 1


def test_the_variance_of_a_member_s_change_is_the_sum_of_squares_of_contributions(built):
    spec, _, _, found, months, categories = built
    start, length = spec.periods.start_month, len(tuple(spec.periods.analysed))
    months = months.assign(window=(months["month"] - start) // 12)
    over = months["allowed_cents"] != months["allowed_capped_cents"]
    large = months.loc[over, ["person_key", "window"]].drop_duplicates()
    services = found.services.set_index("category")
    name = "primary_care"
    cost = categories[categories["category"] == name].assign(window=lambda m: (m["month"] - start) // 12)
    cost = cost.merge(large, on=["person_key", "window"], how="left", indicator=True)
    cost = cost[cost["_merge"] == "left_only"]
    weighted, sizes = 0.0, 0.0
    for _, mine in months.groupby(["organization_id", "arm"]):
        people = mine["person_key"].unique()
        change = np.zeros(len(people))
        n = [mine.loc[(mine["month"] >= start) == bool(t), "w"].sum() / 1000 for t in (0, 1)]
        if min(n) == 0 or not cost["person_key"].isin(people).any():
            continue
        for t, sign in ((0, -1), (1, 1)):
            side = cost[(cost["month"] >= start) == bool(t)]
            s = side.groupby("person_key")["allowed_cents"].sum().reindex(people).fillna(0).to_numpy() / 100
            own = mine[(mine["month"] >= start) == bool(t)]
            w = own.groupby("person_key")["w"].sum().reindex(people).fillna(0).to_numpy() / 1000
            change += sign * (s - s.sum() / n[t] * w) / n[t]
        size = sum(n) / length
        weighted, sizes = weighted + size**2 * float(np.square(change).sum()), sizes + size
    assert_allclose(services.loc[name, "member_variance"], weighted / sizes, rtol=1e-9)
    treated = set(months.loc[months["arm"] == "treated", "person_key"])
    assert services.loc[name, "members_treated"] == len(set(cost["person_key"]) & treated)


def test_cells_with_fewer_outcomes_hold_the_same_numbers(built):
    _, study, *_ = built
    few = collapse.cells(study.panel, study.spec, (), ("allowed_capped",))
    assert set(few.scales) == {"allowed_capped", "expected"}
    assert set(few.moments) < set(study.cells.moments)
    for name in few.moments:
        assert few.frame[name].map(int).tolist() == study.cells.frame[name].map(int).tolist()
