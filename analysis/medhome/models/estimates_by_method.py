"""The effect of a study under other estimators, each with what its interval is worth.

The same cost for all (``cells_panel``), so that rows differ in the estimator alone. The headline's interval
is the one that the rules of ``inference.recommend`` fixed; the others are clustered by organisation, which
knows nothing of a shock that befell the treated organisation: whether it may be read is taken from exhibit
T19 of the same study.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from medhome.models.cells_panel import before_and_after, months_panel, quarters_panel
from medhome.models.member_effects import member_effect
from medhome.models.panels.event_study import event_study
from medhome.models.panels.ppml import ppml
from medhome.models.panels.synthetic import synthetic
from medhome.models.panels.twfe import twfe
from medhome.models.panels.two_by_two import did2x2
from medhome.models.sensitivity.refits import Refits
from medhome.models.twfe import fit_panel
from medhome.study.cells import Cells
from medhome.study.panel_results import PanelEstimate
from medhome.study.problems import ModelRefusal
from medhome.study.results import DidResult

CLUSTERED = "cr1_organization"
"""The row of exhibit T19 whose kind of interval the other estimators have."""


def estimates_by_method(
    refits: Refits, effect: DidResult, start: int, patterns: Cells | None = None
) -> pd.DataFrame:
    """``methods`` of `study.robustness_results.Robustness`: the headline first, dollars PMPM.

    start: month index in which event quarter 0 begins. patterns: cells of members with the same months, where
    the study asks for member effects. An estimator that refuses the study keeps its row,
    with the reason in ``reading``.
    """
    panel, first_post = refits.panel, refits.first_post
    fit = fit_panel(panel, {"effect": (panel.months >= first_post).astype(float)})
    tried: tuple[tuple[str, str, Callable[[], PanelEstimate]], ...] = (
        (
            "twfe",
            "The same, clustered by organisation",
            lambda: twfe(months_panel(fit, first_post)),
        ),
        (
            "did2x2",
            "Two by two, organisations before and after",
            lambda: did2x2(before_and_after(fit, first_post)),
        ),
        (
            "event-study",
            "Event study, mean of the quarters after",
            lambda: event_study(quarters_panel(fit, start, first_post)),
        ),
        (
            "ppml",
            "Poisson, told in dollars",
            lambda: ppml(months_panel(fit, first_post, adjusted=False)),
        ),
        (
            "synthetic-did",
            "Synthetic difference in differences",
            lambda: synthetic(quarters_panel(fit, start, first_post, "organization")),
        ),
    )
    read = effect.methods.set_index("method")["valid"]
    valid = bool(read.get(CLUSTERED, False))
    rows = [_headline(effect)]
    few = effect.treated_organizations
    for name, label, make in tried:
        rows.append({"method": name, "label": label, "headline": False, **estimator_row(make, valid, few)})
    if patterns is not None:
        rows.insert(2, _of_members(patterns, first_post, valid))
    return pd.DataFrame(rows)


def _of_members(patterns: Cells, first_post: int, valid: bool) -> dict[str, object]:
    label = "Effects of every member and month, clustered by organisation"
    named = {"method": "member-effects", "label": label, "headline": False}
    try:
        found = member_effect(patterns, first_post)
    except ModelRefusal as refusal:
        return {**named, **_nothing(refusal)}
    reading = "Members' own changes alone; not adjusted, since expected cost does not change inside a member"
    ends = _ends(found.ci90, found.ci95)
    return {**named, "estimate": found.estimate, "se": found.se, **ends, "valid": valid, "reading": reading}


def _headline(effect: DidResult) -> dict[str, object]:
    found = effect.headline
    nan = (np.nan, np.nan)
    return {
        "method": "headline",
        "label": "Two-way fixed effects (headline)",
        "estimate": np.nan if found.value is None else found.value,
        "se": np.nan if found.se is None else found.se,
        **_ends(found.ci90 or nan, found.ci95 or nan),
        "valid": True,
        "headline": True,
        "reading": "Allows for shocks of whole organisations (random effects by month)",
    }


def estimator_row(make: Callable[[], PanelEstimate], valid: bool, few: int) -> dict[str, object]:
    """An estimator's numbers, and what its interval is worth; the reason in words where it refuses.

    Arguments
        make: runs it. valid: whether an interval clustered by organisation may be read. few: treated
            organisations.
    """
    try:
        found = make()
    except ModelRefusal as refusal:
        return _nothing(refusal)
    synthetic = found.estimator == "synthetic-did"
    if synthetic:
        worth = (
            "Error of placebos: not valid unless the treated organisations are as large as the comparisons"
        )
    elif valid:
        worth = "May be read beside the headline"
    else:
        who = "one treated organisation" if few == 1 else f"{few} treated organisations"
        worth = f"Not valid with {who}: shocks of a whole organisation are left out"
    return {
        "estimate": found.estimate,
        "se": found.se,
        **_ends(found.ci90, found.ci),
        "valid": valid and not synthetic,
        "reading": worth,
    }


def _nothing(refusal: ModelRefusal) -> dict[str, object]:
    nothing = dict.fromkeys(("estimate", "se", "lo90", "hi90", "lo95", "hi95"), np.nan)
    return {**nothing, "valid": False, "reading": f"Not estimated: {str(refusal).rstrip('.')}"}


def _ends(ci90: tuple[float, float], ci95: tuple[float, float]) -> dict[str, float]:
    return {"lo90": ci90[0], "hi90": ci90[1], "lo95": ci95[0], "hi95": ci95[1]}
