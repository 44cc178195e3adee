"""Quarter by quarter: the treated arm against the comparison arm, before and after the start.

One base for all quarters (the last before the start), so that a slow drift shows. Each coefficient is linear
in practice-months and gets its interval from the same random-effects pass as the headline. What the months
before the start can rule out is said as a range of slopes, never as "no difference".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from medhome.models.inference.mixture import Mixture
from medhome.models.twfe import PracticeMonths, TwoWayFit, twfe
from medhome.study.cells import Cells
from medhome.study.periods import event_quarter

MONTHS_A_YEAR = 12
NUMBERS = ("estimate", "se", "lo90", "hi90", "lo95", "hi95", "band_lo", "band_hi")


@dataclass(frozen=True, kw_only=True)
class Quarters:
    """Event quarters of a study.

    number: (Q,) ascending, 0 begins with the program start; reference: the last before the start; estimated:
    the others in which both arms have members; of_month: (T,) the quarter of each month.
    """

    number: tuple[int, ...]
    reference: int
    estimated: tuple[int, ...]
    of_month: np.ndarray

    @classmethod
    def of(cls, panel: PracticeMonths, start: int, first_post: int) -> Quarters:
        """Arrange the months of a panel; a first or last quarter may hold fewer than three months."""
        of_month = np.array([event_quarter(int(m), start) for m in panel.months])
        number = tuple(sorted(set(of_month.tolist())))
        seen = panel.members > 0
        both = {
            q
            for q in number
            if seen[panel.treated][:, of_month == q].any() and seen[~panel.treated][:, of_month == q].any()
        }
        before = [q for q in number if q in both and (panel.months[of_month == q] < first_post).all()]
        reference = max(before)
        estimated = tuple(q for q in number if q in both and q != reference)
        return cls(number=number, reference=reference, estimated=estimated, of_month=of_month)


def fit_quarters(
    cells: Cells, outcome: str, covariates: Sequence[str], quarters: Quarters, first_post: int
) -> TwoWayFit:
    """Two-way fixed effects with one coefficient for each estimated quarter."""
    profiles = {str(q): (quarters.of_month == q).astype(float) for q in quarters.estimated}
    return twfe(cells, outcome, covariates, first_post=first_post, profiles=profiles)


def fit_pre_trend(cells: Cells, outcome: str, covariates: Sequence[str], first_post: int) -> TwoWayFit | None:
    """Difference of the arms' slopes before the start, dollars PMPM a year; None with one month before."""
    month = cells.frame["month"].to_numpy(dtype=int)
    before = cells.where(month < first_post)
    months = np.unique(before.frame["month"].to_numpy(dtype=int))
    if len(months) < 2:
        return None
    profile = (months - months[0]) / MONTHS_A_YEAR
    return twfe(
        before, outcome, covariates, first_post=first_post, profiles={"slope before the start": profile}
    )


def table(
    quarters: Quarters, panel: PracticeMonths, found: Sequence[Mixture], band: np.ndarray
) -> pd.DataFrame:
    """Exhibit T7 (`DidResult.event_study`), with ``months``, the number of months that a quarter holds.

    band: (K, 2) of the estimated quarters, all at once.

    ``members`` is the largest number of treated members in a month of the quarter: at most as many as the
    quarter's different members.
    """
    effect = dict(zip(quarters.estimated, found, strict=True))
    held = dict(zip(quarters.estimated, band.tolist(), strict=True))
    records = []
    for q in quarters.number:
        inside = quarters.of_month == q
        exposure = panel.members[panel.treated][:, inside]
        record: dict[str, object] = {
            "quarter": q,
            "first_month": int(panel.months[inside].min()),
            "months": int(inside.sum()),
            "estimate": np.nan,
            "se": np.nan,
            "lo90": np.nan,
            "hi90": np.nan,
            "lo95": np.nan,
            "hi95": np.nan,
            "band_lo": np.nan,
            "band_hi": np.nan,
            "reference": q == quarters.reference,
            "member_months": float(exposure.sum()),
            "members": int(panel.rows[panel.treated][:, inside].sum(0).max()),
        }
        if q == quarters.reference:
            record |= dict.fromkeys(NUMBERS, 0.0)
        elif q in effect:
            m = effect[q]
            record |= {
                "estimate": m.estimate,
                "se": m.sd,
                "lo90": m.ci90[0],
                "hi90": m.ci90[1],
                "lo95": m.ci95[0],
                "hi95": m.ci95[1],
                "band_lo": held[q][0],
                "band_hi": held[q][1],
            }
        records.append(record)
    return pd.DataFrame(records)
