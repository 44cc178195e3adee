"""A report of a later period against an earlier one: news are not restatements, and each has its cause."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest
from example import STUDY, evaluation, spec
from numpy.testing import assert_allclose

from medhome import runs
from medhome.reporting.restated import changed_keys, restatement
from medhome.study.periods import month_index
from medhome.study.problems import StudyFileError
from medhome.study.released import ReleasedRun
from medhome.study.saved import save_evaluation
from medhome.study.spec import StudySpec

JANUARY = month_index("2010-01")


def released(rows, digest: str, through: str = "2010-03", **changes) -> ReleasedRun:
    """A report whose months by arm are (month, arm, lines, dollars, member-months)."""
    plain = spec().model_dump()
    plain["periods"]["through"] = through
    plain["id"] = changes.pop("id", plain["id"])
    for key, value in changes.items():
        section, _, name = key.partition("__")
        plain[section][name] = value
    study = StudySpec.model_validate(plain)
    volumes = pd.DataFrame(rows, columns=["month", "arm", "claim_lines", "allowed_usd", "member_months"])
    volumes["members"] = volumes["member_months"]
    inputs = pd.DataFrame({"role": ["medical_claim"], "content_sha256": [digest]})
    whole = evaluation()
    quality = dataclasses.replace(whole.quality, volumes=volumes, inputs=inputs)
    return ReleasedRun(spec=study, evaluation=dataclasses.replace(whole, quality=quality))


OLD = [
    (JANUARY, "treated", 400, 30_000.0, 100.0),
    (JANUARY, "comparison", 900, 60_000.0, 200.0),
    (JANUARY + 1, "treated", 380, 29_000.0, 100.0),
    (JANUARY + 1, "comparison", 910, 61_000.0, 200.0),
]


def test_late_claims_and_membership_by_hand():
    """Three late lines of $500 in January: 300.00 to 305.00. Five fewer members in February."""
    new = released(
        [
            (JANUARY, "treated", 403, 30_500.0, 100.0),
            (JANUARY, "comparison", 900, 60_000.0, 200.0),
            (JANUARY + 1, "treated", 380, 29_000.0, 100.0),
            (JANUARY + 1, "comparison", 910, 61_000.0, 195.0),
            (JANUARY + 2, "treated", 1, 1.0, 100.0),
            (JANUARY + 2, "comparison", 1, 1.0, 200.0),
        ],
        "b",
    )
    found = restatement(released(OLD, "a", through="2010-02"), new)
    table = found.months.set_index(["month", "arm"])
    assert list(table.index) == [(JANUARY, "treated"), (JANUARY + 1, "comparison")]
    assert_allclose(table.loc[(JANUARY, "treated"), ["old_pmpm", "new_pmpm"]].astype(float), [300, 305])
    assert_allclose(table["difference_pmpm"], [5.0, 61_000 / 195 - 305])
    assert list(table["cause"]) == ["late claims", "membership restated"]
    assert found.new_months == ("2010-03",) and found.gone_months == () and found.compared == 4
    assert not found.parameters, "a later end of the period is no change of the study"
    quarters = found.quarters.set_index("arm")
    assert_allclose(quarters.loc["treated", "new_pmpm"], 59_500 / 200)
    assert "305.00" in found.to_text() and found.to_plain()["restated"][0]["month"] == "2010-01"


def test_a_changed_study_file_is_named_and_never_passed_off_as_late_claims():
    new = released([(m, a, n - 1, d - 10, w) for m, a, n, d, w in OLD], "a", periods__run_out_months=2)
    found = restatement(released(OLD, "a"), new)
    assert set(found.months["cause"]) == {"parameters"}
    assert found.parameters == {"periods.run_out_months": (3, 2)}
    mixed = dataclasses.replace(new)
    mixed.evaluation.quality.inputs.loc[0, "content_sha256"] = "b"
    assert set(restatement(released(OLD, "a"), mixed).months["cause"]) == {"late claims; parameters"}


def test_the_same_files_and_study_leave_only_the_code():
    new = released([(m, a, n, d + 1, w) for m, a, n, d, w in OLD], "a")
    assert set(restatement(released(OLD, "a"), new).months["cause"]) == {"code"}
    assert restatement(released(OLD, "a"), released(OLD, "a")).months.empty


def test_what_was_withheld_stays_withheld():
    nan = float("nan")
    hidden = [(JANUARY, "treated", nan, nan, nan), *OLD[1:]]
    found = restatement(released(hidden, "a"), released(OLD, "b"))
    row = found.months.iloc[0]
    assert row["cause"] == "withheld in one of the reports" and pd.isna(row["difference_pmpm"])
    assert restatement(released(hidden, "a"), released(hidden, "b")).months.empty


def test_reports_on_disk(tmp_path):
    for name, rows in (("old", OLD), ("new", [(JANUARY, "treated", 401, 30_010.0, 100.0), *OLD[1:]])):
        (tmp_path / name).mkdir()
        (tmp_path / name / "study.toml").write_text(STUDY.read_text(encoding="utf-8"), encoding="utf-8")
        save_evaluation(released(rows, name).evaluation, tmp_path / name / "evaluation")
    found = runs.compare_periods(tmp_path / "old", tmp_path / "new")
    assert list(found.months["cause"]) == ["late claims"]
    assert_allclose(found.months["difference_pmpm"], [0.10])
    with pytest.raises(StudyFileError, match="there is no report here"):
        runs.compare_periods(tmp_path / "none", tmp_path / "new")


def test_two_studies_are_not_compared():
    with pytest.raises(StudyFileError, match="two studies"):
        restatement(released(OLD, "a"), released(OLD, "a", id="other"))


def test_changed_keys_leave_the_period_out():
    plain = spec().model_dump()
    plain["periods"]["through"], plain["outcomes"]["cap_usd_per_year"] = "2010-01", 250_000
    changed = changed_keys(spec(), StudySpec.model_validate(plain))
    assert changed == {"outcomes.cap_usd_per_year": (100_000, 250_000)}
