"""The demonstration's first page and results that the repository keeps agree with one another."""

from __future__ import annotations

from pathlib import Path

import pytest

from medhome.reporting.consistency import consistency
from medhome.reporting.json_files import read_json
from medhome.reporting.verify import read_published

KEPT = Path(__file__).resolve().parents[1] / "reports" / "released" / "demo"
FILES = ("disclosure.json", "index.html", "manifest.json", "results.json")


@pytest.fixture(scope="module")
def kept() -> Path:
    if not KEPT.is_dir():
        pytest.skip(f"{KEPT.name}: no report is kept; make released writes it")
    return KEPT


def test_the_kept_files_are_those_of_the_manifest_and_agree(kept):
    assert sorted(p.name for p in kept.iterdir()) == list(FILES)
    found = consistency(read_published(kept), kept)
    assert found.agrees, found.to_text()
    assert {"index.html", "results.json"}.isdisjoint(found.absent)
    assert found.unsupported == () and len(found.amounts) > 20


def test_the_kept_results_passed_every_audit_of_small_counts(kept):
    said = read_json(kept / "disclosure.json")
    assert said["threshold"] == 11 and all(not a["findings"] for a in said["audits"])
    assert said["run_id"] == read_json(kept / "results.json")["run_id"]
