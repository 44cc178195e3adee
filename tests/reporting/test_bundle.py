"""The parts of a replication package: README, metadata and archive, the same bytes whenever they are made."""

from __future__ import annotations

import copy
import os
import shutil

import pytest

from medhome.reporting import bundle
from medhome.reporting.bundle_words import ASKED, readme
from medhome.reporting.json_files import read_json


@pytest.fixture
def manifest(example_report):
    return copy.deepcopy(read_json(example_report / "manifest.json"))


@pytest.fixture
def package(example_report, tmp_path, manifest):
    """A package without its code."""
    shutil.copytree(example_report, tmp_path / "package" / "report")
    (tmp_path / "package" / "requirements.lock").write_text("numpy==2.0\n")
    world = bundle.World(world="small", seed=1, report="report")
    bundle.complete(tmp_path / "package", manifest, world, "MIT\n")
    return tmp_path / "package"


def test_an_archive_has_the_same_bytes_whenever_it_is_made(package, tmp_path):
    first = bundle.write_zip(package, tmp_path / "a" / "p.zip").read_bytes()
    shutil.copytree(package, tmp_path / "later")
    for path in (tmp_path / "later").rglob("*"):
        os.utime(path, (2e9, 2e9))
        path.chmod(0o777 if path.is_dir() else 0o600)
    assert bundle.write_zip(tmp_path / "later", tmp_path / "b" / "p.zip").read_bytes() == first


def test_the_metadata_name_every_file_with_a_fixed_date_and_no_clock(package, manifest):
    crate = read_json(package / bundle.CRATE)
    items = {item["@id"]: item for item in crate["@graph"]}
    assert len(items) == len(crate["@graph"])
    here = {n for n in bundle.names(package) if n not in (bundle.CRATE, bundle.SUMS)}
    assert {part["@id"] for part in items["./"]["hasPart"]} == here | {"code/"}
    assert here <= set(items) and all(items[name]["@type"] == "File" for name in here)
    assert items[bundle.CRATE]["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    root = items["./"]
    assert root["datePublished"] == manifest["period"]["paid_through"] == "2010-06-30"
    assert root["identifier"] == manifest["run_id"] and root["license"] == {"@id": "LICENSE"}
    used = [items[at["@id"]] for at in items["#run"]["object"]]
    assert {item["identifier"] for item in used if "identifier" in item} == {
        i["sha256"] for i in manifest["inputs"]
    }
    assert bundle.crate(package, manifest) == crate


HEADINGS = (
    "Overview", "Data Availability and Provenance Statements", "Dataset list", "Computational requirements",
    "Description of programs/code", "Instructions to Replicators", "List of tables and programs",
    "References",
)  # fmt: skip


def test_the_readme_has_the_headings_that_data_editors_ask_for_and_fills_in_what_is_known(manifest):
    manifest["exhibits"] = [
        {
            "id": "tbl-flow",
            "title": "Who | left",
            "step": "02-data",
            "cell": "c004",
            "function": "medhome.flow",
        }
    ]
    text = readme(manifest, "small", None, False)
    places = [text.index(f"\n## {heading}\n") for heading in HEADINGS]
    assert places == sorted(places)
    for item in manifest["inputs"]:
        assert f"| `{item['name']}` | {item['role']} | {item['rows']:,} |" in text
    assert "| tbl-flow | Who \\| left | `02-data` | c004 | `medhome.flow` |" in text
    assert f"seed is {manifest['seeds']['root']}" in text and "numpy " in text
    assert ASKED in text and "python reproduce.py" in text


def test_the_readme_says_what_the_command_can_do_without_restricted_data(manifest):
    for item in manifest["inputs"]:
        item["sensitivity"] = "restricted"
    manifest["synthetic"] = False
    text = readme(manifest, "small", None, True)
    assert "The study's data are not in this package" in text and "`simulated/`" in text
    assert "made by the command" not in text and "- [ ] Every table is restricted." in text
