"""Group-time effects on the minimum-wage counties: nine specifications, clusters, bands."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from medhome.models.panels.group_time import callaway_santanna
from medhome.models.panels.reading import panel_from_frame
from medhome.study.panel_data import PanelData
from medhome.study.panel_results import PanelEstimate
from medhome.validation.tables import Tables

KINDS = ("simple", "dynamic", "group", "calendar")
KEYS = {"dynamic": ("event_time", "event time"), "group": ("group", "wave"), "calendar": ("time", "time")}
POPULATION = ("lpop",)


def counties(
    tables: Tables, covariates: tuple[str, ...] = POPULATION, unit: str = "countyreal",
    cluster: str | None = None,
) -> PanelData:
    """Teen employment of 500 counties, 2003 to 2007; state is the thousands of the county's code."""
    frame = tables.table("mpdta")
    frame = frame.assign(row=np.arange(len(frame)), state=frame["countyreal"] // 1000)
    return panel_from_frame(
        frame, "lemp", unit, "year", first_treated="first.treat", covariates=covariates, cluster=cluster
    )


def _numbers(found: PanelEstimate, pretest: str = "pretest") -> dict[str, float]:
    out: dict[str, float] = {}
    for kind in KINDS:
        out |= {f"{kind} estimate": found.details[kind]["estimate"], f"{kind} se": found.details[kind]["se"]}
    for kind, (key, word) in KEYS.items():
        for row in found.details[kind]["rows"]:
            name = f"{word} {row[key]:.0f}"
            out |= {f"{name} estimate": row["estimate"], f"{name} se": row["se"]}
    for row in found.table.to_dict("records"):
        name = f"wave {row['group']:.0f} at {row['time']:.0f}"
        out |= {f"{name} estimate": row["estimate"], f"{name} se": row["se"]}
    test = found.details[pretest]
    if test:
        out |= {"pre-trend W": test.get("wald", math.nan), "pre-trend p": test.get("p_chi2", math.nan)}
    return out


def _found(tables: Tables, covariates: tuple[str, ...] = POPULATION, **options: Any) -> dict[str, float]:
    choices = {"base": "varying", "bands": None} | options
    return _numbers(callaway_santanna(counties(tables, covariates), **choices))


def cs_mpdta_nev_nocov(tables: Tables) -> dict[str, float]:
    return _found(tables, ())


def cs_mpdta_nyt_nocov(tables: Tables) -> dict[str, float]:
    return _found(tables, (), control="not-yet")


def cs_mpdta_nev_lpop_dr(tables: Tables) -> dict[str, float]:
    return _found(tables)


def cs_mpdta_nev_lpop_reg(tables: Tables) -> dict[str, float]:
    return _found(tables, method="reg")


def cs_mpdta_nev_lpop_ipw(tables: Tables) -> dict[str, float]:
    return _found(tables, method="ipw")


def cs_mpdta_nyt_lpop_dr(tables: Tables) -> dict[str, float]:
    return _found(tables, control="not-yet")


def cs_mpdta_nev_lpop_dr_univ(tables: Tables) -> dict[str, float]:
    return _found(tables, base="universal")


def cs_mpdta_nev_lpop_dr_antic1(tables: Tables) -> dict[str, float]:
    """R counts the anticipating year into the pre-trend test; so does the number compared here."""
    found = callaway_santanna(counties(tables), base="varying", bands=None, anticipation=1)
    return _numbers(found, "pretest_with_anticipated")


def cs_mpdta_rc_lpop_dr(tables: Tables) -> dict[str, float]:
    found = callaway_santanna(counties(tables, unit="row"), base="varying", bands=None)
    return _numbers(found)


def cs_mpdta_cluster_state(tables: Tables) -> dict[str, float]:
    found = callaway_santanna(counties(tables, cluster="state"), bands=None)
    alone = callaway_santanna(counties(tables), bands=None)
    out: dict[str, float] = {"clusters": found.clusters}
    for kind in KINDS:
        out |= {
            f"{kind} estimate": found.details[kind]["estimate"],
            f"{kind} se by state": found.details[kind]["se"],
            f"{kind} se by county": alone.details[kind]["se"],
        }
    return out


def cs_mpdta_supt(tables: Tables) -> dict[str, float]:
    data, out = counties(tables, ()), {}
    for bands, name in (
        ("gaussian", "gaussian (the default)"),
        ("rademacher", "rademacher"),
        ("rademacher-iqr", "rademacher-iqr (R did)"),
    ):
        found = callaway_santanna(data, base="varying", bands=bands)
        out[name] = found.details["critical_value"]
    out["rademacher-iqr, dynamic (R did)"] = found.details["dynamic"]["critical_value"]
    return out
