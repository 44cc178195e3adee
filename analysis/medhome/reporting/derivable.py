"""Can a small count be derived from all released tables together? The audit, and what it withholds further.

A reader knows every number that is shown, the sums among them (`medhome.reporting.count_relations`), that a
withheld count is of somebody, and that member-months lie between members and members times months. For each
small count two linear programmes give the range that this leaves (HiGHS, through scipy). Where it lies
between 1 and the floor, the cheapest number from which it follows is withheld as well, and all is asked anew.
"""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from medhome.reporting.count_relations import Relation, nested, relations
from medhome.reporting.counted import Counted, Place, counted, resting_on, shown
from medhome.reporting.result_columns import MEMBER_MONTHS
from medhome.reporting.result_names import TABLES
from medhome.study.problems import DisclosureRefused
from medhome.study.results import Evaluation

_NEVER_WITHHELD = ("cohort.members",)
_OF = {(t.frame, n): c.of for t in TABLES for n, c in t.columns.items()}
_UNIT = {(t.frame, n): c.unit for t in TABLES for n, c in t.columns.items()}


@dataclass(frozen=True)
class Exposed:
    """A count below the floor that follows: of a table, or (``among``) those of a whole who are no part."""

    count: Counted
    among: Counted | None = None

    @property
    def places(self) -> tuple[Place, ...]:
        return (self.count.place,) if self.among is None else (self.count.place, self.among.place)

    def __str__(self) -> str:
        frame, _row, column = self.count.place
        named = ", ".join(self.count.words.values())
        left = "" if self.among is None else f" (those who are not, of {self.among.place[0]})"
        return f"{frame} {column} {named}{left}"


def withhold_derivable(released: Evaluation, whole: Evaluation, floor: int) -> tuple[Evaluation, int]:
    """Withhold further numbers until no count from 1 to ``floor - 1`` follows from all tables together.

    Arguments
        released: small counts already withheld, and what each table alone would give away. whole: nothing
            withheld.

    A count that is small itself takes what rests on it along; of a count that lacks few of a whole, the
    number and its shares go. Returns the evaluation that may be shown, and how many numbers were withheld
    further. Raises `DisclosureRefused` when a small count follows from numbers that cannot be withheld.
    """
    reader, further = Reader(whole, floor), 0
    while True:
        reader.reads(released)
        exposed = reader.exposed()
        if not exposed:
            return released, further
        going: dict[Place, bool] = {}
        for one in exposed:
            places = reader.next(one)
            if not places:
                raise DisclosureRefused(
                    f"{one}: a count from 1 to {floor - 1} follows from numbers that every page rests on; "
                    "nothing was released. Choose a wider population, or leave that part of the study out"
                )
            for place in places:
                going[place] = going.get(place, False) or one.among is None
        further += len(going)
        released = without(released, going)


def without(released: Evaluation, going: Mapping[Place, bool]) -> Evaluation:
    """The evaluation without these numbers and their shares; with True also without what rests on them."""
    frames: dict[str, pd.DataFrame] = {}
    for (name, row, column), resting in sorted(going.items()):
        part, field = name.split(".")
        if name not in frames:
            held = getattr(getattr(released, part), field)
            if not isinstance(held, pd.DataFrame):
                counts = {k: None if k == column else n for k, n in held.items()}
                changed = dataclasses.replace(getattr(released, part), **{field: counts})
                released = dataclasses.replace(released, **{part: changed})
                continue
            frames[name] = held.copy()
        frame = frames[name]
        for other in (column, *_resting(getattr(released, part), field, name, column, resting)):
            if other not in frame:
                continue
            frame[other] = frame[other].astype("float64")
            frame.loc[frame.index[row], other] = math.nan
    for name, frame in frames.items():
        part, field = name.split(".")
        changed = dataclasses.replace(getattr(released, part), **{field: frame})
        released = dataclasses.replace(released, **{part: changed})
    return released


def _resting(part: Any, field: str, name: str, column: str, all_of_it: bool) -> Iterator[str]:
    if all_of_it:
        yield from resting_on(part, field, column)
    else:
        yield from (c for (f, c), of in _OF.items() if (f, of) == (name, column) and _UNIT[f, c] == "share")


class Reader:
    """What a reader of all released tables can find out.

    Arguments
        whole: nothing withheld. floor: the smallest count that may be shown.
    """

    def __init__(self, whole: Evaluation, floor: int) -> None:
        self.floor = floor
        self.counts = counted(whole)
        self.by_place = {c.place: c for c in self.counts}
        self.relations = relations(self.counts, floor)
        self.nested = nested(self.counts, floor)
        self.relations += [
            Relation({n.part.place: 1.0, n.whole.place: -1.0}, exact=False) for n in self.nested
        ]
        self.touching: dict[Place, list[Relation]] = defaultdict(list)
        for relation in self.relations:
            for place in relation.factors:
                self.touching[place].append(relation)
        self.hidden: set[Place] = set()
        self.solved: dict[tuple, float] = {}
        self._safe: set[tuple] = set()

    def reads(self, released: Evaluation) -> None:
        """Look at what is shown now. What a reader cannot know, nobody learns from less."""
        hidden = self.hidden
        self.hidden = {c.place for c in self.counts if not shown(released, c.place)}
        if not hidden <= self.hidden:
            self._safe.clear()
        self._programme = _Programmes(self)

    def exposed(self) -> list[Exposed]:
        """The small counts that are shown or follow from what is shown."""
        small = [c for c in self.counts if c.unit != MEMBER_MONTHS and 0 < abs(c.value) < self.floor]
        safe = self._programme.large_together({c.place for c in small if c.value > 0}, self.floor)
        small = [c for c in small if c.place not in safe]
        found = [Exposed(c) for c in small if self._follows({c.place: math.copysign(1.0, c.value)})]
        return found + [
            Exposed(n.part, n.whole)
            for n in self.nested
            if self._follows({n.whole.place: 1.0, n.part.place: -1.0})
        ]

    def most(self, factors: Mapping[Place, float]) -> float:
        """The most that a sum of counts, each times its factor, can be for all that is shown."""
        return self._programme.most(factors)

    def _follows(self, factors: Mapping[Place, float]) -> bool:
        """Whether this sum is known to lie between 1 and the floor."""
        asked = tuple(sorted(factors.items()))
        if asked in self._safe:
            return False
        turned = {place: -factor for place, factor in factors.items()}
        follows = self.most(factors) < self.floor - 0.5 and -self.most(turned) > 0.5
        if not follows:
            self._safe.add(asked)
        return follows

    def next(self, exposed: Exposed) -> list[Place]:
        """The numbers to withhold next: of those from which it follows, the ones that tell least."""
        if exposed.among is not None and all(p not in self.hidden for p in exposed.places):
            whole, part = (self._alike(c.place) for c in (exposed.among, exposed.count))
            few = len(whole) <= 2 and all(self._may_go(p) for p in whole)
            return whole if few else [p for p in part if self._may_go(p)]
        if exposed.among is None and self._may_go(exposed.count.place):
            return [exposed.count.place]
        seen, edge = set(exposed.places), [exposed.count.place]
        near, bounding = self._told_elsewhere(edge[0]), list[Place]()
        while not near and edge:
            around = list(dict.fromkeys(r for place in edge for r in self.touching[place]))
            for relation in sorted(around, key=self._tightness):
                told = [p for p in relation.factors if p not in seen and self._may_go(p)]
                if told and relation.exact:
                    near = told
                    break
                bounding = bounding or told
            further = {p for r in around for p in r.factors} - seen
            seen |= further
            edge = sorted(p for p in further if p in self.hidden)
        mine, near = exposed.count.place[0], near or bounding
        near.sort(key=lambda p: (p[0] != mine, *self._cost(p)))
        counts = [c for p in near[:1] if (c := self.by_place[p].of) and self._may_go(c)]
        return near[:1] + counts  # members tell their member-months, where each has one

    def _told_elsewhere(self, place: Place) -> list[Place]:
        """Numbers withheld in a sum with this one that another table still tells."""
        together = {p for r in self.touching[place] for p in r.factors if p in self.hidden}
        return sorted({a for p in together for a in self._alike(p) if self._may_go(a)})

    def _tightness(self, relation: Relation) -> tuple[Any, ...]:
        unknown = sum(p in self.hidden for p in relation.factors)
        return not relation.exact, unknown, len(relation.factors), sorted(relation.factors)

    def _may_go(self, place: Place) -> bool:
        told = place not in self.hidden and self.by_place[place].value != 0
        return told and place[0] not in _NEVER_WITHHELD

    def _alike(self, place: Place) -> list[Place]:
        """The same number in every table that tells it."""
        pairs = [r.factors for r in self.touching[place] if len(r.factors) == 2 and r.exact]
        return sorted({place, *(p for pair in pairs for p in pair)})

    def _cost(self, place: Place) -> tuple[Any, ...]:
        """Totals and numbers that are told in several tables, then large ones, cost the reader most."""
        total = any(r.factors[place] < 0 and len(r.factors) > 2 and r.exact for r in self.touching[place])
        return total, len(self._alike(place)), abs(self.by_place[place].value), place


class _Programmes:
    """Ranges of withheld counts, one system of relations for each set that hangs together."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self._component: dict[Place, int] = {}
        self._systems: dict[int, tuple] = {}
        self._join()
        together = defaultdict(list)
        for place, number in self._component.items():
            together[number].append(place)
        self._places = {number: frozenset(places) for number, places in together.items()}

    def _join(self) -> None:
        for start in sorted(self.reader.hidden):
            if start in self._component:
                continue
            number, edge = len(self._component), [start]
            self._component[start] = number
            while edge:
                place = edge.pop()
                for relation in self.reader.touching[place]:
                    for other in relation.factors:
                        if other in self.reader.hidden and other not in self._component:
                            self._component[other] = number
                            edge.append(other)

    def most(self, factors: Mapping[Place, float]) -> float:
        """The most that a sum of counts can be, for all that is shown."""
        by_place, hidden = self.reader.by_place, self.reader.hidden
        most = sum(f * by_place[p].value for p, f in factors.items() if p not in hidden)
        apart: dict[int, dict[Place, float]] = defaultdict(dict)
        for place in (p for p in factors if p in hidden):
            apart[self._component[place]][place] = factors[place]
        return most + sum(self._solve(number, mine) for number, mine in apart.items())

    def large_together(self, small: set[Place], floor: int) -> set[Place]:
        """Those of the small counts of which all that hang together could reach the floor at once."""
        safe: set[Place] = set()
        for number, places in self._places.items():
            mine = small & places
            if not mine:
                continue
            at, bounds, exact, exact_is, most, most_is = self._system(number)
            raised = list(bounds)
            for place in mine:
                raised[at[place]] = (float(floor), math.inf)
            found = _programme(np.zeros(len(at)), raised, exact, exact_is, most, most_is)
            safe |= mine if found.status == 0 else set()
        return safe

    def _solve(self, number: int, mine: Mapping[Place, float]) -> float:
        known = self.reader.solved
        key = (self._places[number], tuple(sorted(mine.items())))
        if key in known:
            return known[key]
        at, bounds, exact, exact_is, most, most_is = self._system(number)
        goal = np.zeros(len(at))
        for place, factor in mine.items():
            goal[at[place]] = -factor
        found = _programme(goal, bounds, exact, exact_is, most, most_is)
        # Without an optimum nothing is known of this end: there is none.
        known[key] = -found.fun if found.status == 0 else math.inf
        return known[key]

    def _system(self, number: int) -> tuple:
        if number in self._systems:
            return self._systems[number]
        reader = self.reader
        places = sorted(self._places[number])
        at = {p: i for i, p in enumerate(places)}
        rows: dict[bool, list[np.ndarray]] = {True: [], False: []}
        is_: dict[bool, list[float]] = {True: [], False: []}
        seen: set[tuple] = set()
        for relation in dict.fromkeys(r for p in places for r in reader.touching[p]):
            row, told = np.zeros(len(places)), 0.0
            for place, factor in relation.factors.items():
                if place in at:
                    row[at[place]] = factor
                else:
                    told += factor * reader.by_place[place].value
            key = (relation.exact, tuple(row), round(told, 6))
            if key not in seen:
                seen.add(key)
                rows[relation.exact].append(row)
                is_[relation.exact].append(-told)
        values = [reader.by_place[p] for p in places]
        bounds = [
            (1.0, math.inf) if c.value >= 1 else (-math.inf, -1.0) if c.value <= -1 else (0.0, math.inf)
            for c in values
        ]
        exact, most = ((np.array(rows[kind]), np.array(is_[kind])) for kind in (True, False))
        self._systems[number] = (at, bounds, *exact, *most)
        return self._systems[number]


def _programme(
    goal: np.ndarray,
    bounds: list[tuple[float, float]],
    exact: np.ndarray,
    exact_is: np.ndarray,
    most: np.ndarray,
    most_is: np.ndarray,
) -> Any:
    from scipy.optimize import linprog  # of the tables' audit alone: pages are drawn without it

    return linprog(
        goal,
        A_ub=most if len(most_is) else None,
        b_ub=most_is if len(most_is) else None,
        A_eq=exact if len(exact_is) else None,
        b_eq=exact_is if len(exact_is) else None,
        bounds=bounds,
        method="highs",
    )
