"""Sentences of the page "Where and for whom": what parts may be read for, and what not."""

from __future__ import annotations

from medhome.reporting.datatable import Row, records
from medhome.study.display import absent, count, interval, listed, p_value, pmpm, share, usd
from medhome.study.results import DataQuality
from medhome.study.spec import StudySpec
from medhome.study.where_results import Where

LEVEL = 0.05
FINDING = "after adjustment for the number of parts looked at"


def lead(found: Where) -> str:
    """What the page is for, and how many questions it asks."""
    asked = f" {count(found.tested)} parts were looked at together." if found.tested else ""
    return (
        "The effect was asked for beforehand; its parts were not. They say where to look next, and none is a "
        f"finding unless it stands {FINDING}.{asked}"
    )


def notable(found: Where) -> str:
    """Which parts stand after Holm's adjustment."""
    rows = [*records(found.categories), *records(found.groups)]
    if not any(not absent(row["p_holm"]) for row in rows):
        return "No p-value may be printed in this setting, so no part can be told from chance."
    kept = [row for row in rows if not absent(row["p_holm"]) and row["p_holm"] < LEVEL]
    if not kept:
        least = min((row for row in rows if not absent(row["p_holm"])), key=lambda row: row["p_holm"])
        return (
            f"No part stands {FINDING}: the smallest of Holm's p-values is {p_value(least['p_holm'])} "
            f"({named(least)})."
        )
    parts = [
        f"{named(row)} ({pmpm(row['estimate'])}, 95% interval {interval(row['lo95'], row['hi95'])})"
        for row in kept
    ]
    return f"Of all parts, these stand {FINDING}: {listed(parts)}."


def named(row: Row) -> str:
    """A part inside a sentence."""
    label = str(row["label"])
    return label[0].lower() + label[1:]


def categories(found: Where) -> str:
    """The kinds of service with the largest part of the effect, one way and the other."""
    rows = [r for r in records(found.categories) if r["category"] != "all" and not absent(r["estimate"])]
    if len(rows) < 2:
        return ""
    low, high = (pick(rows, key=lambda row: row["estimate"]) for pick in (min, max))
    return (
        "The effects of the kinds of service add up to the effect on all cost. They run from "
        f"{usd(low['estimate'])} ({named(low)}) to {usd(high['estimate'])} ({named(high)}) per member per "
        "month."
    )


def prices(quality: DataQuality, spec: StudySpec) -> str:
    """How much of the difference in change is quantity and how much is price."""
    frame = quality.prices
    whole = {row["arm"]: row for row in records(frame[frame["category"] == "all"])} if len(frame) else {}
    if not {"treated", "comparison"} <= set(whole):
        return (
            "Price and quantity were not split: the study file does not ask for it (claims.prices)."
            if not spec.claims.prices
            else "Price and quantity could not be split."
        )
    apart = {
        part: whole["treated"][f"{part}_pmpm"] - whole["comparison"][f"{part}_pmpm"]
        for part in ("quantity", "price", "change")
    }
    if any(absent(v) for v in apart.values()):
        return "Price and quantity are withheld."
    return (
        f"Uncapped cost changed by {pmpm(apart['change'])} more in the program than in the comparison arm: "
        f"{usd(apart['quantity'])} of it is quantity (more or less care) and {usd(apart['price'])} price "
        "(the same care for more or less), without adjustment for risk."
    )


def groups(found: Where) -> str:
    """Who counts as high risk, and that groups are those of the baseline."""
    cut = found.high_risk_cut_pmpm
    high = (
        ""
        if cut is None
        else f" High risk are members whose frozen expected cost is at least {usd(cut)} PMPM, the highest "
        "tenth of both arms."
    )
    return (
        "Groups are fixed at the baseline, so that the program cannot move anybody from one to another."
        f"{high}"
    )


def practices(found: Where) -> list[str]:
    """How far the program's practices differ beyond what chance alone would do at their size."""
    frame = found.practices
    mine = frame[(frame["arm"] == "treated") & frame["estimate"].notna()]
    centre = found.treated_mean_pmpm
    if mine.empty or centre is None or absent(found.between_sd_pmpm):
        return ["There are too few practices in an arm for a funnel."]
    outside = int((mine["estimate"] - centre).abs().gt(mine["limit95"]).sum())
    lie = "lies" if outside == 1 else "lie"
    sd = usd(found.between_sd_pmpm)
    return [
        f"Of {count(len(mine))} practices of the program shown, {count(outside)} {lie} outside the limits "
        f"that chance alone would draw around their mean; by chance about {share(0.05, 0)} would.",
        f"Practices differ by themselves with a standard deviation of {sd} PMPM. The "
        "table draws each towards the mean of its arm, the more the fewer members it has: read that one, "
        "not the raw change.",
    ]
