"""Evaluations on disk: one JSON file, and one Parquet file for each frame."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from medhome.study.care_management_results import CareManagement
from medhome.study.comparison_results import ComparisonGroup
from medhome.study.completion_results import Completion
from medhome.study.employer_results import Employers
from medhome.study.measure_results import Measures
from medhome.study.member_cost_results import MemberCosts
from medhome.study.payment_results import Payment
from medhome.study.problems import DataProblem
from medhome.study.results import (
    Attrition,
    Check,
    Cohort,
    DataQuality,
    DidResult,
    Estimate,
    Evaluation,
    ExpectedCosts,
    RiskModelResult,
    Savings,
)
from medhome.study.risk_results import RiskAdjustment
from medhome.study.robustness_results import Robustness
from medhome.study.selection_results import Selection
from medhome.study.specification_results import SpecificationCurve
from medhome.study.survey_results import Surveys
from medhome.study.truncation_results import Truncation
from medhome.study.uncertainty_results import Uncertainty
from medhome.study.washout_results import Washout
from medhome.study.wave_results import Waves
from medhome.study.where_results import Where

_PARTS: dict[str, type] = {
    "attrition": Attrition,
    "quality": DataQuality,
    "cohort": Cohort,
    "risk": RiskModelResult,
    "expected": ExpectedCosts,
    "did": DidResult,
    "savings": Savings,
    "completion": Completion,
    "truncation": Truncation,
    "selection": Selection,
    "robustness": Robustness,
    "specifications": SpecificationCurve,
    "comparison": ComparisonGroup,
    "washout": Washout,
    "employers": Employers,
    "uncertainty": Uncertainty,
    "payment": Payment,
    "adjustment": RiskAdjustment,
    "member_costs": MemberCosts,
    "where": Where,
    "waves": Waves,
    "measures": Measures,
    "care_management": CareManagement,
    "surveys": Surveys,
}

_LATER = frozenset(
    f.name for f in dataclasses.fields(Evaluation) if f.default_factory is not dataclasses.MISSING
)
"""Parts that came after the first release: an older run is read without them."""


def save_evaluation(evaluation: Evaluation, folder: Path) -> None:
    """Write an evaluation as one JSON file and one Parquet file per frame."""
    folder.mkdir(parents=True, exist_ok=True)
    plain: dict[str, Any] = {
        "study_id": evaluation.study_id,
        "fingerprint": evaluation.fingerprint,
        "periods": dict(evaluation.periods),
        "checks": [dataclasses.asdict(c) for c in evaluation.checks],
    }
    for name in Evaluation.PARTS:
        part = getattr(evaluation, name)
        fields: dict[str, Any] = {}
        for item in dataclasses.fields(part):
            value = getattr(part, item.name)
            if isinstance(value, pd.DataFrame):
                value.reset_index(drop=True).to_parquet(folder / f"{name}.{item.name}.parquet", index=False)
            else:
                fields[item.name] = to_plain(value)
        plain[name] = fields
    text = json.dumps(plain, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    (folder / "evaluation.json").write_text(text, encoding="utf-8")


def load_evaluation(folder: Path) -> Evaluation:
    """Read an evaluation that `save_evaluation` wrote, now or in an earlier version.

    Raises
        DataProblem: something is missing that no earlier version left out.
    """
    plain = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    parts: dict[str, Any] = {}
    for name, kind in _PARTS.items():
        if name not in plain and name in _LATER:
            continue  # released before this part was there
        values: dict[str, Any] = {k: from_plain(v) for k, v in plain.get(name, {}).items()}
        for item in dataclasses.fields(kind):
            if item.name not in values:
                file = folder / f"{name}.{item.name}.parquet"
                if file.exists():
                    values[item.name] = pd.read_parquet(file)
                elif item.default is item.default_factory is dataclasses.MISSING:
                    raise DataProblem(
                        f"{file.parent.name}/{file.name} is missing from the report: make it again with "
                        "medhome run, or take the whole folder of the report"
                    )  # what has a default was not there in an earlier version
        parts[name] = kind(**values)
    return Evaluation(
        study_id=plain["study_id"],
        fingerprint=plain["fingerprint"],
        periods=plain["periods"],
        checks=tuple(Check(**c) for c in plain["checks"]),
        **parts,
    )


def to_plain(value: Any) -> Any:
    """A value as JSON can hold it; estimates keep their type by a marker, NaN becomes null."""
    if isinstance(value, Estimate):
        return {"estimate": {k: to_plain(v) for k, v in dataclasses.asdict(value).items()}}
    if isinstance(value, Mapping):
        return {str(k): to_plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(v) for v in value]
    if hasattr(value, "item") and not isinstance(value, (str, bytes)):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def from_plain(value: Any) -> Any:
    """The inverse of `to_plain` for the values that results hold."""
    if isinstance(value, dict) and set(value) == {"estimate"}:
        fields = value["estimate"]
        for ci in ("ci90", "ci95"):
            if fields.get(ci) is not None:
                fields[ci] = tuple(fields[ci])
        return Estimate(**fields)
    if isinstance(value, dict):
        return {k: from_plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return tuple(from_plain(v) for v in value)
    return value
