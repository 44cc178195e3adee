"""The last gate: small counts are withheld from an evaluation once, before anything is drawn or written.

The rule is that of CMS (ResDAC, "CMS Cell Size Suppression Policy", version of 2024-01-26): no count of 1 to
10 is shown, zero may be, and nothing from which such a count can be derived.
Which columns are counts, and which rest on them, is declared by the result classes (``COUNTS``, ``RESTING``).
What is withheld becomes missing, whether it is small itself or would give a small one away: a reader must
not see which.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from medhome.reporting.care_management_gate import release_care_management
from medhome.reporting.comparison_gate import release_comparison
from medhome.reporting.counted import ABOVE, DROPPED, PEOPLE
from medhome.reporting.derivable import withhold_derivable
from medhome.reporting.employer_gate import release_employers
from medhome.reporting.measure_gate import release_measures
from medhome.reporting.member_cost_gate import release_member_costs
from medhome.reporting.payment_gate import release_payment
from medhome.reporting.reconciliation_gate import release_reconciliation
from medhome.reporting.robustness_gate import release_robustness
from medhome.reporting.rounding import Rounded, round_evaluation, round_quality
from medhome.reporting.selection_gate import release_selection, withhold_further
from medhome.reporting.survey_gate import release_surveys
from medhome.reporting.wave_gate import release_waves
from medhome.reporting.where_gate import release_where
from medhome.study.problems import DisclosureRefused
from medhome.study.results import Attrition, Cohort, DataQuality, Evaluation, frames
from medhome.study.spec import Disclosure

FLOW = ("members", "member_months", "allowed_usd")
PARTS_OF_MEMBERS = (ABOVE, "without_history", "without_score")


@dataclass(frozen=True, kw_only=True)
class Gate:
    """What the gate withheld: small counts, further cells that would give one away, and the audit's word."""

    policy: str
    floor: int
    cells_primary: int
    cells_secondary: int
    audit: str
    rounded: Rounded | None = None

    def to_plain(self) -> dict[str, Any]:
        plain = {
            "policy": self.policy,
            "threshold": self.floor,
            "rounding": None if self.rounded is None else self.rounded.base,
            "cells_primary": self.cells_primary,
            "cells_secondary": self.cells_secondary,
            "audit": self.audit,
        }
        return plain if self.rounded is None else {**plain, "rounded": self.rounded.to_plain()}


def under_policy(evaluation: Evaluation, chosen: Disclosure) -> tuple[Evaluation, Gate]:
    """An evaluation as the study's policy lets it be shown, and what was withheld (`release`)."""
    return release(evaluation, chosen.floor, rounding=chosen.rounding)


def quality_under_policy(quality: DataQuality, chosen: Disclosure) -> DataQuality:
    """What the input checks found, as the study's policy lets a page show it."""
    released = release_quality(quality, chosen.floor)
    return round_quality(released) if chosen.rounding else released


def release(evaluation: Evaluation, floor: int, *, rounding: bool = False) -> tuple[Evaluation, Gate]:
    """Withhold every count from 1 to ``floor - 1``, what rests on it, and what would give it away.

    Arguments
        evaluation: everything that was found.
        floor: the smallest count that may be shown (11 under the CMS policy).
        rounding: whether what remains is rounded (`medhome.reporting.rounding`), as OpenSAFELY asks.

    Returns the evaluation that pages, results and files may see, and what was withheld. Examples of keys are
    taken out of the input rules, and organisations keep only their neutral labels. Raises
    `DisclosureRefused` when an arm as a whole is too small, or when the audit finds a small count that the
    released attrition still gives away.
    """
    _refuse_small_arms(evaluation.cohort, floor)
    primary = 0
    parts: dict[str, Any] = {}
    for name in Evaluation.PARTS:
        part = getattr(evaluation, name)
        changed: dict[str, Any] = {}
        for field, frame in frames(part):
            counts = getattr(part, "COUNTS", {}).get(field, ())
            resting = getattr(part, "RESTING", {}).get(field, ())
            changed[field], few = _withhold_small(frame, counts, resting, floor)
            primary += few
        parts[name] = dataclasses.replace(part, **changed)
    flow, further = release_flow(evaluation.attrition.frame, floor)
    parts["attrition"] = Attrition(frame=flow)
    parts["cohort"], few, others = _release_cohort(parts["cohort"], evaluation.cohort, floor)
    primary, secondary = primary + few, further + others
    parts["selection"], others = release_selection(parts["selection"], evaluation.selection, floor)
    secondary += others
    parts["robustness"], others = release_robustness(parts["robustness"], parts["cohort"])
    secondary += others
    parts["comparison"], others = release_comparison(parts["comparison"], parts["cohort"])
    secondary += others
    parts["employers"], others = release_employers(
        parts["employers"], evaluation.employers, evaluation.cohort.members, floor
    )
    secondary += others
    parts["member_costs"], others = release_member_costs(
        parts["member_costs"], evaluation.member_costs, parts["cohort"], floor
    )
    secondary += others
    parts["where"], others = release_where(
        parts["where"],
        evaluation.where,
        evaluation.cohort.members,
        parts["cohort"],
        evaluation.truncation,
        floor,
    )
    secondary += others
    parts["measures"], others = release_measures(parts["measures"], evaluation.measures, floor)
    secondary += others
    parts["payment"], others = release_payment(parts["payment"], parts["measures"])
    secondary += others
    parts["care_management"], others = release_care_management(
        parts["care_management"], evaluation.care_management, floor
    )
    secondary += others
    parts["surveys"], others = release_surveys(parts["surveys"], evaluation.surveys, floor)
    secondary += others
    parts["waves"], others = release_waves(parts["waves"], evaluation.waves, floor)
    secondary += others
    parts["quality"], few, others = release_reconciliation(parts["quality"], evaluation.quality, floor)
    primary, secondary = primary + few, secondary + others
    rules = parts["quality"].rules.drop(columns="examples", errors="ignore")
    parts["quality"] = dataclasses.replace(parts["quality"], rules=rules)
    parts = {name: _withhold_sample_sizes(part, floor) for name, part in parts.items()}
    released, others = withhold_derivable(dataclasses.replace(evaluation, **parts), evaluation, floor)
    secondary += others
    audit(released.attrition.frame, floor)
    rounded = None
    if rounding:
        released, rounded = round_evaluation(released, evaluation, floor)
        secondary += rounded.withheld
    gate = Gate(
        policy=f"opensafely-{floor - 1}" if rounding else f"cms-{floor}",
        floor=floor,
        cells_primary=primary,
        cells_secondary=secondary,
        audit="passed",
        rounded=rounded,
    )
    return released, gate


def release_quality(quality: DataQuality, floor: int) -> DataQuality:
    """What the input checks found, as a page may show it: small counts withheld, no examples of keys."""
    changed: dict[str, Any] = {}
    for field, frame in frames(quality):
        counts, resting = quality.COUNTS.get(field, ()), quality.RESTING.get(field, ())
        changed[field], _ = _withhold_small(frame, counts, resting, floor)
    changed["rules"] = changed["rules"].drop(columns="examples", errors="ignore")
    released, _, _ = release_reconciliation(dataclasses.replace(quality, **changed), quality, floor)
    return released


def small(count: Any, floor: int) -> bool:
    """Whether a count may not be shown; zero may.

    >>> [small(n, 11) for n in (0, 1, 10, 11, None)]
    [False, True, True, False, False]
    """
    return count is not None and not pd.isna(count) and 0 < count < floor


def _withhold_small(
    frame: pd.DataFrame, counts: tuple[str, ...], resting: tuple[str, ...], floor: int
) -> tuple[pd.DataFrame, int]:
    """Counts as floats with small ones missing, and with each the columns that rest on the people counted."""
    released, withheld = frame.copy(), 0
    for column in (c for c in counts if c in frame):
        values = frame[column].astype("float64")
        hide = (values > 0) & (values < floor)
        if column in PARTS_OF_MEMBERS:  # all but a few: their number follows
            others = frame["members"].astype("float64") - values
            hide |= (others > 0) & (others < floor)
        withheld += int(hide.sum())
        released[column] = released[column].astype("float64").mask(hide)
        if column in PEOPLE:
            for other in (r for r in resting if r in frame and PEOPLE[column](r)):
                released[other] = released[other].astype("float64").mask(hide)
    return released, withheld


def release_flow(whole: pd.DataFrame, floor: int) -> tuple[pd.DataFrame, int]:
    """The cohort flow (`Attrition.frame`) without small counts and what gives one away by subtraction.

    Within an arm, members before a rule less members after it are members dropped. So a row stays only where
    the next row that stays has the same count, or at least ``floor`` members less; what a rule dropped is
    told only between two neighbouring rows that stay. The choice begins at the last row, whose count is
    told elsewhere as well.

    Returns the flow and the number of cells withheld beyond the small ones.
    """
    counts, resting = Attrition.COUNTS["frame"], Attrition.RESTING["frame"]
    (released, _), withheld = _withhold_small(whole, counts, resting, floor), 0
    for column in FLOW:
        for ending in ("", DROPPED):
            released[column + ending] = released[column + ending].astype("float64")
    for _, rows in whole.groupby("arm", sort=False):
        order = rows.sort_values("step").index.to_list()
        members = whole.loc[order, "members"].to_list()
        stays = _rows_that_stay(members, floor)
        for i, row in enumerate(order):
            if not stays[i]:
                withheld += _hide(released, row, "")
            if i and not (stays[i - 1] and stays[i]):
                withheld += _hide(released, row, DROPPED)
    return released, withheld


def _rows_that_stay(members: list[float], floor: int) -> list[bool]:
    """Which rows of one arm's flow may be shown together; the first one too wherever that is possible."""
    first = None if small(members[0] - members[-1], floor) else members[0]
    stays: list[bool] = [False] * len(members)
    later: float | None = None
    for i in reversed(range(len(members))):
        dropped_before = None if first is None else first - members[i]
        dropped_after = None if later is None else members[i] - later
        if not any(small(count, floor) for count in (members[i], dropped_before, dropped_after)):
            stays[i], later = True, members[i]
    return stays


def _hide(frame: pd.DataFrame, row: Any, ending: str) -> int:
    """Make a row's number of people and what rests on it missing. Returns 1 when it was shown before."""
    shown = not pd.isna(frame.loc[row, f"members{ending}"])
    frame.loc[row, [f"{column}{ending}" for column in FLOW]] = math.nan
    return int(shown)


def _withhold_from_totals(
    organizations: pd.DataFrame, whole: pd.DataFrame, totals: Mapping[str, Mapping[str, Any]], floor: int
) -> tuple[pd.DataFrame, int]:
    """Withhold further organisations where an arm's total, told elsewhere, would give a small one away.

    The smallest that are still shown go first, until at least two are withheld that have ``floor`` together.
    """
    released, withheld = organizations.copy(), 0
    for column, told in totals.items():
        resting = Cohort.RESTING["organizations"] if column == "members" else ()
        for arm, total in told.items():
            rows = whole.index[whole["arm"] == arm]
            hidden = [r for r in rows if pd.isna(released.loc[r, column])]
            if total is None or not hidden:
                continue
            shown = sorted(set(rows) - set(hidden), key=lambda r: (whole.loc[r, column], r))
            while shown and (len(hidden) < 2 or whole.loc[hidden, column].sum() < floor):
                hidden.append(shown.pop(0))
                released.loc[hidden[-1], [column, *resting]] = math.nan
                withheld += 1
    return released, withheld


def audit(flow: pd.DataFrame, floor: int) -> None:
    """Raise `DisclosureRefused` where a reader can derive a small count from a released cohort flow."""
    for arm, rows in flow.groupby("arm", sort=False):
        rows = rows.sort_values("step")
        left, dropped = rows["members"].to_list(), rows["members_dropped"].to_list()
        for i in [*range(1, len(left)), *reversed(range(1, len(left)))]:  # forth and back: all that follows
            if pd.isna(left[i]):
                left[i] = left[i - 1] - dropped[i]
            if pd.isna(left[i - 1]):
                left[i - 1] = left[i] + dropped[i]
            if pd.isna(dropped[i]):
                dropped[i] = left[i - 1] - left[i]
        known = [i for i, n in enumerate(left) if not pd.isna(n)]
        together = [left[a] - left[b] for a, b in itertools.pairwise(known)]
        for count in [*left, *dropped, *together]:
            if small(count, floor):
                raise DisclosureRefused(
                    f"cohort flow, {arm} arm: a count of fewer than {floor} members follows from the "
                    "released ones; nothing was released"
                )


def _refuse_small_arms(cohort: Cohort, floor: int) -> None:
    for arm, members in cohort.members.items():
        if small(members, floor):
            raise DisclosureRefused(
                f"the {arm} arm has fewer than {floor} members: every number of this study would rest on a "
                "withheld count; choose a wider population, or lower disclosure.floor if your data use "
                "agreement allows it"
            )


def _release_cohort(cohort: Cohort, whole: Cohort, floor: int) -> tuple[Cohort, int, int]:
    changed: dict[str, Any] = {}
    primary = 0
    for name in ("practices", "clinicians"):
        counts: Mapping[str, int] = getattr(cohort, name)
        primary += sum(small(n, floor) for n in counts.values())
        changed[name] = {arm: None if small(n, floor) else n for arm, n in counts.items()}
    totals = {"members": cohort.members, **changed}
    organizations, secondary = _withhold_from_totals(cohort.organizations, whole.organizations, totals, floor)
    organizations["organization_id"] = organizations["label"]
    balance, few = _withhold_small_shares(cohort.balance, cohort.members, floor)
    resting = Cohort.RESTING["strata"]
    strata, others = withhold_further(cohort.strata, whole.strata, ["arm", "period"], resting, floor)
    changed |= {"balance": balance, "organizations": organizations, "strata": strata}
    return dataclasses.replace(cohort, **changed), primary + few, secondary + others


def _withhold_small_shares(
    balance: pd.DataFrame, members: Mapping[str, int], floor: int
) -> tuple[pd.DataFrame, int]:
    """A share of an arm times its members is a count too: those with, and those without."""
    released, withheld = balance.copy(), 0
    of_people = balance["unit"] == "share"
    for arm in members:
        those_with = balance[arm] * members[arm]
        hide = of_people & (
            _rounds_to_few(those_with, floor) | _rounds_to_few(members[arm] - those_with, floor)
        )
        withheld += int(hide.sum())
        for column in (arm, "smd", "variance_ratio"):
            released[column] = released[column].mask(hide)
    return released, withheld


def _rounds_to_few(people: pd.Series, floor: int) -> pd.Series:
    return (people > 0) & (people.round() < floor)


def _withhold_sample_sizes(part: Any, floor: int) -> Any:
    """Estimates carry numbers of people in ``n``: small ones are withheld there too."""
    changed: dict[str, Any] = {}
    for item in dataclasses.fields(part):
        value = getattr(part, item.name)
        if dataclasses.is_dataclass(value) and hasattr(value, "n"):
            changed[item.name] = _without_small_n(value, floor)
        elif isinstance(value, Mapping) and any(hasattr(v, "n") for v in value.values()):
            changed[item.name] = {k: _without_small_n(v, floor) for k, v in value.items()}
    return dataclasses.replace(part, **changed) if changed else part


def _without_small_n(estimate: Any, floor: int) -> Any:
    people = ("members", "practices", "clinicians")
    kept = {k: None if k in people and small(n, floor) else n for k, n in estimate.n.items()}
    return dataclasses.replace(estimate, n=kept)
