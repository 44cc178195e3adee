"""One interface for every published score: distinct people in, raw scores out."""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from medhome.study.problems import ModelRefusal
from medhome.study.risk_choices import SCORE_MODELS, ScoreModel

DEFAULTS: dict[str, Any] = {
    "icd9": "", "icd10": "", "ndc": "", "population": "", "orec": "", "ltimcaid": 0, "metal_level": "Silver",
    "csr_indicator": 1, "enrollment_days": 365,
}  # fmt: skip
"""Columns that people need not have, and what is then taken for everybody."""

PARTS = ("raw_score", "demographic_part", "disease_part", "categories")
_HOMES = {
    "hccinfhir": "medhome.models.risk_scores.cms_hcc",
    "risk_adjustment_model": "medhome.models.risk_scores.hhs_hcc",
    "pycomorb": "medhome.models.risk_scores.comorbidity",
}
NEWER_PYTHON = (3, 12)
"""The oldest Python of risk_adjustment_model."""
Scorer = Callable[[ModuleType, pd.DataFrame, str, int, str], pd.DataFrame]
"""(library, distinct people, model, mapping year, weights) → the columns of `PARTS`, in the same order."""


@dataclass(frozen=True, kw_only=True)
class RiskScores:
    """Raw scores, and what they were worked out with.

    frame: one row per row of the people scored, in their order: ``raw_score`` (NaN where the model knows
        no such person: a sex that is not F or M, an age beyond the model), ``demographic_part`` and
        ``disease_part`` (NaN where the score has no such parts), ``categories`` (";" between).
    distinct: how many different people the library was asked for.
    """

    frame: pd.DataFrame
    model: str
    label: str
    library: str
    library_version: str
    weights: str
    mapping_year: int | None
    distinct: int


def risk_scores(
    people: pd.DataFrame, model: str, *, year: int | None = None, weights: str = ""
) -> RiskScores:
    """What does a published score say of people with these ages, sexes and diagnoses?

    Arguments
        people: one row per person-year: ``age`` (completed years, on the day that the model asks for),
            ``sex`` ("F", "M"), ``icd9`` and ``icd10`` (diagnosis codes without dots, ";" between; either may
            be left out), and, where it matters, ``population`` (CMS-HCC: CNA, CND, CPA, CPD, CFA, CFD, INS;
            community, not dual, by age where left out), ``orec`` (original reason for entitlement),
            ``ltimcaid``, ``metal_level``, ``csr_indicator``, ``enrollment_days`` and ``ndc`` (HHS-HCC).
        model: one of `medhome.study.risk_choices.SCORE_MODELS`.
        year: mapping year; the latest that the library has, where left out.
        weights: one of the model's sets of weights; its first where left out.

    Scores are raw: no normalisation, no coding-intensity factor. Each different person is asked for once, so
    that many people with the same codes cost little.

    Raises `ModelRefusal` when the library is not installed (it says how to install it), for a model, year or
    set of weights that is not there, and for a column that is missing.
    Source: `docs/methods/risk-scores.md`.

    >>> people = pd.DataFrame({"age": [70, 70, 40], "sex": ["M", "M", "F"],
    ...                        "icd9": ["4280;25000", "4280;25000", "V700"]})
    >>> found = risk_scores(people, "charlson")
    >>> found.frame["raw_score"].tolist(), found.distinct
    ([2.0, 2.0, 0.0], 2)
    """
    chosen = SCORE_MODELS.get(model)
    if chosen is None:
        raise ModelRefusal(f"risk score: no model is called {model!r}; models are {', '.join(SCORE_MODELS)}")
    if year is not None and year not in chosen.years:
        known = ", ".join(map(str, chosen.years)) or "none: the model's codes do not go by year"
        raise ModelRefusal(f"risk score {model}: no mapping year {year}; years are {known}")
    if weights and weights not in chosen.weights:
        raise ModelRefusal(
            f"risk score {model}: no weights {weights!r}; they are {', '.join(chosen.weights)}"
        )
    absent = [c for c in ("age", "sex") if c not in people.columns]
    if absent:
        raise ModelRefusal(f"risk score {model}: the people lack the columns {', '.join(absent)}")
    library = _library(chosen, model)
    scorer: Scorer = importlib.import_module(_HOMES[chosen.library]).score
    asked = people.assign(**{c: v for c, v in DEFAULTS.items() if c not in people.columns})
    columns = ["age", "sex", *DEFAULTS]
    distinct = asked[columns].drop_duplicates(ignore_index=True)
    used_year = year or (chosen.years[0] if chosen.years else 0)
    used_weights = weights or next(iter(chosen.weights))
    found = scorer(library, distinct, model, used_year, used_weights)
    scores = asked[columns].merge(pd.concat([distinct, found], axis=1), on=columns, how="left")
    frame = scores[list(PARTS)].set_axis(people.index)
    raw = frame["raw_score"].to_numpy(dtype=float)
    if np.isinf(raw).any():
        raise ModelRefusal(f"risk score {model}: {chosen.library} gave scores that are not finite")
    return RiskScores(
        frame=frame,
        model=model,
        label=chosen.label,
        library=chosen.library,
        library_version=importlib.metadata.version(chosen.library),
        weights=chosen.weights[used_weights],
        mapping_year=used_year or None,
        distinct=len(distinct),
    )


def _library(chosen: ScoreModel, model: str) -> ModuleType:
    """The library of a model, or one sentence on how to get it."""
    try:
        return importlib.import_module(chosen.library)
    except ImportError:
        todo = "is not installed; install it with pip install 'medhome[risk]'"
        here = sys.version_info[:2]
        if chosen.library == "risk_adjustment_model" and here < NEWER_PYTHON:
            needs, has = (".".join(map(str, v)) for v in (NEWER_PYTHON, here))
            todo = f"needs Python {needs} or later, and this is {has}; use a later one with 'medhome[risk]'"
        raise ModelRefusal(
            f"risk score {model}: the library {chosen.library} {todo}, or choose another [risk] model in the "
            "study file"
        ) from None


def codes_of(joined: str) -> list[str]:
    """Codes of a text with ";" between.

    >>> codes_of("4280;25000"), codes_of("")
    (['4280', '25000'], [])
    """
    return joined.split(";") if joined else []
