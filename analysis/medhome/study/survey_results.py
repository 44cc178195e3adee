"""Surveys: the answers that the tables collect for the models, and what is found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import pandas as pd

from medhome.study.frames import frame_without_rows
from medhome.study.measure_results import Measures

LEFT_OUT = {
    "instrument_unknown": "No instrument of the study has this name",
    "item_unknown": "The instrument has no such item",
    "not_answered": "No answer",
    "outside_waves": "Given in no month of the baseline or after the start",
    "not_of_the_study": "By nobody who is compared in that month",
    "no_weight": "Without a weight, where others have one",
}
"""Why an answer is left out, in the order in which it is asked."""

ANSWERS = {
    "instrument": "str", "person": "str", "organization_id": "str", "arm": "str", "period": "int64",
    "day": "int64", "item_id": "str", "response": "str", "weight": "float64", "mode": "str",
    "age": "float64", "female": "float64", "risk": "float64",
}  # fmt: skip

_KEYS = {"instrument": "str", "label": "str"}
_BY_WAVE = {"arm": "str", "period": "str"}
KINDS: dict[str, dict[str, str]] = {
    "responses": _KEYS | _BY_WAVE
    | {"invited": "int64", "members": "int64", "response_share": "float64", "answers": "int64"},
    "items": {"instrument": "str", "measure": "str", "label": "str", "part": "str", "unit": "str"} | _BY_WAVE
    | {"members": "int64", "members_with": "int64", "unadjusted": "float64", "rate": "float64"},
    "effects": {"part": "str", "of": "str"} | {str(k): str(v) for k, v in Measures().effects.dtypes.items()},
    "case_mix": _KEYS | {"adjusters": "str", "note": "str"},
    "left_out": _KEYS | {"reason": "str", "why": "str", "members": "int64", "answers": "int64"},
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class SurveyAnswers:
    """The answers of a survey table that can be used, and how many cannot.

    answers: one row per answer of a respondent who is compared in its month (`ANSWERS`): ``person`` names the
        respondent, ``period`` is 0 in the baseline and 1 from the start on, ``day`` the number of the day,
        ``age`` in whole years, ``female`` 0 or 1, ``risk`` the member's expected cost in dollars PMPM (all
        NaN where unknown, and of clinicians and practices). Rows of an invitation item are among them.
    left_out: as in `Surveys`. given: whether the input has the table at all.
    """

    answers: pd.DataFrame = field(default_factory=lambda: frame_without_rows(ANSWERS))
    left_out: pd.DataFrame = field(default_factory=lambda: frame_without_rows(KINDS["left_out"]))
    given: bool = False


@dataclass(frozen=True, kw_only=True)
class Surveys:
    """Satisfaction and access: who answered, what they said in both waves, and what the program did.

    A wave is a period of the study: "baseline" or "performance". ``members`` are respondents throughout.

    responses: one row per instrument, arm and wave: ``invited`` (0 where the table does not tell),
        ``members`` (with an answer), ``response_share``, ``answers``.
    items: one row per item or composite (``part``), arm and wave: ``members``, ``members_with`` (with an
        answer in the top box; of a composite or an amount, all), ``unadjusted`` and ``rate`` (weighted; the
        second at one case mix).
    effects: as `Measures.effects`, ``family`` naming the instrument, ``part`` "item" or "composite" and
        ``of`` the unit of an amount. Rates are adjusted for case mix.
    case_mix: one row per instrument: ``adjusters`` that were used, and in ``note`` those that could not be.
    left_out: answers that are not used, by instrument and ``reason`` (`LEFT_OUT`).
    given: whether the input has a survey table.
    """

    responses: pd.DataFrame = field(default_factory=lambda: frame_without_rows(KINDS["responses"]))
    items: pd.DataFrame = field(default_factory=lambda: frame_without_rows(KINDS["items"]))
    effects: pd.DataFrame = field(default_factory=lambda: frame_without_rows(KINDS["effects"]))
    case_mix: pd.DataFrame = field(default_factory=lambda: frame_without_rows(KINDS["case_mix"]))
    left_out: pd.DataFrame = field(default_factory=lambda: frame_without_rows(KINDS["left_out"]))
    given: bool = False
    COUNTS: ClassVar[dict[str, tuple[str, ...]]] = {
        "responses": ("invited", "members"),
        "items": ("members", "members_with"),
        "effects": Measures.COUNTS["effects"],
        "left_out": ("members",),
    }
    RESTING: ClassVar[dict[str, tuple[str, ...]]] = {
        "responses": ("response_share", "answers"),
        "items": ("unadjusted", "rate"),
        "effects": Measures.RESTING["effects"],
        "left_out": ("answers",),
    }
