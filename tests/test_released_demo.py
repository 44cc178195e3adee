"""The demonstration's pages and results that the repository keeps agree, and no link is dead."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from medhome.reporting.consistency import consistency
from medhome.reporting.json_files import read_json
from medhome.reporting.verify import read_published

KEPT = Path(__file__).resolve().parents[1] / "reports" / "released" / "demo"
FILES = {"disclosure.json", "manifest.json", "results.json", "study.toml"}


@pytest.fixture(scope="module")
def kept() -> Path:
    assert KEPT.is_dir(), f"{KEPT.name}: no report is kept; make released writes it"
    return KEPT


def test_every_page_is_kept_and_no_link_leads_nowhere(kept):
    names = {p.name for p in kept.iterdir()}
    pages = {name for name in names if name.endswith(".html")}
    assert names - pages == FILES and "index.html" in pages and len(pages) > 5
    for page in sorted(pages):
        text = (kept / page).read_text(encoding="utf-8")
        links = {link.partition("#")[0] for link in re.findall(r'href="([^"#:]+(?:#[^"]*)?)"', text)}
        assert links <= names, f"{page}: {sorted(links - names)}"


def test_the_kept_files_are_those_of_the_manifest_and_agree(kept):
    found = consistency(read_published(kept), kept)
    assert found.agrees, found.to_text()
    assert {p.name for p in kept.iterdir()}.isdisjoint(found.absent)
    assert found.unsupported == () and len(found.amounts) > 20


def test_the_kept_results_passed_every_audit_of_small_counts(kept):
    said = read_json(kept / "disclosure.json")
    assert said["threshold"] == 11 and all(not a["findings"] for a in said["audits"])
    assert said["run_id"] == read_json(kept / "results.json")["run_id"]
