"""Did capitation spread in one arm, so that its claims lost dollars without losing care?"""

from __future__ import annotations

from collections.abc import Iterator

from medhome.study.display import absent, share
from medhome.study.results import Check, DataQuality

NOTABLE_POINTS = 0.02
"""Change of the difference between arms beyond which a reader is warned (`docs/methods.md`, capitation)."""


def capitation_shift(quality: DataQuality) -> Iterator[Check]:
    """Whether the share of medical lines allowed nothing moved apart between the arms by over 2 points."""
    shares = quality.encounters.set_index(["arm", "period"])["zero_share"]
    found = [
        shares.get((arm, period))
        for period in ("baseline", "performance")
        for arm in ("treated", "comparison")
    ]
    if any(absent(value) for value in found):
        return
    treated_before, compared_before, treated_after, compared_after = (
        float(v) for v in found if v is not None
    )
    before, after = treated_before - compared_before, treated_after - compared_after
    moved = abs(after - before)
    calm = bool(moved <= NOTABLE_POINTS)
    yield Check(
        id="capitation-shift",
        passed=calm,
        front_page=True,
        sentence="The share of medical lines that are allowed nothing, treated minus comparison, went from "
        f"{share(before)} to {share(after)}"
        + (
            ": capitation did not spread in one arm alone."
            if calm
            else ": cost may have moved from claims into capitation in one arm. Set claims.capitation."
        ),
    )
