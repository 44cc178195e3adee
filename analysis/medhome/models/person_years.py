"""How much of people's cost their covariates explain, in the same year and in the next one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from medhome.models.accuracy import r_squared
from medhome.study.person_year_results import PersonYears
from medhome.study.problems import DataProblem, ModelRefusal


def person_years(
    frame: pd.DataFrame,
    *,
    person: str,
    year: str,
    cost: Sequence[str],
    covariates: Sequence[str],
    months: str | None = None,
) -> PersonYears:
    """What did people cost in each year, and how much of it do their covariates explain?

    frame: one row per person and year. cost: columns of dollars of the whole year, added up. covariates:
    columns of numbers. months: member-months of the row (12 where left out); cost is per month, rows weigh
    their months.

    R2 is that of least squares, fitted on the rows that it is judged on: concurrent with the covariates of
    the same year, prospective with those of the year before, of people who are there in both.

    Raises `DataProblem` for a missing column, a missing or infinite value (with column and number of rows),
    months that are not above zero and a person with two rows in a year; `ModelRefusal` for a year with no
    more people than covariates.

    >>> frame = pd.DataFrame({"id": [1, 2, 3, 4] * 2, "year": [1] * 4 + [2] * 4, "ill": [0, 0, 1, 1] * 2,
    ...                       "usd": [0.0, 240.0, 1080.0, 1320.0, 120.0, 120.0, 480.0, 720.0]})
    >>> found = person_years(frame, person="id", year="year", cost=["usd"], covariates=["ill"])
    >>> found.years["pmpm"].tolist(), round(float(found.years["change"].iloc[1]), 6)
    ([55.0, 30.0], -0.454545)
    """
    columns = [person, year, *cost, *covariates, *([months] if months else [])]
    absent = [c for c in columns if c not in frame.columns]
    if absent:
        known = ", ".join(map(str, frame.columns))
        raise DataProblem(f"there is no column {absent[0]!r}; columns are {known}")
    for column in (*cost, *covariates, *([months] if months else [])):
        values = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
        bad = int((~np.isfinite(values)).sum())
        if bad:
            raise DataProblem(f"column {column!r}: {bad} of {len(frame)} rows hold no number")
    twice = frame.duplicated([person, year])
    if twice.any():
        who, when = (frame.loc[twice, column].iloc[0] for column in (person, year))
        raise DataProblem(f"{person} {who} has more than one row in {year} {when}")
    weight = frame[months].to_numpy(dtype=float) if months else np.full(len(frame), 12.0)
    if (weight <= 0).any():
        raise DataProblem(f"column {months!r}: {int((weight <= 0).sum())} rows have no months")
    data = frame[[person, year, *covariates]].assign(
        _w=weight, _y=frame[list(cost)].astype(float).sum(axis=1).to_numpy() / weight
    )
    return _tables(data, person, year, tuple(covariates))


def _tables(data: pd.DataFrame, person: str, year: str, covariates: tuple[str, ...]) -> PersonYears:
    by_year = {int(mine[year].iloc[0]): mine for _, mine in data.groupby(year, sort=True)}
    years: list[dict[str, Any]] = []
    pairs: list[dict[str, Any]] = []
    before: pd.DataFrame | None = None
    for y, mine in by_year.items():
        level = float((mine["_w"] * mine["_y"]).sum() / mine["_w"].sum())
        was = years[-1]["pmpm"] if years else float("nan")
        years.append(
            {
                "year": y, "people": len(mine), "months": float(mine["_w"].sum()), "pmpm": level,
                "change": level / was - 1 if was else float("nan"),
                "r2_concurrent": _explained(mine, covariates, f"in {y}"),
            }
        )  # fmt: skip
        if before is not None:
            both = before.merge(mine[[person, "_y", "_w"]], on=person, suffixes=("_then", ""))
            pairs.append(
                {
                    "year": years[-2]["year"], "next_year": y, "people": len(both),
                    "r2_prospective": _explained(both, covariates, f"in both {years[-2]['year']} and {y}"),
                }
            )  # fmt: skip
        before = mine
    columns = ["year", "next_year", "people", "r2_prospective"]
    return PersonYears(
        years=pd.DataFrame(years), pairs=pd.DataFrame(pairs, columns=columns), covariates=covariates
    )


def _explained(rows: pd.DataFrame, covariates: Sequence[str], where: str) -> float:
    if len(rows) <= len(covariates) + 1:
        raise ModelRefusal(f"person-years: {len(rows)} people {where}, and {len(covariates)} covariates")
    X = np.column_stack([np.ones(len(rows)), rows[list(covariates)].to_numpy(dtype=float)])
    y, w = rows["_y"].to_numpy(dtype=float), rows["_w"].to_numpy(dtype=float)
    root = np.sqrt(w)
    # Least norm: a covariate that is the same for all, or that others determine, explains nothing more.
    beta = np.linalg.lstsq(X * root[:, None], y * root, rcond=None)[0]
    return r_squared(y, X @ beta, w)
