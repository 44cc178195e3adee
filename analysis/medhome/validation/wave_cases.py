"""Regressions on waves: Sun and Abraham, imputation, two stages, extended two-way, Goodman-Bacon."""

from __future__ import annotations

import math

import numpy as np

from medhome.models.panels.bacon import bacon
from medhome.models.panels.etwfe import etwfe
from medhome.models.panels.imputation import imputation
from medhome.models.panels.reading import panel_from_frame
from medhome.models.panels.sun_abraham import sun_abraham
from medhome.models.panels.two_stage import two_stage
from medhome.study.panel_data import PanelData
from medhome.study.panel_results import PanelEstimate
from medhome.validation.tables import Tables

Numbers = dict[str, float]


def counties(tables: Tables, outcome: str = "lemp", covariates: tuple[str, ...] = ()) -> PanelData:
    """The minimum-wage counties; ``employed`` is the level whose logarithm they hold."""
    frame = tables.table("mpdta")
    frame = frame.assign(employed=np.exp(frame["lemp"]))
    return panel_from_frame(
        frame, outcome, "countyreal", "year", first_treated="first.treat", covariates=covariates
    )


def staggered(tables: Tables, covariates: tuple[str, ...] = ()) -> PanelData:
    """The simulated panel of fixest; a year of 10,000 means never treated."""
    frame = tables.table("base_stagg")
    frame = frame.assign(first=frame["year_treated"].where(frame["year_treated"] < 100, 0))
    return panel_from_frame(frame, "y", "id", "year", first_treated="first", covariates=covariates)


def _att(found: PanelEstimate) -> Numbers:
    return {"ATT estimate": found.estimate, "ATT se": found.se}


def _rows(rows: list[dict], key: str, word: str) -> Numbers:
    out: Numbers = {}
    for row in rows:
        out |= {f"{word} {row[key]:.0f} estimate": row["estimate"], f"{word} {row[key]:.0f} se": row["se"]}
    return out


def sunab_mpdta(tables: Tables) -> Numbers:
    found = sun_abraham(counties(tables))
    return _att(found) | _rows(found.details["dynamic"], "event_time", "event time")


def sunab_base_stagg(tables: Tables) -> Numbers:
    found = sun_abraham(staggered(tables, ("x1",)))
    x1 = found.details["covariates"]["x1"]
    out = _att(found) | {"x1 estimate": x1["estimate"], "x1 se": x1["se"]}
    out |= _rows(found.details["dynamic"], "event_time", "event time")
    return out | _rows(found.details["group"], "group", "wave")


def bjs_mpdta(tables: Tables) -> Numbers:
    found = imputation(counties(tables))
    return _att(found) | _rows(found.table.to_dict("records"), "event_time", "event time")


def did2s_mpdta(tables: Tables) -> Numbers:
    found = two_stage(counties(tables))
    return _att(found) | _rows(found.table.to_dict("records"), "event_time", "event time")


def bjs_base_stagg(tables: Tables) -> Numbers:
    found, second = imputation(staggered(tables)), two_stage(staggered(tables))
    out = {"ATT estimate": found.estimate, "ATT se, imputation": found.se, "ATT se, two-stage": second.se}
    return out | _rows(found.table.to_dict("records"), "event_time", "event time")


def bjs_did2s_df_het(tables: Tables) -> Numbers:
    frame = tables.table("df_het")
    out: Numbers = {}
    for estimator, cluster, name in (
        (imputation, None, "imputation by unit"),
        (imputation, "state", "imputation by state"),
        (two_stage, "state", "two-stage by state"),
    ):
        data = panel_from_frame(frame, "dep_var", "unit", "year", first_treated="g", cluster=cluster)
        found = estimator(data)
        out |= {"ATT estimate": found.estimate, f"ATT se, {name}": found.se}
    return out


def etwfe_mpdta(tables: Tables) -> Numbers:
    out: Numbers = {}
    for word, covariates in (("no covariate", ()), ("population", ("lpop",))):
        found = etwfe(counties(tables, covariates=covariates))
        out |= {f"{word}, simple estimate": found.estimate, f"{word}, simple se": found.se}
        out |= _rows(found.details["dynamic"], "event_time", f"{word}, event time")
        out |= _rows(found.details["group"], "group", f"{word}, wave")
    return out


def etwfe_mpdta_poisson(tables: Tables) -> Numbers:
    """The second error has G/(G-1) alone as small-sample factor, ours (N-1)/(N-K) as well."""
    found = etwfe(counties(tables, "employed"), family="poisson")
    left = (found.rows - found.details["coefficients"]) / (found.rows - 1)
    out = {
        "ATT estimate": found.estimate,
        "ATT estimate by glm": found.estimate,
        "ATT se, rows and clusters counted": found.se,
        "ATT se, clusters counted": found.se * math.sqrt(left),
        "ratio": found.details["ratio"],
    }
    for row in found.table.to_dict("records"):
        name = f"wave {row['group']:.0f} at {row['time']:.0f} coefficient"
        out |= {name: row["coefficient"], f"{name} se": row["coefficient_se"]}
    found = etwfe(counties(tables, "employed", ("lpop",)), family="poisson")
    return out | _rows(found.details["dynamic"], "event_time", "population, event time")


def bacon_math(tables: Tables) -> Numbers:
    data = panel_from_frame(
        tables.table("bacon_math"), "incearn_ln", "state", "class", treated="reform_math"
    )
    found = bacon(data)
    out = {"two-way fixed effects": found.estimate}
    sums: dict[str, list[tuple[float, float]]] = {}
    for row in found.table.to_dict("records"):
        never = not math.isfinite(row["comparison"])
        against = "never treated" if never else f"{row['comparison']:.0f}"
        name = f"{row['treated']:.0f} against {against}"
        out |= {f"{name} estimate": row["estimate"], f"{name} weight": row["weight"]}
        kind = "treated vs untreated"
        if not never:
            earlier = row["treated"] < row["comparison"]
            kind = "earlier vs later treated" if earlier else "later vs earlier treated"
        sums.setdefault(kind, []).append((row["weight"], row["estimate"]))
    for kind, pairs in sums.items():
        weight, total = sum(w for w, _ in pairs), sum(w * e for w, e in pairs)
        out |= {f"{kind} weight": weight, f"{kind} weight times mean": total, f"{kind} mean": total / weight}
    return out
