"""Sentences about the members' cost models: functions of the result, as in `words`."""

from __future__ import annotations

from typing import Any

import pandas as pd

from medhome.reporting.datatable import records
from medhome.study.display import absent, count, listed, pmpm, ratio, share, usd
from medhome.study.member_cost_results import MemberCosts

FAMILIES = {
    "ols": "OLS",
    "poisson": "Poisson",
    "gamma": "Gamma",
    "tweedie": "Tweedie",
    "two-part": "Two-part",
}
ALL, BASELINE, COMPARISON, TREATED = "all", "baseline", "comparison", "treated"


def family_name(family: object) -> str:
    """A family as a row's name."""
    return FAMILIES.get(str(family), str(family))


def of_all(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of everybody; those of the one stratum where there is only one."""
    return frame[frame["stratum"] == ALL] if (frame["stratum"] == ALL).any() else frame


def introduction(found: MemberCosts) -> list[str]:
    """What was fitted, on whom, and who predicts whom."""
    known = found.identity[found.identity["why"] == ""]
    families = list(dict.fromkeys(family_name(f) for f in known["family"]))
    strata = [s for s in dict.fromkeys(found.identity["stratum"]) if s != ALL]
    if not families:
        return []
    apart = f", {listed([str(s) for s in strata])} apart" if len(strata) > 1 else ""
    return [
        f"Beside the model behind expected cost stand {count(len(families))} of the members' cost: "
        f"{listed(families)}{apart}; {family_name(found.primary)} is shown in detail.",
        "Each is fitted on the comparison arm at baseline with member-months as weights. Members of a "
        "comparison practice are predicted by fits that never saw the practice; the program's members are in "
        "no fit.",
    ]


def accuracy(found: MemberCosts) -> str:
    """How near the primary model comes for single members and for the group."""
    rows = _accuracy(found, found.primary, COMPARISON)
    if not rows:
        return ""
    row = rows[0]
    members = (
        f"explains {share(row['r2'])} of the variation in cost"
        if row["r2"] > 0
        else "predicts no better than the mean"
    )
    large = (
        "That the error of single members is above 60% of mean cost is normal for models of this kind."
        if row["mae_share"] > 0.6
        else ""
    )
    return (
        "Among comparison members at baseline, in practices left out of the fit, "
        f"{family_name(found.primary)} {members}; its error for a single member is "
        f"{share(row['mae_share'], 0)} of mean cost on average, and predicted over actual cost for all of "
        f"them together is {ratio(row['predictive_ratio'])}. {large}"
    ).strip()


def best(found: MemberCosts) -> str:
    """Which family explains most among members that it has not seen."""
    rows = [
        r
        for f in dict.fromkeys(found.accuracy["family"])
        for r in _accuracy(found, str(f), COMPARISON)
        if not absent(r["r2"])
    ]
    if len(rows) < 2:
        return ""
    first = max(rows, key=lambda r: r["r2"])
    last = min(rows, key=lambda r: r["r2"])
    return (
        f"Of {count(len(rows))} models {family_name(first['family'])} explains most of members that it has "
        f"not seen ({share(first['r2'])} of the variation), {family_name(last['family'])} least "
        f"({share(last['r2'])})."
    )


def ratios(found: MemberCosts) -> list[str]:
    """That ratios by actual cost must slope, and where those by predicted cost lie."""
    known = found.ratios[found.ratios["predictive_ratio"].notna()]
    known = known[known["arm"] == COMPARISON]
    by = {kind: known[known["kind"] == kind] for kind in sorted(set(known["kind"]))}
    sentences = []
    if len(by.get("predicted", [])):
        column = by["predicted"]["predictive_ratio"]
        sentences.append(
            f"By tenth of predicted cost, predicted over actual cost runs from {ratio(column.min(), 2)} to "
            f"{ratio(column.max(), 2)} in the comparison arm."
        )
    if len(by.get("actual", [])):
        column = by["actual"]["predictive_ratio"]
        sentences.append(
            f"By fifth of actual cost it runs from {ratio(column.iloc[0], 2)} to {ratio(column.iloc[-1], 2)}."
        )
    sentences.append(
        "A ratio above one among those who cost little and below one among those who cost most is normal, "
        "even for a perfect model: these groups are chosen by what chance did."
    )
    if len(by.get("condition", [])):
        rows = records(by["condition"])
        far = max(rows, key=lambda r: abs(r["predictive_ratio"] - 1))
        sentences.append(
            f"Of conditions, \"{far['label']}\" is furthest from one ({ratio(far['predictive_ratio'], 2)})."
        )
    return sentences


def practices(found: MemberCosts) -> str:
    """How many practices' ratios lie outside what chance gives panels of their size."""
    known = found.practices[found.practices[["predictive_ratio", "lo95", "hi95"]].notna().all(axis=1)]
    if known.empty:
        return ""
    outside = (known["predictive_ratio"] < known["lo95"]) | (known["predictive_ratio"] > known["hi95"])
    return (
        f"Of {count(len(known))} practices {count(int(outside.sum()))} lie outside the range that holds 95% "
        f"of random panels of their size; about {count(round(0.05 * len(known)))} would by chance. Random "
        f"panels of the smallest practice's size stray by {share(known['panel_sd'].max(), 0)} (standard "
        f"deviation of predicted over actual cost), those of the largest's by "
        f"{share(known['panel_sd'].min(), 0)}."
    )


def recalibration(found: MemberCosts) -> str:
    """What the primary model says of the treated arm after the start, before and after recalibration."""
    rows = [
        r
        for r in records(found.recalibration)
        if r["family"] == found.primary and r["period"] == "performance" and not absent(r["factor"])
    ]
    if not rows:
        return ""
    row = rows[0]
    return (
        "After the start predictions of the baseline's model know nothing of the trend of cost. Multiplied "
        f"by {ratio(row['factor'])}, which makes the comparison arm's right, {family_name(found.primary)} "
        f"gives {usd(row['recalibrated_pmpm'])} for the program's members against {pmpm(row['actual_pmpm'])} "
        f"in fact: predicted over actual cost is {ratio(row['recalibrated_ratio'])}, and was "
        f"{ratio(row['predictive_ratio'])} without the factor."
    )


def identity(found: MemberCosts) -> list[str]:
    """Where expected equals actual cost on the rows fitted on, and how large the gap is elsewhere."""
    known = found.identity[(found.identity["why"] == "") & found.identity["gap_share"].notna()]
    if known.empty:
        return []
    largest: dict[str, float] = {}
    for row in records(known):
        name = family_name(row["family"]) + (" (any cost)" if row["part"] == "any cost" else "")
        largest[name] = max(largest.get(name, 0.0), abs(float(row["gap_share"])))
    none = [name for name, gap in largest.items() if gap == 0]
    gaps = [f"{name} {share(gap, 2)}" for name, gap in largest.items() if gap > 0]
    sentences = []
    if none:
        sentences.append(
            "On the rows fitted on, expected equals actual cost (to one part in a thousand million) for "
            f"{listed(none)}."
        )
    if gaps:
        sentences.append(
            f"The link of the others does not see to that; their largest gaps are: {', '.join(gaps)}."
        )
    return sentences


def effects(found: MemberCosts) -> list[str]:
    """The effects of the program under the models, and what their intervals allow for."""
    known = [r for r in records(of_all(found.effects)) if not absent(r["estimate"])]
    if not known:
        return []
    low, high = (pick(known, key=lambda r: r["estimate"]) for pick in (min, max))
    return [
        f"Under the models of members' cost the effect lies between {pmpm(low['estimate'])} "
        f"({family_name(low['family'])}) and {pmpm(high['estimate'])} ({family_name(high['family'])}): every "
        "member-month of the program after the start is predicted with the program and without it (recycled "
        "predictions).",
        "These intervals take practices as independent of each other: they are conditional on the "
        "organisations that are in the program, and are no substitute for the headline's.",
    ]


def tests(found: MemberCosts) -> list[str]:
    """What each test of the primary model means, in the stratum with most members."""
    own = found.tests[(found.tests["family"] == found.primary) & found.tests["members"].notna()]
    if own.empty:
        return []
    stratum = max(records(own), key=lambda r: float(r["members"]))["stratum"]
    whom = "" if stratum == ALL else f" ({stratum})"
    return [
        f"{family_name(found.primary)}{whom}, {r['test']}: {r['meaning']}"
        for r in records(own[own["stratum"] == stratum])
    ]


def _accuracy(found: MemberCosts, family: str, arm: str) -> list[dict[str, Any]]:
    frame = of_all(found.accuracy[found.accuracy["family"] == family])
    kept = frame[(frame["arm"] == arm) & (frame["period"] == BASELINE) & (frame["cap"] == "capped")]
    return [r for r in records(kept) if not absent(r["r2"])]
