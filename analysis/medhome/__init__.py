"""medhome: did a care program change what care cost, compared with what would have been expected?

Notebooks and users import ``medhome`` and nothing deeper. Names are loaded when they are first used, so that
the command line starts quickly.
"""

from __future__ import annotations

import importlib
from typing import Any

from medhome.version import __version__

_HOMES = {
    "medhome.runs": ("check", "init", "open_run", "run", "simulate", "verify"),
    "medhome.study.spec": ("StudySpec", "read_study"),
    "medhome.study.cells": ("Cells",),
    "medhome.study.problems": ("DataProblem", "MedhomeError", "ModelRefusal", "StudyFileError"),
    "medhome.reporting.pages": (),
}
_NAMES = {name: home for home, names in _HOMES.items() for name in names}

__all__ = ["__version__", *sorted(_NAMES)]


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"medhome has no public name {name!r}")
    return getattr(importlib.import_module(_NAMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
