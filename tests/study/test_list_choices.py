"""[lists] of the study file: what is refused, by name, and what a study has that says nothing."""

from __future__ import annotations

import tomllib

import pytest

from medhome.study.definitions import study_template
from medhome.study.list_choices import Lists
from medhome.study.problems import StudyFileError
from medhome.study.spec import StudySpec, _validated

TEMPLATE = tomllib.loads(study_template())


def read(lists: dict) -> StudySpec:
    return _validated({**TEMPLATE, "lists": lists}, source="study.toml")


def test_the_template_writes_out_what_a_silent_study_has():
    assert read(TEMPLATE["lists"]).lists.criteria == Lists().criteria
    assert read(TEMPLATE["lists"]).lists.share == Lists().share == 0.05


@pytest.mark.parametrize(
    ("lists", "said"),
    [
        ({"criteria": [{"kind": "conditions", "any_of": ["copdd"], "points": 1}]}, "did you mean 'copd'?"),
        ({"criteria": [{"kind": "conditions", "any_of": ["xyz"], "points": 1}]}, "conditions are"),
        ({"criteria": [{"kind": "conditions", "points": 1}]}, "any_of"),
        ({"criteria": [{"kind": "conditions", "any_of": ["copd", "copd"], "points": 1}]}, "named twice"),
        ({"criteria": [{"kind": "open_gaps", "points": 0}] * 2}, "points of every criterion"),
        ({"criteria": []}, "at least 1"),
        ({"criteria": [{"kind": "predicted_cost", "points": 1}]}, "top_share"),
        ({"criteria": [{"kind": "admissions", "top_share": 0.1, "points": 1}]}, "top_share goes with"),
        ({"criteria": [{"kind": "admissions", "at_least": 1.5, "points": 1}]}, "whole numbers"),
        ({"criteria": [{"kind": "admisions", "points": 1}]}, "did you mean \"admissions\"?"),
        ({"top_share": 0.1, "threshold_points": 3}, "keep one of them"),
        ({"threshold": 3}, "unknown key"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_refused(lists, said):
    with pytest.raises(StudyFileError) as problem:
        read(lists)
    assert "1 fault\n" in str(problem.value) and said in str(problem.value), str(problem.value)


def test_ones_own_score_is_read_from_native_tables_alone():
    plain = {**TEMPLATE, "data": {"source": "cclf"}, "lists": {"prediction": "own"}}
    with pytest.raises(StudyFileError, match='prediction "own" reads the table risk_score'):
        _validated(plain, source="study.toml")
