"""Cost and frozen risk of both arms by rate cell and month, and the definitions that are functions of them.

Expected costs E1, E1b, E4 and E5 (`docs/methods.md`, definitions of expected) are smooth functions of the
same sums. Written once, for arrays with any leading dimensions, they give the estimate, its gradient (the
weights of an interval) and thousands of bootstrap draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from medhome.models.arm_means import ARMS, OUTCOME
from medhome.study.cells import Cells
from medhome.study.spec import StudySpec

_STEP = 1e-30
"""Complex step of a derivative: exact to rounding, since nothing is subtracted."""


class BaseYearsDiffer(ValueError):
    """A contract's weights are not as many as the base years that the study has."""


@dataclass(frozen=True, kw_only=True)
class ArmMonths:
    """Sums over member-months: arrays (..., 2, S, T) of arms (treated, comparison), rate cells and months.

    exposure: member-months; cost: dollars; risk: dollars of frozen expected cost. months: (T,) indices;
    after: (T,) true from the first performance month; start: first month of the program; rate_cells: S names.
    """

    exposure: np.ndarray
    cost: np.ndarray
    risk: np.ndarray
    months: np.ndarray
    after: np.ndarray
    start: int
    rate_cells: tuple[str, ...]

    def mean(self, sums: np.ndarray, arm: int, side: np.ndarray) -> np.ndarray:
        """(...) sums per member-month of an arm over the months of a side, all rate cells together."""
        total, n = (_over(values[..., arm, :, :], side).sum(-1) for values in (sums, self.exposure))
        return _ratio(total, n)


@dataclass(frozen=True, kw_only=True)
class Carried:
    """Arrays (...) of expected and actual PMPM under a definition, and what its baseline was carried by."""

    expected: np.ndarray
    actual: np.ndarray
    baseline: np.ndarray
    trend: np.ndarray
    risk: np.ndarray

    @property
    def difference(self) -> np.ndarray:
        return self.actual - self.expected


Definition = Callable[[ArmMonths], Carried]


def by_practice(cells: Cells, spec: StudySpec) -> tuple[ArmMonths, np.ndarray]:
    """The sums of each practice alone, (P, 2, S, T) with zeros in the other arm, and which is treated (P,).

    Practices are in the order of arm, organisation and practice.
    """
    frame = cells.frame
    names, p = np.unique(sites_of(frame).to_numpy(dtype=str), return_inverse=True)
    rate_cells, s = np.unique(frame["stratum"].to_numpy(dtype=str), return_inverse=True)
    months, t = np.unique(frame["month"].to_numpy(dtype=int), return_inverse=True)
    arm = (frame["arm"] != ARMS[0]).to_numpy(dtype=int)
    shape = (len(names), 2, len(rate_cells), len(months))

    def spread(values: np.ndarray) -> np.ndarray:
        out = np.zeros(shape)
        np.add.at(out, (p, arm, s, t), values)
        return out

    sums = ArmMonths(
        exposure=spread(cells.member_months),
        cost=spread(cells.total(OUTCOME)),
        risk=spread(cells.total("expected")),
        months=months,
        after=months >= spec.periods.performance.first,
        start=spec.periods.start_month,
        rate_cells=tuple(rate_cells.tolist()),
    )
    return sums, np.array([name.startswith(f"{ARMS[0]}\x1f") for name in names])


def summed(sums: ArmMonths, counts: np.ndarray | None = None) -> ArmMonths:
    """Practices added up, (2, S, T); with counts (R, P) how often each is in a draw, (R, 2, S, T)."""
    drawn = {}
    for name in ("exposure", "cost", "risk"):
        values = getattr(sums, name)
        if counts is None:
            drawn[name] = values.sum(0)
        else:
            flat = counts.astype(float) @ values.reshape(len(values), -1)
            drawn[name] = flat.reshape(len(counts), *values.shape[1:])
    return replace(sums, **drawn)


def places(cells: Cells, practices: Sequence[str]) -> np.ndarray:
    """Which practice of `by_practice` each of a fit's practices is (organisation and practice, joined)."""
    at = {name.split("\x1f", 1)[1]: i for i, name in enumerate(site_labels(cells.frame).tolist())}
    return np.array([at[p] for p in practices])


def site_labels(frame: pd.DataFrame) -> np.ndarray:
    """(P,) arm, organisation and practice, joined, in the order of `by_practice`."""
    return np.unique(sites_of(frame).to_numpy(dtype=str))


def sites_of(frame: pd.DataFrame) -> pd.Series:
    """Arm, organisation and practice of each row, joined."""
    one, two, three = (frame[c].astype(str) for c in ("arm", "organization_id", "practice_id"))
    return one.str.cat(two, sep="\x1f").str.cat(three, sep="\x1f")


def cost_of(cells: Cells, variable: str, like: ArmMonths) -> np.ndarray:
    """(2, S, T) dollars of another variable of cells that have the same keys as those of ``like``."""
    frame = cells.frame
    arm = (frame["arm"] != ARMS[0]).to_numpy(dtype=int)
    s = np.searchsorted(np.array(like.rate_cells), frame["stratum"].to_numpy(dtype=str))
    t = np.searchsorted(like.months, frame["month"].to_numpy(dtype=int))
    out = np.zeros(like.cost.shape)
    np.add.at(out, (arm, s, t), cells.total(variable))
    return out


def of_study(cells: Cells, spec: StudySpec) -> ArmMonths:
    """The sums of a study."""
    return summed(by_practice(cells, spec)[0])


def e1(x: ArmMonths) -> Carried:
    """``A_T0 * (A_C1/A_C0) * rho``: own baseline, the comparison arm's trend, the growth of frozen risk."""
    before, after = ~x.after, x.after
    A = {(a, t): x.mean(x.cost, a, side) for a in (0, 1) for t, side in enumerate((before, after))}
    R = {(a, t): x.mean(x.risk, a, side) for a in (0, 1) for t, side in enumerate((before, after))}
    trend, rho = A[1, 1] / A[1, 0], (R[0, 1] / R[0, 0]) / (R[1, 1] / R[1, 0])
    return Carried(expected=A[0, 0] * trend * rho, actual=A[0, 1], baseline=A[0, 0], trend=trend, risk=rho)


def e5_level(x: ArmMonths) -> Carried:
    """``A_C1 * R_T1/R_C1``: the comparison arm's cost at the treated arm's frozen risk."""
    ratio = x.mean(x.risk, 0, x.after) / x.mean(x.risk, 1, x.after)
    level = x.mean(x.cost, 1, x.after)
    return Carried(
        expected=level * ratio,
        actual=x.mean(x.cost, 0, x.after),
        baseline=x.mean(x.cost, 0, ~x.after),
        trend=np.full_like(ratio, np.nan),
        risk=ratio,
    )


def e1b(x: ArmMonths, trend_share: float) -> Carried:
    """``A_T0 * (1+g)^years * R_T1/R_T0``, with the same calendar months in both periods.

    Baseline months are weighted until each calendar month has the share of member-months that it has after
    the start, so that a season is never compared with another; calendar months that one period lacks are
    left out of both. Years lie between the mean months of both periods, so weighted.
    """
    calendar = np.equal.outer(np.arange(12), x.months % 12).astype(float)
    sides = {t: (calendar * side).T for t, side in enumerate((~x.after, x.after))}
    own = {name: getattr(x, name)[..., 0, :, :].sum(-2) for name in ("exposure", "cost", "risk")}
    n = {t: own["exposure"] @ side for t, side in sides.items()}
    both = (n[0] > 0) & (n[1] > 0)
    share = np.where(both, n[1], 0.0)
    share = _ratio(share, share.sum(-1, keepdims=True))

    def standard(values: np.ndarray, t: int) -> np.ndarray:
        return (share * _ratio(values @ sides[t], n[t])).sum(-1)

    when = {t: standard(own["exposure"] * x.months, t) for t in (0, 1)}
    A, R = ({t: standard(own[name], t) for t in (0, 1)} for name in ("cost", "risk"))
    growth = (1 + trend_share) ** ((when[1] - when[0]) / 12)
    risk = _ratio(R[1], R[0])
    nothing = ~both.any(-1)
    expected = np.where(nothing, np.nan, A[0] * growth * risk)
    return Carried(expected=expected, actual=A[1], baseline=A[0], trend=growth, risk=risk)


def e4(
    x: ArmMonths, weights: list[float], update: str, trend_share: float | None, risk_cap_share: float
) -> Carried:
    """The benchmark of a contract: base years, by rate cell, updated, at a capped ratio of risk.

    ``sum over rate cells of share * sum over base years of weight * A_T * update * risk ratio``. Shares are
    those of the performance period's member-months. Base years are twelve months each, counted back from the
    start. The update is the comparison arm's growth in the rate cell (or ``(1+g)^years``), the risk ratio
    the growth of frozen risk in the rate cell over the comparison arm's (its own with an external update),
    held within one plus or minus the cap. A rate cell without members in a base year has the arm's mean.

    Raises `BaseYearsDiffer` where the number of weights is not that of the base years.
    """
    years_back = (x.start - 1 - x.months) // 12
    base = sorted({int(k) for k in years_back[~x.after]}, reverse=True)
    weights = weights or [1.0] * len(base)
    if len(weights) != len(base):
        raise BaseYearsDiffer(
            f"expected.base_year_weights has {len(weights)} weights, and the baseline {len(base)} years"
        )
    n1 = _over(x.exposure, x.after)
    share = _ratio(n1[..., 0, :], n1[..., 0, :].sum(-1, keepdims=True))
    A1, R1 = (_filled(x, sums, x.after) for sums in (x.cost, x.risk))
    total, flat, mean_risk = (np.zeros(()) for _ in range(3))
    weight_sum = float(sum(weights))
    for k, weight in zip(base, weights, strict=True):
        year = ~x.after & (years_back == k)
        A0, R0 = (_filled(x, sums, year) for sums in (x.cost, x.risk))
        growth = _ratio(R1, R0)
        if update == "comparison":
            updated, risk = _ratio(A1[..., 1, :], A0[..., 1, :]), _ratio(growth[..., 0, :], growth[..., 1, :])
        else:
            years = (_middle(x, x.after) - _middle(x, year)) / 12
            updated, risk = ((1 + (trend_share or 0.0)) ** years)[..., None], growth[..., 0, :]
        held = np.clip(risk, 1 - risk_cap_share, 1 + risk_cap_share)
        own, carried = share * A0[..., 0, :], share * A0[..., 0, :] * updated
        part = weight / weight_sum
        flat, total = flat + part * own.sum(-1), total + part * (carried * held).sum(-1)
        mean_risk = mean_risk + part * _ratio((carried * held).sum(-1), carried.sum(-1))
    return Carried(
        expected=total,
        actual=x.mean(x.cost, 0, x.after),
        baseline=flat,
        trend=_ratio(total, flat * mean_risk),
        risk=mean_risk,
    )


def gradient(definition: Definition, x: ArmMonths) -> np.ndarray:
    """(2, S, T) how a definition's difference moves with each dollar of a month's cost, exact to rounding."""
    shape = x.cost.shape
    steps = np.eye(int(np.prod(shape))).reshape(-1, *shape) * (1j * _STEP)
    return (definition(replace(x, cost=x.cost + steps)).difference.imag / _STEP).reshape(shape)


def definitions_of(spec: StudySpec) -> Mapping[str, Definition]:
    """The definitions that are functions of these sums, as a study declares them; E1b only with its trend."""
    choice = spec.expected
    found: dict[str, Definition] = {"E1": e1, "E5_level": e5_level}
    if choice.external_trend_share is not None:
        share = choice.external_trend_share
        found["E1b"] = lambda x: e1b(x, share)
    found["E4"] = lambda x: e4(
        x, choice.base_year_weights, choice.update, choice.external_trend_share, choice.risk_ratio_cap_share
    )
    return found


def _over(sums: np.ndarray, side: np.ndarray) -> np.ndarray:
    """(..., S) sums over the months of a side."""
    return sums[..., side].sum(-1)


def _filled(x: ArmMonths, sums: np.ndarray, side: np.ndarray) -> np.ndarray:
    """(..., 2, S) means of the rate cells over the months of a side; the arm's mean where a cell is empty."""
    n, total = _over(x.exposure, side), _over(sums, side)
    whole = _ratio(total.sum(-1, keepdims=True), n.sum(-1, keepdims=True))
    return np.where(n > 0, _ratio(total, n), whole)


def _middle(x: ArmMonths, side: np.ndarray) -> np.ndarray:
    """(...) mean month of the treated arm's member-months of a side."""
    n = x.exposure[..., 0, :, :].sum(-2)
    return _ratio((n * x.months)[..., side].sum(-1), n[..., side].sum(-1))


def _ratio(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """top / bottom, zero where there is nothing below the line."""
    top, bottom = np.broadcast_arrays(top, bottom)
    seen = bottom != 0
    out = np.zeros(top.shape, dtype=np.result_type(top, bottom, float))
    return np.divide(top, bottom, out=out, where=seen)
