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


def test_examples_of_the_page_run():
    failed, tried = doctest.testfile(str(PAGE), module_relative=False)
    assert tried >= 8 and failed == 0
