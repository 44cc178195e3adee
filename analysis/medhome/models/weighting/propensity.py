"""Propensity weights: comparisons count by how much they look like the target group.

Two groups: the target is the treated, and a comparison row weighs e(x) / (1 - e(x)), the odds of being
treated. Four groups (both arms before and after): the target is the treated before the start, and a row of
group g weighs e_1(x) / e_g(x), so that a change of the members inside an arm is weighted away too. Source:
Stuart et al. (2014), "Using propensity scores in difference-in-differences models to estimate the effects of
a policy change", Health Services and Outcomes Research Methodology 14:166-182; docs/methods, weighting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from medhome.models.weighting import outcome_levels as levels
from medhome.models.weighting.groups import Groups, balance, scaled, summary
from medhome.models.weighting.multinomial import certain, pair_scores, probabilities, relevant
from medhome.study.problems import ModelRefusal
from medhome.study.weights import Weights

NO_COUNTERPART = "no counterpart: propensity 0 or 1"
BALANCED = 0.1
ROUNDS = 10


def propensity(
    covariates: pd.DataFrame,
    treated: Sequence[int] | np.ndarray | pd.Series,
    *,
    after: Sequence[int] | np.ndarray | pd.Series | None = None,
    base_weights: Sequence[float] | np.ndarray | pd.Series | None = None,
    trim: str | tuple[float, float] = "none",
    largest_share: float | None = None,
    outcome_levels: pd.DataFrame | None = None,
    allow_outcome_levels: bool = False,
    clusters: Sequence | np.ndarray | pd.Series | None = None,
) -> Weights:
    """Weights under which the comparison group looks like the target.

    Arguments
        covariates: one row per member (or practice), one numeric column per covariate, from before the start.
        treated: (N,) 0 or 1. after: (N,) 0 or 1 when the rows are of two periods (four groups).
        base_weights: (N,) positive, for example member-months; ones when left out.
        trim: "none" (refuse a propensity of 0 or 1), "overlap" (leave out rows beyond the range in which both
            groups of a pair have rows) or (low, high) (leave out scores outside, for example 0.1 and 0.9).
            Any trimming first leaves out rows with a propensity of 0 or 1; the scores are then fitted again.
        largest_share: the largest share of its group's weight that one row may have; weights above are cut.
        outcome_levels: (N, 2 or more) baseline levels of the outcome in the order of time. Matching on them
            regresses to the mean; it needs ``allow_outcome_levels`` and returns a placebo test.
        clusters: (N,) labels for the placebo test's errors; rows when left out.

    Raises `ModelRefusal` naming covariates that separate the groups, an empty group, a covariate that is not
    finite numbers, and outcome levels without the flag.

    >>> people = pd.DataFrame({"diabetes": [1, 1, 0, 1, 0, 0, 0, 0]})
    >>> found = propensity(people, [1, 1, 1, 0, 0, 0, 0, 0])
    >>> found.weights.round(3).tolist(), round(float(found.balance["mean_after"][0]), 6)
    ([1.0, 1.0, 1.0, 2.0, 0.25, 0.25, 0.25, 0.25], 0.666667)
    """
    options = _Options(trim=_trim(trim), largest_share=_share(largest_share))
    if outcome_levels is None:
        return _weigh(Groups.of(covariates, treated, after, base_weights), options)
    history = levels.history(
        outcome_levels, len(covariates), allowed=allow_outcome_levels, four=after is not None
    )
    both = pd.concat([covariates.reset_index(drop=True), history], axis=1)
    found = _weigh(Groups.of(both, treated, None, base_weights), options)

    def weigh(frame: pd.DataFrame) -> Weights:
        return _weigh(Groups.of(frame, treated, None, base_weights), options)

    placebo = levels.placebo(covariates.reset_index(drop=True), history, weigh, clusters)
    return Weights(**{**vars(found), "placebo": placebo, "warnings": (*found.warnings, placebo.note)})


@dataclass(frozen=True, kw_only=True)
class _Options:
    trim: str | tuple[float, float]
    largest_share: float | None


@dataclass
class _Trimming:
    """Which rows are still in, and who left by which rule."""

    groups: Groups
    kept: np.ndarray
    rows: list[dict[str, object]] = field(default_factory=list)

    def leave(self, out: np.ndarray, rule: str) -> None:
        out = out & self.kept
        for k, label in enumerate(self.groups.labels):
            if count := int((out & (self.groups.group == k)).sum()):
                self.rows.append({"rule": rule, "group": label, "rows": count})
        before, self.kept = self.kept, self.kept & ~out
        for k, label in enumerate(self.groups.labels):
            if not (self.kept & (self.groups.group == k)).any():
                raise ModelRefusal(
                    _separated(self.groups, before, f"trimming leaves no row of the group {label!r}")
                )


def _weigh(groups: Groups, options: _Options) -> Weights:
    trimming = _Trimming(groups, np.ones(len(groups.group), dtype=bool))
    scores = _overlapping(groups, trimming, options)
    if options.trim != "none":
        low, high = _limits(groups, scores, trimming.kept, options.trim)
        outside = ((scores < low) | (scores > high)) & relevant(groups.group, len(groups.labels))
        name = "outside the common range" if options.trim == "overlap" else f"score outside {options.trim}"
        trimming.leave(outside.any(1), name)
        scores = _overlapping(groups, trimming, options)
    weights = np.where(trimming.kept, groups.base, 0.0)
    for k in range(1, len(groups.labels)):
        own = trimming.kept & (groups.group == k)
        s = scores[own, k - 1]
        weights[own] *= s / (1 - s)
    weights = scaled(groups, weights)
    if options.largest_share is not None:
        weights = _cut(groups, weights, options.largest_share, trimming)
    balanced = balance(groups, weights)
    found = summary(groups, weights, trimming.kept)
    return Weights(
        method="propensity",
        rule=(
            "odds weights of a logit"
            if len(groups.labels) == 2
            else "four-group weights of a multinomial logit"
        )
        + f" to the group {groups.labels[0]!r}; trimming: {_words(options)}",
        groups=groups.labels,
        group=groups.group,
        weights=weights,
        kept=trimming.kept,
        scores=scores,
        summary=found,
        trimming=pd.DataFrame(trimming.rows, columns=["rule", "group", "rows"]),
        balance=balanced,
        warnings=tuple(_warnings(groups, trimming.kept, balanced, found)),
    )


def _overlapping(groups: Groups, trimming: _Trimming, options: _Options) -> np.ndarray:
    """(N, G - 1) scores fitted on the rows kept (NaN elsewhere), none of them 0 or 1."""
    for _ in range(ROUNDS):
        kept = trimming.kept
        inside = Groups(
            x=groups.x[kept],
            names=groups.names,
            group=groups.group[kept],
            labels=groups.labels,
            base=groups.base[kept],
        )
        fitted = pair_scores(probabilities(inside.standardised(), inside.group, inside.base))
        scores = np.full((len(kept), fitted.shape[1]), np.nan)
        scores[kept] = fitted
        alone = np.zeros(len(kept), dtype=bool)
        alone[kept] = certain(fitted, inside.group)
        if not alone.any():
            return scores
        if options.trim == "none":
            said = " and ".join(
                f"{n} of the group {label!r}"
                for label, n in zip(groups.labels, np.bincount(groups.group[alone]), strict=False)
                if n
            )
            raise ModelRefusal(_separated(groups, kept, f"{said} have a propensity of 0 or 1"))
        trimming.leave(alone, NO_COUNTERPART)
    raise ModelRefusal(
        _separated(groups, trimming.kept, "every round of trimming leaves rows without counterpart")
    )


def _separated(groups: Groups, kept: np.ndarray, what: str) -> str:
    names = groups.apart(kept)
    by = ", ".join(names) if names else f"a combination of {', '.join(groups.names)}"
    return (
        f"propensity: {by} separates the groups ({what}); leave it out, or trim rows without counterpart "
        '(trim = "overlap")'
    )


def _limits(
    groups: Groups, scores: np.ndarray, kept: np.ndarray, trim: str | tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    pairs = scores.shape[1]
    if not isinstance(trim, str):
        return np.full(pairs, trim[0]), np.full(pairs, trim[1])
    low, high = np.zeros(pairs), np.ones(pairs)
    for k in range(pairs):
        sides = [scores[kept & (groups.group == g), k] for g in (0, k + 1)]
        low[k], high[k] = max(s.min() for s in sides), min(s.max() for s in sides)
    return low, high


def _cut(groups: Groups, weights: np.ndarray, share: float, trimming: _Trimming) -> np.ndarray:
    """Weights with no row above a share of its group's; the other rows take up what is cut."""
    weights = weights.copy()
    for k in range(1, len(groups.labels)):
        own = np.flatnonzero(trimming.kept & (groups.group == k))
        total = weights[own].sum()
        if share * len(own) < 1:
            raise ModelRefusal(
                f"propensity: largest_share {share:g} cannot hold in the group {groups.labels[k]!r} of "
                f"{len(own)} rows"
            )
        at_most = np.zeros(len(own), dtype=bool)
        while (over := ~at_most & (weights[own] > share * total * (1 + 1e-12))).any():
            at_most |= over
            free = own[~at_most]
            left = total * (1 - share * at_most.sum())
            weights[own[at_most]] = share * total
            if len(free):
                weights[free] *= left / weights[free].sum()
        if at_most.any():
            rule = f"cut to the largest share {share:g}"
            trimming.rows.append({"rule": rule, "group": groups.labels[k], "rows": int(at_most.sum())})
    return weights


def _warnings(groups: Groups, kept: np.ndarray, balanced: pd.DataFrame, found: pd.DataFrame) -> list[str]:
    said = [f"covariate {c!r} is the same in every row" for c in groups.constants()]
    target = groups.group == 0
    if lost := int((target & ~kept).sum()):
        said.append(
            f"{lost} of {int(target.sum())} rows of the group {groups.labels[0]!r} have no counterpart and "
            "are left out: the effect is that of the others"
        )
    large = balanced[balanced["smd_after"].abs() > BALANCED]
    if len(large):
        names = ", ".join(dict.fromkeys(large["covariate"]))
        said.append(f"standardised differences above {BALANCED} remain after weighting: {names}")
    for row in found.iloc[1:].to_dict("records"):
        if row["effective_sample_size"] < row["kept"] / 2:
            said.append(
                f"the {row['kept']} rows of the group {row['group']!r} weigh as much as "
                f"{row['effective_sample_size']:.0f} equal ones"
            )
    return said


def _words(options: _Options) -> str:
    trim = (
        options.trim
        if isinstance(options.trim, str)
        else f"scores from {options.trim[0]:g} to {options.trim[1]:g}"
    )
    return trim if options.largest_share is None else f"{trim}, largest share {options.largest_share:g}"


def _trim(trim: str | tuple[float, float]) -> str | tuple[float, float]:
    if isinstance(trim, str):
        if trim in ("none", "overlap"):
            return trim
    elif len(trim) == 2 and 0 <= trim[0] < trim[1] <= 1:
        return float(trim[0]), float(trim[1])
    raise ModelRefusal(f"propensity: trim {trim!r} is not 'none', 'overlap' or two shares, the lower first")


def _share(share: float | None) -> float | None:
    if share is not None and not 0 < share < 1:
        raise ModelRefusal(f"propensity: largest_share {share!r} is not a share between 0 and 1")
    return share
