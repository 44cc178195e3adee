"""Two by two, synthetic comparisons, balanced comparison groups and power: DRDID, lm, synthdid and others."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from medhome.models.panels import vcov
from medhome.models.panels.absorb import least_squares
from medhome.models.panels.power import detectable_effect, detectable_standardised
from medhome.models.panels.reading import panel_from_frame
from medhome.models.panels.synthetic import synthetic
from medhome.models.panels.two_by_two import did2x2
from medhome.models.synthetic_did import synthetic_control
from medhome.models.weighting import entropy_balance, propensity
from medhome.validation.tables import Tables

Numbers = dict[str, float]
TRAINING = ("age", "educ", "black", "married", "nodegree", "hisp", "re74")
EXPERIMENT = ["age", "educ", "black", "hisp", "marr", "nodegree", "re74", "re75"]
HOUSES = {
    "no covariates": ("rprice", ()),
    "age": ("rprice", ("age", "agesq")),
    "all covariates": ("rprice", ("age", "agesq", "intst", "land", "area", "rooms", "baths")),
    "logs": ("lrprice", ("age", "agesq", "lintst", "lland", "larea", "rooms", "baths")),
}


def drdid_nsw(tables: Tables) -> Numbers:
    frame = tables.table("nsw_long")
    frame = frame[(frame["treated"] == 0) | (frame["sample"] == 2)]
    frame = frame.assign(first=np.where(frame["experimental"] == 1, 1978, math.inf))
    data = panel_from_frame(frame, "re", "id", "year", first_treated="first", covariates=TRAINING)
    out: Numbers = {}
    for method in ("dr", "dr-improved", "ipw", "outcome_regression"):
        found = did2x2(data, method=method)  # type: ignore[arg-type]
        out |= {f"{method} estimate": found.estimate, f"{method} se": found.se, "rows": found.rows}
    return out


def drdid_simrc(tables: Tables) -> Numbers:
    frame = tables.table("sim_rc")
    frame = frame.assign(first=np.where(frame["d"] == 1, 1, math.inf))
    data = panel_from_frame(
        frame, "y", "id", "post", first_treated="first", covariates=("x1", "x2", "x3", "x4")
    )
    dr, improved = did2x2(data, method="dr"), did2x2(data, method="dr-improved")
    return {
        "dr estimate": dr.estimate,
        "dr se": dr.se,
        "dr-improved estimate": improved.estimate,
        "dr-improved se": improved.se,
    }


def kielmc_2x2(tables: Tables) -> Numbers:
    frame = tables.table("w_kielmc")
    frame = frame.assign(house=np.arange(len(frame)))
    frame["first"] = np.where(frame["nearinc"] == 1, 1981, math.inf)
    out: Numbers = {}
    for label, (outcome, covariates) in HOUSES.items():
        data = panel_from_frame(
            frame, outcome, "house", "year", first_treated="first", covariates=covariates
        )
        for inference, rule in (("iid", "iid"), ("hc1", "HC1")):
            found = did2x2(data, method="regression", inference=inference)
            out |= {f"{label}, effect estimate": found.estimate, f"{label}, effect se {rule}": found.se}
            out["rows"] = found.rows
    y81, near = frame["y81"].to_numpy(dtype=float), frame["nearinc"].to_numpy(dtype=float)
    x = np.column_stack([np.ones(len(frame)), y81, near, y81 * near])
    fit = least_squares(frame["rprice"].to_numpy(dtype=float), x, ["constant", "1981", "near", "effect"])
    for rule, covariance in (("iid", vcov.iid(fit)), ("HC1", vcov.hc1(fit))):
        for name in ("constant", "1981", "near"):
            each = covariance.of(fit, name)
            out[f"no covariates, {name} estimate"] = each.estimate
            out[f"no covariates, {name} se {rule}"] = each.se
    return out


def _stores(tables: Tables) -> pd.DataFrame:
    """Card and Krueger's survey by its codebook: full-time equivalents, zero in closed stores."""
    rows = [line.split() for line in tables.lines("ck_public.dat")]
    number = pd.DataFrame(rows).replace(".", np.nan).astype(float)
    closed = number[28] == 3
    before = number[11] + number[13] + 0.5 * number[12]
    after = (number[31] + number[33] + 0.5 * number[32]).mask(closed, 0.0)
    wages = number[14].notna() & (number[34].notna() | closed)
    return pd.DataFrame(
        {
            "store": np.arange(len(number)),
            "first": np.where(number[3] == 1, 2.0, math.inf),
            **{f"chain{k}": (number[1] == k).astype(int) for k in (1, 2, 3)},
            "owned": number[2],
            "before": before,
            "after": after,
            "table4": before.notna() & after.notna() & wages,
        }
    )


def _long(stores: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(
        [stores.assign(wave=1, fte=stores["before"]), stores.assign(wave=2, fte=stores["after"])]
    )


def card_krueger(tables: Tables) -> Numbers:
    stores = _stores(tables)
    out: Numbers = {}
    means: dict[tuple[str, str], float] = {}
    for state, own in (("PA", ~np.isfinite(stores["first"])), ("NJ", np.isfinite(stores["first"]))):
        for when in ("before", "after"):
            values = stores.loc[own, when].dropna()
            means[state, when] = float(values.mean())
            out[f"{state} {when} mean"] = means[state, when]
            out[f"{state} {when} se"] = float(values.std(ddof=1)) / math.sqrt(len(values))
            out[f"{state} {when} stores"] = len(values)
    everything = _long(stores).dropna(subset=["fte"]).reset_index(drop=True)
    everything["row"] = np.arange(len(everything))  # as rows: stores seen once count in their own mean
    data = panel_from_frame(everything, "fte", "row", "wave", first_treated="first")
    out["all stores estimate"] = did2x2(data).estimate
    both = stores.dropna(subset=["before", "after"])
    data = panel_from_frame(_long(both), "fte", "store", "wave", first_treated="first")
    found = did2x2(data, inference="iid")
    out |= {"384 stores estimate": found.estimate, "384 stores se": found.se}
    used = _long(stores[stores["table4"]])
    out["stores of table 4"] = len(used) // 2
    for column, covariates in (("1", ()), ("2", ("chain1", "chain2", "chain3", "owned"))):
        data = panel_from_frame(
            used, "fte", "store", "wave", first_treated="first", covariates=covariates
        )
        found = did2x2(data, method="regression", inference="iid")
        out |= {
            f"table 4 column {column} estimate": found.estimate,
            f"table 4 column {column} se": found.se,
        }
    return out


def prop99_sdid(tables: Tables) -> Numbers:
    frame = tables.table("california_prop99", separator=";")
    data = panel_from_frame(frame, "PacksPerCapita", "State", "Year", treated="treated")
    found = synthetic(data, inference="randomization")
    wide = frame.pivot(index="State", columns="Year", values="PacksPerCapita")
    before = sum(int(year) < 1989 for year in wide.columns)
    control = synthetic_control(wide.to_numpy(), np.array(wide.index == "California"), before)
    states = len(wide) - 1
    weights = found.table.set_index("label")["weight"]
    return {
        "synthetic difference in differences": found.estimate,
        "synthetic control": control.estimate,
        "difference in differences": synthetic(data, method="did").estimate,
        "placebo se, all 38 states": found.se,
        "placebo se, all 38 states, n - 1": found.se * math.sqrt(states / (states - 1)),
        "rank p": found.p,
    } | {f"weight of {label}": float(weight) for label, weight in weights.items()}


def ebal_nsw(tables: Tables) -> Numbers:
    frame = tables.table("cd_nsw_mixtape")
    treated, earnings = (frame["treat"] == 1).to_numpy(), frame["re78"].to_numpy(dtype=float)

    def effect(weights: np.ndarray) -> float:
        own, others = weights[treated], weights[~treated]
        return float(own @ earnings[treated] / own.sum() - others @ earnings[~treated] / others.sum())

    found = entropy_balance(frame[EXPERIMENT], frame["treat"])
    scored = propensity(frame[EXPERIMENT], frame["treat"])
    comparison = found.summary.iloc[1]
    return {
        "entropy balancing ATT": effect(found.weights),
        "effective sample size": float(comparison["effective_sample_size"]),
        "largest weight": float(comparison["largest_share"]),
        "propensity weights ATT": effect(scored.weights),
        "difference of means": effect(np.ones(len(frame))),
    }


def power_closed_form(tables: Tables) -> Numbers:
    clustered = detectable_effect(
        (20, 20), (50, 50), sd=1000, icc=0.05, cluster_autocorrelation=0.7, member_autocorrelation=0.5
    )
    return {"standardised difference": detectable_standardised(100), "difference in differences": clustered}
