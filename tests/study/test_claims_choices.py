"""The study's choices on claims and its own list of service categories, and what is wrong with them."""

from __future__ import annotations

import pytest

from medhome.study.problems import StudyFileError
from medhome.study.spec import read_study

STUDY = """
id = "s"
title = "S"
seed = 1
paid_through = "2009-12"
[program]
name = "P"
[periods]
baseline_first = "2008-01"
baseline_last = "2008-12"
start = "2009-01"
through = "2009-06"
[claims]
"""


def read(folder, claims: str = "", own: str | None = None):
    (folder / "study.toml").write_text(STUDY + claims, encoding="utf-8")
    if own is not None:
        (folder / "own.csv").write_text(own, encoding="utf-8")
    return read_study(folder / "study.toml")


def test_defaults_keep_what_the_files_say(tmp_path):
    choices = read(tmp_path).claims
    assert (choices.duplicates, choices.header_amounts, choices.stays) == ("drop", "lines", "admission")
    assert (choices.capitation, choices.prices, choices.service_rules) == ("as_paid", False, ())


def test_the_own_list_is_read_from_beside_the_study_and_decides_its_fingerprint(tmp_path):
    claims = 'service_categories = "own.csv"\n'
    head = "category,claim_type,column,code_prefix\n"
    one = read(tmp_path, claims, head + "visits,professional,hcpcs_code,992\n")
    assert [r.category for r in one.claims.service_rules] == ["visits"]
    two = read(tmp_path, claims, head + "visits,professional,hcpcs_code,993\n")
    assert one.fingerprint != two.fingerprint
    assert one.rerun_through("2009-07").claims == one.claims


@pytest.mark.parametrize(
    ("claims", "own", "message"),
    [
        ('service_categories = "own.csv"', None, r"own\.csv: claims\.service_categories names this file"),
        ('service_categories = "own.csv"', "category\na\n", "lacks claim_type, column, code_prefix"),
        ('service_categories = "own.csv"', "category,claim_type,column,code_prefix\n", "lacks rows"),
        (
            'service_categories = "own.csv"',
            "category,claim_type,column,code_prefix\nv,,hcpcs_code,\n",
            "line 2: column and code_prefix go together",
        ),
        (
            'service_categories = "own.csv"',
            "category,claim_type,column,code_prefix\npharmacy,,,\n",
            "line 2: category 'pharmacy'",
        ),
        ('service_categories = "../own.csv"', None, "own.csv"),
        ("service_rules = []", None, "name the CSV file"),
        ('capitation = "add_payment"', None, "needs capitation_pmpm_usd"),
        ('duplicates = "dropp"', None, 'did you mean "drop"'),
    ],
)
def test_faults_are_named(tmp_path, claims, own, message):
    with pytest.raises(StudyFileError, match=message):
        read(tmp_path, claims, own)
