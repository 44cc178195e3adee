"""One environment, said in four files that agree: pyproject, lock, constraints and the conda environment."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

import ibis
import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import medhome

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
SUPPORTED = ("3.11.7", "3.12.1", "3.13.0")
FILES = ("pyproject.toml", "requirements.lock", "constraints.txt", "environment.yml")


def _locked() -> list[tuple[Requirement, int]]:
    """Each pin of the lock with the number of its hashes."""
    entries = re.split(r"\n(?=\S)", LOCK.replace("\\\n", " ").strip())
    return [(Requirement(entry.split(" --hash=")[0].strip()),
             len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", entry))) for entry in entries]


def _pins(python: str, platform: str = "linux") -> dict[str, list[str]]:
    """Name to pinned versions, on one Python and platform."""
    here = _environment(python, platform)
    found: dict[str, list[str]] = {}
    for requirement, _ in _locked():
        if requirement.marker is None or requirement.marker.evaluate(here):
            found.setdefault(canonicalize_name(requirement.name), []).append(
                str(requirement.specifier).removeprefix("=="))
    return found


def _environment(python: str, platform: str) -> dict[str, str]:
    system = {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}[platform]
    return {**default_environment(), "python_full_version": python, "extra": "",
            "python_version": python.rpartition(".")[0], "sys_platform": platform, "platform_system": system,
            "os_name": "nt" if platform == "win32" else "posix"}


NOT_LOCKED = ("spark",)
"""Extras outside the lock: Spark takes half a gigabyte and needs Java (docs/engines.md)."""


def _asked() -> list[Requirement]:
    project = PROJECT["project"]
    wanted = [*PROJECT["build-system"]["requires"], *project["dependencies"],
              *(r for name, extra in project["optional-dependencies"].items() if name not in NOT_LOCKED
                for r in extra)]
    return [Requirement(r) for r in wanted]


@pytest.mark.parametrize("python", SUPPORTED)
@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_lock_holds_what_the_project_asks_for(python, platform):
    pins, here = _pins(python, platform), _environment(python, platform)
    for requirement in _asked():
        if requirement.marker is not None and not requirement.marker.evaluate(here):
            continue  # asked for on other Pythons only
        versions = pins.get(canonicalize_name(requirement.name), [])
        assert len(versions) == 1, f"{requirement} on Python {python}: the lock has {versions or 'nothing'}"
        assert requirement.specifier.contains(versions[0]), f"{requirement}: the lock has {versions[0]}"
    twice = {name: versions for name, versions in pins.items() if len(versions) != 1}
    assert not twice, f"two versions of one package on Python {python}, {platform}"


@pytest.mark.parametrize("python", SUPPORTED)
def test_lock_is_closed(python):
    """What a locked package needs is locked as well, on each supported Python."""
    pins, here, seen = _pins(python), _environment(python, "linux"), 0
    for name in pins:
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # locked for another Python than the one that runs this test
        seen += 1
        for need in map(Requirement, needs):
            if need.marker is None or need.marker.evaluate(here):
                assert canonicalize_name(need.name) in pins, f"{name} needs {need} on Python {python}"
    assert seen > 100


def test_same_numbers_on_every_python():
    """The packages that numbers depend on have one version in the lock, whatever the Python."""
    for name in ("numpy", "scipy", "pandas", "statsmodels", "linearmodels", "duckdb", "ibis-framework",
                 "pyarrow", "matplotlib", "nbconvert", "papermill"):
        assert len({tuple(_pins(python)[name]) for python in SUPPORTED}) == 1, name


def test_every_pin_is_exact_and_hashed():
    for requirement, hashes in _locked():
        assert re.fullmatch(r"==[^*,<>]+", str(requirement.specifier)), requirement
        assert hashes >= 1, f"{requirement} has no hash"


def test_constraints_are_the_lock_without_hashes():
    expected = [" ".join(entry.replace("\\", " ").split(" --hash=")[0].split())
                for entry in re.split(r"\n(?=\S)", LOCK.replace("\\\n", " ").strip())]
    assert (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() == expected


def test_conda_environment_installs_this_project_under_the_constraints():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert environment["name"] == PROJECT["project"]["name"]
    conda = [d for d in environment["dependencies"] if isinstance(d, str)]
    (python,) = [d for d in conda if d.startswith("python=")]
    assert any(version.startswith(python.removeprefix("python=") + ".") for version in SUPPORTED)
    assert "pip" in conda, "conda warns about a pip section without pip"
    (pip,) = [d["pip"] for d in environment["dependencies"] if isinstance(d, dict)]
    assert pip == ["-c constraints.txt", "-e .[test]"]


@pytest.mark.parametrize("name", FILES)
def test_no_addresses_and_no_paths(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    text = re.sub(r"(?m)^(Homepage|Repository|Changelog|Documentation) = .*$", "", text)
    for pattern in (r"https?:", r"file:", r"--(extra-)?index-url", r"--find-links", r"--trusted-host",
                    r"(?m)^\s*-[if]\s", r"(?<![\w.)/\"])/[a-z]+/", r"[A-Z]:\\",
                    r"\b[\w-]+\.(org|net|io|com)\b"):
        found = re.search(pattern, text)
        assert found is None, f"{name} holds {found.group()!r}"


def test_create_table_works_with_the_pinned_sqlglot():
    """ibis 12.0 fails on create_table with sqlglot 30; the range in pyproject.toml keeps it out."""
    (sqlglot,) = [r for r in _asked() if r.name == "sqlglot"]
    assert not sqlglot.specifier.contains("30.0.0")
    assert sqlglot.specifier.contains(importlib.metadata.version("sqlglot"))
    engine = ibis.duckdb.connect()
    engine.create_table("spans", ibis.memtable({"member": ["a", "b"], "months": [3, 4]}))
    again = engine.create_table("longer", engine.table("spans").filter(ibis._.months > 3), temp=True)
    assert again.to_pandas().to_dict("records") == [{"member": "b", "months": 4}]


def test_what_the_package_imports_is_declared():
    declared = {canonicalize_name(Requirement(r).name) for r in PROJECT["project"]["dependencies"]}
    homes = importlib.metadata.packages_distributions()
    imported = set()
    for path in (ROOT / "analysis" / "medhome").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.partition(".")[0])
    others = imported - set(sys.stdlib_module_names) - {"medhome"}
    assert "ibis" in others
    extras = PROJECT["project"]["optional-dependencies"]
    optional = {Requirement(r).name for name in NOT_LOCKED for r in extras[name]}
    for module in sorted(others - optional):
        assert declared & {canonicalize_name(d) for d in homes.get(module, [])}, f"{module} is not declared"


def test_one_source_of_the_version():
    assert importlib.metadata.version("medhome") == medhome.__version__
    assert "version" in PROJECT["project"]["dynamic"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == medhome.__version__
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"(?m)^## \[{re.escape(medhome.__version__)}\]", changelog)


def test_python_versions_are_said_alike():
    project = PROJECT["project"]
    assert project["requires-python"] == ">=3.11"
    said = {c.rpartition(" ")[2] for c in project["classifiers"] if re.search(r":: 3\.\d+$", c)}
    assert said == {version.rpartition(".")[0] for version in SUPPORTED}
