"""Rounded counts: hand arithmetic, nothing more exact than its count, and a reader who knows every sum."""

from __future__ import annotations

import dataclasses
import math
import re

import numpy as np
import pandas as pd
import pytest
from benchmarks import disclosure_studies as studies
from example import STUDY, evaluation
from scipy.optimize import linprog
from test_disclosure import flow, organizations

from medhome.reporting import manifest, read_as_outsider, release, results_file
from medhome.reporting.consistency import consistency
from medhome.reporting.disclosure import quality_under_policy, under_policy
from medhome.reporting.disclosure import release as gate
from medhome.reporting.outside_reader import PEOPLE, Reader
from medhome.reporting.result_names import TABLES
from medhome.reporting.results_file import numbers
from medhome.reporting.rounded_results import step
from medhome.reporting.rounding import round_text
from medhome.reporting.study_words import disclosure_rule
from medhome.reporting.verify import read_published
from medhome.runs import released_run
from medhome.study.completion_results import Completion
from medhome.study.measure_results import Measures
from medhome.study.problems import StudyFileError
from medhome.study.results import Attrition
from medhome.study.robustness_results import Robustness
from medhome.study.saved import save_evaluation
from medhome.study.selection_results import Selection
from medhome.study.spec import read_study
from medhome.study.truncation_results import Truncation
from medhome.study.where_results import Where

FLOOR = 8


def under(tmp_path, policy):
    """The demonstration's study under another policy, its floor left to the policy."""
    text = re.sub(r"(?s)\[disclosure\].*", f'[disclosure]\npolicy = "{policy}"\n', STUDY.read_text())
    (tmp_path / "study.toml").write_text(text)
    return read_study(tmp_path / "study.toml")


def bare(*members, **changed):
    """Comparison organisations of these many members, 24 and 22 months each, and their flow; nothing else."""
    whole = studies.study(1)
    own = organizations(**{f"O{i}": n for i, n in enumerate(members)}).assign(practices=20, clinicians=40)
    n = sum(members)
    cohort = dataclasses.replace(
        whole.cohort, organizations=own, members={"treated": 100, "comparison": n},
        member_months={"treated": 4600.0, "comparison": 46.0 * n},
        practices={"treated": 20, "comparison": 20},
        organizations_n={"treated": 1, "comparison": len(members)},
        clinicians={"treated": 40, "comparison": 40 * len(members)}, balance=whole.cohort.balance.iloc[:0],
        strata=whole.cohort.strata.iloc[:0],
    )  # fmt: skip
    empty = {
        f: getattr(whole.quality, f).iloc[:0] for f in ("waterfall", "volumes", "rules", "reconciliation")
    }
    quality = dataclasses.replace(
        whole.quality,
        **empty,
        orphans=whole.quality.orphans.iloc[:0],
        encounters=whole.quality.encounters.iloc[:0],
    )
    return dataclasses.replace(
        whole,
        **{
            "attrition": Attrition(frame=flow(n, arm="comparison")), "quality": quality, "cohort": cohort,
            "selection": Selection(), "where": Where(), "robustness": Robustness(), "measures": Measures(),
            "truncation": Truncation(), "completion": Completion(),
            "expected": dataclasses.replace(whole.expected, series=whole.expected.series.iloc[:0]),
            "did": dataclasses.replace(whole.did, event_study=whole.did.event_study.iloc[:0]),
            "savings": dataclasses.replace(whole.savings, by_year=whole.savings.by_year.iloc[:0]),
            **changed,
        },
    )  # fmt: skip


def test_counts_go_to_the_nearest_five_and_totals_are_sums_of_rounded_parts():
    released, made = gate(bare(12, 12, 12), FLOOR, rounding=True)
    assert released.cohort.organizations["members"].to_list() == [10, 10, 10]
    assert released.cohort.members == {"treated": 100, "comparison": 30}  # 36 itself would have become 35
    assert released.attrition.frame["members"].to_list() == [30]
    assert released.cohort.organizations["baseline_member_months"].to_list() == [290] * 3  # 288
    assert made.to_plain()["policy"] == "opensafely-7" and made.to_plain()["threshold"] == 8
    assert made.to_plain()["rounding"] == 5


def test_counts_to_seven_are_withheld_before_anything_is_rounded():
    released, _ = gate(bare(7, 12, 30, 40), FLOOR, rounding=True)
    told = released.cohort.organizations["members"]
    assert told.isna().sum() == 2 and told.dropna().to_list() == [30, 40]  # 12 with 7, or 7 would follow
    assert released.cohort.members["comparison"] == 90
    released, _ = gate(bare(8, 12, 30, 40), FLOOR, rounding=True)
    assert released.cohort.organizations["members"].to_list() == [10, 10, 30, 40]


def test_dollars_are_the_mean_times_the_rounded_months_and_tell_no_month():
    one, other = flow(36, arm="comparison"), flow(36, arm="comparison")
    one[["member_months", "allowed_usd"]] = [361, 36_100.0]
    other[["member_months", "allowed_usd"]] = [362, 36_200.0]
    told = [
        gate(bare(12, 12, 12, attrition=Attrition(frame=f)), FLOOR, rounding=True)[0].attrition.frame
        for f in (one, other)
    ]
    pd.testing.assert_frame_equal(*told)
    assert told[0]["member_months"].to_list() == [360] and told[0]["allowed_usd"].to_list() == [36_000.0]


@pytest.mark.parametrize(("value", "n", "told"), [
    (344.9479, 7257, 345.0),  # 5/7257 of it is 0.24: to 0.5
    (311.26, 500, 310.0),  # 3.1: to 5
    (-68.6, 112, -70.0),  # 3.06: to 5
    (0.0, 12, 0.0),
])  # fmt: skip
def test_a_mean_is_told_no_more_exactly_than_its_number(value, n, told):
    assert step(value, n) == told
    assert abs(step(value, n) - value) <= 5 * 5 * abs(value) / n  # a step is below 2.5 times the least one


@pytest.fixture(scope="module")
def attacked():
    """Random studies: true numbers, and what is released of them."""
    spec = read_study(STUDY)
    found = []
    for seed in SEEDS:
        whole = studies.study(seed)
        released, made = gate(whole, FLOOR, rounding=True)
        found.append((numbers(whole, spec), numbers(released, spec), made))
    return found


SEEDS = (2003,)  # sums alone would tell five counts of lines of it


def test_everything_counted_is_a_multiple_of_five(attacked):
    for _, told, _ in attacked:
        counted = {k: n["value"] for k, n in told.items() if n["unit"] in (*PEOPLE, "rows") and n["value"]}
        assert len(counted) > 100
        assert {k: v for k, v in counted.items() if v % 5 or 0 < abs(v) < FLOOR} == {}


def test_shares_and_rates_are_those_of_rounded_counts(attacked):
    """So a share times its denominator is the rounded numerator, and says nothing of the true one."""
    looked = 0
    for _, told, _ in attacked:
        for name in (k for k, n in told.items() if n["value"] is not None):
            value, stem = told[name]["value"], name.rpartition(".")[0]
            if name.endswith(".without_visits.share"):
                pairs = f"{stem}.members", f"{stem}.eligible", 1
            elif re.fullmatch(r"selection\.members\.\w+\.\w+\.share", name):
                pairs = f"{stem}.members", f"cohort.members.{name.split('.')[2]}", 1
            elif re.fullmatch(r"selection\.exits\..*per_1000", name):
                pairs = f"{stem}.members", f"{stem}.member_months", 1000
            elif re.fullmatch(r"measures\.rate\..*\.rate", name):
                pairs = f"{stem}.members_with", f"{stem}.members", 1
            elif name.endswith(".zero_share"):
                pairs = f"{stem}.zero_lines", f"{stem}.lines", 1
            else:
                continue
            top, under = (told[p]["value"] for p in pairs[:2])
            assert value == pytest.approx(pairs[2] * top / under, abs=1e-6), name
            looked += 1
    assert looked > 15


def ranges(true, told, asked=""):
    """What is left of each count that is told to a reader who knows the sums of the documentation, and which
    numbers were rounded on their own."""
    reader = Reader(told, floor=FLOOR, baseline=studies.FIRST, start=studies.START, through=studies.END)
    sums = [s for s in reader.sums if all(true[k]["value"] is not None for k in s.factors)]
    names = sorted({k for s in sums for k in s.factors})
    at = {k: i for i, k in enumerate(names)}
    rows, ends, bounds = [], [], []
    for one in sums:
        row = np.zeros(len(names))
        for k, f in one.factors.items():
            row[at[k]] += f
        value = sum(f * true[k]["value"] for k, f in one.factors.items())
        if not one.low - 1e-6 <= value <= one.high + 1e-6:
            continue  # not a sum of this study
        rows += [row, -row]
        ends += [one.high, -one.low]
    for name in names:
        value, shown = true[name]["value"], told[name]["value"]
        alone = shown is not None and abs(shown - value) <= 2.5
        slack = 2.5 if name.endswith("months") else 2.0
        floor_of = -math.inf if value < 0 else 0.0
        bounds.append(
            (shown - slack, shown + slack) if alone and shown else (0, 0) if shown == 0 else (floor_of, None)
        )
    kept = [i for i, end in enumerate(ends) if math.isfinite(end)]
    matrix, limits = np.array(rows)[kept], np.array(ends)[kept]
    for name in (k for k in names if told[k]["value"] and told[k]["kind"] == "count" and asked in k):
        goal = np.zeros(len(names))
        goal[at[name]] = 1.0
        least, most = (
            linprog(s * goal, A_ub=matrix, b_ub=limits, bounds=bounds, method="highs") for s in (1.0, -1.0)
        )
        low = least.fun if least.status == 0 else -1e9  # without end
        high = -most.fun if most.status == 0 else 1e9
        yield name, low, high


def test_no_true_count_follows_from_totals_complements_and_rounded_parts(attacked):
    asked = 0
    for true, told, _ in attacked:
        for name, low, high in ranges(true, told):
            assert low - 1e-6 <= true[name]["value"] <= high + 1e-6, name
            assert math.floor(high + 1e-6) > math.ceil(low - 1e-6), (name, low, high, true[name]["value"])
            asked += 1
    assert asked > 100


def test_the_same_reader_finds_true_counts_where_a_sum_was_overlooked(monkeypatch):
    """Columns of the reconciliation, rounded without regard to the waterfall that they add up to."""
    monkeypatch.setattr("medhome.reporting.rounded_counts._across", lambda found: iter(()))
    spec, whole = read_study(STUDY), studies.study(2003)
    true, told = (numbers(e, spec) for e in (whole, gate(whole, FLOOR, rounding=True)[0]))
    found = ranges(true, told, ".outside_months.")
    assert sum(math.floor(high + 1e-6) <= math.ceil(low - 1e-6) for _, low, high in found) == 5


@pytest.fixture(scope="module")
def invented(tmp_path_factory):
    """The invented evaluation under the policy, and what was done."""
    return under_policy(evaluation(), under(tmp_path_factory.mktemp("study"), "opensafely-7").disclosure)


@pytest.fixture(scope="module")
def report(invented, tmp_path_factory):
    """The same as files."""
    folder = tmp_path_factory.mktemp("rounded")
    spec, (released, made) = under(folder, "opensafely-7"), invented
    package = STUDY.parents[1] / "medhome"
    parts = manifest.describe(spec, released, made, package=package, notebooks=STUDY.parents[2] / "notebooks")
    results_file.write(released, spec, folder / "results.json", run_id=parts.run_id)
    save_evaluation(released, folder / "evaluation")
    manifest.write(parts, folder)
    return folder


def test_the_files_of_a_rounded_report_agree_with_one_another_and_may_be_released(report):
    published = read_published(report)
    said = consistency(published, report)
    assert said.agrees, said.to_text()
    assert {h.id for h in said.held if h.compared} >= {"sums", "ratios", "withheld", "intervals"}
    candidate = release.Candidate(folder=report, published=published, run=released_run(report))
    assert {a.id: a.findings for a in release.audit(candidate) if a.findings} == {}
    about = published.manifest["disclosure"]
    assert (about["policy"], about["threshold"], about["rounding"]) == ("opensafely-7", 8, 5)
    assert about["rounded"]["tables_that_do_not_add_up"]
    assert all(i["rows"] % 5 == 0 for i in published.manifest["inputs"])


def test_a_number_that_was_not_rounded_is_not_released(report):
    published = read_published(report)
    told = {k: dict(n) for k, n in published.numbers.items()}
    told["cohort.members.treated"]["value"] += 1
    told["did.total_pmpm"]["n"] = {"members": 18_851}
    spoilt = dataclasses.replace(published, numbers=told)
    candidate = release.Candidate(folder=report, published=spoilt, run=released_run(report))
    (look,) = (look for name, _, look in release.AUDITS if name == "rounded")
    found = list(look(candidate))
    assert {f.split(":")[0] for f in found} == {"did.total_pmpm", "cohort.members.treated"}


def test_effects_stay_and_what_is_computed_from_them_follows_the_rounded_numbers(report):
    whole, told = evaluation(), released_run(report).evaluation
    assert (
        told.did.headline.value == whole.did.headline.value
        and told.did.headline.ci95 == whole.did.headline.ci95
    )
    primary = told.expected.definitions.set_index("definition").loc["E3"]
    assert primary["actual_pmpm"] - primary["expected_pmpm"] == pytest.approx(primary["difference_pmpm"])
    assert primary["ae_ratio"] == pytest.approx(primary["actual_pmpm"] / primary["expected_pmpm"])
    months = told.savings.by_year["member_months"].sum()
    assert months % 5 == 0
    for name in ("gross", "net"):
        total, each = (told.savings.rows.get(f"{name}_{k}") for k in ("total_usd", "pmpm"))
        assert total is None or total.value == pytest.approx(each.value * months)


def test_nothing_exact_is_left_beside_a_count(invented):
    """Means that rest on a count have a few digits."""
    whole, (told, _) = evaluation(), invented
    for table in TABLES:
        part, field = table.frame.split(".")
        frames = [getattr(getattr(e, part), field) for e in (whole, told)]
        for name, column in table.columns.items():
            if column.unit != "USD PMPM" or column.kind != "exact" or not column.of:
                continue
            for before, after in zip(*(f.get(name, ()) for f in frames), strict=True):
                if not pd.isna(after) and after:
                    digits = f"{abs(after):.10f}".rstrip("0")
                    assert len(digits.replace(".", "").strip("0")) <= 6, (table.frame, name, before, after)


def test_sentences_are_rounded_too(invented):
    said = "1,883 claims of 12 persons, 3 of whom 9 members know, cost $20,500,555.37; fewer than 50 members."
    assert round_text(said, 8) == (
        "1,885 claims of 10 persons, 3 of whom 10 members know, cost $20,500,000; fewer than 50 members."
    )
    assert round_text("5 people", 8) == "fewer than 8 people"
    whole, (told, _) = evaluation(), invented
    assert [c.sentence for c in told.checks] == [round_text(c.sentence, 8) for c in whole.checks]


def test_the_page_of_input_checks_is_rounded_as_well(tmp_path):
    quality = evaluation().quality
    told = quality_under_policy(quality, under(tmp_path, "opensafely-7").disclosure)
    assert {n % 5 for n in told.rules["rows"]} == {0.0} and {n % 5 for n in told.inputs["rows"]} == {0.0}
    same = quality_under_policy(quality, under(tmp_path, "cms-11").disclosure)
    assert same.rules["rows"].to_list() == quality.rules["rows"].to_list()


def test_the_policy_is_a_choice_of_the_study_and_the_page_says_which(tmp_path):
    chosen = under(tmp_path, "opensafely-7")
    assert chosen.disclosure.floor == 8 and chosen.disclosure.rounding
    assert "multiples of 5 (policy opensafely-7)" in disclosure_rule(chosen) and "1 to 7" in disclosure_rule(
        chosen
    )
    usual = under(tmp_path, "cms-11")
    assert usual.disclosure.floor == 11 and not usual.disclosure.rounding
    assert "rounded" not in disclosure_rule(usual)
    with pytest.raises(
        StudyFileError, match=r"disclosure\.policy = 'opensafely': .*'cms-11'.*'opensafely-7'"
    ) as refused:
        under(tmp_path, "opensafely")
    assert refused.value.exit_code == 2


def test_an_outsider_allows_for_the_rounding(report):
    run, told = released_run(report), read_published(report).numbers
    assert list(read_as_outsider.derived(told, run.spec, FLOOR)) == []
