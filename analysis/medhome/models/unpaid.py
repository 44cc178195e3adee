"""What was not yet paid by the cut, by lag, by period and arm, and at the last payment: exhibit T3."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from medhome.models.chain_ladder import reserve
from medhome.models.ladders import Ladder, growth_variance
from medhome.models.twfe import ARMS
from medhome.study.cells import Cells
from medhome.study.completion_results import FRAMES
from medhome.study.display import month, share
from medhome.study.frames import frame_of_rows
from medhome.study.problems import ModelRefusal
from medhome.study.spec import StudySpec
from medhome.study.triangles import Triangles

OUTCOME = "allowed_capped"


def factors(ladders: list[Ladder]) -> pd.DataFrame:
    """`Completion.factors`: development by kind of service and lag."""
    return typed("factors", [row for ladder in ladders for row in _factors(ladder)])


def _factors(ladder: Ladder) -> list[dict[str, object]]:
    d = ladder.pooled
    return [
        {
            "category": ladder.category,
            "label": label_of(ladder.category),
            "lag": k,
            "factor": d.factors[k],
            "se": math.sqrt(d.variances[k] / d.volumes[k]) if d.volumes[k] > 0 else math.nan,
            "completion_factor": d.completion_factor(k),
            "months": d.used[k],
            **{arm: ladder.own[arm].completion_factor(k) for arm in ARMS},
        }
        for k in range(d.lags)
    ]


def periods(
    triangles: Triangles, ladders: list[Ladder], cells: Cells, spec: StudySpec, separate: bool
) -> pd.DataFrame:
    """Exhibit T3: by period and arm, what was paid by the cut and what is estimated to follow it.

    No row for a kind of service or for members above the cap: at the cap, dollars give their number away.
    """
    rows: list[dict[str, object]] = []
    cut = spec.periods.run_out_months
    for period, span in (("baseline", spec.periods.baseline), ("performance", spec.periods.performance)):
        for arm in ARMS:
            whole = _by_month(cells, arm, list(span))
            kinds = _by_month(triangles.cells, arm, list(span))
            exposure = float(whole.member_months.sum())
            if not exposure > 0:
                continue
            paid, unpaid, variance = math.fsum(whole.total(OUTCOME)), 0.0, 0.0
            for ladder in ladders:
                used, known = ladder.used(arm, separate), kinds.total(ladder.category)
                total = math.fsum(known)
                unpaid += total * (used.growth(cut) - 1)
                variance += total**2 * growth_variance(used, cut)
                variance += math.fsum(used.process_variance(float(c), cut) for c in known)
            rows.append(
                {
                    "period": period,
                    "arm": arm,
                    "members": float(whole.frame["rows"].max()),
                    "member_months": exposure,
                    "paid_pmpm": paid / exposure,
                    "completion_factor": paid / (paid + unpaid) if paid + unpaid > 0 else math.nan,
                    "completed_pmpm": (paid + unpaid) / exposure,
                    "unpaid_pmpm": unpaid / exposure,
                    "se": math.sqrt(variance) / exposure,
                }
            )
    return typed("periods", rows)


def _by_month(cells: Cells, arm: str, months: list[int]) -> Cells:
    mask = (cells.frame["arm"] == arm).to_numpy() & cells.frame["month"].isin(months).to_numpy()
    return cells.where(mask).by("month")


def reserves(ladders: list[Ladder]) -> pd.DataFrame:
    """What is still to be paid after the last month of payments, both arms together, below the cap."""
    rows: list[dict[str, object]] = []
    sums = np.zeros(4)
    for ladder in ladders:
        found = reserve(ladder.triangle, ladder.pooled)
        paid = math.fsum(found.latest)
        amounts = np.array([paid, paid + found.total, found.total, found.total_se**2])
        sums += amounts
        rows.append(_reserve_row(ladder.category, amounts))
    return typed("reserves", [*rows, _reserve_row("all", sums)])


def _reserve_row(category: str, amounts: np.ndarray) -> dict[str, object]:
    paid, ultimate, ibnr, variance = amounts.tolist()
    return {
        "category": category, "label": label_of(category), "paid_usd": paid, "ultimate_usd": ultimate,
        "ibnr_usd": ibnr, "se": math.sqrt(variance),
    }  # fmt: skip


def lowest(
    triangles: Triangles, ladders: list[Ladder], cells: Cells, spec: StudySpec, separate: bool
) -> dict[str, float]:
    """The month with the least share of its cost paid by the cut; refuses below ``refuse_below``."""
    cut = spec.periods.run_out_months
    months = sorted(set(cells.frame["month"].astype(int)) & set(spec.periods.analysed))
    paid, unpaid = dict.fromkeys(months, 0.0), dict.fromkeys(months, 0.0)
    for arm in ARMS:
        whole, kinds = _by_month(cells, arm, months), _by_month(triangles.cells, arm, months)
        for at, value in zip(whole.frame["month"], whole.total(OUTCOME), strict=True):
            paid[int(at)] += value
        for ladder in ladders:
            more = ladder.used(arm, separate).growth(cut) - 1
            for at, value in zip(kinds.frame["month"], kinds.total(ladder.category), strict=True):
                unpaid[int(at)] += value * more
    shares = {m: paid[m] / (paid[m] + unpaid[m]) for m in months if paid[m] > 0 and paid[m] + unpaid[m] > 0}
    if not shares:
        return {}
    at = min(shares, key=lambda m: (shares[m], m))
    limit = spec.completion.refuse_below
    if shares[at] < limit:
        raise ModelRefusal(
            f"completion: of the cost of {month(at)} only {share(shares[at])} is estimated to be paid "
            f"{cut} months after service, below completion.refuse_below = {limit}: use a longer "
            "periods.run_out_months (an earlier through, or later claims)"
        )
    return {"month": at, "share": float(shares[at])}


def label_of(category: str) -> str:
    """A kind of service in words."""
    named = {
        "large": "Members above the yearly cap, as paid",
        "all": "All",
        "imaging_laboratory": "Imaging and laboratory",
    }
    return named.get(category, category.replace("_", " ").capitalize())


def typed(name: str, rows: list[dict[str, object]]) -> pd.DataFrame:
    """Rows as one of the frames of `Completion`."""
    kinds = FRAMES[name]
    return frame_of_rows(rows, kinds)
