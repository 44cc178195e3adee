"""Use of care of three people, counted by hand, from claims to rates by arm and period."""

from __future__ import annotations

import pytest
import small_world

from medhome.study.problems import StudyFileError
from medhome.tables.engine import session
from medhome.tables.measures.definitions import chosen, code_lists, measures
from medhome.tables.measures.evaluation import collapse_measures

MEASURED = {"measures__enabled": True, "measures__families": ["utilisation"]}


@pytest.fixture(scope="module")
def con():
    with session(threads=1) as engine:
        yield engine


def stay(claim_id: str, person: str, admit: str, discharge: str, dx: str, **more) -> dict:
    return small_world.claim(
        claim_id, person, admit, 1000, claim_type="institutional", bill_type_code="111", hcpcs_code="",
        place_of_service_code="", claim_end_date=discharge, admission_date=admit, discharge_date=discharge,
        diagnosis_code_1=dx, facility_npi="H1", **more,
    )  # fmt: skip


def emergency(claim_id: str, person: str, day: str, dx: str = "78650") -> dict:
    return small_world.claim(
        claim_id, person, day, 300, claim_type="institutional", bill_type_code="131", hcpcs_code="99283",
        revenue_center_code="0450", place_of_service_code="", diagnosis_code_1=dx,
    )  # fmt: skip


VISIT = small_world.claim("V1", "T", "2008-02-05", 80, hcpcs_code="99213")
LINES = [
    # T before the start: an emergency visit of two lines, one that ends in a stay, the stay, a visit later.
    emergency("E1", "T", "2008-01-10"),
    {**emergency("E1b", "T", "2008-01-10"), "revenue_center_code": "0300", "hcpcs_code": "99284"},
    emergency("E2", "T", "2008-01-20"),
    stay("S1", "T", "2008-01-21", "2008-01-25", "486"),
    small_world.claim("V0", "T", "2008-01-28", 80, hcpcs_code="99214"),
    VISIT,
    {**VISIT, "claim_id": "V1b"},  # the same visit again: one visit
    small_world.void("V2-", small_world.claim("V2", "T", "2008-02-06", 80, hcpcs_code="99213"), "2008-03-01"),
    small_world.claim("V2", "T", "2008-02-06", 80, hcpcs_code="99213"),
    small_world.claim("V3", "T", "2008-02-07", 80, hcpcs_code="99213", x_claim_status="denied"),
    small_world.claim(
        "V4", "T", "2008-02-08", 80, hcpcs_code="99213", paid_date="2008-08-20"
    ),  # paid too late
    # T after it: a stay for pneumonia, back after five days; a picture read twice.
    stay("S2", "T", "2008-04-01", "2008-04-03", "486"),
    stay("S3", "T", "2008-04-08", "2008-04-09", "4280"),
    small_world.claim("I1", "T", "2008-05-02", 300, hcpcs_code="70450"),
    small_world.claim("I1b", "T", "2008-05-02", 60, hcpcs_code="70450", rendering_npi="N9"),
    small_world.claim("I2", "T", "2008-05-02", 60, hcpcs_code="71020"),
    # C: a birth before the start, an emergency visit after it.
    stay("S4", "C", "2008-02-01", "2008-02-03", "650"),
    emergency("E3", "C", "2008-05-05"),
]


@pytest.fixture(scope="module")
def found(con, tmp_path_factory):
    folder = tmp_path_factory.mktemp("measures")
    spec = small_world.study(**MEASURED)
    panel = small_world.build(con, folder, LINES, **MEASURED)
    return collapse_measures(small_world.inputs(con, folder, spec), panel, spec, folder)


def rates(found) -> dict[str, list[tuple[int, float]]]:
    """Events and what they are counted over, treated then comparison, baseline then performance."""
    return {
        m.measure: list(m.rates[["events", "denominator"]].itertuples(index=False, name=None))
        for m in found.measures
    }


def test_events_by_hand(found):
    seen = rates(found)
    assert seen["emergency_visits"] == [(1, 3), (0, 3), (0, 6), (1, 6)]
    assert seen["admissions"] == [(1, 3), (2, 3), (0, 6), (0, 6)]
    assert seen["admissions_maternity"] == [(0, 3), (0, 3), (1, 6), (0, 6)]
    assert seen["advanced_imaging"] == [(0, 3), (1, 3), (0, 6), (0, 6)]
    assert set(seen) & {"readmissions", "follow_up_7"} == set(), "no index discharge in the comparison arm"


def test_rates_are_per_1000_member_years(found):
    treated = next(m for m in found.measures if m.measure == "emergency_visits").rates
    assert treated["rate"].tolist() == pytest.approx([4000, 0, 0, 2000])  # 12,000 x 1/3; 12,000 x 1/6
    assert treated["members"].tolist() == [1, 1, 2, 2]
    assert treated["members_with"].tolist() == [1, 0, 0, 1]


def test_cells_hold_what_the_rates_do(found):
    for one in found.measures:
        for row in one.rates.itertuples():
            months = one.cells.frame["month"].to_numpy()
            mine = (one.cells.frame["arm"] == row.arm).to_numpy() & (
                (months >= 24099) == (row.period != "baseline")
            )
            part = one.cells.where(mine)
            assert part.total("events").sum() == pytest.approx(row.events), (one.measure, row.arm, row.period)
            assert part.member_months.sum() == pytest.approx(row.denominator)


def test_moments_hold_products_over_members(found):
    admissions = next(m for m in found.measures if m.measure == "admissions")
    treated = admissions.organizations.set_index("arm").loc["treated"]
    assert treated[["n0", "n1", "n0n0", "n1n1", "n0n1", "n0d1"]].tolist() == [1, 2, 1, 4, 2, 3]


def test_what_is_not_known_is_named_with_the_reason(found):
    why = dict(found.unknown[["measure", "why"]].itertuples(index=False))
    assert "pqi_value_sets.csv" in why["admissions_preventable"]
    assert "generic_drugs.csv" in why["generic_share"]
    assert "ed_johnston_icd10.csv" in why["emergency_avoidable"]
    assert why["admissions_newborn"] == "no such event is on the claims of either arm"
    assert why["readmissions"] == "nobody to count in the comparison arm in both periods"
    assert set(why) | set(rates(found)) == {m for m, d in measures().items() if d.family == "utilisation"}
    assert not set(why) & set(rates(found))


def test_returns_and_follow_up_by_hand(con, tmp_path):
    """C gets a stay before and after, so that both arms have index discharges."""
    more = [
        stay("S5", "D", "2008-01-05", "2008-01-06", "486"),
        stay("S6", "D", "2008-04-05", "2008-04-06", "486"),
    ]
    spec = small_world.study(**MEASURED)
    panel = small_world.build(con, tmp_path, LINES + more, **MEASURED)
    seen = rates(collapse_measures(small_world.inputs(con, tmp_path, spec), panel, spec, tmp_path))
    # Index of T: 25 January (no return), 3 April (back on the 8th), 9 April (none).
    assert seen["readmissions"] == [(0, 1), (1, 2), (0, 1), (0, 1)]
    # Visits of T: 28 January, 3 days after; none after April. D has a test only, which is no visit.
    assert seen["follow_up_7"] == [(1, 1), (0, 2), (0, 1), (0, 1)]
    assert seen["days_to_follow_up"] == [(3, 1), (60, 2), (30, 1), (30, 1)]


def test_generic_share_from_the_user_s_list(con, tmp_path):
    sets = tmp_path / "sets"
    sets.mkdir()
    fill = {**small_world.FILL, "person_id": "T", "ndc_code": "00001000100"}
    fills = [{**fill, "claim_id": f"G{n}", "dispensing_date": day, "paid_date": day, "person_id": who,
             "ndc_code": ndc} for n, (who, day, ndc) in enumerate([
                 ("T", "2008-01-03", "00001000100"), ("T", "2008-04-03", "00001000100"),
                 ("T", "2008-05-03", "00002000200"), ("C", "2008-02-03", "00002000200"),
                 ("C", "2008-05-03", "00001000100"), ("C", "2008-05-04", "00009000900")])]  # fmt: skip
    (sets / "generic_drugs.csv").write_text("ndc,generic\n00001000100,1\n00002000200,0\n")
    changes = {**MEASURED, "measures__value_sets": "sets"}
    spec = small_world.study(**changes)
    panel = small_world.build(con, tmp_path, LINES, fills=fills, **changes)
    seen = rates(collapse_measures(small_world.inputs(con, tmp_path, spec), panel, spec, tmp_path))
    assert seen["generic_share"] == [(1, 1), (1, 2), (0, 1), (1, 1)]


def test_a_study_that_does_not_ask_gets_nothing(con, tmp_path):
    panel = small_world.build(con, tmp_path, LINES)
    spec = small_world.study()
    found = collapse_measures(small_world.inputs(con, tmp_path, spec), panel, spec, tmp_path)
    assert found.measures == () and found.unknown.empty


def test_lists_and_measures_that_are_not_there_are_refused():
    with pytest.raises(StudyFileError, match="did you mean 'influenza'"):
        chosen(small_world.study(measures__leave_out=["influensa"]))
    rows = [{"list": "mamography", "system": "hcpcs", "code": "77067", "last_code": ""}]
    named = {"measures__lists": {"mamography": "m.csv"}, "measures__list_rows": tuple(rows)}
    with pytest.raises(StudyFileError, match="did you mean 'mammography'"):
        code_lists(small_world.study(**named))
    rows[0]["list"] = "mammography"
    named = {"measures__lists": {"mammography": "m.csv"}, "measures__list_rows": tuple(rows)}
    assert code_lists(small_world.study(**named))["mammography"] == [("hcpcs", "77067")]


def test_every_measure_reads_lists_that_are_there_and_names_its_source():
    lists = code_lists(small_world.study())
    for one in measures().values():
        assert set(one.lists) <= set(lists), one.id
        assert len(one.source) > 20
