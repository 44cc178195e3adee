"""Fixed effects and standard errors: fixest, sandwich, clubSandwich and fwildclusterboot on public tables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from medhome.models.panels import vcov
from medhome.models.panels.absorb import Regression, codes, least_squares
from medhome.models.panels.event_study import event_study
from medhome.models.panels.ppml import fit_log_link
from medhome.models.panels.reading import panel_from_frame
from medhome.models.panels.wild import wild_cluster
from medhome.validation.tables import Tables

Numbers = dict[str, float]


def _columns(frame: pd.DataFrame, names: list[str]) -> np.ndarray:
    return np.column_stack([frame[n].to_numpy(dtype=float) for n in names])


def _effects(frame: pd.DataFrame, *names: str) -> dict[str, np.ndarray]:
    return {n: frame[n].to_numpy() for n in names}


def twfe_base_did(tables: Tables) -> Numbers:
    frame = tables.table("base_did")
    frame["treated after"] = frame["treat"] * frame["post"]
    effects = _effects(frame, "id", "period")
    fit = least_squares(
        frame["y"].to_numpy(), _columns(frame, ["treated after", "x1"]), ["effect", "x1"], effects=effects
    )
    unit, period = effects.values()
    rules = {
        "iid": vcov.iid(fit),
        "HC1": vcov.hc1(fit),
        "by unit": vcov.cr1(fit, unit),
        "by unit and period": vcov.multiway(fit, [unit, period]),
        "by unit, all effects counted": vcov.cr1(fit, unit, rule="statsmodels"),
    }
    return _slopes(fit, rules)


def _slopes(fit: Regression, rules: dict[str, vcov.Covariance]) -> Numbers:
    out: Numbers = {}
    for k, name in enumerate(fit.names):
        out[f"{name} estimate"] = float(fit.beta[k])
        out |= {f"{name} se {rule}": float(found.se()[k]) for rule, found in rules.items()}
    return out


def es_base_did(tables: Tables) -> Numbers:
    frame = tables.table("base_did")
    frame["first"] = np.where(frame["treat"] == 1, 6, 0)
    data = panel_from_frame(frame, "y", "id", "period", first_treated="first", covariates=("x1",))
    found = event_study(data)
    out: Numbers = {"rows": found.rows}
    for row in found.table.to_dict("records"):
        if not row["reference"]:
            name = f"period {row['event_time'] + 6:.0f}"
            out |= {f"{name} estimate": row["estimate"], f"{name} se": row["se"]}
    test = found.details["pre_trend"]
    out |= {"joint test F": test["f"], "joint test p": test["f_p"]}
    out |= {"joint test df 1": test["f_df"][0], "joint test df 2": test["f_df"][1]}
    columns = [frame["treat"] * (frame["period"] == k) for k in range(1, 11) if k != 5]
    fit = least_squares(
        frame["y"].to_numpy(),
        np.column_stack([frame["x1"], *columns]).astype(float),
        ["x1", *(f"period {k}" for k in range(1, 11) if k != 5)],
        effects=_effects(frame, "id", "period"),
    )
    x1 = vcov.cr1(fit, frame["id"].to_numpy()).of(fit, "x1")
    return out | {"x1 estimate": x1.estimate, "x1 se": x1.se}


def twfe_base_stagg(tables: Tables) -> Numbers:
    frame = tables.table("base_stagg")
    frame["post"] = (frame["year"] >= frame["year_treated"]).astype(float)
    fit = least_squares(
        frame["y"].to_numpy(), _columns(frame, ["post", "x1"]), ["effect", "x1"],
        effects=_effects(frame, "id", "year"),
    )
    return {
        f"{name} {what}": value
        for name in fit.names
        for what, value in _two(vcov.cr1(fit, frame["id"].to_numpy()).of(fit, name)).items()
    }


def _two(found: vcov.Inference) -> Numbers:
    return {"estimate": found.estimate, "se": found.se}


def trade_ols(tables: Tables) -> Numbers:
    frame = tables.table("trade")
    effects = _effects(frame, "Origin", "Destination", "Product", "Year")
    distance = np.log(frame["dist_km"].to_numpy())[:, None]
    fit = least_squares(np.log(frame["Euros"].to_numpy()), distance, ["distance"], effects=effects)
    ways = list(effects.values())
    return {
        "estimate": float(fit.beta[0]),
        "se by origin": float(vcov.cr1(fit, ways[0]).se()[0]),
        "se by origin and destination": float(vcov.multiway(fit, ways[:2]).se()[0]),
        "se by all four": float(vcov.multiway(fit, ways).se()[0]),
    }


def trade_ppml(tables: Tables) -> Numbers:
    frame = tables.table("trade")
    effects = _effects(frame, "Origin", "Destination", "Product", "Year")
    y, distance = frame["Euros"].to_numpy(dtype=float), np.log(frame["dist_km"].to_numpy())[:, None]
    fit, mu = fit_log_link(y, distance, ["distance"], effects=effects)
    ways = list(effects.values())
    return {
        "estimate": float(fit.beta[0]),
        "se by origin": float(vcov.cr1(fit, ways[0]).se()[0]),
        "se by origin and destination": float(vcov.multiway(fit, ways[:2]).se()[0]),
        "se iid": float(vcov.iid(fit).se()[0]),
        "deviance": float(2 * (y * np.log(np.where(y > 0, y / mu, 1.0)) - (y - mu)).sum()),
        "rows": fit.rows,
    }


def petersen(tables: Tables) -> Numbers:
    frame = tables.table("petersen")
    y, x = frame["y"].to_numpy(), frame["x"].to_numpy(dtype=float)
    firm, year = frame["firm"].to_numpy(), frame["year"].to_numpy()
    fit = least_squares(y, np.column_stack([np.ones(len(y)), x]), ["constant", "x"])
    rules = {
        "iid": vcov.iid(fit),
        "HC1": vcov.hc1(fit),
        "by firm": vcov.cr1(fit, firm),
        "by firm (fixest)": vcov.cr1(fit, firm),
        "by year": vcov.cr1(fit, year),
        "by firm and year, own G": vcov.multiway(fit, [firm, year], count="own"),
        "by firm and year, smallest G": vcov.multiway(fit, [firm, year]),
    }
    out = _slopes(fit, rules)
    # R sandwich with multi0: the part of single rows, taken away, has no small-sample factor.
    rows = vcov.cr1(fit, np.arange(len(y)), rule="none").matrix
    both = rules["by firm"].matrix + rules["by year"].matrix - rows
    for name, error in zip(fit.names, np.sqrt(np.diag(both)), strict=True):
        out[f"{name} se by firm and year, rows as third way"] = float(error)
    one = least_squares(y, x[:, None], ["x"], effects={"firm": firm})
    two = least_squares(y, x[:, None], ["x"], effects={"firm": firm, "year": year})
    for label, found in (
        ("x with firm effects,", vcov.cr1(one, firm).of(one, "x")),
        ("x with firm and year effects,", vcov.multiway(two, [firm, year]).of(two, "x")),
    ):
        out |= {f"{label} {what}": value for what, value in _two(found).items()}
    return out


def ezunem(tables: Tables) -> Numbers:
    frame = tables.table("w_ezunem")
    effects = _effects(frame, "city", "year")
    fit = least_squares(frame["luclms"].to_numpy(), _columns(frame, ["ez"]), ["zone"], effects=effects)
    return {
        "estimate": float(fit.beta[0]),
        "se iid": float(vcov.iid(fit).se()[0]),
        "se by city": float(vcov.cr1(fit, effects["city"]).se()[0]),
    }


def bdm_cps(tables: Tables) -> Numbers:
    frame = tables.table("CPS", separator=";")
    effects = _effects(frame, "state", "year")
    state, year, wage = codes(effects["state"]), effects["year"], frame["log_wage"].to_numpy()

    def fitted(law: np.ndarray) -> Regression:
        return least_squares(wage, law.astype(float)[:, None], ["law"], effects=effects)

    fit = fitted((state % 2 == 0) & (year > 1998))
    left = pd.DataFrame({"state": state, "year": year, "left": fit.residual}).sort_values(["state", "year"])
    before = left.groupby("state")["left"].shift()
    out = {
        "estimate": float(fit.beta[0]),
        "se iid": float(vcov.iid(fit).se()[0]),
        "se HC1": float(vcov.hc1(fit).se()[0]),
        "se by state": float(vcov.cr1(fit, state).se()[0]),
        "se by year": float(vcov.cr1(fit, year).se()[0]),
        "se by state and year": float(vcov.multiway(fit, [state, year]).se()[0]),
        "autocorrelation of residuals": float(left["left"].corr(before)),
        "rows": fit.rows,
    }
    rejected = np.zeros(3)
    for law in range(400):
        rng = np.random.default_rng([20040, law])
        passed = rng.permutation(50)[:25]
        random = fitted(np.isin(state, passed) & (year >= rng.integers(1985, 2010)))
        tests = (vcov.iid(random), vcov.hc1(random), vcov.cr1(random, state))
        rejected += [test.of(random, "law").p < 0.05 for test in tests]
    for name, count in zip(("iid", "HC1", "by state"), rejected, strict=True):
        out[f"share of random laws rejected at 5%, {name}"] = float(count / 400)
    return out


def _clubbed(fit: Regression, cluster: np.ndarray, names: str = "{0} {1}") -> Numbers:
    """Estimate, se, df and p of the first slope under the four rules of clubSandwich."""
    out: Numbers = {}
    rules: dict[str, vcov.Covariance] = {
        "CR0": vcov.cr1(fit, cluster, rule="none"),
        "CR1": vcov.cr1(fit, cluster, rule="clusters"),
        "CR1S": vcov.cr1(fit, cluster, rule="statsmodels"),
        "CR2": vcov.cr2(fit, cluster),
    }
    for rule, covariance in rules.items():
        found = covariance.of(fit, fit.names[0])
        for what in ("estimate", "se", "df", "p"):
            out[names.format(what, rule)] = getattr(found, what)
    return out


def cr2_mortality(tables: Tables) -> Numbers:
    whole = tables.table("mortality_mv")
    out: Numbers = {}
    frame = whole.dropna(subset=["legal", "beertaxa", "mrate"])
    names = ["legal", "beertaxa"]
    fit = least_squares(
        frame["mrate"].to_numpy(), _columns(frame, names), names, effects=_effects(frame, "state", "year")
    )
    covariance = vcov.cr2(fit, frame["state"].to_numpy())
    for name in names:
        found = covariance.of(fit, name)
        out |= {f"{name} estimate": found.estimate, f"{name} se CR2": found.se, f"{name} df": found.df}
        out |= {f"{name} p": found.p, f"{name} t": found.estimate / found.se}
    names = [*names, "beerpercap", "winepercap"]
    fit = least_squares(
        whole["mrate"].to_numpy(), _columns(whole, names), names, effects=_effects(whole, "state", "year")
    )
    state = whole["state"].to_numpy()
    out |= _clubbed(fit, state, "with beer and wine, legal {0} {1}")
    test = vcov.cr2(fit, state).joint(fit, np.eye(4)[:2])
    label = "joint test of legal and beertaxa (HTZ)"
    out |= {f"{label} F": test.statistic, f"{label} p": test.p, f"{label} df 1": test.df1}
    return out | {f"{label} df 2": test.df2, f"{label} delta": test.df2 / (test.df2 + test.df1 - 1)}


def cr2_mpdta(tables: Tables) -> Numbers:
    frame = tables.table("mpdta")
    treated = (frame["first.treat"] > 0) & (frame["year"] >= frame["first.treat"])
    effects = _effects(frame, "countyreal", "year")
    fit = least_squares(
        frame["lemp"].to_numpy(), treated.to_numpy(dtype=float)[:, None], ["treated"], effects=effects
    )
    return _clubbed(fit, effects["countyreal"])


def wcb_voters(tables: Tables) -> Numbers:
    frame = tables.table("voters")
    levels = [pd.get_dummies(frame[q], drop_first=True) for q in ("Q1_immigration", "Q2_defense")]
    x = np.column_stack([frame["treatment"], np.ones(len(frame)), frame["log_income"], *levels]).astype(float)
    names = ["treatment", "constant", *(f"x{k}" for k in range(x.shape[1] - 2))]
    fit = least_squares(frame["proposition_vote"].to_numpy(dtype=float), x, names)
    group = frame["group_id1"].to_numpy()
    found = wild_cluster(fit, group, "treatment", draws=99_999)
    return {
        "t": float(fit.beta[0] / vcov.cr1(fit, group).se()[0]),
        "p": found.p,
        "interval lower": found.ci[0],
        "interval upper": found.ci[1],
        "rows": fit.rows,
        "clusters": len(np.unique(group)),
    }
