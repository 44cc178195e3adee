"""Claim lines and comings and goings of the invented people of `benchmarks.disclosure_studies`."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.disclosure_people import ARMS, END, FIRST, PERIODS, START, within
from medhome.study.results import DataQuality
from medhome.study.selection_results import Selection

FATES = ("reversed", "denied", "orphan", "outside_months")


def claim_lines(draw: np.random.Generator, people: pd.DataFrame, here: np.ndarray) -> pd.DataFrame:
    """Claim lines: whose, in which period, and what became of them ("model": they count)."""
    n = draw.poisson(4, len(people))
    who = np.repeat(np.arange(len(people)), n)
    fate = draw.choice([*FATES, "model"], len(who), p=[0.02, 0.05, 0.02, 0.06, 0.85])
    lines = pd.DataFrame(
        {
            "who": who,
            "arm": people["arm"].to_numpy()[who],
            "period": draw.choice(list(PERIODS), len(who)),
            "fate": fate,
        }
    )
    there = {period: within(here, *span)[1] for period, span in PERIODS.items()}
    return lines[[there[p][w] for w, p in zip(lines["who"], lines["period"], strict=True)]]


def quality(
    draw: np.random.Generator, people: pd.DataFrame, here: np.ndarray, lines: pd.DataFrame
) -> DataQuality:
    steps = ["files", *FATES, "model"]
    rows = []
    for (arm, period), own in lines.groupby(["arm", "period"]):
        for step, reason in enumerate(steps):
            n = int((own["fate"] == reason).sum())
            n = len(own) if reason == "files" else n if reason == "model" else -n
            rows.append((step, reason, reason, arm, period, own["who"].nunique(), n, 10.0 * n, 8.0 * n))
    names = ["step", "reason", "label", "arm", "period", "members", "lines", "allowed_usd", "paid_usd"]
    table = pd.DataFrame(rows, columns=names)
    waterfall = table.groupby(["step", "reason", "label"], as_index=False)[
        ["lines", "allowed_usd", "paid_usd"]
    ].sum()
    lost = lines[lines["fate"] == "orphan"].groupby(["arm", "period"], as_index=False)
    orphans = lost.agg(members=("who", "nunique"), lines=("who", "size"))
    orphans = orphans.assign(
        allowed_usd=-10.0 * orphans["lines"], paid_usd=-8.0 * orphans["lines"], kept_allowed_usd=0.0
    )
    kept = lines[lines["fate"] == "model"].assign(
        zero=lambda t: draw.random(len(t)) < draw.choice([0.01, 0.5])
    )
    met = kept.groupby(["arm", "period"], as_index=False)
    encounters = met.agg(members=("who", "nunique"), lines=("who", "size"), zero_lines=("zero", "sum"))
    encounters["zero_share"] = encounters["zero_lines"] / encounters["lines"]
    volumes = [
        (arm, month, 20 * n, 300.0 * n, float(n), n)
        for arm in ARMS
        for month in range(FIRST, END)
        for n in [int(here[(people["arm"] == arm).to_numpy(), month - FIRST].sum())]
    ]
    return DataQuality(
        rules=pd.DataFrame({"rule": [], "table": [], "column": [], "count": [], "rows": []}),
        waterfall=waterfall,
        volumes=pd.DataFrame(
            volumes, columns=["arm", "month", "claim_lines", "allowed_usd", "member_months", "members"]
        ),
        inputs=pd.DataFrame(),
        reconciliation=table,
        encounters=encounters,
        orphans=orphans,
    )


def selection(draw: np.random.Generator, people: pd.DataFrame, here: np.ndarray) -> Selection:
    status = np.select(
        [people["first"] >= START, people["died"], people["end"] < END], ["entered", "died", "left"], "stayed"
    )
    months = here.sum(axis=1)
    rows, where, exits = [], [], []
    seen = draw.choice(["own", "other", "excluded", "not attributed"], len(people), p=[0.85, 0.03, 0.02, 0.1])
    without = []
    for arm in ARMS:
        mine = (people["arm"] == arm).to_numpy()
        other = ARMS[ARMS[0] == arm]
        for kind in ("entered", "stayed", "left", "died"):
            own = mine & (status == kind)
            rows.append(
                (arm, kind, int(own.sum()), float(months[own].sum()), own.sum() / mine.sum(), 300.0, 290.0)
            )
        for name, kind in ((arm, "own"), (other, "other"), ("excluded",) * 2, ("not attributed",) * 2):
            own = mine & (seen == kind)
            where.append((arm, name, int(own.sum()), float(months[own].sum()), 3.0 * own.sum(), 300.0, 290.0))
        there = int((mine & within(here, *PERIODS["performance"])[1]).sum())
        some = int(draw.integers(0, max(1, there // 5)))
        without.append((arm, there, some, some / there if there else 0.0))
        for period, (first, end) in PERIODS.items():
            own = mine & (status == "left") & people["end"].between(first, end - 1).to_numpy()
            exits.append((arm, period, int(own.sum()), float(within(here, first, end)[0][mine].sum()), 1.0))
    people_of = ["members", "member_months"]
    return Selection(
        members=pd.DataFrame(
            rows, columns=["arm", "status", *people_of, "share", "baseline_pmpm", "risk_pmpm"]
        ),
        crossovers=pd.DataFrame(
            where, columns=["arm", "seen_in", *people_of, "allowed_usd", "baseline_pmpm", "risk_pmpm"]
        ),
        without_visits=pd.DataFrame(without, columns=["arm", "eligible", "members", "share"]),
        exits=pd.DataFrame(exits, columns=["arm", "period", *people_of, "per_1000"]),
    )
