"""Verification without data, its page and its certificate: what does not agree stands first."""

from __future__ import annotations

import base64
import shutil

import pytest
from typer.testing import CliRunner

from medhome import reports, runs
from medhome.cli import app
from medhome.reporting.amounts import Known
from medhome.reporting.consistency import LAWS, consistency
from medhome.reporting.json_files import read_json, write_json
from medhome.reporting.verification_page import certificate, write_verification
from medhome.reporting.verify import compare, read_published
from medhome.study.problems import StudyFileError


@pytest.fixture
def copied(example_report, tmp_path):
    shutil.copytree(example_report, tmp_path / "report")
    return tmp_path / "report"


def failed(folder):
    """The laws that a report's files break."""
    found = consistency(read_published(folder), folder)
    return {h.id: h.findings for h in found.held if h.findings}


def test_an_invented_report_agrees_where_its_inventor_was_careful(copied):
    """The invented evaluation keeps intervals, withheld numbers and ids; its totals are made up."""
    assert not {"digests", "run", "intervals", "withheld"} & set(failed(copied))


def number(value, **more):
    return {"value": value, **more}


GOOD = {
    "did.total_pmpm": number(-3.0, ci90=[-5.0, -1.0], ci95=[-6.0, 0.0]),
    "expected.E3.difference_pmpm": number(-3.0),
    "where.category.all.estimate": number(-3.0),
    "where.category.inpatient.estimate": number(-2.0),
    "where.category.pharmacy.estimate": number(-1.0),
    "expected.E1.actual_pmpm": number(297.0),
    "expected.E1.expected_pmpm": number(300.0),
    "expected.E1.difference_pmpm": number(-3.0),
    "expected.E1.ae_ratio": number(0.99),
    "savings.member_months": number(100.0),
    "savings.gross_pmpm": number(3.0),
    "savings.gross_total_usd": number(300.0),
    "savings.year.1.member_months": number(60.0),
    "savings.year.2.member_months": number(40.0),
    "did.variance.own.share": number(0.75),
    "did.variance.members.share": number(0.25),
    "attrition.r3.treated.members_dropped": number(None, suppressed="primary-or-secondary"),
}


def broken(numbers):
    return {name: [f for f in look(numbers) if f is not None] for name, _, look in LAWS}


@pytest.mark.parametrize(
    ("name", "key", "value", "law"),
    [
        ("did.total_pmpm", "value", 1.0, "intervals headline"),
        ("did.total_pmpm", "ci90", [-90.0, 90.0], "intervals"),
        ("expected.E1.ae_ratio", "value", 0.98, "ratios"),
        ("expected.E1.actual_pmpm", "value", 297.01, "ratios"),
        ("savings.gross_total_usd", "value", 300.02, "sums"),
        ("where.category.pharmacy.estimate", "value", -1.1, "sums"),
        ("expected.E3.difference_pmpm", "value", -3.1, "headline"),
        ("savings.year.2.member_months", "value", 41.0, "sums"),
        ("did.variance.members.share", "value", 0.26, "sums"),
        ("attrition.r3.treated.members_dropped", "value", 5, "withheld"),
    ],
)
def test_each_law_holds_and_is_broken_by_a_number_that_was_changed(name, key, value, law):
    assert broken(GOOD) == {each: [] for each, _, _ in LAWS}
    changed = {**GOOD, name: {**GOOD[name], key: value}}
    assert {each for each, findings in broken(changed).items() if findings} == set(law.split())


def test_a_manifest_that_was_changed_no_longer_has_its_run_id(copied):
    manifest = read_json(copied / "manifest.json")
    manifest["parameters"]["outcomes.cap_usd_per_year"] = 50_000
    write_json(manifest, copied / "manifest.json")
    assert "run" in failed(copied)


def test_each_amount_in_a_sentence_is_named_by_its_result(copied):
    """Dollars only among dollars: a share of 3.24 would not support $3.24."""
    effect = read_json(copied / "results.json")["numbers"]["did.total_pmpm"]["value"]
    (copied / "index.html").write_text(
        f"<main><p>It fell by −${abs(effect):,.2f}, with 90% intervals.</p><table><td>$77.77</td></table>"
        "<p>Or by $987.65 in 2009, and 12 months, 0.7 in 1,000 members; $1.78 as published.</p></main>"
    )
    found = consistency(read_published(copied), copied)
    first = [a for a in found.amounts if a.page == "index.html"]
    assert [a.text for a in first] == [f"${abs(effect):,.2f}", "90%", "$987.65", "0.7", "$1.78"]
    assert "did.total_pmpm" in first[0].names and first[2].names == ()
    assert "published effect" in first[4].names
    assert [line for line in found.unsupported if line.startswith("index.html")] == [
        "index.html: $987.65 in “…Or by $987.65 in 2009, and 12 mon…”"
    ]
    said = next(a for a in found.to_plain()["amounts"] if a["amount"] == f"${abs(effect):,.2f}")
    assert "did.total_pmpm" in said["results"]
    assert next(h for h in found.held if h.id == "text").findings == ()
    (copied / "index.html").write_text("<main><p>It fell by $987.65.</p></main>")
    text = next(h for h in consistency(read_published(copied), copied).held if h.id == "text")
    assert text.findings == (f"did.total_pmpm: no sentence of index.html says {effect:,.2f}",)


def page_with(csv: str) -> str:
    data = base64.b64encode(csv.encode()).decode()
    return f'<main><a download="tbl-x.csv" href="data:text/csv;charset=utf-8;base64,{data}">CSV</a></main>'


def test_each_number_of_a_table_is_a_result_or_the_difference_of_two_of_its_row(copied):
    """Keys are left out, a withheld cell too; the ninth digit counts, and a number from nowhere is listed."""
    number = read_json(copied / "results.json")["numbers"]["did.total_pmpm"]
    value, (low, high) = number["value"], number["ci95"]
    head = "arm,quarter,estimate,lo95,hi95,change,members\n"
    for name, cells, odd in (
        ("good", f"a,77,{value:.10g},{low:.10g},{high:.10g},{high - low:.10g},withheld", []),
        ("digit", f"a,77,{value * (1 + 1e-7):.10g},,,,", [f"estimate: {value * (1 + 1e-7):,.10g}"]),
        ("alien", f"a,77,{value:.10g},,,,987654.3", ["members: 987,654.3"]),
    ):
        (copied / "index.html").write_text(page_with(f"{head}{cells}\n"))
        found = consistency(read_published(copied), copied)
        assert list(found.odd_cells) == [f"index.html: tbl-x, a, {one}" for one in odd], name
        assert set(found.odd_cells) <= set(found.unsupported)
        held = next(h for h in found.held if h.id == "tables")
        assert held.compared == {"good": 4, "digit": 0, "alien": 1}[name] and held.findings == ()


@pytest.mark.parametrize(
    ("text", "unit", "value", "known"),
    [
        ("$3.24", "USD PMPM", -3.2449, True),
        ("$3.24", "USD PMPM", -3.2451, False),
        ("$3.24", "ratio", 3.24, False),
        ("3.24", "ratio", 3.24, True),
        ("62.9%", "share", 0.6291, True),
        ("62.9%", "USD PMPM", 0.629, False),
        ("$1.2 million", "USD", 1_249_999.0, True),
        ("1,205", "members", 1205, True),
        ("1,205", "members", 1206, False),
    ],
)
def test_an_amount_reads_like_a_number_of_its_unit(text, unit, value, known):
    assert Known({"a": {"value": value, "unit": unit}}, {}).names(text) == (("a",) if known else ())


def test_the_differing_number_stands_first_with_its_cause_beside_it(example_report, tmp_path):
    fresh = read_json(example_report / "results.json")
    again = read_json(example_report / "manifest.json")
    fresh["numbers"]["did.total_pmpm"]["value"] *= 1 + 1e-6
    again["inputs"][0]["content_sha256"] = "f" * 64
    found = compare(read_published(example_report), fresh, again)
    page = write_verification(found, tmp_path / "out").read_text()
    assert page.index('id="Every-number"') > page.index('id="What-is-not-as-published"')
    assert page.index("did.total_pmpm") < page.index('id="What-is-not-as-published"')
    assert "Likely cause: the input data" in page
    said = read_json(tmp_path / "out" / "verification.json")
    assert said["numbers"][0]["name"] == "did.total_pmpm" and not said["agrees"]
    assert said["differences"][0]["group"] == "data"
    text = certificate(found)
    assert "NOT verified" in text and "did.total_pmpm" in text and "Signature:" in text
    good = compare(read_published(example_report), read_json(example_report / "results.json"), again)
    assert "verified" in certificate(good) and "NOT" not in certificate(good)


def test_a_synthetic_study_is_simulated_again_under_its_name(example_report, copied, monkeypatch):
    seen = []
    monkeypatch.setattr(runs, "simulate", lambda folder, world: seen.append(("simulated", world, folder)))
    monkeypatch.setattr(runs, "verify", lambda report, data, progress: seen.append(("verified", data)))
    reports.verify(copied, None, synthetic=True)
    assert [s[:2] for s in seen] == [("simulated", "demo"), ("verified", seen[0][2])]
    manifest = read_json(copied / "manifest.json")
    for study, synthetic in (("mine", True), ("demo", False)):
        write_json(
            {**manifest, "study": {**manifest["study"], "id": study}, "synthetic": synthetic},
            copied / "manifest.json",
        )
        with pytest.raises(StudyFileError, match="is not a simulated world that medhome can write"):
            reports.verify(copied, None, synthetic=True)
    done = CliRunner().invoke(app, ["verify", str(copied), "--synthetic", "--manifest-only"])
    assert done.exit_code == 2


def test_a_verification_without_data_is_written_outside_the_report(copied, tmp_path):
    found = reports.verify(copied, None, out=tmp_path / "out", certificate=tmp_path / "out" / "sign.txt")
    page = (tmp_path / "out" / "verification.html").read_text()
    assert "Nothing was computed anew" in page and "default-src 'none'" in page
    assert found.run_id in (tmp_path / "out" / "sign.txt").read_text()
    with pytest.raises(StudyFileError, match="inside the report"):
        reports.verify(copied, None, out=copied / "verification")
