"""Edge cases of the study itself, each by its number in the list of methods, with its arithmetic."""

from __future__ import annotations

import dataclasses
import math

import dozen
import pandas as pd
import pytest
import small_world
from example import cohort, evaluation, report, risk
from numpy.testing import assert_allclose

from medhome.models import code_systems as jump
from medhome.models import risk as cost_model
from medhome.models.checks import _design
from medhome.reporting.disclosure import release
from medhome.reporting.exhibits import risk_terms
from medhome.reporting.restated import restatement
from medhome.study.definitions import study_template
from medhome.study.problems import StudyFileError
from medhome.study.spec import read_study
from medhome.tables import code_systems, engine, sources


@pytest.fixture(scope="module")
def con():
    with engine.session() as con:
        yield con


# 21: a new period restates the old one ------------------------------------------------------------------


def test_case_21_late_claims_restate_a_month_and_are_named_as_the_cause():
    """Treated, January 2010: $30,000 over 100 member-months, then $500 more: 300.00 and 305.00 PMPM."""
    old = report()
    month = int(old.evaluation.quality.volumes["month"].iloc[0])
    volumes = pd.DataFrame(
        [("treated", month, 400, 30_000.0, 100.0, 100)],
        columns=["arm", "month", "claim_lines", "allowed_usd", "member_months", "members"],
    )

    def with_volumes(frame, digest):
        files = pd.DataFrame({"role": ["medical_claim"], "content_sha256": [digest]})
        quality = dataclasses.replace(old.evaluation.quality, volumes=frame, inputs=files)
        return dataclasses.replace(old, evaluation=dataclasses.replace(old.evaluation, quality=quality))

    later = volumes.assign(claim_lines=403, allowed_usd=30_500.0)
    found = restatement(with_volumes(volumes, "a"), with_volumes(later, "b")).months
    assert found[["old_pmpm", "new_pmpm", "cause"]].to_numpy().tolist() == [[300.0, 305.0, "late claims"]]


# 22: ICD-9 becomes ICD-10 inside the look-back ----------------------------------------------------------

COEFFICIENTS = {"intercept": 10_000.0, "condition:diabetes": 10_000.0, "condition:hypertension": 4_000.0}


def _scores(con, folder):
    """Look-back July to December 2015. T: hypertension until September, then a code of no group.
    C: diabetes in both systems. D: nobody's codes. One claim each and month."""
    lines = []
    for month in range(7, 13):
        new = month >= 10
        system = "icd-10-cm" if new else "icd-9-cm"
        for who, before, after in (("T", "4019", "Z000"), ("C", "25000", "E119")):
            lines.append(
                small_world.claim(
                    f"{who}{month}",
                    who,
                    f"2015-{month:02d}-10",
                    100.0,
                    diagnosis_code_type=system,
                    diagnosis_code_1=after if new else before,
                )
            )
    spec = dozen.study(
        paid_through="2016-09",
        periods__baseline_first="2016-01",
        periods__baseline_last="2016-03",
        periods__start="2016-04",
        periods__through="2016-06",
        risk__model="age-sex-conditions",
        risk__lookback_months=6,
    )
    # The world's other tables are of 2008, where nothing is asked of them here.
    small_world.build(con, folder, [*lines, small_world.claim("L", "T", "2008-02-10", 1.0)])
    inputs = sources.open_inputs(con, spec, folder)
    members = con.create_table(
        "case_22",
        pd.DataFrame(
            {"person_key": [0, 1, 2], "person_id": ["C", "D", "T"], "arm": ["comparison"] * 2 + ["treated"]}
        ),
        overwrite=True,
    )
    return code_systems.by_month(inputs, members, COEFFICIENTS, spec), spec


def test_case_22_the_change_of_codes_moves_the_score_of_one_arm(con, tmp_path):
    """Treated: $40 PMPM of one member to $0: -100%. Comparison: $100 of one of two, $50 throughout: 0%."""
    found, spec = _scores(con, tmp_path)
    by = found.set_index(["arm", "month"])["score_pmpm"]
    assert by["treated"].tolist() == [40.0] * 3 + [0.0] * 3
    assert by["comparison"].tolist() == [50.0] * 6
    assert found["system"].tolist() == (["icd-9-cm"] * 3 + ["icd-10-cm"] * 3) * 2
    assert jump.jumps(found) == {"treated": -1.0, "comparison": 0.0}
    (check,) = jump.code_systems(found, spec)
    assert check.passed is False and check.front_page
    assert "-100" in check.sentence.replace("−", "-") and "treated arm" in check.sentence


def test_case_22_a_small_move_passes_and_a_look_back_in_one_system_asks_nothing(con, tmp_path):
    found, spec = _scores(con, tmp_path)
    calm = found.assign(score_pmpm=found["score_pmpm"].where(found["arm"] == "comparison", 40.0))
    assert [check.passed for check in jump.code_systems(calm, spec)] == [True]
    assert list(jump.code_systems(found.iloc[:0], small_world.study())) == []
    moved = {"baseline_first": "2015-01", "baseline_last": "2015-06", "start": "2015-07"}
    inside = spec.model_copy(update={"periods": spec.periods.model_copy(update=moved)})
    (frozen,) = jump.code_systems(found.iloc[:0], inside)
    assert frozen.passed is None and "frozen" in frozen.sentence


# 23: a risk score is issued anew between two periods ----------------------------------------------------


def test_case_23_another_version_of_the_risk_model_is_named(tmp_path, monkeypatch):
    spec = small_world.study(risk__model="age-sex-conditions")
    version = cost_model.version(spec)
    assert version.startswith("builtin-1, condition groups ")
    assert cost_model.version(small_world.study()) == "builtin-1"
    folder = tmp_path / "codelists"
    folder.mkdir()
    (folder / "conditions.csv").write_text("system,code_prefix,condition_id,label\n")
    monkeypatch.setattr(cost_model, "DEFINITIONS", tmp_path)
    assert cost_model.version(spec) != version

    first, second = (
        dataclasses.replace(report(), evaluation=evaluation(risk=dataclasses.replace(risk(), version=v)))
        for v in ("builtin-1, condition groups 0a", "builtin-1, condition groups 0b")
    )
    captions = [risk_terms(r.evaluation.risk).caption for r in (first, second)]
    assert "groups 0a" in captions[0] and "groups 0b" in captions[1]
    said = restatement(first, second)
    assert [v.split()[-1] for v in said.parameters["risk model"]] == ["0a", "0b"]
    assert said.months.empty and "risk model was" in said.to_text()
    assert restatement(first, first).parameters == {}


# 24: small cells ----------------------------------------------------------------------------------------


def test_case_24_a_small_cell_takes_another_with_it():
    """Of organisations with 8, 40 and 300 members, whose total of 348 is told, 8 and 40 are withheld: from
    348 - 300 = 48 alone neither follows. Counts of 11 and more, and 0, stay."""
    base = cohort()
    table = pd.DataFrame(
        {
            "organization_id": ["A", "B", "C"],
            "label": ["Comparison 01", "Comparison 02", "Comparison 03"],
            "arm": "comparison",
            "practices": 20,
            "clinicians": 40,
            "members": [8, 40, 300],
            "baseline_member_months": [192.0, 960.0, 7200.0],
            "performance_member_months": [176.0, 880.0, 6600.0],
            "baseline_pmpm": 300.0,
            "performance_pmpm": 310.0,
        }
    )
    mixed = dataclasses.replace(
        base,
        organizations=table,
        members={**base.members, "comparison": 348},
        practices={**base.practices, "comparison": 60},
        clinicians={**base.clinicians, "comparison": 120},
    )
    released, gate = release(evaluation(cohort=mixed), 11)
    shown = released.cohort.organizations["members"].tolist()
    assert math.isnan(shown[0]) and math.isnan(shown[1]) and shown[2] == 300
    assert released.cohort.organizations["baseline_pmpm"].isna().tolist() == [True, True, False]
    assert released.cohort.members["comparison"] == 348 and gate.audit == "passed"


# 25: dollars of one year --------------------------------------------------------------------------------

INDEX = {f"2008-{m:02d}": 100.0 for m in range(1, 13)} | {"2008-05": 125.0, "2008-12": 75.0}
"""Mean of the year 100: a dollar of May is worth 100 / 125 = 0.80 of the base year's."""


def _deflated(con, folder, **changes):
    lines = [
        small_world.claim("t1", "T", "2008-02-10", 50.00),
        small_world.claim("t2", "T", "2008-05-10", 50.00),
        small_world.claim("c1", "C", "2008-05-11", 33.33),
        small_world.claim("c2", "C", "2008-06-11", 20.00),
    ]
    rows = tuple({"month": month, "index": level} for month, level in INDEX.items())
    index = {
        "outcomes__deflator": "prices.csv",
        "outcomes__deflator_base": 2008,
        "outcomes__deflator_index": rows,
    }
    return small_world.build(con, folder, lines, **(index | changes))


def test_case_25_dollars_of_the_base_year(con, tmp_path):
    """May: 50.00 x 0.8 = 40.00; 33.33 x 0.8 = 26.664, to the cent 26.66. Other months: as they are."""
    found = _deflated(con, tmp_path)
    assert small_world.cost(found, "T") == {"2008-02": 50.00, "2008-05": 40.00}
    assert small_world.cost(found, "C") == {"2008-01": 10.00, "2008-05": 26.66, "2008-06": 20.00}
    taken = {k: v for k, v in small_world.step(found, "price_index").items()}
    assert set(taken) == {("treated", "performance"), ("comparison", "performance")}
    assert_allclose(
        [taken["treated", "performance"][1], taken["comparison", "performance"][1]], [-10.00, -6.67]
    )
    rows = found.reconciliation
    assert "2008" in rows.loc[rows["reason"] == "price_index", "label"].iloc[0]
    assert_allclose(rows.loc[rows["reason"] == "model", "allowed_usd"].sum(), 50 + 40 + 10 + 26.66 + 20)


def test_case_25_the_cap_and_fees_are_of_the_base_year_too(con, tmp_path):
    """A cap of $1,000 a year holds base-year dollars: $1,300 in May are $1,040 and lose $40."""
    fee = [{"name": "fee", "pmpm_usd": 5.0, "first": "2008-04"}]
    found = small_world.build(
        con,
        tmp_path,
        [
            small_world.claim("t1", "T", "2008-05-10", 1300.00),
            small_world.claim("c1", "C", "2008-05-10", 9.00),
        ],
        outcomes__deflator="prices.csv",
        outcomes__deflator_base=2008,
        outcomes__deflator_index=tuple({"month": m, "index": i} for m, i in INDEX.items()),
        outcomes__cap_usd_per_year=1000,
    )
    assert small_world.step(found, "above_cap")["treated", "performance"][1] == pytest.approx(-40.00)
    plain = small_world.study().model_dump() | {"fees": fee}
    plain["outcomes"] |= {
        "deflator": "prices.csv",
        "deflator_base": 2008,
        "deflator_index": tuple({"month": m, "index": i} for m, i in INDEX.items()),
    }
    spec = type(small_world.study()).model_validate(plain)
    assert spec.fee_pmpm(2008 * 12 + 4) == pytest.approx(4.00)
    assert spec.fee_pmpm(2008 * 12 + 5) == pytest.approx(5.00)
    assert spec.fee_pmpm(2008 * 12 + 1) == 0


def test_case_25_the_base_year_is_on_the_first_page():
    spec = small_world.study(
        outcomes__deflator="prices.csv",
        outcomes__deflator_base=2008,
        outcomes__deflator_index=tuple({"month": m, "index": i} for m, i in INDEX.items()),
    )
    said = {check.id: check for check in _design(spec)}
    assert "dollars of 2008" in said["price-index"].sentence and said["price-index"].front_page
    assert "price-index" not in {check.id for check in _design(small_world.study())}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("month,index\n2008-01,abc\n", "line 2"),
        ("month,index\n2008-01,1\n2008-01,1\n", "line 3"),
        ("month,index\n2008-13,1\n", "line 2"),
        ("month,index\n2008-01,-1\n", "line 2"),
        ("month,level\n2008-01,1\n", "lacks index"),
        ("month,index\n2008-01,1\n", "lacks 2008-02"),
        ("month,index\n" + "".join(f"2008-{m:02d},1\n" for m in range(1, 13)), "lacks 2006-06"),
        (None, "cannot be read"),
    ],
)
def test_case_25_a_price_index_that_does_not_do_is_refused_by_name(tmp_path, text, says):
    template = study_template().replace("# deflator = ", "deflator = ")
    (tmp_path / "study.toml").write_text(template.replace("# deflator_base = ", "deflator_base = "))
    if text is not None:
        (tmp_path / "prices.csv").write_text(text)
    with pytest.raises(StudyFileError, match=says) as refused:
        read_study(tmp_path / "study.toml")
    assert "prices.csv" in str(refused.value) or "outcomes.deflator" in str(refused.value)
