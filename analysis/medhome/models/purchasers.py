"""Whose savings are they? The payer's reach a self-insured employer in part.

Source: ``docs/methods/payment.md``, payer and employer. The sign is already that of savings (positive = cost
less); payments are known sums.
"""

from __future__ import annotations

from medhome.study.results import Estimate
from medhome.study.spec import StudySpec


def purchaser_rows(
    spec: StudySpec, payer: Estimate, capped: Estimate, payments_pmpm: float, member_months: float
) -> dict[str, Estimate]:
    """Rows of exhibit T15 for an employer that the study declares; none without one.

    Arguments
        payer, capped: the payer's savings without payments, on all paid dollars and on those below the cap.
        payments_pmpm: incremental program payments. member_months: of the treated arm after the start.
    """
    rows: dict[str, Estimate] = {}
    employer = spec.payment.employer
    if employer is None:
        return rows
    gross = capped if employer.stop_loss else payer
    borne = employer.payment_share * payments_pmpm + employer.administration_pmpm_usd
    net = gross.shifted(-borne, label="Employer: net savings, with payments and administration (paid)")
    rows["employer_net_pmpm"] = net
    rows["employer_net_total_usd"] = net.scaled(
        member_months, unit="USD", label="Employer: net savings, total", digits=0
    )
    label = "Employer: net savings for each dollar that it paid"
    rows["employer_roi_ratio"] = (
        net.scaled(1 / borne, unit="ratio", label=label)
        if borne > 0
        else Estimate(value=None, unit="ratio", label=label, why="The employer bears no payment.")
    )
    return rows
