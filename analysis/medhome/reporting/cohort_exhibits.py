"""Data and cohort as tables: one function for each exhibit (T1, T2 and what stands before them)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pandas as pd

from medhome.reporting.datatable import Column, DataTable, Row
from medhome.reporting.study_words import arm_label
from medhome.study.display import (
    absent,
    count,
    in_unit,
    month_short,
    number,
    share,
    usd,
)
from medhome.study.periods import month_name
from medhome.study.population_choices import SPECIAL_CATEGORIES, STRATA
from medhome.study.results import (
    Attrition,
    Check,
    Cohort,
    DataQuality,
)
from medhome.study.spec import StudySpec

_PERIODS = {"baseline": "Baseline", "performance": "After the start"}


def usd0(value: Any) -> str:
    """Whole dollars."""
    return usd(value, 0)


def month_column(name: str, label: str) -> Column:
    """A column of month integers, written as months and downloaded as YYYY-MM."""
    return Column(name, label, month_short, raw=month_name)


def by_arm(frame: pd.DataFrame, spec: StudySpec) -> pd.DataFrame:
    return frame.assign(arm_label=[arm_label(str(a), spec) for a in frame["arm"]])


def inputs(quality: DataQuality) -> DataTable:
    """Which files were read."""
    frame = quality.inputs.assign(digest=quality.inputs["sha256"].astype(str).str[:12])
    return DataTable(
        id="tbl-inputs",
        caption="Input files",
        frame=frame,
        columns=(
            Column("role", "Table"),
            Column("name", "File"),
            Column("rows", "Rows", count),
            Column("bytes", "Bytes", count),
            Column("digest", "Begins with", unit="SHA-256"),
        ),
        note="Full digests stand in manifest.json.",
    )


def rules(quality: DataQuality) -> DataTable:
    """What the input rules found; rules that found nothing are counted in the sentence above the table."""
    order = {"error": 0, "warning": 1, "note": 2}
    found = quality.rules[~(quality.rules["count"] == 0)]  # withheld counts are not zero
    found = found.assign(_order=found["severity"].map(order).fillna(3)).sort_values(
        ["_order", "table", "rule"], kind="stable"
    )
    return DataTable(
        id="tbl-rules",
        caption="Input rules that found something",
        frame=found,
        columns=(
            Column("label", "Rule"),
            Column("table", "Table"),
            Column("severity", "Severity"),
            Column("count", "Rows found", count),
            Column("share", "Share of rows", _fine_share),
            Column("dollars_usd", "Dollars", usd0),
        ),
        counts=DataQuality.COUNTS["rules"],
        resting=DataQuality.RESTING["rules"],
    )


def waterfall(quality: DataQuality) -> DataTable:
    """From the dollars in the files to the dollars in the model."""
    last = len(quality.waterfall) - 1
    ends = [i in (0, last) for i in range(last + 1)]
    return DataTable(
        id="tbl-waterfall",
        caption="From dollars in the files to cost in the evaluation",
        frame=quality.waterfall,
        columns=(
            Column("label", "Step"),
            Column("lines", "Claim lines", count),
            Column("allowed_usd", "Allowed", usd),
            Column("paid_usd", "Paid", usd),
        ),
        counts=DataQuality.COUNTS["waterfall"],
        resting=DataQuality.RESTING["waterfall"],
        strong=ends,
        note="Each step between the first and the last row is a change; all rows but the last add up to "
        f"the last, {adding_up([quality.waterfall[c] for c in ('allowed_usd', 'paid_usd')])}.",
    )


def adding_up(columns: Iterable[pd.Series]) -> str:
    """How exactly each column's last number is the sum of those above it; a column with a gap is not asked.

    >>> adding_up([pd.Series([9.5, -2.25, 7.25])]), adding_up([pd.Series([9.5, -2.25, 7.0])])
    ('to the cent', 'but for rounding')
    """
    known = [c for c in columns if len(c) and c.notna().all()]
    exact = all(abs(float(c.iloc[:-1].sum()) - float(c.iloc[-1])) < 0.005 for c in known)
    return "to the cent" if exact else "but for rounding"


def volumes(quality: DataQuality, spec: StudySpec) -> DataTable:
    """Claim lines and cost by month and arm."""
    frame = by_arm(quality.volumes, spec).sort_values(
        ["month", "arm"], ascending=[True, False], kind="stable"
    )
    return DataTable(
        id="tbl-volumes",
        caption="Members, claim lines and allowed cost by month and arm",
        frame=frame,
        columns=(
            month_column("month", "Month"),
            Column("arm_label", "Arm"),
            Column("members", "Members", count),
            Column("member_months", "Member-months", count),
            Column("claim_lines", "Claim lines", count),
            Column("allowed_usd", "Allowed", usd0),
        ),
        counts=DataQuality.COUNTS["volumes"],
        resting=DataQuality.RESTING["volumes"],
    )


def cohort_flow(attrition: Attrition, spec: StudySpec) -> DataTable:
    """Exhibit T1: who is left after each rule, group by group, and the cost that each rule removes."""
    source = attrition.frame.assign(
        cost_withheld=attrition.frame["allowed_usd_dropped"].isna()
        & attrition.frame["members_dropped"].isna()
    )
    steps = source.groupby("step", sort=True)
    frame = pd.DataFrame(
        {
            "label": steps["label"].first(),
            "allowed_usd_dropped": steps["allowed_usd_dropped"].sum(min_count=1),
            "allowed_usd_dropped_withheld": steps["cost_withheld"].any(),
        }
    )
    columns = [Column("label", "Rule")]
    for arm in attrition.frame["arm"].unique():
        rows = source[source["arm"] == arm].set_index("step")
        name = str(arm).replace(" ", "_")
        for shown in ("members", "member_months"):
            frame[f"{name}_{shown}"] = rows[shown].astype(float)
            frame[f"{name}_{shown}_withheld"] = rows[shown].isna() & rows["members"].isna()
        beneath = Column(f"{name}_member_months", "member-months", count)
        columns.append(Column(f"{name}_members", f"{_group(arm, spec)} members", count, beneath=beneath))
    columns.append(Column("allowed_usd_dropped", "Cost removed", usd0, "$"))
    return DataTable(
        id="tbl-cohort-flow",
        caption="Who is left after each eligibility rule",
        frame=frame,
        columns=columns,
        note="Rules are applied in this order. Cost removed is the allowed cost of the member-months that "
        "a rule takes out, of every group together.",
    )


def _group(arm: str, spec: StudySpec) -> str:
    return arm_label(arm, spec) if arm in ("treated", "comparison") else arm[:1].upper() + arm[1:]


def organizations(cohort: Cohort, spec: StudySpec) -> DataTable:
    """The organisations compared, under neutral names."""
    frame = by_arm(cohort.organizations, spec)
    frame = frame.assign(
        change_pmpm=frame["performance_pmpm"] - frame["baseline_pmpm"], _arm=(frame["arm"] != "treated")
    ).sort_values(["_arm", "label"], kind="stable")
    return DataTable(
        id="tbl-organizations",
        caption="Organisations compared",
        frame=frame,
        columns=(
            Column("label", "Organisation"),
            Column("arm_label", "Arm"),
            Column("members", "Members", count),
            Column("practices", "Practices", count),
            Column("baseline_pmpm", "Baseline", usd, "$ PMPM"),
            Column("performance_pmpm", "After the start", usd, "$ PMPM"),
            Column("change_pmpm", "Change", usd, "$ PMPM"),
        ),
        counts=Cohort.COUNTS["organizations"],
        resting=(*Cohort.RESTING["organizations"], "change_pmpm"),
    )


def strata(cohort: Cohort, spec: StudySpec) -> DataTable:
    """Adults, children, infants and special categories in each arm and period, and their cost."""
    names = STRATA | SPECIAL_CATEGORIES
    if spec.population.infants == "children":
        names |= {"children": "Children (under 18)"}
    frame = by_arm(cohort.strata, spec)
    frame = frame.assign(
        stratum_label=[names.get(str(s), str(s)) for s in frame["stratum"]],
        period_label=[_PERIODS.get(str(p), str(p)) for p in frame["period"]],
    )
    return DataTable(
        id="tbl-strata",
        caption="Members of each kind in both arms",
        frame=frame,
        columns=(
            Column("stratum_label", "Members", beneath=Column("arm_label", "arm")),
            Column("period_label", "Period"),
            Column("members", "Members", count),
            Column("member_months", "Member-months", count),
            Column("share", "Share", share, "of the arm's member-months"),
            Column("pmpm", "Cost", usd, "$ PMPM, allowed, capped"),
        ),
        counts=Cohort.COUNTS["strata"],
        resting=Cohort.RESTING["strata"],
        note="Ages are those of the first month of the baseline: nobody changes rows with a birthday. The "
        "effect is estimated over all of them together.",
    )


def balance(cohort: Cohort, spec: StudySpec) -> DataTable:
    """Exhibit T2: the arms at baseline; each row in its own unit."""

    def written(arm: str) -> Callable[[Row], str]:
        return lambda row: in_unit(row[arm], str(row["unit"]))

    # A share times its arm's members is a count of people: one that is absent was withheld, and with it what
    # rests on it. A difference may be absent for want of variance, too.
    frame = cohort.balance
    hidden = {arm: (frame["unit"] == "share") & frame[arm].isna() for arm in ("treated", "comparison")}
    either = hidden["treated"] | hidden["comparison"]
    return DataTable(
        id="tbl-balance",
        caption="The arms at baseline",
        frame=frame.assign(
            **{f"{arm}_withheld": mask for arm, mask in hidden.items()},
            smd_withheld=either,
            variance_ratio_withheld=either,
        ),
        columns=(
            Column("label", "Characteristic"),
            Column("treated", arm_label("treated", spec), number, by_row=written("treated")),
            Column("comparison", arm_label("comparison", spec), number, by_row=written("comparison")),
            Column("smd", "Standardised difference", number),
            Column("variance_ratio", "Variance ratio", number),
        ),
        note="Means over baseline member-months. A standardised difference beyond 0.1 is notable.",
    )


def checks(found: Sequence[Check]) -> DataTable:
    """Every check of the study, with what it says."""
    verdict = {True: "Passed", False: "Did not pass", None: "For information"}
    frame = pd.DataFrame(
        {"sentence": [c.sentence for c in found], "verdict": [verdict[c.passed] for c in found]}
    )
    return DataTable(
        id="tbl-checks",
        caption="Checks of this study",
        frame=frame,
        columns=(Column("sentence", "Check"), Column("verdict", "Result")),
        muted=[c.passed is None for c in found],
    )


def _fine_share(value: Any) -> str:
    """A share that may be far below a tenth of a percent."""
    return "below 0.01%" if not absent(value) and 0 < value < 0.0001 else share(value, 2)
