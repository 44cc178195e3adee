"""Definitions are data with a source: each file listed with its hash, contracts well formed, docs in step."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from medhome.study import definitions
from medhome.study.spec import StudySpec

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(
    p.relative_to(definitions.DEFINITIONS).as_posix()
    for p in definitions.DEFINITIONS.rglob("*")
    if p.is_file() and p.name != "sources.csv" and "__pycache__" not in p.parts
)
TYPES = {"id", "text", "code", "enum", "date", "money", "integer", "number", "flag"}
CODE_PATTERNS = {
    "icd-9-cm": r"(\d{2,5}|V\d{1,4}|E\d{2,4})",
    "icd-10-cm": r"[A-Z](\d[0-9A-Z]{0,5})?",
    "hcpcs": r"[0-9A-Z]\d{3}[0-9A-Z]",
    "drg": r"\d{3}",
    "revenue": r"\d{4}",
    "bill-type": r"\d{2}",
    "admit-source": r"\w",
    "drug-class": r"[a-z_]+",
}


def _table(name):
    frame = definitions.read_csv(name)
    assert len(frame), f"{name} has no rows"
    return frame


def test_every_file_has_a_source_row():
    sources = definitions.sources()
    assert list(sources.columns) == [
        "file", "title", "publisher", "version", "licence", "retrieved", "sha256"]  # fmt: skip
    assert sources["file"].is_unique
    assert sorted(sources["file"]) == FILES
    for column in sources.columns:
        assert not (sources[column] == "").any(), column
    assert sources["retrieved"].str.fullmatch(r"\d{4}-\d{2}-\d{2}").all()


@pytest.mark.parametrize("name", FILES)
def test_the_hash_in_sources_is_that_of_the_file(name):
    found = hashlib.sha256((definitions.DEFINITIONS / name).read_bytes()).hexdigest()
    sources = definitions.sources().set_index("file")["sha256"]
    assert sources[name] == found, f"{name} changed: review it and write its new hash into sources.csv"


@pytest.mark.parametrize("source", ["native", "synpuf", "cclf", "omop", "synthea"])
def test_contracts_are_well_formed(source):
    for table, contract in definitions.contracts(source).items():
        assert contract.grain and contract.description.endswith(".")
        assert contract.key_severity in ("error", "warning") if contract.key else contract.key_severity == ""
        names = [c.engine_name for c in contract.expanded()]
        assert len(names) == len(set(names)), table
        for column in contract.columns:
            assert column.table == table and column.type in TYPES, column.name
            assert column.description.endswith("."), column.name
            assert re.fullmatch(r"[a-z][a-z0-9_]*(\.\.\d+)?", column.name)
            assert bool(column.allowed) == (column.type == "enum"), column.name
            assert column.width is None or column.type == "code", column.name
            if column.type in ("money", "date"):
                assert column.unit, column.name
            if column.default.startswith("="):
                assert column.default[1:] in names
            elif column.default and column.allowed:
                assert column.default in column.allowed


def test_needs_name_study_keys():
    """``arms.rule=state`` must be a key of the study file with that choice."""
    schema = StudySpec.model_json_schema()
    needs = {c.required_by for t in definitions.contracts().values() for c in t.columns}
    needs |= {t.required_by for t in definitions.contracts().values()}
    for need in needs:
        if "=" in need:
            (section, key), value = need.split("=")[0].split("."), need.split("=")[1]
            section_schema = schema["$defs"][section.capitalize()]
            assert value in section_schema["properties"][key]["enum"], need


def test_columns_of_the_public_schema_keep_their_names(shared_data):
    """A column without x_ in the five shared tables is one of the Tuva input layer, under its name."""
    import pandas as pd

    schema = pd.read_csv(shared_data / "tuva_input_layer" / "input_layer_schema.csv")
    for table in ("eligibility", "medical_claim", "pharmacy_claim", "provider_attribution"):
        theirs = set(schema.loc[schema["table"] == table, "column"])
        ours = {c.name for c in definitions.contract(table).expanded() if not c.name.startswith("x_")}
        assert ours <= theirs, (table, ours - theirs)


@pytest.mark.parametrize("source", ["native", "synpuf", "cclf", "omop", "synthea"])
def test_every_format_has_a_page_on_what_it_cannot_tell(source):
    page = (ROOT / "docs" / "adapters" / f"{source}.md").read_text(encoding="utf-8")
    assert re.search(r"^## What .*(cannot tell|is not there)$", page, flags=re.MULTILINE)
    assert f'`data.source = "{source}"`' in page
    tables = [] if source == "native" else list(definitions.contracts(source))
    assert not [table for table in tables if f"`{table}`" not in page]


@pytest.mark.parametrize("name", [n for n in FILES if n.startswith("codelists/")])
def test_code_prefixes_are_written_as_their_system_writes_them(name):
    frame = _table(name)
    assert not frame.duplicated().any()
    if "system" not in frame:
        return
    assert set(frame["system"]) <= set(CODE_PATTERNS)
    wrong = [
        (system, code)
        for system, code in zip(frame["system"], frame.get("code_prefix", frame.get("code")), strict=True)
        if not re.fullmatch(CODE_PATTERNS[system], code)
    ]
    assert not wrong, name


def test_the_data_dictionary_is_made_from_the_contracts():
    written = (ROOT / "docs" / "data-dictionary.md").read_text(encoding="utf-8")
    assert written == definitions.data_dictionary(), (
        "docs/data-dictionary.md is out of step: write medhome.study.definitions.data_dictionary() into it"
    )


def test_every_table_and_column_is_in_the_dictionary():
    text = definitions.data_dictionary()
    for table, contract in definitions.contracts().items():
        part = text.split(f"## {table}\n")[1].split("\n## ")[0]
        for column in contract.columns:
            assert f"| `{column.name}`" in part
