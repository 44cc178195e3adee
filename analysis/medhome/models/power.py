"""How small an effect a study could detect, to be read before its estimate.

Source: ``docs/methods.md``, power; 2.8 is the sum of the normal quantiles of 97.5% and 80%, rounded as the
simulations of the few-clusters note use it (within 3 PMPM of the simulated power curve).
"""

from __future__ import annotations

MULTIPLE_FOR_80_PERCENT = 2.8
LENGTH_OF_95_PERCENT = 3.92


def detectable_effect(length_95: float) -> float:
    """Smallest effect found with 80% power, from the length of the recommended 95% interval; same unit.

    >>> round(detectable_effect(46.0), 1)
    32.9
    """
    if not length_95 > 0:
        raise ValueError(f"an interval of length {length_95} says nothing about power")
    return MULTIPLE_FOR_80_PERCENT * length_95 / LENGTH_OF_95_PERCENT
