"""Three effects side by side (no risk, risk at baseline, concurrent risk), and how scores drifted.

Concurrent risk rests on diagnoses made while the program runs. A program that finds and codes more illness
raises its members' concurrent scores, and with them what they are expected to cost: coding that improves then
looks like savings. Frozen risk cannot move.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from medhome.models.did import OUTCOME
from medhome.models.inference.contrasts import Contrasts
from medhome.models.inference.recommend import FEWEST_COMPARISONS
from medhome.models.inference.two_period import re_two_period
from medhome.models.linear_effects import NUMBERS, effect_on
from medhome.models.selection import COMPOSITION_WIDEST, GRID_END
from medhome.study.cells import Cells, MonthPairs
from medhome.study.problems import ModelRefusal
from medhome.study.results import Estimate
from medhome.study.risk_years import RiskYear
from medhome.study.spec import StudySpec

TIMINGS = {
    "none": "Without risk",
    "baseline": "Risk at baseline, frozen",
    "concurrent": "Concurrent risk",
}
_NOTHING_CONCURRENT = "the cost model holds no diagnoses, so that concurrent risk is risk at baseline"


def effects(
    frozen: Cells, concurrent: Cells | None, pairs: MonthPairs, spec: StudySpec, headline: Estimate
) -> pd.DataFrame:
    """`RiskAdjustment.effects`: the same two-way model on the same cost with each timing of risk.

    Arguments
        frozen, concurrent: practice-months whose ``expected`` is frozen, and that of each month's own year
            (None where the model holds no diagnoses). pairs: cross-products of members' months.
        headline: the study's own effect, which is the row of its own choice.
    """
    adjusted = bool(spec.estimation.covariates)
    declared = spec.risk.timing if adjusted else "none"
    records = []
    for timing, label in TIMINGS.items():
        cells = concurrent if timing == "concurrent" else frozen
        found, why = dict.fromkeys(NUMBERS, float("nan")), ""
        if timing == declared:
            found = _numbers(headline)
        elif cells is None:
            why = _NOTHING_CONCURRENT
        else:
            covariates = () if timing == "none" else ("expected",)
            try:
                found = effect_on(
                    cells, OUTCOME, pairs, spec, spec.periods.performance.first, covariates=covariates
                )
            except ModelRefusal as refusal:
                why = str(refusal)
        records.append(
            {"timing": timing, "label": label, **found, "declared": timing == declared, "why": why}
        )
    return pd.DataFrame(records)


def _numbers(found: Estimate) -> dict[str, float]:
    nan = float("nan")
    pairs = [found.ci90 or (nan, nan), found.ci95 or (nan, nan)]
    values = (found.value, found.se, *pairs[0], *pairs[1])
    return {name: nan if v is None else float(v) for name, v in zip(NUMBERS, values, strict=True)}


def by_year(arms: pd.DataFrame, years: tuple[RiskYear, ...], people: pd.DataFrame | None) -> pd.DataFrame:
    """`RiskAdjustment.drift`: mean scores of each arm's members by year, from the year's own diagnoses.

    Arguments
        arms: one row per arm and year: ``members``, ``member_months``, ``expected_usd`` (sum over
            member-months of concurrent expected cost).
        people: members by year with ``arm``, ``w`` and ``raw_score``, where the study uses a score.
    """
    seen = {(str(r["arm"]), int(r["year"])): r for r in arms.to_dict("records")}
    raw = {} if people is None else _mean_scores(people)
    base = _baseline(seen, raw)
    spans = {y.year: y.months for y in years}
    records = []
    for arm in ("treated", "comparison"):
        for year in (y for y in sorted(spans) if (arm, y) in seen):
            row = seen[arm, year]
            pmpm = row["expected_usd"] / row["member_months"]
            own = raw.get((arm, year), float("nan"))
            records.append(
                {
                    "arm": arm, "year": year, "first_month": spans[year].first,
                    "last_month": spans[year].last, "members": row["members"],
                    "member_months": row["member_months"], "raw_score": own,
                    "normalised_score": (own if raw else pmpm) / base if base else float("nan"),
                    "concurrent_pmpm": pmpm,
                }
            )  # fmt: skip
    return pd.DataFrame(records)


def _mean_scores(people: pd.DataFrame) -> dict[tuple[str, int], float]:
    known = people[people["raw_score"].notna() & (people["w"] > 0)]
    found = {}
    for _, mine in known.groupby(["arm", "year"], sort=True):
        weight, raw = mine["w"].to_numpy(dtype=float), mine["raw_score"].to_numpy(dtype=float)
        found[str(mine["arm"].iloc[0]), int(mine["year"].iloc[0])] = float(weight @ raw / weight.sum())
    return found


def _baseline(seen: Mapping[tuple[str, int], Mapping], raw: Mapping[tuple[str, int], float]) -> float:
    """The comparison arm's mean over its baseline years: of the raw score if any, else of dollars."""
    own = [k for k in seen if k[0] == "comparison" and k[1] < 0 and (not raw or k in raw)]
    months = sum(seen[k]["member_months"] for k in own)
    if not months:
        return float("nan")
    if raw:
        return sum(seen[k]["member_months"] * raw[k] for k in own) / months
    return sum(seen[k]["expected_usd"] for k in own) / months


def change(members: pd.DataFrame) -> pd.DataFrame:
    """`RiskAdjustment.drift_effect`: how much more concurrent expected cost rose in the treated arm.

    Arguments
        members: one row per member and side of the start: ``member``, ``organization_id``, ``arm``,
            ``after``, ``member_months``, ``expected_usd`` (over member-months).

    Organisations' changes from baseline to performance, weighted by members. The interval allows for changes
    of organisations' own (`inference.two_period`) and for who their members are: a member adds to the
    variance what it moves the change by, both sides together. No interval with fewer than two comparison
    organisations, no p-value with fewer than `FEWEST_COMPARISONS`.
    """
    keys = ["organization_id", "arm", "after"]
    sums = members.groupby(keys, sort=True)[["member_months", "expected_usd"]].sum()
    sides = sums.unstack("after").dropna()
    months = sides["member_months"].to_numpy(dtype=float)
    mean = sides["expected_usd"].to_numpy(dtype=float) / months
    own = members.merge(sums.reset_index(), on=keys, suffixes=("", "_all"))
    centre = own["expected_usd_all"] / own["member_months_all"]
    sign = np.where(own["after"], 1.0, -1.0)
    moved = sign * (own["expected_usd"] - centre * own["member_months"]) / own["member_months_all"]
    by_one = moved.groupby([own["organization_id"], own["arm"], own["member"]]).sum() ** 2
    by_organization = by_one.groupby(level=[0, 1]).sum()
    variance = by_organization.reindex(sides.index).to_numpy(dtype=float)
    treated = np.array([arm == "treated" for _, arm in sides.index])
    count, comparisons = len(treated), int((~treated).sum())
    nan = float("nan")
    row: dict[str, object] = {
        "outcome": "concurrent_pmpm", "unit": "USD PMPM", **dict.fromkeys(NUMBERS, nan), "p": nan,
        "organizations": count, "note": "",
    }  # fmt: skip
    if not treated.any() or not comparisons:
        row["note"] = "an arm has no organisation with members on both sides of the start"
        return pd.DataFrame([row])
    c = Contrasts(
        change=mean[:, 1] - mean[:, 0], members=months.mean(1) / 12, treated=treated, months=2,
        shares=np.array([-1.0, 1.0]),
    )  # fmt: skip
    row["estimate"] = c.effect()
    widest = COMPOSITION_WIDEST * abs(float(mean[:, 0] @ months[:, 0] / months[:, 0].sum()))
    if comparisons < 2 or not (variance > 0).all() or widest <= 0:
        row["note"] = "no interval: too few comparison organisations, or no variation between members"
        return pd.DataFrame([row])
    found = re_two_period(c, variance, widest / GRID_END, prior_scale=None).effect
    row |= dict(zip(NUMBERS, (found.estimate, found.sd, *found.ci90, *found.ci95), strict=True))
    row["p"] = found.p if comparisons >= FEWEST_COMPARISONS else nan
    return pd.DataFrame([row])


def known(found: pd.DataFrame) -> pd.DataFrame:
    """`RiskAdjustment.known`: counts by arm with their shares of member-months."""
    months = found["member_months"]
    return found.assign(
        share_without_history=found["months_without_history"] / months,
        share_without_score=found["months_without_score"] / months,
    )
