"""Do the claims cover the months of the study: start, baseline, performance, look-back and run-out?"""

from __future__ import annotations

from collections.abc import Sequence

from medhome.study.periods import month_index, month_name
from medhome.study.spec import StudySpec
from medhome.tables.engine import Engine, query
from medhome.tables.rules import Rule, finding

_THIN_SHARE = 0.5


def period_rules(con: Engine, spec: StudySpec) -> list[tuple]:
    """Which months of the study have no claims, few claims, or no payments before the cut?

    One row of `DataQuality.rules` per rule. A program start outside the claims is said alone: every other
    finding would follow from it.
    """
    sql = (
        "SELECT year(claim_start_date) * 12 + month(claim_start_date) - 1, count(*), max(paid_date) "
        "FROM medical_claim WHERE claim_start_date IS NOT NULL AND x_claim_status <> 'denied' GROUP BY 1"
    )
    volumes = {month: (lines, paid) for month, lines, paid in query(con, sql)}
    periods = spec.periods

    def rule(id: str, severity: str, label: str, count: int, rows: int) -> tuple:
        about = Rule(
            id=id, table="medical_claim", column="claim_start_date", severity=severity, label=label, broken=""
        )
        return finding(about, label, count, rows, 0, "")

    if not volumes:
        words = "no line has a claim_start_date and was not denied; give paid claims"
        return [rule("start_outside_data", "error", words, 1, 1)]
    first, last = min(volumes), max(volumes)
    covered = f"{month_name(first)} to {month_name(last)}"
    if not first <= periods.start_month <= last:
        words = (
            f"periods.start = {periods.start} lies outside the data: claims run from {covered}; "
            f"change periods in the study file, or give the claims of these months"
        )
        return [rule("start_outside_data", "error", words, 1, 1)]
    analysed = sorted({*_look_back(spec), *periods.analysed})
    empty = [m for m in analysed if m not in volumes]
    words = "Month of the study without claims"
    if empty:
        words = (
            f"no claims in {_months(empty)}; the study needs every month from {month_name(analysed[0])} to "
            f"{month_name(analysed[-1])} and claims run from {covered}: change periods, or give these claims"
        )
    found = [rule("month_without_claims", "error", words, len(empty), len(analysed))]
    lines = sorted(volumes[m][0] for m in analysed if m in volumes)
    middle = lines[len(lines) // 2]
    thin = [m for m in analysed if m in volumes and volumes[m][0] < _THIN_SHARE * middle]
    words = "Month with fewer than half as many claim lines as the median month"
    found.append(rule("month_thin", "warning", _with_months(words, thin), len(thin), len(analysed)))
    paid = max((day for _, day in volumes.values() if day is not None), default=None)
    until = month_index(spec.paid_through) + 1
    lacking = range(until if paid is None else month_index(paid) + 1, until)
    words = "Month before the end of paid_through in which nothing was paid"
    found.append(
        rule("run_out_missing", "warning", _with_months(words, lacking), len(lacking), len(analysed))
    )
    return found


def _look_back(spec: StudySpec) -> range:
    """Months before the baseline from which attribution or conditions are read."""
    months = 0
    if spec.attribution.method in ("plurality", "stepwise"):
        months = spec.attribution.lookback_months
    if spec.risk.model == "age-sex-conditions":
        months = max(months, spec.risk.lookback_months)
    return range(spec.periods.baseline.first - months, spec.periods.baseline.first)


def _with_months(words: str, months: Sequence[int]) -> str:
    return f"{words}: {_months(list(months))}" if len(months) else words


def _months(months: list[int]) -> str:
    """Months in words, neighbours joined: 2008-07, 2008-09 to 2008-11."""
    stretches: list[list[int]] = []
    for month in sorted(months):
        if stretches and month == stretches[-1][-1] + 1:
            stretches[-1].append(month)
        else:
            stretches.append([month])
    return ", ".join(
        month_name(s[0]) if len(s) == 1 else f"{month_name(s[0])} to {month_name(s[-1])}" for s in stretches
    )
