"""results.json and manifest.json are as their published schemas say, and what is not is refused and named."""

from __future__ import annotations

import copy

import jsonschema
import pytest

from medhome.reporting.file_schemas import FILES, faults, file_schema
from medhome.reporting.json_files import read_json, write_json
from medhome.reporting.verify import read_published
from medhome.study.problems import DataProblem


@pytest.fixture
def document(example_report):
    return lambda name: copy.deepcopy(read_json(example_report / f"{name}.json"))


@pytest.mark.parametrize("name", FILES)
def test_what_is_written_is_as_described(document, name):
    schema = file_schema(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(document(name))
    assert faults(name, document(name)) == []


def headline(document):
    return document["numbers"]["did.total_pmpm"]


@pytest.mark.parametrize(
    ("name", "spoil", "where"),
    [
        ("results", lambda d: headline(d).update(value="-4.2"), "numbers.did.total_pmpm.value"),
        ("results", lambda d: headline(d).update(ci95=[1.0]), "numbers.did.total_pmpm.ci95"),
        ("results", lambda d: headline(d).update(kind="guess"), "numbers.did.total_pmpm.kind"),
        ("results", lambda d: headline(d).update(note="more"), "numbers.did.total_pmpm.note"),
        ("results", lambda d: headline(d).pop("unit"), "numbers.did.total_pmpm.unit"),
        ("results", lambda d: d.update(schema="medhome/results/2"), "schema"),
        ("manifest", lambda d: d.update(host="pc7"), "host"),
        ("manifest", lambda d: d.update(run_id="abc"), "run_id"),
        ("manifest", lambda d: d["inputs"][0].update(name="/home/me/claims.csv"), "inputs.0.name"),
        ("manifest", lambda d: d["outputs"][0].update({"class": "secret"}), "outputs.0.class"),
        ("manifest", lambda d: d["code"].pop("source_sha256"), "code.source_sha256"),
    ],
)
def test_what_is_not_as_described_is_refused_and_named(document, name, spoil, where):
    spoiled = document(name)
    spoil(spoiled)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(file_schema(name)).validate(spoiled)
    found = faults(name, spoiled)
    assert found and all(f.startswith(f"{name}.json, {where}") for f in found), found


@pytest.mark.parametrize(
    ("name", "spoil", "where"),
    [
        ("manifest", lambda d: d.update(outputs=3), "outputs"),
        ("manifest", lambda d: d["outputs"][0].pop("sha256"), "outputs.0.sha256"),
        ("manifest", lambda d: d.update(environment=[]), "environment"),
        ("manifest", lambda d: d.update(parameters=None), "parameters"),
        ("manifest", lambda d: d.pop("study"), "study"),
        ("results", lambda d: d.update(numbers=[]), "numbers"),
        ("results", lambda d: d["numbers"].update(x=3), "numbers.x"),
        ("results", lambda d: headline(d).update(value="-4.2"), "numbers.did.total_pmpm.value"),
        ("results", lambda d: headline(d).update(ci95=3), "numbers.did.total_pmpm.ci95"),
    ],
)
def test_a_torn_file_is_refused_by_its_part_and_not_with_a_traceback(document, tmp_path, name, spoil, where):
    for other in FILES:
        write_json(document(other), tmp_path / f"{other}.json")
    assert read_published(tmp_path).numbers
    torn = document(name)
    spoil(torn)
    write_json(torn, tmp_path / f"{name}.json")
    with pytest.raises(DataProblem, match=rf"{name}\.json: not as medhome writes it \({name}\.json, {where}"):
        read_published(tmp_path)


def test_a_key_of_a_later_version_can_still_be_read(document, tmp_path):
    later = document("manifest")
    later["code"]["builder"] = "x"
    write_json(later, tmp_path / "manifest.json")
    write_json(document("results"), tmp_path / "results.json")
    assert read_published(tmp_path).manifest["code"]["builder"] == "x"
    assert faults("manifest", later) == ["manifest.json, code.builder: Extra inputs are not permitted"]
