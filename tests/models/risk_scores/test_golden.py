"""Scores of public libraries through our interface, row by row against the golden files."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from medhome.models.risk_scores import risk_scores
from medhome.study.problems import ModelRefusal


def needs(library: str) -> None:
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed here")


def read(shared: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(shared / "risk_golden" / name, dtype=str, keep_default_na=False)


def people_of(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(age=rows["age"].astype(int), icd10=rows["diagnosis_codes"]).reset_index(drop=True)


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("version", "model", "library", "count"),
    [("V24", "cms-hcc-v24", "hccinfhir", 63), ("V28", "cms-hcc-v28", "hccinfhir", 64),
     ("V22", "cms-hcc-v22", "risk_adjustment_model", 64)],
)
def test_every_medicare_row(shared_data, version, model, library, count):
    needs(library)
    rows = read(shared_data, "medicare_golden.csv").query("model == @version").reset_index(drop=True)
    people = people_of(rows)
    found = risk_scores(people, model)
    np.testing.assert_allclose(found.frame["raw_score"], rows["raw_score"].astype(float), atol=5e-7)
    if library == "hccinfhir":
        wanted = [" ".join(sorted(h.replace(";", " ").split(), key=int)) for h in rows["hccs"]]
        assert [c.replace(";", " ") for c in found.frame["categories"]] == wanted
    assert len(rows) == count
    np.testing.assert_allclose(
        found.frame["demographic_part"] + found.frame["disease_part"], found.frame["raw_score"], atol=2e-6
    )


@pytest.mark.shared_data
@pytest.mark.parametrize("year", [2025, 2026])
def test_every_commercial_row(shared_data, year):
    needs("risk_adjustment_model")
    rows = read(shared_data, "hhs_golden.csv").query(f"benefit_year == '{year}'").reset_index(drop=True)
    people = people_of(rows).assign(
        ndc=rows["ndc_codes"], csr_indicator=rows["csr_indicator"].astype(int),
        enrollment_days=rows["enrollment_days"].astype(int))  # fmt: skip
    found = risk_scores(people, "hhs-hcc", year=year)
    np.testing.assert_allclose(found.frame["raw_score"], rows["raw_score"].astype(float), atol=5e-7)
    assert len(rows) == 173
    assert [set(c.split(";")) for c in found.frame["categories"]] == [
        set(c.split(";")) for c in rows["categories"]
    ]


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("column", "model", "weights", "year"),
    [
        ("charlson_quan2005_weights1987", "charlson", "", None),
        ("charlson_quan2005_weightsQuan2011_pycomorb_only", "charlson", "quan-2011", None),
        ("elixhauser_quan_vanwalraven", "elixhauser", "", None),
        ("elixhauser_ahrq_refined_2025_mortality", "elixhauser-ahrq", "", 2025),
    ],
)
def test_every_comorbidity_row(shared_data, column, model, weights, year):
    needs("pycomorb")
    rows = read(shared_data, "comorbidity_golden_icd10.csv")
    people = pd.DataFrame({"age": 50, "sex": "F", "icd10": rows["icd10cm_codes"]})
    found = risk_scores(people, model, weights=weights, year=year)
    assert found.frame["raw_score"].tolist() == rows[column].astype(float).tolist()
    assert len(rows) == 120


@pytest.mark.shared_data
def test_charlson_of_369_beneficiaries_in_icd_9(shared_data):
    """The claims' own diagnosis fields, not those of lines or of admission, of claims that end in 2008."""
    needs("pycomorb")
    rows = read(shared_data, "comorbidity_golden_icd9_synpuf2008.csv")
    folder = shared_data / "synpuf_claims500"
    codes = []
    for name in ("carrier", "inpatient", "outpatient"):
        claims = pd.read_parquet(folder / f"{name}.parquet")
        in_2008 = claims[claims["CLM_THRU_DT"].astype(str).str.startswith("2008")]
        fields = [c for c in claims.columns if c.startswith("ICD9_DGNS_CD_")]
        codes.append(in_2008.melt("DESYNPUF_ID", fields, value_name="code")[["DESYNPUF_ID", "code"]])
    long = pd.concat(codes).dropna().drop_duplicates()
    joined = long.groupby("DESYNPUF_ID")["code"].agg(lambda c: ";".join(sorted(map(str, c))))
    people = pd.DataFrame({"age": 70, "sex": "F", "icd9": rows["person"].map(joined)})
    assert people["icd9"].notna().all()
    found = risk_scores(people, "charlson")
    assert found.frame["raw_score"].tolist() == rows["charlson_icd9_quan_weights1987"].astype(float).tolist()
    assert len(rows) == 369


def test_a_library_that_is_absent_is_named_with_the_way_to_get_it(monkeypatch):
    import medhome.models.risk_scores.scoring as scoring

    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(scoring.importlib, "import_module", absent)
    with pytest.raises(ModelRefusal, match=r"pycomorb is not installed; .*pip install 'medhome\[risk\]'"):
        risk_scores(pd.DataFrame({"age": [1], "sex": ["F"]}), "charlson")
    for version, says in (
        ((3, 11, 9), r"hhs-hcc: the library \w+ needs Python 3\.12 or later, and this is 3\.11; use a later"),
        ((3, 12, 1), r"risk_adjustment_model is not installed; install it with pip install 'medhome"),
    ):
        monkeypatch.setattr(scoring, "sys", SimpleNamespace(version_info=version))
        with pytest.raises(ModelRefusal, match=says):
            risk_scores(pd.DataFrame({"age": [1], "sex": ["F"]}), "hhs-hcc")


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        ({"model": "acg"}, "no model is called 'acg'"),
        ({"model": "cms-hcc-v24", "year": 1999}, "no mapping year 1999; years are 2026, 2025"),
        ({"model": "charlson", "year": 2020}, "the model's codes do not go by year"),
        ({"model": "charlson", "weights": "mine"}, "no weights 'mine'; they are charlson-1987, quan-2011"),
    ],
)
def test_wrong_choices_are_refused_by_name(choice, says):
    people = pd.DataFrame({"age": [1], "sex": ["F"]})
    with pytest.raises(ModelRefusal, match=says):
        risk_scores(people, **choice)
    with pytest.raises(ModelRefusal, match="lack the columns sex"):
        risk_scores(people[["age"]], "charlson")


def test_who_a_model_does_not_know_has_no_score():
    needs("hccinfhir")
    found = risk_scores(pd.DataFrame({"age": [70, 70], "sex": ["U", "F"], "icd10": ["I509", "I509"]}),
                        "cms-hcc-v24")  # fmt: skip
    assert np.isnan(found.frame["raw_score"][0])
    assert found.frame["raw_score"][1] > 0.3


def test_the_order_and_the_index_of_the_people_stay():
    needs("pycomorb")
    people = pd.DataFrame({"age": 60, "sex": ["F", "M", "F"], "icd9": ["", "4280", "1970"]}, index=[7, 3, 5])
    found = risk_scores(people, "charlson")
    assert found.frame["raw_score"].to_dict() == {7: 0.0, 3: 1.0, 5: 6.0}
    assert found.frame.loc[3, "categories"] == "Congestive heart failure"
