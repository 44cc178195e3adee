"""Every group-time effect and average of a study in waves, with an interval that allows for shocks of whole
organisations, and simultaneous bands from the same variances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from medhome.models.inference.member_covariance import member_covariance
from medhome.models.inference.mixture import Mixture
from medhome.models.inference.untreated_months import untreated_months
from medhome.models.linear_effects import baseline_mean
from medhome.models.panels.group_time import group_time_effects
from medhome.models.panels.group_time_cells import GroupTime
from medhome.models.pre_trend import shocks
from medhome.models.simultaneous import band
from medhome.models.staggered.group_time_weights import Averages, averages, cell_weights
from medhome.models.staggered.periods import Staggered
from medhome.study.cells import MonthPairs
from medhome.study.pre_trend_results import pre_trend_tests
from medhome.study.spec import StudySpec

CONTROL = "not-yet"
MONTHS_A_YEAR = 12
KINDS = {"event_time": "dynamic", "group": "group", "time": "calendar"}
"""The kinds of `Waves.averages` by the key of `panels.aggregation`."""


@dataclass(frozen=True, kw_only=True)
class Effects:
    """What the group-time estimator found: frames of `study.wave_results.Waves`, and its cells.

    slope: of the times before the own start, dollars PMPM per year; None with one such time or none."""

    cells: GroupTime
    effects: pd.DataFrame
    averages: pd.DataFrame
    tests: pd.DataFrame
    slope: Mixture | None


def group_time(found: Staggered, pairs: MonthPairs, spec: StudySpec) -> Effects:
    """Group-time effects against practices not yet under the program, and their averages.

    Raises `ModelRefusal` where no wave has a period before it, or the variance cannot be learnt.
    """
    panel = found.panel
    cells = group_time_effects(found.data, control=CONTROL)
    own = cell_weights(found.data, cells, CONTROL)
    mixed = averages(cells)
    before, years = _before(found, mixed)
    # The slope of a straight line through the base: one more average of the same cells.
    line = years @ mixed.weights[before] / max(float(years @ years), 1e-12)
    combined = np.concatenate([mixed.weights, line[None]])
    by_period = np.concatenate([own, np.tensordot(combined, own, axes=1)])
    weights = found.by_month(by_period)
    estimates = np.concatenate([cells.estimate, combined @ cells.estimate])
    covariance = member_covariance(pairs, panel.months).matrix
    seen = panel.members > 0
    scaled = np.where(seen, weights / np.sqrt(np.where(seen, panel.members, 1.0)), 0.0)
    members = panel.by_organization(panel.members)
    total = panel.by_organization(panel.members * found.fit.adjusted)
    interval = untreated_months(
        np.divide(total, members, out=np.zeros_like(total), where=members > 0),
        members,
        found.untreated(),
        covariance,
        baseline_mean(panel, spec),
        months=panel.months,
        weights=panel.by_organization(weights),
        estimates=estimates,
        sampling_covariance=np.einsum("kpt,lpt->kl", scaled @ covariance, scaled),
        prior_scale=spec.estimation.prior_scale_share,
    )
    count = len(cells.group)
    bands = {
        rows: band([interval.effects[r] for r in rows], interval.covariance[np.ix_(rows, rows)], spec.seed)
        for rows in _families(count, mixed)
    }
    held = np.full((len(estimates), 2), np.nan)
    for rows, ends in bands.items():
        held[list(rows)] = ends
    numbers = _numbers(estimates, interval.effects, held)
    return Effects(
        cells=cells,
        effects=_effects(found, cells, numbers.iloc[:count].reset_index(drop=True)),
        averages=_averages(found, cells, mixed, numbers.iloc[count:-1].reset_index(drop=True)),
        tests=_joint(estimates, interval.covariance, count + before, years),
        slope=interval.effects[-1] if len(before) else None,
    )


def _before(found: Staggered, mixed: Averages) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the averages by time since the start that are before it and no base, and years to the base."""
    key, dynamic = np.array(mixed.key), np.array([KINDS.get(k) == "dynamic" for k in mixed.kind])
    rows = np.flatnonzero(dynamic & (key < 0) & ~np.array(mixed.reference, dtype=bool))
    return rows, (key[rows] + 1) * found.length / MONTHS_A_YEAR


def _joint(
    estimates: np.ndarray, covariance: np.ndarray, rows: np.ndarray, years: np.ndarray
) -> pd.DataFrame:
    """``pre_trend_tests`` of the times before the own start."""
    if not len(rows):
        return pre_trend_tests()
    return pre_trend_tests([shocks(estimates[rows], covariance[np.ix_(rows, rows)], years)])


def _families(count: int, mixed: Averages) -> list[tuple[int, ...]]:
    """Which estimates share a band: the group-time effects, and the rows of each kind of average."""
    kinds = np.array(mixed.kind)
    own = [tuple(range(count))]
    rows = np.isfinite(mixed.key)
    return own + [tuple((count + np.flatnonzero(rows & (kinds == k))).tolist()) for k in KINDS]


def _numbers(estimates: np.ndarray, effects: tuple[Mixture, ...], band: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "estimate": estimates,
            "se": [m.sd for m in effects],
            "lo90": [m.ci90[0] for m in effects],
            "hi90": [m.ci90[1] for m in effects],
            "lo95": [m.ci95[0] for m in effects],
            "hi95": [m.ci95[1] for m in effects],
            "band_lo": band[:, 0],
            "band_hi": band[:, 1],
        }
    )


def _effects(found: Staggered, cells: GroupTime, numbers: pd.DataFrame) -> pd.DataFrame:
    """`Waves.effects`: one row per wave and period."""
    keys = pd.DataFrame(
        {
            "wave": [found.month_of(g) for g in cells.group],
            "first_month": [found.month_of(t) for t in cells.time],
            "since_start": (cells.time - cells.group).astype(int),
        }
    )
    counts = pd.DataFrame(
        {
            "reference": cells.reference,
            "members": [_members(found, [g], t) for g, t in zip(cells.group, cells.time, strict=True)],
        }
    )
    return pd.concat([keys, numbers, counts], axis=1)


def _averages(found: Staggered, cells: GroupTime, mixed: Averages, numbers: pd.DataFrame) -> pd.DataFrame:
    """`Waves.averages`: the four overall ones, and each kind's rows."""
    records = []
    for kind, key, weights, reference in zip(
        mixed.kind, mixed.key, mixed.weights, mixed.reference, strict=True
    ):
        inside = weights != 0
        waves = np.unique(cells.group[inside])
        months = {float(t) for t in cells.time[inside]}
        by_row = bool(np.isfinite(key))
        shown = found.month_of(key) if by_row and kind != "event_time" else 0
        records.append(
            {
                "kind": KINDS[kind] if by_row else f"overall:{kind}",
                "key": int(key) if by_row else 0,
                "first_month": shown,
                "reference": reference,
                "waves": len(waves),
                "members": max(_members(found, waves, t) for t in months),
            }
        )
    keys = pd.DataFrame(records)
    left, right = keys[["kind", "key", "first_month"]], keys[["reference", "waves", "members"]]
    return pd.concat([left, numbers, right], axis=1)


def _members(found: Staggered, waves: list[float] | np.ndarray, time: float) -> int:
    """The most members in one month of a period that practices of these waves have."""
    own = np.isin(found.wave, [found.month_of(g) for g in waves])
    inside = found.period == time
    return int(found.panel.rows[own][:, inside].sum(0).max(initial=0))
