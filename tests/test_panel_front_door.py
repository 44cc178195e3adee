"""The front door for any panel: what a reader types, on public tables with published answers."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import medhome
from front_door import typed
from medhome.panels import ESTIMATORS, read_table
from medhome.study.problems import DataProblem, StudyFileError

KEYS = {"estimate", "se", "ci", "p", "df", "rows", "units", "clusters", "rule", "warnings", "table"}
COUNTIES = ["--outcome", "lemp", "--unit", "countyreal", "--time", "year", "--first-treated", "first.treat"]

# Estimates and errors of the reference implementations on the county table of R's did (2,500 rows), as the
# methods register lists them: docs/methods/staggered.md.
ON_COUNTIES = {
    "callaway-santanna": (-0.03995127515518, 0.01203401277019, 1e-8),
    "sun-abraham": (-0.03995127515517, 0.01179627744175, 1e-8),
    "imputation": (-0.047709918278, 0.01322248865, 1e-6),
    "two-stage": (-0.047709918278, 0.01347840882, 1e-6),
    "etwfe": (-0.04770991827845, 0.01327296238991, 1e-6),
    "twfe": (-0.03654893667424, None, 1e-8),
    "bacon": (-0.03654893667424, None, 1e-8),
}


def did(*arguments: object) -> tuple[int, str, str]:
    """Exit code, standard output and the message of ``medhome did`` with these arguments."""
    return typed("did", *arguments)


@pytest.fixture(scope="module")
def reference(shared_data):
    return shared_data / "did_reference"


@pytest.mark.shared_data
@pytest.mark.parametrize("estimator", sorted(ON_COUNTIES))
def test_json_of_each_estimator_on_counties(reference, estimator):
    code, out, _ = did(reference / "mpdta.csv.gz", *COUNTIES, "--estimator", estimator, "--json")
    found = json.loads(out)
    estimate, se, tolerance = ON_COUNTIES[estimator]
    assert code == 0 and set(found) >= KEYS
    assert_allclose(found["estimate"], estimate, rtol=tolerance)
    if se is not None:
        assert_allclose(found["se"], se, rtol=tolerance)
    assert found["ci"][0] < found["estimate"] < found["ci"][1]
    assert (found["rows"], found["units"]) == (2500, 500) and found["rule"] and found["table"]


@pytest.mark.shared_data
def test_two_way_fixed_effects_with_a_covariate_and_other_errors(reference, tmp_path):
    """fixest on base_did: .455222 by unit; the joint test before the start F(4, 107) = .938394."""
    frame = pd.read_csv(reference / "base_did.csv.gz")
    frame["d"] = frame["treat"] * frame["post"]
    frame.to_parquet(tmp_path / "base.parquet")
    columns = ["--outcome", "y", "--unit", "id", "--time", "period", "--treated", "d", "--covariates", "x1"]
    found = json.loads(did(tmp_path / "base.parquet", *columns, "--json")[1])
    assert_allclose((found["estimate"], found["se"]), (4.850645143234, 0.4552220459), rtol=1e-9)
    assert found["df"] == 107
    study = json.loads(did(tmp_path / "base.parquet", *columns, "--estimator", "event-study", "--json")[1])
    assert_allclose(study["details"]["pre_trend"]["f"], 0.93839428347, rtol=1e-9)
    for inference in ("cr2", "cr3", "wild", "randomization"):
        other = json.loads(did(tmp_path / "base.parquet", *columns, "--inference", inference, "--json")[1])
        assert_allclose(other["estimate"], found["estimate"], rtol=1e-12)
        assert other["rule"] != found["rule"]


@pytest.mark.shared_data
def test_houses_near_the_incinerator_are_a_repeated_cross_section(reference, tmp_path):
    """Wooldridge, example 13.3: -11,863.90; houses are seen once; the group column says who."""
    frame = pd.read_csv(reference / "w_kielmc.csv.gz")
    frame["house"] = np.arange(len(frame))
    frame.to_csv(tmp_path / "houses.csv", index=False)
    code, out, _ = did(
        tmp_path / "houses.csv", "--outcome", "rprice", "--unit", "house", "--time", "year",
        "--treated", "nearinc", "--estimator", "did2x2", "--json",
    )  # fmt: skip
    assert code == 0
    assert_allclose(json.loads(out)["estimate"], -11863.9032520, rtol=1e-9)


@pytest.mark.shared_data
def test_semicolons_and_one_treated_state(reference):
    """California's tobacco program: -15.604 with all 38 placebos, population standard deviation 9.371."""
    code, out, _ = did(
        reference / "california_prop99.csv.gz", "--outcome", "PacksPerCapita", "--unit", "State", "--time",
        "Year", "--treated", "treated", "--estimator", "synthetic-did", "--inference", "cr1", "--json",
    )  # fmt: skip
    found = json.loads(out)
    assert code == 0
    assert_allclose((found["estimate"], found["se"]), (-15.60382787273, 9.370999), rtol=1e-6)
    assert any("One treated unit" in w for w in found["warnings"])


@pytest.mark.shared_data
def test_python_says_the_same_and_bounds_follow(reference):
    """The event study's own coefficients go into `medhome.sensitivity`."""
    frame = pd.read_csv(reference / "base_did.csv.gz")
    frame["d"] = frame["treat"] * frame["post"]
    found = medhome.did(frame, outcome="y", unit="id", time="period", treated="d", estimator="event-study")
    times = found.details["event_times"]
    pre, post = sum(t < -1 for t in times), sum(t >= 0 for t in times)
    bounds = medhome.sensitivity(found.details["beta"], found.details["sigma"], pre, post, bounds=(0.0, 1.0))
    lower, upper = bounds.frame["lower"], bounds.frame["upper"]
    assert lower[1] < lower[0] < upper[0] < upper[1]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--treated", "d", "--estimator", "callaway"], 2, "callaway-santanna"),
        (["--treated", "d", "--option", "nonsense=1"], 2, "nonsense"),
        (["--treated", "dd"], 4, "no column 'dd'"),
        (["--treated", "always"], 1, "nothing to compare"),
        (["--treated", "stops"], 1, "stops being treated"),
        (["--treated", "d", "--covariates", "word"], 4, "column 'word'"),
        (["--treated", "d", "--inference", "bootstrap"], 1, "bootstrap"),
        (["--treated", "d", "--estimator", "imputation", "--inference", "cr2"], 1, "is its own"),
    ],
)
def test_what_cannot_be_answered_is_said_with_its_code(tmp_path, arguments, code, words):
    rows = [(u, t, u % 5 + t + (u < 3) * (t > 1), int(u < 3 and t > 1)) for u in range(8) for t in range(4)]
    frame = pd.DataFrame(rows, columns=["u", "t", "y", "d"])
    frame["always"], frame["word"] = 1, "a"
    frame["stops"] = ((frame["u"] < 3) & (frame["t"] == 2)).astype(int)
    frame.to_csv(tmp_path / "table.csv", index=False)
    columns = ["--outcome", "y", "--unit", "u", "--time", "t"]
    found, _, message = did(tmp_path / "table.csv", *columns, *arguments)
    assert found == code and words in message, message


def test_triple_difference_is_reached_by_its_column(tmp_path):
    """A rise of 3 in the affected of the treated alone; 1 in all of the treated, 2 in all of the affected."""
    rows = [(8 * g + 4 * s + k, t, g, s, 1.0 * g + s + k + t * (g + 2 * s + 3 * g * s) + (k * t % 2) / 4)
            for g in (0, 1) for s in (0, 1) for k in range(4) for t in (0, 1)]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["u", "t", "g", "s", "y"])
    frame["d"] = frame["g"] * frame["t"]
    frame.sample(frac=1, random_state=1).to_csv(tmp_path / "table.csv", index=False)
    columns = ["--outcome", "y", "--unit", "u", "--time", "t", "--treated", "d", "--json"]
    triple = [*columns, "--estimator", "triple-difference"]
    code, out, _ = did(tmp_path / "table.csv", *triple, "--affected", "s")
    assert code == 0
    assert_allclose(json.loads(out)["estimate"], 3.0)
    for arguments, words in ((triple, "needs affected"), ([*columns, "--affected", "s"], "not of twfe")):
        code, _, message = did(tmp_path / "table.csv", *arguments)
        assert code == 2 and words in message, message


def test_a_file_that_is_no_table_is_named(tmp_path):
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 not really")
    for name in ("absent.csv", "broken.parquet"):
        with pytest.raises(DataProblem, match=name):
            read_table(tmp_path / name)


def test_every_estimator_has_its_function():
    frame = pd.DataFrame({"u": [1, 2], "t": [1, 1], "y": [0.0, 0.0], "d": [0, 0]})
    for name in ESTIMATORS:
        with pytest.raises(StudyFileError, match=f"{name} has no option 'nonsense'"):
            medhome.did(frame, outcome="y", unit="u", time="t", treated="d", estimator=name, nonsense=1)
