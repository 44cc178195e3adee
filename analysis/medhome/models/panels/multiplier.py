"""Which band holds every effect of a family at once, not each alone?

A simultaneous band is estimate plus or minus c times standard error, c the quantile of the largest absolute
t over the family. Three conventions give three values of c (12 cells of the minimum-wage data: 2.83, 2.72,
2.68), so the one in use is named in the result:

* ``gaussian`` (default): the largest of normal variables with the estimated correlation, the plug-in
  sup-t band of Montiel Olea and Plagborg-Moller (2019). It depends on the data through covariances only.
* ``rademacher``: influence functions of clusters times random signs, divided by the analytic standard error.
  Signs bound each cluster's part, so that a few large clusters thin the tails and narrow the band.
* ``rademacher-iqr``: the same draws divided by their own interquartile range over that of the normal, as R
  ``did`` does (Callaway and Sant'Anna 2021, algorithm 1).
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from medhome.study.problems import ModelRefusal

CONVENTIONS = ("gaussian", "rademacher", "rademacher-iqr")
STEP = 41
"""The step of the seed sequence that these draws belong to."""
BLOCK = 250_000


def critical_value(
    parts: np.ndarray, convention: str = "gaussian", level: float = 0.95, draws: int = 9_999, seed: int = 1
) -> tuple[float, np.ndarray]:
    """c of the simultaneous band and the (k,) standard errors that it multiplies.

    parts: (G, k) each cluster's part in each of k estimates (influence functions summed within clusters and
    divided by n), so that standard errors are roots of column sums of squares. Columns of zeros (a reference
    period) are left out of the family.

    >>> c, se = critical_value(np.eye(400)[:, :1] - np.eye(400)[:, 1:2], "gaussian", draws=99_999)
    >>> round(c, 1)
    2.0
    """
    if convention not in CONVENTIONS:
        raise ModelRefusal(f"bands are one of {', '.join(CONVENTIONS)}, not {convention!r}")
    se = np.sqrt((parts**2).sum(axis=0))
    kept = se > 0
    if not kept.any():
        return float("nan"), se
    z = parts[:, kept] / se[kept]
    rng = np.random.default_rng([seed, STEP])
    if convention == "gaussian":
        # A root of the correlation matrix by its eigenvectors: it may be singular (G below k).
        value, vector = np.linalg.eigh(z.T @ z)
        root = (vector * np.sqrt(np.maximum(value, 0))) @ vector.T
        t = _blocks(rng, draws, root, signs=False)
    else:
        t = _blocks(rng, draws, z, signs=True)
    if convention == "rademacher-iqr":
        low, high = np.quantile(t, (0.25, 0.75), axis=0)
        scale = (high - low) / (2 * stats.norm.ppf(0.75))
        se = se.copy()
        se[kept] *= scale
        t = t / scale
    return float(np.quantile(np.abs(t).max(axis=1), level)), se


def _blocks(rng: np.random.Generator, draws: int, z: np.ndarray, signs: bool) -> np.ndarray:
    """(draws, k) random combinations of the rows of z, in blocks that bound memory."""
    rows = max(1, BLOCK * 8 // max(1, len(z)))
    out = np.empty((draws, z.shape[1]))
    for start in range(0, draws, rows):
        count = min(rows, draws - start)
        if signs:
            v = rng.integers(0, 2, (count, len(z)), dtype=np.int8).astype(float) * 2 - 1
        else:
            v = rng.standard_normal((count, len(z)))
        out[start : start + count] = v @ z
    return out
