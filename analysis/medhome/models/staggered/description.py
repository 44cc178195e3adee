"""Did a program that started in waves change what care cost, by wave and by time since the start?

The study's own headline counts every program practice from the first start on. Here each practice counts from
its own start: group-time effects (Callaway and Sant'Anna 2021) against practices not yet under the program,
with intervals of the headline's kind, other estimators beside them, and what two-way fixed effects compare.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from medhome.models.did import OUTCOME
from medhome.models.inference.mixture import Mixture
from medhome.models.linear_effects import NUMBERS
from medhome.models.power import detectable_effect
from medhome.models.staggered.cautions import cautions
from medhome.models.staggered.intervals import group_time
from medhome.models.staggered.methods import beside
from medhome.models.staggered.periods import Staggered
from medhome.study.cells import Cells, MonthPairs
from medhome.study.display import month
from medhome.study.problems import ModelRefusal
from medhome.study.results import DidResult
from medhome.study.spec import StudySpec
from medhome.study.wave_results import Waves

RULE = (
    "the interval is that of the organisation-month random-effects model, with the weights of the average; "
    "how organisations move by themselves is learnt from months before their own start. No p-value: the "
    "simulations that fix p-values had one start for all"
)


def describe(
    cells: Cells, pairs: MonthPairs, starts: pd.DataFrame, spec: StudySpec, effect: DidResult
) -> Waves:
    """The waves of a study; with one start, why there are none.

    Arguments
        cells: practice-months, with the key ``wave`` where there is more than one start. pairs: the outcome's
            cross-products of members' months. starts: `tables.arms.starts`. effect: of the study.

    A study whose waves cannot be estimated keeps its headline: the result then says why.
    """
    if "wave" not in cells.keys:
        return Waves(reason=_one_start(starts, spec))
    cells = cells.where(cells.frame["month"].isin(spec.periods.analysed))
    waves = _waves(cells, spec)
    told: dict[str, Any] = {"before_share": _before_share(cells, spec)}
    try:
        found = Staggered.of(cells, OUTCOME, spec)
        estimated = group_time(found, pairs, spec)
    except ModelRefusal as refusal:
        none = waves.assign(estimated=False)
        return Waves(
            waves=none, reason=str(refusal), warnings=cautions(none, starts, None, None, spec), **told
        )
    shown = set(estimated.effects["wave"].astype(int))
    waves["estimated"] = waves["wave"].isin(shown)
    waves.loc[~waves["estimated"] & (waves["note"] == ""), "note"] = (
        "no practice to compare with after its start"
    )
    averages = estimated.averages
    simple = averages[averages["kind"] == "overall:simple"].iloc[0]
    other = beside(found, simple, effect)
    before = averages[(averages["kind"] == "dynamic") & (averages["key"] < 0) & ~averages["reference"]]
    outside = (before["band_lo"] > 0) | (before["band_hi"] < 0)
    comparisons = other.comparisons
    if comparisons is not None:
        told["comparisons"] = comparisons.assign(
            **{c: [_wave_of(found, v) for v in comparisons[c]] for c in ("treated", "compared_with")}
        )
    return Waves(
        waves=waves,
        effects=estimated.effects,
        averages=averages,
        methods=other.methods,
        two_way=other.two_way,
        already=other.already,
        period_months=found.length,
        outside_band=int(outside.sum()) if len(before) else None,
        pre_trend_tests=estimated.tests,
        slope=_slope(estimated.slope),
        rule=RULE,
        warnings=cautions(waves, starts, found, estimated, spec),
        **told,
    )


def _slope(found: Mixture | None) -> dict[str, float]:
    """`Waves.slope`."""
    if found is None:
        return {}
    ends = (found.estimate, found.sd, *found.ci90, *found.ci95)
    least = detectable_effect(found.ci95[1] - found.ci95[0])
    return {**dict(zip(NUMBERS, ends, strict=True)), "detectable": least}


def _wave_of(found: Staggered, first: float) -> int:
    """The month index of a first treated period; 0 for never."""
    return found.month_of(first) if np.isfinite(first) else 0


def _one_start(starts: pd.DataFrame, spec: StudySpec) -> str:
    if spec.arms.placeholder:
        return "The arms are a placeholder: no practice starts a program."
    if spec.arms.waves == "none":
        return 'The study file takes one start for all practices (arms.waves is "none").'
    if spec.attribution.population == "market":
        return "Members belong to areas, which have no start of their own."
    if starts.empty:
        return ""
    same = f"Every practice of the program starts in {month(int(starts['wave'].iloc[0]))}"
    return f"{same}: there are no waves to tell apart."


def _waves(cells: Cells, spec: StudySpec) -> pd.DataFrame:
    """`Waves.waves`, before anything is estimated."""
    frame = cells.frame.assign(member_months=cells.member_months)
    analysed = np.array(spec.periods.analysed)
    records = []
    for _, own in frame[frame["wave"] > 0].groupby("wave", sort=True):
        start = int(own["wave"].iloc[0])
        records.append(
            {
                "wave": start,
                "practices": int(own[["organization_id", "practice_id"]].drop_duplicates().shape[0]),
                "organizations": int(own["organization_id"].nunique()),
                "members": int(own.groupby("month")["rows"].sum().max()),
                "months_before": int((analysed < start).sum()),
                "months_after": int((analysed >= start).sum()),
                "member_months": float(own.loc[own["month"] >= start, "member_months"].sum()),
                "estimated": True,
                "note": ""
                if (analysed < start).any()
                else "under the program in every month analysed: left out, on both sides",
            }
        )
    return pd.DataFrame(records)


def _before_share(cells: Cells, spec: StudySpec) -> float:
    """Of the treated arm's member-months after the study's start, those before the practice's own start."""
    frame = cells.frame
    mine = (frame["arm"] == "treated").to_numpy() & (
        frame["month"].to_numpy(dtype=int) >= spec.periods.performance.first
    )
    early = mine & (frame["month"].to_numpy(dtype=int) < frame["wave"].to_numpy(dtype=int))
    months = cells.member_months
    return float(months[early].sum() / months[mine].sum()) if months[mine].sum() else 0.0
