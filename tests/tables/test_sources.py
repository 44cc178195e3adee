"""Native input: the same tables from Parquet, CSV and parts; every fault named with file, column and row."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
import tiny_world as tiny

from medhome.study.definitions import contracts
from medhome.study.problems import DataProblem
from medhome.tables import engine, sources


@pytest.fixture
def con():
    with engine.session(threads=2) as opened:
        yield opened


def _problem(con, folder, spec=None) -> str:
    with pytest.raises(DataProblem) as caught:
        sources.open_inputs(con, spec or tiny.study(), folder)
    return str(caught.value)


def _rows(table, *columns):
    return engine.fetch(table.order_by(table.columns).select(*columns)).values.tolist()


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_the_contract_shape(con, tmp_path, kind):
    inputs = sources.open_inputs(con, tiny.study(), tiny.write(tmp_path, tiny.frames(), kind))
    assert list(inputs) == [
        "eligibility",
        "medical_claim",
        "pharmacy_claim",
        "provider_practice",
        "program_roster",
    ]
    for name, table in inputs.items():
        known = {c.engine_name: c for c in contracts()[name].expanded()}
        assert set(table.columns) <= set(known)
        missing = {c for c in set(known) - set(table.columns)}
        assert all(c.rpartition("_")[2].isdigit() for c in missing), missing
    claims = inputs["medical_claim"]
    first = claims.filter(claims.claim_id == "A-1")
    assert _rows(first, "allowed_cents", "paid_cents") == [[10000, 8000], [2025, 1620]]
    assert _rows(claims, "diagnosis_code_1")[0] == ["25000"]
    assert str(claims.schema()["allowed_cents"]) == "int64"
    assert str(claims.schema()["claim_start_date"]) == "date"
    assert sources.series(claims, "diagnosis_code") == ["diagnosis_code_1"]
    people = inputs["eligibility"]
    flags = ["x_medical_benefit", "x_pharmacy_benefit", "x_behavioral_benefit", "x_capitated"]
    assert _rows(people, *flags)[0] == [1, 1, 1, 0]
    ends = _rows(people, "enrollment_end_date")
    assert ends[1] == [dt.date(2008, 12, 31)] and pd.isna(ends[0][0])
    # a code of digits gets its leading zeros back, a practice without an organisation stands alone
    assert _rows(inputs["pharmacy_claim"], "ndc_code") == [["00002143480"], ["00002143480"]]
    assert _rows(inputs["provider_practice"], "organization_id") == [["O1"], ["P2"]]


def test_csv_parquet_and_parts_give_the_same_rows(con, tmp_path):
    tables = tiny.frames()
    tiny.write(tmp_path / "one", tables)
    parts = tmp_path / "parts"
    tiny.write(parts, {n: f for n, f in tables.items() if n != "medical_claim"}, "csv")
    (parts / "medical_claim").mkdir()
    claims = tables["medical_claim"]
    claims.iloc[:7].to_csv(parts / "medical_claim" / "2008a.csv", index=False)
    claims.iloc[7:].to_csv(parts / "medical_claim" / "2008b.csv", index=False, lineterminator="\r\n")
    found = []
    for folder in (tmp_path / "one", parts):
        inputs = sources.open_inputs(con, tiny.study(), folder)
        found.append({n: engine.fetch(t.order_by(t.columns)) for n, t in inputs.items()})
    for name in found[0]:
        pd.testing.assert_frame_equal(found[0][name], found[1][name])


def test_unknown_columns_are_ignored_and_series_are_read_as_far_as_they_go(con, tmp_path):
    tables = tiny.frames()
    tables["medical_claim"] = tables["medical_claim"].assign(
        Diagnosis_Code_3="v22.1", diagnosis_code_2=None, shoe_size=44
    )
    inputs = sources.open_inputs(con, tiny.study(), tiny.write(tmp_path, tables))
    claims = inputs["medical_claim"]
    assert "shoe_size" not in claims.columns
    assert sources.series(claims, "diagnosis_code") == [f"diagnosis_code_{n}" for n in (1, 2, 3)]
    assert _rows(claims, "diagnosis_code_3")[0] == ["V221"]


def test_money_is_rounded_half_away_from_zero(con, tmp_path):
    tables = tiny.frames()
    written = ["0.125", "-0.125", "1e2", "12.344", "12.345", " 7 "]
    tables["medical_claim"] = tables["medical_claim"].head(6).astype({"allowed_amount": object})
    tables["medical_claim"]["allowed_amount"] = written
    tables["medical_claim"]["paid_amount"] = [0.125, -0.125, 100, 12.344, 0.375, 7]
    inputs = sources.open_inputs(con, tiny.study(), tiny.write(tmp_path, tables, "csv"))
    claims = inputs["medical_claim"].order_by("claim_id", "claim_line_number")
    found = engine.fetch(claims.select("allowed_cents", "paid_cents"))
    by_row = tables["medical_claim"].assign(at=range(6)).sort_values(["claim_id", "claim_line_number"])["at"]
    assert list(found["allowed_cents"]) == [[13, -13, 10000, 1234, 1235, 700][i] for i in by_row]
    assert list(found["paid_cents"]) == [[13, -13, 10000, 1234, 38, 700][i] for i in by_row]


def test_every_fault_at_once(con, tmp_path):
    tables = tiny.frames()
    people = tables["eligibility"].drop(columns="birth_date")
    tables["eligibility"] = people.rename(columns={"gender": "gendr"})
    tables["medical_claim"]["allowed_amount"] = tables["medical_claim"]["allowed_amount"].astype(str)
    tables["medical_claim"].loc[[6, 9], "allowed_amount"] = ["12,50", "a lot"]
    tables["provider_practice"]["effective_start_date"] = ["2005-01-01", "2008-02-31"]
    del tables["program_roster"]
    text = _problem(con, tiny.write(tmp_path, tables))
    assert "6 problems" in text
    assert "eligibility.parquet: column birth_date is missing" in text
    assert "column gender is missing" in text and 'the file has "gendr"' in text
    assert 'medical_claim.parquet: column allowed_amount, row 7: "12,50"' in text
    assert 'medical_claim.parquet: column allowed_amount, row 10: "a lot"' in text
    assert 'provider_practice.parquet: column effective_start_date, row 2: "2008-02-31"' in text
    assert "program_roster: there is no program_roster.parquet" in text


def test_many_bad_cells_are_counted_not_listed(con, tmp_path):
    tables = tiny.frames()
    tables["medical_claim"]["claim_line_number"] = 1.5
    text = _problem(con, tiny.write(tmp_path, tables))
    assert text.count('"1.5"') == 3 and "15 more such rows" in text


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("birth_date", 19600501, "birth_date holds BIGINT; the contract asks for dates"),
        ("allowed_amount", dt.date(2008, 1, 1), "allowed_amount holds DATE; the contract asks for dollars"),
        ("diagnosis_code_1", 250.0, "diagnosis_code_1 holds DOUBLE; the contract asks for text"),
        ("allowed_amount", float("inf"), '"inf" cannot be read'),
        ("service_unit_quantity", float("inf"), 'service_unit_quantity, row 1: "inf"'),
    ],
)
def test_a_wrong_type_of_parquet(con, tmp_path, column, value, says):
    tables = tiny.frames()
    name = "eligibility" if column == "birth_date" else "medical_claim"
    tables[name][column] = value
    assert says in _problem(con, tiny.write(tmp_path, tables))


def test_a_bad_cell_of_csv(con, tmp_path):
    tables = tiny.frames()
    tables["eligibility"] = tables["eligibility"].astype(str).replace({"None": ""})
    tables["eligibility"].loc[2, "birth_date"] = "24.12.2001"
    text = _problem(con, tiny.write(tmp_path, tables, "csv"))
    assert 'eligibility.csv: column birth_date, row 3: "24.12.2001"' in text and "YYYY-MM-DD" in text


@pytest.mark.parametrize("day", ["290309-12-22", "infinity", "10000-01-01"])
def test_a_day_beyond_four_digit_years_cannot_be_read(con, tmp_path, day):
    tables = tiny.frames()
    tables["eligibility"] = tables["eligibility"].astype(str).replace({"None": ""})
    tables["eligibility"].loc[1, "enrollment_end_date"] = day
    text = _problem(con, tiny.write(tmp_path, tables, "csv"))
    assert f'eligibility.csv: column enrollment_end_date, row 2: "{day}" cannot be read' in text


def test_a_csv_row_that_is_short(con, tmp_path):
    tiny.write(tmp_path, tiny.frames(), "csv")
    path = tmp_path / "program_roster.csv"
    lines = path.read_text().splitlines()
    lines[2] = "PCMH,practice"
    path.write_text("\n".join(lines) + "\n")
    assert "program_roster.csv, row 2: has 2 columns, not 6" in _problem(con, tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("eligibility.csv", b"", "eligibility.csv: the file is empty"),
        ("eligibility.csv", b"person_id;birth_date\n1;2\n", "not separated by commas"),
        ("eligibility.csv", b"person_id,person_id\n", "twice"),
        ("eligibility.csv", b"person_id,n\xff\n", "UTF-8"),
        ("eligibility.parquet", b"", "eligibility.parquet: the file is empty"),
        ("eligibility.parquet", b"person_id,birth_date\n", "eligibility.parquet: not a Parquet file"),
    ],
)
def test_a_file_that_is_not_one(con, tmp_path, name, content, says):
    tiny.write(tmp_path, tiny.frames())
    (tmp_path / "eligibility.parquet").unlink()
    (tmp_path / name).write_bytes(content)
    assert says in _problem(con, tmp_path)


def test_a_truncated_parquet(con, tmp_path):
    tiny.write(tmp_path, tiny.frames())
    path = tmp_path / "medical_claim.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    assert "medical_claim.parquet: the file is cut short" in _problem(con, tmp_path)
    path.write_bytes(b"PAR1" + b"\0" * 100 + b"PAR1")
    assert "medical_claim.parquet: cannot be read as Parquet" in _problem(con, tmp_path)


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_table_without_rows(con, tmp_path, kind):
    tables = tiny.frames()
    tables["eligibility"] = tables["eligibility"].head(0)
    assert f"eligibility.{kind}: no rows" in _problem(con, tiny.write(tmp_path, tables, kind))


def test_parts_that_disagree(con, tmp_path):
    tables = tiny.frames()
    claims = tables.pop("medical_claim")
    tiny.write(tmp_path, tables)
    (tmp_path / "medical_claim").mkdir()
    claims.to_parquet(tmp_path / "medical_claim" / "a.parquet")
    claims.drop(columns="person_id").to_parquet(tmp_path / "medical_claim" / "b.parquet")
    assert "medical_claim/b.parquet: column person_id is missing" in _problem(con, tmp_path)
    claims.astype({"claim_line_number": str}).to_parquet(tmp_path / "medical_claim" / "b.parquet")
    text = _problem(con, tmp_path)
    assert "medical_claim/b.parquet: column claim_line_number holds VARCHAR, but BIGINT" in text
    claims.to_csv(tmp_path / "medical_claim" / "b.csv")
    assert "Parquet and CSV parts" in _problem(con, tmp_path)
    claims.to_parquet(tmp_path / "medical_claim.parquet")
    assert "keep one" in _problem(con, tmp_path)


def test_no_folder_and_a_folder_with_odd_signs(con, tmp_path):
    assert "nowhere" in _problem(con, tmp_path / "nowhere")
    odd = tiny.write(tmp_path / "it's [1]*", tiny.frames())
    inputs = sources.open_inputs(con, tiny.study(), odd)
    assert engine.fetch(inputs["eligibility"].count().as_table()).iloc[0, 0] == 3


def test_optional_tables_follow_the_study(con, tmp_path):
    tables = tiny.frames()
    for name in ("pharmacy_claim", "provider_practice", "program_roster"):
        del tables[name]
    spec = tiny.study(arms={"rule": "hash"}, attribution={"method": "rule"}, outcomes={"services": "medical"})
    inputs = sources.open_inputs(con, spec, tiny.write(tmp_path, tables))
    assert list(inputs) == ["eligibility", "medical_claim"]
    spec = tiny.study(arms={"rule": "state", "treated_states": ["PA"]}, attribution={"method": "rule"})
    text = _problem(con, tmp_path, spec)
    assert "column state is missing" in text and "outcomes.services=all" in text
