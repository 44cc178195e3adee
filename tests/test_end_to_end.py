"""Claims in, report out: the same bytes wherever it runs, verified by number, rerun for new periods."""

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


def _digests(report: Path) -> dict[str, str]:
    """Every file of a report but the run log, which alone may tell the time."""
    run = (report / "current").resolve()
    return {
        p.relative_to(run).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(run.rglob("*"))
        if p.is_file() and p.name != "run-log.json"
    }


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


def test_another_folder_clock_seed_and_processor_give_the_same_bytes(report, small_world, tmp_path):
    elsewhere = tmp_path / "a folder with spaces"
    shutil.copytree(small_world, elsewhere / "data")
    done = medhome(
        "run", elsewhere / "data" / "study.toml",
        "--data", elsewhere / "data", "--out", elsewhere / "reports",
        PYTHONHASHSEED="123", TZ="Asia/Tokyo", OMP_NUM_THREADS="2", OPENBLAS_NUM_THREADS="2",
        OPENBLAS_CORETYPE="Sandybridge", NPY_DISABLE_CPU_FEATURES="X86_V4",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    again = elsewhere / "reports" / "small" / "2010-03"
    assert _digests(again) == _digests(report)


def test_a_report_is_verified_from_its_own_folder(report, small_world, tmp_path):
    # The report as it is, but for a package's version in its manifest: every number the same, drift listed.
    older = tmp_path / "older"
    shutil.copytree(report / "current", older)
    manifest = json.loads((older / "manifest.json").read_text())
    manifest["environment"]["packages"]["scipy"] = "0.1"
    (older / "manifest.json").write_text(json.dumps(manifest))
    done = medhome("verify", older, "--data", small_world, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = json.loads(done.stdout)
    assert [line for line in verdict["drift"] if "package scipy" in line and "0.1 published" in line]
    assert set(verdict["counts"]) <= {"same", "agrees", "differs", "missing", "new"}
    assert verdict["counts"]["same"] == len(json.loads((report / "results.json").read_text())["numbers"])

    # The headline changed by one part in a million: the file is unlike its digest, and the number differs.
    forged = tmp_path / "forged"
    shutil.copytree(report / "current", forged)
    results = json.loads((forged / "results.json").read_text())
    results["numbers"]["did.total_pmpm"]["value"] *= 1 + 1e-6
    (forged / "results.json").write_text(
        json.dumps(results, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    )
    done = medhome("verify", forged, "--data", small_world)
    assert done.returncode == 3
    assert "\ndiffers  did.total_pmpm: " in done.stdout
    assert "Likely cause: results.json changed after publication" in done.stdout


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


def test_a_new_data_period_has_a_folder_of_its_own_and_a_warning_when_it_is_early(
    report, small_world, tmp_path
):
    done = medhome(
        "run", small_world / "study.toml", "--data", small_world, "--out", tmp_path, "--through", "2008-12"
    )
    assert done.returncode == 0, done.stderr
    early = tmp_path / "small" / "2008-12"
    page = re.sub(r"<[^>]+>", "", (early / "index.html").read_text())
    assert "at least 12 months" in page and "7 months" in page
    assert 'through = "2008-12"' in (early / "study.toml").read_text()


def test_real_format_claims_reach_a_report_that_says_placeholder(shared_data, tmp_path):
    study = Path(__file__).resolve().parents[1] / "analysis/studies/synpuf.toml"
    done = medhome("run", study, "--data", shared_data / "synpuf_claims500", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "synpuf" / "2009-12" / "index.html").read_text()
    assert "placeholder" in page


def test_init_writes_a_study_that_the_checks_read(small_world, tmp_path):
    done = medhome("init", tmp_path / "mine")
    assert done.returncode == 0, done.stderr
    assert "eligibility" in (tmp_path / "mine" / "data-dictionary.md").read_text()
    checked = medhome(
        "check", tmp_path / "mine" / "study.toml", "--data", small_world, "--out", tmp_path / "out", "--json"
    )
    assert checked.returncode == 0, checked.stderr
    page = Path(json.loads(checked.stdout)["page"]).read_text()
    assert "Claims by month" in page and "default-src 'none'" in page and "Where the dollars went" in page
    assert {"rule", "severity", "count"} <= set(json.loads(checked.stdout)["rules"][0])
    again = medhome("init", tmp_path / "mine")
    assert again.returncode == 2 and "already there" in again.stderr


def test_usage_errors_exit_with_2(small_world):
    assert medhome("run").returncode == 2
    assert medhome("simulate", "/nowhere", "--world", "smal").returncode == 2
    assert medhome("frobnicate").returncode == 2
