"""No small count follows from all tables together: sums across tables, parts of a whole, member-months."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from test_disclosure import FLOOR, organizations, shown, whole

from medhome.reporting import counted
from medhome.reporting.derivable import Reader, withhold_derivable
from medhome.reporting.disclosure import release
from medhome.reporting.result_columns import Column, Table
from medhome.study.care_management_results import CareManagement
from medhome.study.member_cost_results import MemberCosts
from medhome.study.problems import DisclosureRefused
from medhome.study.results import Cohort
from medhome.study.robustness_results import Robustness
from medhome.study.where_results import Where

MEMBERS = {"treated": 18_850, "comparison": 1245}


@pytest.fixture(scope="module")
def study():
    return whole(care_management=CareManagement())


def with_organizations(study, **members: int):
    counts = {**MEMBERS, "comparison": sum(members.values())}
    part = dataclasses.replace(
        study.cohort,
        organizations=organizations(**members),
        members=counts,
        balance=study.cohort.balance.assign(unit="mean"),
    )
    return dataclasses.replace(
        study, cohort=part, robustness=Robustness(), member_costs=MemberCosts(), where=Where()
    )


def without(frame: pd.DataFrame, rows: list[int], *columns: str) -> pd.DataFrame:
    changed = frame.astype(dict.fromkeys(columns, "float64"))
    changed.loc[changed.index[rows], list(columns)] = np.nan
    return changed


def hidden_organizations(study, *rows: int):
    """The study with these organisations' members withheld and nothing else."""
    table = without(study.cohort.organizations, list(rows), "members", *Cohort.RESTING["organizations"])
    part = dataclasses.replace(study.cohort, organizations=table)
    return dataclasses.replace(study, cohort=part)


def exposed(whole_study, released) -> set[str]:
    """The organisations whose members follow."""
    reader = Reader(whole_study, FLOOR)
    reader.reads(released)
    return {one.count.words["organization"] for one in reader.exposed() if "organization" in one.count.words}


def test_two_withheld_counts_that_are_eleven_together_are_both_below_eleven(study):
    # 5 and 6 withheld of 911, 900 shown: each is at least 1, so that neither is above 10.
    full = with_organizations(study, A=5, B=6, C=900)
    assert exposed(full, hidden_organizations(full, 0, 1)) == {"Comparison 00", "Comparison 01"}
    # With 900 withheld too, either may be anything up to 909.
    assert exposed(full, hidden_organizations(full, 0, 1, 2)) == set()
    released, _ = release(full, FLOOR)
    assert shown(released.cohort.organizations["members"]) == [None, None, None]


def test_twelve_between_two_is_enough(study):
    full = with_organizations(study, A=5, B=7, C=900)
    released, _ = release(full, FLOOR)
    assert shown(released.cohort.organizations["members"]) == [None, None, 900]


def test_a_count_that_another_table_tells_is_withheld_there_as_well(study):
    full = with_organizations(study, A=5, B=40, C=900)
    units = full.cohort.organizations[["label", "arm", "members"]]
    sure = Robustness(organizations=units.assign(estimate=-1.0, change=7.0, why=""))
    full = dataclasses.replace(full, robustness=sure)
    # T2 withholds 5 and 40; the other table still tells 40, and with it 945 - 900 - 40 = 5.
    cells = without(sure.organizations, [0], "members", "estimate", "change")
    told = dataclasses.replace(
        hidden_organizations(full, 0, 1), robustness=dataclasses.replace(sure, organizations=cells)
    )
    assert exposed(full, told) == {"Comparison 00"}
    released, further = withhold_derivable(told, full, FLOOR)
    assert shown(released.robustness.organizations["members"]) == [None, None, 900]
    assert further == 1


def test_a_quarter_that_lacks_few_of_the_arm_loses_its_number_and_keeps_its_estimate(study):
    events = study.did.event_study.copy()
    events["members"] = [18_845.0, *events["members"].iloc[1:]]
    full = dataclasses.replace(study, did=dataclasses.replace(study.did, event_study=events))
    released, _ = release(full, FLOOR)  # 18,850 - 18,845: five were not there
    found = released.did.event_study.iloc[0]
    assert pd.isna(found["members"]) and found["estimate"] == events["estimate"].iloc[0]
    assert found["member_months"] == events["member_months"].iloc[0]
    eleven = events.assign(members=[18_839.0, *events["members"].iloc[1:]])
    full = dataclasses.replace(study, did=dataclasses.replace(study.did, event_study=eleven))
    assert release(full, FLOOR)[0].did.event_study["members"].iloc[0] == 18_839


def test_member_months_that_follow_bound_the_members(study):
    # Three withheld, 900 shown in their own table; of the member-months only A's are withheld, and A's follow
    # from another table's total: 24 months at least for each of A's members.
    full = with_organizations(study, A=5, B=40, C=900)
    reader = Reader(full, FLOOR)
    told = hidden_organizations(full, 0, 1)
    reader.reads(told)
    place = ("cohort.organizations", 0, "members")
    assert reader.most({place: 1.0}) == pytest.approx(44)  # 45 together, B at least 1
    assert reader.most({place: -1.0}) == pytest.approx(-1)
    table = told.cohort.organizations.copy()
    table["baseline_member_months"] = full.cohort.organizations["baseline_member_months"]
    part = dataclasses.replace(told.cohort, organizations=table)
    reader.reads(dataclasses.replace(told, cohort=part))
    assert reader.most({place: 1.0}) == pytest.approx(5)  # 120 member-months, 24 each


def test_a_new_table_is_audited_without_being_declared_anywhere_else(study, monkeypatch):
    frame = study.specifications.ranks
    table = Table("new", "specifications.ranks", ("statistic",), {"rank": Column("visits", "count")})
    monkeypatch.setattr(counted, "TABLES", (table,))
    few = frame.assign(rank=[4, *([40] * (len(frame) - 1))])
    part = dataclasses.replace(study.specifications, ranks=few)
    full = dataclasses.replace(study, specifications=part)
    released, further = withhold_derivable(full, full, FLOOR)
    assert shown(released.specifications.ranks["rank"]) == [None, *([40] * (len(frame) - 1))]
    assert further == 1


def test_what_follows_from_numbers_that_must_stay_is_refused(study):
    few = dataclasses.replace(study.cohort, members={"treated": 18_850, "comparison": 9})
    full = dataclasses.replace(study, cohort=few)
    with pytest.raises(DisclosureRefused, match=r"cohort\.members comparison.*nothing was released"):
        withhold_derivable(full, full, FLOOR)
