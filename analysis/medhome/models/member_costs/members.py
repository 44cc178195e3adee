"""How do a study's member-periods become tables that a cost model can be fitted on?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from medhome.models.cost_models.design import INTERCEPT, CostTable, independent_columns
from medhome.models.cost_models.patterns import collapsed, distinct
from medhome.models.cost_models.specification import GROUPS
from medhome.models.risk_terms import choose, design
from medhome.study.cells import Rows
from medhome.study.spec import StudySpec

CAPPED, UNCAPPED = "allowed_capped", "allowed"
TREATED, PERFORMANCE, PROGRAM = "program's practice", "after the start", "program after the start"
ORDER = ("infants", "children", "adults")
"""Strata from the youngest: one that is too small goes with the next."""


@dataclass(frozen=True, kw_only=True)
class Members:
    """Member-periods with exposure, as arrays (N,): months, cost PMPM in dollars by outcome, arm and period.

    practice: position in ``practices`` (names in order). group: position in ``groups``, the strata that are
    fitted apart, in words.
    """

    frame: pd.DataFrame
    months: np.ndarray
    cost: Mapping[str, np.ndarray]
    treated: np.ndarray
    performance: np.ndarray
    practice: np.ndarray
    practices: tuple[str, ...]
    group: np.ndarray
    groups: tuple[str, ...]

    @property
    def fitted_on(self) -> np.ndarray:
        """(N,) the comparison arm at baseline: what models of expected cost are fitted on."""
        return ~self.treated & ~self.performance


def members_of(rows: Rows, spec: StudySpec) -> Members:
    """Arrange a study's member-periods; strata with too few members to fit on join the next older one."""
    frame = rows.frame[(rows.frame["w"] > 0).to_numpy()].reset_index(drop=True)
    months = frame["w"].to_numpy(dtype=float) / rows.weight_scale
    treated = (frame["arm"] == "treated").to_numpy()
    performance = (frame["period"] == "performance").to_numpy()
    practices, practice = np.unique(frame["practice_id"].astype(str).to_numpy(dtype=str), return_inverse=True)
    stratum = frame["stratum"].astype(str).to_numpy(dtype=str)
    groups = [tuple(sorted(set(stratum)))]
    if spec.cost_models.strata == "apart":
        names, size = np.unique(stratum[~treated & ~performance], return_counts=True)
        known = dict(zip(names.tolist(), size.tolist(), strict=True))
        groups = joined(sorted(set(stratum)), known, fewest_to_fit(spec))
    position = {name: k for k, group in enumerate(groups) for name in group}
    return Members(
        frame=frame,
        months=months,
        cost={y: frame[y].to_numpy(dtype=float) / rows.scale / months for y in (CAPPED, UNCAPPED)},
        treated=treated,
        performance=performance,
        practice=practice,
        practices=tuple(practices.tolist()),
        group=np.array([position[s] for s in stratum], dtype=np.int64),
        groups=tuple("all" if len(groups) == 1 else " with ".join(reversed(g)) for g in groups),
    )


def fewest_to_fit(spec: StudySpec) -> int:
    """Members that a model is fitted on at least: each tenth of them may be told of in a sentence."""
    return max(spec.cost_models.fewest_members, GROUPS * spec.disclosure.floor)


def joined(strata: Iterable[str], members: Mapping[str, int], fewest: int) -> list[tuple[str, ...]]:
    """Strata that are fitted apart, from the youngest, each with those too small that come before it.

    >>> joined(["adults", "children", "infants"], {"adults": 900, "children": 250, "infants": 30}, 200)
    [('infants', 'children'), ('adults',)]
    >>> joined(["adults", "children"], {"adults": 30, "children": 250}, 200)
    [('children', 'adults')]
    """
    rest = sorted(set(strata))
    found: list[tuple[str, ...]] = []
    waiting: tuple[str, ...] = ()
    for name in [s for s in rest if s not in ORDER] + [s for s in ORDER if s in rest]:
        waiting = (*waiting, name)
        if sum(members.get(n, 0) for n in waiting) >= fewest:
            found.append(waiting)
            waiting = ()
    if waiting:
        found = [*found[:-1], (*found[-1], *waiting)] if found else [waiting]
    return found


@dataclass(frozen=True, kw_only=True)
class Covariates:
    """The design (n, K) of one group's member-periods, with names in words, the intercept first.

    pattern: number of each row's distinct design; each: one row of each.
    """

    x: np.ndarray
    names: tuple[str, ...]
    pattern: np.ndarray
    each: np.ndarray

    def rows(self, mask: np.ndarray) -> Covariates:
        """The design of some of the rows."""
        return replace(self, x=self.x[mask], pattern=self.pattern[mask])


def covariates_of(members: Members, inside: np.ndarray, rows: Rows, spec: StudySpec) -> Covariates:
    """The risk model's terms for the rows inside, chosen on those of them that models are fitted on."""
    frame = members.frame[inside]
    base = members.frame[inside & members.fitted_on]
    columns, _, _ = choose(base, rows.terms, spec)
    x = design(frame, columns)
    pattern = distinct(x)
    _, first = np.unique(pattern, return_index=True)
    present = [[t for t in column if base[t].any()] or column[:1] for column in columns]
    names = (INTERCEPT, *(" with ".join(rows.terms[t] for t in terms) for terms in present))
    return Covariates(x=x, names=names, pattern=pattern, each=x[first])


def table_of(
    x: np.ndarray, names: Sequence[str], cost: np.ndarray, months: np.ndarray, practice: np.ndarray
) -> CostTable:
    """Rows (n,) as a table with member-months as weights and practices as clusters, like rows together."""
    order = np.argsort(practice, kind="stable")
    x, y, w = x[order], cost[order], months[order]
    _, cluster = np.unique(practice[order], return_inverse=True)
    return collapsed(
        CostTable(
            y=y, x=x, weights=w, cluster=cluster, names=tuple(names), terms=(),
            kept=independent_columns(x, w), by_row=False, weighted=True, outcome_name="cost PMPM",
            negative=int((y < 0).sum()), negative_sum=float((w * y)[y < 0].sum()),
        )
    )  # fmt: skip


def with_program(x: np.ndarray, treated: np.ndarray, performance: np.ndarray) -> np.ndarray:
    """A design with arm, period and their product as last columns."""
    both = np.column_stack([treated, performance, treated & performance]).astype(float)
    return np.hstack([x, both])
