"""Settlements of shared-savings contracts: Medicare's public file of 2018 and a commercial example."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from medhome.models.settlement import settle
from medhome.study.contract_terms import read_terms, settlement_cases
from medhome.validation.tables import Tables

Numbers = dict[str, float]


def mssp_2018(tables: Tables) -> Numbers:
    """Each organisation settled by the terms of its track, and held against what CMS published."""
    public = tables.table("mssp_puf_2018/aco_2018")
    cases = settlement_cases(read_terms("mssp-2018"), public)
    found = pd.DataFrame([vars(settle(terms, **amounts)) for _, terms, amounts in cases])
    one_sided = (public["Current_Track_1"] == 1).to_numpy()
    published = public["EarnSaveLoss"].to_numpy(dtype=float)
    earned = found["earned_usd"].to_numpy()
    generated = found["generated_usd"].to_numpy()
    rates = (found["savings_rate"] - public["Sav_rate"]).abs()
    alike = np.abs(earned - published) <= np.maximum(1.0, 3e-4 * np.abs(published))
    with_rate = one_sided & (public["N_AB"] >= 5000).to_numpy()
    minimum = np.abs(found["minimum_rate"] - public["MinSavPerc"]) <= 5e-6
    return {
        "organisations": len(found),
        "assigned persons": float(public["N_AB"].sum()),
        "benchmark less actual, $": math.fsum(found["benchmark_usd"] - found["actual_usd"]),
        "generated savings and losses, $": math.fsum(generated),
        "earned and owed, $": math.fsum(earned),
        "largest difference of a savings rate": float(rates.max()),
        "generated within $1 of the published": int((np.abs(generated - public["GenSaveLoss"]) <= 1).sum()),
        "minimum savings rate within 0.0005 points, Track 1 from 5,000 persons": minimum[with_rate].sum(),
        "Track 1 settlements within 0.03% or $1": int(alike[one_sided].sum()),
        "Track 1 settlements paid": int((earned[one_sided] > 0).sum()),
        "Track 1 settlements at the cap": int(found.loc[one_sided, "cap_bound"].sum()),
        "two-sided gains within 0.03% or $1": int(alike[~one_sided & (generated > 0)].sum()),
        "two-sided losses within 0.03% or $1": int(alike[~one_sided & (generated < 0)].sum()),
    }


def commercial_settlement(tables: Tables) -> Numbers:
    cases = settlement_cases(read_terms("commercial-example"))
    names = ("no minimum savings rate, $", "minimum savings rate of 1%, $")
    return {
        name: settle(terms, **amounts).earned_usd
        for name, (_, terms, amounts) in zip(names, cases, strict=True)
    }
