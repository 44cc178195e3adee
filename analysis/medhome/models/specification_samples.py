"""The practice-months that a specification is fitted on: an attribution, a population and weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from medhome.models.cell_moments import CellMoments, Term
from medhome.models.comparison_group import PracticeWeights
from medhome.models.weighting.entropy import entropy_balance
from medhome.study.cells import Cells
from medhome.study.problems import ModelRefusal

PRACTICE = ("organization_id", "practice_id")
ORGANIZATION = ("organization_id", "arm")
"""Clusters: an organisation in both arms is two, one in each."""
CLUSTERS = {"practice": PRACTICE, "organization": ORGANIZATION}

STRATA: Mapping[str, tuple[str, ...]] = {"adults": ("adults",), "children": ("children", "infants")}
"""Which strata of the cells a population holds; "all" holds every one."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Practice-months with weights: ``moments`` of n of them with the keys of `PRACTICE`, ``arm``, ``month``
    and ``after`` (0 or 1); reassignable: whether the weights would be the same had others been treated."""

    moments: CellMoments
    reassignable: bool

    @property
    def after(self) -> np.ndarray:
        """(n,) whether the program has started."""
        return self.moments.keys["after"].to_numpy(dtype=float)

    @property
    def treat(self) -> Term:
        """The treatment: practices of the treated arm, once the program has started."""
        treated = (self.moments.keys["arm"] == "treated").to_numpy(dtype=float)
        return Term(name="effect", factor=treated * self.after)

    @property
    def organizations(self) -> list[tuple[str, str]]:
        """(n,) each practice-month's organisation and arm."""
        keys = self.moments.keys
        return list(zip(keys["organization_id"].astype(str), keys["arm"].astype(str), strict=True))


def of_population(cells: Cells, population: str, first_post: int, floor: int) -> CellMoments:
    """Practice-months of a population, with all their outcomes.

    Raises `ModelRefusal` where it is nobody's or everybody's, or where an arm has nobody on a side of the
    start, or so few members (below ``floor``, the smallest count that may be shown) that an effect on them
    would be one on single people.
    """
    strata = cells.frame["stratum"].astype(str)
    if population != "all":
        inside = strata.isin(STRATA[population])
        if inside.all():
            raise ModelRefusal(f"every member is in the population {population!r}")
        cells = cells.where(inside)
    merged = cells.by(*PRACTICE, "arm", "month")
    moments = CellMoments.of(merged, list(merged.scales))
    month = moments.keys["month"].to_numpy(dtype=int)
    for arm in ("treated", "comparison"):
        for side, name in ((month < first_post, "before"), (month >= first_post, "after")):
            own = (moments.keys["arm"] == arm).to_numpy() & side
            most = pd.Series(moments.rows[own]).groupby(month[own]).sum().max() if own.any() else 0
            if most < floor:
                raise ModelRefusal(f"the {arm} arm has too few members {name} the start")
    return moments.label(after=(month >= first_post).astype(int))


def weighted(moments: CellMoments, weights: str, practices: PracticeWeights | None = None) -> Sample:
    """The practice-months under weights of `study.specification_choices.Specifications.weights`, or under the
    study's own of ``practices`` ("study").

    Raises `ModelRefusal` where entropy balancing cannot reach the treated practices' means.
    """
    if weights == "member_months":
        return Sample(moments=moments, reassignable=True)
    if weights == "study" and practices is not None:
        return Sample(moments=moments.reweighted(practices.of(moments.keys)), reassignable=False)
    if weights == "equal_practices":
        return Sample(moments=moments.reweighted(1 / moments.weight), reassignable=True)
    if weights == "equal_organizations":
        code = moments.codes((*ORGANIZATION, "month"))
        return Sample(
            moments=moments.reweighted(1 / np.bincount(code, moments.weight)[code]), reassignable=True
        )
    return Sample(moments=moments.reweighted(_balanced(moments)), reassignable=False)


def _balanced(moments: CellMoments) -> np.ndarray:
    """Factors of cells under which the comparison practices' mean expected cost before the start is that of
    the treated; comparison practices without a month before the start get none."""
    code = moments.codes(PRACTICE)
    before = np.where(moments.keys["after"].to_numpy() == 0, moments.weight, 0.0)
    months = np.bincount(code, before)
    first = np.unique(code, return_index=True)[1]
    treated = (moments.keys["arm"].iloc[first] == "treated").to_numpy()
    seen = months > 0
    expected = np.bincount(code, before * moments.mean[moments.position("expected")])[seen] / months[seen]
    found = entropy_balance(
        pd.DataFrame({"expected_pmpm": expected}),
        treated[seen].astype(int),
        base_weights=months[seen],
    )
    factor = np.where(treated, 1.0, 0.0)
    factor[seen] = found.weights / months[seen]
    return factor[code]
