"""How much should each comparison practice count, so that the arms were alike before the program began?

Weights are made of practices: characteristics of their members before the start, months as base weights. They
reach every estimate by re-weighting the cells, so nothing is collapsed again. Weighted comparison members
count as many as they are worth: their weights are scaled to the effective number of member-months,
(sum f M)^2 / sum f^2 M, so that uneven weights widen intervals. Source: ``docs/methods/weighting.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import overload

import numpy as np
import pandas as pd

from medhome.models.weighting.entropy import entropy_balance
from medhome.models.weighting.propensity import propensity
from medhome.study.cells import Cells
from medhome.study.comparison_results import ComparisonGroup, empty
from medhome.study.problems import ModelRefusal
from medhome.study.spec import StudySpec
from medhome.study.weights import Weights

PRACTICE = ["organization_id", "practice_id", "arm"]
OUTCOME = "allowed_capped"
SCALE = 1_000_000
"""Weights of practices are rounded to a millionth, so that weighted cells stay whole numbers."""
YEAR = 12


@dataclass(frozen=True, kw_only=True)
class PracticeWeights:
    """Factor of each practice's member-months, by organisation, practice and arm; absent: left out.

    >>> frame = pd.DataFrame({"organization_id": ["A", "A"], "practice_id": ["P", "Q"], "arm": "comparison",
    ...                       "rows": 1, "w": 1000, "w*y": [500, 900]})
    >>> cells = Cells(keys=tuple(PRACTICE), scales={"y": 1}, frame=frame)
    >>> left = PracticeWeights(factors={("A", "Q", "comparison"): 0.5}).applied(cells)
    >>> left.frame["practice_id"].tolist(), left.member_months.tolist(), left.mean("y").tolist()
    (['Q'], [0.5], [0.9])
    """

    factors: Mapping[tuple[str, str, str], float]

    @overload
    def applied(self, cells: Cells) -> Cells: ...

    @overload
    def applied(self, cells: None) -> None: ...

    def applied(self, cells: Cells | None) -> Cells | None:
        """Cells whose members count so many times; cells of practices without weight go. All stay without
        factors."""
        if not self.factors or cells is None:
            return cells
        factor = self.of(cells.frame)
        kept = factor > 0
        return cells.where(kept).reweighted(factor[kept], SCALE)

    def of(self, frame: pd.DataFrame) -> np.ndarray:
        """(N,) factors of rows with the columns of a practice."""
        keys = zip(*(frame[c].astype(str) for c in PRACTICE), strict=True)
        return np.array([self.factors.get(k, 0.0) for k in keys])


def weigh(
    cells: Cells, rows: pd.DataFrame, expected_cents: np.ndarray, balance: pd.DataFrame, spec: StudySpec
) -> tuple[PracticeWeights, ComparisonGroup]:
    """The weights that a study asks for in [comparison], and what they do.

    Arguments
        cells: practice-months. rows: `study.cells.Rows.frame`, whose baseline rows describe members;
            expected_cents: (len(rows),) of the frozen cost model. balance: exhibit T2.

    Raises `ModelRefusal` where practices of the arms cannot be made alike, naming the covariate.
    """
    asked = spec.comparison
    if asked.weights == "none":
        return PracticeWeights(factors={}), ComparisonGroup()
    inside = ((rows["period"] == "baseline") & (rows["w"] > 0)).to_numpy()
    members = rows[inside].assign(expected=expected_cents[inside] / 100)
    values = _characteristics(members)
    if missing := [c for c in asked.covariates if c not in values]:
        raise ModelRefusal(
            f"comparison.covariates names {missing[0]!r}, which the cost model of this study does not tell; "
            'set risk.model to "age-sex-conditions"'
        )
    months = members["w"].to_numpy(dtype=float)
    site = pd.MultiIndex.from_frame(members[PRACTICE].astype(str))
    code, sites = pd.factorize(site, sort=True)
    assert isinstance(sites, pd.MultiIndex)
    total = np.bincount(code, months)
    covariates = pd.DataFrame({c: np.bincount(code, months * values[c]) / total for c in asked.covariates})
    arms = sites.get_level_values(2)
    found, left_out = _weights(covariates, (arms == "treated").astype(int), total, cells, sites, spec)
    factor = found.weights / total
    own = np.asarray(arms == "comparison") & (factor > 0)
    worth = float((factor * total)[own].sum() / (factor**2 * total)[own].sum())
    factor = np.where(own, factor * worth, factor)
    weights = PracticeWeights(factors={k: float(f) for k, f in zip(sites, factor, strict=True) if f > 0})
    trimming = found.trimming.rename(columns={"rows": "practices"})
    if left_out:
        told = {"rule": "no member-months in a part of the baseline", "group": "comparison"}
        trimming = pd.concat([pd.DataFrame([{**told, "practices": left_out}]), trimming], ignore_index=True)
    names = {"rows": "practices", "effective_sample_size": "effective"}
    groups = found.summary.rename(columns=names)
    return weights, ComparisonGroup(
        method=asked.weights,
        rule=found.rule,
        balance=_balance(values, members, weights.of(members), balance),
        groups=groups[list(empty("groups").columns)],
        trimming=trimming[list(empty("trimming").columns)],
        placebo=_placebo(found),
        warnings=found.warnings,
    )


def _characteristics(members: pd.DataFrame) -> dict[str, np.ndarray]:
    """Each member's characteristics, by covariate of [comparison] and by row of exhibit T2."""
    women = [c for c in members.columns if c.startswith("age_sex:F")]
    found = {
        "expected": members["expected"].to_numpy(dtype=float),
        "age": members["age"].to_numpy(dtype=float),
        "children": (members["age"] < 18).to_numpy(dtype=float),
    }
    if women:
        found["female"] = members[women].sum(axis=1).to_numpy(dtype=float)
    for term in members.columns:
        if term.startswith("condition:"):
            found[term] = members[term].to_numpy(dtype=float)
    months = members["w"].to_numpy(dtype=float) / 1000
    return found | {
        "expected_pmpm": found["expected"],
        "baseline_pmpm": members[OUTCOME].to_numpy(dtype=float) / 100 / months,
    }


def _weights(
    covariates: pd.DataFrame,
    treated: np.ndarray,
    months: np.ndarray,
    cells: Cells,
    sites: pd.MultiIndex,
    spec: StudySpec,
) -> tuple[Weights, int]:
    """Weights of the practices (zero where one cannot be weighted), and how many lack part of the
    baseline."""
    asked = spec.comparison
    if asked.weights == "entropy":
        return entropy_balance(covariates, treated, base_weights=months), 0
    options = {"trim": asked.trim, "largest_share": asked.largest_share}
    if not asked.outcome_levels:
        return propensity(covariates, treated, base_weights=months, **options), 0  # type: ignore[arg-type]
    levels = _levels(cells, sites, spec)
    whole = levels.notna().all(axis=1).to_numpy()
    if not whole[treated == 1].all():
        raise ModelRefusal(
            "comparison.outcome_levels: a practice of the program has no member-months in a part of the "
            "baseline; leave outcome_levels out"
        )
    found = propensity(
        covariates[whole].reset_index(drop=True),
        treated[whole],
        base_weights=months[whole],
        outcome_levels=levels[whole].reset_index(drop=True),
        allow_outcome_levels=True,
        clusters=sites.get_level_values(0).to_numpy()[whole],
        **options,  # type: ignore[arg-type]
    )
    every = np.zeros(len(whole))
    every[whole] = found.weights
    return Weights(**{**vars(found), "weights": every}), int((~whole).sum())


def _levels(cells: Cells, sites: pd.MultiIndex, spec: StudySpec) -> pd.DataFrame:
    """Each practice's cost PMPM in the years of the baseline, back from its end (halves when short)."""
    first, end = spec.periods.baseline.first, spec.periods.baseline.end
    length = YEAR if end - first >= 2 * YEAR else (end - first) // 2
    parts = range(end - length, first - 1, -length)
    found = {}
    for start in sorted(parts):
        month = cells.frame["month"].to_numpy(dtype=int)
        part = cells.where((month >= start) & (month < start + length)).by(*PRACTICE)
        keys = pd.MultiIndex.from_frame(part.frame[PRACTICE].astype(str))
        found[f"cost from {start // 12}-{start % 12 + 1:02d}"] = pd.Series(
            part.mean(OUTCOME), index=keys
        ).reindex(sites)
    return pd.DataFrame(found).reset_index(drop=True)


def _balance(
    values: Mapping[str, np.ndarray], members: pd.DataFrame, factor: np.ndarray, t2: pd.DataFrame
) -> pd.DataFrame:
    """Exhibit T2 with the weighted comparison group, from the same members and months."""
    months = members["w"].to_numpy(dtype=float)
    treated = (members["arm"] == "treated").to_numpy()
    rows = []
    for row in t2[t2["characteristic"].isin(list(values))].to_dict("records"):
        x = values[row["characteristic"]]
        (_, before), (_, other) = _moments(x, months * treated), _moments(x, months * ~treated)
        mean, own = _moments(x, months * factor * treated)
        weighted, after = _moments(x, months * factor * ~treated)
        pooled = float(np.sqrt((before + other) / 2))
        rows.append(
            {k: row[k] for k in ("characteristic", "label", "unit", "comparison", "smd", "variance_ratio")}
            | {
                "treated": mean,
                "weighted": weighted,
                "smd_weighted": (mean - weighted) / pooled if pooled > 0 else 0.0,
                "variance_ratio_weighted": own / after if after > 0 else np.nan,
            }
        )
    return pd.DataFrame(rows, columns=list(empty("balance").columns))


def _moments(x: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    mean = float(weight @ x / weight.sum())
    return mean, float(weight @ (x - mean) ** 2 / weight.sum())


def _placebo(found: Weights) -> pd.DataFrame:
    if found.placebo is None:
        return empty("placebo")
    p, z = found.placebo, 1.959963984540054
    plain = (p.plain_estimate - z * p.plain_se, p.plain_estimate + z * p.plain_se)
    rows = [
        ("levels", "Matched on cost before the start", p.estimate, p.se, *p.ci95),
        ("plain", "Not matched on cost", p.plain_estimate, p.plain_se, *plain),
    ]
    return pd.DataFrame(rows, columns=list(empty("placebo").columns))
