"""`medhome validate`: every golden value within its tolerance, and a check that can fail."""

from __future__ import annotations

import json
import math
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from medhome import cli_validation, runs
from medhome.reporting import validation_page
from medhome.study.problems import DataProblem, NumbersDiffer, StudyFileError
from medhome.validation import comparison, run


@pytest.fixture(scope="module")
def found(shared_data):
    return run(shared_data)


def test_golden_facts_are_well_formed():
    entries, golden = comparison.read_entries(), comparison.read_golden()
    assert entries["id"].is_unique and not golden.duplicated(["id", "quantity"]).any()
    assert set(golden["id"]) == set(entries["id"])
    assert set(golden["measure"]) <= {"relative", "absolute", "departure", "not repeatable"}
    assert not golden[golden["measure"].isin(["departure", "not repeatable"])]["note"].eq("").any()
    with_case = {name for names in comparison.CASES.values() for name in names.split()}
    assert with_case == set(entries.loc[entries["not_repeatable"] == "", "id"])
    assert (entries["reference"] != "").all()
    assert (entries.loc[entries["data"] != "", "origin"] != "").all()
    assert len(golden) > 1400


@pytest.mark.shared_data
@pytest.mark.slow
def test_every_golden_value_is_within_its_tolerance(found):
    outside = found.frame[found.frame["verdict"] == "outside"]
    assert found.agrees, outside[["id", "quantity", "golden", "ours"]].to_string()
    counts = found.counts()
    assert counts["within"] > 1400 and counts["outside"] == counts["data absent"] == 0
    repeated = found.by_entry().query("values == 0")
    assert sorted(repeated["id"]) == ["abortion_es", "bacon_divorce_published"]
    computed = found.frame["verdict"].isin(["within", "departure"])
    assert found.frame.loc[computed, "ours"].notna().all()


@pytest.mark.shared_data
@pytest.mark.slow
def test_the_page_shows_golden_and_ours_and_is_written_whole(found, tmp_path):
    out = tmp_path / "validation" / "index.html"
    page = validation_page.write_validation_page(found, out).read_text(encoding="utf-8")
    assert [p.name for p in out.parent.iterdir()] == ["index.html"]
    for text in ("-0.03995127515518", "R did 2.3.0", "Departures on purpose", "bacon_divorce_published"):
        assert text in page.replace("\N{MINUS SIGN}", "-"), text
    assert "<script" not in page and "http" not in page.split("</style>")[1].replace("https://", "")
    json.dumps(found.to_plain(), allow_nan=False)


def test_the_notebook_is_one_call_a_cell_and_runs(monkeypatch, capsys, tmp_path):
    path = Path(__file__).parents[1] / "notebooks" / "validation.ipynb"
    notebook = nbformat.read(path, as_version=4)
    assert path.read_text(encoding="utf-8") == nbformat.writes(notebook) + "\n"
    cells = [c for c in notebook.cells if c.cell_type == "code"]
    assert cells[0].metadata["tags"] == ["parameters"]
    assert all(c.outputs == [] and c.execution_count is None for c in cells)
    entries = comparison.read_entries().query("id == 'power_closed_form'")
    monkeypatch.setattr(comparison, "read_entries", lambda: entries)
    names = {}
    for cell in cells:
        exec(cell.source, names)
        if "parameters" in cell.metadata.get("tags", []):
            names["data"] = tmp_path
    shown = capsys.readouterr().out
    assert "2 golden values of 1 entries" in shown and "0.398139" in shown


@pytest.mark.shared_data
def test_a_changed_golden_value_is_outside_and_exits_with_three(shared_data, monkeypatch, capsys):
    entries = comparison.read_entries().query("id == 'twfe_base_did'")
    monkeypatch.setattr(comparison, "read_entries", lambda: entries)
    cli_validation.validate(shared_data, None, False)
    assert "12 within" in capsys.readouterr().out
    golden = comparison.read_golden()
    one = (golden["id"] == "twfe_base_did") & (golden["quantity"] == "effect se by unit")
    golden.loc[one, "value"] *= 1 + 1e-8
    monkeypatch.setattr(comparison, "read_golden", lambda: golden)
    with pytest.raises(NumbersDiffer) as problem:
        cli_validation.validate(shared_data, None, False)
    assert problem.value.exit_code == 3
    assert "OUTSIDE twfe_base_did, effect se by unit" in capsys.readouterr().out


def test_a_number_that_is_not_computed_is_outside():
    value = {"quantity": "se", "value": 2.0, "tolerance": 1.0, "measure": "relative", "note": ""}
    assert comparison.compare(value, {})["verdict"] == "outside"
    assert comparison.compare(value, {"se": math.nan})["verdict"] == "outside"
    zero = comparison.compare(value | {"value": 0.0, "tolerance": 1e-6, "measure": "absolute"}, {"se": 1e-7})
    assert zero["verdict"] == "within" and zero["digits"] == pytest.approx(7)


def test_absent_data_are_named_with_where_they_come_from(tmp_path):
    with pytest.raises(DataProblem, match=r"no reference data here; docs/reference-data\.md"):
        runs.validate(tmp_path / "nothing")
    found = run(tmp_path, only=["twfe_base_did", "power_closed_form", "bacon_divorce_published"])
    rows = found.by_entry().set_index("id")
    assert rows["verdict"].to_dict() == {
        "bacon_divorce_published": "not repeatable",
        "twfe_base_did": "data absent",
        "power_closed_form": "within",
    }
    assert rows.loc["twfe_base_did", "note"].startswith("base_did.csv.gz not there: R package fixest")
    assert found.agrees and "data absent" in found.to_text()
    assert "for want of data: twfe_base_did" in validation_page.values_in_words(found).text
    with pytest.raises(StudyFileError, match="no golden entry is called 'cs'"):
        run(tmp_path, only=["cs"])


def test_few_organizations_and_the_triangle_need_no_data(tmp_path):
    found = run(tmp_path, only=["few_organizations", "raa_triangle"])
    assert found.agrees and found.counts()["within"] > 250
    assert isinstance(found.frame, pd.DataFrame)
