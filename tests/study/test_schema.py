"""The schema of the study file takes the files that are read, and refuses what the reader refuses."""

from __future__ import annotations

import copy
import re
import tomllib
from pathlib import Path

import jsonschema
import pytest

from medhome.study.definitions import study_template
from medhome.study.schema import study_schema
from medhome.study.spec import StudySpec

STUDIES = sorted((Path(__file__).resolve().parents[2] / "analysis" / "studies").glob("*.toml"))
SCHEMA = study_schema()


def check(document) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(document)


@pytest.mark.parametrize("text", [study_template(), *(p.read_text() for p in STUDIES)], ids=lambda t: t[:20])
def test_studies_that_are_read_are_valid(text):
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    check(tomllib.loads(text))


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("periods", "start", "2008-13"),
        ("periods", "strat", "2008-06"),
        ("outcomes", "services", "dental"),
        ("population", "age_min", "0"),
        ("claims", "service_rules", []),
        ("", "seed", -1),
        ("", "paid_through", "June 2010"),
    ],
)
def test_what_the_reader_refuses_the_schema_refuses(section, key, value):
    plain = tomllib.loads(study_template())
    wrong = copy.deepcopy(plain)
    (wrong[section] if section else wrong)[key] = value
    check(plain)
    with pytest.raises(jsonschema.ValidationError):
        check(wrong)


def model_of(section: str) -> str:
    """The definition that a section of the schema refers to."""
    part = SCHEMA["properties"][section]
    return re.search(r"#/\$defs/(\w+)", str(part))[1]


def test_every_key_of_the_template_is_described():
    """A key whose comment the template holds has that comment in the editor."""
    bare, section, lines = [], SCHEMA["properties"], study_template().splitlines()
    for line in lines:
        if match := re.match(r"\[(\w+)\]", line):
            section = SCHEMA["$defs"][model_of(match[1])]["properties"]
        elif line.startswith("[["):
            section = SCHEMA["$defs"][model_of(line.strip("[] ").split("]")[0])]["properties"]
        elif (match := re.match(r"(\w+) = .*\s#\s", line)) and "description" not in section[match[1]]:
            bare.append(match[1])
    assert not bare
    periods = SCHEMA["$defs"]["Periods"]["properties"]
    assert periods["start"]["description"] == "first month of the program"
    assert SCHEMA["$defs"]["Fee"]["properties"]["last"]["anyOf"][0]["pattern"].startswith("^")
    assert set(SCHEMA["properties"]) == set(StudySpec.model_fields)
