"""Cells: the sufficient statistics that cross from the engine to the models.

One row per cell (practice, month, arm, stratum ...), holding sums over the member-months in it as
**exact integers of declared scale**. Threaded sums of doubles differ from run to run; integers never do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

WEIGHT_SCALE = 1000
"""Exposure is counted in thousandths of a member-month, so that fractions of a month stay exact."""

KEYS = ("organization_id", "practice_id", "arm", "stratum", "month")


def moment_name(*variables: str) -> str:
    """The column of a moment: ``w`` alone, ``w*cost``, ``w*cost*risk`` (variables in alphabetical order)."""
    return "*".join(("w", *sorted(variables)))


@dataclass(frozen=True, kw_only=True)
class Cells:
    """Sums of the member-months of a study by cell.

    Arguments
        keys: the columns that name a cell; ``KEYS`` unless merged.
        scales: each variable and its scale: the stored integer is value times scale (100 for dollars held
            in cents, 1000 for thousandths).
        frame: one row per cell, sorted by the keys: the keys, ``rows`` (member-months counted once each),
            ``w`` (exposure in thousandths), and integer moments named by `moment_name`:
            ``w*y`` holds the sum of w times y, ``w*x*y`` that of w times x times y.

    >>> frame = pd.DataFrame({"practice_id": ["P1", "P1"], "month": [1, 2], "rows": [2, 1],
    ...                       "w": [2000, 1000], "w*allowed": [30_000_000, 5_000_000]})
    >>> cells = Cells(keys=("practice_id", "month"), scales={"allowed": 100}, frame=frame)
    >>> float(cells.by("practice_id").mean("allowed")[0])
    116.66666666666667
    """

    keys: tuple[str, ...] = KEYS
    scales: Mapping[str, int]
    frame: pd.DataFrame
    weight_scale: int = field(default=WEIGHT_SCALE)

    def __post_init__(self) -> None:
        missing = [c for c in (*self.keys, "rows", "w") if c not in self.frame.columns]
        if missing:
            raise ValueError(f"Cells need the columns {missing}")
        if self.frame.duplicated(list(self.keys)).any():
            raise ValueError(f"Cells hold a cell twice: {list(self.keys)}")
        ordered = self.frame.sort_values(list(self.keys), kind="stable").reset_index(drop=True)
        object.__setattr__(self, "frame", ordered)
        object.__setattr__(self, "keys", tuple(self.keys))
        object.__setattr__(self, "scales", dict(self.scales))

    @property
    def moments(self) -> tuple[str, ...]:
        """Names of the moment columns."""
        return tuple(c for c in self.frame.columns if c not in (*self.keys, "rows"))

    @property
    def member_months(self) -> np.ndarray:
        """Exposure of each cell in member-months."""
        return self.frame["w"].to_numpy(dtype=float) / self.weight_scale

    def has(self, *variables: str) -> bool:
        """Whether the moment of these variables was collapsed."""
        return moment_name(*variables) in self.frame.columns

    def total(self, *variables: str) -> np.ndarray:
        """Weighted sum of a variable (or of a product of two) by cell, in its own unit."""
        name = moment_name(*variables)
        if name not in self.frame.columns:
            known = ", ".join(self.moments)
            raise KeyError(f"these Cells have no moment {name}; they hold {known}")
        divisor = self.weight_scale
        for variable in variables:
            divisor *= self.scales[variable]
        # Python integers may be wider than 64 bits: divide them one by one, never through int64.
        return np.array([int(v) / divisor for v in self.frame[name]], dtype=float)

    def mean(self, variable: str) -> np.ndarray:
        """Member-month mean of a variable by cell (for cost: the PMPM); NaN where a cell has no exposure."""
        weight = self.member_months
        return np.divide(self.total(variable), weight, out=np.full(len(weight), np.nan), where=weight > 0)

    def where(self, mask: np.ndarray | pd.Series) -> Cells:
        """The cells for which the mask is true."""
        return Cells(
            keys=self.keys,
            scales=self.scales,
            frame=self.frame[np.asarray(mask)],
            weight_scale=self.weight_scale,
        )

    def by(self, *keys: str) -> Cells:
        """Cells merged to coarser keys, exactly."""
        frame = self.frame
        if not keys:
            frame, keys = frame.assign(all="all"), ("all",)
        merged = _merged(frame, keys, ("rows", *self.moments))
        return Cells(keys=tuple(keys), scales=self.scales, frame=merged, weight_scale=self.weight_scale)

    def reweighted(self, factors: Sequence[float] | np.ndarray, scale: int = 1000) -> Cells:
        """Cells whose members count ``factors`` times (one per cell), exactly at a declared scale.

        Factors are rounded to a part of ``scale`` (thousandths unless told), every moment is multiplied by
        that whole number and the weight is held at ``scale`` times its scale. ``rows`` stay: they count the
        rows that were seen. Negative factors are refused.

        >>> frame = pd.DataFrame({"arm": ["a", "b"], "rows": [1, 1], "w": [1000, 1000], "w*y": [500, 900]})
        >>> cells = Cells(keys=("arm",), scales={"y": 1}, frame=frame).reweighted([1.5, 0.5])
        >>> [float(v) for v in cells.member_months], float(cells.by().mean("y")[0])
        ([1.5, 0.5], 0.6)
        """
        found = np.asarray(factors, dtype=float)
        if found.shape != (len(self.frame),) or not (np.isfinite(found) & (found >= 0)).all():
            raise ValueError("reweighting needs one finite factor of zero or more for each cell")
        whole = [round(float(f) * scale) for f in found]
        frame = self.frame.copy()
        for name in self.moments:
            product = [int(v) * f for v, f in zip(frame[name], whole, strict=True)]
            frame[name] = np.array(product, dtype=object)
        return Cells(
            keys=self.keys, scales=self.scales, frame=frame, weight_scale=self.weight_scale * int(scale)
        )

    @property
    def waves(self) -> np.ndarray:
        """Wave of each cell; one wave, "1", in a study that tells none apart."""
        if "wave" in self.keys:
            return self.frame["wave"].to_numpy()
        return np.full(len(self.frame), "1", dtype=object)

    def scatter(self, first: str, second: str) -> np.ndarray:
        """Sum of w (first - cell mean)(second - cell mean) by cell, in whole numbers up to one division.

        This is what a cell's means leave out: with it a regression on cells equals the one on rows. Zero
        where a cell has no exposure.
        """
        name = moment_name(first, second)
        if name not in self.frame.columns:
            raise KeyError(f"these Cells have no moment {name}; collapse the product of the two as well")
        scale = self.weight_scale * self.scales[first] * self.scales[second]
        columns = (name, moment_name(first), moment_name(second), "w")
        # Objects are whole numbers of any width: the difference is exact, the one division correctly rounded.
        both, one, two, weight = (self.frame[c].to_numpy().astype(object) for c in columns)
        whole, divisor = both * weight - one * two, weight * scale
        found = np.zeros(len(whole))
        seen = divisor != 0
        found[seen] = (whole[seen] / divisor[seen]).astype(float)
        return found

    def relabel(self, **columns: Sequence) -> Cells:
        """Cells with new or changed key columns, merged where the new keys coincide."""
        frame = self.frame.assign(**columns)
        keys = (*self.keys, *(c for c in columns if c not in self.keys))
        merged = _merged(frame, keys, ("rows", *self.moments))
        return Cells(keys=keys, scales=self.scales, frame=merged, weight_scale=self.weight_scale)

    def __add__(self, other: Cells) -> Cells:
        if (self.keys, dict(self.scales), self.weight_scale) != (
            other.keys,
            dict(other.scales),
            other.weight_scale,
        ):
            raise ValueError("only Cells with the same keys, variables and scales can be added")
        both = pd.concat([self.frame, other.frame], ignore_index=True)
        merged = _merged(both, self.keys, ("rows", *self.moments))
        return Cells(keys=self.keys, scales=self.scales, frame=merged, weight_scale=self.weight_scale)

    def without(self, part: Cells) -> Cells:
        """These cells less those of a part of their rows, exactly; cells that this leaves empty go.

        >>> whole = pd.DataFrame({"arm": ["a", "b"], "rows": [3, 1], "w": [3000, 1000], "w*y": [60, 8]})
        >>> part = pd.DataFrame({"arm": ["a", "b"], "rows": [1, 1], "w": [1000, 1000], "w*y": [10, 8]})
        >>> left = Cells(keys=("arm",), scales={"y": 1}, frame=whole).without(
        ...     Cells(keys=("arm",), scales={"y": 1}, frame=part))
        >>> left.frame.to_dict("records")
        [{'arm': 'a', 'rows': 2, 'w': 2000, 'w*y': 50}]
        """
        taken = part.frame.copy()
        for name in part.moments:
            taken[name] = np.array([-int(v) for v in part.frame[name]], dtype=object)
        taken["rows"] = -taken["rows"]
        left = self + Cells(
            keys=part.keys, scales=part.scales, frame=taken, weight_scale=part.weight_scale
        )
        if (left.frame["rows"] < 0).any():
            raise ValueError("cells can only be taken from those that hold their rows")
        return left.where(left.frame["rows"] > 0)

    def save(self, path: Path) -> None:
        """Write the cells as Parquet; wide integers as decimals, so that nothing is rounded."""
        wide = pa.decimal128(38, 0)
        columns, names = [], []
        for name in self.frame.columns:
            values = self.frame[name]
            if name in self.moments:
                columns.append(
                    pa.array([int(v) for v in values]).cast(wide)
                    if _fits(values)
                    else pa.array([_decimal(v) for v in values], wide)
                )
            else:
                columns.append(pa.array(values))
            names.append(name)
        about = {
            "keys": ",".join(self.keys),
            "weight_scale": str(self.weight_scale),
            "scales": ",".join(f"{k}={v}" for k, v in sorted(self.scales.items())),
        }
        table = pa.table(columns, names=names).replace_schema_metadata(about)
        pq.write_table(table, path, compression="zstd")

    @classmethod
    def load(cls, path: Path) -> Cells:
        """Read cells that `save` wrote."""
        table = pq.read_table(path)
        about = {k.decode(): v.decode() for k, v in (table.schema.metadata or {}).items()}
        keys = tuple(about["keys"].split(","))
        scales = {k: int(v) for k, v in (p.split("=") for p in about["scales"].split(",") if p)}
        frame = pd.DataFrame(
            {
                name: [int(v) for v in table[name].to_pylist()]
                if pa.types.is_decimal(table[name].type)
                else table[name].to_pylist()
                for name in table.column_names
            }
        )
        return cls(keys=keys, scales=scales, frame=frame, weight_scale=int(about["weight_scale"]))


@dataclass(frozen=True, kw_only=True)
class MonthPairs:
    """Cross-products of one member's months, from which the member covariance of a study is estimated.

    frame: one row per organisation and pair of months ``month_s <= month_t``, over the members present in
    both: ``organization_id``, ``month_s``, ``month_t``, ``members``, and exact integer sums ``sum_s``,
    ``sum_t`` (cents) and ``sum_st`` (cents squared). Source: `few-clusters` note section 3.8 step 1.
    """

    frame: pd.DataFrame
    scale: int = 100


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What cannot be summed to cells: one row per member and period, without any identifier.

    frame: ``organization_id``, ``practice_id``, ``arm``, ``stratum``, ``period`` ("baseline" or
        "performance"), ``w`` (exposure in thousandths of a member-month), one integer column of cents per
        outcome (sum over the period: ``allowed``, ``allowed_capped``, ``paid``, ``paid_capped``), ``age``
        (years at the start of the baseline), and one 0/1 column per term of the risk model.
    terms: the term columns, for example ``age_sex:F18-34`` or ``condition:diabetes``, with labels in words.
    """

    frame: pd.DataFrame
    terms: Mapping[str, str]
    scale: int = 100
    weight_scale: int = WEIGHT_SCALE


def _merged(frame: pd.DataFrame, keys: Sequence[str], sums: Sequence[str]) -> pd.DataFrame:
    """One row per combination of the keys, in their order, with exact sums of whole numbers of any width."""
    groups = frame.groupby(list(keys), sort=True, observed=True)
    which = groups.ngroup().to_numpy()
    order = np.argsort(which, kind="stable")
    first = np.flatnonzero(np.diff(which[order], prepend=-1))
    merged = frame.iloc[order[first]][list(keys)].reset_index(drop=True)
    for name in sums:
        values = frame[name].to_numpy()
        if values.dtype == object or name != "rows":
            values = np.array([int(v) for v in values], dtype=object)
        merged[name] = np.add.reduceat(values[order], first) if len(first) else values[:0]
    return merged


def _fits(values: pd.Series) -> bool:
    return all(-(2**62) < int(v) < 2**62 for v in values)


def _decimal(value: object) -> Decimal:
    return Decimal(int(value))  # type: ignore[call-overload]
