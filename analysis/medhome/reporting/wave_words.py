"""Waves of a program in sentences; every number comes from the result."""

from __future__ import annotations

import pandas as pd

from medhome.reporting.datatable import records
from medhome.reporting.words import compared, direction
from medhome.study.display import absent, count, interval, listed, month, share, usd
from medhome.study.wave_results import Waves

LATE = "later vs earlier treated"
_LISTED = 6


def lead(found: Waves) -> list[str]:
    """Whether practices started in waves; where they did, when, and what that asks of an estimate."""
    if found.waves.empty:
        return [found.reason]
    starts = [month(int(w)) for w in found.waves["wave"]]
    named = listed(starts) if len(starts) <= _LISTED else f"{starts[0]} to {starts[-1]}"
    sentences = [
        f"The program's practices start in {count(len(starts))} different months, by its roster: {named}. A "
        "practice that starts later is, until then, one to compare with."
    ]
    if not absent(found.before_share):
        sentences.append(
            "The headline of this study counts every practice of the program from the first start on: "
            f"{share(found.before_share)} of the program's member-months after it are of practices that had "
            "not started, and its interval takes what sets the waves' effects apart for shocks of "
            "organisations. Below, every practice counts from its own start."
        )
    if found.effects.empty:
        sentences.append(f"Effects by wave could not be estimated: {found.reason}.")
    return sentences


def effect(found: Waves) -> list[str]:
    """The average effect of a month under the program, how sure it is, and what no p-value means."""
    row = found.headline
    if row is None:
        return []
    told = compared(
        row["estimate"], row["lo95"], row["hi95"],
        "expected in months under the program",
    )  # fmt: skip
    rule = found.rule[:1].upper() + found.rule[1:]
    return [told, f"{rule}."]


def averages(found: Waves) -> str:
    """How far the four averages of the same effects lie apart."""
    rows = found.averages[found.averages["kind"].str.startswith("overall:")]
    known = rows["estimate"].dropna()
    if len(known) < 2:
        return ""
    return (
        f"The same effects averaged in {count(len(known))} ways lie between {usd(known.min())} and "
        f"{usd(known.max())}: the ways differ in how much each wave, and each time since the start, counts."
    )


def since_start(found: Waves) -> list[str]:
    """How the effect moves with the time since the start, and what the times before it show."""
    rows = found.averages[found.averages["kind"] == "dynamic"]
    after = rows[(rows["key"] >= 0) & rows["estimate"].notna()]
    before = rows[(rows["key"] < 0) & ~rows["reference"].astype(bool)]
    unit = period(found)
    sentences = []
    if len(after) > 1:
        first, last = after.iloc[0], after.iloc[-1]
        sentences.append(
            f"In the first {unit} under the program the effect is {usd(first['estimate'])}, in the last one "
            f"seen ({count(int(last['key']) + 1)}) {usd(last['estimate'])} PMPM; late ones rest on the "
            "early waves alone."
        )
    if before.empty:
        sentences.append("No wave has two times before its start: how they moved before cannot be seen.")
    elif not absent(found.outside_band):
        sentences.append(
            f"Of {count(len(before))} times before the start, {count(found.outside_band)} lie outside what "
            "the band allows without any difference. That is no proof that trends were alike: differences "
            "as wide as the band remain possible."
        )
    return sentences


def methods(found: Waves) -> list[str]:
    """How far the estimators lie apart, and what two-way fixed effects compare."""
    own = found.methods[~found.methods["method"].isin(["twfe", "study"])]
    known = own["estimate"].dropna()
    sentences = []
    if len(known) > 1:
        sentences.append(
            "Estimators that allow effects to differ between waves put the effect between "
            f"{usd(known.min())} and {usd(known.max())} PMPM."
        )
    if absent(found.two_way):
        reading = found.methods.loc[found.methods["method"] == "twfe", "reading"]
        sentences.append(
            f"Two-way fixed effects: {first_small(str(reading.iloc[0]))}." if len(reading) else ""
        )
        return sentences
    sentences.append(
        f"Two-way fixed effects, one coefficient for all waves, give {usd(found.two_way)}. They average "
        f"two-by-two comparisons, and {share(found.already)} of their weight compares with practices under "
        "the program already: where effects grow, such a comparison takes growth for a trend and subtracts "
        "it."
    )
    late = found.comparisons[(found.comparisons["kind"] == LATE) & found.comparisons["estimate"].notna()]
    if len(late) and late["weight"].sum() > 0:
        mean = float((late["estimate"] * late["weight"]).sum() / late["weight"].sum())
        sentences.append(f"Those comparisons average {usd(mean)}.")
    return sentences


def first_small(text: str) -> str:
    return text[:1].lower() + text[1:]


def period(found: Waves) -> str:
    """What a period is called: quarter or month."""
    return "quarter" if found.period_months == 3 else "month"


def title_of_events(found: Waves) -> str:
    """What the average effect says, as the title of the picture by time since the start."""
    row = found.headline
    low, high = (None, None) if row is None else (row["lo95"], row["hi95"])
    return {
        "less": "Cost fell against practices not yet in the program, counted from each practice's own start",
        "more": "Cost rose against practices not yet in the program, counted from each practice's own start",
        "unclear": f"Difference from practices not yet in the program, by {period(found)} since their own "
        "start",
    }[direction(low, high)]


def title_of_comparisons(found: Waves) -> str:
    """How much of two-way fixed effects compares with practices under the program."""
    return (
        f"{share(found.already)} of two-way fixed effects compares with practices under the program already"
        if found.already
        else "Every comparison of two-way fixed effects is with practices not yet in the program"
    )


def described(rows: pd.DataFrame) -> str:
    """Rows by time since the start, for those who cannot see the picture."""
    parts = [
        f"{count(r['key'])}: {usd(r['estimate'])} ({interval(r['lo95'], r['hi95'])})"
        for r in records(rows)
        if not absent(r["estimate"]) and not r["reference"]
    ]
    return "; ".join(parts)
