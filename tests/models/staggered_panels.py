"""A made panel with waves, whose effect is known."""

import numpy as np
import pandas as pd


def staggered(
    seed=0, units=60, times=6, waves=(3.0, 5.0), never=0.4, effect=2.0, cluster=None, weights=False
):
    """A made panel: waves at ``waves``, unit and time effects, an effect that grows, one covariate x."""
    rng = np.random.default_rng([seed, 7])
    share = (1 - never) / len(waves)
    first = rng.choice([*waves, 0.0], size=units, p=[*[share] * len(waves), never])
    first[: len(waves) + 1] = [*waves, 0.0 if never else waves[0]]
    base, x = rng.normal(size=units), rng.normal(size=units)
    rows = []
    for i in range(units):
        for t in range(1, times + 1):
            on = first[i] > 0 and t >= first[i]
            y = base[i] + 0.3 * t + 0.2 * x[i] * t + on * effect * (t - first[i] + 1) + rng.normal()
            rows.append((f"u{i}", t, first[i], float(on), y, x[i], f"c{i % (cluster or units)}",
                         float(rng.integers(1, 4)) if weights else 1.0))
    return pd.DataFrame(rows, columns=["id", "t", "g", "d", "y", "x", "c", "w"])
