"""The front door for cost models: what a reader types, what comes back, what is refused with which code."""

from __future__ import annotations

import doctest
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import medhome
from front_door import typed

COLUMNS = [
    "--outcome",
    "cost",
    "--covariates",
    "age,sex,program",
    "--weights",
    "months",
    "--cluster",
    "practice",
]
PAGE = Path(__file__).resolve().parents[1] / "docs" / "methods" / "cost-models.md"


def cost_model(*arguments: object) -> tuple[int, str, str]:
    """Exit code, standard output and the message of ``medhome cost-model`` with these arguments."""
    return typed("cost-model", *arguments)


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    rng = np.random.default_rng([2, 1])
    n = 900
    frame = pd.DataFrame({"age": rng.normal(0, 1, n), "sex": rng.choice(["F", "M"], n)})
    frame["practice"] = np.arange(n) % 45
    frame["program"], frame["months"] = frame["practice"] % 2, rng.integers(1, 13, n)
    frame["users"] = rng.gamma(2.0, np.exp(5 + 0.2 * frame["age"]) / 2)
    frame["cost"] = frame["users"] * (rng.random(n) < 0.7)
    path = tmp_path_factory.mktemp("cost") / "members.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("family", ["ols", "poisson", "gamma", "tweedie", "two-part"])
def test_json_equals_python(table, family):
    columns = [c if c != "cost" or family != "gamma" else "users" for c in COLUMNS]
    code, out, _ = cost_model(table, *columns, "--family", family, "--recycle", "program,sex", "--json")
    found = json.loads(out)
    assert (
        code == 0 and found["rows"] == 900 and found["clusters"] == 45 and found["references"] == {"sex": "F"}
    )
    here = medhome.cost_model(
        pd.read_csv(table), outcome=columns[1], covariates=["age", "sex", "program"], family=family,
        weights="months", cluster="practice", recycle=["program", "sex"],
    )  # fmt: skip
    assert here.to_json() == found
    assert [r["covariate"] for r in found["predictions"]] == ["program", "sex"]
    assert len(found["tests"]) == (6 if family == "two-part" else 5) and all(
        t["meaning"] for t in found["tests"]
    )


def test_text_says_what_each_test_means(table):
    code, out, _ = cost_model(
        table, *COLUMNS, "--family", "tweedie", "--power", "estimate", "--reference", "sex=M",
        "--recycle", "age", "--draws", "50",
    )  # fmt: skip
    assert code == 0 and "variance power 1." in out and "reference level of sex: M" in out
    for words in ("modified Park: Variance grows", "Pregibon link: ", "Copas, 10 folds: On rows", "50 draws"):
        assert words in out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--family", "lognormal"], 2, "no family 'lognormal'"),
        (["--family", "gamma"], 1, "gamma has no zeros"),
        (["--family", "tweedie", "--power", "big"], 2, "between 1 and 2"),
        (["--family", "two-part", "--first", "cloglog"], 2, "no first part 'cloglog'"),
        (["--recycle", "height"], 2, "height is no covariate"),
        (["--reference", "sex"], 2, "COLUMN=LEVEL"),
        (["--covariates", "height"], 4, "members.csv: there is no column 'height'"),
        (["--cluster", "nobody"], 4, "no column 'nobody'"),
        (["--outcome", "sex"], 2, "is the outcome itself"),
        (["--outcome", "sex", "--covariates", "age"], 4, "column 'sex', row 1"),
    ],
)
def test_what_cannot_be_answered_is_said_with_its_code(table, arguments, code, words):
    found, _, message = cost_model(table, *COLUMNS, *arguments)
    assert found == code and words in message, message


@pytest.fixture(scope="module")
def bad(table, tmp_path_factory) -> dict[str, Path]:
    """Tables in which a model has no answer, or not the one asked for."""
    frame = pd.read_csv(table)
    flagged = (np.arange(len(frame)) % 9 == 0).astype(int)
    changes = {
        "separated": frame.assign(program=flagged, cost=frame["cost"].where(flagged == 0, 0.0)),
        "all users": frame.assign(program=flagged, cost=frame["cost"].where(flagged == 0, 70.0)),
        "constant": frame.assign(cost=12.5),
        "nothing": frame.assign(cost=0.0),
        "negative": frame.assign(cost=frame["cost"].where(flagged == 0, -40.0)),
        "one practice": frame.assign(practice="P1"),
        "like program": frame.assign(age=2.0 * frame["program"]),
        "enormous": frame.assign(cost=frame["cost"].where(frame.index != 5, 1e300)),
    }
    folder = tmp_path_factory.mktemp("bad")
    for name, changed in changes.items():
        changed.to_csv(folder / f"{name}.csv", index=False)
    return {name: folder / f"{name}.csv" for name in changes}


@pytest.mark.parametrize(
    ("name", "family", "words"),
    [
        ("separated", "poisson", "poisson did not settle in 100 steps: program still moved"),
        ("separated", "two-part", "logit of any cost: program tells rows with any cost from rows without"),
        ("all users", "two-part", "program tells rows with any cost from rows without one"),
        ("constant", "ols", "every outcome is 12.5; without variation there is no model"),
        ("constant", "tweedie", "every outcome is 12.5; without variation there is no model"),
        ("nothing", "poisson", "every outcome is zero"),
        ("nothing", "two-part", "every outcome is zero"),
        ("one practice", "ols", "All rows are in one cluster"),
    ],
)
def test_a_model_without_an_answer_is_refused_by_name_with_code_1(bad, name, family, words):
    code, out, message = cost_model(bad[name], *COLUMNS, "--family", family, "--json")
    assert code == 1 and words in message and not out, message


@pytest.mark.parametrize("family", ["poisson", "tweedie", "two-part"])
def test_negative_cost_in_a_glm_is_zero_with_a_warning_and_its_sum(bad, family):
    code, out, _ = cost_model(bad["negative"], *COLUMNS, "--family", family, "--json")
    found = json.loads(out)
    assert code == 0 and found["negative_set_to_zero"] == 100 and found["negative_sum"] == -4_000
    assert any("100 negative outcomes, together -4,000.00, were set to zero" in w for w in found["warnings"])
    assert all(row["se"] > 0 and row["p"] is not None for row in found["coefficients"])


def test_a_column_that_another_explains_is_left_out_by_name(bad):
    code, out, _ = cost_model(bad["like program"], *COLUMNS, "--family", "poisson", "--json")
    found = json.loads(out)
    assert code == 0 and found["warnings"][0] == "Left out as collinear with earlier columns: program."
    code, _, message = cost_model(bad["like program"], *COLUMNS, "--recycle", "program")
    assert code == 1 and "program was left out as collinear" in message


def test_an_enormous_value_is_named(bad):
    code, _, message = cost_model(bad["enormous"], *COLUMNS)
    assert code == 4 and "column 'cost', row 6: 1e+300 is beyond 1e+12" in message


def test_examples_of_the_page_run():
    failed, tried = doctest.testfile(str(PAGE), module_relative=False)
    assert tried >= 8 and failed == 0
