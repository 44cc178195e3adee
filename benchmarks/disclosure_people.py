"""Invented people: who is where, from when to when. The random studies count them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from medhome.study.periods import month_index

FIRST = month_index("2020-01")
BEFORE, AFTER = 12, 9
START, END = FIRST + BEFORE, FIRST + BEFORE + AFTER
PERIODS = {"baseline": (FIRST, START), "performance": (START, END)}
ARMS = ("treated", "comparison")


def people_of(draw: np.random.Generator) -> pd.DataFrame:
    rows = []
    for arm, most in (("treated", 2), ("comparison", 7)):
        n = int(draw.integers(25, 400))
        organizations = int(draw.integers(1, most + 1))
        weight = draw.dirichlet(np.full(organizations, 0.7))
        organization = draw.choice(organizations, n, p=weight)
        rows.append(
            pd.DataFrame(
                {
                    "arm": arm,
                    "organization": organization,
                    "practice": organization * 3 + draw.choice(3, n, p=draw.dirichlet(np.ones(3))),
                    "stratum": draw.choice(["adults", "children", "infants"], n, p=[0.75, 0.2, 0.05]),
                    "risk": draw.choice(["high", "other"], n, p=[0.06, 0.94]),
                    "asthma": draw.random(n) < 0.06,
                    "first": FIRST + np.where(draw.random(n) < 0.9, 0, draw.integers(0, BEFORE + AFTER, n)),
                    "died": draw.random(n) < 0.02,
                }
            )
        )
    people = pd.concat(rows, ignore_index=True)
    stays = draw.random(len(people)) < draw.uniform(0.5, 0.97)
    left = draw.integers(1, BEFORE + AFTER, len(people))
    people["end"] = np.where(stays & ~people["died"], END, np.minimum(people["first"] + left, END))
    names = {"treated": "Program", "comparison": "Comparison"}
    return people.assign(
        label=[f"{names[a]} {o + 1:02d}" for a, o in zip(people["arm"], people["organization"], strict=True)]
    )


def present(people: pd.DataFrame) -> np.ndarray:
    """Who is there: one row per person, one column per month."""
    months = np.arange(FIRST, END)
    return (people["first"].to_numpy()[:, None] <= months) & (months < people["end"].to_numpy()[:, None])


def within(here: np.ndarray, first: int, end: int) -> tuple[np.ndarray, np.ndarray]:
    """Each person's months in a time, and whether there are any."""
    months = here[:, first - FIRST : end - FIRST].sum(axis=1)
    return months, months > 0
