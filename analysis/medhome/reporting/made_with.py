"""What runs here: the code and the environment, described without place or time, as a manifest holds them."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from medhome.study.provenance import FIXED_ENVIRONMENT, file_digest, package_versions, source_digest
from medhome.version import __version__


def code_here(package: Path) -> dict[str, Any]:
    """The code that runs: version, digest of its sources, and the commit where git knows it."""
    return {
        "package": "medhome",
        "version": __version__,
        "source_sha256": source_digest(package),
        **_checkout(package, package.parents[1]),
    }


def environment_here(package: Path) -> dict[str, Any]:
    """The environment that runs it: Python, platform, lock, packages, linear algebra, fixed variables."""
    lock = lock_here(package)
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": f"{sys.platform}-{platform.machine()}",
        "lock": lock and {"file": lock.name, "sha256": file_digest(lock)},
        "packages": package_versions(),
        "blas": _blas(),
        "variables": dict(FIXED_ENVIRONMENT),
    }


def lock_here(package: Path) -> Path | None:
    """``requirements.lock`` of the package or of the checkout around it; None where there is none."""
    places = (package / "requirements.lock", package.parents[1] / "requirements.lock")
    return next((path for path in places if path.is_file()), None)


def commit_that_holds(path: Path) -> str | None:
    """The commit checked out around a file, when it holds the file exactly as it is; else None."""
    folder = path.resolve().parent
    inside = _git(folder, "rev-parse", f"HEAD:./{path.name}")
    return (
        _git(folder, "rev-parse", "HEAD")
        if inside and inside == _git(folder, "hash-object", "--", path.name)
        else None
    )


def _blas() -> dict[str, Any]:
    import numpy

    found = numpy.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {})
    return {"library": found.get("name"), "version": found.get("version"), "threads": 1}


def _checkout(package: Path, root: Path) -> dict[str, Any]:
    """The commit of the checkout that the package's sources are tracked in; null outside one."""
    none = {"git_commit": None, "git_dirty": None}
    if _git(root, "ls-files", "--error-unmatch", str(package / "version.py")) is None:
        return none
    commit = _git(root, "rev-parse", "HEAD")
    changed = _git(root, "status", "--porcelain", "--untracked-files=no", "--", str(package))
    return none if commit is None or changed is None else {"git_commit": commit, "git_dirty": bool(changed)}


def _git(folder: Path, *arguments: str) -> str | None:
    """What git says, or None where git, the repository or the object is missing."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
