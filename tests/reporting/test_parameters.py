"""Each way in which plain papermill reports on the wrong values is refused."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import nbformat
import pytest
from notebook_maker import write_notebook

from medhome.reporting.failures import NotebookDefect
from medhome.reporting.parameters import check_notebook, check_values, injected_source
from medhome.study.problems import StudyFileError

SOURCE = """
period = "2024Q4"
alpha = 0.05
n: int = 3
wide: int | None = None
run = None
groups = ["a", "b"]
draft = False
"""


def declared(tmp_path, *cells):
    path = write_notebook(tmp_path / "n.ipynb", cells)
    return check_notebook(nbformat.read(path, as_version=4), "n.ipynb")


@pytest.fixture
def parameters(tmp_path):
    return declared(tmp_path, (SOURCE, "parameters"), "print(period)")


def test_declared_parameters_carry_default_and_types(parameters):
    assert parameters["alpha"] == (0.05, {float})
    assert parameters["n"] == (3, {int})
    assert parameters["wide"] == (None, {int, type(None)})
    assert parameters["run"] == (None, {str, type(None)})


@pytest.mark.parametrize(
    "values",
    [
        {"period": "2025Q1"},
        {"alpha": 1},
        {"n": 4},
        {"wide": 5},
        {"wide": None},
        {"run": "."},
        {"run": None},
        {"groups": ["c", 1, None, {"d": [2.5]}]},
        {"draft": True},
    ],
)
def test_good_values_pass(parameters, values):
    check_values(parameters, values, "n.ipynb")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"perido": "2025Q1"}, r"n.ipynb: unknown parameter 'perido'; did you mean \"period\"\?"),
        ({"zzz": 1}, "its parameters are: period, alpha, n, wide, run, groups, draft"),
        ({"alpha": "0.05"}, "alpha = '0.05' is a str; it must be float"),
        ({"n": 3.7}, r"n = 3.7 is a float; it must be int"),
        ({"n": True}, "n = True is a bool; it must be int"),
        ({"draft": 1}, "it must be bool"),
        ({"period": None}, "it must be str"),
        ({"period": dt.date(2025, 1, 1)}, "give a date as text, YYYY-MM-DD"),
        ({"run": Path("x")}, "it must be None or str; give a path as text"),
        ({"groups": ("a", "b")}, "it must be list; give a list"),
        ({"groups": [("a", 1)]}, "groups holds .*tuple.*give a list"),
        ({"groups": [{1: "a"}]}, "holds the key 1; keys must be text"),
        ({"alpha": float("nan")}, "numbers must be finite"),
    ],
)
def test_bad_values_are_refused_with_advice(parameters, values, message):
    with pytest.raises(StudyFileError, match=message):
        check_values(parameters, values, "n.ipynb")


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["x = 1"], 'no cells are tagged "parameters"'),
        ([("a = 1", "parameters"), ("b = 1", "parameters")], '2 cells are tagged "parameters"'),
        ([("# text", "parameters")], "is not a code cell"),
        (
            [('start = "2024-01"\nyear = int(start[:4])', "parameters")],
            "line 2: year is not set to a literal",
        ),
        ([("a = b = 1", "parameters")], "only `name = literal`"),
        ([("import os", "parameters")], "only `name = literal`"),
        ([("a = 1\na = 2", "parameters")], "a is set twice"),
        ([("run = None\ndb_password = ''", "parameters")], "line 2: db_password would stand in the executed"),
        ([("a = (1, 2)", "parameters")], "a is a tuple"),
        ([("a: date = None", "parameters")], "'date' is not a type of parameters"),
        ([("a: int = 'x'", "parameters")], "the default of a is not int"),
        ([("a = ", "parameters")], "line 1: not Python"),
        ([("a = 1", "parameters"), "%%capture\nprint(1)"], "cell 2: %%capture is not allowed"),
        ([("a = 1", "parameters"), "x = 1\n%time x"], "cell 2: %time is not allowed"),
        ([("a = 1", "parameters"), ("1 / 0", "raises-exception")], "raises-exception"),
        ([("a = 1", "parameters"), ("a = 2", "injected-parameters")], "injected-parameters"),
    ],
)
def test_notebooks_that_break_the_rules_are_refused(tmp_path, cells, message):
    with pytest.raises(NotebookDefect, match=message):
        declared(tmp_path, *cells)


def test_injected_source_is_python_with_the_same_values():
    values = {
        "run": 'a "b" \\ é\n',
        "n": 3,
        "x": -0.5,
        "none": None,
        "yes": True,
        "l": ["ü", {"k": [None, 1.5]}],
    }
    names: dict = {}
    exec(injected_source(values), names)
    assert {k: names[k] for k in values} == values
