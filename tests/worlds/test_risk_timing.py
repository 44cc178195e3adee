"""Coding that improves fools concurrent risk and not frozen risk: eight people, by hand.

T1 to T4 are in the program's P1, C1 to C4 in the comparison's P2. Two of each four have diabetes, coded in
2007 and in every month after: they cost $200 a month, the others $100, before and after the start: the effect
is 0.00. After the start the program's practice codes diabetes on T3 and T4 as well, whose cost stays at $100.
"""

from __future__ import annotations

import pandas as pd
import pytest
from numpy.testing import assert_allclose
from small_world import attributed, claim, inputs, person, study, write

from medhome import adjustment
from medhome.models.risk_scores import drift
from medhome.models.twfe import twfe
from medhome.study.period_choices import Periods
from medhome.study.problems import DataProblem, ModelRefusal, StudyFileError
from medhome.study.risk_years import risk_years
from medhome.tables import collapse, engine, panel, person_years
from medhome.tables.engine import fetch

PEOPLE = [f"{arm}{n}" for arm in "TC" for n in (1, 2, 3, 4)]
DIABETES, NONE = "25000", "V700"
MONTHS = ["2007-07", *(f"2008-0{m}" for m in range(1, 7))]
BUILT_IN = {"risk__model": "age-sex-conditions", "risk__min_members_per_term": 1}


def claims(coded_more: bool = True, system: str = "icd-9-cm", code: str = DIABETES) -> list[dict]:
    found = []
    for who in PEOPLE:
        ill = who[1] in "12"
        for month in MONTHS:
            also = coded_more and who[0] == "T" and month >= "2008-04"
            dollars = 10 if month.startswith("2007") else 200 if ill else 100
            dollars -= 10 if (who, month) == ("C1", "2008-01") else 0  # the world's one drug fill
            clinician = "N1" if who[0] == "T" else "N2"
            found.append(
                claim(f"{who}{month}", who, f"{month}-10", dollars, rendering_npi=clinician,
                      diagnosis_code_1=code if ill or also else NONE, diagnosis_code_type=system)
            )  # fmt: skip
    return found


def people(**changes) -> list[dict]:
    return [person(who, **changes.get(who, {})) for who in PEOPLE]


LISTED = [attributed(who, "P1" if who[0] == "T" else "P2") for who in PEOPLE]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The engine with the panel of these people, whose months are the same whatever their risk is."""
    folder = prepared(tmp_path_factory.mktemp("risk"))
    spec = study(**BUILT_IN)
    with engine.session() as con:
        yield con, panel.build(con, inputs(con, folder, spec), spec)


def prepared(folder, scores=None, spans=None, lines=None):
    write(folder, claims() if lines is None else lines, people() if spans is None else spans, listed=LISTED)
    fills = pd.read_csv(folder / "pharmacy_claim.csv", dtype=str).assign(person_id="C1")
    fills.to_csv(folder / "pharmacy_claim.csv", index=False)
    if scores is not None:
        scores.to_csv(folder / "risk_score.csv", index=False)
    return folder


def adjusted(world, folder, scores=None, spans=None, lines=None, **changes):
    """The study's risk from other diagnoses or scores, with practice-months of both timings."""
    con, months = world
    spec = study(**(BUILT_IN | changes))
    tables = inputs(con, prepared(folder, scores, spans, lines), spec)
    found = adjustment.adjusted(tables, months, spec, beside=True)
    return adjustment.with_cells(found, collapse.cells(found.scored, spec), spec), spec


def effect(cells, spec, covariates=("expected",)) -> float:
    first = spec.periods.performance.first
    return float(twfe(cells, "allowed_capped", covariates, first_post=first).coefficients[0])


def test_coding_fools_concurrent_risk_by_what_it_adds_and_frozen_risk_not_at_all(world, tmp_path):
    """T3 and T4 are expected to cost $100 more each, 50 on average, at a slope of one dollar for a dollar."""
    found, spec = adjusted(world, tmp_path)
    frozen, concurrent = found.cells_of
    assert_allclose(effect(frozen, spec), 0.0, atol=1e-9)
    assert_allclose(effect(frozen, spec, ()), 0.0, atol=1e-9)
    assert_allclose(effect(concurrent, spec), -50.0, atol=1e-9)
    by_year = drift.by_year(found.seen[0], risk_years(spec.periods), None)
    told = by_year.set_index(["arm", "year"])["concurrent_pmpm"]
    assert_allclose(
        [told["treated", -1], told["treated", 1], told["comparison", -1], told["comparison", 1]],
        [150.0, 200.0, 150.0, 150.0],
    )
    normal = by_year.set_index(["arm", "year"])["normalised_score"]
    assert_allclose(normal["treated", 1], 200 / 150)
    change = drift.change(found.seen[1]).iloc[0]
    assert_allclose(change["estimate"], 50.0)
    assert pd.isna(change["lo95"]) and "no interval" in change["note"]


def test_without_more_coding_the_timing_makes_no_difference(world, tmp_path):
    found, spec = adjusted(world, tmp_path, lines=claims(coded_more=False))
    frozen, concurrent = found.cells_of
    assert_allclose([effect(frozen, spec), effect(concurrent, spec)], 0.0, atol=1e-9)


def test_the_declared_timing_is_that_of_the_study_s_own_cells(world, tmp_path):
    found, spec = adjusted(world, tmp_path, risk__timing="concurrent")
    frozen, concurrent = found.cells_of
    assert found.cells is concurrent and found.scored is found.concurrent
    assert_allclose([effect(found.cells, spec), effect(frozen, spec)], [-50.0, 0.0], atol=1e-9)
    # Every other sum with expected cost takes the same one.
    assert found.scored.with_expected(found.scored.months, ("arm",)).count().execute() == 48


def test_a_published_index_is_scored_in_bands_and_its_raw_mean_drifts(world, tmp_path):
    """Diabetes is one point of Charlson's index: on average 0.5, with all four of T coded 1.0."""
    pytest.importorskip("pycomorb")
    found, spec = adjusted(world, tmp_path, risk__model="charlson")
    frozen, concurrent = found.cells_of
    assert_allclose([effect(frozen, spec), effect(concurrent, spec)], [0.0, -50.0], atol=1e-9)
    raw = drift.by_year(found.seen[0], risk_years(spec.periods), found.banded.frame)
    assert_allclose(raw["raw_score"], [0.5, 1.0, 0.5, 0.5])
    assert_allclose(raw["normalised_score"], [1.0, 2.0, 1.0, 1.0])
    assert "pycomorb" in found.model.version and "weights of Charlson 1987" in found.model.version


def test_hcc_scores_of_icd_9_are_refused_with_what_to_do(world, tmp_path):
    pytest.importorskip("hccinfhir")
    with pytest.raises(ModelRefusal, match=r"reads ICD-10-CM, and 100.0% .* choose charlson or elixhauser"):
        adjusted(world, tmp_path, risk__model="cms-hcc-v24")


def test_hcc_scores_of_icd_10_are_named_with_their_mapping_year(world, tmp_path):
    pytest.importorskip("hccinfhir")
    lines = claims(system="icd-10-cm", code="E119")
    lines = [r | {"diagnosis_code_1": r["diagnosis_code_1"].replace(NONE, "Z0000")} for r in lines]
    found, spec = adjusted(world, tmp_path, lines=lines, risk__model="cms-hcc-v28", risk__mapping_year=2025)
    assert_allclose(effect(found.cells_of[1], spec), -50.0, atol=1e-9)
    assert found.banded.mapping_year == "2025" and "hccinfhir 0.4" in found.banded.source


def own_scores(**changes) -> pd.DataFrame:
    """A grouper's scores: 2.0 for the ill and 1.0 for others, made at the end of 2007, March and June."""
    rows = [
        (who, day, "ACG", 2.0 if who[1] in "12" or (who[0] == "T" and day > "2008-04") else 1.0)
        for who in PEOPLE
        for day in ("2007-12-31", "2008-03-31", "2008-06-30")
    ]
    return pd.DataFrame(rows, columns=["person_id", "as_of_date", "score_name", "score"]).assign(**changes)


OWN = {"risk__model": "score"}


def test_a_score_of_one_s_own_is_read_by_its_day(world, tmp_path):
    found, spec = adjusted(world, tmp_path, own_scores(score_version="12.1"), **OWN)
    frozen, concurrent = found.cells_of
    assert_allclose([effect(frozen, spec), effect(concurrent, spec)], [0.0, -50.0], atol=1e-9)
    raw = drift.by_year(found.seen[0], risk_years(spec.periods), found.banded.frame)
    assert_allclose(raw["raw_score"], [1.5, 2.0, 1.5, 1.5])
    assert found.banded.source == "ACG, version 12.1" and "ACG" in found.model.version
    assert not found.banded.notes


def test_the_latest_score_before_the_baseline_counts(world, tmp_path):
    early = own_scores()
    early = early[early["as_of_date"] == "2007-12-31"].assign(as_of_date="2007-06-30", score=9.0)
    found, _ = adjusted(world, tmp_path, pd.concat([own_scores(), early]), **OWN)
    frozen = found.banded.frame[found.banded.frame["year"] == 0]
    assert frozen["raw_score"].max() == 2.0


def test_members_without_a_score_are_named_and_too_many_of_them_refused(world, tmp_path):
    """One of four is 25% of the arm's member-months, more than a fifth."""
    lacking = own_scores()
    lacking = lacking[lacking["person_id"] != "T4"]
    with pytest.raises(ModelRefusal, match=r"fewer than 11 members of the treated arm .* \(25.0%"):
        adjusted(world, tmp_path, lacking, **OWN)


def test_a_share_of_missing_scores_below_the_line_is_a_note(world, tmp_path, monkeypatch):
    from medhome.models.risk_scores import bands

    monkeypatch.setattr(bands, "REFUSE_SHARE", 0.30)
    lacking = own_scores()
    lacking.loc[lacking["person_id"] == "T4", "score"] = None
    found, _ = adjusted(world, tmp_path, lacking, **OWN)
    (note,) = found.notes[:1]
    assert "members of the treated arm with enrolment before the baseline have no score" in note.lower()
    assert "25.0%" in note and "age and sex alone" in note
    row = drift.known(found.known).set_index("arm").loc["treated"]
    assert (row["without_score"], row["share_without_score"]) == (1, 0.25)


def test_two_names_of_scores_need_a_choice(world, tmp_path):
    two = pd.concat([own_scores(), own_scores(score_name="DxCG")])
    with pytest.raises(DataProblem, match=r"2 names \(ACG, DxCG\); name one of them in risk.score_name"):
        adjusted(world, tmp_path, two, **OWN)
    found, _ = adjusted(world, tmp_path, two, **OWN, risk__score_name="DxCG")
    assert found.banded.source == "DxCG, version not said"
    with pytest.raises(DataProblem, match="no row has 'ERG'"):
        adjusted(world, tmp_path, two, **OWN, risk__score_name="ERG")


def test_a_study_with_an_own_score_needs_the_table(world, tmp_path):
    with pytest.raises(DataProblem, match=r"risk_score.*risk.model=score"):
        adjusted(world, tmp_path, **OWN)


def test_entrants_have_no_history_and_no_score(world, tmp_path):
    """C4 is enrolled from January of the baseline on: 6 of the comparison's 24 member-months."""
    spans = people(C4={"enrollment_start_date": "2008-01-01"})
    found, _ = adjusted(world, tmp_path, own_scores(), spans, **OWN)
    row = drift.known(found.known).set_index("arm").loc["comparison"]
    assert (row["without_history"], row["months_without_history"]) == (1, 6.0)
    assert_allclose(row["share_without_history"], 6 / 24)
    frozen = found.banded.frame.query("year == 0 and history == 0")
    assert frozen["band"].tolist() == ["none"] and frozen["raw_score"].isna().all()


def test_age_and_sex_alone_have_no_concurrent_risk(world, tmp_path):
    found, _ = adjusted(world, tmp_path, risk__model="age-sex")
    assert found.cells_of[1] is None and found.concurrent is None


def test_voids_take_the_diagnosis_of_a_year_back(world, tmp_path):
    from small_world import void

    lines = claims()
    more = [r for r in lines if r["person_id"] in ("T3", "T4") and r["claim_start_date"] >= "2008-04"]
    lines += [void(f"V{r['claim_id']}", r, r["paid_date"], allowed_amount="0", paid_amount="0") for r in more]
    found, spec = adjusted(world, tmp_path, lines=lines)
    assert_allclose(effect(found.cells_of[1], spec), 0.0, atol=1e-9)


def test_a_last_year_of_few_months_is_scored_from_twelve():
    years = risk_years(Periods(
        baseline_first="2008-01", baseline_last="2008-03", start="2008-04", through="2009-05"))
    assert [(y.year, str(y.months), str(y.window)) for y in years] == [
        (-1, "2008-01 to 2008-03", "2008-01 to 2008-03"),
        (1, "2008-04 to 2009-03", "2008-04 to 2009-03"),
        (2, "2009-04 to 2009-05", "2008-06 to 2009-05"),
    ]


@pytest.mark.parametrize(
    ("choices", "says"),
    [
        ({"risk__timing": "none", "estimation__covariates": ["expected"]}, "contradict each other"),
        ({"risk__model": "age-sex", "risk__timing": "concurrent"}, "needs a model that reads diagnoses"),
        ({"risk__model": "charlson", "risk__weights": "mine"}, "use charlson-1987 or quan-2011"),
        ({"risk__model": "charlson", "risk__mapping_year": 2020}, "its codes do not go by year"),
        ({"risk__mapping_year": 2020}, "belong to a published score"),
        ({"risk__score_name": "ACG"}, 'read with model = "score" only'),
        ({"risk__model": "score", "data__source": "cclf"}, "only data.source"),
    ],
)
def test_choices_that_do_not_fit_are_faults_of_the_study_file(choices, says):
    with pytest.raises(StudyFileError, match=says):
        study(**choices)


def test_timing_none_takes_the_covariate_out():
    assert study(risk__timing="none").estimation.covariates == []
    assert study().estimation.covariates == ["expected"]


def test_person_years_have_one_row_each_and_their_own_conditions(world, tmp_path):
    found, spec = adjusted(world, tmp_path)
    years = fetch(found.frozen.con.table(person_years.TABLE))
    assert len(years) == 16 and set(years["year"]) == {-1, 1}
    coded = years.groupby("year")["condition:diabetes"].sum()
    assert coded.to_dict() == {-1: 4, 1: 6}
    assert years.groupby("year")["w"].sum().to_dict() == {-1: 24_000, 1: 24_000}
    assert spec.risk.timing == "baseline"
