"""Triangles of a study → the development of each kind of service, for both arms together and for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from medhome.models.chain_ladder import LATEST, Development, develop
from medhome.models.twfe import ARMS
from medhome.study.spec import StudySpec
from medhome.study.triangles import Triangles


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """The development of one kind of service: of both arms together, and of each."""

    category: str
    triangle: np.ndarray
    pooled: Development
    own: Mapping[str, Development]

    def used(self, arm: str, separate: bool) -> Development:
        return self.own[arm] if separate else self.pooled


def ladder(triangles: Triangles, category: str, spec: StudySpec) -> Ladder:
    """How the cost of a kind of service grows with the months since service, by the study's rules."""

    def made(cumulative: np.ndarray) -> Development:
        return develop(
            cumulative,
            latest=LATEST if spec.completion.average == "last-12" else None,
            drop_high_low=spec.completion.drop_high_low,
            last_sigma=spec.completion.last_sigma,
            tail=spec.completion.tail_factor,
        )

    squares = {arm: cumulative(triangles, category, arm, spec) for arm in ARMS}
    both = squares["treated"] + squares["comparison"]
    return Ladder(
        category=category,
        triangle=both,
        pooled=made(both),
        own={arm: made(square) for arm, square in squares.items()},
    )


def cumulative(triangles: Triangles, category: str, arm: str, spec: StudySpec) -> np.ndarray:
    """The triangle of a kind of service in an arm: months analysed by lag, dollars, NaN where not yet seen.

    Lags end where the tail begins, or where the first month has been followed to.
    """
    months = np.array(spec.periods.analysed)
    last = min(spec.completion.tail_after_lags, triangles.paid_through - int(months[0]))
    frame = triangles.payments
    own = frame[(frame["category"] == category) & (frame["arm"] == arm) & (frame["lag"] <= last)]
    booked = np.zeros((len(months), last + 1), dtype=np.int64)
    row = np.searchsorted(months, own["month"].to_numpy())
    np.add.at(booked, (row, own["lag"].to_numpy()), own["allowed_cents"].to_numpy(dtype=np.int64))
    seen = months[:, None] + np.arange(last + 1) <= triangles.paid_through
    return np.where(seen, booked.cumsum(1) / 100, np.nan)


def growth_variance(development: Development, cut: int) -> float:
    """Estimation variance of ultimate cost over cost known at a lag."""
    return development.growth(cut) ** 2 * development.relative_variance(cut)
