"""How does a table of any origin become a panel, and what in it would make every estimate wrong?

A table is checked once, here, before an estimator sees it. Nothing is dropped and nothing is filled: a
missing value is a question for the person who holds the data, so it is counted, placed and refused.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from medhome.study.panel_data import NEVER, PanelData
from medhome.study.problems import DataProblem, ModelRefusal, printable

NEVER_WORDS = ("", "inf", "never", "na", "nan", "none", ".")
MONTH = r"^\d{4}-\d{2}$"


def panel_from_frame(
    frame: pd.DataFrame,
    outcome: str,
    unit: str,
    time: str,
    treated: str | None = None,
    first_treated: str | None = None,
    covariates: Sequence[str] = (),
    weights: str | None = None,
    cluster: str | None = None,
) -> PanelData:
    """The panel that columns of ``frame`` describe, one row per unit and time, sorted by both.

    treated: a column that is 1 in the rows under treatment and 0 elsewhere. first_treated: a column with the
    time at which the row's unit is first treated; 0, empty and inf mean never. One of the two is needed; when
    both are given they must agree. time and first_treated are numbers, or months written ``2014-03`` (or
    dates that are all the first of a month), which become the month index year * 12 + month - 1. weights:
    positive, default 1. cluster: default the unit. Several rows of a unit at one time make a repeated
    cross-section. Units are ordered by number where all are numbers, else by their text.

    Raises `DataProblem` naming column and row (counted from 1 below the header) for a column that is not
    there, a value that is missing or no number, a weight that is not positive, a first treated time that
    changes inside a unit; `ModelRefusal` for a unit whose treatment stops.

    >>> frame = pd.DataFrame({"id": ["b", "b", "a", "a"], "t": [1, 2, 2, 1], "d": [0, 1, 0, 0],
    ...                       "y": [1.0, 4.0, 2.0, 1.0]})
    >>> data = panel_from_frame(frame, "y", "id", "t", treated="d")
    >>> data.unit_labels, data.outcome.tolist(), data.first_treated.tolist()
    (('a', 'b'), [1.0, 2.0, 1.0, 4.0], [inf, inf, 2.0, 2.0])
    """
    if treated is None and first_treated is None:
        raise DataProblem("name the column of who is treated: treated (0 or 1) or first_treated (a time)")
    used = [outcome, unit, time, *covariates, *(c for c in (treated, first_treated, weights, cluster) if c)]
    absent = [c for c in dict.fromkeys(used) if c not in frame.columns]
    if absent:
        raise DataProblem(
            f"no column {', '.join(map(repr, absent))}; the columns are {', '.join(map(str, frame.columns))}"
        )
    repeated = [c for c in dict.fromkeys(used) if list(frame.columns).count(c) > 1]
    if repeated:
        raise DataProblem(f"column {repeated[0]!r} is there more than once: rename one of them")
    if len(frame) == 0:
        raise DataProblem("the table has no rows")
    frame = frame.reset_index(drop=True)
    y = _numbers(frame[outcome])
    when = _times(frame[time])
    x = np.column_stack([_numbers(frame[c]) for c in covariates]) if covariates else np.zeros((len(frame), 0))
    w = _numbers(frame[weights]) if weights else np.ones(len(frame))
    if (w <= 0).any():
        at = int(np.argmax(w <= 0))
        raise DataProblem(
            f"column {weights!r} must hold positive weights; row {at + 1} holds {w[at]:g}: drop rows without "
            "weight"
        )
    units, unit_labels = _labels(frame[unit])
    clusters, cluster_labels = _labels(frame[cluster]) if cluster else (units, unit_labels)
    times, period = np.unique(when, return_inverse=True)
    first = _first_times(frame[first_treated], when) if first_treated else None
    under = _zero_one(frame[treated]) if treated else None
    if under is not None:
        started = _starts(under, units, unit_labels, period, times, unit, treated or "")
        if first is not None and not np.array_equal(np.where(first > times[-1], NEVER, first), started):
            differ = np.where(first > times[-1], NEVER, first) != started
            # A unit treated before the data begin has its own earlier time: both columns still agree.
            differ &= ~((started == times[0]) & (first <= times[0]))
            if differ.any():
                at = int(np.argmax(differ))
                raise DataProblem(
                    f"columns {treated!r} and {first_treated!r} disagree at row {at + 1} (unit "
                    f"{unit_labels[units[at]]!r}): treatment starts at {started[at]:g} by the one and at "
                    f"{first[at]:g} by the other"
                )
        first = started if first is None else first
    assert first is not None
    _constant(first, units, unit_labels, first_treated or treated or "", unit)
    order = np.lexsort((*x.T[::-1], w, y, period, units))
    return PanelData(
        outcome=y[order],
        unit=units[order],
        time=period[order],
        times=times,
        first_treated=first[order],
        treated=(when >= first).astype(float)[order],
        weights=w[order],
        cluster=clusters[order],
        unit_labels=unit_labels,
        cluster_labels=cluster_labels,
        covariates=x[order],
        covariate_names=tuple(covariates),
        outcome_name=outcome,
        unit_name=unit,
        time_name=time,
        cluster_name=cluster or unit,
    )


def _missing(column: pd.Series, bad: np.ndarray, what: str, advice: str) -> DataProblem:
    at = int(np.argmax(bad))
    count = int(bad.sum())
    value = "" if pd.isna(column.iloc[at]) else f" ({printable(column.iloc[at])!r})"
    return DataProblem(
        f"column {column.name!r} has {count} {what} value{'s' if count > 1 else ''}, the first in row "
        f"{at + 1}{value}: {advice}"
    )


def _numbers(column: pd.Series) -> np.ndarray:
    """(N,) the column as finite numbers."""
    empty = column.isna().to_numpy(copy=True)
    if pd.api.types.is_string_dtype(column) or column.dtype == object:
        empty |= column.astype("string").str.strip().eq("").fillna(False).to_numpy(bool)
    if empty.any():
        raise _missing(column, empty, "missing", "fill them or drop these rows, and say which in the text")
    if pd.api.types.is_datetime64_any_dtype(column):
        raise DataProblem(f"column {column.name!r} holds dates where a number is needed")
    values = pd.to_numeric(column, errors="coerce").to_numpy(float, na_value=np.nan)
    if np.isnan(values).any():
        raise _missing(column, np.isnan(values), "non-numeric", "a number is needed; code text as 0 and 1")
    if np.isinf(values).any():
        raise _missing(column, np.isinf(values), "infinite", "a finite number is needed")
    return values


def _months(column: pd.Series) -> np.ndarray | None:
    """(N,) month indices where the column holds months, NaN where empty; None where it holds none."""
    if pd.api.types.is_datetime64_any_dtype(column):
        if (column.dropna().dt.day != 1).any():
            raise DataProblem(
                f"column {column.name!r} holds dates inside months: give the time as a number, or as the "
                "first of a month"
            )
        return (column.dt.year * 12 + column.dt.month - 1).to_numpy(float, na_value=np.nan)
    if not (pd.api.types.is_string_dtype(column) or column.dtype == object):
        return None
    text = column.astype("string").str.strip()
    if not text.str.match(MONTH).fillna(False).any():
        return None
    years = pd.to_numeric(text.str.slice(0, 4), errors="coerce")
    months = pd.to_numeric(text.str.slice(5, 7), errors="coerce")
    good = (text.str.match(MONTH) & months.between(1, 12)).fillna(False).to_numpy(bool)
    index = (years * 12 + months - 1).to_numpy(float, na_value=np.nan)
    never = (text.isna() | text.str.lower().isin([*NEVER_WORDS, "0"])).to_numpy(bool)
    if (~good & ~never).any():
        raise _missing(column, ~good & ~never, "unreadable", "write every month as 2014-03")
    return np.where(good, index, np.nan)


def _times(column: pd.Series) -> np.ndarray:
    months = _months(column)
    if months is None:
        return _numbers(column)
    if np.isnan(months).any():
        raise _missing(column, np.isnan(months), "missing", "every row needs its time")
    return months


def _first_times(column: pd.Series, when: np.ndarray) -> np.ndarray:
    """(N,) first treated times, `NEVER` for 0, empty and inf."""
    first = _months(column)
    if first is None:
        if pd.api.types.is_string_dtype(column) or column.dtype == object:
            text = column.astype("string").str.strip()
            column = text.mask(text.str.lower().isin(NEVER_WORDS))
        first = pd.to_numeric(column, errors="coerce").to_numpy(float, na_value=np.nan)
        unread = np.isnan(first) & column.notna().to_numpy()
        if unread.any():
            raise _missing(column, unread, "non-numeric", "a time, or 0, empty or inf for never")
        if (first == 0).any() and when.min() < 0:
            raise DataProblem(
                f"column {column.name!r} holds 0, which means never treated, but times run from "
                f"{when.min():g}: shift the times so that they are positive"
            )
        first = np.where(first == 0, NEVER, first)
    return np.where(np.isnan(first), NEVER, first)


def _zero_one(column: pd.Series) -> np.ndarray:
    """(N,) the column as 0 and 1."""
    if pd.api.types.is_string_dtype(column) or column.dtype == object:
        low = column.astype("string").str.strip().str.lower()
        column = low.replace({"true": "1", "false": "0"})
    values = _numbers(column)
    bad = ~np.isin(values, (0.0, 1.0))
    if bad.any():
        raise _missing(column, bad, "other", "1 in the rows under treatment and 0 elsewhere")
    return values


def _labels(column: pd.Series) -> tuple[np.ndarray, tuple[str, ...]]:
    """(N,) positions and the labels, by number where all are numbers, else by text."""
    if column.isna().any():
        raise _missing(column, column.isna().to_numpy(), "missing", "every row needs one")
    if pd.api.types.is_bool_dtype(column) or not pd.api.types.is_numeric_dtype(column):
        text = column.astype(str).str.strip()
        if text.eq("").any():
            raise _missing(column, text.eq("").to_numpy(), "missing", "every row needs one")
        as_number = pd.to_numeric(text, errors="coerce")
        names = text.drop_duplicates().sort_values()
        keys = as_number[names.index]
        if keys.notna().all():
            names = names.loc[keys.sort_values(kind="stable").index]
        positions = pd.Series(np.arange(len(names)), index=names.to_numpy())
        return text.map(positions).to_numpy(np.int64), tuple(names)
    values, positions_of = np.unique(column.to_numpy(), return_inverse=True)
    labels = tuple(str(int(v)) if float(v).is_integer() else repr(float(v)) for v in values)
    return positions_of.astype(np.int64), labels


def _starts(
    under: np.ndarray,
    units: np.ndarray,
    labels: tuple[str, ...],
    period: np.ndarray,
    times: np.ndarray,
    unit: str,
    treated: str,
) -> np.ndarray:
    """(N,) the first time at which the row's unit is under treatment; refuses a unit that stops."""
    start = np.full(len(labels), len(times), dtype=np.int64)
    np.minimum.at(start, units[under > 0], period[under > 0])
    stops = (under == 0) & (period >= start[units])
    if stops.any():
        who = sorted(set(units[stops].tolist()))
        at = int(np.argmax(stops))
        same = (period[stops] == start[units[stops]]).all()
        mixed = "is treated in some of its rows at one time and not in others"
        what = mixed if same else "stops being treated"
        raise ModelRefusal(
            f"{unit} {labels[units[at]]!r} {what} (column {treated!r}, {times[period[at]]:g}); "
            f"{len(who)} of {len(labels)} units in all. Effects of a treatment that ends are not "
            "identified here: keep such units' rows up to the end of treatment, or leave the units out"
        )
    return np.append(times, NEVER)[start[units]]


def _constant(first: np.ndarray, units: np.ndarray, labels: tuple[str, ...], column: str, unit: str) -> None:
    low, high = np.full(len(labels), NEVER), np.full(len(labels), -NEVER)
    np.minimum.at(low, units, first)
    np.maximum.at(high, units, first)
    if (low != high).any():
        at = int(np.argmax(low != high))
        raise DataProblem(
            f"column {column!r} changes inside {unit} {labels[at]!r} ({low[at]:g} and {high[at]:g}): a "
            "unit has one first treated time"
        )
