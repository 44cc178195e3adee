"""Claims in, report out, and verified by number.

The same bytes wherever it runs, and another data period: tests/test_documents_run.py.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from front_door import typed
from medhome.study.provenance import FIXED_ENVIRONMENT

PAGES = {
    "index.html",
    "data-and-cohort.html",
    "expected-and-actual.html",
    "difference-in-differences.html",
    "savings.html",
    "how-sure-are-we.html",
    "protocol.html",
}


def medhome(*words, **environment):
    """Run the command as a user would: another process, nothing shared."""
    clean = {k: v for k, v in os.environ.items() if k not in FIXED_ENVIRONMENT}
    return subprocess.run(
        [sys.executable, "-m", "medhome", *map(str, words)],
        capture_output=True,
        text=True,
        env={**clean, **environment},
    )


@pytest.fixture(autouse=True)
def _here(monkeypatch):
    """Commands that are typed in this process need no other environment than the tests'."""
    monkeypatch.setattr("medhome.cli._fixed_environment", lambda: None)


@pytest.fixture
def report(small_run):
    return small_run.report


def test_a_run_says_where_its_report_lies_and_how_far_it_is(small_run):
    assert Path(small_run.said["index"]).is_file() and "Traceback" not in small_run.messages
    assert "01-findings, " in small_run.messages  # plain lines of progress where there is no terminal


def test_the_report_is_whole(report):
    names = {p.name for p in report.iterdir()}
    assert PAGES | {"results.json", "manifest.json", "run-log.json", "study.toml"} <= names
    manifest = json.loads((report / "manifest.json").read_text())
    for output in manifest["outputs"]:
        content = (report / "current" / output["name"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == output["sha256"], output["name"]
    assert manifest["run_id"] == json.loads((report / "results.json").read_text())["run_id"]


def test_the_headline_on_the_page_is_the_headline_of_the_results(report):
    number = json.loads((report / "results.json").read_text())["numbers"]["did.total_pmpm"]
    assert number["headline"] and len(number["ci90"]) == len(number["ci95"]) == 2
    page = (report / "index.html").read_text()
    shown = f"{abs(number['value']):,.2f}"
    assert f"−${shown}" in page or f"${shown}" in page


def test_cost_models_are_on_the_page_and_one_without_an_answer_is_named(report):
    numbers = json.loads((report / "results.json").read_text())["numbers"]
    for family, part in (("ols", "cost"), ("poisson", "cost"), ("two-part", "any-cost")):
        row = f"cost_model.fitted_on.{family}.adults.{part}"
        actual, expected = (numbers[f"{row}.{name}"]["value"] for name in ("actual", "expected"))
        assert actual > 0 and abs(expected / actual - 1) < 1e-9, family
    assert numbers["cost_model.effect.poisson.all.estimate"]["ci95"]
    page = (report / "expected-and-actual.html").read_text()
    assert "No gamma model" in page and "gamma has no zeros, and some members have no cost" in page
    assert "cost most is normal, even for a perfect model" in page


def test_every_item_of_a_checklist_links_to_a_place_that_is_there(report):
    lists = json.loads((report / "checklists.json").read_text())["checklists"]
    places = {item["place"] for items in lists.values() for item in items if item["place"]}
    assert len(places) > 10
    for place in places:
        page, _, anchor = place.partition("#")
        assert f'id="{anchor}"' in (report / page).read_text(), place


def test_pages_ask_nobody_for_anything(report):
    for name in PAGES:
        page = (report / name).read_text()
        assert "default-src 'none'" in page
        assert not re.search(r"<script|\bon\w+\s*=\s*\"|@import", page)
        for link in re.findall(r"(?:src|href)=\"([^\"]*)\"", page):
            assert not re.match(r"(?:https?:)?//", link), (name, link)


def test_a_changed_report_is_named_and_drift_alone_is_listed(report, small_world, tmp_path, evaluated_once):
    # The report as it is, but for a package's version in its manifest: no number differs, drift is listed.
    older = tmp_path / "older"
    shutil.copytree(report / "current", older)
    manifest = json.loads((older / "manifest.json").read_text())
    manifest["environment"]["packages"]["scipy"] = "0.1"
    (older / "manifest.json").write_text(json.dumps(manifest))
    code, said, _ = typed("verify", older, "--data", small_world, "--json")
    assert code == 0, said
    verdict = json.loads(said)
    assert [line for line in verdict["drift"] if "package scipy" in line and "0.1 published" in line]
    assert set(verdict["counts"]) == {"same", "agrees", "differs", "missing", "new"}
    numbers = json.loads((report / "results.json").read_text())["numbers"]
    assert verdict["counts"]["same"] + verdict["counts"]["agrees"] == len(numbers)

    # The headline changed by one part in a million: the file is unlike its digest, and the number differs.
    forged = tmp_path / "forged"
    shutil.copytree(report / "current", forged)
    results = json.loads((forged / "results.json").read_text())
    results["numbers"]["did.total_pmpm"]["value"] *= 1 + 1e-6
    (forged / "results.json").write_text(
        json.dumps(results, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    )
    code, said, _ = typed("verify", forged, "--data", small_world)
    assert code == 3
    assert "\ndiffers  did.total_pmpm: " in said
    assert "Likely cause: results.json changed after publication" in said


def test_changed_data_are_named(report, small_world, tmp_path):
    import pyarrow.parquet as pq

    shutil.copytree(small_world, tmp_path / "data")
    path = tmp_path / "data" / "medical_claim.parquet"
    table = pq.read_table(path)
    amounts = table["allowed_amount"].to_pylist()
    at = next(
        i
        for i, (status, day) in enumerate(
            zip(table["x_claim_status"].to_pylist(), table["claim_start_date"].to_pylist(), strict=True)
        )
        if status == "paid" and day.year == 2009
    )
    amounts[at] += 1
    i = table.schema.get_field_index("allowed_amount")
    pq.write_table(table.set_column(i, "allowed_amount", [[float(a) for a in amounts]]), path)
    done = medhome("verify", report, "--data", tmp_path / "data")
    assert done.returncode == 3
    # The headline stands first where the claim is of a member of the study; else what was read differs.
    assert re.search(r"^differs  (did\.total_pmpm|data\.waterfall\.)", done.stdout, re.MULTILINE)
    assert "Likely cause: the input data (input medical_claim (medical_claim.parquet))" in done.stdout


def test_real_format_claims_reach_a_report_that_says_placeholder(shared_data, tmp_path):
    study = Path(__file__).resolve().parents[1] / "analysis/studies/synpuf.toml"
    done = medhome("run", study, "--data", shared_data / "synpuf_claims500", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "synpuf" / "2009-12" / "index.html").read_text()
    assert "placeholder" in page


def test_init_writes_a_study_that_the_checks_read(small_world, tmp_path):
    mine = tmp_path / "mine"
    assert typed("init", mine)[0] == 0
    assert "eligibility" in (mine / "data-dictionary.md").read_text()
    command = ("check", mine / "study.toml", "--data", small_world, "--out", tmp_path / "out", "--json")
    code, said, problem = typed(*command)
    assert code == 0, problem
    assert "default-src 'none'" in Path(json.loads(said)["page"]).read_text()
    assert {"rule", "severity", "count"} <= set(json.loads(said)["rules"][0])
    code, _, problem = typed("init", mine)
    assert code == 2 and "already there" in problem


def test_usage_errors_exit_with_2():
    assert typed("run")[0] == 2
    assert typed("simulate", "/nowhere", "--world", "smal")[0] == 2
    assert typed("frobnicate")[0] == 2
