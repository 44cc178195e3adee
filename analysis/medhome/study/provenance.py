"""What made a number: code, environment and inputs, described without place or time."""

from __future__ import annotations

import hashlib
import importlib.metadata
from pathlib import Path

FIXED_ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "SOURCE_DATE_EPOCH": "0",
    "TZ": "UTC",
    "LC_ALL": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MPLBACKEND": "agg",
    "PYTHONUTF8": "1",
    # Linear algebra and numpy choose their code by the processor, and the last digits follow. These name what
    # every x86-64 processor since 2009 has; elsewhere they mean nothing, and nothing is said of them.
    "OPENBLAS_CORETYPE": "Nehalem",
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
}
"""The environment in which every report is made, so that the same inputs give the same bytes."""

PACKAGES = (
    "duckdb",
    "ibis-framework",
    "linearmodels",
    "matplotlib",
    "nbconvert",
    "numpy",
    "pandas",
    "papermill",
    "pyarrow",
    "pydantic",
    "scipy",
    "statsmodels",
)


def source_digest(package: Path) -> str:
    """sha256 of the package's own sources and data files: names relative to the package, and contents."""
    digest = hashlib.sha256()
    for path in sorted(p for p in package.rglob("*") if p.is_file()):
        if "__pycache__" in path.parts or path.suffix in {".pyc", ".so"}:
            continue
        name = path.relative_to(package).as_posix()
        if name.startswith("notebooks/") or name.startswith("studies/"):
            continue  # they travel in the wheel only, and are digested as inputs of their own
        digest.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def package_versions() -> dict[str, str]:
    """Installed versions of the packages that numbers depend on."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
