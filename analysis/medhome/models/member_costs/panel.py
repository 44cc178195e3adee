"""How near do the cost models come, for single members and for groups? Exhibits T9 and T10.

Source: ``docs/methods.md``, accuracy panel, and ``docs/methods/cost-models.md``, in a study.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from medhome.models.accuracy import NOTHING, accuracy, predictive_ratios, weighted_groups
from medhome.models.member_costs.members import CAPPED, UNCAPPED, Members
from medhome.study.member_cost_results import COLUMNS, empty

ARMS = ("treated", "comparison")
PERIODS = ("baseline", "performance")
TENTHS, FIFTHS = 10, 5


def accuracy_rows(members: Members, family: str, outcome: str, predicted: np.ndarray) -> list[dict[str, Any]]:
    """T9 of one family and cap: everybody and by group, arm and period; rows not predicted are left out."""
    known = np.isfinite(predicted)
    wholes: list[tuple[str, np.ndarray]] = [("all", known)]
    if len(members.groups) > 1:
        wholes += [(name, known & (members.group == k)) for k, name in enumerate(members.groups)]
    found = []
    for stratum, inside in wholes:
        for arm in ARMS:
            for period in PERIODS:
                mask = inside & _of(members, arm, period)
                if not mask.any():
                    continue
                y, w = members.cost[outcome][mask], members.months[mask]
                got = accuracy(y, predicted[mask], w)
                found.append({
                    "family": family, "cap": "capped" if outcome == CAPPED else "uncapped",
                    "stratum": stratum, "arm": arm, "period": period, "members": int(mask.sum()),
                    "member_months": got.weight, "actual_pmpm": float(w @ y / got.weight),
                    "predicted_pmpm": float(w @ predicted[mask] / got.weight), "r2": got.r2,
                    "mae_share": got.mae_share, "cpm": got.cpm, "predictive_ratio": got.predictive_ratio,
                })  # fmt: skip
    return found


def recalibration(accuracy_of: pd.DataFrame) -> pd.DataFrame:
    """The treated arm's predictions times what makes the comparison arm's right, by family and period."""
    whole = accuracy_of[(accuracy_of["stratum"] == "all") & (accuracy_of["cap"] == "capped")]
    rows = []
    for (family, period), pair in whole.groupby(["family", "period"], sort=False):
        arms = {str(row["arm"]): row for row in pair.to_dict("records")}
        if len(arms) < 2:
            continue
        own, other = arms["treated"], arms["comparison"]
        factor = other["actual_pmpm"] / other["predicted_pmpm"] if other["predicted_pmpm"] > 0 else NOTHING
        rows.append({
            "family": family, "period": period, "members": int(own["members"]),
            "member_months": own["member_months"], "factor": factor, "actual_pmpm": own["actual_pmpm"],
            "predicted_pmpm": own["predicted_pmpm"], "recalibrated_pmpm": own["predicted_pmpm"] * factor,
            "predictive_ratio": own["predictive_ratio"],
            "recalibrated_ratio": own["predictive_ratio"] * factor,
        })  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS["recalibration"])) if rows else empty("recalibration")


def ratios(members: Members, predicted: Mapping[str, np.ndarray], terms: Mapping[str, str]) -> pd.DataFrame:
    """T10 at baseline: predicted over actual cost by tenth of predicted and fifth of actual cost, condition,
    age and sex, in each arm.

    predicted: PMPM (N,) by outcome, NaN where there is no model.
    """
    known = np.isfinite(predicted[CAPPED]) & ~members.performance
    w = members.months[known]
    frame = members.frame[known]
    tenth = weighted_groups(predicted[CAPPED][known].round(6), w, TENTHS)
    fifth = weighted_groups(members.cost[CAPPED][known], w, FIFTHS)
    kinds: list[tuple[str, str, str, np.ndarray]] = [
        ("predicted", f"{k:02d}", f"Tenth {k} of predicted cost", tenth == k) for k in range(1, TENTHS + 1)
    ]
    kinds += [("actual", f"{k}", f"Fifth {k} of actual cost", fifth == k) for k in range(1, FIFTHS + 1)]
    none = np.ones(len(frame), dtype=bool)
    for term, label in terms.items():
        kind = {"condition": "condition", "age_sex": "age_sex"}.get(term.partition(":")[0])
        if kind is not None:
            inside = (frame[term] == 1).to_numpy()
            none &= ~inside if kind == "condition" else True
            kinds.append((kind, term, label, inside))
    if any(kind == "condition" for kind, *_ in kinds):
        kinds.append(("condition", "none", "None of these conditions", none))
    found = []
    for kind, group, label, inside in kinds:
        for arm in ARMS:
            mask = inside & (members.treated[known] == (arm == "treated"))
            if mask.any():
                rows = _ratio_row(members, known, mask, predicted)
                found.append({"kind": kind, "group": group, "label": label, "arm": arm, **rows})
    return pd.DataFrame(found, columns=list(COLUMNS["ratios"])) if found else empty("ratios")


def practices(
    members: Members,
    predicted: np.ndarray,
    labels: Mapping[tuple[str, str], str],
    draws: int,
    seed: Iterable[int],
) -> pd.DataFrame:
    """Predicted over actual cost of each practice's panel at baseline, beside random panels of its size.

    Panels are drawn with replacement from the comparison arm's members at baseline, predicted by fits without
    their practice: how far a ratio strays where nothing but chance tells the panel from the arm.
    labels: neutral names of organisations by id and arm; practices are numbered inside, by their ids.
    """
    known = np.isfinite(predicted) & ~members.performance
    if not known.any():
        return empty("practices")
    frame = members.frame[known]
    arm = np.where(members.treated[known], "treated", "comparison")
    key = pd.DataFrame({"organization_id": frame["organization_id"].astype(str).to_numpy(), "arm": arm,
                        "practice_id": frame["practice_id"].astype(str).to_numpy()})  # fmt: skip
    places = key.drop_duplicates().sort_values(["arm", "organization_id", "practice_id"], kind="stable")
    places = places.reset_index(drop=True)
    number = places.groupby(["arm", "organization_id"]).cumcount() + 1
    code = key.merge(places.assign(place=places.index), how="left")["place"].to_numpy()
    y, yhat, w = members.cost[CAPPED][known], predicted[known], members.months[known]
    found = predictive_ratios(y, yhat, w, code)
    pool = arm == "comparison"
    spread = random_panels(y[pool], yhat[pool], w[pool], found["rows"].to_numpy(), draws, seed)
    names = [
        f"{labels.get((row['organization_id'], row['arm']), row['arm'].capitalize())}, practice {n:02d}"
        for row, n in zip(places.to_dict("records"), number, strict=True)
    ]
    return pd.DataFrame(
        {
            "label": names, "arm": places["arm"], "members": found["rows"], "member_months": found["weight"],
            "actual_pmpm": found["actual"], "predicted_pmpm": found["predicted"],
            "predictive_ratio": found["predictive_ratio"], **spread,
        }
    )  # fmt: skip


def random_panels(
    actual: np.ndarray,
    predicted: np.ndarray,
    months: np.ndarray,
    sizes: np.ndarray,
    draws: int,
    seed: Iterable[int],
) -> dict[str, np.ndarray]:
    """Standard deviation and middle 95% of the predictive ratio of random panels, for each size (n,).

    >>> found = random_panels(np.ones(4), np.ones(4), np.ones(4), np.array([2, 2]), 50, [1, 1])
    >>> found["lo95"].tolist(), found["panel_sd"].tolist()
    ([1.0, 1.0], [0.0, 0.0])
    """
    nothing = np.full(len(sizes), NOTHING)
    if not draws or not len(actual):
        return {"panel_sd": nothing, "lo95": nothing, "hi95": nothing}
    rng = np.random.default_rng(list(seed))
    cost, expected = months * actual, months * predicted
    by_size = {}
    for size in np.unique(sizes):
        came = rng.integers(0, len(actual), (draws, int(size)))
        total = cost[came].sum(1)
        ratio = expected[came].sum(1)[total > 0] / total[total > 0]
        enough = len(ratio) > 0.95 * draws
        by_size[int(size)] = (
            (float(ratio.std(ddof=1)), *(float(v) for v in np.quantile(ratio, (0.025, 0.975))))
            if enough
            else (NOTHING,) * 3
        )
    columns = zip(*(by_size[int(s)] for s in sizes), strict=True)
    return {name: np.array(c) for name, c in zip(("panel_sd", "lo95", "hi95"), columns, strict=True)}


def _of(members: Members, arm: str, period: str) -> np.ndarray:
    return (members.treated == (arm == "treated")) & (members.performance == (period == "performance"))


def _ratio_row(
    members: Members, known: np.ndarray, mask: np.ndarray, predicted: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    w = members.months[known][mask]
    ratio, means = {}, {}
    for outcome in (CAPPED, UNCAPPED):
        y, yhat = members.cost[outcome][known][mask], predicted[outcome][known][mask]
        ratio[outcome] = float(w @ yhat) / float(w @ y) if w @ y > 0 else NOTHING
        means[outcome] = (float(w @ y / w.sum()), float(w @ yhat / w.sum()))
    return {
        "members": int(mask.sum()), "member_months": float(w.sum()), "actual_pmpm": means[CAPPED][0],
        "predicted_pmpm": means[CAPPED][1], "predictive_ratio": ratio[CAPPED],
        "uncapped_ratio": ratio[UNCAPPED],
    }  # fmt: skip
