"""The names that users and notebooks may rely on. One that comes or goes is a change for CHANGELOG.md."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import medhome
from medhome.reporting import pages

NAMES = {
    "__version__",
    # runs
    "check", "init", "open_run", "run", "simulate", "verify",
    # golden values (notebooks/validation.ipynb)
    "ValidationResult", "departures_on_purpose", "validate", "values_by_entry", "values_in_words",
    "values_one_by_one",
    # any panel
    "did", "sensitivity",
    # any person-year table
    "cost_model",
    # diagnoses of any people
    "RiskScores", "risk_scores",
    # nouns
    "Cells", "CostModelResult", "PanelEstimate", "SensitivityResult", "StudySpec", "read_study",
    # problems
    "DataProblem", "MedhomeError", "ModelRefusal", "StudyFileError",
    "ContractSettlements", "PowerCurve", "power", "settle",
}  # fmt: skip


def test_public_names():
    """The names above, and every function that a report notebook calls (`reporting/pages.py`)."""
    assert set(medhome.__all__) == NAMES | set(pages.__all__)
    assert len(medhome.__all__) == len(set(medhome.__all__))


@pytest.mark.parametrize("name", sorted(set(medhome.__all__) - {"__version__"}))
def test_every_public_name_says_what_it_answers(name):
    value = getattr(medhome, name)
    if not inspect.ismodule(value):
        assert inspect.getdoc(value), name


def test_importing_the_package_stays_light():
    """``import medhome`` and ``medhome --help`` load neither the notebook runner nor the models."""
    heavy = ("papermill", "nbconvert", "statsmodels", "linearmodels", "matplotlib")
    code = f"import sys, medhome, medhome.cli; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
