"""The house rules that a machine can hold."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from pathlib import Path

import pytest

from sources_of_chance import ALLOWED, signs

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "analysis" / "medhome"
MODULES = sorted(p for p in PACKAGE.rglob("*.py"))
TEXT = {".py", ".md", ".toml", ".yml", ".yaml", ".cff", ".txt", ".csv", ".json", ".ipynb", ".j2", ".css",
        ".html", ".lock", ""}


def _tracked() -> list[Path]:
    """The files of the project: what git tracks, or, in an unpacked source archive, its own folders."""
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True)
    if listed.returncode == 0 and listed.stdout:
        return [p for p in (ROOT / name for name in listed.stdout.split("\0") if name) if p.is_file()]
    folders = ("analysis", "docs", "notebooks", "tests")
    return [p for p in ROOT.rglob("*")
            if p.is_file() and (p.parent == ROOT or p.relative_to(ROOT).parts[0] in folders)
            and "__pycache__" not in p.parts]


TRACKED = _tracked()


def test_the_project_is_seen():
    assert len(MODULES) > 20 and len(TRACKED) > 40


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_module(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"util|helper|common|misc", path.stem), "a module is named after what it is about"
    assert len(text.splitlines()) <= 400, "a module past some 300 lines is usually two ideas"
    if text.strip():
        assert ast.get_docstring(ast.parse(text)), "a module begins with the question that it answers"


def test_public_functions_of_any_length_say_what_they_answer():
    silent = []
    for path in MODULES:
        if path.match("validation/*_cases.py"):
            continue  # a case is named after its entry in definitions/validation/entries.csv
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            public = isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
            if public and len(ast.unparse(node).splitlines()) > 8 and not ast.get_docstring(node):
                silent.append(f"{path.relative_to(PACKAGE)}:{node.lineno} {node.name}")
    assert not silent


def test_no_unseeded_randomness_and_no_clock_in_the_statistics():
    wrong = re.compile(r"np\.random\.(?!default_rng\([^)]|Generator|SeedSequence)|default_rng\(\)|"
                       r"\brandom\.(random|seed|choice)\(|datetime\.(now|today|utcnow)|date\.today|time\.time\(")
    found = [f"{p.relative_to(PACKAGE)}: {match.group()}" for p in MODULES
             for match in wrong.finditer(p.read_text(encoding="utf-8"))]
    assert not [f for f in found if not f.startswith(("reporting/", "runs.py"))], found
    assert not [f for f in found if "random" in f], found


def test_nothing_in_the_sources_differs_from_run_to_run():
    """No clock, no chance, no order of sets and folders (tests/sources_of_chance.py)."""
    allowed, refused = set(), []
    for path in MODULES:
        module = path.relative_to(PACKAGE).as_posix()
        for line, name, why in signs(path.read_text(encoding="utf-8")):
            if (module, name) in ALLOWED:
                allowed.add((module, name))
            else:
                refused.append(f"{module}:{line}: {name} {why}")
    assert refused == [], "sort it, seed it, or say in ALLOWED why it leaves no trace"
    assert allowed == set(ALLOWED), "what is allowed is no longer there"


def test_no_swallowed_errors():
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler):
                where = f"{path.relative_to(PACKAGE)}:{node.lineno}"
                assert node.type is not None, f"{where} catches everything"
                broad = isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"}
                raises = any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
                assert raises or not broad, f"{where} catches {ast.unparse(node.type)} and goes on"


def test_no_machine_and_no_unfinished_business_in_the_files():
    """No absolute path of somebody's machine, no package index, nothing left for later."""
    unfinished = (r"\b(TO" r"DO|FIX" r"ME|X{3})\b|file" r"s\.pythonhosted|pypi\.org/sim" r"ple|"
                  r"BEGIN [A-Z ]*PRIVATE KEY|\bgh[pous]_\w{20,}")
    machine = r"(?<![\w.<>/-])/(root|work|farm|mnt|opt|srv)/\w"
    home = r"(?<![\w.<>/-])/(home|Users)/\w"  # tests of the scan for such paths in reports invent some
    found = []
    for path in TRACKED:
        if path.suffix in TEXT:
            inside_tests = path.is_relative_to(ROOT / "tests")
            forbidden = re.compile("|".join([unfinished, machine, *([] if inside_tests else [home])]))
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
                if match := forbidden.search(line):
                    found.append(f"{path.relative_to(ROOT)}:{number}: {match.group()}")
    assert not found


def test_data_and_reports_stay_out_of_the_tree():
    released = ROOT / "reports" / "released"  # all numbers of the demonstration, in one file
    most = {p: 4_000_000 if p.is_relative_to(released) else 1_000_000 for p in TRACKED}
    assert not [p.relative_to(ROOT).as_posix() for p, limit in most.items() if p.stat().st_size > limit]
    kept = [p.relative_to(ROOT).as_posix() for p in TRACKED if p.is_relative_to(ROOT / "reports")]
    assert all(name == "reports/.gitkeep" or name.startswith("reports/released/") for name in kept), kept


def test_notebooks_are_stripped():
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    assert notebooks
    for path in notebooks:
        for number, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
            stripped = not cell.get("outputs") and cell.get("execution_count") is None
            assert stripped, f"{path.name}, cell {number}"


def test_every_fact_file_has_a_source():
    """A table of facts without a row in sources.csv is a figure without a source."""
    definitions = PACKAGE / "definitions"
    sources = (definitions / "sources.csv").read_text(encoding="utf-8")
    for path in sorted(definitions.rglob("*.csv")):
        name = path.relative_to(definitions).as_posix()
        assert name == "sources.csv" or name in sources, f"definitions/{name} has no row in sources.csv"


def test_every_method_that_the_code_names_is_in_the_register():
    """A docstring that sends the reader to ``docs/methods.md`` names an entry that is there."""
    docs = ROOT / "docs"
    named = re.compile(r"docs/(methods(?:/[\w-]+)?\.md)`*,\s+([^.,;:)`]+)")
    missing, seen = [], set()
    for path in MODULES:
        for match in named.finditer(path.read_text(encoding="utf-8")):
            register, entry = docs / match.group(1), " ".join(match.group(2).split()).lower()
            lines = register.read_text(encoding="utf-8").lower().splitlines() if register.is_file() else []
            seen.add(match.group(1))
            if not any(entry in line for line in lines if line.startswith(("#", "**as coded"))):
                missing.append(f"{path.relative_to(PACKAGE)}: {match.group(1)}, {entry}")
    assert len(seen) > 1 and not missing


def test_the_register_links_to_its_pages_and_names_modules_that_are_there():
    """Every page of docs/methods stands in the register, and every module in its first table exists."""
    docs = ROOT / "docs"
    register = (docs / "methods.md").read_text(encoding="utf-8")
    pages = sorted((docs / "methods").glob("*.md"))
    assert len(pages) > 3
    assert not [p.name for p in pages if f"](methods/{p.name})" not in register]
    linked = re.findall(r"\]\((methods/[\w-]+\.md)\)", register)
    assert not [name for name in linked if not (docs / name).is_file()]
    missing, module = [], re.compile(r"`((?:tables|models|study|reporting)/[\w/]+\.py)`")
    for page in (docs / "methods.md", *pages):
        for name in module.findall(page.read_text(encoding="utf-8")):
            if not (PACKAGE / name).is_file():
                missing.append(f"{page.name}: {name}")
    assert not missing
