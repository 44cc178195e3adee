"""The effect of a month under the program by estimator, and what two-way fixed effects compare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from medhome.models.estimates_by_method import CLUSTERED, estimator_row
from medhome.models.linear_effects import NUMBERS
from medhome.models.panels.bacon import ALWAYS, LATE, bacon
from medhome.models.panels.etwfe import etwfe
from medhome.models.panels.group_time import callaway_santanna
from medhome.models.panels.imputation import imputation
from medhome.models.panels.sun_abraham import sun_abraham
from medhome.models.panels.two_stage import two_stage
from medhome.models.staggered.periods import Staggered
from medhome.study.panel_data import PanelData
from medhome.study.panel_results import PanelEstimate
from medhome.study.problems import ModelRefusal
from medhome.study.results import DidResult

TWFE = "twfe"


@dataclass(frozen=True, kw_only=True)
class Beside:
    """methods, comparisons, two_way, already: as in `study.wave_results.Waves`."""

    methods: pd.DataFrame
    comparisons: pd.DataFrame | None
    two_way: float | None
    already: float | None


def beside(found: Staggered, headline: pd.Series, effect: DidResult) -> Beside:
    """Every estimator on the same practices' periods; two-way fixed effects with what they compare.

    headline: the row of the "simple" average. effect: of the study, from the first start on.
    """
    data = found.data
    read = effect.methods.set_index("method")["valid"]
    valid, few = bool(read.get(CLUSTERED, False)), int(found.panel.organization_treated.sum())
    tried: tuple[tuple[str, str, Callable[[], PanelEstimate]], ...] = (
        ("group-time", "The same, clustered by organisation",
         lambda: callaway_santanna(data, control="not-yet", bands=None)),
        ("group-time-never", "Group-time effects against practices that never start",
         lambda: callaway_santanna(data, control="never", bands=None)),
        ("sun-abraham", "Sun and Abraham's regression", lambda: sun_abraham(data)),
        ("imputation", "Imputation", lambda: imputation(data)),
        ("two-stage", "Two stages", lambda: two_stage(data)),
        ("etwfe", "Extended two-way fixed effects", lambda: etwfe(data)),
    )  # fmt: skip
    rows: list[dict[str, object]] = [
        {
            "method": "headline",
            "label": "Group-time effects (headline of the waves)",
            **{name: float(headline[name]) for name in NUMBERS},
            "valid": True,
            "headline": True,
            "reading": "Allows for shocks of whole organisations (random effects by month)",
        }
    ]
    for name, label, make in tried:
        rows.append({"method": name, "label": label, "headline": False, **estimator_row(make, valid, few)})
    comparisons, two_way, already, row = _two_way(data, few)
    rows.append({"method": TWFE, "label": "Two-way fixed effects", "headline": False, **row})
    whole = effect.headline
    nothing = (np.nan, np.nan)
    rows.append(
        {
            "method": "study",
            "label": "Headline of the study: all practices from the first start",
            "estimate": np.nan if whole.value is None else whole.value,
            "se": np.nan if whole.se is None else whole.se,
            **dict(zip(NUMBERS[2:], (*(whole.ci90 or nothing), *(whole.ci95 or nothing)), strict=True)),
            "valid": True,
            "headline": False,
            "reading": "Another question: months before a practice's own start count as under the program",
        }
    )
    return Beside(methods=pd.DataFrame(rows), comparisons=comparisons, two_way=two_way, already=already)


def _two_way(
    data: PanelData, few: int
) -> tuple[pd.DataFrame | None, float | None, float | None, dict[str, object]]:
    """Two-way fixed effects on practices with members in every period, and its comparisons.

    Weights are a practice's mean members, so that the comparisons add up to the coefficient.
    """
    balanced, left_out = _balanced(data)
    made: list[PanelEstimate] = []

    def run() -> PanelEstimate:
        if balanced is None:
            raise ModelRefusal("no practice of both arms has members in every period")
        made.append(bacon(balanced))
        return made[0]

    row = estimator_row(run, False, few)
    if not made:
        return None, None, None, row
    table = made[0].table
    already = float(table.loc[table["type"].isin([LATE, ALWAYS]), "weight"].sum())
    without = "; practices without members in some period are left out" if left_out else ""
    row["reading"] = (
        f"{already:.0%} of its weight compares with practices under the program already: effects that grow "
        f"are then subtracted{without}"
    )
    comparisons = pd.DataFrame(
        {
            "kind": table["type"],
            "treated": table["treated"],
            "compared_with": table["comparison"],
            "estimate": table["estimate"],
            "weight": table["weight"],
        }
    )
    return comparisons, float(made[0].estimate), already, row


def _balanced(data: PanelData) -> tuple[PanelData | None, int]:
    """The units with a row at every time, each with its mean weight, and how many others there are."""
    rows = np.bincount(data.unit, minlength=data.units)
    kept = rows == len(data.times)
    inside = kept[data.unit]
    group = data.group[inside]
    if not group.any() or group.all():
        return None, int((~kept).sum())
    mean = np.bincount(data.unit, data.weights, minlength=data.units) / np.maximum(rows, 1)
    number = np.cumsum(kept) - 1
    clusters, cluster = np.unique(data.cluster[inside], return_inverse=True)
    return replace(
        data,
        outcome=data.outcome[inside],
        unit=number[data.unit[inside]],
        time=data.time[inside],
        first_treated=data.first_treated[inside],
        treated=data.treated[inside],
        weights=mean[data.unit[inside]],
        cluster=cluster,
        unit_labels=tuple(label for label, k in zip(data.unit_labels, kept, strict=True) if k),
        cluster_labels=tuple(data.cluster_labels[c] for c in clusters),
        covariates=data.covariates[inside],
    ), int((~kept).sum())
