"""Does the program lose, or keep, other members than the comparison practices do? Exhibit T18's test.

Two changes from baseline to performance, treated less comparison: of the rate at which members leave, and of
the frozen expected cost of those who are there, which moves only when other members are there. Organisations
are the units. Source: `docs/methods.md`, selection.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from medhome.models.inference.contrasts import Contrasts
from medhome.models.inference.mixture import Mixture
from medhome.models.inference.recommend import FEWEST_COMPARISONS
from medhome.models.inference.two_period import re_two_period
from medhome.study.cells import Cells
from medhome.study.spec import StudySpec

WIDEST = 1.0
"""Organisations' own changes may spread by up to this share of the mean rate, all spreads alike probable."""

COMPOSITION_WIDEST = 0.5
GRID_END = 0.20  # of `two_period.re_two_period`, as a share of the mean that it is given
_COLUMNS = ["outcome", "label", "unit", "estimate", "se", "lo90", "hi90", "lo95", "hi95", "p"]
PER = 1000


def exits(organizations: pd.DataFrame) -> pd.DataFrame:
    """Leaving by arm and period: `Selection.exits`.

    Arguments
        organizations: one row per organisation, arm and period: ``member_months``, ``left``.
    """
    sums = organizations.groupby(["arm", "period"], sort=True)[["left", "member_months"]].sum().reset_index()
    sums = sums.sort_values(["arm", "period"], ascending=[False, True], ignore_index=True)
    months = sums["member_months"].to_numpy(dtype=float)
    rate = np.divide(PER * sums["left"].to_numpy(dtype=float), months, out=np.full(len(sums), np.nan),
                     where=months > 0)  # fmt: skip
    return pd.DataFrame(
        {
            "arm": sums["arm"],
            "period": sums["period"],
            "members": sums["left"].astype("int64"),
            "member_months": months,
            "per_1000": rate,
        }
    )


def effects(organizations: pd.DataFrame, cells: Cells, spec: StudySpec) -> pd.DataFrame:
    """`Selection.effects`: does leaving, and does who is there, change otherwise in the treated arm?

    Arguments
        organizations: one row per organisation, arm and period: ``member_months``, ``members`` (mean a
            month), ``left``, ``died``, ``entered``.
        cells: the study's cells, with the moments of ``expected``.

    One row per outcome. The interval is that of random effects on the organisations' changes
    (`inference.two_period`), whose sampling variance is known from counts of members and whose own spread has
    a flat prior; no p-value with fewer than `FEWEST_COMPARISONS` comparison organisations, no interval with
    fewer than two, or none treated, on both sides of the start.
    """
    sides = _both_sides(organizations, cells, spec)
    frame = pd.DataFrame([exit_rate(sides), composition(sides)])
    return frame[[*_COLUMNS, "organizations", "note"]]


@dataclass(frozen=True, kw_only=True)
class Sides:
    """Organisations with members at risk before and after the start, for `exit_rate` and `composition`.

    treated: (J,) true in the program. All else (J, 2), baseline and performance: months: member-months at
    risk; members: mean a month; left; moved: left, died or entered; expected: mean frozen expected cost,
    dollars PMPM; spread: its variance between member-months.
    """

    treated: np.ndarray
    months: np.ndarray
    members: np.ndarray
    left: np.ndarray
    moved: np.ndarray
    expected: np.ndarray
    spread: np.ndarray


def _both_sides(organizations: pd.DataFrame, cells: Cells, spec: StudySpec) -> Sides:
    keys = ["organization_id", "arm", "period"]
    after = cells.frame["month"].to_numpy() >= spec.periods.performance.first
    scored = cells.relabel(period=np.where(after, "performance", "baseline").tolist()).by(*keys)
    mean = scored.mean("expected")
    square = scored.total("expected", "expected") / np.maximum(scored.member_months, 1e-9)
    known = scored.frame[keys].assign(expected=mean, spread=np.maximum(square - mean**2, 0.0))
    rows = organizations.merge(known, on=keys)
    rows = rows[rows["member_months"] > 0].assign(moved=rows["left"] + rows["died"] + rows["entered"])
    before, later = (rows[rows["period"] == p] for p in ("baseline", "performance"))
    pairs = before.merge(later, on=["organization_id", "arm"], suffixes=("_0", "_1"))

    def both(name: str) -> np.ndarray:
        return pairs[[f"{name}_0", f"{name}_1"]].to_numpy(dtype=float)

    return Sides(
        treated=(pairs["arm"] == "treated").to_numpy(),
        months=both("member_months"),
        members=both("members"),
        left=both("left"),
        moved=both("moved"),
        expected=both("expected"),
        spread=both("spread"),
    )


def exit_rate(sides: Sides) -> dict[str, object]:
    """The row of `Selection.effects` on leaving per 1,000 member-months."""
    label, unit = "Members leaving, per 1,000 member-months", "per 1,000 member-months"
    rate = PER * sides.left / sides.months
    # Counts of leaving vary as Poisson counts do, at the period's rate over all organisations.
    months = np.maximum(sides.months.sum(0), 1e-9)
    variance = (PER**2 * sides.left.sum(0) / months / sides.months).sum(1)
    overall = PER * float(sides.left.sum() / months.sum())
    return _estimated("exit_rate", label, unit, sides, rate[:, 1] - rate[:, 0], variance, WIDEST * overall)


def composition(sides: Sides) -> dict[str, object]:
    """The row of `Selection.effects` on the frozen expected cost of those who are there."""
    label, unit = "Frozen expected cost of those who are there", "USD PMPM"
    change = sides.expected[:, 1] - sides.expected[:, 0]
    # k of n members replaced at random move a mean by k members' worth of spread over n, squared.
    variance = sides.spread[:, 0] * np.maximum(sides.moved.sum(1), 1.0) / sides.members.prod(1)
    before = sides.members[:, 0]
    overall = abs(float(sides.expected[:, 0] @ before / max(before.sum(), 1e-9)))
    return _estimated("composition", label, unit, sides, change, variance, COMPOSITION_WIDEST * overall)


def _estimated(
    outcome: str,
    label: str,
    unit: str,
    sides: Sides,
    change: np.ndarray,
    variance: np.ndarray,
    widest: float,
) -> dict[str, object]:
    treated, count = sides.treated, len(sides.treated)
    comparisons = int((~treated).sum())
    if not treated.any() or not comparisons:
        why = "an arm has no organisation with members on both sides of the start"
        return _row(outcome, label, unit, None, count, why)
    c = Contrasts(
        change=change,
        members=sides.members.mean(1),
        treated=treated,
        months=2,
        shares=np.array([-1.0, 1.0]),
    )
    if comparisons < 2 or not (variance > 0).all() or widest <= 0:
        why = (
            "too few comparison organisations for an interval"
            if comparisons < 2
            else "no variation between members: no interval"
        )
        return _row(outcome, label, unit, None, count, why) | {"estimate": c.effect()}
    found = re_two_period(c, variance, widest / GRID_END, prior_scale=None).effect
    few = comparisons < FEWEST_COMPARISONS
    note = f"no p-value: fewer than {FEWEST_COMPARISONS} comparison organisations" if few else ""
    row = _row(outcome, label, unit, found, count, note)
    return row | {"p": float("nan")} if few else row


def _row(
    outcome: str, label: str, unit: str, found: Mixture | None, organizations: int, note: str
) -> dict[str, object]:
    nan = float("nan")
    values = (
        dict.fromkeys(_COLUMNS[3:], nan)
        if found is None
        else {
            "estimate": found.estimate,
            "se": found.sd,
            "lo90": found.ci90[0],
            "hi90": found.ci90[1],
            "lo95": found.ci95[0],
            "hi95": found.ci95[1],
            "p": found.p,
        }
    )
    return {
        "outcome": outcome,
        "label": label,
        "unit": unit,
        **values,
        "organizations": organizations,
        "note": note,
    }
