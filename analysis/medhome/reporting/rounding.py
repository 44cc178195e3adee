"""The rounding policy: every number as it may be shown, none more exact than its rounded count.

After OpenSAFELY's rule (docs/methods/rounding.md): small counts were withheld before; here counts and
member-months become multiples of five (`medhome.reporting.rounded_counts`), and what rests on them follows:

- a share or rate of two counts is computed from the rounded ones;
- a mean of n is given no more exactly than n is told: to a step (1, 2 or 5 times a power of ten) of at least
  5/n of it, so that neither it nor means weighed together tell n;
- dollars are that mean times the rounded n;
- an effect with its interval stays as estimated; what was computed from it and a mean or a count (an
  expected cost, a total, a percentage) is computed again.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from medhome.reporting.counted import OF_NOBODY
from medhome.reporting.derivable import without
from medhome.reporting.result_columns import MEMBER_MONTHS, USD, Column
from medhome.reporting.result_names import TABLES, WITH_INTERVAL
from medhome.reporting.rounded_counts import BASE, RoundedCounts, nearest, rounded_counts
from medhome.reporting.rounded_results import FRAMES, Before, round_estimates, step
from medhome.study.results import DataQuality, Estimate, Evaluation, frames

_ESTIMATES = re.compile(
    r"(net|gross|fees|difference|coefficient|effect|completed_effect)_pmpm|peers_sd_pmpm"
    r"|band_lo|band_hi|(net_|practices_)?(lo|hi)\d+(_bootstrap)?|shrunken|estimate|change"
    r"|median|least|most|statistic|detectable|completion_se|m|breakdown|gap|largest"
)
"""Columns of estimates and of what the study file fixes: they stay."""
_SHARE_OF: Mapping[tuple[str, str], tuple[str, str, float]] = {
    ("quality.rules", "share"): ("count", "rows", 1.0),
    ("quality.encounters", "zero_share"): ("zero_lines", "lines", 1.0),
    ("truncation.above_cap", "above_share"): ("above_usd", "allowed_usd", 1.0),
    ("selection.without_visits", "share"): ("members", "eligible", 1.0),
    ("selection.exits", "per_1000"): ("members", "member_months", 1000.0),
    ("adjustment.known", "share_without_history"): ("months_without_history", "member_months", 1.0),
    ("adjustment.known", "share_without_score"): ("months_without_score", "member_months", 1.0),
    ("care_management.practices", "contacts_per_1000"): ("contacts", "member_months", 1000.0),
    ("care_management.practices", "contacts_per_engaged_month"): ("contacts", "engaged_member_months", 1.0),
    ("care_management.months", "contacts_per_1000"): ("contacts", "member_months", 1000.0),
    ("surveys.responses", "response_share"): ("members", "invited", 1.0),
    **{
        (frame, "predictive_ratio"): ("actual_pmpm", "predicted_pmpm", 1.0)
        for frame in (
            *("risk.calibration", "member_costs.accuracy", "member_costs.ratios"),
            *("member_costs.practices", "member_costs.recalibration"),
        )
    },
    ("member_costs.recalibration", "recalibrated_ratio"): ("actual_pmpm", "recalibrated_pmpm", 1.0),
}
"""Shares and rates: numerator and denominator in the same row, and what they are counted per."""
_WHOLE_OF: Mapping[tuple[str, str], str] = {
    ("cohort.strata", "share"): "member_months",
    ("selection.members", "share"): "members",
    ("care_management.doses", "share"): "members",
    ("care_management.stages", "previous_share"): "members",
    ("employers.grid", "share"): "member_months",
}
"""Shares of a whole in another row or table, and their numerators: the whole is numerator over share."""
_MONTHS_OF: Mapping[tuple[str, str], str] = {
    ("cohort.organizations", "baseline_pmpm"): "baseline_member_months",
    ("cohort.organizations", "performance_pmpm"): "performance_member_months",
    ("attrition.frame", "allowed_usd_dropped"): "member_months_dropped",
    ("truncation.above_cap", "above_usd"): "members_above",
    ("care_management.practices", "minutes"): "contacts",
    ("care_management.months", "minutes"): "contacts",
}
_STAY = ("did.variance_shares", "did.pre_trend_tests", "waves.pre_trend_tests", "payment.payments")
"""Frames of statistics that no count of people follows from, and of payments by contract."""
_COUNTED_TOO = ("answers", "rows", "visits")
"""Units of whole numbers beyond those that the audit looks at."""


@dataclasses.dataclass(frozen=True)
class Rounded:
    """What rounding did: to multiples of ``base``; numbers withheld since the true one followed; frames whose
    rounded numbers do not add up to totals told elsewhere."""

    base: int
    withheld: int
    not_additive: tuple[str, ...]

    def to_plain(self) -> dict[str, Any]:
        return {
            "withheld_since_a_true_number_followed": self.withheld,
            "tables_that_do_not_add_up": list(self.not_additive),
        }


def round_evaluation(released: Evaluation, whole: Evaluation, floor: int) -> tuple[Evaluation, Rounded]:
    """An evaluation with every count rounded and everything that rests on one computed anew.

    Arguments
        released: small counts withheld (`medhome.reporting.disclosure`). whole: nothing withheld.
    """
    counts = rounded_counts(released, whole, floor)
    held = without(released, dict.fromkeys(counts.withheld, False))
    parts: dict[str, Any] = {}
    for name in Evaluation.PARTS:
        part = getattr(held, name)
        changed = {
            field: _frame(f"{name}.{field}", frame, counts) for field, frame in frames(part) if len(frame)
        }
        parts[name] = dataclasses.replace(part, **changed)
    arms = {n: {a: counts.at.get((f"cohort.{n}", i, a)) for i, a in enumerate(getattr(held.cohort, n))}
            for n in ("members", "member_months", "clinicians")}  # fmt: skip
    clinicians = {a: n for a, n in arms["clinicians"].items()}
    parts["cohort"] = dataclasses.replace(
        parts["cohort"],
        members={a: int(n or 0) for a, n in arms["members"].items()},
        member_months={a: float(n or 0) for a, n in arms["member_months"].items()},
        clinicians={a: None if n is None else int(n) for a, n in clinicians.items()},
    )
    rounded = dataclasses.replace(held, **parts)
    for frame, recompute in FRAMES.items():
        part, field = frame.split(".")
        own = getattr(rounded, part)
        if len(getattr(own, field)):
            before = Before(true=held, rounded=rounded, counts=counts)
            again = recompute(getattr(own, field).copy(), getattr(getattr(held, part), field), before)
            rounded = dataclasses.replace(rounded, **{part: dataclasses.replace(own, **{field: again})})
    rounded = round_estimates(Before(true=held, rounded=rounded, counts=counts))
    rounded = dataclasses.replace(
        rounded, **{name: _words(_sizes(getattr(rounded, name), counts), floor) for name in Evaluation.PARTS}
    )
    checks = tuple(dataclasses.replace(c, sentence=round_text(c.sentence, floor)) for c in rounded.checks)
    return (
        dataclasses.replace(rounded, checks=checks),
        Rounded(base=BASE, withheld=len(counts.withheld), not_additive=counts.not_additive),
    )


def round_quality(quality: DataQuality) -> DataQuality:
    """What the input checks found, alone: counts to their nearest multiples, and what rests on them."""
    nothing = RoundedCounts(at={}, told={}, withheld=(), not_additive=())
    changed = {f: _frame(f"quality.{f}", frame, nothing) for f, frame in frames(quality) if len(frame)}
    return dataclasses.replace(quality, **changed)


def _frame(name: str, frame: pd.DataFrame, counts: RoundedCounts) -> pd.DataFrame:
    """One frame: counts first, then what rests on them, row by row."""
    columns: dict[str, Column] = {}
    for table in TABLES:
        if table.frame == name:
            columns |= table.columns
    if name == "quality.inputs":
        columns = {"rows": Column("rows", "count")}
    done = frame.copy()
    mine = {c: k for c, k in columns.items() if c in frame}
    for column, kind in mine.items():
        if _whole_numbers(kind):
            places = [(name, row, column) for row in range(len(frame))]
            values = [
                v if pd.isna(v) else counts.at.get(p, nearest(float(v)))
                for p, v in zip(places, frame[column], strict=True)
            ]
            done[column] = pd.Series(values, index=frame.index, dtype="float64")
    for column, kind in mine.items():
        rest = _rest(name, column, kind, done, frame, counts)
        if rest is not None:
            done[column] = [
                v if pd.isna(v) else rest(at, float(v))
                for at, v in zip(frame.index, frame[column], strict=True)
            ]
    return done


def _whole_numbers(kind: Column) -> bool:
    counted = kind.kind == "count" and (kind.unit not in OF_NOBODY or kind.unit in _COUNTED_TOO)
    return counted or kind.unit == MEMBER_MONTHS or kind.unit in _COUNTED_TOO


def _rest(
    name: str, column: str, kind: Column, done: pd.DataFrame, true: pd.DataFrame, counts: RoundedCounts
) -> Callable[[Any, float], float] | None:
    """How a number that rests on counts is computed again from its place and true value; None: it stays."""
    if _whole_numbers(kind) or kind.kind == "count" or name in _STAY or WITH_INTERVAL.get(name) == column:
        return None
    if (name, column) in _SHARE_OF:
        top, under, per = _SHARE_OF[name, column]
        return lambda at, v: _ratio(done.loc[at, top], done.loc[at, under], per)
    if (name, column) in _WHOLE_OF:
        top = _WHOLE_OF[name, column]

        def of_a_whole(at: Any, share: float) -> float:
            if not share:
                return 0.0
            unit = MEMBER_MONTHS if top == "member_months" else "people"
            everyone = counts.of(unit, str(true.loc[at].get("arm", "")), float(true.loc[at, top]) / share)
            return _ratio(done.loc[at, top], everyone, 1.0)

        return of_a_whole
    if _ESTIMATES.fullmatch(column):
        return None
    base = _MONTHS_OF.get((name, column))
    base = base or ("member_months" if "member_months" in done else kind.of if kind.of in done else "")
    if kind.unit in (USD, "minutes") and base:

        def total(at: Any, v: float) -> float:
            n = float(true.loc[at, base])
            return step(v / n, n) * float(done.loc[at, base]) if n else step(v, 1000.0)

        return lambda at, v: round(total(at, v), 2)
    if kind.unit in ("share", "ratio", "probability") or not base:
        return lambda at, v: round(v, max(kind.digits, 3))
    return lambda at, v: step(v, float(true.loc[at, base]))


def _ratio(top: float, under: float, per: float) -> float:
    """Of rounded numbers; not known where there is nothing left to divide by."""
    return per * top / under if under and not pd.isna(under) else math.nan


def _sizes(part: Any, counts: RoundedCounts) -> Any:
    """Estimates say how many people they rest on."""
    changed: dict[str, Any] = {}
    for item in dataclasses.fields(part):
        value = getattr(part, item.name)
        if isinstance(value, Estimate):
            changed[item.name] = _size(value, counts)
        elif isinstance(value, Mapping) and any(isinstance(v, Estimate) for v in value.values()):
            changed[item.name] = {k: _size(v, counts) for k, v in value.items()}
    return dataclasses.replace(part, **changed) if changed else part


def _size(estimate: Estimate, counts: RoundedCounts) -> Estimate:
    people = {"members": "people", "member_months": MEMBER_MONTHS, "clinicians": "clinicians"}
    kept = {
        k: n if k not in people or n is None else int(counts.of(people[k], "treated", float(n)))
        for k, n in estimate.n.items()
    }
    return dataclasses.replace(estimate, n=kept)


_COUNT_IN_WORDS = re.compile(
    r"(?<![\w.,$−-])(\d{1,3}(?:,\d{3})+|\d+) (members?|member-months|people|persons?|patients?|clinicians?"
    r"|claim lines|lines|rows|claims|respondents|visits|contacts)\b"
)
_DOLLARS_IN_WORDS = re.compile(r"\$(\d{1,3}(?:,\d{3}){1,})\.\d\d\b")
_LIMIT = re.compile(r"(fewer than|at least|at most|more than|per) $")


def round_text(text: str, floor: int) -> str:
    """A sentence with its counts rounded, and sums of dollars to three digits; limits that it names stay.

    >>> round_text("1,883 claims of 12 persons; fewer than 50 members", 8)
    '1,885 claims of 10 persons; fewer than 50 members'
    """

    def counted(match: re.Match[str]) -> str:
        if _LIMIT.search(text[: match.start()]):
            return match[0]
        n = int(match[1].replace(",", ""))
        told = f"fewer than {floor}" if 0 < n < floor else f"{nearest(n):,.0f}"
        return f"{told} {match[2]}"

    def dollars(match: re.Match[str]) -> str:
        return f"${step(float(match[1].replace(',', '')), 500.0):,.0f}"

    return _DOLLARS_IN_WORDS.sub(dollars, _COUNT_IN_WORDS.sub(counted, text))


def _words(part: Any, floor: int) -> Any:
    """Sentences of a part and of its frames."""
    changed: dict[str, Any] = {}
    for item in dataclasses.fields(part):
        value = getattr(part, item.name)
        if isinstance(value, str):
            changed[item.name] = round_text(value, floor)
        elif isinstance(value, tuple) and value and all(isinstance(v, str) for v in value):
            changed[item.name] = tuple(round_text(v, floor) for v in value)
        elif isinstance(value, pd.DataFrame):
            said = [c for c in ("why", "note", "meaning", "reason") if c in value and len(value)]
            changed[item.name] = value.assign(
                **{c: [round_text(v, floor) if isinstance(v, str) else v for v in value[c]] for c in said}
            )
    return dataclasses.replace(part, **changed) if changed else part
