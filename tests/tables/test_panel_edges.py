"""Edges of the panel: placeholder arms, rosters that cannot be read as meant, categories, caps, samples."""

from __future__ import annotations

import doctest
import hashlib

import dozen
import ibis
import pandas as pd
import pytest

from medhome.study.periods import month_index
from medhome.study.problems import DataProblem, StudyFileError
from medhome.tables import (
    attribution,
    claims,
    collapse,
    conditions,
    engine,
    member_months,
    panel,
    services,
    sources,
)


@pytest.fixture(scope="module")
def con():
    with engine.session() as con:
        yield con


def built(con, folder, tables=None, **changes):
    dozen.write(folder, dozen.frames() if tables is None else tables)
    return dozen.build(con, folder, dozen.study(**changes), {"intercept": 100.0})


def spoiled(table: str, **columns):
    """The dozen with these columns of one table replaced."""
    tables = dozen.frames()
    tables[table] = tables[table].assign(**columns)
    return tables


def row(table: pd.DataFrame, **cells) -> pd.DataFrame:
    """A table with one more row: its last one with these cells changed."""
    return pd.concat([table, table.iloc[[-1]].assign(**cells)], ignore_index=True)


# Arms ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tables", "changes", "message"),
    [
        (
            None,
            {"arms__program_id": "HOME"},
            'program_roster: no row has program_id "HOME".*has: OTHER, PCMH',
        ),
        (
            spoiled("program_roster", arm="comparison"),
            {},
            r'none is in arm "program" between 2008-04 and 2008-06 \(3 comparison, 0 excluded\)',
        ),
        (
            spoiled("program_roster", end_date="2008-03-31"),
            {},
            'none is in arm "program" between 2008-04 and 2008-06',
        ),
        (
            spoiled("program_roster", unit_id=["P1", "O9", "N9", "P4", "P4"]),
            {},
            "the comparison arm is empty.*PCMH.*program_roster.*practice_id",
        ),
        (
            spoiled("program_roster", unit_type=["practice", "person", "provider", "practice", "practice"]),
            {},
            '1 rows have unit_type "person"',
        ),
        (
            spoiled("provider_practice", x_primary_care="0"),
            {},
            r"none of 14 people can be attributed: medical_claim has no primary-care visit from "
            r"2007-10 to 2007-12 \(attribution.lookback_months = 3\)",
        ),
        (
            spoiled("eligibility", enrollment_start_date="2009-01-01", enrollment_end_date=None),
            {},
            r"eligibility: nobody is enrolled in a month analysed \(2008-01 to 2008-06\)",
        ),
    ],
)
def test_a_roster_that_cannot_be_read_as_meant_is_refused(con, tmp_path, tables, changes, message):
    with pytest.raises(DataProblem, match=message):
        built(con, tmp_path, tables, **changes)


def test_a_unit_in_two_arms_is_refused(con, tmp_path):
    tables = dozen.frames()
    roster = tables["program_roster"]
    tables["program_roster"] = row(roster, program_id="PCMH", unit_id="P1", arm="comparison")
    with pytest.raises(DataProblem, match="practice 'P1' is listed as comparison and as program"):
        built(con, tmp_path, tables)


def test_a_practice_with_clinicians_of_both_arms_is_refused_by_name_unless_it_is_listed_itself(con, tmp_path):
    tables = dozen.frames()
    affiliations = tables["provider_practice"]
    tables["provider_practice"] = row(affiliations, npi="N6", practice_id="P3", organization_id="O3").assign(
        x_primary_care="1"
    )
    roster = tables["program_roster"]
    tables["program_roster"] = row(
        roster, program_id="PCMH", unit_type="provider", unit_id="N6", arm="program"
    )
    with pytest.raises(DataProblem, match="practice 'P3' has clinicians in the program and clinicians"):
        built(con, tmp_path / "mixed", tables)
    listed = row(tables["program_roster"], unit_type="practice", unit_id="P3", arm="comparison")
    tables["program_roster"] = listed
    found = built(con, tmp_path / "listed", tables).panel.practices.set_index("practice_id")["arm"]
    assert found["P3"] == "comparison"


def test_a_practice_belongs_to_its_organisation_at_the_start_of_the_baseline(con, tmp_path):
    tables = dozen.frames()
    affiliations = tables[
        "provider_practice"
    ]  # P3 was O1's from 2006, is O3's since November 2007, O2's from May
    for npi, organization, since in (("N7", "O1", "2006-01-01"), ("N8", "O2", "2008-05-01")):
        affiliations = row(
            affiliations,
            npi=npi,
            practice_id="P3",
            organization_id=organization,
            effective_start_date=since,
            effective_end_date=None,
        )
    tables["provider_practice"] = affiliations
    found = built(con, tmp_path, tables).panel.practices.set_index("practice_id")["organization_id"]
    assert found["P3"] == "O3"


def test_contradicting_spans_are_settled_by_the_one_in_force_at_the_baseline(con):
    def states(*spans):
        table = ibis.memtable(
            [("A", "1980-01-01", "female", state, first, last, None) for state, first, last in spans],
            schema=dict.fromkeys(["person_id", "birth_date", "gender", "state"], "string")
            | dict.fromkeys(["enrollment_start_date", "enrollment_end_date", "death_date"], "string"),
        )
        dates = [c for c in table.columns if c.endswith("_date")]
        table = table.mutate(**{c: table[c].cast("date") for c in dates})
        persons = con.create_table("people", member_months.people(table, dozen.study()), overwrite=True)
        return engine.fetch(persons)["state"].tolist()

    before = ("NH", "2006-01-01", "2007-12-31")
    during = ("VT", "2007-06-01", None)
    after = ("ME", "2008-01-02", None)
    later = ("MA", "2008-05-01", None)
    assert states(before, during, after, later) == ["VT"]  # the baseline begins on 1 January 2008
    assert states(before, later, after) == ["ME"]
    assert states(before, ("RI", "2005-01-01", "2005-12-31")) == ["NH"]


# Placeholder arms ------------------------------------------------------------------------------------------


def test_placeholder_practices_follow_the_hash_of_the_person(con, tmp_path):
    found = built(
        con,
        tmp_path,
        arms__rule="hash",
        arms__placeholder_practices=3,
        arms__treated_share=0.4,
        attribution__method="rule",
    )
    members = engine.fetch(found.panel.members.order_by("person_id"))
    for person, practice, arm in zip(
        members["person_id"], members["practice_id"], members["arm"], strict=True
    ):
        number = int(hashlib.md5(person.encode()).hexdigest()[:8], 16) * 3 // 2**32 + 1
        assert practice == f"PLACEHOLDER-{number}"
        assert arm == ("treated" if number == 1 else "comparison")
    assert (members["organization_id"] == members["practice_id"]).all()
    assert len(members) == 14  # everybody is attributed
    assert set(found.panel.practices["arm"]) == {"treated", "comparison"}
    assert found.panel.clinicians.empty


def test_placeholder_arms_by_state(con, tmp_path):
    tables = dozen.frames()
    people = tables["eligibility"]
    tables["eligibility"] = people.assign(state=["VT" if p < "M04" else "NH" for p in people["person_id"]])
    changes = {
        "arms__rule": "state",
        "arms__treated_states": ["vt"],
        "arms__placeholder_practices": 5,
        "attribution__method": "rule",
    }
    found = built(con, tmp_path, tables, **changes)
    members = engine.fetch(found.panel.members.order_by("person_id"))
    assert members.loc[members["arm"] == "treated", "person_id"].tolist() == ["M01", "M02", "M03"]
    treated = set(members.loc[members["arm"] == "treated", "practice_id"])
    assert treated <= {"PLACEHOLDER-1", "PLACEHOLDER-2"}  # round(0.5 * 5) = 2 practices
    with pytest.raises(DataProblem, match=r"treated arm is empty.*arms.treated_states = \['ME'\]"):
        built(con, tmp_path, tables, **changes | {"arms__treated_states": ["ME"]})


def test_two_placeholder_practices_are_too_few(con, tmp_path):
    with pytest.raises(StudyFileError, match="at least 3 are needed"):
        built(con, tmp_path, arms__rule="hash", arms__placeholder_practices=2, attribution__method="rule")


@pytest.mark.parametrize(
    ("practices", "share", "treated"), [(3, 0.5, 1), (20, 0.2, 4), (20, 0.001, 1), (20, 0.99, 18)]
)
def test_placeholders_leave_one_treated_and_two_compared(practices, share, treated):
    spec = dozen.study(
        arms__rule="hash",
        arms__placeholder_practices=practices,
        arms__treated_share=share,
        attribution__method="rule",
    )
    assert attribution.placeholder_treated(spec) == treated


# Attribution -----------------------------------------------------------------------------------------------


def test_attribution_by_the_payers_roster(con, tmp_path):
    tables = dozen.frames()
    tables["provider_attribution"] = pd.DataFrame(
        [
            ("M01", "M01", "200801", "C", "P2"),
            ("M02", "M02", "200801", "C", "P1"),
            ("M03", "M03", "200802", "C", "P1"),  # not the first month of the baseline
            ("M04", "M04", "200801", "C", "P9"),  # a practice that nobody knows
        ],
        columns=["person_id", "member_id", "year_month", "data_source", "payer_attributed_provider_practice"],
    ).assign(payer="A", plan="B")
    found = built(con, tmp_path, tables, attribution__method="roster")
    members = engine.fetch(found.panel.members.order_by("person_id"))
    assert members[["person_id", "practice_id"]].to_numpy().tolist() == [["M01", "P2"], ["M02", "P1"]]
    frame = found.panel.attrition.frame.set_index(["rule", "arm"])
    assert frame.loc[("arm", "excluded"), "members_dropped"] == 1
    assert frame.loc[("attributed", "not attributed"), "members_dropped"] == 11
    with pytest.raises(DataProblem, match=r'attribution\.method is "roster", but'):
        built(con, tmp_path / "without", attribution__method="roster")


def test_fewer_visits_than_asked_for_are_no_attribution(con, tmp_path):
    tables = dozen.frames()
    visits = tables["medical_claim"]
    second = visits[visits["claim_id"].isin(["V01", "V04", "V07"])]
    again = second.assign(claim_id=second["claim_id"] + "b", claim_start_date="2007-12-19")
    same_day = visits[visits["claim_id"] == "V02"].assign(claim_id="V02b")
    tables["medical_claim"] = pd.concat([visits, again, same_day], ignore_index=True)
    found = built(con, tmp_path, tables, attribution__min_visits=2)
    members = engine.fetch(found.panel.members.order_by("person_id"))["person_id"].tolist()
    assert members == ["M01", "M04", "M07"]


# Claims ----------------------------------------------------------------------------------------------------


def test_drugs_are_left_out_of_a_study_of_medical_cost(con, tmp_path):
    changes = {"outcomes__services": "medical", "population__require_pharmacy_benefit": False}
    found = built(con, tmp_path / "with", **changes)
    steps = found.panel.waterfall.set_index("reason")
    assert steps.loc["not_counted", ["lines", "allowed_usd"]].tolist() == [-3, -(30.05 + 45.00 + 45.00)]
    assert steps.loc["denied", ["lines", "allowed_usd"]].tolist() == [-2, -560.00]
    # Three months of M12 with 210.00 come in: only drugs were missing.
    assert steps.loc["model", "allowed_usd"] == pytest.approx(5212.90 - 75.05 + 210.00)
    assert steps["allowed_usd"].iloc[:-1].sum() == pytest.approx(steps["allowed_usd"].iloc[-1])
    tables = dozen.frames()
    del tables["pharmacy_claim"]
    without = built(con, tmp_path / "without", tables, **changes)
    pd.testing.assert_frame_equal(without.cells.frame, found.cells.frame)


def test_a_stay_belongs_to_the_month_of_admission_whatever_its_claim_says(con, tmp_path, dozen_built):
    tables = dozen.frames()
    visits = tables["medical_claim"]
    second_bill = visits["claim_id"] == "C17"  # admitted on 30 March
    visits.loc[second_bill, ["claim_start_date", "claim_end_date"]] = ["2008-04-01", "2008-04-03"]
    found = built(con, tmp_path, tables)
    columns = ["w", "w*allowed", "w*allowed_capped", "w*paid", "w*paid_capped"]
    pd.testing.assert_frame_equal(found.cells.frame[columns], dozen_built.cells.frame[columns])


def test_members_with_fewer_months_than_asked_for_are_dropped(con, tmp_path):
    found = built(con, tmp_path, population__min_months=2)
    members = engine.fetch(found.panel.members.order_by("person_id"))["person_id"].tolist()
    assert "M02" in members and "M09" not in members  # two months, and one
    assert found.panel.waterfall.set_index("reason").loc["min_months", ["lines", "allowed_usd"]].tolist() == [
        -1,
        -130.00,
    ]


def test_a_member_month_may_cost_less_than_nothing(con, tmp_path):
    tables = dozen.frames()
    tables["medical_claim"] = row(
        tables["medical_claim"],
        claim_id="C99",
        person_id="M13",
        claim_start_date="2008-02-10",
        claim_end_date="2008-02-10",
        paid_date="2008-03-01",
        allowed_amount="-70.00",
        paid_amount="-50.00",
        x_claim_status="reversed",
        x_adjustment_type="void",
    )
    found = built(con, tmp_path, tables)
    assert found.panel.waterfall["allowed_usd"].iloc[-1] == pytest.approx(5212.90 - 70.00)
    month = engine.fetch(found.panel.months.filter(found.panel.months.allowed_cents < 0))
    assert month[["month", "allowed_capped_cents", "paid_capped_cents"]].to_numpy().tolist() == [
        [month_index("2008-02"), -7000, -5000]
    ]


def test_amounts_that_cannot_be_dollars_are_refused(con, tmp_path):
    tables = spoiled("pharmacy_claim", allowed_amount=["30000000.01", "45.00", "45.00"])
    with pytest.raises(DataProblem, match=r"1 member-months cost more than \$30,000,000 .*\$30,000,000.01"):
        built(con, tmp_path, tables)


@pytest.mark.parametrize(
    ("line", "category"),
    [
        (("institutional", "111", None, None, None, None, None), "inpatient"),
        # emergency that ends in admission
        (("institutional", "117", "0450", "99285", None, None, None), "inpatient"),
        (("institutional", "131", "0450", None, None, None, None), "emergency"),
        (("institutional", "131", "0300", None, None, None, "N1"), "outpatient"),
        (("institutional", None, None, None, None, "2008-01-03", None), "inpatient"),
        (("institutional", None, None, None, None, None, None), "outpatient"),
        (("professional", None, None, "99284", "23", None, "N1"), "emergency"),
        (("professional", None, None, "73610", "23", None, None), "emergency"),
        (("professional", None, None, "99213", "11", None, "N1"), "primary_care"),
        (("professional", None, None, "99213", "11", None, "N5"), "specialist"),  # N5 is not primary care
        (("professional", None, None, "99213", "11", None, None), "specialist"),
        (("professional", None, None, "73610", "11", None, "N1"), "imaging_laboratory"),
        (("professional", None, None, "80053", "81", None, None), "imaging_laboratory"),
        (("professional", None, None, "J1100", "11", None, "N1"), "other"),
        (("professional", None, None, "A0429", "41", None, None), "other"),
        (("professional", None, None, None, "11", None, None), "other"),
        (("professional", "111", None, "99231", "21", "2008-01-03", None), "specialist"),
    ],
)
def test_kind_of_service(con, line, category):
    assert kind_of(con, line, dozen.study()) == [category]


def kind_of(con, line, spec):
    names = ["claim_type", "bill_type_code", "revenue_center_code", "hcpcs_code", "place_of_service_code"]
    schema = dict.fromkeys(names, "string") | {"admission_date": "date", "rendering_npi": "string"}
    table = ibis.memtable([line], schema=schema)
    practices = ibis.memtable(
        [("N1", 1), ("N1", 0), ("N5", 0), (None, 1)], schema={"npi": "string", "x_primary_care": "int32"}
    )
    category = claims.service_category(table, {"provider_practice": practices}, spec)
    found = engine.fetch(con.create_table("one", table.select(kind=category), overwrite=True))
    return found["kind"].tolist()


# Cap, score, pairs -----------------------------------------------------------------------------------------


def test_the_cap_grows_with_its_trend_by_whole_years_from_the_start():
    spec = dozen.study(outcomes__cap_trend=0.05, outcomes__cap_usd_per_year=100_000)
    # 100,000 / 1.05^2 = 90,702.9478...; 100,000 * 1.05 = 105,000
    assert [panel.cap_cents(k, spec) for k in (-2, -1, 0, 1)] == [9070295, 9523810, 10000000, 10500000]


def test_no_cap_leaves_every_dollar(con, tmp_path):
    found = built(con, tmp_path, outcomes__cap_usd_per_year=None)
    assert "above_cap" not in set(found.panel.waterfall["reason"])
    assert found.panel.waterfall["allowed_usd"].iloc[-1] == pytest.approx(7312.90)
    assert (found.cells.total("allowed_capped") == found.cells.total("allowed")).all()


def test_a_score_needs_known_terms_and_cells_a_score(dozen_built):
    with pytest.raises(ValueError, match="not in the panel: condition:gout"):
        collapse.score(dozen_built.panel, {"intercept": 1.0, "condition:gout": 2.0})
    bare = panel.Panel(
        **{
            name: getattr(dozen_built.panel, name)
            for name in dozen_built.panel.__dataclass_fields__
            if name != "members"
        },
        members=dozen_built.panel.members.drop("expected_cents"),
    )
    with pytest.raises(ValueError, match="scored panel"):
        collapse.cells(bare, dozen_built.spec)
    with pytest.raises(ValueError, match="'expected' is not an outcome"):
        collapse.month_pairs(dozen_built.panel, "expected")


def test_the_sample_for_month_pairs_is_by_hash_of_the_person(con):
    names = [f"S{i:05d}" for i in range(4000)]
    members = con.create_table(
        "many",
        pd.DataFrame({"person_key": range(4000), "person_id": names, "organization_id": "O1"}),
        overwrite=True,
    )
    chosen = engine.fetch(collapse.sampled(members, 1000).order_by("person_key"))["person_key"].tolist()
    bound = f"{2**32 * 1000 // 4000:08x}"
    assert chosen == [i for i, n in enumerate(names) if hashlib.md5(n.encode()).hexdigest()[:8] < bound]
    assert 900 < len(chosen) < 1100
    assert engine.fetch(collapse.sampled(members, 4000).count().as_table()).iloc[0, 0] == 4000


# Code lists ------------------------------------------------------------------------------------------------


def test_condition_codes_are_prefixes_of_their_own_group():
    rows = claims.codelist("conditions")
    keys = [(r["system"], r["code_prefix"], r["condition_id"]) for r in rows]
    assert len(set(keys)) == len(keys)
    for group in {r["condition_id"] for r in rows}:
        for system in ("icd-9-cm", "icd-10-cm"):
            prefixes = [r["code_prefix"] for r in rows if (r["condition_id"], r["system"]) == (group, system)]
            assert prefixes, f"{group} has no {system} codes"
            nested = [(a, b) for a in prefixes for b in prefixes if a != b and b.startswith(a)]
            assert not nested, f"{group}: {nested} say the same twice"


@pytest.mark.parametrize(
    ("system", "code", "groups"),
    [
        ("icd-9-cm", "25000", {"diabetes"}),
        ("icd-9-cm", "4019", {"hypertension"}),
        ("icd-9-cm", "40211", {"hypertension", "heart_failure"}),
        ("icd-9-cm", "1739", set()),  # non-melanoma skin cancer
        ("icd-9-cm", "1749", {"cancer"}),
        ("icd-9-cm", "185", {"cancer"}),
        ("icd-9-cm", "V221", {"pregnancy"}),
        ("icd-9-cm", "650", {"pregnancy"}),
        ("icd-10-cm", "E119", {"diabetes"}),
        ("icd-10-cm", "C4491", set()),
        ("icd-10-cm", "C50911", {"cancer"}),
        ("icd-10-cm", "I5022", {"heart_failure"}),
        ("icd-10-cm", "25000", set()),
        ("icd-10-cm", "O80", {"pregnancy"}),
    ],
)
def test_codes_fall_into_their_conditions(system, code, groups):
    found = {
        r["condition_id"]
        for r in claims.codelist("conditions")
        if r["system"] == system and code.startswith(r["code_prefix"])
    }
    assert found == groups


@pytest.mark.parametrize("module", [conditions, member_months, services])
def test_the_examples_in_the_docstrings_run(module):
    found = doctest.testmod(module)
    assert found.attempted and not found.failed


def test_terms_cover_every_age_and_sex_once():
    terms = conditions.term_labels(dozen.study())
    bands = [t for t in terms if t.startswith("age_sex:")]
    assert len(bands) == 3 * len(conditions.AGE_BANDS)
    assert terms["age_sex:F18-24"] == "Women 18 to 24"
    assert terms["age_sex:M0"] == "Boys under 1"
    assert terms["age_sex:F85+"] == "Women 85 and over"
    assert not any(
        t.startswith("condition:") for t in conditions.term_labels(dozen.study(risk__model="age-sex"))
    )
    assert conditions.term_labels(dozen.study(risk__model="none")) == {}


def test_conditions_come_from_any_diagnosis_column_and_never_from_a_void(con, tmp_path):
    tables = dozen.frames()
    visits = tables["medical_claim"].assign(diagnosis_code_4=None)
    visits.loc[visits["claim_id"] == "V05", "diagnosis_code_4"] = "585.3"
    visits.loc[visits["claim_id"] == "V22", "diagnosis_code_4"] = "250.00"  # before the look-back
    tables["medical_claim"] = visits
    dozen.write(tmp_path, tables)
    spec = dozen.study()
    inputs = sources.open_inputs(con, spec, tmp_path)
    everyone = ibis.memtable(
        {"person_key": [5, 7, 10], "person_id": ["M05", "M07", "M10"]},
        schema={"person_key": "int32", "person_id": "string"},
    )
    found = engine.fetch(conditions.conditions(inputs, everyone, spec).order_by("person_key"))
    # M10's depression stands on a denied visit and on one that was taken back.
    assert found.to_numpy().tolist() == [[5, "renal"]]
