"""Did use of care and quality move against the comparison group when the program began?

The difference in differences of rates and shares, on the same cells as cost. Rates per 1,000 member-years
are Poisson with exposure, practice and month effects: without the program the treated would have moved by
the same ratio. Shares and means are linear, in points. Effects are actual minus expected in the unit of the
measure.

The interval is that of organisations, as for cost: each organisation's change varies by a spread that all
share, which is unknown and averaged over, and by the sampling of its own members, which is known from them.
Source: ``docs/methods/measures.md``, effects on rates.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from medhome.models.inference.contrasts import Contrasts
from medhome.models.inference.mixture import Mixture
from medhome.models.inference.recommend import FEWEST_COMPARISONS
from medhome.models.inference.two_period import re_two_period
from medhome.models.specification_ppml import permuted_ppml
from medhome.models.twfe import twfe
from medhome.study.cells import Cells
from medhome.study.measure_results import CollapsedMeasures, MeasureCells, Measures, no_rows
from medhome.study.problems import ModelRefusal
from medhome.study.spec import StudySpec

PER_1000 = 12_000.0
WIDEST = 0.5
"""Organisations' own changes may spread by up to this share of the mean rate, all spreads alike probable."""

_GRID_END = 0.20  # of `two_period.re_two_period`, as a share of the mean that it is given
_NUMBERS = ("estimate", "se", "lo90", "hi90", "lo95", "hi95", "p")
_FOUR = ("treated_baseline", "treated_performance", "comparison_baseline", "comparison_performance")


def describe(found: CollapsedMeasures, spec: StudySpec) -> Measures:
    """Exhibits T11 and T12: rates by arm and period, effects with adjusted p-values, gaps, the unknown."""
    if not found.measures:
        return Measures(unknown=found.unknown)
    rates = [m.rates for m in found.measures if not m.gap]
    gaps = [m.rates for m in found.measures if m.gap]
    effects = pd.DataFrame([effect(m, spec) for m in found.measures])
    effects = adjusted(effects)[list(no_rows("effects").columns)]
    return Measures(
        rates=_framed("rates", rates),
        effects=effects.astype(no_rows("effects").dtypes.to_dict()),
        gaps=_framed("gaps", gaps),
        unknown=found.unknown,
    )


def effect(found: MeasureCells, spec: StudySpec) -> dict[str, object]:
    """One row of `Measures.effects`, p-values not adjusted yet.

    A measure without events in a period, or with fewer than two comparison organisations on both sides of the
    start, has a note instead of numbers.
    """
    names = found.rates["arm"].astype("str") + "_" + found.rates["period"].astype("str")
    four = dict(zip(names, found.rates["rate"].to_numpy(dtype=float).tolist(), strict=True))
    people = found.rates.groupby("arm")["members"].min()
    row: dict[str, object] = {
        "measure": found.measure,
        "family": found.family,
        "label": found.label,
        "unit": found.unit,
        "direction": found.direction,
        **{k: four.get(k, math.nan) for k in _FOUR},
        **dict.fromkeys(_NUMBERS, math.nan),
        "ratio": math.nan,
        "baseline_share": math.nan,
        "members_treated": int(people.get("treated", 0)),
        "members_comparison": int(people.get("comparison", 0)),
        "note": found.note,
    }
    point, why = estimate(found, spec)
    if why:
        return row | {"note": "; ".join(filter(None, (found.note, why)))}
    base = four["treated_baseline"]
    row |= {"estimate": point, "baseline_share": point / base if base else math.nan}
    expected = four["treated_performance"] - point
    if found.unit == "per_1000" and expected > 0:
        row["ratio"] = four["treated_performance"] / expected
    interval, why = _interval(found, point, four)
    if interval is not None:
        row |= {
            "se": interval.sd,
            "lo90": interval.ci90[0],
            "hi90": interval.ci90[1],
            "lo95": interval.ci95[0],
            "hi95": interval.ci95[1],
            "p": math.nan if why else interval.p,
        }
    return row | {"note": "; ".join(filter(None, (found.note, why)))}


def estimate(found: MeasureCells, spec: StudySpec) -> tuple[float, str]:
    """The difference in differences in the unit of the measure, or NaN and why there is none."""
    first_post = spec.periods.performance.first
    cells = found.cells
    cells = cells.where(cells.member_months > 0)
    none = found.rates[found.rates["events"] <= 0]
    empty = [f"{arm} arm, {period}" for arm, period in zip(none["arm"], none["period"], strict=True)]
    if empty:
        return math.nan, f"no events ({'; '.join(empty)})"
    if found.unit != "per_1000":
        try:
            fit = twfe(cells, "events", (), first_post=first_post)
        except ModelRefusal as refusal:
            return math.nan, str(refusal)
        return float(fit.coefficients[0]), ""
    change = PER_1000 * poisson(cells, first_post)
    return change, "" if math.isfinite(change) else "the Poisson model of its rates did not settle"


def poisson(cells: Cells, first_post: int) -> float:
    """Events per member-month of the treated after the start, less those at the same ratio of change.

    Poisson with exposure, practice and month effects; the mean over treated member-months of mu (1 -
    exp(-b)).
    """
    frame = cells.by("organization_id", "practice_id", "arm", "month")
    key = frame.frame["organization_id"].astype(str) + "\x1f" + frame.frame["practice_id"].astype(str)
    unit = np.unique(key.to_numpy(dtype=str), return_inverse=True)[1]
    month = frame.frame["month"].to_numpy(dtype=int)
    time = np.unique(month, return_inverse=True)[1]
    treated = (frame.frame["arm"] == "treated").to_numpy() & (month >= first_post)
    weights = frame.member_months
    return float(permuted_ppml(frame.mean("events"), weights, unit, time, treated[:, None])[0])


@dataclass(frozen=True, kw_only=True)
class Changes:
    """Organisations with a denominator on both sides of the start, and what each one's change is made of.

    change: (J,) performance less ``growth`` times baseline, in events per unit of the denominator; size: (J,)
    what it weighs; variance: (J,) of its sampling, from its members; treated: (J,).
    """

    change: np.ndarray
    size: np.ndarray
    variance: np.ndarray
    treated: np.ndarray


def changes(organizations: pd.DataFrame, growth: float) -> Changes:
    """Each organisation's change against expected growth, with its sampling variance.

    Arguments
        organizations: `MeasureCells.organizations`. growth: the ratio by which the baseline would have moved
            (1 for shares).

    A member's part in an organisation's change is (n1 - r1 d1)/D1 - growth (n0 - r0 d0)/D0, so that what one
    member does before and after the start, and how unlike members are, is in the variance. Organisations
    with few members would have variances of chance: each one's is the Poisson-like variance of its size times
    the arm's ratio of the two.
    """
    rows = organizations[(organizations["d0"] > 0) & (organizations["d1"] > 0)].reset_index(drop=True)
    m = {c: rows[c].to_numpy(dtype=float) for c in rows.columns if c not in ("organization_id", "arm")}
    treated = (rows["arm"] == "treated").to_numpy()
    r0, r1 = m["n0"] / m["d0"], m["n1"] / m["d1"]
    own1 = (m["n1n1"] - 2 * r1 * m["n1d1"] + r1**2 * m["d1d1"]) / m["d1"] ** 2
    own0 = (m["n0n0"] - 2 * r0 * m["n0d0"] + r0**2 * m["d0d0"]) / m["d0"] ** 2
    both = (m["n0n1"] - r0 * m["n1d0"] - r1 * m["n0d1"] + r0 * r1 * m["d0d1"]) / (m["d0"] * m["d1"])
    found = own1 + growth**2 * own0 - 2 * growth * both
    nominal = np.zeros(len(rows))
    variance = np.zeros(len(rows))
    for arm in (True, False):
        mine = treated == arm
        rate0 = m["n0"][mine].sum() / m["d0"][mine].sum() if mine.any() else 0.0
        rate1 = m["n1"][mine].sum() / m["d1"][mine].sum() if mine.any() else 0.0
        nominal[mine] = growth**2 * rate0 / m["d0"][mine] + rate1 / m["d1"][mine]
        # Each organisation's own sum counts by its size: large ones know their variance best.
        size = m["d0"][mine] * m["d1"][mine] / (m["d0"][mine] + m["d1"][mine])
        total = (nominal[mine] * size**2).sum()
        variance[mine] = nominal[mine] * ((found[mine] * size**2).sum() / total if total > 0 else 0.0)
    return Changes(
        change=r1 - growth * r0,
        size=m["d0"] * m["d1"] / (m["d0"] + m["d1"]),
        variance=variance,
        treated=treated,
    )


def _interval(found: MeasureCells, point: float, four: dict[str, float]) -> tuple[Mixture | None, str]:
    """The interval around the point, or none, and why there is no p-value."""
    factor = PER_1000 if found.unit == "per_1000" else 1.0
    growth = 1.0
    if found.unit == "per_1000":
        growth = max((four["treated_performance"] - point) / four["treated_baseline"], 0.0)
    c = changes(found.organizations, growth)
    comparisons = int((~c.treated).sum())
    if comparisons < 2 or not c.treated.any():
        return None, "fewer than 2 comparison organisations: no interval"
    if not (c.variance > 0).all():
        return None, "no variation between members: no interval"
    level = four["treated_baseline"] / factor
    contrasts = Contrasts(
        change=c.change, members=c.size, treated=c.treated, months=2, shares=np.array([-growth, 1.0])
    )
    # The estimate is that of the cells: the treated move by what it lies beside that of the changes.
    moved = np.where(c.treated, point / factor - contrasts.effect(), 0.0)
    interval = re_two_period(
        replace(contrasts, change=c.change + moved),
        c.variance,
        WIDEST * level / _GRID_END,
        prior_scale=None,
        by_members=True,
    ).effect
    few = f"no p-value: fewer than {FEWEST_COMPARISONS} comparison organisations"
    return _scaled(interval, factor), few if comparisons < FEWEST_COMPARISONS else ""


def _scaled(found: Mixture, by: float) -> Mixture:
    return Mixture(
        estimate=found.estimate * by,
        sd=found.sd * by,
        ci80=(found.ci80[0] * by, found.ci80[1] * by),
        ci90=(found.ci90[0] * by, found.ci90[1] * by),
        ci95=(found.ci95[0] * by, found.ci95[1] * by),
        p=found.p,
        probability_below_zero=found.probability_below_zero,
    )


def adjusted(effects: pd.DataFrame) -> pd.DataFrame:
    """Effects with ``p_holm`` and ``p_bh``: adjusted over the measures of a family that have a p-value."""
    found = effects.assign(p_holm=math.nan, p_bh=math.nan)
    for _family, rows in effects.groupby("family", sort=False):
        known = rows.index[rows["p"].notna()]
        p = effects.loc[known, "p"].to_numpy(dtype=float)
        found.loc[known, "p_holm"] = holm(p)
        found.loc[known, "p_bh"] = benjamini_hochberg(p)
    return found


def holm(p: Sequence[float] | np.ndarray) -> np.ndarray:
    """Holm's step-down adjustment (S. Holm 1979): the chance of any false finding stays below the level.

    >>> holm([0.01, 0.04, 0.03]).round(4).tolist()
    [0.03, 0.06, 0.06]
    """
    return _stepped(p, lambda ordered: np.maximum.accumulate(ordered * np.arange(len(ordered), 0, -1)))


def benjamini_hochberg(p: Sequence[float] | np.ndarray) -> np.ndarray:
    """Benjamini and Hochberg's adjustment (1995): the expected share of false findings stays below the level.

    >>> benjamini_hochberg([0.01, 0.04, 0.03]).round(4).tolist()
    [0.03, 0.04, 0.04]
    """

    def stepped(ordered: np.ndarray) -> np.ndarray:
        scaled = ordered * len(ordered) / np.arange(1, len(ordered) + 1)
        return np.minimum.accumulate(scaled[::-1])[::-1]

    return _stepped(p, stepped)


def _stepped(p: Sequence[float] | np.ndarray, step: object) -> np.ndarray:
    values = np.asarray(p, dtype=float)
    if not len(values):
        return values
    order = np.argsort(values, kind="stable")
    found = np.empty(len(values))
    found[order] = np.minimum(step(values[order]), 1.0)  # type: ignore[operator]
    return found


def _framed(name: str, frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    parts = list(frames)
    if not parts:
        return no_rows(name)
    empty = no_rows(name)
    return pd.concat(parts, ignore_index=True)[list(empty.columns)].astype(empty.dtypes.to_dict())
