"""What placebos, leaving one out, other estimators and bounds on trends found, in sentences.

Every sentence is a function of the result, neutral where an interval holds zero. A placebo never proves that
the method is right: it can only show that it is wrong.
"""

from __future__ import annotations

import math

import pandas as pd

from medhome.reporting.study_words import treated_arm
from medhome.reporting.words import direction, rows_of
from medhome.study.display import absent, count, interval, month, number, pmpm, share, usd
from medhome.study.results import DidResult
from medhome.study.robustness_results import Robustness
from medhome.study.spec import StudySpec

CHOICES = {"relative-magnitudes": "Relative magnitudes", "smoothness": "Smoothness"}


def reason(found: Robustness, name: str) -> str:
    """Why a question could not be answered, as a sentence; empty where it could, or was never asked.

    >>> reason(Robustness(reasons={"placebo_arm": "placebo arm: fewer than 3 comparison organisations"}),
    ...        "placebo_arm")
    'Not tried: placebo arm: fewer than 3 comparison organisations.'
    """
    why = str(found.reasons.get(name, "")).strip().rstrip(".")
    return f"Not tried: {why}." if why else ""


def in_short(found: Robustness) -> str:
    """One sentence for the first page: what moves the effect most, of what was tried."""
    parts = []
    low, high, n = _span(_without(found.organizations, "comparison"))
    if n:
        parts.append(f"leaving out any one comparison organisation moves the effect between {low} and {high}")
    starts = found.placebo_starts[found.placebo_starts["lo95"].notna()]
    if len(starts):
        wrong = _outside(starts)
        have = "none has an interval" if not wrong else f"{count(wrong)} have an interval"
        parts.append(f"of {count(len(starts))} starts that did not happen, {have} without zero")
    if found.as_large is not None:
        placebos = int(found.placebo_arm["estimate"].notna().sum())
        parts.append(
            f"{count(found.as_large)} of {count(placebos)} comparison organisations, taken for the program, "
            "show an effect as far from zero"
        )
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def starts(found: Robustness) -> list[str]:
    """What the starts that did not happen would have shown."""
    frame = found.placebo_starts[found.placebo_starts["estimate"].notna()]
    if frame.empty:
        return [reason(found, "placebo_starts")]
    low, high, n = _span(frame)
    first, last = month(frame["month"].min()), month(frame["month"].max())
    known = frame[frame["lo95"].notna()]
    wrong = _outside(known)
    sentences = [
        f"With the months of the baseline alone, {count(n)} starts that did not happen were tried, from "
        f"{first} to {last}. Their effects lie between {low} and {high} PMPM."
        if n > 1
        else f"With the months of the baseline alone, one start that did not happen was tried, {first}: its "
        f"effect is {low} PMPM."
    ]
    if len(known):
        verdict = (
            "All their 95% intervals hold zero."
            if not wrong
            else f"The 95% intervals of {count(wrong)} of {count(len(known))} leave zero out: where there "
            "was no program, the method found something."
        )
        sentences.append(
            f"{verdict} Neighbouring starts share most of their months; they are not tests of their own."
        )
    return sentences


def organizations(found: Robustness, spec: StudySpec) -> list[str]:
    """How far the effect moves without one organisation, by arm."""
    frame = found.organizations
    return [*_left_out(frame, "organisation", found.full, spec), *_intervals_without(frame)]


def practices(found: Robustness, spec: StudySpec) -> list[str]:
    """How far the effect moves without one practice, by arm."""
    return _left_out(found.practices, "practice", found.full, spec)


def _left_out(frame: pd.DataFrame, unit: str, full: float | None, spec: StudySpec) -> list[str]:
    sentences = []
    for arm in ("comparison", "treated"):
        mine = _without(frame, arm)
        low, high, n = _span(mine)
        of = f"comparison {unit}" if arm == "comparison" else f"{unit} of {treated_arm(spec)}"
        if n > 1:
            most = mine.iloc[int(mine["change"].abs().argmax())]
            sentences.append(
                f"Leaving out any one {of} moves the effect between {low} and {high} PMPM (with all: "
                f"{usd(full)}); most without {most['label']}."
            )
        elif arm == "treated" and (frame["arm"] == "treated").sum() == 1:
            sentences.append(
                f"{treated_arm(spec).capitalize()} is one {unit}, which cannot be left out: whatever befell "
                "it alone is part of the effect."
            )
    return sentences


def placebo_arm(found: Robustness, spec: StudySpec) -> list[str]:
    """How the program's effect compares with those of comparison organisations taken for it."""
    frame = found.placebo_arm[found.placebo_arm["estimate"].notna()]
    if frame.empty or found.as_large is None:
        return [reason(found, "placebo_arm")]
    low, high, n = _span(frame)
    sentences = [
        f"Each of {count(n)} comparison organisations was taken for the program against the others. Their "
        f"effects lie between {low} and {high} PMPM; {count(found.as_large)} are at least as far from zero "
        f"as that of {treated_arm(spec)}, {usd(found.full)}."
    ]
    if found.comparable:
        sentences.append(
            f"{treated_arm(spec).capitalize()} is of their size, so that the share of effects as far from "
            f"zero, its own with them, {share(found.share)}, may be read as a p-value of organisations "
            "exchanged."
        )
    else:
        sentences.append(
            f"{treated_arm(spec).capitalize()} is not one organisation of their size, and small "
            "organisations scatter more: this is a picture, not a p-value."
        )
    return sentences


def placebo_outcomes(found: Robustness) -> list[str]:
    """What was found on outcomes that no care program changes within months."""
    if found.placebo_outcomes.empty:
        return ["The study names no outcome that the program cannot have changed (placebo_outcomes)."]
    frame = found.placebo_outcomes[found.placebo_outcomes["lo95"].notna()]
    if frame.empty:
        return ["None of the outcomes that the program cannot have changed has an interval to show."]
    parts = [
        f"{r.label}, {number(r.estimate)} (95% interval {number(r.lo95)} to {number(r.hi95)}) {r.unit}, with "
        f"{number(r.level)} in the comparison group before the start"
        for r in rows_of(frame)
    ]
    wrong = _outside(frame)
    verdict = (
        "No interval leaves zero out, as should be; wide ones could hide much."
        if not wrong
        else f"{count(wrong)} of {count(len(frame))} intervals leave zero out: something else moved between "
        "the arms, and it may have moved cost as well."
    )
    lead = "The program cannot have changed how often members have what follows, nor what that costs."
    return [lead, f"Effects found on it: {'; '.join(parts)}.", verdict]


def methods(found: Robustness, did: DidResult) -> list[str]:
    """How far the estimators lie apart, and which of their intervals may be read."""
    low, high, n = _span(_estimators(found))
    if n < 2:
        return [reason(found, "methods")]
    treated, grey = did.treated_organizations, int((~found.methods["valid"]).sum())
    sentences = [f"On the same cost, {count(n)} estimators put the effect between {low} and {high} PMPM."]
    if grey:
        who = "one treated organisation" if treated == 1 else f"{count(treated)} treated organisations"
        sentences.append(
            f"With {who}, {count(grey)} of the intervals below are not valid (grey): their errors do not "
            "know how far an organisation of this size moves by itself. Compare the estimates alone."
        )
    return sentences


def bounds(found: Robustness) -> list[str]:
    """How far trends may have parted before the finding goes, for each effect and kind of bound."""
    if found.breakdowns.empty:
        return [reason(found, "bounds")]
    sentences = [
        "Nobody can see how the arms would have moved without the program. Bounds let their trends part "
        "after the start and ask which effects remain possible."
    ]
    for effect in found.breakdowns["effect"].unique():
        own = found.breakdowns[found.breakdowns["effect"] == effect]
        row = next(rows_of(own))
        found_out = direction(row.lo95, row.hi95)
        head = f"{row.label}: {pmpm(row.estimate)} (95% interval {interval(row.lo95, row.hi95)})"
        if found_out == "unclear":
            sentences.append(
                f"{head}. The interval holds zero with trends alike already, so that there is no finding for "
                "parting trends to take away; the bounds show what else would remain possible."
            )
        else:
            sentences.append(f"{head}. {' '.join(_breakdown(r) for r in rows_of(own))}")
    return sentences


# -- titles --------------------------------------------------------------------------------------------


def title_of_methods(found: Robustness) -> str:
    """How far the estimators lie apart."""
    low, high, n = _span(_estimators(found))
    if n < 2:
        return "The effect by estimator"
    return f"{count(n)} estimators put the effect between {low} and {high}"


def title_of_starts(found: Robustness) -> str:
    """How many placebo starts found something."""
    known = found.placebo_starts[found.placebo_starts["lo95"].notna()]
    wrong = _outside(known)
    if known.empty:
        return "Starts that did not happen"
    if not wrong:
        return "At starts that did not happen, every interval holds zero"
    verb = "has an interval" if wrong == 1 else "have intervals"
    return f"{count(wrong)} of {count(len(known))} starts that did not happen {verb} without zero"


def title_of_left_out(found: Robustness, unit: str) -> str:
    """How far the effect moves when one unit is left out; ``unit`` is the frame's name."""
    frame = getattr(found, unit)
    low, high, n = _span(frame[frame["estimate"].notna()])
    word = "organisation" if unit == "organizations" else "practice"
    return f"Without any one {word} the effect lies between {low} and {high}" if n else f"Without one {word}"


def title_of_placebo_arm(found: Robustness, spec: StudySpec) -> str:
    """How many organisations without a program show as much."""
    n = int(found.placebo_arm["estimate"].notna().sum())
    if found.as_large is None or not n:
        return "Comparison organisations taken for the program"
    verb = "shows an effect" if found.as_large == 1 else "show effects"
    return (
        f"{count(found.as_large)} of {count(n)} comparison organisations {verb} as far from zero as "
        f"{treated_arm(spec)}"
    )


def title_of_bounds(found: Robustness, kind: str) -> str:
    """How far trends may part before zero comes in, where there is a finding; else neutral."""
    own = found.breakdowns[found.breakdowns["kind"] == kind]
    relative = kind == "relative-magnitudes"
    holding = [r for r in rows_of(own) if r.breakdown > 0]
    if not holding:
        parted = "trends may have parted" if relative else "a drift may have bent"
        return f"Effects that remain possible when {parted}"
    row = holding[0]
    if math.isinf(row.breakdown):
        return f"{row.label}: no parting of trends that was tried brings zero in"
    until = (
        f"trends part {number(row.breakdown)} times as far as before the start"
        if relative
        else f"a drift bends by {usd(row.breakdown)} PMPM a quarter"
    )
    return f"{row.label}: zero stays outside until {until}"


# -- parts ---------------------------------------------------------------------------------------------


def _breakdown(row: object) -> str:
    kind, m = str(row.kind), float(row.breakdown)  # type: ignore[attr-defined]
    if kind == "relative-magnitudes":
        if m == 0:
            return "It holds zero as soon as the uncertainty before the start is allowed for."
        reach = (
            "however far trends part"
            if math.isinf(m)
            else (
                f"as long as trends part from quarter to quarter by no more than {number(m)} times the most "
                "they did before the start"
            )
        )
        return f"Zero stays outside {reach}."
    if m == 0:
        return "With a straight drift carried on, it holds zero."
    reach = (
        "however much they bend"
        if math.isinf(m)
        else (f"as long as the drift's slope changes by no more than {usd(m)} PMPM from quarter to quarter")
    )
    return f"With a drift carried on, zero stays outside {reach}."


def _intervals_without(frame: pd.DataFrame) -> list[str]:
    known = frame[frame["lo95"].notna()]
    if len(known) < 2:
        return []
    outside = _outside(known)
    verdict = "all hold zero" if not outside else f"{count(outside)} of {count(len(known))} leave zero out"
    return [
        f"Of the 95% intervals without one organisation, {verdict}; they rest on the shocks of organisations "
        "as estimated with all of them."
    ]


def _estimators(found: Robustness) -> pd.DataFrame:
    """The rows with an estimate of their own: two-way fixed effects is the headline's again."""
    return found.methods[found.methods["estimate"].notna() & (found.methods["method"] != "twfe")]


def _without(frame: pd.DataFrame, arm: str) -> pd.DataFrame:
    return frame[(frame["arm"] == arm) & frame["estimate"].notna()]


def _span(frame: pd.DataFrame) -> tuple[str, str, int]:
    if frame.empty:
        return "", "", 0
    return usd(frame["estimate"].min()), usd(frame["estimate"].max()), len(frame)


def _outside(frame: pd.DataFrame) -> int:
    """How many intervals leave zero out."""
    return sum(direction(None if absent(r.lo95) else r.lo95, r.hi95) != "unclear" for r in rows_of(frame))
