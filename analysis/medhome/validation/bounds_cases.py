"""Bounds on trends: HonestDiD on the Medicaid example and on a published event study."""

from __future__ import annotations

import numpy as np

from medhome.models.panels.event_study import event_study
from medhome.models.panels.reading import panel_from_frame
from medhome.models.sensitivity import sensitivity
from medhome.models.sensitivity.least_favourable import LeastFavourable
from medhome.study.panel_results import PanelEstimate
from medhome.study.sensitivity_bounds import SensitivityResult
from medhome.validation.tables import Tables

Numbers = dict[str, float]
SMOOTH = (0.0, 0.01, 0.02, 0.03, 0.04, 0.05)


def _medicaid(tables: Tables) -> PanelEstimate:
    """Insurance of low-income adults; states that expanded in 2014 against those that had not by 2015."""
    frame = tables.table("ehec")
    frame = frame[(frame["year"] < 2016) & (frame["yexp2"] != 2015)]
    frame = frame.assign(first=np.where(frame["yexp2"] == 2014, 2014, np.inf))
    return event_study(panel_from_frame(frame, "dins", "stfips", "year", first_treated="first"))


def honest_ehec_es(tables: Tables) -> Numbers:
    found = _medicaid(tables)
    out: Numbers = {"rows": found.rows}
    for row in found.table.to_dict("records"):
        name = f"event time {row['event_time']:.0f}"
        out |= {f"{name} estimate": row["estimate"], f"{name} se": row["se"]}
    times = found.details["event_times"]
    for a, first in enumerate(times):
        for b, second in enumerate(times[a:], start=a):
            out[f"covariance of {first} and {second}"] = found.details["sigma"][a][b]
    test = found.details["pre_trend"]
    out |= {"joint test F": test["f"], "joint test p": test["f_p"]}
    return out | {"joint test df 1": test["f_df"][0], "joint test df 2": test["f_df"][1]}


def _ends(found: SensitivityResult, name: str, labels: list[str]) -> Numbers:
    out: Numbers = {}
    for label, row in zip(labels, found.frame.to_dict("records"), strict=True):
        out |= {f"{name.format(label)} lower": row["lower"], f"{name.format(label)} upper": row["upper"]}
    return out


def honest_ehec(tables: Tables) -> Numbers:
    events = _medicaid(tables).details
    beta, sigma = events["beta"], events["sigma"]
    smooth = sensitivity(beta, sigma, 5, 2, kind="smoothness", bounds=SMOOTH)
    labels = [f"{m:g}" for m in SMOOTH]
    out = _ends(smooth, "smoothness {}", labels) | _ends(smooth, "smoothness {} (R)", labels)
    for effect, bounds in (("first", (0.5, 1.0, 1.5, 2.0)), ("average", (0.0, 0.5, 1.0, 1.5, 2.0))):
        found = sensitivity(beta, sigma, 5, 2, bounds=bounds, effect=effect)
        out |= _ends(found, "relative magnitudes {}, " + effect, [f"{m:g}" for m in bounds])
        low, high = found.original
        out |= {f"without bounds, {effect} lower": low, f"without bounds, {effect} upper": high}
    return out


def honest_BC(tables: Tables) -> Numbers:
    beta = tables.table("BC_beta")["beta"].to_numpy(dtype=float)
    sigma = tables.table("BC_sigma").to_numpy(dtype=float)
    bounds = (0.0, 0.1, 0.2, 0.3)
    labels = [f"{m:g}" for m in bounds]
    smooth = sensitivity(beta, sigma, 4, 4, kind="smoothness", bounds=bounds)
    out = _ends(smooth, "smoothness {}", labels) | _ends(smooth, "smoothness {} (R)", labels)
    magnitudes = (0.0, 0.5, 1.0, 1.5, 2.0)
    found = sensitivity(beta, sigma, 4, 4, bounds=magnitudes)
    out |= _ends(found, "relative magnitudes {}", [f"{m:g}" for m in magnitudes])
    out["relative magnitudes 2 upper (R)"] = out["relative magnitudes 2 upper"]
    fine = sensitivity(beta, sigma, 4, 4, bounds=(0.5, 1.0))
    out |= _ends(fine, "relative magnitudes {}, fine grid", ["0.5", "1"])
    hybrid = LeastFavourable(beta=beta, sigma=sigma, pre=4, effect=np.eye(4)[0], kind="smoothness")
    for bound, label in zip(bounds, labels, strict=True):
        low, high = hybrid.interval(bound, 0.95)
        name = f"smoothness {label} by the hybrid test"
        out |= {f"{name} lower": low, f"{name} upper": high}
    return out
