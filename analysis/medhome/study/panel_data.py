"""PanelData: what every difference-in-differences estimator reads, whatever table it came from.

One row per unit and time (a balanced or unbalanced panel), or, where a unit and time have several rows, a
repeated cross-section of them. Rows are in the order of unit and time, so that the order of the user's file
cannot move a result.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

NEVER = np.inf
"""First treated time of a unit that is never treated."""


@dataclass(frozen=True, kw_only=True)
class PanelData:
    """A panel as arrays of N rows, checked and sorted by (unit, time).

    outcome: (N,). unit, cluster: (N,) positions in ``unit_labels`` and ``cluster_labels``. time: (N,)
    positions in ``times``, which ascend. first_treated: (N,) when the row's unit is first treated, in the
    units of ``times`` (`NEVER` for never treated; a time after the last one is never inside the data).
    treated: (N,) 0 or 1, whether the row is under treatment. weights: (N,) positive. covariates: (N, K).

    >>> data = PanelData(
    ...     outcome=np.array([1.0, 3.0, 1.0, 2.0]), unit=np.array([0, 0, 1, 1]), time=np.array([0, 1, 0, 1]),
    ...     times=np.array([2007.0, 2008.0]), first_treated=np.array([2008.0, 2008.0, NEVER, NEVER]),
    ...     treated=np.array([0.0, 1.0, 0.0, 0.0]), weights=np.ones(4), cluster=np.array([0, 0, 1, 1]),
    ...     unit_labels=("a", "b"), cluster_labels=("a", "b"))
    >>> data.balanced, data.cohorts.tolist()
    (True, [2008.0])
    """

    outcome: np.ndarray
    unit: np.ndarray
    time: np.ndarray
    times: np.ndarray
    first_treated: np.ndarray
    treated: np.ndarray
    weights: np.ndarray
    cluster: np.ndarray
    unit_labels: tuple[str, ...]
    cluster_labels: tuple[str, ...]
    covariates: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    covariate_names: tuple[str, ...] = ()
    outcome_name: str = "outcome"
    unit_name: str = "unit"
    time_name: str = "time"
    cluster_name: str = "unit"

    def __post_init__(self) -> None:
        if not self.covariate_names:
            object.__setattr__(self, "covariates", np.zeros((len(self.outcome), 0)))

    @property
    def rows(self) -> int:
        return len(self.outcome)

    @property
    def units(self) -> int:
        return len(self.unit_labels)

    @property
    def clusters(self) -> int:
        return len(self.cluster_labels)

    @property
    def group(self) -> np.ndarray:
        """(N,) whether the row's unit is ever treated at a time that the data hold."""
        return np.asarray(self.first_treated <= self.times[-1])

    @property
    def cohorts(self) -> np.ndarray:
        """First treated times of the units that are treated inside the data, ascending."""
        return np.unique(self.first_treated[self.group])

    @cached_property
    def one_row_each(self) -> bool:
        """Whether no unit has two rows at one time: a panel, not a repeated cross-section."""
        return len(np.unique(self.unit.astype(np.int64) * len(self.times) + self.time)) == self.rows

    @cached_property
    def balanced(self) -> bool:
        """Whether every unit has exactly one row at every time."""
        return self.one_row_each and self.rows == self.units * len(self.times)
