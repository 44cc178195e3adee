"""A small world as a folder: its tables as CSV, one study file for each choice, and what must come out."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from medhome.simulate.edge_cases.reading import Choice, EdgeCase, Tables, base_study


def write_tables(folder: Path, tables: Tables) -> Path:
    """Each table as ``<table>.csv``, with the columns of all its rows; None as an empty cell."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        columns = list(dict.fromkeys(column for row in rows for column in row))
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    return folder


def write_edge_case(case: EdgeCase, folder: Path) -> dict[str, Any]:
    """Write a world's tables, its study files and ``truth.json``; returns the truth.

    The first choice is ``study.toml``, the next ``study-2.toml`` and so on. Tables lie in the folder itself;
    those of a delivery from which claims are still missing in a folder of their own, named in the truth.
    """
    write_tables(folder, case.tables)
    for name, text in case.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    choices = []
    for number, choice in enumerate(case.choices, start=1):
        study, data = "study.toml" if number == 1 else f"study-{number}.toml", "."
        (folder / study).write_text(study_text(case, choice), encoding="utf-8")
        if choice.without:
            data = f"delivery-{number}"
            write_tables(folder / data, case.delivered(choice))
        choices.append({"name": choice.name, "study": study, "data": data, "expected": choice.expected})
    truth = {
        "world": case.id,
        "case": case.case,
        "title": case.title,
        "arithmetic": case.arithmetic,
        "choices": choices,
    }
    text = json.dumps(truth, indent=2, ensure_ascii=False) + "\n"
    (folder / "truth.json").write_text(text, encoding="utf-8")
    return truth


def study_text(case: EdgeCase, choice: Choice) -> str:
    """The study file of a choice: the base study with the world's keys and the choice's over it."""
    study = base_study() | {"id": case.id, "title": f"{case.title} ({choice.name})"}
    for section, value in choice.study.items():
        study[section] = study.get(section, {}) | value if isinstance(value, dict) else value
    plain = {key: value for key, value in study.items() if not isinstance(value, dict)}
    lines = [f"# {case.arithmetic}", *_assignments(plain)]
    for section, value in study.items():
        if isinstance(value, dict):
            lines += ["", f"[{section}]", *_assignments(value)]
    return "\n".join(lines) + "\n"


def _assignments(values: dict[str, Any]) -> list[str]:
    return [f"{key} = {_toml(value)}" for key, value in values.items()]


def _toml(value: Any) -> str:
    """A value as TOML writes it on one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    return json.dumps(value, ensure_ascii=False)
