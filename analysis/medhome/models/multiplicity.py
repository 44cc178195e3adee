"""Many questions at once: p-values adjusted together, so that the luckiest of them is no finding."""

from __future__ import annotations

import numpy as np


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's adjusted p-values: the chance of any false alarm among all; NaN stays and does not count.

    Holm 1979, Scandinavian Journal of Statistics 6:65-70.

    >>> holm(np.array([0.01, 0.04, 0.03, np.nan])).tolist()
    [0.03, 0.06, 0.06, nan]
    """
    return _stepped(p, lambda rank, m: m - rank + 1.0, np.maximum.accumulate)


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """Benjamini and Hochberg's: the expected share of false findings among findings; NaN stays.

    Benjamini and Hochberg 1995, Journal of the Royal Statistical Society B 57:289-300.

    >>> benjamini_hochberg(np.array([0.01, 0.04, 0.03, np.nan])).round(4).tolist()
    [0.03, 0.04, 0.04, nan]
    """
    return _stepped(p, lambda rank, m: m / rank, lambda x: np.minimum.accumulate(x[::-1])[::-1])


def _stepped(p: np.ndarray, factor, accumulate) -> np.ndarray:  # type: ignore[no-untyped-def]
    p = np.asarray(p, dtype=float)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    m = len(order)
    found = np.full(len(p), np.nan)
    found[order] = np.minimum(accumulate(p[order] * factor(np.arange(1, m + 1), m)), 1.0)
    return found
