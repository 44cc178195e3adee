"""Cluster covariances that do not lean on many clusters: CR2 with Satterthwaite's df, and the CR3 jackknife.

Both see all fixed effects: those nested in the cluster are taken out first, the others stay as columns, so
nothing of size N by N is ever formed. Source: Bell and McCaffrey 2002; Pustejovsky and Tipton 2018 (working
model: independent errors of equal variance; weighted fits by the full expression, because the short cut
through absorbed effects is wrong for them); MacKinnon, Nielsen and Webb 2023 for the jackknife;
``docs/methods/panel-estimators.md``. Neither helps with one treated cluster.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medhome.models.panels.absorb import Effects, Regression, codes, symmetric_inverse
from medhome.models.panels.sandwich import Covariance, nested
from medhome.study.problems import ModelRefusal

COLUMNS_AT_MOST = 1500
ZERO = 1e-10


@dataclass(frozen=True, kw_only=True)
class WholeDesign:
    """The design with nested effects taken out and the others as columns; slopes are its first columns."""

    design: np.ndarray
    bread: np.ndarray
    inside: Effects
    slopes: int
    members: list[np.ndarray]


def whole_design(fit: Regression, group: np.ndarray, kind: str) -> WholeDesign:
    """Slopes and effects as columns, those nested in the clusters (N,) positions swept out; or a refusal."""
    if not fit.linear:
        raise ModelRefusal(f"{kind} is for linear fits; use cr1 for this estimator.")
    inside = {n: v for n, v in fit.effects.levels.items() if nested(v, group)}
    outside = {n: v for n, v in fit.effects.levels.items() if n not in inside}
    columns = len(fit.beta) + sum(fit.effects.sizes[n] for n in outside)
    if columns > COLUMNS_AT_MOST:
        raise ModelRefusal(
            f"{kind} would need {columns:,} columns, as {', '.join(outside)} is not nested in the cluster; "
            "use cr1."
        )
    blocks = [fit.design]
    for name, level in outside.items():
        blocks.append((level[:, None] == np.arange(fit.effects.sizes[name])).astype(float))
    effects = Effects(levels=inside, weights=fit.weights)
    design = effects.residual(np.hstack(blocks))
    order = np.argsort(group, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(group))[:-1])
    return WholeDesign(
        design=design,
        bread=symmetric_inverse(design.T @ (fit.weights[:, None] * design)),
        inside=effects,
        slopes=len(fit.beta),
        members=members,
    )


def cr2(fit: Regression, cluster: np.ndarray) -> Covariance:
    """Bias-reduced cluster covariance with degrees of freedom for each combination (Satterthwaite).

    >>> from medhome.models.panels.absorb import least_squares
    >>> x = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0], [1.0, 3.0], [1.0, 5.0], [1.0, 4.0]])
    >>> fit = least_squares(np.array([0.0, 1.0, 1.0, 3.0, 4.0, 4.5]), x, ["constant", "x"])
    >>> found = cr2(fit, np.array([0, 0, 1, 1, 2, 2])).of(fit, "x")
    >>> 1 < found.df < 2
    True
    """
    group = codes(cluster)
    whole = whole_design(fit, group, "CR2")
    M, w, K = whole.bread, fit.weights, whole.slopes
    plain = bool((w == w[0]).all())
    MQM = M @ (whole.design.T @ ((w**2)[:, None] * whole.design)) @ M
    G = len(whole.members)
    own = np.zeros((G, K, K))
    u, v = np.zeros((G, len(M), K)), np.zeros((G, len(M), K))
    root = np.zeros((G, K))
    for g, rows in enumerate(whole.members):
        X, wg = whole.design[rows], w[rows]
        levels = [codes(level[rows]) for level in whole.inside.levels.values()]
        a = (_adjusted_plain(X, wg, M) if plain else _adjusted(X, wg, M, MQM, levels))[:, :K]
        b = _transposed(a, wg, levels)  # (I - H)' a within the cluster, before the part through the slopes
        own[g] = b.T @ b
        u[g] = X.T @ a
        v[g] = X.T @ (wg[:, None] * b)
        root[g] = a.T @ fit.residual[rows]
    S = np.block([[MQM, -M], [-M, np.zeros_like(M)]])

    def df_of(c: np.ndarray) -> float:
        """tr(L)^2 / sum(L^2) of L = diag(s) + F S F', never formed."""
        s = np.einsum("gij,i,j->g", own, c, c)
        F = np.hstack([u @ c, v @ c])
        diagonal = np.einsum("gi,ij,gj->g", F, S, F)
        SFF = S @ (F.T @ F)
        squares = (s**2).sum() + 2 * (s * diagonal).sum() + np.trace(SFF @ SFF)
        return float((s.sum() + diagonal.sum()) ** 2 / squares)

    def joint_df_of(C: np.ndarray) -> float:
        """q(q+1) over the summed variances of the standardised covariance of C b (Hotelling, HTZ)."""
        q = len(C)
        s = np.einsum("gij,si,tj->gst", own, C, C)
        F = np.stack([np.hstack([u @ c, v @ c]) for c in C])
        omega = s.sum(0) + np.einsum("sgi,ij,tgj->st", F, S, F)
        value, vector = np.linalg.eigh((omega + omega.T) / 2)
        R = (vector / np.sqrt(value)) @ vector.T
        s = np.einsum("sa,gab,tb->gst", R, s, R)
        F = np.einsum("sa,agi->sgi", R, F)
        diagonal = np.einsum("sgi,ij,tgj->gst", F, S, F)
        total = 0.0
        for i in range(q):
            for j in range(q):
                cross = S @ (F[i].T @ F[j])
                total += (s[:, i, i] * s[:, j, j]).sum() + (s[:, i, j] ** 2).sum()
                total += (s[:, i, i] * diagonal[:, j, j]).sum() + (s[:, j, j] * diagonal[:, i, i]).sum()
                total += 2 * (s[:, i, j] * diagonal[:, i, j]).sum()
                back = S @ (F[j].T @ F[i])
                total += np.trace(cross @ back) + np.trace(back @ back)
        return float(q * (q + 1) / total)

    return Covariance(
        matrix=root.T @ root,
        joint_df_of=joint_df_of,
        rule="CR2 (Bell and McCaffrey), independent working errors; Satterthwaite degrees of freedom",
        clusters=G,
        df_of=df_of,
    )


def _transposed(a: np.ndarray, w: np.ndarray, levels: list[np.ndarray]) -> np.ndarray:
    """P'a, P the projection that takes the nested effects out of a column: w * residual(a / w)."""
    return w[:, None] * _taken_out(a / w[:, None], w, levels)


def _taken_out(x: np.ndarray, w: np.ndarray, levels: list[np.ndarray]) -> np.ndarray:
    if not levels:
        return x
    if len(levels) == 1 and not levels[0].any():
        return x - (w @ x) / w.sum()
    return Effects(levels={str(k): level for k, level in enumerate(levels)}, weights=w).residual(x)


def _inverse_root(matrix: np.ndarray) -> np.ndarray:
    value, vector = np.linalg.eigh((matrix + matrix.T) / 2)
    kept = value > ZERO
    return np.asarray((vector[:, kept] / np.sqrt(value[kept])) @ vector[:, kept].T)


def _adjusted_plain(X: np.ndarray, w: np.ndarray, M: np.ndarray) -> np.ndarray:
    """A_g W_g X_g M with equal weights: only the span of the columns matters, so the root is small."""
    q, r = np.linalg.qr(X)
    return q @ (_inverse_root(np.eye(len(r)) - w[0] * r @ M @ r.T) @ (r @ M)) * w[0]


def _adjusted(
    X: np.ndarray, w: np.ndarray, M: np.ndarray, MQM: np.ndarray, levels: list[np.ndarray]
) -> np.ndarray:
    """A_g W_g X_g M, A_g the inverse root of the residuals' covariance block under equal variances."""
    n = len(X)
    columns = [X, w[:, None] * X]
    for level in levels:
        dummies = (level[:, None] == np.arange(int(level.max()) + 1)).astype(float)
        columns += [dummies, w[:, None] * dummies]
    basis = np.hstack(columns)
    q = np.linalg.qr(basis)[0] if basis.shape[1] < n else np.eye(n)
    t = _transposed(q, w, levels)
    cross = (X.T @ (w[:, None] * t)).T @ M @ (X.T @ q)
    block = t.T @ t - cross - cross.T + (X.T @ q).T @ MQM @ (X.T @ q)
    return q @ (_inverse_root(block) @ (q.T @ (w[:, None] * X @ M)))


def cr3(fit: Regression, cluster: np.ndarray) -> Covariance:
    """Delete-one-cluster jackknife: (G-1)/G times the squares of the slopes' moves about the full estimate.

    Some packages multiply by further factors or leave out (G-1)/G; the rule names this one. t with G - 1.

    >>> from medhome.models.panels.absorb import least_squares
    >>> fit = least_squares(np.array([1.0, 2.0, 6.0]), np.ones((3, 1)), ["constant"])
    >>> cr3(fit, np.arange(3)).se().round(9).tolist()  # of a mean: its usual standard error
    [1.527525232]
    """
    group = codes(cluster)
    moved = leave_one_out(fit, group)
    G = len(moved)
    return Covariance(
        matrix=moved.T @ moved * (G - 1) / G,
        rule=f"CR3, delete-one-cluster jackknife times (G-1)/G about the full estimate; G = {G}",
        clusters=G,
        df_of=lambda _c: float(G - 1),
    )


def leave_one_out(fit: Regression, cluster: np.ndarray) -> np.ndarray:
    """(G, K) slopes without a cluster less the slopes with all; refused where one cluster holds one up."""
    whole = whole_design(fit, cluster, "CR3")
    w, X = fit.weights, whole.design
    gram = X.T @ (w[:, None] * X)
    moved = np.zeros((len(whole.members), whole.slopes))
    for g, rows in enumerate(whole.members):
        Xg = X[rows]
        rest = gram - Xg.T @ (w[rows, None] * Xg)
        inverse = symmetric_inverse(rest)
        held = np.diag(inverse @ rest)[: whole.slopes]
        if (np.abs(held - 1) > 1e-6).any():
            lost = ", ".join(n for n, h in zip(fit.names, held, strict=True) if abs(h - 1) > 1e-6)
            raise ModelRefusal(
                f"Without one of the clusters {lost} cannot be estimated, so there is no jackknife (CR3); "
                "use randomization."
            )
        moved[g] = -(inverse @ (Xg.T @ (w[rows] * fit.residual[rows])))[: whole.slopes]
    return moved
