"""The floors of the house hold, and the check that says so can fail."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "analysis" / "medhome"
CHECK = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"


def _lint(root: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts of ``root/pyproject.toml`` on the package below ``root/analysis``."""
    environment = {**os.environ, "PYTHONPATH": str(root / "analysis"), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([sys.executable, "-c", CHECK], cwd=root, text=True, capture_output=True,
                          timeout=120, env=environment)


def test_imports_go_downwards():
    done = _lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


@pytest.mark.parametrize(("module", "line"), [
    ("models/spoilt.py", "import medhome.tables.engine"),
    ("tables/spoilt.py", "from medhome.models import did"),
    ("reporting/spoilt.py", "def draw():\n    import medhome.evaluate"),
    ("study/spoilt.py", "import medhome.runs"),
    ("evaluate.py", "import ibis"),
    ("tables/spoilt.py", "from statsmodels import api"),
    ("reporting/spoilt.py", "import scipy.optimize"),
    ("models/spoilt.py", "import matplotlib.pyplot"),
    ("spoilt.py", "import math"),
])
def test_a_wrong_import_is_found(tmp_path, module, line):
    shutil.copytree(PACKAGE, tmp_path / "analysis" / "medhome", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "analysis" / "medhome" / module).open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    done = _lint(tmp_path)
    assert done.returncode != 0, f"{line!r} in {module} went unseen\n{done.stdout}"
    assert Path(module).stem in done.stdout + done.stderr


def test_nothing_inside_imports_the_public_names():
    """Inside, a module is imported from its room; ``medhome`` itself is for notebooks and users."""
    rooms = {p.stem for p in PACKAGE.iterdir() if p.suffix == ".py" or p.is_dir()}
    for path in sorted(PACKAGE.rglob("*.py")):
        if path == PACKAGE / "__init__.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert "medhome" not in [a.name for a in node.names], f"{path}:{node.lineno}"
            if isinstance(node, ast.ImportFrom) and node.module == "medhome":
                assert {a.name for a in node.names} <= rooms, f"{path}:{node.lineno}"
