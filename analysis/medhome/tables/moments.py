"""Any table → `Cells` with full moments: the sums that every linear model needs, in exact whole numbers.

Sums of doubles change in their last digits with the number of threads; sums of whole numbers never do. So
each variable has a declared scale (100 for cents, 1000 for thousandths), the engine adds integers, and every
query is ordered: threads, row order and engine cannot change a bit of the result.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from itertools import combinations_with_replacement
from operator import and_
from pathlib import Path
from typing import TypeAlias

import ibis
import pandas as pd
from ibis.expr.types import Column, Table

from medhome.study.cells import Cells, moment_name
from medhome.study.problems import DataProblem
from medhome.tables.engine import fetch, session

Source: TypeAlias = Table | Path | str | Sequence[Path | str]
"""An Ibis table of any engine, or the path or paths of Parquet files (patterns with ``*`` too)."""

_WIDE = "decimal(38, 0)"
_WEIGHT = "w"
_OVERFLOWS = ("OutOfRangeException", "ArithmeticException")


def collapse(
    source: Source,
    keys: Sequence[str],
    outcomes: Sequence[str],
    covariates: Sequence[str] = (),
    weights: str | None = None,
    *,
    scales: Mapping[str, int] | None = None,
    held: Mapping[str, int] | None = None,
    threads: int = 2,
    memory_limit: str = "600MB",
) -> Cells:
    """What are the sums, by cell, from which any linear model of these columns follows exactly?

    Arguments
        source: one row per observation (member-month, person-year, anything).
        keys: columns that name a cell, for example practice, month, arm, wave and stratum.
        outcomes, covariates: numeric columns. Moments: sums of each, of each squared, and of the products of
            a covariate with every other column; two outcomes are not multiplied with each other.
        weights: column of weights, zero or more; 1 for each row when left out. Rows of weight zero are left
            out.
        scales: column → whole number by which its values are multiplied and rounded (halves away from zero)
            to be added up: 100 for dollars. Needed for columns of fractions; 1 for whole numbers.
        held: column → scale of a column of whole numbers that are already value times scale (cents: 100).
        threads, memory_limit: of the engine that is opened for files.

    `Cells` with the keys, sorted, whose values are in the unit of the columns (a ``held`` column of cents: in
    dollars). Raises `DataProblem` naming the column that is missing, not numeric, without a scale or partly
    empty.

    Source: docs/methods/cells.md.

    >>> import ibis
    >>> visits = ibis.memtable({"clinic": ["a", "a", "b"], "cost": [1.25, 2.5, 4.0], "age": [30, 40, 50]})
    >>> cells = collapse(visits, ["clinic"], ["cost"], ["age"], scales={"cost": 100})
    >>> cells.frame[["clinic", "rows", "w*cost", "w*age*cost"]].to_dict("records")[0]
    {'clinic': 'a', 'rows': 2, 'w*cost': 375, 'w*age*cost': 13750}
    """
    with _opened(source, threads, memory_limit) as table:
        plan = _Plan(table, keys, outcomes, covariates, weights, scales or {}, held or {})
        frame = plan.sums(plan.rows, plan.keys)
    return Cells(keys=plan.keys, scales=plan.scales, frame=frame, weight_scale=plan.weight_scale)


def collapse_members(
    source: Source,
    member: str,
    month: str,
    keys: Sequence[str],
    outcomes: Sequence[str],
    covariates: Sequence[str] = (),
    *,
    scales: Mapping[str, int] | None = None,
    held: Mapping[str, int] | None = None,
    threads: int = 2,
    memory_limit: str = "600MB",
) -> Cells:
    """What are the sums from which models with an effect of every member follow exactly, balanced or not?

    Members with the same months share a ``pattern``; inside a pattern the member means of month dummies and
    of treatments are known, so that only sums by pattern and month are needed, and, for the within
    transformation of y and x, the sums over members of products of member totals: columns ``m*x*y``, kept in
    the pattern's first month. Divisions by the number of months are left to the model, so all is exact.

    Arguments
        member: identifier. month: whole-number column of the month. keys: columns that do not change within a
            member (practice at baseline, arm, wave, stratum). The rest as in `collapse`; no weights, because
            weights that change from month to month would need a pattern for each history of weights.

    `Cells` with the keys, ``pattern`` (text, the months present as digits in base 16) and the month. Raises
    `DataProblem` for a member with two rows in a month or with two values of a key.
    """
    with _opened(source, threads, memory_limit) as table:
        plan = _Plan(table, [*keys, month], outcomes, covariates, None, scales or {}, held or {}, (member,))
        rows, group = plan.rows, tuple(keys)
        ends = fetch(rows.aggregate(first=rows[month].min(), last=rows[month].max()))
        first, last = int(ends["first"].iloc[0]), int(ends["last"].iloc[0])
        # A month is a bit; sums of different powers of two, so that the pattern needs no order.
        blocks = range((last - first) // 48 + 1)
        place = rows[month].cast("int64") - first
        bits = {
            f"bits_{b}": ibis.ifelse(place // 48 == b, ibis.literal(1, "int64") << (place % 48), 0).sum()
            for b in blocks
        }
        people = rows.group_by(member).aggregate(
            n_=rows.count(),
            months_=rows[month].nunique(),
            **{f"key_{i}": rows[k].min() for i, k in enumerate(group)},
            **{f"other_{i}": rows[k].max() for i, k in enumerate(group)},
            **bits,
            **{f"total_{v}": rows[v].sum().cast("int64") for v in plan.scales},
        )
        _one_history(people, member, month, group)
        pattern = [f"bits_{b}" for b in blocks]
        joined = rows.join(people.select(member, *pattern), member)
        frame = plan.sums(joined, (*group, *pattern, month))
        by = [f"key_{i}" for i in range(len(group))]
        pairs = {
            f"m*{'*'.join(sorted(pair))}": (
                people[f"total_{pair[0]}"].cast(_WIDE) * people[f"total_{pair[1]}"].cast(_WIDE)
            )
            .cast(_WIDE)
            .sum()
            .cast(_WIDE)
            for pair in plan.pairs
        }
        totals = fetch(people.group_by(*by, *pattern).aggregate(**pairs).order_by(*by, *pattern))
    totals = totals.rename(columns=dict(zip(by, group, strict=True)))
    totals[month] = totals.merge(frame.groupby([*group, *pattern], as_index=False)[month].min())[month]
    frame = frame.merge(totals, on=[*group, *pattern, month], how="left")
    for name in pairs:
        frame[name] = pd.Series([0 if pd.isna(v) else int(v) for v in frame[name]], dtype=object)
    frame["pattern"] = [
        "".join(f"{int(v):012x}" for v in reversed(found)) for found in frame[pattern].to_numpy().tolist()
    ]
    named = (*group, "pattern", month)
    moments = [c for c in frame.columns if c not in (*named, *pattern)]
    return Cells(keys=named, scales=plan.scales, frame=frame[[*named, *moments]], weight_scale=1)


class _Plan:
    """Columns checked and turned into whole numbers, and the sums to be asked for."""

    def __init__(
        self,
        table: Table,
        keys: Sequence[str],
        outcomes: Sequence[str],
        covariates: Sequence[str],
        weights: str | None,
        scales: Mapping[str, int],
        held: Mapping[str, int],
        extra: tuple[str, ...] = (),
    ) -> None:
        self.keys = tuple(keys)
        variables = tuple(dict.fromkeys((*outcomes, *covariates)))
        for column in (*self.keys, *variables, *extra, *([weights] if weights else [])):
            if column not in table.columns:
                raise DataProblem(f"column {column!r} is not in the table; it has {', '.join(table.columns)}")
        if both := sorted(set(self.keys) & set(variables)):
            raise DataProblem(f"column {both[0]!r} is both a key and a variable; it can only be one")
        self.scales, columns = {}, {}
        for name in variables:
            columns[name], self.scales[name] = _whole(table, name, scales, held)
        self.pairs = [
            pair
            for pair in combinations_with_replacement(variables, 2)
            if pair[0] == pair[1] or set(pair) & set(covariates)
        ]
        self.weight_scale, self.weighted = 1, weights is not None
        if weights is not None:
            columns[_WEIGHT], self.weight_scale = _whole(table, weights, scales, held)
        _finite(table, [*variables, *([weights] if weights else [])])
        taken = {k: table[k] for k in (*extra, *self.keys)}
        rows = table.select(**taken, **{_named(n): c for n, c in columns.items()})
        self.rows = rows.rename({n: _named(n) for n in columns}) if columns else rows
        if self.weighted:
            self.rows = self.rows.filter(self.rows[_WEIGHT] != 0)

    def sums(self, rows: Table, keys: tuple[str, ...]) -> pd.DataFrame:
        """One row per cell: rows and moments; in 64-bit products, or in wide ones where those do not fit."""
        try:
            found = fetch(self._query(rows, keys, wide=False))
        except Exception as error:
            if type(error).__name__ not in _OVERFLOWS:
                raise
            found = fetch(self._query(rows, keys, wide=True))
        empty = [k for k in keys if found[k].isna().any()]
        if empty:
            raise DataProblem(f"column {empty[0]!r} is empty in some rows; a key needs a value in every row")
        lacking = int((found["rows"] - found["complete"]).sum())
        if lacking:
            raise DataProblem(
                f"{lacking:,} rows have no value of one of {', '.join(self.scales)}; fill or leave them out "
                "before the collapse, in the open"
            )
        if self.weighted and (found["lowest"] < 0).any():
            raise DataProblem("a weight is below zero; weights must be zero or more")
        frame = found.drop(columns=["complete", "lowest"], errors="ignore")
        moments = [c for c in frame.columns if c not in (*keys, "rows")]
        if not self.weighted:
            frame.insert(len(keys) + 1, _WEIGHT, frame["rows"].astype(object))
        for name in moments:
            frame[name] = frame[name].astype(object)
        return frame

    def _query(self, rows: Table, keys: tuple[str, ...], wide: bool) -> Table:
        held = {n: rows[n].cast(_WIDE) if wide else rows[n] for n in rows.columns if n not in keys}

        def product(*names: str) -> Column:
            whole = reduce(lambda a, b: (a * b).cast(_WIDE) if wide else a * b, (held[n] for n in names))
            return whole.sum().cast(_WIDE)

        weight = (_WEIGHT,) if self.weighted else ()
        sums = {_WEIGHT: product(_WEIGHT)} if self.weighted else {}
        sums |= {moment_name(v): product(*weight, v) for v in self.scales}
        sums |= {moment_name(*pair): product(*weight, *pair) for pair in self.pairs}
        known = [rows[v] for v in self.scales] + ([rows[_WEIGHT]] if self.weighted else [])
        complete = reduce(and_, (c.notnull() for c in known))
        checks: dict[str, Column] = {"complete": rows.count(where=complete)}
        if self.weighted:
            checks["lowest"] = rows[_WEIGHT].min()
        return rows.group_by(*keys).aggregate(rows=rows.count(), **sums, **checks).order_by(*keys)


def _named(name: str) -> str:
    return f"whole:{name}"


def _whole(table: Table, name: str, scales: Mapping[str, int], held: Mapping[str, int]) -> tuple[Column, int]:
    """A column as whole numbers of 64 bits, and their scale."""
    column, kind = table[name], table[name].type()
    if name in held:
        if not kind.is_integer():
            raise DataProblem(f"column {name!r} is said to hold scaled whole numbers, but is {kind}")
        return column.cast("int64"), int(held[name])
    scale = int(scales.get(name, 1))
    if kind.is_boolean() or kind.is_integer():
        return column.cast("int64") * scale if scale != 1 else column.cast("int64"), scale
    if not kind.is_numeric():
        raise DataProblem(f"column {name!r} is {kind}, not a number; take it as a key or leave it out")
    if name not in scales:
        raise DataProblem(
            f"column {name!r} holds fractions: declare its scale, for example scales={{{name!r}: 100}} for "
            "hundredths, so that sums are exact"
        )
    return (column * scale).round().cast("int64"), scale


def _finite(table: Table, names: Sequence[str]) -> None:
    """Refuse columns of fractions with values that are not numbers, which no whole number stands for."""
    for name in names:
        column = table[name]
        if column.type().is_floating():
            found = fetch(table.aggregate(n=(column.isnan() | column.isinf()).sum().fill_null(0)))
            bad = int(found["n"].iloc[0])
            if bad:
                raise DataProblem(f"column {name!r} is not a number in {bad:,} rows; fill or leave them out")


def _one_history(people: Table, member: str, month: str, group: tuple[str, ...]) -> None:
    """Refuse members that are in a month twice or change a key."""
    twice = people.filter(people.n_ != people.months_).order_by(member).limit(1)
    found = fetch(twice.select(member))
    if len(found):
        raise DataProblem(f"{member} {found.iloc[0, 0]!r} has several rows in one {month}; sum them first")
    for i, key in enumerate(group):
        moved = people.filter(people[f"key_{i}"] != people[f"other_{i}"]).order_by(member).limit(1)
        found = fetch(moved.select(member))
        if len(found):
            raise DataProblem(
                f"{member} {found.iloc[0, 0]!r} changes its {key}: with an effect of every member, keys must "
                "stay (take the value at baseline)"
            )


@contextlib.contextmanager
def _opened(source: Source, threads: int, memory_limit: str) -> Iterator[Table]:
    """The source as a table; files in an engine of their own."""
    if isinstance(source, Table):
        yield source
        return
    paths = [str(source)] if isinstance(source, (str, Path)) else [str(p) for p in source]
    with session(threads=threads, memory_limit=memory_limit) as con:
        # Keys of small whole numbers become places of an array: half the time of hashing them.
        con.raw_sql("SET perfect_ht_threshold = 18")
        # Order is asked for where it matters; keeping that of the files would hold them in memory.
        con.raw_sql("SET preserve_insertion_order = false")
        try:
            table = con.read_parquet(paths)
        except Exception as error:
            raise DataProblem(f"{', '.join(paths)}: cannot be read as Parquet ({error})") from None
        yield table
