"""Person-years without a comparison: R2 of published figures, the fall that is no evidence, and bad input."""

from __future__ import annotations

import json
import re

import pandas as pd
import pytest

from front_door import typed
from medhome.person_year_tables import person_years

ASKED = ["--person", "id", "--year", "year", "--cost", "usd", "--covariates", "ill"]


def people() -> pd.DataFrame:
    """Four people in two years: the ill cost $90 and $110 a month, then $40 and $60; others $0 to $20."""
    return pd.DataFrame(
        {"id": [1, 2, 3, 4] * 2, "year": [2008] * 4 + [2009] * 4, "ill": [0, 0, 1, 1] * 2,
         "usd": [0.0, 240.0, 1080.0, 1320.0, 120.0, 120.0, 480.0, 720.0]}
    )  # fmt: skip


def test_r2_by_hand():
    """2008: 0, 20, 90, 110 around 55; left over 4 x 10^2 of 55^2 + 35^2 + 35^2 + 55^2."""
    found = person_years(people(), person="id", year="year", cost=["usd"], covariates=["ill"])
    first = found.years.iloc[0]
    assert first["pmpm"] == 55.0
    assert first["r2_concurrent"] == pytest.approx(1 - 400 / 8500)
    # 2009: 10, 10, 40, 60 around 30; left over 2 x 10^2 of 20^2 + 20^2 + 10^2 + 30^2.
    assert found.pairs.iloc[0]["r2_prospective"] == pytest.approx(1 - 200 / 1800)
    assert found.years["change"].iloc[1] == pytest.approx(30 / 55 - 1)


@pytest.mark.shared_data
def test_beneficiaries_of_the_public_file(shared_data, tmp_path):
    """Figures of the file's README, to their printed digits; the fall of 2010 is said to be no evidence."""
    table = shared_data / "synpuf_bene10k" / "beneficiary_2008_2010.parquet"
    code, out, _ = typed("person-years", table, "--source", "synpuf", "--json", "--out", tmp_path)
    assert code == 0
    found = json.loads(out[: out.rindex("}") + 1])
    assert [round(y["r2_concurrent"], 3) for y in found["years"]] == [0.371, 0.275, 0.199]
    assert [round(y["pmpm"], 2) for y in found["years"]] == [370.19, 410.22, 232.04]
    assert [(p["people"], round(p["r2_prospective"], 3)) for p in found["pairs"]] == [
        (5587, 0.161), (5199, 0.073)]  # fmt: skip
    assert round(found["years"][2]["change"], 2) == -0.43
    fall = "From 2009 to 2010 cost fell by 43.4%"
    (said,) = [w for w in found["words"] if w.startswith(fall)]
    assert said.endswith("without a comparison that is not evidence of an effect.")
    page = re.sub("<[^>]+>", "", (tmp_path / "person-years.html").read_text(encoding="utf-8"))
    assert fall in page and "Not evidence of an effect" in page
    assert page.index("Not evidence of an effect") < page.index(fall)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"usd": [None] * 8}, "column 'usd': 8 of 8 rows hold no number"),
        ({"id": [1] * 8}, "id 1 has more than one row in year 2008"),
        ({"ill": ["a"] * 8}, "column 'ill': 8 of 8 rows hold no number"),
    ],
)
def test_a_table_that_is_not_as_described_is_refused_by_column(tmp_path, change, says):
    path = tmp_path / "members.csv"
    people().assign(**change).to_csv(path, index=False)
    code, _, error = typed("person-years", path, *ASKED)
    assert code == 4 and says in error and "members.csv" in error


def test_wrong_choices_are_named(tmp_path):
    path = tmp_path / "members.csv"
    people().to_csv(path, index=False)
    code, _, error = typed("person-years", path, "--source", "cclf")
    assert code == 2 and "use table or synpuf" in error
    code, _, error = typed("person-years", path, "--person", "id")
    assert code == 2 and "--year, --cost, --covariates: missing" in error
    code, _, error = typed("person-years", path, *ASKED[:-1], "ill,usd,id")
    assert code == 1 and "4 people in 2008, and 3 covariates" in error
    code, _, error = typed("person-years", path, "--source", "synpuf")
    assert code == 4 and "no beneficiary summary of DE-SynPUF" in error
    code, out, _ = typed("person-years", path, *ASKED)
    assert code == 0 and "not evidence of an effect" in out
