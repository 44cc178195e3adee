"""Exhibits T4 and T17 as tables: the effect by kind of service and by group of members, and practices."""

from __future__ import annotations

import pandas as pd

from medhome.reporting.cohort_exhibits import by_arm
from medhome.reporting.datatable import Column, DataTable, records
from medhome.reporting.study_words import arm_label
from medhome.study.display import absent, count, p_value, share, usd
from medhome.study.spec import StudySpec
from medhome.study.where_results import Where

DIMENSIONS = {
    "all": "", "stratum": "age", "risk": "risk at the baseline", "condition": "condition",
    "size": "size of practice", "product": "product",
}  # fmt: skip
_INTERVAL90 = Column("lo90", "90% interval", usd, upper="hi90")
METHOD = (
    "Intervals: random effects on the changes of organisations, learnt from each part alone. Holm: chance of "
    "any false alarm among all parts of this page; BH: expected share of false ones among those below it "
    "(Benjamini and Hochberg)."
)


def _means(spec: StudySpec) -> tuple[Column, ...]:
    found = []
    for arm in ("treated", "comparison"):
        after = Column(f"{arm}_performance_pmpm", "after", usd)
        found.append(
            Column(f"{arm}_baseline_pmpm", f"{arm_label(arm, spec)} before", usd, "$ PMPM", beneath=after)
        )
    return tuple(found)


def _tests() -> tuple[Column, ...]:
    return (
        Column("p", "p", p_value),
        Column("p_holm", "Holm", p_value, beneath=Column("p_bh", "BH", p_value)),
    )


def categories(found: Where, spec: StudySpec) -> DataTable:
    """Exhibit T4: the effect by kind of service; rows add up to the last."""
    means = [str(c) for c in found.categories if str(c).endswith("_pmpm")]
    hidden = {f"{c}_withheld": found.categories[c].isna() for c in means}
    return DataTable(
        id="tbl-categories",
        caption="Cost and effect by kind of service",
        frame=found.categories.assign(**hidden),
        columns=(
            Column("label", "Kind of service"),
            *_means(spec),
            Column("estimate", "Effect", usd, "$ PMPM"),
            Column("lo95", "95% interval", usd, "$ PMPM", upper="hi95", beneath=_INTERVAL90),
            *_tests(),
            Column("baseline_share", "Of baseline cost", share),
        ),
        counts=Where.COUNTS["categories"],
        resting=Where.RESTING["categories"],
        strong=[row["category"] == "all" for row in records(found.categories)],
        note="\n".join(
            [
                "Kinds of service are those of members below the yearly cap; all cost of members above it is "
                f"a row of its own, up to the cap. Before, and beneath it after, the start. {METHOD}",
                *_why(found.categories),
            ]
        ),
    )


def groups(found: Where, spec: StudySpec) -> DataTable:
    """Exhibit T17: the effect by group of members."""
    frame = found.groups.assign(kind=[DIMENSIONS.get(str(d), str(d)) for d in found.groups["dimension"]])
    return DataTable(
        id="tbl-groups",
        caption="Effect by group of members",
        frame=frame,
        columns=(
            Column("label", "Group", beneath=Column("kind", "by")),
            Column(
                "members_treated",
                f"{arm_label('treated', spec)} members",
                count,
                beneath=Column("members_comparison", arm_label("comparison", spec).lower(), count),
            ),
            *_means(spec),
            Column("estimate", "Effect", usd, "$ PMPM"),
            Column("lo95", "95% interval", usd, "$ PMPM", upper="hi95", beneath=_INTERVAL90),
            *_tests(),
        ),
        counts=Where.COUNTS["groups"],
        resting=Where.RESTING["groups"],
        strong=[row["dimension"] == "all" for row in records(found.groups)],
        note="\n".join([f"Before, and beneath it after, the start. {METHOD}", *_why(found.groups)]),
    )


def practices(found: Where, spec: StudySpec) -> DataTable:
    """Practices with their raw and their shrunken change."""
    return DataTable(
        id="tbl-practices",
        caption="Change of cost by practice, as it is and drawn towards the mean of its arm",
        frame=by_arm(found.practices, spec),
        columns=(
            Column("label", "Practice", beneath=Column("arm_label", "arm")),
            Column("members", "Members", count, "a month"),
            Column("estimate", "Change less the comparison's", usd, "$ PMPM"),
            Column("se", "Standard error", usd, "of its members"),
            Column("shrunken", "Shrunken", usd, "$ PMPM"),
            Column("lo95", "95% interval", usd, "$ PMPM", upper="hi95"),
        ),
        counts=Where.COUNTS["practices"],
        resting=Where.RESTING["practices"],
        note="Empirical Bayes: each practice is drawn towards the mean of its arm, the more the noisier it "
        "is.",
    )


def _why(frame: pd.DataFrame) -> list[str]:
    told = [row for row in records(frame) if not absent(row["why"]) and row["why"]]
    return [f"{row['label']}: {row['why']}." for row in told]
