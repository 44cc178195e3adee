"""What a reader can add and subtract: sums that hold among an evaluation's counts, and parts of a whole.

Sums are looked for in the true numbers: counts of a frame's rows that come to a number told elsewhere of the
same arm and months. One that holds by chance costs a cell too many; one that was not declared costs nothing.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from medhome.reporting.counted import Counted, Place, Span, ratio_of_months
from medhome.reporting.result_columns import MEMBER_MONTHS

_Words = frozenset[tuple[str, str]]
_NOT_SUMMED = ("step", "rule", "reason")
"""Words of rows that follow one another; they are no parts of a whole."""
_FLOW = "attrition.frame"
_RECONCILED = ("quality.waterfall", "quality.reconciliation")


@dataclass(frozen=True, eq=False)
class Relation:
    """A sum of counts, each times its factor, that a reader knows to be zero (``exact``) or at most zero."""

    factors: Mapping[Place, float]
    exact: bool = True


@dataclass(frozen=True)
class Nested:
    """People of ``part`` are people of ``whole``: the others are a count as well."""

    part: Counted
    whole: Counted


def relations(found: Sequence[Counted], floor: int) -> list[Relation]:
    """Every sum among counts and member-months, and how member-months bound members."""
    held = [*_sums(found, floor), *_flow(found), *_reconciled(found), *_over_time(found)]
    least_most = ratio_of_months(list(found))
    for one in found:
        if one.of is not None and one.place[0] in least_most:
            least, most = least_most[one.place[0]]
            held.append(Relation({one.place: 1.0, one.of: -most}, exact=False))
            held.append(Relation({one.of: least, one.place: -1.0}, exact=False))
    held += [Relation({n.part.place: 1.0, n.whole.place: -1.0}, exact=False) for n in _same_row(found)]
    return held


def nested(found: Sequence[Counted], floor: int) -> list[Nested]:
    """Parts of a whole that lack few: of the same row, or of an arm's members in the same months or more."""
    everyone = {c.arm: c for c in found if c.place[0] == "cohort.members"}
    timed = [
        c for c in found if c.unit == "people" and set(c.words) == {"arm"} and c.place[0] != _FLOW and c.span
    ]
    wholes: dict[tuple[str, Span | None, float], Counted] = {
        (arm, None, c.value): c for arm, c in everyone.items()
    }
    for one in timed:
        inside = (
            c.value for c in timed if c.arm == one.arm and _within(c.span, one.span) and c.span != one.span
        )
        if one.value >= max(inside, default=0.0):
            wholes.setdefault((one.arm, one.span, one.value), one)
    people = [c for c in found if c.unit == "people" and c.arm in everyone]
    beyond = {c.place[0] for c in people if c.value > everyone[c.arm].value} | {_FLOW}
    pairs = list(_same_row(found))
    for one in people:
        if one.place[0] not in beyond:
            pairs += [
                Nested(one, whole)
                for (arm, span, _value), whole in wholes.items()
                if arm == one.arm and _within(one.span, span) and one.place != whole.place
            ]
    return [p for p in pairs if 0 < p.whole.value - p.part.value < floor]


def _same_row(found: Iterable[Counted]) -> Iterator[Nested]:
    rows = defaultdict(list)
    for one in found:
        if one.unit != MEMBER_MONTHS and not one.unit.endswith("dropped"):
            rows[(*one.place[:2], one.unit, one.arm)].append(one)
    for row in rows.values():
        for a, b in itertools.combinations(sorted(row, key=lambda c: c.value), 2):
            if 0 < a.value < b.value and not a.place[0].startswith("cohort.members"):
                yield Nested(a, b)


def _sums(found: Sequence[Counted], floor: int) -> Iterator[Relation]:
    by_value: dict[tuple[str, Span | None, float], list[Counted]] = defaultdict(list)
    columns: dict[tuple[str, str], list[Counted]] = defaultdict(list)
    for one in found:
        if one.value:
            by_value[one.unit, one.span, round(one.value, 6)].append(one)
        columns[one.place[0], one.place[2]].append(one)
    for same in by_value.values():
        for a, b in itertools.combinations(same, 2):
            if a.words.items() <= b.words.items() or b.words.items() <= a.words.items():
                yield Relation({a.place: 1.0, b.place: -1.0})
    for rows in columns.values():
        names = sorted({w for c in rows for w in c.words} - {*_NOT_SUMMED})
        for k in range(1, len(names) + 1):
            for out in itertools.combinations(names, k):
                yield from _totals(rows, out, by_value, floor)


def _totals(
    rows: Sequence[Counted],
    out: tuple[str, ...],
    by_value: Mapping[tuple[str, Span | None, float], list[Counted]],
    floor: int,
) -> Iterator[Relation]:
    """Rows that differ in the words ``out`` alone, and what they add up to."""
    groups: dict[tuple[str, Span | None, _Words], list[Counted]] = defaultdict(list)
    for one in rows:
        if all(w in one.words for w in out) and one.value:
            kept = frozenset((k, v) for k, v in one.words.items() if k not in out)
            groups[one.unit, one.span, kept].append(one)
    for (unit, span, kept), parts in groups.items():
        if len(parts) < 2:
            continue
        sum_ = sum(p.value for p in parts)
        mine = {p.place: 1.0 for p in parts}
        more = floor if unit == "people" else 1
        for above in range(more):
            for total in by_value.get((unit, span, round(sum_ + above, 6)), ()):
                if total.place not in mine and set(total.words.items()) <= kept:
                    yield Relation({**mine, total.place: -1.0}, exact=not above)


def _flow(found: Iterable[Counted]) -> Iterator[Relation]:
    """Left after a rule and dropped by it are what was left before."""
    steps: dict[tuple[str, int, str], Counted] = {}
    for one in found:
        if one.place[0] == _FLOW:
            steps[one.arm, int(one.words["step"]), one.place[2]] = one
    for (arm, step, column), one in steps.items():
        before = steps.get((arm, step - 1, column))
        dropped = steps.get((arm, step, f"{column}_dropped"))
        if before is not None and dropped is not None:
            yield Relation({before.place: 1.0, one.place: -1.0, dropped.place: -1.0})


def _reconciled(found: Iterable[Counted]) -> Iterator[Relation]:
    """In each column the changes add up to the last step."""
    columns: dict[tuple[object, ...], list[Counted]] = defaultdict(list)
    for one in found:
        if one.place[0] in _RECONCILED and one.unit == "lines":
            words = frozenset((k, v) for k, v in one.words.items() if k not in _NOT_SUMMED)
            columns[one.place[0], one.span, words].append(one)
    for rows in columns.values():
        last = max(rows, key=lambda c: int(c.words["step"]))
        if len(rows) > 2:
            yield Relation({c.place: -1.0 if c is last else 1.0 for c in rows})


def _over_time(found: Iterable[Counted]) -> Iterator[Relation]:
    """Member-months of months, quarters and years are those of longer times."""
    frames: dict[tuple[str, str, _Words], list[Counted]] = defaultdict(list)
    wholes: dict[_Words, list[Counted]] = defaultdict(list)
    for one in found:
        if one.unit == MEMBER_MONTHS and one.span is not None:
            words = frozenset(one.words.items())
            frames[one.place[0], one.place[2], words].append(one)
            wholes[words].append(one)
    for (_frame, _column, words), parts in frames.items():
        for whole in wholes[words]:
            inside = [p for p in parts if p.span != whole.span and _within(p.span, whole.span)]
            if len(inside) > 1 and math.isclose(sum(p.value for p in inside), whole.value, abs_tol=1e-6):
                yield Relation({**{p.place: 1.0 for p in inside}, whole.place: -1.0})


def _within(inner: Span | None, outer: Span | None) -> bool:
    if outer is None or inner is None:
        return outer is None
    return outer[0] <= inner[0] and inner[1] <= outer[1]
