"""The built package is whole: installed in a new environment, away from the checkout, it runs a study."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

import medhome

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """A wheel that was built from the source archive, so that the archive is known to be whole too."""
    folder = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


def _run(*command, cwd: Path, **environment: str) -> str:
    done = subprocess.run([str(word) for word in command], cwd=cwd, text=True, capture_output=True,
                          timeout=600, env={**os.environ, **environment})
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_wheel_holds_program_and_data(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    package = ROOT / "analysis" / "medhome"
    for path in package.rglob("*"):
        parts = path.relative_to(package).parts
        if path.is_file() and "__pycache__" not in parts and not any(part.startswith(".") for part in parts):
            assert f"medhome/{path.relative_to(package).as_posix()}" in names
    for folder, travels_as in (("notebooks", "medhome/notebooks"), ("analysis/studies", "medhome/studies")):
        there = [p for p in (ROOT / folder).iterdir() if p.suffix in {".ipynb", ".toml"}]
        assert there
        for path in there:
            assert f"{travels_as}/{path.name}" in names
    own = {name.partition("/")[0] for name in names}
    assert own == {"medhome", f"medhome-{medhome.__version__}.dist-info"}, "nothing else becomes importable"


def test_an_installed_wheel_runs_the_small_demonstration(wheel, tmp_path):
    """Dependencies come from the environment that runs this test, by a path file: nothing is downloaded."""
    _run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "env", cwd=tmp_path)
    binaries = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin")
    python = binaries / "python"
    asked = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(_run(python, "-c", asked, cwd=tmp_path).strip())
    _run(sys.executable, "-m", "pip", f"--python={python}", "install", "--no-deps", "--no-index", wheel,
         cwd=tmp_path)
    # A path file inside the folder that is added here is not read, so an editable medhome in it stays unseen.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    # pip puts Jupyter's data beside the packages; those of the dependencies stayed where these are.
    outside = {"PYTHONPATH": "", "JUPYTER_PATH": str(Path(sys.prefix, "share", "jupyter")),
               "PATH": os.pathsep.join([str(binaries), os.environ["PATH"]])}
    where = _run(python, "-c", "import medhome; print(medhome.__file__)", cwd=tmp_path, **outside)
    assert Path(where.strip()).is_relative_to(packages)

    medhome_command = binaries / "medhome"
    _run(medhome_command, "simulate", "world", "--world", "small", "--seed", "1", cwd=tmp_path, **outside)
    said = _run(medhome_command, "run", "world/study.toml", "--data", "world", "--out", "reports",
                cwd=tmp_path, **outside)
    page = tmp_path / said.strip().splitlines()[-1]
    assert page.name == "index.html" and page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert json.loads((page.parent / "results.json").read_text(encoding="utf-8"))["numbers"]
