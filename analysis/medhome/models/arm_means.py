"""Mean cost and frozen risk of both arms in both periods, and what follows from these eight numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from medhome.study.cells import Cells
from medhome.study.problems import ModelRefusal
from medhome.study.spec import StudySpec

OUTCOME = "allowed_capped"
ARMS = ("treated", "comparison")


@dataclass(frozen=True, kw_only=True)
class Means:
    """Member-month means by arm and period: A cost and R frozen expected cost, dollars PMPM.

    Keys are ``("treated", 0)`` and so on, 0 the baseline and 1 the performance period.
    """

    A: Mapping[tuple[str, int], float]
    R: Mapping[tuple[str, int], float]
    member_months: Mapping[tuple[str, int], float]

    @property
    def trend(self) -> float:
        """The comparison arm's cost, performance over baseline."""
        return self.A["comparison", 1] / self.A["comparison", 0]

    @property
    def rho(self) -> float:
        """How much more the treated arm's frozen risk grew than the comparison arm's."""
        treated = self.R["treated", 1] / self.R["treated", 0]
        return treated / (self.R["comparison", 1] / self.R["comparison", 0])

    @property
    def e1(self) -> float:
        """Trended risk-adjusted baseline: ``A_T0 * (A_C1/A_C0) * rho``."""
        return self.A["treated", 0] * self.trend * self.rho


def means(cells: Cells, spec: StudySpec, variable: str = OUTCOME) -> Means:
    """Mean cost and mean frozen risk of both arms in both periods.

    Raises `ModelRefusal` naming the arm and period that has no member-months.
    """
    frame = cells.frame
    month = frame["month"].to_numpy(dtype=int)
    A, R, exposure = {}, {}, {}
    for arm in ARMS:
        for period, span in enumerate((spec.periods.baseline, spec.periods.performance)):
            mask = (frame["arm"] == arm).to_numpy() & (month >= span.first) & (month < span.end)
            part = cells.where(mask)
            weight = part.member_months.sum()
            if not weight > 0:
                raise ModelRefusal(
                    f"expected cost: the {arm} arm has no member-months from {span}; check arms and periods "
                    f"in the study file"
                )
            exposure[arm, period] = float(weight)
            A[arm, period] = math.fsum(part.total(variable)) / weight
            R[arm, period] = math.fsum(part.total("expected")) / weight
    return Means(A=A, R=R, member_months=exposure)
