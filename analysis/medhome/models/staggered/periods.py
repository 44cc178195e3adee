"""The practice-months of a study in waves as a panel of practices by period.

A period is a quarter counted from the first start where every start falls on such a quarter, else a month: so
that no period is half under the program. Practices under the program from the first month analysed on are
left out, on both sides: they have no month before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from medhome.models.cells_panel import waves_panel
from medhome.models.twfe import PracticeMonths, TwoWayFit, fit_panel
from medhome.study.cells import Cells
from medhome.study.panel_data import PanelData
from medhome.study.problems import ModelRefusal
from medhome.study.spec import StudySpec

MONTHS_A_QUARTER = 3


@dataclass(frozen=True, kw_only=True)
class Staggered:
    """Practices (P) by month (T) and by period.

    fit: the two-way fit whose slopes take the covariates' part out. data: the panel; its units are the
    practices of the fit in their order. wave: (P,) month index of the start, 0 never. length: months a period
    has; anchor: month index in which period 0 begins; period: (T,) of each month.
    """

    fit: TwoWayFit
    data: PanelData
    wave: np.ndarray
    length: int
    anchor: int
    period: np.ndarray

    @classmethod
    def of(cls, cells: Cells, outcome: str, spec: StudySpec) -> Staggered:
        """Arrange cells with the key ``wave`` of the months analysed.

        Raises `ModelRefusal` when no wave has a month before its start, or an arm is empty.
        """
        frame = cells.frame
        first_month = int(frame["month"].min())
        wave = frame["wave"].to_numpy(dtype=int)
        inside = cells.where((wave == 0) | (wave > first_month))
        if not (inside.frame["wave"] > 0).any():
            raise ModelRefusal(
                "every practice of the program starts before the first month analysed: no group-time "
                "effect can be estimated; begin the baseline earlier"
            )
        panel = PracticeMonths.of(inside, outcome, spec.estimation.covariates)
        started = _of_practices(inside.frame, panel)
        starts = np.unique(started[started > 0])
        anchor = int(starts[0])
        length = MONTHS_A_QUARTER if ((starts - anchor) % MONTHS_A_QUARTER == 0).all() else 1
        period = (panel.months - anchor) // length
        fit = fit_panel(panel, {"effect": (panel.months >= anchor).astype(float)})
        data = waves_panel(fit, period, (started - anchor) // length)
        return cls(fit=fit, data=data, wave=started, length=length, anchor=anchor, period=period)

    @property
    def panel(self) -> PracticeMonths:
        return self.fit.panel

    def month_of(self, period: float) -> int:
        """The first month of a period."""
        return int(self.anchor + self.length * period)

    def by_month(self, weights: np.ndarray) -> np.ndarray:
        """Weights of practices' periods (K, P, periods) on their months (K, P, T).

        A period's cost is the member-weighted mean of its months.
        """
        into = (self.period[:, None] == self.data.times).astype(float)
        members = self.panel.members
        whole = (members @ into) @ into.T
        share = np.divide(members, whole, out=np.zeros_like(members), where=whole > 0)
        return np.asarray((weights @ into.T) * share)

    def untreated(self) -> np.ndarray:
        """(J, T) months before an organisation's first practice starts."""
        first = np.full(len(self.panel.organizations), np.iinfo(int).max)
        own = np.where(self.wave > 0, self.wave, np.iinfo(int).max)
        np.minimum.at(first, self.panel.organization, own)
        return np.asarray(self.panel.months < first[:, None])


def _of_practices(frame: pd.DataFrame, panel: PracticeMonths) -> np.ndarray:
    """(P,) the wave of each practice of the panel."""
    names = frame["organization_id"].astype(str).str.cat(frame["practice_id"].astype(str), sep="\x1f")
    known = dict(zip(names, frame["wave"].astype(int), strict=True))
    return np.array([known[p] for p in panel.practices])
