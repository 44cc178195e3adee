"""Which group is a row in, given its covariates? A multinomial logit by Newton's method.

P(group k | x) is proportional to exp(x'b_k), b_0 = 0; weighted maximum likelihood. With two groups it is the
ordinary logit. Where covariates separate groups the likelihood has no maximum: fitted probabilities of 0 or 1
show it, and are left to the caller.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from medhome.study.problems import ModelRefusal

STEPS = 100
CERTAIN = 1e-8
"""A fitted probability this near to 0 or 1 counts as 0 or 1."""


def probabilities(x: np.ndarray, group: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(N, G) fitted probabilities.

    x: (N, K) covariates without a constant, standardised; group: (N,) 0 to G - 1, each of them present.

    >>> ill = np.array([[0.0], [0.0], [1.0], [1.0], [1.0]])
    >>> p = probabilities(ill, np.array([0, 1, 0, 0, 1]), np.ones(5))
    >>> p[:, 0].round(6).tolist()
    [0.5, 0.5, 0.666667, 0.666667, 0.666667]
    """
    X = np.column_stack([np.ones(len(x)), x])
    G, K = int(group.max()) + 1, X.shape[1]
    observed = np.eye(G)[group]
    total = weights.sum()

    def at(b: np.ndarray) -> tuple[float, np.ndarray]:
        log = special.log_softmax(np.column_stack([np.zeros(len(X)), X @ b.T]), axis=1)
        return float(weights @ log[np.arange(len(X)), group]) / total, np.exp(log)

    b = np.zeros((G - 1, K))
    value, p = at(b)
    for _ in range(STEPS):
        gradient = ((observed - p)[:, 1:] * weights[:, None]).T @ X / total
        if np.abs(gradient).max() < 1e-13:
            break
        information = np.zeros((G - 1, K, G - 1, K))
        for i in range(G - 1):
            for j in range(G - 1):
                scale = weights * p[:, i + 1] * ((i == j) - p[:, j + 1]) / total
                information[i, :, j] = (X * scale[:, None]).T @ X
        square = information.reshape((G - 1) * K, (G - 1) * K)
        # Least squares: collinear covariates have the same fitted probabilities whichever is left out.
        step = np.linalg.lstsq(square, gradient.ravel(), rcond=1e-12)[0].reshape(b.shape)
        slope, size = float((gradient * step).sum()), 1.0
        while size > 1e-10:
            tried, p_tried = at(b + size * step)
            if tried >= value + 1e-4 * size * slope or slope < 1e-14:
                break
            size /= 2
        else:
            raise ModelRefusal("propensity: the logit finds no better coefficients and has not converged")
        b, value, p = b + size * step, tried, p_tried
        if slope < 1e-20:
            break
    if np.abs(gradient).max() > 1e-7:
        raise ModelRefusal(f"propensity: the logit has not converged in {STEPS} steps")
    return p


def pair_scores(p: np.ndarray) -> np.ndarray:
    """(N, G - 1) probability of group 0 against each other group alone."""
    return np.asarray(p[:, :1] / (p[:, :1] + p[:, 1:]))


def relevant(group: np.ndarray, groups: int) -> np.ndarray:
    """(N, G - 1) the pairs that a row stands in: all for group 0, its own for another."""
    return (group[:, None] == 0) | (group[:, None] == np.arange(1, groups))


def certain(scores: np.ndarray, group: np.ndarray) -> np.ndarray:
    """(N,) whether a row has no counterpart: a score of 0 or 1 in a pair that it stands in."""
    edge = (scores < CERTAIN) | (scores > 1 - CERTAIN)
    return np.asarray((edge & relevant(group, scores.shape[1] + 1)).any(1))
