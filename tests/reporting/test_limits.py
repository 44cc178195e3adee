"""Limits and the program's card: worked out from the study, listed only where they hold."""

from __future__ import annotations

import dataclasses

import example
import pytest

from medhome.reporting import cohort_pages
from medhome.reporting.exhibit_numbers import NUMBERS
from medhome.reporting.limits_words import limits_of_this_study
from medhome.study.spec import StudySpec


def said(changes: dict[str, dict[str, object]] | None = None, **parts) -> str:
    plain = example.spec().model_dump()
    for section, keys in (changes or {}).items():
        plain[section] |= keys
    return limits_of_this_study(example.report(StudySpec.model_validate(plain), **parts)).text


def test_limits_of_the_demonstration():
    text = said()
    assert "The data are synthetic" in text
    assert "One organisation is the program's" in text
    assert "the group took part in another payer's demonstration" in text
    assert "The study sees 22 months after the start." in text and "needs longer" not in text
    assert "above $100,000 in a year is not in the headline" in text
    assert "in the 12 months of the look-back" in text
    assert "This study could detect a change of about $33" in text
    assert "The study file was not locked" in text
    assert "had 3 months to be paid" not in text and "Drugs are left out" not in text
    assert "parallel" not in text.lower()


def test_limits_follow_the_study_s_choices():
    text = said(
        {
            "data": {"synthetic": False},
            "outcomes": {"cap_usd_per_year": None, "services": "medical"},
            "program": {"co_interventions": []},
            "periods": {"through": "2009-05", "run_out_months": 1},
            "attribution": {"method": "roster"},
        },
    )
    assert "synthetic" not in text and "not in the headline" not in text and "look-back" not in text
    assert "Drugs are left out of cost (outcomes.services)" in text
    assert "names nothing else that happened at the same time" in text
    assert "The study sees 12 months after the start. An effect that needs longer than a year" in text
    assert "Claims had 1 month to be paid" in text


@pytest.mark.parametrize(
    ("organizations", "sentence"),
    [(3, "3 organisations are the program's;"), (float("nan"), ""), (None, "")],
)
def test_how_many_organisations_are_treated(organizations, sentence):
    cohort = dataclasses.replace(example.cohort(), organizations_n={"treated": organizations})
    text = said(cohort=cohort)
    assert "One organisation is" not in text and sentence in text
    assert sentence or "organisations are the program's" not in text


def test_the_card_says_what_the_study_file_does_not_say():
    rows = dict(cohort_pages._program_rows(example.report()))
    assert list(rows) == [
        "Name", "Location", "Organisation", "Practices", "Payer", "Description", "Components",
        "Payment model", "At the same time", "Outcomes reported",
    ]  # fmt: skip
    assert rows["Practices"][-1] == "In this study: 25 practices, 391 clinicians and 18,850 members"
    assert len(rows["Components"]) == 3
    plain = example.spec().model_dump()
    plain["program"] = {"name": "Some program"}
    bare = dict(cohort_pages._program_rows(example.report(StudySpec.model_validate(plain))))
    assert bare["Location"] == bare["Components"] == ["Not stated in the study file"]
    withheld = dataclasses.replace(example.cohort(), clinicians={"treated": float("nan")})
    shown = dict(cohort_pages._program_rows(example.report(cohort=withheld)))["Practices"][-1]
    assert "a withheld number of clinicians" in shown


def test_every_exhibit_of_the_plan_is_numbered():
    assert list(dict.fromkeys(NUMBERS.values())) == [f"T{n}" for n in range(1, 21)]
