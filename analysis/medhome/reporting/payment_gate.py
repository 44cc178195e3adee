"""Measured values of a pay for performance are withheld where the measure's own rate is."""

from __future__ import annotations

import dataclasses
import math

from medhome.study.measure_results import Measures
from medhome.study.payment_results import Payment


def release_payment(payment: Payment, measures: Measures) -> tuple[Payment, int]:
    """Payment without a measured value that the page on measures does not show, and how many there were.

    Arguments
        payment: what was found. measures: as released, so that a rate that gives people away is missing.
    """
    frame = payment.measures
    if "measure" not in frame:  # a run from before values were measured
        return payment, 0
    rates = measures.rates[(measures.rates["arm"] == "treated") & (measures.rates["period"] == "performance")]
    shown = set(rates.loc[rates["rate"].notna(), "measure"])
    hide = (frame["measure"] != "") & ~frame["measure"].isin(shown)
    if not hide.any():
        return payment, 0
    kept = frame.copy()
    kept.loc[hide, ["value", "attained_share"]] = math.nan
    return dataclasses.replace(payment, measures=kept), int(hide.sum())
