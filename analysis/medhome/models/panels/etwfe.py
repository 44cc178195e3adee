"""What did treatment change, in the units of the outcome, from one regression on all waves and times?

Wooldridge (2023, Econometrics Journal 26): wave and time effects, and an effect of its own for every wave at
every time from its start on. Linear, or Poisson for costs with zeros, where waves share a growth rate instead
of a growth in dollars; the estimate is then still in the outcome's own units: mean over treated rows of the
fitted value less the fitted value with the effects taken out, with its error by the delta method.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.linalg import qr
from scipy.sparse import csr_matrix, hstack

from medhome.models.panels.absorb import codes
from medhome.models.panels.conclusion import conclude
from medhome.models.panels.sandwich import Inference
from medhome.models.panels.waves import WaveRows, wave_rows
from medhome.study.panel_data import PanelData
from medhome.study.panel_results import PanelEstimate
from medhome.study.problems import ModelRefusal

FAMILIES = ("linear", "poisson")
CONTROLS = ("not-yet", "never")


@dataclass(frozen=True)
class _Design:
    """x: (n, P) sparse. effect: (P,) whether a column is part of an effect. cells: wave, time of each effect
    column that is no interaction, with its place among the P."""

    x: csr_matrix
    names: list[str]
    effect: np.ndarray
    cells: list[tuple[float, float, int]]


def etwfe(data: PanelData, *, family: str = "linear", control: str = "not-yet") -> PanelEstimate:
    """The effect on the treated, in units of the outcome, from the saturated regression.

    family: "linear" or "poisson" (outcome 0 or more). control: "not-yet" uses every time before a wave's
    start; "never" gives those times (but the last) coefficients too, so that they count for tests only.
    Covariates enter by wave, by time and with every effect. table: one row a wave and time, with coefficient
    and effect; details: ``dynamic``, ``group``, ``calendar`` effects and, for Poisson, ``ratio``, the total
    effect over the total without treatment. Raises `ModelRefusal`.

    >>> from medhome.models.panels.reading import panel_from_frame
    >>> frame = pd.DataFrame([(i, t, 2 if i < 2 else 0, i + t + 3.0 * (i < 2 and t == 2) + i * t % 3)
    ...                       for i in range(6) for t in (1, 2)], columns=["id", "t", "g", "y"])
    >>> round(etwfe(panel_from_frame(frame, "y", "id", "t", first_treated="g")).estimate, 10)
    3.75
    """
    for name, given, allowed in (("family", family, FAMILIES), ("control", control, CONTROLS)):
        if given not in allowed:
            raise ModelRefusal(f"{name} is one of {', '.join(allowed)}, not {given!r}")
    rows = wave_rows(data)
    keep = rows.keep
    design = _design(data, rows, control)
    y, w, cluster = data.outcome[keep], data.weights[keep], codes(data.cluster[keep])
    if family == "poisson":
        _check_counts(y, w, design)
    beta, fitted, working = _fit(design, y, w, family)
    clusters = int(cluster.max()) + 1
    covariance, rule = _sandwich(design, y - fitted, w, working, cluster)
    # What the effect columns add to each row, and how it moves with every coefficient.
    delta = design.x @ np.where(design.effect, beta, 0.0)
    if family == "linear":
        effect = delta
        gradient = design.x @ _diagonal(design.effect.astype(float))
    else:
        without = fitted * np.exp(-delta)
        effect = fitted - without
        gradient = (
            _diagonal(fitted) @ design.x
            - _diagonal(without) @ design.x @ _diagonal((~design.effect).astype(float))
        ).tocsr()
    first, time = rows.first[keep], data.times[data.time[keep]]
    treated = time >= first
    average = _Averages(effect, gradient, w, covariance, clusters)
    chosen = average.of([treated])[0]
    event = time - np.where(np.isfinite(first), first, np.inf)
    shown = [
        {
            "group": g,
            "time": t,
            "event_time": t - g,
            "coefficient": float(beta[k]),
            "coefficient_se": float(np.sqrt(covariance[k, k])),
        }
        for g, t, k in design.cells
    ]
    of_cells = average.of([(first == g) & (time == t) for g, t, _ in design.cells])
    table = pd.DataFrame([a | b for a, b in zip(shown, of_cells, strict=True)])
    details: dict[str, Any] = {"family": family, "control": control, "coefficients": design.x.shape[1]}
    covered = _covered(design, first, time)
    for name, of, wanted in (
        ("dynamic", event, np.isfinite(event)),
        ("group", first, treated),
        ("calendar", time, treated),
    ):
        keys = np.unique(of[wanted & covered])
        found = average.of([wanted & covered & (of == key) for key in keys])
        label = {"dynamic": "event_time", "group": "group", "calendar": "time"}[name]
        details[name] = [{label: float(key)} | row for key, row in zip(keys, found, strict=True)]
    if family == "poisson":
        details["ratio"] = float((w * effect)[treated].sum() / (w * (fitted - effect))[treated].sum())
    return conclude(
        f"etwfe {family}",
        data,
        chosen["estimate"],
        chosen["se"],
        clusters - 1.0,
        rule,
        clusters,
        rows.warnings,
        table,
        details,
    )


def _covered(design: _Design, first: np.ndarray, time: np.ndarray) -> np.ndarray:
    """(n,) whether the row's wave and time have an effect of their own."""
    times = np.unique(time)

    def code(g: np.ndarray, t: np.ndarray) -> np.ndarray:
        return np.searchsorted(waves, g) * (len(times) + 1) + np.searchsorted(times, t)

    waves = np.unique(first)
    own = np.array([(g, t) for g, t, _ in design.cells])
    return np.isin(code(first, time), code(own[:, 0], own[:, 1]))


def _diagonal(values: np.ndarray) -> csr_matrix:
    n = len(values)
    return csr_matrix((values, np.arange(n), np.arange(n + 1)), shape=(n, n))


def _design(data: PanelData, rows: WaveRows, control: str) -> _Design:
    keep = rows.keep
    first, time, x, w = (
        rows.first[keep],
        data.times[data.time[keep]],
        data.covariates[keep],
        data.weights[keep],
    )
    parts: list[np.ndarray] = [np.ones(int(keep.sum()))]
    names, effect = ["constant"], [False]
    cells: list[tuple[float, float, int]] = []

    def add(name: str, column: np.ndarray, is_effect: bool = False) -> None:
        parts.append(column)
        names.append(name)
        effect.append(is_effect)

    in_wave = {g: (first == g).astype(float) for g in rows.waves}
    at_time = {t: (time == t).astype(float) for t in np.unique(time)[1:]}
    centre = x.mean(axis=0) if x.shape[1] else np.zeros(0)
    groups = [(f"wave {g:g}", d) for g, d in in_wave.items()] + [(f"at {t:g}", d) for t, d in at_time.items()]
    for name, column in groups:
        add(name, column)
    for k, covariate in enumerate(data.covariate_names):
        add(covariate, x[:, k] - centre[k])
        for name, column in groups:
            add(f"{covariate}, {name}", column * (x[:, k] - centre[k]))
    for g, own in in_wave.items():
        mean = np.average(x, axis=0, weights=w * own) if x.shape[1] else centre
        for t in np.unique(time[own > 0]):
            if t < g and (control == "not-yet" or t == rows.reference[g]):
                continue
            cell = own * (time == t)
            cells.append((float(g), float(t), len(names)))
            add(f"wave {g:g} at {t:g}", cell, True)
            for k, covariate in enumerate(data.covariate_names):
                add(f"{covariate}, wave {g:g} at {t:g}", cell * (x[:, k] - mean[k]), True)
    matrix = hstack([csr_matrix(p[:, None]) for p in parts]).tocsr()
    return _Design(matrix, names, np.array(effect), cells)


def _check_counts(y: np.ndarray, w: np.ndarray, design: _Design) -> None:
    if (y < 0).any():
        raise ModelRefusal(
            f"{int((y < 0).sum())} outcomes are negative: Poisson needs 0 or more; use family='linear'"
        )
    plain = [k for k, name in enumerate(design.names) if "," not in name]
    total = np.asarray(design.x[:, plain].T @ (w * y))
    if (total <= 0).any():
        where = [design.names[plain[i]] for i in np.flatnonzero(total <= 0)]
        raise ModelRefusal(
            f"every outcome is zero in {', '.join(where)}: a Poisson effect there is minus infinity"
        )


def _solve(design: _Design, gram: np.ndarray, right: np.ndarray) -> np.ndarray:
    scale = np.sqrt(np.maximum(np.diag(gram), 1e-300))
    scaled = gram / np.outer(scale, scale)
    if np.linalg.eigvalsh(scaled)[0] < 1e-11:
        triangle, order = qr(scaled, mode="r", pivoting=True)
        lost = order[np.abs(np.diag(triangle)) < 1e-9]
        named = ", ".join(design.names[k] for k in sorted(lost)) or "nearly the same columns"
        raise ModelRefusal(f"not identified beside wave and time effects: {named}")
    return np.linalg.solve(scaled, right / scale[:, None]) / scale[:, None]


def _gram(design: _Design, w: np.ndarray) -> np.ndarray:
    return (design.x.T @ _diagonal(w) @ design.x).toarray()


def _fit(
    design: _Design, y: np.ndarray, w: np.ndarray, family: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coefficients, fitted values and working weights, by least squares or by reweighted least squares."""
    if family == "linear":
        beta = np.zeros(design.x.shape[1])
        gram = _gram(design, w)
        for _ in range(2):  # the second pass takes out the rounding of the first
            beta = beta + _solve(design, gram, (design.x.T @ (w * (y - design.x @ beta)))[:, None])[:, 0]
        return beta, design.x @ beta, w
    mean = float(np.average(y, weights=w))
    fitted = (y + mean) / 2
    eta = np.log(fitted)
    beta = np.zeros(design.x.shape[1])
    for _ in range(200):
        working = w * fitted
        response = eta + (y - fitted) / fitted
        new = _solve(design, _gram(design, working), (design.x.T @ (working * response))[:, None])[:, 0]
        moved = np.abs(design.x @ (new - beta)).max()
        beta, eta = new, design.x @ new
        fitted = np.exp(np.clip(eta, -500, 500))
        if moved < 1e-12 * max(1.0, np.abs(eta).max()):
            return beta, fitted, w * fitted
    raise ModelRefusal("the Poisson regression did not converge: some effect runs off to infinity")


def _sandwich(
    design: _Design, residual: np.ndarray, w: np.ndarray, working: np.ndarray, cluster: np.ndarray
) -> tuple[np.ndarray, str]:
    """Cluster covariance (P, P) under fixest's rule, where no effect is nested in the clusters."""
    n, k = design.x.shape
    count = int(cluster.max()) + 1
    if count < 2:
        raise ModelRefusal("one cluster: there is no standard error")
    if n <= k:
        raise ModelRefusal(f"{n} rows for {k} coefficients")
    by_cluster = csr_matrix((w * residual, (cluster, np.arange(n))), shape=(count, n))
    scores = (by_cluster @ design.x).toarray()
    bread = _solve(design, _gram(design, working), np.eye(k))
    factor = count / (count - 1) * (n - 1) / (n - k)
    return bread @ (scores.T @ scores) @ bread * factor, (
        "CR1: G/(G-1) * (N-1)/(N-K), K = all coefficients with wave and time effects; effects by the "
        "delta method"
    )


@dataclass(frozen=True)
class _Averages:
    effect: np.ndarray
    gradient: csr_matrix
    weights: np.ndarray
    covariance: np.ndarray
    clusters: int

    def of(self, chosen: list[np.ndarray]) -> list[dict[str, float]]:
        """Estimate, error, interval and p of the mean effect over each set of rows."""
        out = []
        for rows in chosen:
            share = np.where(rows, self.weights, 0.0)
            share = share / share.sum()
            slope = self.gradient.T @ share
            se = float(np.sqrt(max(slope @ self.covariance @ slope, 0.0)))
            found = Inference.of(float(share @ self.effect), se, self.clusters - 1.0)
            out.append(
                {
                    "estimate": found.estimate,
                    "se": se,
                    "ci_low": found.ci[0],
                    "ci_high": found.ci[1],
                    "p": found.p,
                }
            )
        return out
