"""Reproduce this package with one command:  python reproduce.py

It checks every file against SHA256SUMS, makes an environment from requirements.lock in .venv (with --here
it uses the Python that runs it instead), holds the report against its own manifest, simulates the data, runs
the study again and gives every number a verdict. With --data FOLDER, where you may use the study's own data,
it runs the report's study on them as well.

Ends with 0 when everything agrees, 3 when numbers or files differ, else with the code of what failed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
DIFFERS = 3


def altered() -> list[str]:
    """Files that are not as SHA256SUMS says."""
    found = []
    for line in (HERE / "SHA256SUMS").read_text(encoding="utf-8").splitlines():
        digest, name = line.split("  ", 1)
        path = HERE / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            found.append(name)
    return found


def environment() -> str:
    """The Python of an environment that holds exactly what requirements.lock says."""
    folder = HERE / ".venv"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (folder / ".complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        lock = ["--require-hashes", "-r", str(HERE / "requirements.lock")]
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *lock], check=True)
        (folder / ".complete").touch()
    return str(python)


def medhome(python: str, *words: str) -> int:
    """Run one command with the code of this package."""
    print("$ medhome", *words, flush=True)
    variables = {**os.environ, "PYTHONPATH": str(HERE / "code"), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([python, "-m", "medhome", *words], env=variables, cwd=HERE).returncode


def main() -> int:
    """Every step in turn; the first that fails says how this ends."""
    read = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    read.add_argument("--here", action="store_true", help="use this Python; its packages are not checked")
    read.add_argument("--data", type=Path, help="folder of the study's own input tables")
    asked = read.parse_args()
    changed = altered()
    if changed:
        print("not the files of this package:", *changed, sep="\n  ", file=sys.stderr)
        return DIFFERS
    world = json.loads((HERE / "reproduce.json").read_text(encoding="utf-8"))
    python = sys.executable if asked.here else environment()
    with tempfile.TemporaryDirectory(prefix="reproduce") as folder:
        seed = [] if world["seed"] is None else ["--seed", str(world["seed"])]
        steps = [
            ["verify", "report", "--manifest-only"],
            ["simulate", folder, "--world", world["world"], *seed],
            ["verify", world["report"], "--data", folder],
        ]
        if asked.data is not None:
            steps.append(["verify", "report", "--data", str(asked.data.resolve())])
        for words in steps:
            code = medhome(python, *words)
            if code:
                print(f"medhome {words[0]} ended with {code}", file=sys.stderr)
                return code
    print("reproduced: every number agrees")
    return 0


if __name__ == "__main__":
    sys.exit(main())
