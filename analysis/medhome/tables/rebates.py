"""What drugs cost the payer: paid dollars net of the manufacturers' rebates that come back to it."""

from __future__ import annotations

import ibis
from ibis.expr.types import Table

from medhome.study.spec import StudySpec

_SCALE = 10_000


def net_of_rebates(pharmacy: Table, spec: StudySpec) -> Table:
    """Pharmacy rows with ``paid_cents`` less the declared share of rebates, which claims never show.

    Each row is rounded to the cent, half away from zero, so that a reversal takes back what its claim was
    worth. Allowed amounts stay: what the member's share is worked out from knows no rebate. Source:
    `docs/methods/payment.md`, payer and employer.
    """
    kept = round((1 - spec.claims.drug_rebate_share) * _SCALE)
    if kept == _SCALE:
        return pharmacy
    paid = pharmacy.paid_cents
    size = (paid.abs() * kept + _SCALE // 2) // _SCALE
    return pharmacy.mutate(paid_cents=(ibis.ifelse(paid < 0, -1, 1) * size).cast("int64"))
