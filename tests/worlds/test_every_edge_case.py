"""Each of the 25 edge cases as `medhome simulate` writes it, on two engines, held to its numbers by hand.

What a choice must give stands in its world (`medhome.simulate.edge_cases`); `docs/simulation.md` says what
each name means. Every dollar and member-month that is lost is named there: a reason or a rule without a row
took nothing.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.util

import example
import pandas as pd
import pytest
from every_frame import assert_equal

from medhome import runs
from medhome.models import checks, did, risk
from medhome.models import code_systems as jump
from medhome.reporting.disclosure import release
from medhome.reporting.restated import restatement
from medhome.simulate.edge_cases import edge_case, edge_cases
from medhome.study.periods import month_index, month_name
from medhome.study.problems import ModelRefusal, StudyFileError
from medhome.study.spec import read_study
from medhome.tables import balance, code_systems, collapse, engines, panel, selection, sources, truncation
from medhome.tables import checks as input_checks
from medhome.tables.engine import fetch

CASES = [case.id for case in edge_cases()]
OTHER = "datafusion"
needs_other = pytest.mark.skipif(
    importlib.util.find_spec(OTHER) is None,
    reason="the second engine is not installed: pip install 'medhome[engines]'",
)


class Built:
    """One choice of a world on one engine, from its files to cells."""

    def __init__(self, folder, choice, engine):
        self.wanted, self.spec = choice["expected"], read_study(folder / choice["study"])
        asked = self.wanted.get("coefficients_usd", {"intercept": 100})
        coefficients = {term: 100 * usd for term, usd in asked.items()}
        with engines.opened(engine) as ready:
            data = folder / choice["data"]
            inputs = sources.open_inputs(ready.files, self.spec, data)
            _rules, self.files = input_checks.check_inputs(ready.files, inputs, self.spec, data)
            inputs = ready.moved(inputs)
            self.panel = collapse.score(panel.build(ready.con, inputs, self.spec), coefficients)
            self.cells = collapse.cells(self.panel, self.spec)
            self.pairs = collapse.month_pairs(self.panel, "allowed_capped")
            self.above = truncation.above_cap(self.panel, self.spec)
            self.coded = code_systems.by_month(inputs, self.panel.members, coefficients, self.spec)
            self.cohort = balance.describe(self.panel, self.spec) if "organizations" in self.wanted else None
            both = "crossovers" in self.wanted
            self.flows = selection.describe(inputs, self.panel, self.spec) if both else None
            self.frames = self.panel.quality | {
                "months": fetch(self.panel.months.order_by("person_key", "month")),
                "members": fetch(self.panel.members.order_by("person_key")),
                "cells": self.cells.frame,
                "pairs": self.pairs.frame,
                "above the cap": self.above,
                "scores by month": self.coded,
                "attrition": self.panel.attrition.frame,
            }


@functools.cache
def built(folder, number, engine):
    """A world's choice on an engine, built once."""
    return Built(folder, written(folder)["choices"][number], engine)


@functools.cache
def written(folder):
    return runs.simulate(folder, folder.name)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    return tmp_path_factory.mktemp("edge-cases")


def every_choice():
    return [
        pytest.param(case.id, number, id=f"{case.id}, {choice.name}")
        for case in edge_cases()
        for number, choice in enumerate(case.choices)
    ]


def first_choices():
    """A second engine compiles each world anew: every third of them on each change, all when asked."""
    rare = [() if n % 3 == 0 else (pytest.mark.exhaustive,) for n in range(len(edge_cases()))]
    return [
        pytest.param(case.id, 0, id=f"{case.id}, {case.choices[0].name}", marks=marks)
        for case, marks in zip(edge_cases(), rare, strict=True)
    ]


# What a choice found, by the name of what it must give: rows with the columns of the world's own table ------


def found_cells(b):
    frame = b.cells.frame
    period = ["baseline" if m < month_index(b.spec.periods.start) else "performance" for m in frame["month"]]
    sums = frame.assign(
        period=period,
        member_months=b.cells.member_months,
        allowed_usd=b.cells.total("allowed"),
        capped_usd=b.cells.total("allowed_capped"),
    )
    columns = ["member_months", "allowed_usd", "capped_usd"]
    return sums.groupby(["arm", "period"])[columns].sum().reset_index()


def found_steps(b):
    rows = b.panel.reconciliation
    nothing = (rows[["lines", "allowed_usd", "paid_usd"]] == 0).all(axis=1)
    return rows[~nothing]


def found_left_out(b):
    rows = found_steps(b)
    return rows[~rows["reason"].isin(["files", "model"])]


def found_in_files(b):
    rows = found_steps(b)
    return rows[rows["reason"] == "files"]


def found_dropped(b):
    lost = b.panel.attrition.frame.rename(
        columns={
            "members_dropped": "of_members",
            "member_months_dropped": "of_months",
            "allowed_usd_dropped": "of_usd",
        }
    )
    lost = lost[(lost["of_members"] > 0) | (lost["of_months"] > 0)]
    return pd.DataFrame(
        {
            "rule": lost["rule"],
            "arm": lost["arm"].str.replace(" ", "_"),
            "members": lost["of_members"],
            "member_months": lost["of_months"],
            "allowed_usd": lost["of_usd"],
        }
    )


def found_cost(b):
    rows = b.frames["months"].merge(b.frames["members"], on="person_key")
    rows = rows[rows["allowed_cents"] != 0]
    return pd.DataFrame(
        {
            "person_id": rows["person_id"],
            "month": [month_name(m) for m in rows["month"]],
            "allowed_usd": rows["allowed_cents"] / 100,
        }
    )


def found_scores(b):
    return b.coded.assign(month=[month_name(m) for m in b.coded["month"]])


def found_expected_cost(b):
    members = b.frames["members"]
    means = members.groupby("arm")["expected_cents"].mean() / 100
    return means.rename("expected_usd").reset_index()


def found_crossovers(b):
    seen = b.flows.crossovers
    return seen.assign(seen_in=seen["seen_in"].str.replace(" ", "_"))


def found_organizations(b):
    shown, gate = release(example.evaluation(cohort=b.cohort), 11)
    assert gate.audit == "passed"
    table = b.cohort.organizations.merge(
        shown.cohort.organizations[["label", "members"]].rename(columns={"members": "released"}),
        on="label",
    )
    return table[table["arm"] == "comparison"]


FOUND = {
    "cells": found_cells,
    "left_out": found_left_out,
    "in_files": found_in_files,
    "dropped": found_dropped,
    "cost": found_cost,
    "encounters": lambda b: b.panel.encounters,
    "prices": lambda b: b.panel.prices,
    "above_cap": lambda b: b.above,
    "scores": found_scores,
    "expected_cost": found_expected_cost,
    "crossovers": found_crossovers,
    "organizations": found_organizations,
}
SOME = {"prices", "encounters", "crossovers"}
"""Tables of which a world names the rows that matter; of all others it names every row."""


def hold(name, b):
    wanted = b.wanted.get(name, [])
    frame = FOUND[name](b)
    columns = list(wanted[0]) if wanted else list(frame.columns[:2])
    keys = [c for c in columns if wanted and isinstance(wanted[0][c], str)] if wanted else columns
    rows = {tuple(r[k] for k in keys): r for r in frame.to_dict("records")}
    expected = {tuple(r[k] for k in keys): r for r in wanted}
    assert set(rows) == set(expected) or (name in SOME and set(rows) > set(expected)), name
    for key, row in expected.items():
        for column in columns:
            if column not in keys:
                same(rows[key][column], row[column], f"{name} {key} {column}")


def same(found, wanted, where):
    """Equal to the cent, or both empty."""
    if wanted is None:
        assert pd.isna(found), where
    else:
        assert found == pytest.approx(wanted, abs=5e-7), f"{where}: {found}, by hand {wanted}"


@pytest.mark.parametrize(("world", "number"), every_choice())
def test_the_hand_arithmetic_holds(worlds, world, number):
    b = built(worlds / world, number, engines.OWN)
    always = {"cells", "left_out", "dropped"}
    for name in FOUND:
        if name in always or name in b.wanted:
            hold(name, b)


@needs_other
@pytest.mark.parametrize(("world", "number"), first_choices())
def test_a_second_engine_gives_the_same_to_the_cent(worlds, world, number):
    other = built(worlds / world, number, OTHER)
    hold("cells", other)
    hold("left_out", other)
    assert_equal(built(worlds / world, number, engines.OWN).frames, other.frames)


def said_about(b) -> str:
    """What a report says of this choice beside its numbers, as far as the tables alone bring it about."""
    told = [*checks._cap(b.cells, b.spec), *checks._design(b.spec), *jump.code_systems(b.coded, b.spec)]
    words = []
    if "effect_pmpm_usd" in b.wanted:
        effect = did.estimate(b.cells, b.pairs, b.spec)
        same(effect.headline.value, b.wanted["effect_pmpm_usd"], "effect")
        told += [*checks._before_the_start(effect), *checks._organizations(effect)]
        words = list(effect.warnings)
    return " ".join([*words, *(check.sentence for check in told)]).replace("−", "-")


WITH_WORDS = [
    pytest.param(case.id, number, id=f"{case.id}, {choice.name}")
    for case in edge_cases()
    for number, choice in enumerate(case.choices)
    if "sentences" in choice.expected
]


@pytest.mark.parametrize(("world", "number"), WITH_WORDS)
def test_what_a_reader_is_told(worlds, world, number):
    b = built(worlds / world, number, engines.OWN)
    said = said_about(b)
    for sentence in b.wanted["sentences"]:
        assert sentence in said


def test_19_no_estimate_where_nothing_varies(worlds):
    b = built(worlds / "edge-19", 0, engines.OWN)
    with pytest.raises(ModelRefusal, match=b.wanted["refused"]):
        did.estimate(b.cells, b.pairs, b.spec)


def test_21_the_restated_month_and_its_cause(worlds):
    first, second = (_report(built(worlds / "edge-21", number, engines.OWN)) for number in (0, 1))
    found = restatement(first, second).months
    (wanted,) = built(worlds / "edge-21", 1, engines.OWN).wanted["restated"]
    row = found[found["arm"] == wanted["arm"]].iloc[0]
    assert len(found) == 1
    same(row["old_pmpm"], wanted["old_pmpm"], "old")
    same(row["new_pmpm"], wanted["new_pmpm"], "new")
    assert row["cause"].replace(" ", "_") == wanted["cause"]
    assert month_name(row["month"]) == wanted["month"]


def _report(b):
    """A report in all but its dollars by month and its input files an example."""
    report = example.report()
    quality = dataclasses.replace(
        report.evaluation.quality, volumes=b.panel.quality["volumes"], inputs=b.files
    )
    return dataclasses.replace(report, evaluation=dataclasses.replace(report.evaluation, quality=quality))


@pytest.mark.parametrize("number", [0, 1])
def test_23_the_version_of_the_score_is_named(worlds, number):
    b = built(worlds / "edge-23", number, engines.OWN)
    assert risk.version(b.spec).startswith(b.wanted["risk_version"])
    assert (risk.version(b.spec) == b.wanted["risk_version"]) == (number == 0)


# The worlds themselves -----------------------------------------------------------------------------------


def test_the_list_is_whole():
    assert [f"edge-{number:02d}" for number in range(1, 26)] == CASES
    for case in edge_cases():
        assert case.title and case.arithmetic and case.choices[0].expected["cells"]
        names = set().union(*(choice.expected for choice in case.choices))
        known = {*FOUND, "sentences", "effect_pmpm_usd", "refused", "restated", "risk_version"}
        assert names <= known | {"coefficients_usd"}, case.id


def test_a_world_is_written_the_same_twice(tmp_path):
    for name in ("a", "b"):
        runs.simulate(tmp_path / name, "edge-21")
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*.*"))
    assert len(files) == 2 + 1 + 2 * 6
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_an_unknown_edge_case_and_a_seed_are_refused(tmp_path):
    with pytest.raises(StudyFileError, match="edge-01"):
        edge_case("edge-26")
    with pytest.raises(StudyFileError, match="is written down, not drawn"):
        runs.simulate(tmp_path, "edge-01", seed=4)
