"""results.json holds every number under a stable name, rounded, with withheld ones withheld."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest
from example import did, evaluation, spec

from medhome.reporting.disclosure import release
from medhome.reporting.result_names import TABLES
from medhome.reporting.results_file import document, headline, numbers, significant, write
from medhome.study.results import Check, frames


@pytest.fixture(scope="module")
def released():
    return release(evaluation(), 11)[0]


@pytest.fixture(scope="module")
def found(released):
    return numbers(released, spec())


def test_the_headline(found, released):
    assert found["did.total_pmpm"] == {
        "value": -4.2,
        "unit": "USD PMPM",
        "kind": "estimate",
        "digits": 2,
        "label": "",
        "tolerance": {"rtol": 1e-8},
        "se": 11.8,
        "p": 0.42,
        "ci90": [significant(-4.2 - 0.84 * 23.1), significant(-4.2 + 0.84 * 23.1)],
        "ci95": [-27.3, 18.9],
        "headline": True,
    }
    assert headline(released) == found["did.total_pmpm"]
    assert [n for n, v in found.items() if v.get("headline")] == ["did.total_pmpm"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("did.method.re_panel", -4.2),
        ("did.method.donald_lang", -5.5),
        ("did.quarter.-8.estimate", 3.0),
        ("did.treated_organizations", 1),
        ("did.pre_trend_pmpm_per_year", -2.4),
        ("did.pre_trend_detectable_pmpm_per_year", 17.7),
        ("where.between_sd_pmpm", 4.5),
        ("did.variance.organizations.share", 0.71),
        ("expected.E1.difference_pmpm", -5.62),
        ("expected.E1b.ae_ratio", 0.96),
        ("expected.quarter.0.members", 18500),
        ("savings.net_pmpm", 2.7),
        ("savings.year.2.net_pmpm", 3.9),
        ("cohort.members.treated", 18850),
        ("cohort.organizations.comparison", 40),
        ("cohort.balance.diabetes.smd", 0.02),
        ("cohort.organization.comparison-01.practices", None),
        ("attrition.r1.treated.members", 20555),
        ("attrition.r3.treated.members_dropped", None),
        ("data.waterfall.raw.allowed_usd", 1_423_118_204.11),
        ("data.rule.orphan_claims.medical_claim.person_id.count", 1883),
        ("data.month.2006-06.comparison.members", 59980),
        ("risk.decile.1.treated.members", 1885),
        ("risk.accuracy.comparison-members-held-out.r2", 0.142),
        ("check.waterfall", 1),
        ("check.entrants", None),
    ],
)
def test_names_and_values(found, name, value):
    assert found[name]["value"] == value
    assert type(found[name]["value"]) is type(value)


def test_a_value_is_withheld_only_where_its_count_is(found):
    withheld = {n for n, v in found.items() if "suppressed" in v}
    assert all(found[n]["value"] is None for n in withheld)
    assert {
        "attrition.r3.treated.members_dropped",
        "attrition.r3.treated.allowed_usd_dropped",
        "data.month.2007-05.treated.allowed_usd",
        "cohort.organization.comparison-07.baseline_pmpm",
    } <= withheld
    assert all(found[n]["suppressed"] == "primary-or-secondary" for n in withheld)
    not_estimable = {"expected.E1b.difference_pmpm", "did.method.ri", "cohort.balance.female.variance_ratio"}
    assert not withheld & not_estimable
    assert all(found[n]["value"] is None for n in not_estimable)


def test_every_number_of_every_frame_has_a_name(released):
    """Nothing that a page could print is left out; intervals and words hang on their number."""
    of_a_number = {"se", "df", "p", "lo90", "hi90", "lo95", "hi95"}
    in_the_manifest = {("quality", "inputs")}
    named = {t.frame: {*t.keys, *t.columns} for t in TABLES}
    for part in released.PARTS:
        for field, frame in frames(getattr(released, part)):
            if (part, field) in in_the_manifest:
                continue
            numeric = {c for c in frame.select_dtypes("number") if frame[c].dtype != bool}
            places = {"step", "first_month", "last_month"}
            assert numeric - named[f"{part}.{field}"] - of_a_number - places == set(), (part, field)


def test_random_draws_say_so(found):
    assert found["did.method.ri"]["kind"] == "simulated"
    assert "random draws" in found["did.method.ri"]["tolerance"]["why"]
    assert found["did.method.cr2"]["kind"] == "estimate"


def test_numbers_are_rounded_to_ten_digits_and_never_nan(tmp_path, released):
    odd = did(value=-13.881234567891234, low=-math.inf, high=math.inf)
    changed = dataclasses.replace(released, did=odd)
    write(changed, spec(), tmp_path / "results.json", run_id="r")
    text = (tmp_path / "results.json").read_text(encoding="utf-8")
    plain = json.loads(text, parse_constant=lambda word: pytest.fail(word))
    assert plain["numbers"]["did.total_pmpm"]["value"] == -13.88123457
    assert "ci95" not in plain["numbers"]["did.method.re_panel"]
    assert text == json.dumps(plain, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    assert (plain["schema"], plain["run_id"], plain["study"]) == ("medhome/results/1", "r", "demo")


def test_two_numbers_of_one_name_are_a_defect(released):
    twice = (Check(id="a", sentence="", passed=True), Check(id="a", sentence="", passed=None))
    with pytest.raises(ValueError, match=r"two numbers are called check\.a"):
        document(dataclasses.replace(released, checks=twice), spec(), run_id="r")
