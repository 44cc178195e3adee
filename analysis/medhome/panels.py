"""The front door for any panel: difference in differences and bounds for tables that are no claims."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medhome.models.panels.reading import panel_from_frame
from medhome.study.panel_data import PanelData
from medhome.study.panel_results import PanelEstimate
from medhome.study.problems import DataProblem, ModelRefusal, StudyFileError, printable

ESTIMATORS: dict[str, tuple[str, str]] = {
    "did2x2": ("two_by_two", "did2x2"),
    "twfe": ("twfe", "twfe"),
    "event-study": ("event_study", "event_study"),
    "callaway-santanna": ("group_time", "callaway_santanna"),
    "sun-abraham": ("sun_abraham", "sun_abraham"),
    "imputation": ("imputation", "imputation"),
    "two-stage": ("two_stage", "two_stage"),
    "etwfe": ("etwfe", "etwfe"),
    "synthetic-did": ("synthetic", "synthetic"),
    "bacon": ("bacon", "bacon"),
    "ppml": ("ppml", "ppml"),
    "triple-difference": ("triple", "triple_difference"),
}
"""Each estimator's name, and the module of `medhome.models.panels` and the function that hold it."""


def did(
    frame: pd.DataFrame,
    *,
    outcome: str,
    unit: str,
    time: str,
    treated: str | None = None,
    first_treated: str | None = None,
    estimator: str = "twfe",
    covariates: Sequence[str] = (),
    weights: str | None = None,
    cluster: str | None = None,
    affected: str | None = None,
    **options: Any,
) -> PanelEstimate:
    """Did the outcome of treated units move against the others when treatment began?

    frame: one row per unit and time (several rows of a unit at one time are a repeated cross-section).
    outcome, unit, time: columns. treated: a column that is 1 in the rows under treatment (for "did2x2" with
    two times also 1 in both for the treated group); first_treated: a column with the first treated time, 0,
    empty or inf for never. estimator: a key of `ESTIMATORS`. cluster: default the unit. affected: for
    "triple-difference" alone, a column that is 1 in rows of the subgroup that treatment could change and 0 in
    those that it could not. options: the estimator's own (control, inference, aggregate, seed, ...).

    Raises `StudyFileError` for an estimator or option that does not exist, `DataProblem` for a table that
    cannot be read as a panel, `ModelRefusal` where the estimator has no answer.

    >>> frame = pd.DataFrame({"id": [1, 1, 2, 2, 3, 3, 4, 4], "t": [1, 2] * 4, "d": [0, 1, 0, 1, 0, 0, 0, 0],
    ...                       "y": [1.0, 5.0, 2.0, 5.0, 1.0, 2.0, 3.0, 4.0]})
    >>> did(frame, outcome="y", unit="id", time="t", treated="d", estimator="twfe").estimate
    2.5
    """
    run = _estimator(estimator)
    signature = inspect.signature(run).parameters
    known = [p.name for p in signature.values() if p.kind is p.KEYWORD_ONLY]
    asked = {k: v for k, v in options.items() if v is not None}
    if asked.get("inference") == "cr1" and (
        "inference" not in known or signature["inference"].default != "cr1"
    ):
        del asked["inference"]  # its own error stands in for it: influence summed by cluster, or placebos
    if "inference" in asked and "inference" not in known:
        raise ModelRefusal(
            f"{estimator} has no inference {asked['inference']!r}: its standard error is its own (`rule` "
            "names it); leave --inference out"
        )
    unknown = [k for k in asked if k not in known]
    if unknown:
        raise StudyFileError(
            f"{estimator} has no option {unknown[0]!r}; its options are {', '.join(known) or 'none'}"
        )
    if (affected is not None) != (estimator == "triple-difference"):
        raise StudyFileError(
            "triple-difference needs affected: the column that is 1 in rows of the subgroup that could change"
            if affected is None
            else f"affected is an option of triple-difference, not of {estimator}"
        )
    data = panel_from_frame(
        *_started(frame, time, treated, first_treated, outcome, unit, estimator),
        covariates=(*covariates, *([affected] if affected else ())),
        weights=weights,
        cluster=cluster,
    )
    if affected:
        names, x = data.covariate_names[:-1], data.covariates
        asked["affected"] = x[:, -1]
        data = replace(data, covariates=x[:, :-1], covariate_names=names)
    return run(data, **asked)


def read_table(path: Path) -> pd.DataFrame:
    """A table from a Parquet or CSV file (comma, semicolon or tab; also gzipped).

    Raises `DataProblem` naming the file.
    """
    if not path.is_file():
        raise DataProblem(f"{path}: there is no such file")
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            return pd.read_parquet(path)
        head = pd.read_csv(
            path, sep="\0", engine="python", nrows=1, header=None, encoding="utf-8-sig", quoting=3
        )
        first = str(head.iat[0, 0])
        separator = max(",;\t", key=first.count)
        return pd.read_csv(path, sep=separator, encoding="utf-8-sig")
    except (
        OSError,
        ValueError,
        pd.errors.ParserError,
        pd.errors.EmptyDataError,
        UnicodeDecodeError,
    ) as error:
        reason = printable(str(error).splitlines()[0] if str(error) else type(error).__name__)
        raise DataProblem(f"{path}: cannot be read as CSV or Parquet ({reason})") from None


def _estimator(name: str) -> Any:
    if name not in ESTIMATORS:
        raise StudyFileError(f"there is no estimator {name!r}; estimators are {', '.join(ESTIMATORS)}")
    module, function = ESTIMATORS[name]
    return getattr(importlib.import_module(f"medhome.models.panels.{module}"), function)


def _started(
    frame: pd.DataFrame,
    time: str,
    treated: str | None,
    first_treated: str | None,
    outcome: str,
    unit: str,
    estimator: str,
) -> tuple[pd.DataFrame, str, str, str, str | None, str | None]:
    """Arguments of `panel_from_frame`; a group column of a two by two becomes its first treated time."""
    plain = (frame, outcome, unit, time, treated, first_treated)
    if estimator != "did2x2" or treated is None or first_treated is not None:
        return plain
    if not {treated, time} <= set(frame.columns):
        return plain
    times = sorted(frame[time].dropna().unique())
    values = pd.to_numeric(frame[treated], errors="coerce")
    if len(times) != 2 or not (values[frame[time] == times[0]] == 1).any() or not values.isin((0, 1)).all():
        return plain
    started = "first treated time"
    while started in frame.columns:
        started += "'"
    group = np.where(values == 1, times[1], np.inf if not isinstance(times[1], str) else "never")
    return frame.assign(**{started: group}), outcome, unit, time, None, started


__all__ = ["ESTIMATORS", "PanelData", "did", "read_table"]
