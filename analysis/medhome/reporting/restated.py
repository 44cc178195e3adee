"""Restated history: which months of an earlier report have other numbers now, and why.

A new data period brings new months, which are news, and other numbers for months already reported, which are
not: claims that came late, enrolment that was corrected, a changed study file. Both are told apart here and
never mixed. Only released numbers are compared; what was withheld in either report stays withheld.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from medhome.study.choices import OF_THE_PERIOD, changed_choices, flat_choices
from medhome.study.display import absent, count, month_short, usd
from medhome.study.periods import event_quarter, month_name
from medhome.study.problems import StudyFileError
from medhome.study.released import ReleasedRun
from medhome.study.spec import StudySpec

LATE, MEMBERSHIP, PARAMETERS, CODE = "late claims", "membership restated", "parameters", "code"
WITHHELD = "withheld in one of the reports"
RISK_MODEL = "risk model"
COLUMNS = ("arm", "old_pmpm", "new_pmpm", "difference_pmpm", "old_allowed_usd", "new_allowed_usd", "cause")


@dataclass(frozen=True, kw_only=True)
class Restatement:
    """What a later report says about months that an earlier one had reported.

    months: one row per month and arm whose numbers differ: ``month``, ``quarter`` (from the program's start),
        ``arm``, ``old_pmpm``, ``new_pmpm``, ``difference_pmpm`` (new less old; allowed dollars before the cap
        over member-months), ``old_allowed_usd``, ``new_allowed_usd``, ``cause``.
    quarters: the same by quarter and arm, over the months that both reports have.
    compared: months by arms that both reports have. new_months, gone_months: names of months that only the
        later and only the earlier report has. parameters: changed keys of the study file, and
        "risk model" where it was issued anew, with old and new.
    """

    months: pd.DataFrame
    quarters: pd.DataFrame
    compared: int
    new_months: tuple[str, ...]
    gone_months: tuple[str, ...]
    parameters: dict[str, tuple[Any, Any]]

    def to_plain(self) -> dict[str, Any]:
        """As JSON can hold it; months as YYYY-MM."""
        months = self.months.assign(month=[month_name(int(m)) for m in self.months["month"]])
        return {
            "compared": self.compared,
            "restated": _records(months),
            "restated_quarters": _records(self.quarters),
            "new_months": list(self.new_months),
            "gone_months": list(self.gone_months),
            "parameters": {k: {"old": old, "new": new} for k, (old, new) in self.parameters.items()},
        }

    def to_text(self) -> str:
        """A few lines and the table."""
        lines = [f"{count(len(self.months))} of {count(self.compared)} months by arm reported before differ"]
        if self.new_months:
            lines.append(f"new months: {self.new_months[0]} to {self.new_months[-1]}")
        if self.gone_months:
            lines.append(f"no longer analysed: {', '.join(self.gone_months)}")
        for key, (old, new) in self.parameters.items():
            where = "" if key == RISK_MODEL else "study file: "
            lines.append(f"{where}{key} was {old!r}, is {new!r}")
        for row in self.months.itertuples():
            lines.append(
                f"  {month_short(row.month):9} {row.arm:10} {usd(row.old_pmpm):>10} {usd(row.new_pmpm):>10} "
                f"{usd(row.difference_pmpm):>9}  {row.cause}"
            )
        return "\n".join(lines)


def restatement(old: ReleasedRun, new: ReleasedRun) -> Restatement:
    """Which months of the earlier report have other numbers in the later one, and from what cause?

    Causes: "late claims" (dollars or lines of claims differ), "membership restated" (member-months differ;
    with the claims of those members, both are named), "parameters" (the study file says otherwise in more
    than its period; named beside the causes in the data, from which it cannot be told apart), "code" (neither
    the files nor the study file changed).

    Raises `StudyFileError` when the reports are of two studies.
    """
    if old.spec.id != new.spec.id:
        raise StudyFileError(
            f"the reports are of two studies, {old.spec.id!r} and {new.spec.id!r}; compare two periods of one"
        )
    parameters = changed_keys(old.spec, new.spec)
    same_files = _files(old) == _files(new)
    before, after = (_by_month(r) for r in (old, new))
    both = before.merge(after, on=["month", "arm"], suffixes=("_old", "_new"))
    start = new.spec.periods.start_month
    both["quarter"] = [event_quarter(int(m), start) for m in both["month"]]
    months = _differing(both, ["month", "quarter"], bool(parameters), same_files)
    sums = both.groupby(["quarter", "arm"], sort=True).agg("sum", min_count=1, numeric_only=True)
    for name in sums.columns:  # a quarter of which a month is withheld is withheld
        missing = both[name].isna().groupby([both["quarter"], both["arm"]]).any()
        sums[name] = sums[name].mask(missing)
    quarters = _differing(sums.drop(columns="month").reset_index(), ["quarter"], bool(parameters), same_files)
    had, has = (sorted(set(f["month"].astype(int))) for f in (before, after))
    return Restatement(
        months=months,
        quarters=quarters,
        compared=len(both),
        new_months=tuple(month_name(m) for m in has if m not in had),
        gone_months=tuple(month_name(m) for m in had if m not in has),
        parameters=parameters | _risk_model(old, new),
    )


def _risk_model(old: ReleasedRun, new: ReleasedRun) -> dict[str, tuple[Any, Any]]:
    """The cost models where they differ: expected cost differs with them, actual cost does not."""
    was, now = (f"{r.evaluation.risk.name} {r.evaluation.risk.version}" for r in (old, new))
    return {} if was == now else {RISK_MODEL: (was, now)}


def changed_keys(old: StudySpec, new: StudySpec) -> dict[str, tuple[Any, Any]]:
    """Keys of the study file that differ, but for those of the period: ``section.key`` → (old, new)."""
    changed = changed_choices(flat_choices(old), flat_choices(new))
    return {key: values for key, values in changed.items() if key not in OF_THE_PERIOD}


def _files(report: ReleasedRun) -> list[tuple[str, str]]:
    inputs = report.evaluation.quality.inputs
    return sorted(zip(inputs["role"].astype(str), inputs["content_sha256"].astype(str), strict=True))


def _by_month(report: ReleasedRun) -> pd.DataFrame:
    volumes = report.evaluation.quality.volumes
    frame = volumes[["arm", "month", "claim_lines", "allowed_usd", "member_months"]]
    return frame.astype(
        {"month": "int64", "claim_lines": "float64", "allowed_usd": "float64", "member_months": "float64"}
    )


def _differing(both: pd.DataFrame, keys: list[str], parameters: bool, same_files: bool) -> pd.DataFrame:
    rows = []
    for row in both.sort_values([*keys, "arm"], kind="stable").to_dict("records"):
        cause = _cause(row, parameters, same_files)
        if cause is None:
            continue
        old, new = (_pmpm(row, when) for when in ("old", "new"))
        rows.append(
            {
                **{k: int(row[k]) for k in keys},
                "arm": row["arm"],
                "old_pmpm": old,
                "new_pmpm": new,
                "difference_pmpm": new - old,
                "old_allowed_usd": row["allowed_usd_old"],
                "new_allowed_usd": row["allowed_usd_new"],
                "cause": cause,
            }
        )
    return pd.DataFrame(rows, columns=[*keys, *COLUMNS])


def _cause(row: dict[Any, Any], parameters: bool, same_files: bool) -> str | None:
    """Why a month differs; None when it does not."""
    names = ("claim_lines", "allowed_usd", "member_months")
    pairs = {n: (row[f"{n}_old"], row[f"{n}_new"]) for n in names}
    # What both reports withhold cannot be compared; what both show can, and dollars are enough for claims.
    told = {n: pair for n, pair in pairs.items() if not all(absent(v) for v in pair)}
    if any(absent(v) for pair in told.values() for v in pair):
        return WITHHELD
    moved = {n: abs(old - new) for n, (old, new) in told.items()}
    # Dollars are whole cents: what differs by less is the rounding of a sum of floats.
    claims = moved.get("claim_lines", 0.0) > 0 or moved.get("allowed_usd", 0.0) >= 0.005
    membership = moved.get("member_months", 0.0) > 1e-9
    if not claims and not membership:
        return None
    causes = []
    if not same_files:
        causes += [MEMBERSHIP] if membership else []
        causes += [LATE] if claims else []
    if parameters:
        causes.append(PARAMETERS)
    return "; ".join(causes) if causes else CODE


def _pmpm(row: dict[Any, Any], when: str) -> float:
    dollars, weight = row[f"allowed_usd_{when}"], row[f"member_months_{when}"]
    return float(dollars) / float(weight) if not absent(dollars) and weight > 0 else float("nan")


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    rows = frame.to_dict("records")
    return [{str(k): None if absent(v) else v for k, v in row.items()} for row in rows]
