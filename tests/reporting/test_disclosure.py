"""No small count is shown or follows from what is shown, and nothing else is withheld."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest
from example import cohort, evaluation, savings, spec
from hypothesis import given
from hypothesis import strategies as st

from medhome.reporting import cohort_exhibits
from medhome.reporting.disclosure import audit, release, release_flow, small
from medhome.study.care_management_results import CareManagement
from medhome.study.member_cost_results import MemberCosts
from medhome.study.problems import DisclosureRefused
from medhome.study.results import Attrition, Cohort
from medhome.study.robustness_results import Robustness
from medhome.study.saved import load_evaluation, save_evaluation
from medhome.study.where_results import Where

FLOOR = 11


def flow(*members: int, arm: str = "treated") -> pd.DataFrame:
    """A cohort flow: members left after each rule; every member has ten months of $100."""
    dropped = [0, *(a - b for a, b in itertools.pairwise(members))]
    return pd.DataFrame(
        {
            "step": range(len(members)),
            "rule": [f"r{i}" for i in range(len(members))],
            "label": "",
            "arm": arm,
            "members": members,
            "member_months": [10 * m for m in members],
            "allowed_usd": [1000.0 * m for m in members],
            "members_dropped": dropped,
            "member_months_dropped": [10 * d for d in dropped],
            "allowed_usd_dropped": [1000.0 * d for d in dropped],
        }
    )


def organizations(**members: int) -> pd.DataFrame:
    n = len(members)
    counts = np.array(list(members.values()))
    return pd.DataFrame(
        {
            "organization_id": list(members),
            "label": [f"Comparison {i:02d}" for i in range(n)],
            "arm": "comparison",
            "practices": 20,
            "clinicians": 40,
            "members": counts,
            "baseline_member_months": 24.0 * counts,
            "performance_member_months": 22.0 * counts,
            "baseline_pmpm": 300.0,
            "performance_pmpm": 310.0,
        }
    )


def whole(**parts):
    """The example without anything withheld."""
    counted = cohort()
    full = counted.organizations.fillna({"members": 500.0, "practices": 12.0, "clinicians": 30.0})
    full = full.assign(practices=12.0)
    base = evaluation(
        cohort=dataclasses.replace(counted, organizations=full),
        attrition=Attrition(frame=flow(500, 400, 300)),
        care_management=CareManagement(),
    )
    return dataclasses.replace(base, **parts)


def released_flow(*members: int) -> pd.DataFrame:
    frame, _ = release_flow(flow(*members), FLOOR)
    audit(frame, FLOOR)
    return frame


def shown(values) -> list[int | None]:
    return [None if pd.isna(v) else int(v) for v in values]


def test_a_small_number_dropped_takes_what_gives_it_away_with_it():
    frame = released_flow(500, 400, 395, 300)
    assert shown(frame["members"]) == [500, None, 395, 300]
    assert shown(frame["members_dropped"]) == [0, None, None, 95]
    assert shown(frame["member_months"]) == [5000, None, 3950, 3000]
    assert shown(frame["member_months_dropped"]) == [0, None, None, 950]
    assert shown(frame["allowed_usd_dropped"]) == [0, None, None, 95_000]


@pytest.mark.parametrize(
    ("members", "left", "dropped"),
    [
        ((500, 400, 300), [500, 400, 300], [0, 100, 100]),  # nothing small
        ((500, 500, 300), [500, 500, 300], [0, 0, 200]),  # zero may be shown
        ((500, 489, 300), [500, 489, 300], [0, 11, 189]),  # the floor itself may be shown
        ((500, 490, 300), [500, None, 300], [0, None, None]),
        ((500, 400, 395), [500, None, 395], [0, None, None]),  # the last row stays
        ((500, 495, 490, 485, 300), [500, None, None, 485, 300], [0, None, None, None, 185]),
        ((500, 497), [None, 497], [0, None]),
    ],
)
def test_the_flow_keeps_what_it_may(members, left, dropped):
    frame = released_flow(*members)
    assert shown(frame["members"]) == left
    assert shown(frame["members_dropped"]) == dropped


def derivable(frame: pd.DataFrame) -> list[float]:
    """Every count that sums and differences of the shown ones give: brute force over pairs of rows."""
    left = frame["members"].to_list()
    dropped = frame["members_dropped"].to_list()
    found = [n for n in left + dropped if not pd.isna(n)]
    for a in range(len(left)):
        for b in range(a + 1, len(left)):
            told = sum(d for d in dropped[a + 1 : b + 1] if not pd.isna(d))
            if not pd.isna(left[a]) and not pd.isna(left[b]):
                found += [left[a] - left[b], left[a] - left[b] - told]
            elif not any(pd.isna(d) for d in dropped[a + 1 : b + 1]):
                found += [n for n in (left[a] - told, left[b] + told) if not pd.isna(n)]
    return found


@given(
    st.lists(st.one_of(st.integers(0, 14), st.integers(0, 400)), min_size=1, max_size=8), st.integers(11, 60)
)
def test_no_small_count_follows_from_any_flow(drops, last):
    members = [last + sum(drops[i:]) for i in range(len(drops) + 1)]
    frame = released_flow(*members)
    assert not [n for n in derivable(frame) if small(n, FLOOR)]
    assert int(frame["members"].iloc[-1]) == last


def test_small_organisations_and_the_next_smallest_are_withheld():
    table = organizations(A=5, B=300, C=40, D=900)
    base = cohort()
    shares = base.balance.assign(unit="mean")
    mixed = dataclasses.replace(
        base,
        balance=shares,
        organizations=table,
        members={"treated": 18_850, "comparison": 1245},
        practices={"treated": 25, "comparison": 80},
        clinicians={"treated": 391, "comparison": 160},
    )
    others = {"member_costs": MemberCosts(), "where": Where()}
    released, gate = release(whole(cohort=mixed, robustness=Robustness(), **others), FLOOR)
    found = released.cohort.organizations
    assert shown(found["members"]) == [None, 300, None, 900]
    assert shown(found["baseline_pmpm"]) == [None, 300, None, 300]
    assert shown(found["practices"]) == [20, 20, 20, 20]
    assert found["organization_id"].to_list() == found["label"].to_list()
    assert (gate.cells_primary, gate.cells_secondary) == (1, 1)


def test_units_left_out_tell_no_number_of_members_that_the_cohort_withholds():
    table = organizations(A=5, B=300, C=40, D=900)
    base = cohort()
    mixed = dataclasses.replace(
        base,
        balance=base.balance.assign(unit="mean"),
        organizations=table,
        members={"treated": 18_850, "comparison": 1245},
    )
    units = pd.DataFrame({"label": table["label"], "arm": "comparison", "members": table["members"],
                          "estimate": -1.0, "change": 7.0, "why": ""})  # fmt: skip
    sites = pd.DataFrame(
        [
            ("Comparison 01, practice 01", 296), ("Comparison 01, practice 02", 4),
            ("Comparison 02, practice 01", 40), ("Comparison 03, practice 01", 600),
            ("Comparison 03, practice 02", 300),
        ],
        columns=["label", "members"],
    ).assign(arm="comparison", estimate=-1.0, change=7.0, why="")  # fmt: skip
    sure = Robustness(organizations=units, practices=sites, placebo_arm=units.drop(columns=["arm", "change"]))
    others = {"member_costs": MemberCosts(), "where": Where()}
    released, gate = release(whole(cohort=mixed, robustness=sure, **others), FLOOR)
    found = released.robustness
    assert shown(found.organizations["members"]) == [None, 300, None, 900]
    for frame in (found.organizations, found.placebo_arm):
        assert shown(frame["estimate"]) == [None, -1, -1, -1]
    assert shown(found.placebo_arm["members"]) == [None, 300, None, 900]
    # 296 goes with its neighbour 4, whose number is 300 less 296; 40 goes with its organisation's.
    assert shown(found.practices["members"]) == [None, None, None, 600, 300]
    assert shown(found.practices["change"]) == [7, None, 7, 7, 7]
    assert (gate.cells_primary, gate.cells_secondary) == (4, 5)


def test_few_practices_are_withheld_without_the_members_numbers():
    table = organizations(A=500, B=300).assign(practices=[4, 12])
    few = dataclasses.replace(cohort(), organizations=table, practices={"treated": 7, "comparison": 16})
    released, _ = release(whole(cohort=few), FLOOR)
    assert shown(released.cohort.organizations["practices"]) == [None, None]
    assert shown(released.cohort.organizations["members"]) == [500, 300]
    assert released.cohort.practices == {"treated": None, "comparison": 16}


def test_shares_of_few_people_are_withheld():
    base = whole().cohort  # 18,850 treated members
    balance = base.balance.assign(
        treated=base.balance["treated"].mask(base.balance["unit"] == "share", 8 / 18_850)
    )
    balance.loc[balance["characteristic"] == "pharmacy", "treated"] = 1 - 8 / 18_850
    balance.loc[balance["characteristic"] == "cancer", "treated"] = 12 / 18_850
    balance.loc[balance["characteristic"] == "asthma", "treated"] = 0.0
    balance.loc[balance["characteristic"] == "female", "treated"] = 1.0
    released, _ = release(whole(cohort=dataclasses.replace(base, balance=balance)), FLOOR)
    hidden = released.cohort.balance.set_index("characteristic")["treated"].isna()
    assert set(hidden.index[hidden]) == {"child", "diabetes", "hypertension", "pharmacy"}
    assert released.cohort.balance.set_index("characteristic")["smd"]["diabetes":"diabetes"].isna().all()


def test_every_declared_count_is_withheld_when_small_and_what_rests_on_it_too():
    """One small count in one table of every part at a time: parts do not rest on one another's tables."""
    base = whole(care_management=evaluation().care_management)
    declared = {
        name: [f for f, counts in getattr(getattr(base, name), "COUNTS", {}).items() if "members" in counts]
        for name in base.PARTS
        if name != "attrition"
    }
    assert sum(map(len, declared.values())) > 15
    for several in itertools.zip_longest(*declared.values()):
        spoilt = {name: field for name, field in zip(declared, several, strict=True) if field}
        changes = {}
        for name, field in spoilt.items():
            part = getattr(base, name)
            frame = getattr(part, field).astype({"members": "float64"})
            frame.loc[frame.index[1], "members"] = 10.0
            changes[name] = dataclasses.replace(part, **{field: frame})
        released, _ = release(dataclasses.replace(base, **changes), FLOOR)
        for name, field in spoilt.items():
            row = getattr(getattr(released, name), field).iloc[1]
            for column in ("members", *getattr(base, name).RESTING[field]):
                assert pd.isna(row[column]), (name, field, column)


def test_counts_at_the_floor_stay_with_their_numbers():
    base = whole()
    frame = base.quality.volumes.assign(members=11, allowed_usd=5.0)
    released, gate = release(
        dataclasses.replace(base, quality=dataclasses.replace(base.quality, volumes=frame)), FLOOR
    )
    assert (released.quality.volumes["members"] == 11).all()
    assert (released.quality.volumes["allowed_usd"] == 5.0).all()
    assert gate.to_plain() == {
        "policy": "cms-11",
        "threshold": 11,
        "rounding": None,
        "cells_primary": 0,
        "cells_secondary": 0,
        "audit": "passed",
    }


def test_examples_of_keys_are_private():
    assert "examples" in evaluation().quality.rules
    released, _ = release(whole(), FLOOR)
    assert "examples" not in released.quality.rules


def test_small_sample_sizes_of_estimates_are_withheld():
    rows = dict(savings().rows)
    rows["net_pmpm"] = dataclasses.replace(rows["net_pmpm"], n={"members": 7, "member_months": 70})
    released, _ = release(whole(savings=dataclasses.replace(savings(), rows=rows)), FLOOR)
    assert released.savings.rows["net_pmpm"].n == {"members": None, "member_months": 70}


def test_an_arm_that_is_too_small_is_refused():
    tiny = dataclasses.replace(whole().cohort, members={"treated": 9, "comparison": 500})
    with pytest.raises(DisclosureRefused, match="the treated arm has fewer than 11 members") as problem:
        release(whole(cohort=tiny), FLOOR)
    assert problem.value.exit_code == 5


def test_the_audit_refuses_a_flow_that_gives_a_count_away():
    whole_flow = flow(500, 400, 395, 300)
    with pytest.raises(
        DisclosureRefused, match="cohort flow, treated arm: a count of fewer than 11 members follows"
    ):
        audit(whole_flow, FLOOR)
    only_small_hidden = whole_flow.assign(members_dropped=[0, 100, np.nan, 95])
    with pytest.raises(DisclosureRefused):
        audit(only_small_hidden, FLOOR)
    one_row_hidden = whole_flow.assign(members=[500, 400, np.nan, 300], members_dropped=[0, 100, np.nan, 95])
    with pytest.raises(DisclosureRefused):
        audit(one_row_hidden, FLOOR)
    audit(one_row_hidden.assign(members_dropped=[0, 100, np.nan, np.nan]), FLOOR)


def test_release_withholds_in_the_flow():
    released, gate = release(whole(attrition=Attrition(frame=flow(500, 400, 395, 300))), FLOOR)
    assert shown(released.attrition.frame["members"]) == [500, None, 395, 300]
    assert (gate.cells_primary, gate.cells_secondary) == (1, 2)


def test_what_was_given_is_not_changed_and_the_release_survives_saving(tmp_path):
    given_flow = flow(500, 400, 395, 300)
    before = given_flow.copy()
    released, _ = release(whole(attrition=Attrition(frame=given_flow)), FLOOR)
    pd.testing.assert_frame_equal(given_flow, before)
    save_evaluation(released, tmp_path)
    again = load_evaluation(tmp_path)
    pd.testing.assert_frame_equal(again.attrition.frame, released.attrition.frame)
    assert isinstance(again.cohort, Cohort)
    assert release(again, FLOOR)[0].attrition.frame["members"].isna().sum() >= 1


def test_a_withheld_share_is_marked_as_withheld_and_not_as_absent():
    base = cohort()
    few = base.balance["characteristic"] == "cancer"
    balance = base.balance.assign(treated=base.balance["treated"].mask(few, 5 / 18_850))
    released, _ = release(evaluation(cohort=dataclasses.replace(base, balance=balance)), 11)
    table = cohort_exhibits.balance(released.cohort, spec())
    row = next(cells for cells in table.cells() if cells[0] == "Cancer")
    assert row[1] == "†" and row[2] != "†" and row[3:] == ["†", "†"]
    assert "† withheld" in table.full_note()
