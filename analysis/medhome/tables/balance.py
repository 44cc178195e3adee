"""Who was compared, at baseline: exhibit T2 and the list of organisations."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from ibis import _

from medhome.study.cells import WEIGHT_SCALE
from medhome.study.results import Cohort
from medhome.study.spec import StudySpec
from medhome.tables.arms import ARMS, COMPARISON, TREATED
from medhome.tables.conditions import ADULT
from medhome.tables.engine import fetch

if TYPE_CHECKING:
    from medhome.tables.panel import Panel

PRIMARY = "allowed_capped_cents"


def describe(panel: Panel, spec: StudySpec) -> Cohort:
    """Were the arms alike before the program began, and who are they?

    Arguments
        panel: the panel, scored or not; only a scored one has the row of expected cost.

    Characteristics are those of the start of the baseline, weighted by months in the baseline, so that the
    row of cost is the arm's PMPM (allowed, capped). Standardised mean difference: difference of means over
    the root of the mean of both variances; variance ratio: treated over comparison. Source:
    `docs/methods.md`, exhibit T2.
    """
    organizations = _organizations(panel, spec)
    size = organizations.groupby("arm")[["members", "practices"]].sum()
    months = (
        organizations.assign(
            all_months=organizations["baseline_member_months"] + organizations["performance_member_months"]
        )
        .groupby("arm")["all_months"]
        .sum()
    )
    clinicians = panel.clinicians.groupby("arm")["npi"].nunique()
    return Cohort(
        balance=_balance(panel, spec),
        organizations=organizations,
        members={arm: int(size["members"][arm]) for arm in ARMS},
        member_months={arm: float(months[arm]) for arm in ARMS},
        practices={arm: int(size["practices"][arm]) for arm in ARMS},
        organizations_n={arm: int((organizations["arm"] == arm).sum()) for arm in ARMS},
        clinicians={arm: int(clinicians.get(arm, 0)) for arm in ARMS},
    )


def _balance(panel: Panel, spec: StudySpec) -> pd.DataFrame:
    conditions = {t: label for t, label in panel.terms.items() if t.startswith("condition:")}
    scored = ["expected_cents"] if panel.scored else []
    cost = (
        panel.months.filter(_.month < spec.periods.baseline.end)
        .group_by("person_key")
        .aggregate(w=_.w.sum(), cost_cents=_[PRIMARY].sum())
    )
    members = panel.members.select("person_key", "arm", "age", "sex", "stratum", *conditions, *scored)
    rows = fetch(cost.join(members, "person_key").order_by("person_key"))
    weight = rows["w"].to_numpy(dtype=float) / WEIGHT_SCALE
    treated = (rows["arm"] == TREATED).to_numpy()
    characteristics: list[tuple[str, str, str, np.ndarray]] = [
        ("age", "Age", "years", rows["age"].to_numpy(dtype=float)),
        ("female", "Women and girls", "share", (rows["sex"] == "F").to_numpy(dtype=float)),
        ("children", "Children (under 18)", "share", (rows["age"] < ADULT).to_numpy(dtype=float)),
    ]
    characteristics += [(t, label, "share", rows[t].to_numpy(dtype=float)) for t, label in conditions.items()]
    pmpm = rows["cost_cents"].to_numpy(dtype=float) / 100 / weight
    characteristics.append(("baseline_pmpm", "Cost at baseline (allowed, capped)", "USD PMPM", pmpm))
    if panel.scored:
        expected = rows["expected_cents"].to_numpy(dtype=float) / 100
        characteristics.append(("expected_pmpm", "Expected cost (risk model)", "USD PMPM", expected))
    found = []
    for name, label, unit, values in characteristics:
        mean, variance = {}, {}
        for arm, mask in ((TREATED, treated), (COMPARISON, ~treated)):
            total = weight[mask].sum()
            mean[arm] = float((weight[mask] * values[mask]).sum() / total) if total else math.nan
            spread = (weight[mask] * (values[mask] - mean[arm]) ** 2).sum()
            variance[arm] = float(spread / total) if total else math.nan
        pooled = math.sqrt((variance[TREATED] + variance[COMPARISON]) / 2)
        gap = mean[TREATED] - mean[COMPARISON]
        smd = gap / pooled if pooled > 0 else (0.0 if gap == 0 else math.nan)
        ratio = variance[TREATED] / variance[COMPARISON] if variance[COMPARISON] > 0 else math.nan
        found.append((name, label, unit, mean[TREATED], mean[COMPARISON], smd, ratio))
    columns = ["characteristic", "label", "unit", "treated", "comparison", "smd", "variance_ratio"]
    return pd.DataFrame(found, columns=columns)


def _organizations(panel: Panel, spec: StudySpec) -> pd.DataFrame:
    joined = panel.months.join(
        panel.members.select("person_key", "organization_id", "practice_id", "arm"), "person_key"
    )
    before = joined.month < spec.periods.baseline.end
    found = fetch(
        joined.group_by("organization_id", "arm")
        .aggregate(
            practices=_.practice_id.nunique(),
            members=_.person_key.nunique(),
            baseline_months=before.ifelse(joined.w, 0).sum(),
            months=_.w.sum(),
            baseline_cents=before.ifelse(joined[PRIMARY], 0).sum(),
            cents=_[PRIMARY].sum(),
        )
        .order_by(_.arm.desc(), _.organization_id)
    )
    found[["baseline_months", "months"]] = found[["baseline_months", "months"]] / WEIGHT_SCALE
    clinicians = panel.clinicians.groupby("organization_id")["npi"].nunique()
    after = found["months"] - found["baseline_months"]
    return pd.DataFrame(
        {
            "organization_id": found["organization_id"],
            "label": _labels(found["arm"]),
            "arm": found["arm"],
            "practices": found["practices"],
            "clinicians": [int(clinicians.get(o, 0)) for o in found["organization_id"]],
            "members": found["members"],
            "baseline_member_months": found["baseline_months"].astype(float),
            "performance_member_months": after.astype(float),
            "baseline_pmpm": _pmpm(found["baseline_cents"], found["baseline_months"]),
            "performance_pmpm": _pmpm(found["cents"] - found["baseline_cents"], after),
        }
    )


def _labels(arms: pd.Series) -> list[str]:
    """Neutral names: the only program organisation is "Program", others are numbered."""
    counts: dict[str, int] = {}
    labels = []
    for arm in arms:
        counts[arm] = counts.get(arm, 0) + 1
        word = "Program" if arm == TREATED else "Comparison"
        alone = arm == TREATED and (arms == TREATED).sum() == 1
        labels.append(word if alone else f"{word} {counts[arm]:02d}")
    return labels


def _pmpm(cents: pd.Series, months: pd.Series) -> np.ndarray:
    weight = months.to_numpy(dtype=float)
    return np.divide(
        cents.to_numpy(dtype=float) / 100, weight, out=np.full(len(weight), np.nan), where=weight > 0
    )
