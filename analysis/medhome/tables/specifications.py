"""What the specification curve reads: practice-months whose outcomes are cost under every cap and amount."""

from __future__ import annotations

from medhome.study.cells import Cells
from medhome.study.spec import StudySpec
from medhome.tables.cap_grid import reference_cents, truncated
from medhome.tables.panel import Panel

P99 = "p99"


def caps_cents(panel: Panel, spec: StudySpec) -> dict[str, int]:
    """Name to cents of every cap that a specification may have, the study's own among them; "none" is not.

    Arguments
        panel: the study's own, whose comparison members set the 99th percentile for all attributions (left
            out where they had no cost).
    """
    own = spec.outcomes.cap_usd_per_year
    asked = {c for c in (*spec.specifications.caps, own) if isinstance(c, int)}
    found = {str(usd): 100 * usd for usd in sorted(asked, reverse=True)}
    if P99 in spec.specifications.caps and (cents := reference_cents(panel, spec)) > 0:
        found[P99] = cents
    return found


def named_cells(panel: Panel, cells: Cells, caps: dict[str, int], spec: StudySpec) -> Cells:
    """The practice-months of one attribution with the outcomes ``<amount>_<cap>``, each with ``expected``.

    Arguments
        panel: scored. cells: its cells (`collapse.cells`). caps: of `caps_cents`.

    Every population and every weight is arithmetic on these: nothing is collapsed twice.
    """
    amounts = tuple(dict.fromkeys(("allowed", *spec.specifications.amounts)))
    return truncated(panel, cells, caps, amounts, spec)[0]
