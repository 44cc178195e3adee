"""Nine made-up organisations, one or two treated, and a published triangle: tables of the package itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medhome.models.chain_ladder import develop, reserve
from medhome.models.inference import conventional, ferman_pinto, randomization, two_period, wild
from medhome.models.inference.contrasts import Contrasts, contrasts, month_shares
from medhome.models.inference.random_effects import re_panel
from medhome.models.synthetic_did import placebo_effects, synthetic_did
from medhome.validation.tables import Tables

Numbers = dict[str, float]
BEFORE, MONTHS = 6, 10
VARIANCE = 2_265_000.0
"""Of one member's monthly cost; beyond lag 0 its covariance is this times (0.30 * 0.85^lag + 0.08)."""


def _covariance() -> np.ndarray:
    lag = np.abs(np.subtract.outer(np.arange(MONTHS), np.arange(MONTHS)))
    return VARIANCE * np.where(lag == 0, 1.0, 0.30 * 0.85**lag + 0.08)


def _listed(name: str, values: Sequence[float] | np.ndarray) -> Numbers:
    return {f"{name} [{k}]": float(v) for k, v in enumerate(values, start=1)}


def _congruential(kept: int, rows: int, draws: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """Indices below ``kept`` and signs from the generator that the golden numbers name, so that drawn values
    can be compared: x <- (1103515245 x + 12345) mod 2^31 from 20080601."""
    x = 20080601
    index, sign = np.empty((draws, rows), int), np.empty((draws, rows))
    for b in range(draws):
        for j in range(rows):
            x = (1103515245 * x + 12345) % 2**31
            index[b, j] = (x >> 16) % kept
            x = (1103515245 * x + 12345) % 2**31
            sign[b, j] = 1.0 if (x >> 16) % 2 == 0 else -1.0
    return index, sign


def few_organizations(tables: Tables) -> Numbers:
    """Golden names: B member variance of the contrast, W changes by organisation, dl Donald and Lang, fp
    Ferman and Pinto, re random effects, ri randomisation, wcr wild cluster bootstrap, lcg with the draws of
    the named generator, p_mc with our own."""
    frame = tables.own("few_organizations")
    pmpm = frame[[c for c in frame.columns if str(c).startswith("pmpm_usd")]].to_numpy(dtype=float)
    members = frame["members"].to_numpy(dtype=float)
    after = np.arange(MONTHS) >= BEFORE
    mean = float((members[1:] @ pmpm[1:, :BEFORE]).mean() / members[1:].sum())
    variance = float(month_shares(after) @ _covariance() @ month_shares(after))
    out: Numbers = {"mean": mean, "B": variance}
    for count in (1, 2):
        treated = np.arange(len(members)) < count
        change = contrasts(pmpm, np.repeat(members[:, None], MONTHS, axis=1), treated, after)
        if count == 1:
            out |= _listed("W", change.change)
        name = f"treated {count} "
        out |= {name + k: v for k, v in _tests(change, count).items()}
        out |= {name + k: v for k, v in _random_effects(pmpm, members, treated, mean).items()}
        A = re_panel(pmpm, members, treated, BEFORE, _covariance(), mean).A_mean
        scaled = {
            "fp published": ferman_pinto.published(change),
            "fp recommended": ferman_pinto.recommended(change, A, variance / members),
        }
        for which, scale in scaled.items():
            kept = len(scale.z)
            drawn = ferman_pinto.bootstrap(change, scale, *_congruential(kept, len(members)))
            many = ferman_pinto.random_draws(kept, len(members), np.random.default_rng([2, count]), 400_000)
            found = {"p lcg": drawn.p, "q95 lcg": drawn.q95}
            found["p mc"] = ferman_pinto.bootstrap(change, scale, *many).p
            found |= _listed("V", scale.variance) | _listed("z", scale.z)
            out |= {f"{name}{which} {k}": v for k, v in found.items()}
        out[f"{name}fp recommended tau"] = change.effect()
        two = two_period.re_two_period(change, variance / members, mean)
        pair = {"A reml": two.A_reml, "mean": two.effect.estimate, "p": two.effect.p}
        pair |= _listed("plug", two.plug_in) | _listed("ci95", two.effect.ci95)
        out |= {f"{name}re two period {k}": v for k, v in pair.items()}
        by_size = two_period.reml_by_size(change)
        out |= _listed(f"{name}reml ab", (by_size.A, by_size.B))
    one = np.arange(len(members)) < 1
    out["sdid estimate"] = synthetic_did(pmpm, one, BEFORE).estimate
    out["sdid placebo sd"] = float(placebo_effects(pmpm, one, BEFORE).std())
    return out


def _tests(change: Contrasts, count: int) -> Numbers:
    found = {
        "cr1": conventional.cluster_robust(change),
        "cr2": conventional.bell_mccaffrey(change),
        "dl unweighted": conventional.donald_lang(change),
        "dl member": conventional.donald_lang(change, by_members=True),
    }
    if count == 2:
        found["welch"] = conventional.welch(change)
    out: Numbers = {}
    for name, test in found.items():
        numbers = {"tau": test.estimate, "se": test.se, "df": test.df, "p": test.p}
        out |= {f"{name} {k}": v for k, v in numbers.items()} | _listed(f"{name} ci", test.ci95)
    signs = wild.rademacher(9, 512, np.random.default_rng(0))  # 2^9: every sign vector, none drawn
    out["wcr rademacher 512"] = wild.wild_cluster(change, signs)[0]
    out["wcr webb lcg 2000"] = wild.wild_cluster(change, wild.WEBB[_congruential(6, 9)[0]])[0]
    for statistic in ("beta", "t"):
        for by_members, label in ((True, "member"), (False, "unweighted")):
            ri = randomization.randomization(change, statistic, by_members)
            out |= _listed(f"ri {statistic} {label}", (ri.rank, ri.assignments, ri.statistic))
    if count == 1:
        taber = randomization.conley_taber(change)
        out |= _listed("conley taber", (taber.estimate, taber.p, taber.p_finite))
    return out


def _random_effects(pmpm: np.ndarray, members: np.ndarray, treated: np.ndarray, mean: float) -> Numbers:
    found = re_panel(pmpm, members, treated, BEFORE, _covariance(), mean)
    grid = found.grid
    point = grid[np.isclose(grid["sigma_share"], 0.05) & (grid["rho"] == 0.8)].iloc[0]
    out = {f"at 05 08 {k.replace('_', ' ')}": float(point[k])
           for k in ("loglik", "A", "var_did", "gls", "var_gls")}  # fmt: skip
    out |= {
        "loglik 0": float(grid["loglik"].iloc[0]),
        "A mean": found.A_mean,
        "sigma mean": found.sigma_mean,
        "rho mean": found.rho_mean,
        "did mean": found.effect.estimate,
        "did pr below 0": found.effect.probability_below_zero,
        "did p": found.effect.p,
        "gls mean": found.gls.estimate,
        "gls p": found.gls.p,
    }
    out |= _listed("did ci", found.effect.ci95) | _listed("gls ci", found.gls.ci95)
    out |= _listed("did ci flat", found.flat[0].ci95) | _listed("did ci 05", found.narrow[0].ci95)
    return {f"re panel {k}": v for k, v in out.items()}


def raa_triangle(tables: Tables) -> Numbers:
    frame = tables.own("raa_triangle")
    triangle = frame[[c for c in frame.columns if str(c).startswith("incurred")]].to_numpy(dtype=float)
    out: Numbers = {}
    for rule in ("mack", "log-linear"):
        found = reserve(triangle, develop(triangle, last_sigma=rule))
        out["outstanding"] = float(found.total)
        for year, error in zip(frame["year"][1:], found.se[1:], strict=True):
            out[f"{rule} se of {year}"] = float(error)
        out[f"{rule} se in total"] = float(found.total_se)
    return out
