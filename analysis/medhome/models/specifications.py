"""The specification curve: the effect under every combination of choices, and its place among assignments.

The question: would the finding be another one had a choice been made otherwise? Every specification is fitted
exactly from the sums of one collapse per attribution; the whole curve is then compared with the curves that
the other assignments of the treated label would have given. Source: Simonsohn, Simmons and Nelson 2020,
"Specification curve analysis", Nature Human Behaviour 4:1208-1214; ``docs/methods/specifications.md``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product
from math import comb
from typing import Any

import numpy as np
import pandas as pd

from medhome.models.comparison_group import PracticeWeights
from medhome.models.inference.conventional import TTest
from medhome.models.inference.randomization import ENUMERATED_AT_MOST, SAMPLED, TIE
from medhome.models.specification_estimators import ESTIMATORS
from medhome.models.specification_samples import Sample, of_population, weighted
from medhome.study.cells import Cells
from medhome.study.problems import ModelRefusal
from medhome.study.results import Estimate
from medhome.study.spec import StudySpec
from medhome.study.specification_results import AXES, SpecificationCurve, empty

SEED_STEP = 51
MOST_POISSON = 200
"""With more assignments than this, Poisson fits are left out of the ranks: each is fitted anew."""

Unit = tuple[str, str]
Where = tuple[str, str, str]


def primary(spec: StudySpec) -> dict[str, str]:
    """The study's own choice on every axis."""
    cap = spec.outcomes.cap_usd_per_year
    values = (
        spec.attribution.population,
        "none" if cap is None else str(cap),
        "allowed",
        "member_months" if spec.comparison.weights == "none" else "study",
        "expected" if "expected" in spec.estimation.covariates else "none",
        "all",
        "twfe",
        "organization",
    )
    return dict(zip(AXES, values, strict=True))


def axes(spec: StudySpec) -> dict[str, tuple[str, ...]]:
    """The values of every axis, the study's own first.

    >>> from medhome.study.period_choices import Periods
    >>> from medhome.study.spec import Program
    >>> spec = StudySpec(id="a", title="A", seed=1, paid_through="2010-06", program=Program(name="P"),
    ...     periods=Periods(baseline_first="2007-06", baseline_last="2008-05", start="2008-06",
    ...                     through="2009-05"))
    >>> axes(spec)["cap"]
    ('100000', 'none', '250000', 'p99')
    """
    own, s = primary(spec), spec.specifications
    asked: tuple[Sequence[object], ...] = (
        *(s.attributions, s.caps, s.amounts, s.weights),
        *(s.covariates, s.populations, s.estimators, s.clustering),
    )
    return {
        axis: tuple(dict.fromkeys((own[axis], *(str(v) for v in values))))
        for axis, values in zip(AXES, asked, strict=True)
    }


def curve(
    by_attribution: Mapping[str, Cells],
    headline: Estimate,
    spec: StudySpec,
    practices: PracticeWeights | None = None,
) -> SpecificationCurve:
    """The effect under every combination of the study's [specifications].

    Arguments
        by_attribution: cells with the outcomes ``<amount>_<cap>`` and ``expected``; none: an empty curve.
        headline: the study's effect, whose interval the primary specification has.
        practices: the study's own weights of comparison practices, where it has some.

    The cost model behind ``expected`` is that of the attribution, fitted once: a specification changes what
    it names and nothing else.
    """
    if not by_attribution:
        return SpecificationCurve()
    values, own = axes(spec), primary(spec)
    samples, left_out = _samples(by_attribution, values, spec, practices)
    units = sorted({u for s in samples.values() for u in s.organizations})
    treated = np.array([arm == "treated" for _name, arm in units])
    assigned, exact = _assignments(treated, spec.seed)
    rows: list[dict[str, Any]] = []
    permuted: list[np.ndarray] = []
    skipped = 0
    for where, sample in samples.items():
        number = {u: i for i, u in enumerate(units)}
        organization = np.array([number[u] for u in sample.organizations])
        for cap, amount, name, covariate in product(
            values["cap"], values["amount"], values["estimator"], values["covariates"]
        ):
            estimator, outcome = ESTIMATORS[name], f"{amount}_{cap}"
            if covariate not in estimator.covariates or outcome not in sample.moments.names:
                continue
            covariates = () if covariate == "none" else (covariate,)
            attribution, population, weights = where
            chosen = (attribution, cap, amount, weights, covariate, population, name)
            try:
                tests = estimator.fit(sample, outcome, covariates, values["clustering"])
            except ModelRefusal as refusal:
                rows += [_row(chosen, c, None, str(refusal)) for c in values["clustering"]]
                continue
            rows += [_row(chosen, c, test, "") for c, test in tests.items()]
            if not sample.reassignable or (name == "ppml" and len(assigned) > MOST_POISSON):
                skipped += 1
                continue
            permuted.append(estimator.permuted(sample, outcome, covariates, organization, assigned))
    if skipped:
        left_out.append(
            f"{skipped} estimates are not in the ranks: their weights were made for the actual assignment, "
            "or they would be too many Poisson fits"
        )
    if "ppml" in values["estimator"] and "expected" in values["covariates"]:
        left_out.append(
            "Poisson with a covariate: where it varies inside a practice-month the fit is not exact from sums"
        )
    if not rows:
        return SpecificationCurve(left_out=tuple(left_out))
    frame = _ordered(pd.DataFrame(rows), values, own, headline)
    return SpecificationCurve(
        specifications=frame,
        choices=_choices(frame, values, own),
        ranks=_ranks(np.array(permuted), len(assigned)),
        exact=exact,
        ranked=len(permuted),
        treated_organizations=int(treated.sum()),
        left_out=tuple(left_out),
    )


def _samples(
    by_attribution: Mapping[str, Cells],
    values: Mapping[str, tuple[str, ...]],
    spec: StudySpec,
    practices: PracticeWeights | None,
) -> tuple[dict[Where, Sample], list[str]]:
    """One sample per attribution, population and weights, and what could not be made, and why."""
    found: dict[Where, Sample] = {}
    left_out: list[str] = []
    first_post, floor = spec.periods.performance.first, spec.disclosure.floor
    for attribution, population in product(values["attribution"], values["population"]):
        cells = by_attribution[attribution]
        cells = cells.where(cells.frame["month"].isin(spec.periods.analysed))
        try:
            moments = of_population(cells, population, first_post, floor)
        except ModelRefusal as refusal:
            left_out.append(f"{attribution}, population {population}: {refusal}")
            continue
        for weights in values["weights"]:
            try:
                found[attribution, population, weights] = weighted(moments, weights, practices)
            except ModelRefusal as refusal:
                left_out.append(f"{attribution}, population {population}, weights {weights}: {refusal}")
    return found, left_out


def _row(chosen: tuple[str, ...], clustering: str, test: TTest | None, why: str) -> dict[str, Any]:
    nan = float("nan")
    found = dict(zip(AXES, (*chosen, clustering), strict=True))
    if test is None:
        names = ("estimate", "se", "df", "lo90", "hi90", "lo95", "hi95")
        return found | dict.fromkeys(names, nan) | {"interval": "conventional", "why": why}
    return found | {
        "estimate": test.estimate, "se": test.se, "df": test.df,
        "lo90": test.ci90[0], "hi90": test.ci90[1], "lo95": test.ci95[0], "hi95": test.ci95[1],
        "interval": "conventional", "why": why,
    }  # fmt: skip


def _ordered(
    frame: pd.DataFrame, values: Mapping[str, tuple[str, ...]], own: Mapping[str, str], headline: Estimate
) -> pd.DataFrame:
    """`SpecificationCurve.specifications`: by estimate, then as the axes name their values."""
    frame["primary"] = np.logical_and.reduce([frame[axis] == own[axis] for axis in AXES])
    place = {axis: frame[axis].map({v: i for i, v in enumerate(values[axis])}) for axis in AXES}
    # Equal effects of two estimators differ in the last digits, which must not order them.
    ordered = frame.assign(shown=frame["estimate"].round(9), **{f"{a}:": p for a, p in place.items()})
    ordered = ordered.sort_values(["shown", *(f"{a}:" for a in AXES)], kind="stable", na_position="last")
    ordered = ordered.reset_index(drop=True)
    known = ordered["why"] == ""
    at = ordered["primary"] & known
    ordered.loc[at, "interval"] = "recommended"
    for column, value in (("se", headline.se), ("df", None)):
        ordered.loc[at, column] = np.nan if value is None else value
    for level, bounds in (("90", headline.ci90), ("95", headline.ci95)):
        low, high = bounds or (np.nan, np.nan)
        ordered.loc[at, f"lo{level}"], ordered.loc[at, f"hi{level}"] = low, high
    return ordered[list(empty("specifications").columns)]


def _choices(
    frame: pd.DataFrame, values: Mapping[str, tuple[str, ...]], own: Mapping[str, str]
) -> pd.DataFrame:
    known = frame[frame["why"] == ""].drop_duplicates(list(AXES[:-1]))
    rows = []
    for axis, value in ((a, v) for a in AXES[:-1] for v in values[a]):
        mine = known.loc[known[axis] == value, "estimate"]
        if len(mine):
            rows.append((axis, value, value == own[axis], len(mine), mine.median(), mine.min(), mine.max()))
    columns = ["axis", "value", "primary", "estimates", "median", "least", "most"]
    return pd.DataFrame(rows, columns=columns)


def _assignments(treated: np.ndarray, seed: int) -> tuple[np.ndarray, bool]:
    """(A, J) who is treated under each assignment, the actual one first; and whether these are all."""
    J, count = len(treated), int(treated.sum())
    if comb(J, count) <= ENUMERATED_AT_MOST:
        assigned = np.zeros((comb(J, count), J), dtype=bool)
        for i, chosen in enumerate(combinations(range(J), count)):
            assigned[i, list(chosen)] = True
        actual = (assigned == treated).all(1)
        return np.vstack([assigned[actual], assigned[~actual]]), True
    rng = np.random.default_rng([seed, SEED_STEP])
    order = rng.random((SAMPLED, J)).argsort(axis=1)
    return np.vstack([treated, order < count]), False


def _statistics(effects: np.ndarray) -> Iterator[tuple[str, str, np.ndarray]]:
    """(S, A) effects to a statistic (A,) of each assignment; effects that cannot be told count for none."""
    known = np.isfinite(effects)
    count = np.maximum(known.sum(0), 1)
    usable = known.any(0)
    median = np.full(effects.shape[1], np.nan)
    median[usable] = np.nanmedian(effects[:, usable], axis=0)
    yield "median", "Median effect", median
    below = ((effects < 0) & known).sum(0) / count
    above = ((effects > 0) & known).sum(0) / count
    yield "same_sign", "Share of effects of one sign", np.where(usable, np.maximum(below, above), np.nan)


def _ranks(effects: np.ndarray, assignments: int) -> pd.DataFrame:
    """Where the actual curve stands: assignments with a statistic at least as extreme, it among them."""
    rows = []
    for name, label, found in _statistics(effects) if len(effects) else ():
        tried = np.isfinite(found)
        rank = int((np.abs(found[tried]) >= abs(found[0]) * (1 - TIE)).sum())
        n = int(tried.sum())
        rows.append((name, label, float(found[0]), rank, n, rank / n, 1 / n))
    columns = list(empty("ranks").columns)
    return pd.DataFrame(rows, columns=columns) if rows else empty("ranks")
