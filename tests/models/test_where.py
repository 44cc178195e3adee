"""Where and for whom: parts add up, groups are the study's own model on their cells, luck is adjusted for."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from member_world import START, study, world
from numpy.testing import assert_allclose

from medhome.models import did, where
from medhome.models.funnel import funnel
from medhome.models.inference.contrasts import contrasts
from medhome.models.inference.member_covariance import member_covariance
from medhome.models.inference.two_period import re_two_period
from medhome.models.multiplicity import benjamini_hochberg, holm
from medhome.models.twfe import twfe
from medhome.study.triangles import Triangles
from medhome.study.where_results import GroupCells

KINDS = ("inpatient", "pharmacy")


@dataclasses.dataclass
class Study:
    cells: object
    pairs: object
    triangles: Triangles
    groups: GroupCells
    effect: object
    cohort: object
    spec: object


@pytest.fixture(scope="module")
def made():
    spec = study()
    small = world(organizations=9, members=30, spec=spec)
    months = small.months[small.months["person"] >= 6]  # the first practice is the smaller
    few = months["organization_id"].isin(["O6", "O7", "O8"]) & (months["person"] % 5 > 0)
    months = months[~few]  # three comparison organisations have practices as small as it is
    child = months["person"] % 3 == 0
    small = dataclasses.replace(small, months=months.assign(stratum=np.where(child, "children", "adults")))
    scored = small.scored({"intercept": 20_000.0, "condition:diabetes": 30_000.0})
    cells, pairs = scored.cells(), scored.pairs("allowed_capped")
    # Two kinds of service: a share of each cell's cost, and what is left belongs to members above the cap.
    frame = cells.frame[[*cells.keys, "rows", "w", "w*expected", "w*expected*expected"]].copy()
    for name, part in (("inpatient", 0.4), ("pharmacy", 0.5)):
        for moment in ((name,), (name, "expected")):
            whole = cells.frame["*".join(["w", *sorted(("allowed_capped", *moment[1:]))])]
            shift = np.arange(len(whole)) % 7 * 1000 if len(moment) == 1 else 0
            frame["*".join(["w", *sorted(moment)])] = pd.Series(
                [int(v * part) for v in whole] + np.asarray(shift), dtype=object
            )
    kinds = dataclasses.replace(cells, scales={"expected": 100, **dict.fromkeys(KINDS, 100)}, frame=frame)
    services = pd.DataFrame(
        {
            "category": [*KINDS, "large"], "members_treated": 20.0, "members_comparison": 90.0,
            "member_variance": [4e3, 5e3, 9e3],
        }
    )  # fmt: skip
    triangles = Triangles(
        payments=cells.frame.iloc[:0], paid_through=0, undated_share=0.0, cells=kinds, categories=KINDS,
        services=services,
    )  # fmt: skip
    people = small.months.drop_duplicates("person")
    keys = ["organization_id", "practice_id", "arm", "stratum"]
    practices = people.groupby(keys).size().rename("members").reset_index()
    ill = dataclasses.replace(scored, months=scored.months[scored.months["condition:diabetes"] == 1])
    group = ill.cells()
    group = dataclasses.replace(
        group, keys=(*group.keys, "subgroup"), frame=group.frame.assign(subgroup="risk:high")
    )
    sick = people[people["condition:diabetes"] == 1]
    groups = GroupCells(
        groups=pd.DataFrame(
            {
                "dimension": ["risk"], "group": ["risk:high"], "label": ["High risk"],
                "members_treated": [float((sick["arm"] == "treated").sum())],
                "members_comparison": [float((sick["arm"] == "comparison").sum())],
            }
        ),
        cells=group,
        practices=practices,
        high_risk_cut_pmpm=500.0,
    )  # fmt: skip
    names = cells.frame[["organization_id", "arm"]].drop_duplicates()
    cohort = SimpleNamespace(organizations=names.assign(label=names["organization_id"]))
    effect = did.estimate(cells, pairs, spec)
    # Twelve months before the start were not simulated; with more, the headline would have a p-value.
    effect = dataclasses.replace(effect, headline=dataclasses.replace(effect.headline, p=0.4))
    return Study(cells, pairs, triangles, groups, effect, cohort, spec)


def described(m, **changed):
    m = dataclasses.replace(m, **changed)
    return where.describe(m.cells, m.pairs, m.spec, m.effect, m.triangles, m.groups, m.cohort)


@pytest.fixture(scope="module")
def found(made):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(where, "FEWEST_MEMBERS", 5)
        return described(made)


def test_effects_of_kinds_of_service_add_up_to_the_headline(found, made):
    table = found.categories.set_index("category")
    assert list(table.index) == [*KINDS, "large", "all"]
    assert_allclose(table["estimate"].iloc[:-1].sum(), made.effect.headline.value, rtol=1e-9)
    for column in [c for c in table if c.endswith("_pmpm")]:
        assert_allclose(table[column].iloc[:-1].sum(), table.loc["all", column], rtol=1e-9)
    assert_allclose(table.loc["all", ["lo95", "hi95"]].astype(float), made.effect.headline.ci95)
    assert_allclose(table["baseline_share"], table["estimate"] / table.loc["all", "treated_baseline_pmpm"])


def test_a_kind_of_service_has_the_interval_of_changes_of_organisations(found, made):
    fit = twfe(made.triangles.cells, "pharmacy", first_post=START)
    months = did.OrganizationMonths.of(fit, START)
    after = months.months >= START
    exposure = months.members[months.treated].sum(0)
    changes = contrasts(months.y, months.members, months.treated, after, exposure)
    own = re_two_period(changes, 5e3 / changes.members, months.mean, by_members=True).effect
    row = found.categories.set_index("category").loc["pharmacy"]
    assert_allclose(row["estimate"], fit.coefficients[0])
    assert_allclose(row["hi95"] - row["lo95"], own.ci95[1] - own.ci95[0], rtol=1e-9)


def test_groups_are_the_study_s_own_model_on_their_cells(found, made):
    table = found.groups.set_index("group")
    assert list(table.index) == [
        "all", "adults", "children", "risk:high", "risk:other", "size:small", "size:large",
    ]  # fmt: skip
    part = made.cells.where((made.cells.frame["stratum"] == "children").to_numpy())
    assert_allclose(
        table.loc["children", "estimate"], twfe(part, "allowed_capped", first_post=START).coefficients[0]
    )
    for dimension in ("risk", "stratum", "size"):
        mine = table[table["dimension"] == dimension]
        for column in ("members_treated", "members_comparison", "member_months"):
            assert_allclose(mine[column].sum(), table.loc["all", column])
    assert (table["lo95"] < table["lo90"]).all() and (table["hi90"] < table["hi95"]).all()


def test_every_part_but_the_headline_is_adjusted_together(found):
    parts = pd.concat([found.categories.iloc[:-1], found.groups.iloc[1:]])
    assert found.tested == len(parts) == 9
    assert_allclose(parts["p_holm"], holm(parts["p"].to_numpy()))
    assert_allclose(parts["p_bh"], benjamini_hochberg(parts["p"].to_numpy()))
    assert np.isnan(found.categories["p_holm"].iloc[-1]) and np.isnan(found.groups["p_holm"].iloc[0])


def test_small_groups_have_an_estimate_and_no_interval(made):
    table = described(made).groups.set_index("group")
    row = table.loc["risk:high"]
    assert np.isfinite(row["estimate"]) and np.isnan(row["lo95"]) and np.isnan(row["p_holm"])
    assert row["why"] == "no interval: fewer than 100 members in an arm"


def test_a_group_without_variance_says_so(made):
    frame = made.groups.cells.frame.copy()
    mean = [int(y) // int(w) for y, w in zip(frame["w*allowed_capped"], frame["w"], strict=True)]
    frame["w*allowed_capped"] = [m * int(w) for m, w in zip(mean, frame["w"], strict=True)]
    frame["w*allowed_capped*allowed_capped"] = [m * m * int(w) for m, w in zip(mean, frame["w"], strict=True)]
    flat = dataclasses.replace(made.groups, cells=dataclasses.replace(made.groups.cells, frame=frame))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(where, "FEWEST_MEMBERS", 5)
        part = flat.cells.by(*made.cells.keys)
        member = member_covariance(made.pairs, sorted(set(made.cells.frame["month"]))).matrix
        row = where._of_part(
            part, {"treated": 9.0, "comparison": 9.0}, 1.0, member, made.spec, made.effect
        )
    assert "no variance to learn from" in row["why"] and np.isnan(row["lo95"])


def test_without_a_printable_p_there_is_no_adjusted_one(made):
    headline = dataclasses.replace(made.effect.headline, p=None)
    result = described(made, effect=dataclasses.replace(made.effect, headline=headline))
    assert result.tested == 0 and result.categories["p"].isna().all()


def test_a_practice_is_drawn_to_its_arm_s_mean_the_more_the_noisier_it_is(made):
    fit = twfe(made.cells, "allowed_capped", first_post=START)
    member = member_covariance(made.pairs, fit.panel.months).matrix
    assert funnel(fit, member, START, made.cohort).frame.empty  # two treated practices are too few
    many = dataclasses.replace(fit.panel, treated=np.arange(len(fit.panel.practices)) < 6)
    organizations = tuple(f"O{j}\x1f{'treated' if j < 3 else 'comparison'}" for j in range(9))
    many = dataclasses.replace(many, organizations=organizations)
    names = pd.DataFrame([o.split("\x1f") for o in organizations], columns=["organization_id", "arm"])
    cohort = SimpleNamespace(organizations=names.assign(label=names["organization_id"]))
    result = funnel(dataclasses.replace(fit, panel=many), member, START, cohort)
    frame = result.frame
    assert len(frame) == 18 and frame["label"].iloc[1] == "O0, practice 02"
    assert (frame["hi95"] > frame["shrunken"]).all()
    mine = frame[frame["arm"] == "treated"]
    towards = (mine["shrunken"] - result.treated_mean_pmpm) / (mine["estimate"] - result.treated_mean_pmpm)
    assert ((towards > 0) & (towards < 1)).all()
    order = np.argsort(mine["se"].to_numpy())
    assert towards.to_numpy()[order][0] > towards.to_numpy()[order][-1]
    assert_allclose(frame["limit998"] / frame["limit95"], 3.0902 / 1.95996, rtol=1e-4)


def test_adjusted_p_values_by_hand():
    p = np.array([0.01, 0.02, 0.03, 0.04, 0.05])
    assert_allclose(holm(p), [0.05, 0.08, 0.09, 0.09, 0.09])
    assert_allclose(benjamini_hochberg(p), [0.05] * 5)
    assert_allclose(holm(np.array([0.6, 0.5])), [1.0, 1.0])
