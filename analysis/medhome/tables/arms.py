"""Practices and the arm of each: by the program roster, or by a placeholder rule where no program exists.

These tables are small (one row per practice or clinician), so they are decided in Python and go back to the
engine as a table.
"""

from __future__ import annotations

import datetime as dt
import difflib

import pandas as pd
from ibis.expr.types import Table

from medhome.study.frames import frame_of_rows, frame_without_rows
from medhome.study.periods import Span, month_end, month_index, month_start
from medhome.study.problems import DataProblem, StudyFileError
from medhome.study.spec import StudySpec
from medhome.tables.attribution import placeholder_name, placeholder_treated
from medhome.tables.engine import fetch

TREATED, COMPARISON, EXCLUDED, UNATTRIBUTED = "treated", "comparison", "excluded", "not attributed"
ARMS = (TREATED, COMPARISON)

_ROSTER_ARMS = {"program": TREATED, "comparison": COMPARISON, "excluded": EXCLUDED}
_LISTED = 20
# The most specific listing of a practice speaks for it.
_SPECIFICITY = ("practice", "provider", "organization")


def practices(inputs: dict[str, Table], spec: StudySpec) -> pd.DataFrame:
    """Which arm is each practice in?

    One row per practice, sorted: ``practice_id``, ``organization_id``, ``arm`` ("treated", "comparison", or
    "excluded" when it is in neither).

    A practice has the arm under which the roster lists it, else that of its clinicians at the program's
    start, else that of its organisation. Roster rows count when they overlap the months from the program's
    start to the last month analysed. The organisation is the one in force at the start of the baseline (of a
    later practice, its first): a merger does not move a practice to another organisation.

    Raises `DataProblem` when the roster has nobody of the program, lists people, or contradicts itself; when
    a practice that it does not list itself has clinicians of both arms; when ``arms.exclusions`` names a
    practice or organisation that is not there.
    """
    if spec.arms.placeholder:
        return _placeholders(spec)
    affiliations = _affiliations(inputs)
    roster = _roster(inputs, spec)
    home = _home_organization(affiliations, spec)
    listed_only = set(roster.loc[roster["unit_type"] == "practice", "unit_id"]) - set(home)
    home |= {practice: practice for practice in sorted(listed_only)}

    listed: dict[str, dict[str, str]] = {kind: {} for kind in _SPECIFICITY}
    twice: dict[tuple[str, str], str] = {}
    for kind, unit, arm in zip(roster["unit_type"], roster["unit_id"], roster["arm"], strict=True):
        known = listed[kind].setdefault(unit, arm)
        if known != arm:
            twice.setdefault((kind, unit), f"{kind} {unit!r} is listed as {known} and as {arm}")
    if twice:
        raise DataProblem(
            f"program_roster: {_named(list(twice.values()))} between {spec.periods.start} and "
            f"{spec.periods.through}; keep one arm for each unit"
        )
    at_start = _overlapping(affiliations, Span(spec.periods.start_month, spec.periods.start_month + 1))
    clinicians = at_start[at_start["x_primary_care"] == 1].groupby("practice_id")["npi"].agg(list).to_dict()

    rows, split = [], []
    for practice in sorted(home):
        arm = listed["practice"].get(practice)
        if arm is None:
            found = {listed["provider"][n] for n in clinicians.get(practice, []) if n in listed["provider"]}
            if found >= {"program", "comparison"}:
                split.append(f"practice {practice!r}")
            elif found:
                arm = found.pop() if len(found) == 1 else "excluded"
        if arm is None:
            arm = listed["organization"].get(home[practice], "excluded")
        rows.append((practice, home[practice], _ROSTER_ARMS[arm]))
    if split:
        raise DataProblem(
            f"program_roster: {_named(split)} has clinicians in the program and clinicians in the comparison "
            f"at {spec.periods.start}; list each such practice itself (unit_type practice), as program, "
            "comparison or excluded"
        )
    _refuse_unknown_exclusions(rows, spec)
    return pd.DataFrame(rows, columns=["practice_id", "organization_id", "arm"]).astype("str")


def clinicians(inputs: dict[str, Table], listed: pd.DataFrame, spec: StudySpec) -> pd.DataFrame:
    """Who are the primary-care clinicians of these practices at some time in the baseline?

    One row per clinician and practice, sorted: ``npi``, ``practice_id``, ``organization_id``, ``arm``. Empty
    where practices are placeholders.
    """
    columns = ["npi", "practice_id", "organization_id", "arm"]
    if spec.arms.placeholder:
        return pd.DataFrame({c: pd.Series(dtype="str") for c in columns})
    affiliations = _overlapping(_affiliations(inputs), spec.periods.baseline)
    primary = affiliations.loc[affiliations["x_primary_care"] == 1, ["npi", "practice_id"]]
    found = primary.drop_duplicates().merge(listed, on="practice_id")
    return found.sort_values(["npi", "practice_id"], ignore_index=True)[columns]


STARTS = {"practice_id": "str", "organization_id": "str", "wave": "int64", "last": "int64"}


def starts(inputs: dict[str, Table], listed: pd.DataFrame, spec: StudySpec) -> pd.DataFrame:
    """In which month did each practice of the program start, and when did it leave?

    One row per treated practice, sorted: ``practice_id``, ``organization_id``, ``wave`` (month index of the
    first day that the roster gives; the study's start where it gives none), ``last`` (month index of the last
    day; 0: not before the last month analysed). The dates are those of the listing that gives the practice
    its arm, of several the first start and the last end. Empty for placeholders, where members belong to
    areas (``attribution.population`` "market"), and with ``arms.waves`` "none".

    Arguments
        listed: `practices`.

    Raises `DataProblem` as `practices` does.
    """
    if spec.arms.placeholder or spec.arms.waves == "none" or spec.attribution.population == "market":
        return frame_without_rows(STARTS)
    roster = _roster(inputs, spec)
    roster = roster[roster["arm"] == "program"]
    affiliations = _affiliations(inputs)
    at_start = _overlapping(affiliations, Span(spec.periods.start_month, spec.periods.start_month + 1))
    works = at_start.loc[at_start["x_primary_care"] == 1, ["npi", "practice_id"]]
    own = roster[["unit_type", "unit_id", "effective_start_date", "effective_end_date"]]
    provider = own[own["unit_type"] == "provider"].merge(works, left_on="unit_id", right_on="npi")
    by_kind = {
        "practice": own[own["unit_type"] == "practice"].assign(unit=lambda f: f["unit_id"]),
        "provider": provider.assign(unit=provider["practice_id"]),
        "organization": own[own["unit_type"] == "organization"].assign(unit=lambda f: f["unit_id"]),
    }
    dated = {kind: dict(list(frame.groupby("unit"))) for kind, frame in by_kind.items()}
    through, rows = month_index(spec.periods.through), []
    treated = listed[listed["arm"] == TREATED]
    for practice, organization in zip(treated["practice_id"], treated["organization_id"], strict=True):
        units = zip(_SPECIFICITY, (practice, practice, organization), strict=True)
        mine = next(dated[kind][unit] for kind, unit in units if unit in dated[kind])
        first = min(_day(d, month_start(spec.periods.start_month)) for d in mine["effective_start_date"])
        last = month_index(max(_day(d, dt.date.max) for d in mine["effective_end_date"]))
        rows.append((practice, organization, month_index(first), last if last < through else 0))
    return frame_of_rows(rows, STARTS)


def _refuse_unknown_exclusions(rows: list[tuple[str, str, str]], spec: StudySpec) -> None:
    known = {"practice_id": {row[0] for row in rows}, "organization_id": {row[1] for row in rows}}
    for out in spec.arms.exclusions:
        column = "practice_id" if out.practice_id else "organization_id"
        unit = getattr(out, column)
        if unit not in known[column]:
            near = difflib.get_close_matches(unit, sorted(known[column]), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise DataProblem(
                f"arms.exclusions: {column} {unit!r} is neither in provider_practice nor in "
                f"program_roster{hint}"
            )


def _named(found: list[str]) -> str:
    """Up to `_LISTED` of these, and how many more there are."""
    more = len(found) - _LISTED
    return "; ".join(found[:_LISTED]) + (f"; and {more} more" if more > 0 else "")


def _placeholders(spec: StudySpec) -> pd.DataFrame:
    count = spec.arms.placeholder_practices
    if count < 3:
        raise StudyFileError(
            f"arms.placeholder_practices = {count}: at least 3 are needed, one treated, two compared"
        )
    treated = placeholder_treated(spec)
    names = [placeholder_name(i + 1, spec) for i in range(count)]
    arm = [TREATED if i < treated else COMPARISON for i in range(count)]
    return pd.DataFrame({"practice_id": names, "organization_id": names, "arm": arm})


def _affiliations(inputs: dict[str, Table]) -> pd.DataFrame:
    columns = [
        "npi",
        "practice_id",
        "organization_id",
        "x_primary_care",
        "effective_start_date",
        "effective_end_date",
    ]
    return fetch(inputs["provider_practice"].select(*columns).distinct().order_by(columns))


def _home_organization(affiliations: pd.DataFrame, spec: StudySpec) -> dict[str, str]:
    start = month_start(spec.periods.baseline.first)
    ordered = affiliations.assign(
        after=[_day(d, dt.date.min) > start for d in affiliations["effective_start_date"]],
        distance=[abs((_day(d, dt.date.min) - start).days) for d in affiliations["effective_start_date"]],
        organization=affiliations["organization_id"].where(
            affiliations["organization_id"].notna(), affiliations["practice_id"]
        ),
    ).sort_values(["practice_id", "after", "distance", "organization"])
    first = ordered.drop_duplicates("practice_id")
    return dict(zip(first["practice_id"], first["organization"], strict=True))


def _roster(inputs: dict[str, Table], spec: StudySpec) -> pd.DataFrame:
    columns = ["program_id", "unit_type", "unit_id", "start_date", "end_date", "arm"]
    roster = fetch(inputs["program_roster"].select(*columns).distinct().order_by(columns))
    wanted = spec.arms.program_id
    if wanted:
        programs = sorted(set(roster["program_id"].dropna()))
        roster = roster[roster["program_id"].str.upper() == wanted.upper()]
        if roster.empty:
            raise DataProblem(
                f'program_roster: no row has program_id "{wanted}" (arms.program_id of the study file); '
                f"the file has: {', '.join(programs) or 'no rows'}"
            )
    people = int((roster["unit_type"] == "person").sum())
    if people:
        raise DataProblem(
            f'program_roster: {people} rows have unit_type "person"; medhome assigns practices to arms: list '
            "practices, providers or organizations instead"
        )
    through = month_index(spec.periods.through)
    running = _overlapping(
        roster.rename(columns={"start_date": "effective_start_date", "end_date": "effective_end_date"}),
        Span(spec.periods.start_month, through + 1),
    )
    counts = running["arm"].value_counts()
    if counts.get("program", 0) == 0:
        raise DataProblem(
            f"program_roster: of {len(roster)} rows{f' of {wanted}' if wanted else ''}, none is in arm "
            f'"program" between {spec.periods.start} and {spec.periods.through} '
            f"({int(counts.get('comparison', 0))} comparison, {int(counts.get('excluded', 0))} excluded); "
            "check arm, start_date and end_date"
        )
    return running


def _overlapping(frame: pd.DataFrame, span: Span) -> pd.DataFrame:
    first, last = month_start(span.first), month_end(span.last)
    days = zip(frame["effective_start_date"], frame["effective_end_date"], strict=True)
    overlaps = [_day(a, dt.date.min) <= last and _day(b, dt.date.max) >= first for a, b in days]
    return frame[pd.Series(overlaps, index=frame.index, dtype=bool)]


def _day(value: object, missing: dt.date) -> dt.date:
    return value if isinstance(value, dt.date) and not pd.isna(value) else missing
