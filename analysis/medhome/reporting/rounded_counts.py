"""Counts and member-months rounded to multiples of five, totals from rounded values; what a reader learns.

A number that is told in several tables is rounded once. A total whose parts are all shown is the sum of the
rounded parts; where several tables share one total out, the one with the fewest parts decides it, and the
others are named as not adding up. Everything else goes to the nearest multiple.

The reader is taken to know which numbers were rounded on their own, every sum among the true numbers, and
that withheld counts are of somebody. Linear programmes give the range that this leaves each count. Where it
holds a single whole number, the cheapest of the numbers from which that follows is withheld, and all is
asked anew.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from medhome.reporting.count_relations import Relation, relations
from medhome.reporting.counted import Counted, Place, counted, shown
from medhome.reporting.result_columns import MEMBER_MONTHS
from medhome.study.problems import DisclosureRefused
from medhome.study.results import Evaluation

BASE = 5
_YEARS = "savings.by_year"
"""Program years add up to the whole on every page, so they come before other ways to share it out."""
_NEVER_WITHHELD = ("cohort.members", "cohort.member_months")
_ALIKE = 1000
"""From this size on equal numbers of one arm in two tables are taken for the same, whatever their names."""
_LOOKS = 16
"""Random directions in which ranges are tried before a count is asked on its own."""


def nearest(value: float, base: int = BASE) -> float:
    """The nearest multiple, halves away from zero.

    >>> nearest(12), nearest(13), nearest(-8), nearest(0)
    (10.0, 15.0, -10.0, 0.0)
    """
    return math.copysign(base * math.floor(abs(value) / base + 0.5), value) if value else 0.0


@dataclass(frozen=True)
class RoundedCounts:
    """Every count and sum of member-months that is shown, as released.

    at: the rounded number at each place. told: the rounded number of a true one, by unit, arm and value, for
        numbers that stand in no table. withheld: places from which a true number followed in spite of the
        rounding. not_additive: tables, by frame, with sums that the rounded numbers do not have.
    """

    at: Mapping[Place, float]
    told: Mapping[tuple[str, str, float], float]
    withheld: tuple[Place, ...]
    not_additive: tuple[str, ...]

    def of(self, unit: str, arm: str, value: float) -> float:
        """The rounded form of a number, as the tables tell it where they do."""
        return self.told.get((unit, arm, round(value, 6)), nearest(value))


def rounded_counts(released: Evaluation, whole: Evaluation, floor: int) -> RoundedCounts:
    """Round every count that is shown, and look for what a reader still knows for certain.

    Arguments
        released: small counts withheld. whole: nothing withheld.
    """
    found = counted(whole, every_month=True)
    sums = [*(r for r in relations(found, floor) if r.exact), *_across(found)]
    same = _Same(found, sums)
    shown_at = {c.place for c in found if shown(released, c.place)}
    withheld: set[Place] = set()
    while True:
        seen = {p for p in shown_at if same.root[p] not in withheld}
        visible = {same.root[p] for p in seen}
        totals = _totals(sums, same, seen)
        values = _values(same, visible, totals)
        telling = _telling(sums, same, visible, totals, values)
        if not telling:
            break
        withheld.add(telling)
    broken = set()
    for one in sums:
        roots = _by_root(one, same)
        if roots and set(roots) <= visible and abs(sum(f * values[r] for r, f in roots.items())) > 1e-6:
            sides = [{p for p, f in one.factors.items() if f * sign > 0} for sign in (1, -1)]
            broken |= {p[0] for p in max(sides, key=len)}
    return RoundedCounts(
        at={p: values[same.root[p]] for p in seen},
        told={
            (c.unit, c.arm, round(c.value, 6)): values[same.root[c.place]] for c in found if c.place in seen
        },
        withheld=tuple(sorted(shown_at - seen)),
        not_additive=tuple(sorted(broken)),
    )


def _across(found: Iterable[Counted]) -> Iterator[Relation]:
    """The columns of the reconciliation add up to the waterfall in each step, whatever their months."""
    columns, totals = defaultdict(list), dict[str, Counted]()
    for one in (c for c in found if c.unit == "lines" and "step" in c.words):
        if one.place[0] == "quality.reconciliation":
            columns[one.words["step"]].append(one)
        elif one.place[0] == "quality.waterfall":
            totals[one.words["step"]] = one
    for step, parts in columns.items():
        total = totals.get(step)
        if total is not None and sum(p.value for p in parts) == total.value:
            yield Relation({**{p.place: 1.0 for p in parts}, total.place: -1.0})


class _Same:
    """Places that tell one and the same number."""

    def __init__(self, found: Sequence[Counted], sums: Iterable[Relation]) -> None:
        self.root: dict[Place, Place] = {c.place: c.place for c in found}
        self.value = {c.place: c.value for c in found}
        self.unit = {c.place: c.unit for c in found}
        for one in sums:
            if len(one.factors) == 2 and sum(one.factors.values()) == 0:
                a, b = (self._find(p) for p in one.factors)
                self.root[max(a, b)] = min(a, b)
        alike: dict[tuple[str, str, float], Place] = {}
        frames: dict[Place, set[str]] = defaultdict(set)
        for count in (c for c in found if c.value >= _ALIKE):
            first = alike.setdefault((count.unit, count.arm, count.value), count.place)
            if count.place[0] in frames[first]:
                continue  # two rows of one table are two numbers
            frames[first].add(count.place[0])
            a, b = self._find(first), self._find(count.place)
            self.root[max(a, b)] = min(a, b)
        self.root = {p: self._find(p) for p in self.root}
        self.places: dict[Place, list[Place]] = defaultdict(list)
        for place, root in self.root.items():
            self.places[root].append(place)

    def _find(self, place: Place) -> Place:
        while self.root[place] != place:
            place = self.root[place]
        return place


def _by_root(one: Relation, same: _Same) -> dict[Place, float]:
    roots: dict[Place, float] = defaultdict(float)
    for place, factor in one.factors.items():
        roots[same.root[place]] += factor
    return {r: f for r, f in roots.items() if f}


def _totals(sums: Iterable[Relation], same: _Same, seen: set[Place]) -> dict[Place, tuple[Place, ...]]:
    """Which numbers are sums of other ones that are shown in one table, and of which."""
    offers: dict[Place, list[tuple[Any, ...]]] = defaultdict(list)
    for one in sums:
        roots = _by_root(one, same)
        ones = [r for r, f in roots.items() if f < 0], [r for r, f in roots.items() if f > 0]
        total, parts = sorted(ones, key=len)
        whole_ones = all(abs(f) == 1 for f in roots.values())
        if len(total) != 1 or len(parts) < 2 or not same.value[total[0]] or not whole_ones:
            continue
        if all(p in seen for p in one.factors):
            own = not any(p[0] == _YEARS for p in one.factors)
            offers[total[0]].append((own, len(parts), tuple(sorted(parts))))
    chosen: dict[Place, tuple[Place, ...]] = {}

    def rests_on(root: Place, other: Place) -> bool:
        return root == other or any(rests_on(p, other) for p in chosen.get(root, ()))

    for root in sorted(offers, key=lambda r: (abs(same.value[r]), r)):
        for *_, own_parts in sorted(offers[root]):
            if not any(rests_on(p, root) for p in own_parts):
                chosen[root] = own_parts
                break
    return chosen


def _values(
    same: _Same, visible: set[Place], totals: Mapping[Place, tuple[Place, ...]]
) -> dict[Place, float]:
    values: dict[Place, float] = {}

    def value(root: Place) -> float:
        if root not in values:
            parts = totals.get(root)
            values[root] = sum(value(p) for p in parts) if parts else nearest(same.value[root])
        return values[root]

    for root in sorted(visible):
        value(root)
    return values


def _telling(
    sums: Iterable[Relation],
    same: _Same,
    visible: set[Place],
    totals: Mapping[Place, tuple[Place, ...]],
    values: Mapping[Place, float],
) -> Place | None:
    """The cheapest number from which some true number follows; None where none does.

    Raises `DisclosureRefused` where only numbers tell it that every page rests on.
    """
    ranges = _Ranges(sums, same, visible, totals, values)
    for root in ranges.certain():
        going = [r for r in ranges.binding(root) if not any(p[0] in _NEVER_WITHHELD for p in same.places[r])]
        if not going:
            raise DisclosureRefused(
                f"{root[0]} {root[2]}: its true number follows from rounded ones that every page rests on; "
                "nothing was released. Leave a part of the study out, or choose another disclosure.policy"
            )
        return min(going, key=lambda r: (len(same.places[r]), abs(same.value[r]), r))
    return None


class _Ranges:
    """What a reader knows of every number that hangs together with others by a sum."""

    def __init__(
        self,
        sums: Iterable[Relation],
        same: _Same,
        visible: set[Place],
        totals: Mapping[Place, tuple[Place, ...]],
        values: Mapping[Place, float],
    ) -> None:
        from scipy.sparse import csr_matrix  # of the tables' audit alone: pages are drawn without it

        self.same = same
        rows = sorted({tuple(sorted(_by_root(one, same).items())) for one in sums} - {()})
        self.linked = sorted({r for row in rows for r, _ in row})
        self.at = {r: i for i, r in enumerate(self.linked)}
        entries = [(f, n, self.at[r]) for n, row in enumerate(rows) for r, f in row]
        factors, lines, columns = zip(*entries, strict=True) if entries else ((), (), ())
        self.exact = csr_matrix((factors, (lines, columns)), shape=(len(rows), len(self.linked)))
        alone = [r in visible and r not in totals for r in self.linked]
        self.bounds = [
            _bounds(same, r, a, values.get(r, 0.0)) for r, a in zip(self.linked, alone, strict=True)
        ]
        self.alone = [r for r, a in zip(self.linked, alone, strict=True) if a]
        self.asked = [r for r in self.linked if r in visible and same.value[r]]
        self.low = {r: same.value[r] for r in self.asked}
        self.high = dict(self.low)

    def certain(self) -> list[Place]:
        """Shown numbers whose true number a reader knows."""
        if not self.asked:
            return []
        ended = np.array([math.isfinite(a) and math.isfinite(b) for a, b in self.bounds])
        draw = np.random.default_rng([BASE, len(self.linked)])
        for _ in range(_LOOKS):  # most ranges are wide, and show it in any direction
            toward = np.where(ended, draw.choice([-1.0, 1.0], len(self.linked)), 0.0)
            self._furthest(toward)
            self._furthest(-toward)
        for root in self.asked:
            for sign in (1.0, -1.0) if self._single(root) else ():
                self._furthest(self._only(root, sign))
        return [r for r in self.asked if self._single(r)]

    def binding(self, root: Place) -> list[Place]:
        """The numbers rounded on their own at whose limits this one is at its ends."""
        found: set[Place] = set()
        for sign in (1.0, -1.0):
            done = self._furthest(self._only(root, sign))
            if done is not None:
                held = np.abs(done.lower.marginals) + np.abs(done.upper.marginals)
                found |= {r for r in self.alone if held[self.at[r]] > 1e-7}
        return sorted(found)

    def _only(self, root: Place, sign: float) -> np.ndarray:
        goal = np.zeros(len(self.linked))
        goal[self.at[root]] = sign
        return goal

    def _furthest(self, goal: np.ndarray) -> Any:
        from scipy.optimize import linprog

        done = linprog(
            goal, A_eq=self.exact, b_eq=np.zeros(self.exact.shape[0]), bounds=self.bounds, method="highs"
        )
        if done.status == 3:  # without end: no number that was rounded on its own holds it
            (free,) = (r for r in self.asked if goal[self.at[r]])
            self.low[free], self.high[free] = (-math.inf, math.inf)
            return None
        if done.status != 0:
            raise ArithmeticError(f"the range of rounded numbers has no solution: {done.message}")
        for r in self.asked:
            end = done.x[self.at[r]]
            self.low[r], self.high[r] = min(self.low[r], end), max(self.high[r], end)
        return done

    def _single(self, root: Place) -> bool:
        """Whether a range holds one whole number (of member-months, less than one)."""
        low, high = self.low[root], self.high[root]
        if self.same.unit[root] == MEMBER_MONTHS:
            return high - low < 1.0
        return math.floor(high + 1e-6) <= math.ceil(low - 1e-6)


def _bounds(same: _Same, root: Place, alone: bool, value: float) -> tuple[float, float]:
    """What a reader knows of one number: within the rounding, or that it is of somebody."""
    true = same.value[root]
    if not true:
        return 0.0, 0.0
    if alone:
        fractions = same.unit[root] == MEMBER_MONTHS or not true.is_integer()
        slack = BASE / 2 if fractions else (BASE - 1) / 2
        return value - slack, value + slack
    return (-math.inf, -1.0) if true < 0 else (1.0, math.inf) if true >= 1 else (0.0, math.inf)
