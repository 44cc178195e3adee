"""Input checks: each rule finds what it is for, with count, dollars and place; errors stop the study."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
import tiny_world as tiny

from medhome.study.problems import DataProblem
from medhome.tables import engine, sources
from medhome.tables.checks import COLUMNS, check_inputs


@pytest.fixture
def check(tmp_path):
    """Check tables for a study: (rules by id and table, input files)."""

    def run(tables, kind="parquet", **study):
        folder = tiny.write(tmp_path / "world", tables, kind)
        spec = tiny.study(**study)
        with engine.session() as con:
            rules, files = check_inputs(con, sources.open_inputs(con, spec, folder), spec, folder)
        assert list(rules.columns) == list(COLUMNS)
        return rules.set_index(["rule", "table"]).sort_index(), files

    return run


@pytest.fixture
def refused(check):
    """The message with which tables are refused."""

    def run(tables, **study):
        with pytest.raises(DataProblem) as caught:
            check(tables, **study)
        return str(caught.value)

    return run


def _spoilt(table, column, row, value):
    tables = tiny.frames()
    frame = tables[table] if column in tables[table] else tables[table].assign(**{column: None})
    frame[column] = frame[column].astype(object)
    frame.loc[row, column] = value
    tables[table] = frame
    return tables


def test_a_clean_world_breaks_no_rule(check):
    rules, files = check(tiny.frames(), paid_through="2008-06", periods__run_out_months=0)
    assert rules["count"].sum() == 0
    assert rules["examples"].eq("").all() and rules["dollars_usd"].eq(0).all()
    assert list(files["role"]) == list(tiny.frames())
    assert files["rows"].tolist() == [3, 18, 2, 2, 2]


CASES = [
    # table, column, row, value, rule, count, dollars
    ("medical_claim", "paid_amount", 3, 999.0, "paid_above_allowed", 1, 100.00),
    ("medical_claim", "paid_date", 4, dt.date(2008, 2, 9), "paid_before_service", 1, 20.25),
    ("medical_claim", "paid_date", 4, None, "paid_date_unknown", 1, 20.25),
    ("medical_claim", "paid_date", 4, dt.date(2008, 10, 1), "paid_after_paid_through", 1, 20.25),
    ("medical_claim", "person_id", 5, "Z", "unknown_person", 1, 50.10),
    ("medical_claim", "claim_start_date", 5, dt.date(2006, 12, 31), "outside_enrolment", 1, 50.10),
    ("medical_claim", "rendering_npi", 5, None, "no_rendering_npi", 1, 50.10),
    ("medical_claim", "allowed_amount", 5, -50.10, "negative_amount", 1, -50.10),
    ("medical_claim", "x_claim_status", 0, "denied", "denied", 1, 100.00),
    ("medical_claim", "x_claim_status", 0, "denied", "denied_but_paid", 1, 100.00),
    ("medical_claim", "x_claim_status", 0, "reversed", "reversal_not_negative", 1, 100.00),
    ("medical_claim", "x_adjustment_type", 0, "void", "adjusts_nothing", 1, 100.00),
    ("pharmacy_claim", "dispensing_date", 1, dt.date(2008, 12, 5), "service_after_paid_through", 1, 56.78),
    ("pharmacy_claim", "person_id", 1, "Z", "unknown_person", 1, 56.78),
]


@pytest.mark.parametrize(("table", "column", "row", "value", "rule", "count", "dollars"), CASES)
def test_what_does_not_stop_a_study(check, table, column, row, value, rule, count, dollars):
    rules, _ = check(_spoilt(table, column, row, value))
    found = rules.loc[(rule, table)]
    assert (found["count"], found["dollars_usd"]) == (count, dollars)
    assert found["share"] == count / found["rows"]
    if found["severity"] == "warning":
        assert f"{table}.parquet row {row + 1}: claim_id" in found["examples"]
    else:
        assert found["severity"] == "note" and found["examples"] == ""


KEY = "claim_id, claim_line_number, data_source"
ERRORS = [
    ("eligibility", "birth_date", 1, None, "birth_date is empty"),
    ("eligibility", "birth_date", 1, dt.date(2008, 10, 1), "Born after paid_through"),
    ("eligibility", "birth_date", 1, dt.date(1899, 12, 31), "birth_date lies before 1900"),
    ("eligibility", "gender", 1, "m", "gender is none of male, female, unknown"),
    ("eligibility", "enrollment_end_date", 1, dt.date(2006, 12, 31), "Coverage ends before it starts"),
    ("eligibility", "death_date", 1, dt.date(1970, 1, 1), "Died before birth"),
    ("medical_claim", "claim_end_date", 1, dt.date(2008, 1, 9), "Claim ends before it starts"),
    ("medical_claim", "allowed_amount", 1, None, "allowed_amount is empty"),
    ("medical_claim", "claim_line_number", 1, 1, f"The same {KEY} more than once"),
    ("program_roster", "end_date", 1, dt.date(2008, 3, 31), "Listing ends before it starts"),
]


@pytest.mark.parametrize(("table", "column", "row", "value", "says"), ERRORS)
def test_what_stops_a_study(refused, table, column, row, value, says):
    text = refused(_spoilt(table, column, row, value))
    assert f"{table}: {says}" in text and "1 problem\n" in text
    first = 1 if "more than once" in says else row + 1
    assert f"{table}.parquet row {first}: " in text


def test_all_errors_at_once(refused):
    tables = _spoilt("medical_claim", "claim_end_date", 1, dt.date(2008, 1, 9))
    tables["eligibility"].loc[2, "gender"] = "x"
    tables["eligibility"].loc[1, "birth_date"] = None
    text = refused(tables)
    assert "3 problems" in text and "person_id C" in text and "claim_id A-1" in text


def _with_claim(lines: list[dict]):
    """The tables with a claim R of as many lines as given, like the first line but for what is said."""
    tables = tiny.frames()
    frame = tables["medical_claim"]
    for number, changes in enumerate(lines, 1):
        row = frame.iloc[0].to_dict() | {"claim_id": "R", "claim_line_number": number} | changes
        frame = pd.concat([frame, pd.DataFrame([row])], ignore_index=True)
    tables["medical_claim"] = frame
    return tables


TOTAL = {"allowed_amount": 90.0, "paid_amount": 72.0}


@pytest.mark.parametrize(
    ("lines", "count"),
    [
        ([TOTAL] * 3, 2),
        ([TOTAL], 0),  # of one line
        ([TOTAL, TOTAL | {"paid_amount": 70.0}], 0),  # other cost sharing: two services
        ([TOTAL | {"allowed_amount": 0.0, "paid_amount": 0.0}] * 2, 0),  # encounters
        ([TOTAL | {"charge_amount": 150.0}] * 3, 2),
        ([TOTAL | {"charge_amount": 80.0}] * 3, 0),  # above the charge: no total
        ([TOTAL | {"charge_amount": 150.0}, TOTAL | {"charge_amount": 160.0}], 0),
        ([TOTAL, TOTAL | {"x_claim_status": "denied"}, TOTAL], 1),
    ],
)
def test_a_total_on_each_line_is_warned_of(check, lines, count):
    """Claim R, $90 on each of its lines: the lines after the first would be left out as repeated totals."""
    rules, _ = check(_with_claim(lines))
    found = rules.loc[("amount_repeated_on_lines", "medical_claim")]
    assert (found["count"], found["dollars_usd"], found["severity"]) == (count, 90.0 * count, "warning")
    assert found["share"] == count / found["rows"]
    assert ("claim_id R, claim_line_number 2" in found["examples"]) == (count == 2)
    assert found["examples"].count("claim_id R") == count
    as_totals, _ = check(_with_claim(lines), claims__header_amounts="header")
    assert ("amount_repeated_on_lines", "medical_claim") not in as_totals.index


def test_a_repeated_line_is_counted_in_rows_and_dollars(check):
    """Eligibility repeats only warn: spans are merged anyway."""
    tables = tiny.frames()
    tables["eligibility"] = pd.concat([tables["eligibility"], tables["eligibility"].head(1)])
    rules, _ = check(tables)
    assert rules.loc[("key_not_unique", "eligibility"), "count"] == 2
    assert rules.loc[("spans_overlap", "eligibility"), "count"] == 1


def test_spans_that_touch_do_not_overlap(check):
    """A is covered 2007-01-01 to 2008-02-09 and from 2008-02-10: the claim on the 10th is inside."""
    tables = tiny.frames()
    people = tables["eligibility"]
    second = people.head(1).assign(enrollment_start_date=dt.date(2008, 2, 10))
    people.loc[0, "enrollment_end_date"] = dt.date(2008, 2, 9)
    tables["eligibility"] = pd.concat([people, second])
    rules, _ = check(tables)
    assert rules.loc[("outside_enrolment", "medical_claim"), "count"] == 0
    assert rules.loc[("spans_overlap", "eligibility"), "count"] == 0
    tables["eligibility"].loc[0, "enrollment_start_date"] = [dt.date(2007, 1, 1), dt.date(2008, 2, 11)]
    rules, _ = check(tables)
    found = rules.loc[("outside_enrolment", "medical_claim")]
    assert (found["count"], found["dollars_usd"]) == (2, 120.25)


def test_a_reversed_row_is_negative_by_nature(check):
    tables = _spoilt("medical_claim", "x_claim_status", 0, "reversed")
    tables["medical_claim"].loc[0, ["allowed_amount", "paid_amount"]] = [-100.0, -80.0]
    rules, _ = check(tables)
    assert rules.loc[("negative_amount", "medical_claim"), "count"] == 0
    assert rules.loc[("reversal_not_negative", "medical_claim"), "count"] == 0


def test_denied_lines_are_no_data(refused):
    tables = tiny.frames()
    claims = tables["medical_claim"]
    claims["x_claim_status"] = ["denied" if d.month == 2 else "paid" for d in claims["claim_start_date"]]
    assert "no claims in 2008-02;" in refused(tables)


def test_a_month_without_claims(refused):
    tables = tiny.frames()
    claims = tables["medical_claim"]
    tables["medical_claim"] = claims[[d.month not in (2, 5, 6) for d in claims["claim_start_date"]]]
    text = refused(tables, periods__through="2008-04", periods__run_out_months=0)
    assert "medical_claim: no claims in 2008-02;" in text
    text = refused(tables)
    assert (
        "no claims in 2008-02, 2008-05 to 2008-06;" in text and "claims run from 2008-01 to 2008-04" in text
    )


def test_the_look_back_needs_claims_too(refused, check):
    text = refused(tiny.frames(), risk__model="age-sex-conditions", risk__lookback_months=2)
    assert "no claims in 2007-11 to 2007-12;" in text
    text = refused(tiny.frames(), attribution={"method": "plurality", "lookback_months": 3})
    assert "no claims in 2007-10 to 2007-12;" in text
    check(tiny.frames(), attribution={"method": "roster", "lookback_months": 3})


def test_a_start_outside_the_data(refused):
    later = {
        "baseline_first": "2012-06",
        "baseline_last": "2013-05",
        "start": "2013-06",
        "through": "2013-12",
    }
    text = refused(tiny.frames(), periods=later, paid_through="2014-06")
    assert "periods.start = 2013-06 lies outside the data: claims run from 2008-01 to 2008-06" in text
    assert "no claims in" not in text


def test_a_thin_month_and_a_missing_run_out(check):
    tables = tiny.frames()
    claims = tables["medical_claim"]
    june = pd.Series([d.month == 6 for d in claims["claim_start_date"]])
    tables["medical_claim"] = claims[~june | (claims["claim_line_number"] == 2)]
    rules, _ = check(tables)
    assert rules.loc[("month_thin", "medical_claim"), "label"].endswith("median month: 2008-06")
    # last payment 2008-06-28, paid_through 2008-09
    assert rules.loc[("run_out_missing", "medical_claim"), "label"].endswith("2008-07 to 2008-09")
    assert rules.loc[("run_out_missing", "medical_claim"), "count"] == 3


@pytest.mark.parametrize(("gone", "words"), [("program", "treated"), ("comparison", "comparison")])
def test_an_empty_arm(refused, gone, words):
    tables = tiny.frames()
    roster = tables["program_roster"]
    tables["program_roster"] = roster[roster["arm"] != gone]
    assert f'with arm "{gone}": the {words} arm would be empty' in refused(tables)


def test_a_program_that_the_roster_does_not_know(refused):
    text = refused(tiny.frames(), arms={"program_id": "PCMH2"})
    assert 'No unit of program "PCMH2" (arms.program_id)' in text


def test_digests_know_content_from_bytes(check):
    """Rows in another order, or as CSV: another file with the same content. A cent more: other content."""
    tables = tiny.frames()
    _, first = check(tables)
    tables["medical_claim"] = tables["medical_claim"].iloc[::-1]
    _, turned = check(tables)
    assert (first["content_sha256"] == turned["content_sha256"]).all()
    assert (first["sha256"] != turned["sha256"]).tolist() == [False, True, False, False, False]
    tables["medical_claim"].loc[0, "allowed_amount"] += 0.01
    _, dearer = check(tables)
    assert (turned["content_sha256"] != dearer["content_sha256"]).tolist() == [
        False,
        True,
        False,
        False,
        False,
    ]


def test_content_is_the_same_as_csv(check, tmp_path):
    _, parquet = check(tiny.frames())
    for path in (tmp_path / "world").iterdir():
        path.unlink()
    _, text = check(tiny.frames(), kind="csv")
    assert parquet["content_sha256"].tolist() == text["content_sha256"].tolist()
    assert text["name"].tolist() == [f"{t}.csv" for t in tiny.frames()]


def test_values_that_change_places_change_the_content(check):
    tables = tiny.frames()
    _, first = check(tables)
    rows = tables["medical_claim"].index[:2]
    tables["medical_claim"].loc[rows, "hcpcs_code"] = ["99214", "99213"]
    _, one = check(tables)
    tables["medical_claim"].loc[rows, "hcpcs_code"] = ["99213", "99214"]
    _, other = check(tables)
    assert len({f.loc[1, "content_sha256"] for f in (first, one, other)}) == 3


def test_text_that_moves_to_the_next_column_changes_the_content(check):
    tables = tiny.frames()
    _, first = check(tables)
    tables["medical_claim"][["payer", "plan"]] = ["PP", "PO"]
    _, moved = check(tables)
    assert first.loc[1, "content_sha256"] != moved.loc[1, "content_sha256"]


def test_a_file_with_a_broken_middle(refused, tmp_path):
    tables = tiny.frames()
    tables["medical_claim"]["claim_id"] = [f"claim {i}" for i in range(18)]
    folder = tiny.write(tmp_path / "world", tables)
    path = folder / "medical_claim.parquet"
    content = bytearray(path.read_bytes())
    content[4:400] = b"\xff" * 396
    spec = tiny.study()
    path.write_bytes(bytes(content))
    with engine.session() as con, pytest.raises(DataProblem) as caught:
        check_inputs(con, sources.open_inputs(con, spec, folder), spec, folder)
    assert "write it again" in str(caught.value)


def test_threads_do_not_matter(tmp_path):
    folder, spec = tiny.write(tmp_path, tiny.frames()), tiny.study()
    found = []
    for threads in (1, 4):
        with engine.session(threads=threads) as con:
            found.append(check_inputs(con, sources.open_inputs(con, spec, folder), spec, folder))
    for one, other in zip(*found, strict=True):
        pd.testing.assert_frame_equal(one, other)
