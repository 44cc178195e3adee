"""One band for several effects: the intervals of a family, widened alike until they hold all at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from medhome.models.inference.mixture import Mixture
from medhome.models.panels.multiplier import critical_value


def band(effects: Sequence[Mixture], covariance: np.ndarray, seed: int) -> np.ndarray:
    """(K, 2) ends of the band that holds all of these effects with 95%.

    Their own intervals, widened by c / 1.96, c the quantile of the largest absolute normal variable with
    their covariance (K, K); never narrower than the intervals.
    """
    value, vector = np.linalg.eigh(covariance)
    root = np.sqrt(np.maximum(value, 0.0))[:, None] * vector.T
    root[:, np.diag(covariance) <= 0] = 0.0
    c, _ = critical_value(root, "gaussian", 0.95, seed=seed)
    factor = 1.0 if not np.isfinite(c) else max(1.0, c / float(stats.norm.ppf(0.975)))
    ends = np.array([e.ci95 for e in effects])
    centre = np.array([e.estimate for e in effects])[:, None]
    return np.asarray(centre + factor * (ends - centre))
