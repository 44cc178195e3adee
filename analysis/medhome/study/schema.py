"""The study file as JSON Schema, for editors: which keys there are, what each may hold, and what it means.

The schema holds the shape of the file. Rules between keys (a start after the baseline, enough run-out) are
held by `medhome.study.spec.read_study`, which ``medhome check`` calls.
"""

from __future__ import annotations

import re
from typing import Any, get_args

from pydantic import BaseModel

from medhome.study.definitions import study_template
from medhome.study.spec import StudySpec

NAME = "study.schema.json"
MONTH = r"^\d{4}-(0[1-9]|1[0-2])$"
_MONTH_RULES = ("_month", "_paid_month")
_FROM_FILES = {
    "Claims": ("service_rules",),
    "Outcomes": ("deflator_index",),
    "Measures": ("list_rows",),
    "Surveys": ("instrument_rows",),
}
"""Keys that a study file may not hold: they are read from the files that it names."""
_SECTION = re.compile(r"^\[{1,2}(\w+)\]{1,2}\s*(?:#\s*(.*))?$")
_KEY = re.compile(r"^(?:# )?(\w+) = .*?\s#\s+(.*)$")
_MORE = re.compile(r"^\s{20,}#\s+(.*)$")


def study_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a study file, with the template's words as descriptions.

    >>> study_schema()["properties"]["paid_through"]["pattern"]
    '^\\\\d{4}-(0[1-9]|1[0-2])$'
    """
    schema = StudySpec.model_json_schema()
    words = _words_of_the_template()
    models, sections = {m.__name__: m for m in _models(StudySpec)}, _sections()
    _complete(schema, StudySpec, "", words)
    for name, part in schema["$defs"].items():
        for key in _FROM_FILES.get(name, ()):
            part["properties"].pop(key, None)
        if name in models:
            _complete(part, models[name], sections.get(name, name), words)
    used = _references(schema)
    schema["$defs"] = {name: part for name, part in schema["$defs"].items() if name in used}
    title = {"title": "A medhome study", "$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {**schema, **title}


def _complete(part: dict[str, Any], model: type[BaseModel], section: str, words: dict[str, str]) -> None:
    months = {
        field
        for name, rule in model.__pydantic_decorators__.field_validators.items()
        if name in _MONTH_RULES
        for field in rule.info.fields
    }
    for key, value in part["properties"].items():
        value.pop("title", None)
        if key in months:
            for one in value.get("anyOf", [value]):
                if one.get("type") == "string":
                    one["pattern"] = MONTH
        if description := words.get(f"{section}.{key}" if section else key):
            value["description"] = description


def _models(model: type[BaseModel]) -> list[type[BaseModel]]:
    """A model and those that its fields hold."""
    found = [model]
    for field in model.model_fields.values():
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                found += _models(kind)
    return found


def _sections() -> dict[str, str]:
    """The section of the file that each model describes: ``Periods`` → periods, ``Fee`` → fees."""
    return {
        kind.__name__: name
        for name, field in StudySpec.model_fields.items()
        for kind in (field.annotation, *get_args(field.annotation))
        if isinstance(kind, type) and issubclass(kind, BaseModel)
    }


def _references(part: Any) -> set[str]:
    if isinstance(part, dict):
        own = {part["$ref"].rpartition("/")[2]} if isinstance(part.get("$ref"), str) else set()
        return own.union(*(_references(v) for v in part.values()))
    return set().union(*(_references(v) for v in part)) if isinstance(part, list) else set()


def _words_of_the_template() -> dict[str, str]:
    """What the comments of the study template say of each key: ``periods.start`` → "first month of ..."."""
    found: dict[str, str] = {}
    section, last = "", ""
    for line in study_template().splitlines():
        if match := _SECTION.match(line):
            section, last = match[1], ""
        elif match := _KEY.match(line):
            last = f"{section}.{match[1]}" if section else match[1]
            found[last] = match[2]
        elif last and (match := _MORE.match(line)):
            found[last] += f" {match[1]}"
    return found
