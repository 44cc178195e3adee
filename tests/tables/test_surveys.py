"""Answers of surveys: the rules of the table, which answers can be used, and for which arm they count."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
import tiny_world as tiny

from medhome.study.problems import DataProblem, StudyFileError
from medhome.study.spec import StudySpec, read_study
from medhome.tables import collapse, engine, panel, sources, surveys
from medhome.tables.checks import check_inputs

OWN = """\
id = "own"
label = "Own"
source = "made up for these tests"
no_answer = ["99"]
items = [
  {id = "asked", label = "Asked", use = "invitation"},
  {id = "soon", label = "Soon", answers = ["1", "2", "3"], top = ["3"]},
  {id = "days", label = "Days", unit = "mean", low = 0, high = 90},
]
"""


@pytest.fixture
def study(tmp_path):
    """The tiny study with the instrument in a file beside its study file."""

    def made(text: str = OWN, name: str = "own"):
        (tmp_path / "own.toml").write_text(text, encoding="utf-8")
        file = tmp_path / "study.toml"
        file.write_text(
            'id = "tiny"\ntitle = "Tiny"\nseed = 1\npaid_through = "2008-09"\nprogram = {name = "P"}\n'
            'arms = {program_id = "PCMH"}\nattribution = {method = "roster"}\nrisk = {model = "age-sex"}\n'
            '[periods]\nbaseline_first = "2008-01"\nbaseline_last = "2008-03"\nstart = "2008-04"\n'
            'through = "2008-06"\nrun_out_months = 3\n'
            f'[surveys]\nenabled = true\ninstruments = {{{name} = "own.toml"}}\n',
            encoding="utf-8",
        )
        return read_study(file)

    return made


def answer(who: str, month: int, item: str, response: str | None, weight: float | None = 1.0, **more) -> dict:
    day = dt.date(2008, month, 20)
    return {"person_id": who, "survey_date": day, "instrument": "own", "item_id": item, "response": response,
            "weight": weight, "mode": "mail"} | more  # fmt: skip


GOOD = [answer("A", 2, "soon", "3"), answer("A", 5, "soon", "1"), answer("A", 5, "days", "4.5")]


@pytest.fixture
def checked(tmp_path, study):
    def run(*rows: dict) -> pd.DataFrame:
        tables = tiny.frames() | {"survey": pd.DataFrame([*GOOD, *rows])}
        folder, spec = tiny.write(tmp_path / "world", tables), study()
        with engine.session() as con:
            rules, _ = check_inputs(con, sources.open_inputs(con, spec, folder), spec, folder)
        return rules[rules["table"] == "survey"].set_index("rule")["count"]

    return run


def test_answers_that_keep_the_rules_break_none(checked):
    counts = checked(answer("A", 3, "soon", "99"), answer("A", 1, "asked", None, None))
    assert counts.sum() == 0
    assert {"item_unknown", "response_off_scale", "weight_not_positive", "outside_waves"} <= set(counts.index)


def test_what_is_counted_and_left_out(checked):
    rows = {
        "item_unknown": answer("A", 3, "late", "1"),
        "instrument_unknown": answer("A", 3, "soon", "1", instrument="other"),
        "weight_missing": answer("A", 3, "soon", "1", None),
        "outside_waves": answer("A", 8, "soon", "1"),
        "unknown_person": answer("Z", 3, "soon", "1"),
        "unknown_clinicians": answer("7", 3, "time_enough", "1", instrument="clinician-satisfaction"),
        "unknown_practices": answer("P9", 3, "days_to_third_next", "1", instrument="appointment-access"),
    }
    counts = checked(*rows.values())
    assert counts[counts > 0].to_dict() == dict.fromkeys(rows, 1)


def test_what_stops_the_study_is_named_with_its_row(checked):
    with pytest.raises(DataProblem) as caught:
        checked(
            answer("A", 3, "soon", "4"),
            answer("A", 3, "days", "91"),
            answer("B", 3, "days", "soon"),
            answer("B", 3, "soon", "3", 0.0),
            answer("A", 2, "soon", "1"),
        )
    said = {line.split(" (")[0]: line for line in str(caught.value).splitlines()}
    scale = said["  survey: An answer that is none of its item's scale"]
    assert "3 rows; survey.parquet row 4: " in scale and "survey.parquet row 5: " in scale
    assert "survey.parquet row 6: person_id B" in scale
    weight = said["  survey: A weight that is zero, negative or no number"]
    assert "1 row; survey.parquet row 7: person_id B" in weight
    twice = said["  survey: The same person_id, survey_date, instrument, item_id more than once"]
    assert "survey.parquet row 1: " in twice


def test_a_faulty_instrument_is_named_with_its_file(study):
    with pytest.raises(StudyFileError, match=r"own\.toml: items\.1: .*top must name some of its answers"):
        study(OWN.replace('top = ["3"]', 'top = ["4"]'))
    with pytest.raises(StudyFileError, match="its id is 'own', but 'ours' is asked for"):
        study(name="ours")


ATTRIBUTED = pd.DataFrame(
    {"person_id": ["A", "B", "C"], "year_month": "200801", "data_source": tiny.SOURCE,
     "payer_attributed_provider_practice": ["P1", "P2", "P2"]}
)  # fmt: skip


def collected(tmp_path, spec, rows: list[dict], practices: pd.DataFrame | None = None):
    tables = tiny.frames() | {"provider_attribution": ATTRIBUTED}
    if rows:
        tables["survey"] = pd.DataFrame(rows)
    if practices is not None:
        tables["provider_practice"] = practices
    folder = tiny.write(tmp_path / "world", tables)
    with engine.session() as con:
        inputs = sources.open_inputs(con, spec, folder)
        months = panel.build(con, inputs, spec)
        scored = collapse.score(months, {"intercept": 20000.0} | dict.fromkeys(months.terms, 0.0))
        return surveys.collect(inputs, scored, spec)


def test_answers_count_for_the_arm_of_their_month_and_the_rest_is_told(tmp_path, study):
    """A is a woman born in May 1960, of the treated practice P1: 47 in February 2008, 48 in May."""
    rows = [*GOOD, answer("A", 6, "soon", "99"), answer("A", 8, "soon", "1"), answer("Z", 3, "soon", "1"),
            answer("A", 3, "late", "1"), answer("A", 3, "soon", "2", None),
            answer("A", 3, "soon", "1", instrument="x"), answer("A", 1, "asked", None, None),
            answer("P2", 2, "days_to_third_next", "9", instrument="appointment-access"),
            answer("P9", 2, "days_to_third_next", "9", instrument="appointment-access")]  # fmt: skip
    found = collected(tmp_path, study(), rows)
    mine = found.answers[found.answers["instrument"] == "own"].set_index(["item_id", "period"])
    assert mine.loc[("soon", 0), ["organization_id", "arm", "age", "female", "risk"]].tolist() == [
        "O1", "treated", 47.0, 1.0, 200.0]  # fmt: skip
    assert mine.loc[("soon", 1), "age"] == 48 and mine.loc[("days", 1), "response"] == "4.5"
    assert len(mine) == 4 and ("asked", 0) in mine.index
    others = found.answers[found.answers["instrument"] == "appointment-access"]
    (one,) = others[["person", "organization_id", "arm", "weight"]].to_numpy().tolist()
    assert one == ["P2", "P2", "comparison", 1.0]
    left = found.left_out.set_index(["instrument", "reason"])["answers"].to_dict()
    assert left == {
        ("own", "not_answered"): 1, ("own", "outside_waves"): 1, ("own", "not_of_the_study"): 1,
        ("own", "item_unknown"): 1, ("own", "no_weight"): 1, ("other", "instrument_unknown"): 1,
        ("appointment-access", "not_of_the_study"): 1,
    }  # fmt: skip


def test_a_clinician_counts_for_the_practice_of_the_day_and_for_none_in_both_arms(tmp_path, study):
    day = dt.date(2008, 4, 1)
    practices = pd.DataFrame(
        [("1000000001", "P1", "O1", None, None), ("1000000002", "P2", None, None, None),
         ("1000000003", "P1", "O1", None, day - dt.timedelta(1)), ("1000000003", "P2", None, day, None),
         ("1000000004", "P1", "O1", None, None), ("1000000004", "P2", None, None, None)],
        columns=["npi", "practice_id", "organization_id", "effective_start_date", "effective_end_date"],
    ).assign(x_primary_care=[1, 1, 0, 0, 0, 0])  # fmt: skip
    practices["effective_start_date"] = practices["effective_start_date"].fillna(dt.date(2005, 1, 1))
    of = {"instrument": "clinician-satisfaction"}
    rows = [answer(f"100000000{n}", m, "time_enough", "5", **of) for n, m in ((1, 2), (3, 2), (3, 5), (4, 2))]
    found = collected(tmp_path, study(), rows, practices)
    places = found.answers[["person", "period", "arm"]].to_numpy().tolist()
    last = "1000000003"
    assert places == [["1000000001", 0, "treated"], [last, 0, "treated"], [last, 1, "comparison"]]
    assert found.left_out["reason"].tolist() == ["not_of_the_study"]


def test_a_study_that_does_not_ask_or_an_input_without_the_table_has_no_answers(tmp_path, study):
    assert not collected(tmp_path, study(), []).given
    plain = study().model_dump()
    plain["surveys"]["enabled"] = False
    assert not collected(tmp_path, StudySpec.model_validate(plain), GOOD).given
