"""What every report notebook holds to: parameters, one call a cell, display; no logic, no result as text."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import nbformat
import pytest

import medhome
from medhome.reporting.pages import REPORT_PAGES

FOLDER = Path(__file__).parents[2] / "notebooks"
PAGE_TITLES = {title for _, title in REPORT_PAGES.values()}
ALLOWED_DIGITS: tuple[str, ...] = ()
"""Text of markdown cells that may hold a digit; a result belongs into a generated sentence instead."""


def notebooks() -> list[Path]:
    """The notebooks of a report; validation.ipynb is on its own (tests/test_validation.py)."""
    return sorted(FOLDER.glob("[0-9]*.ipynb"))


@pytest.fixture(params=notebooks(), ids=lambda p: p.stem)
def path(request) -> Path:
    return request.param


@pytest.fixture
def notebook(path):
    return nbformat.read(path, as_version=4)


def code_cells(notebook) -> list:
    return [c for c in notebook.cells if c.cell_type == "code"]


def test_every_page_has_its_notebook_and_every_notebook_its_page():
    assert [p.stem for p in notebooks()] == list(REPORT_PAGES)
    files = [file for file, _ in REPORT_PAGES.values()]
    assert files[0] == "index.html" and len(set(files)) == len(files)


def test_the_title_is_the_page_s_and_the_only_first_heading(path, notebook):
    assert notebook.metadata["title"] == REPORT_PAGES[path.stem][1]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            assert not re.search(r"^#\s|<h1", cell.source, re.MULTILINE), cell.source


def test_headings_go_down_one_step_at_a_time(notebook):
    level = 1
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for marks in re.findall(r"^(#+)\s", cell.source, re.MULTILINE):
                assert len(marks) <= level + 1
                level = len(marks)


def test_one_parameters_cell_of_literals(notebook):
    tagged = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    assert len(tagged) == 1 and tagged[0] is notebook.cells[0]
    names = []
    for statement in ast.parse(tagged[0].source).body:
        assert isinstance(statement, ast.Assign), ast.unparse(statement)
        ast.literal_eval(statement.value)
        names += [t.id for t in statement.targets if isinstance(t, ast.Name)]
    assert names == ["run"]


def test_cells_only_call_what_medhome_makes_public(notebook):
    public = set(medhome.__all__)
    for cell in code_cells(notebook):
        assert len(cell.source.strip().splitlines()) <= 5, cell.source
        assert not re.search(r"^\s*[%!]", cell.source, re.MULTILINE), (
            "no magic, least of all one that hides output"
        )
        tree = ast.parse(cell.source)
        for node in ast.walk(tree):
            banned = (
                ast.FunctionDef,
                ast.ClassDef,
                ast.For,
                ast.While,
                ast.If,
                ast.IfExp,
                ast.Try,
                ast.With,
                ast.Lambda,
                ast.ListComp,
                ast.DictComp,
                ast.SetComp,
                ast.GeneratorExp,
                ast.ImportFrom,
                ast.AsyncFunctionDef,
            )
            assert not isinstance(node, banned), f"logic belongs into the package: {ast.unparse(node)}"
            if isinstance(node, ast.Import):
                assert [a.name for a in node.names] == ["medhome"]
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id == "medhome"
            ):
                assert node.attr in public, f"medhome.{node.attr} is not public"


def test_one_call_a_cell(notebook):
    for cell in code_cells(notebook)[2:]:
        assert re.fullmatch(r"medhome\.show\(medhome\.\w+\(report\)\)", cell.source.strip()), cell.source


def test_the_question_and_its_caveats_come_first(notebook):
    assert code_cells(notebook)[1].source == "import medhome\n\nreport = medhome.open_run(run)"
    assert code_cells(notebook)[2].source == "medhome.show(medhome.the_question(report))"


def test_what_can_be_detected_is_read_before_any_estimate():
    estimates = {
        "key_numbers",
        "findings_in_words",
        "effect_in_words",
        "effect_beside_what_is_detectable",
        "effect_by_quarter",
        "other_methods_of_inference",
    }
    seen = 0
    for path in notebooks():
        calls = re.findall(
            r"show\(medhome\.(\w+)\(",
            "\n".join(c.source for c in code_cells(nbformat.read(path, as_version=4))),
        )
        if path.stem.startswith(("01", "04")):
            assert calls.index("detectable_effect") < min(calls.index(c) for c in calls if c in estimates)
            seen += 1
    assert seen == 2


def test_no_result_in_fixed_text(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source not in ALLOWED_DIGITS:
            assert not re.search(r"\d", cell.source), f"a number in a markdown cell goes stale: {cell.source}"
            assert "parallel" not in cell.source.lower()


def test_outputs_are_stripped_and_ids_fixed(notebook):
    ids = [c["id"] for c in notebook.cells]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", i) for i in ids), "ids are words, given once and kept"
    for cell in code_cells(notebook):
        assert cell.outputs == [] and cell.execution_count is None
    assert set(notebook.metadata) <= {"kernelspec", "language_info", "title"}
    assert set(notebook.metadata["language_info"]) == {"name"}, "no version of whoever saved it last"


def test_files_are_written_as_jupyter_writes_them(path):
    """One space of indentation, a final newline: saving in JupyterLab changes nothing but what was edited."""
    text = path.read_text(encoding="utf-8")
    assert text == nbformat.writes(nbformat.read(path, as_version=4)) + "\n"
