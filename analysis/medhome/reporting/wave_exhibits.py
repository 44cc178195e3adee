"""Waves of a program as tables: pure functions from a result."""

from __future__ import annotations

from medhome.reporting import robustness_exhibits
from medhome.reporting.cohort_exhibits import month_column
from medhome.reporting.datatable import Column, DataTable, Row, records
from medhome.reporting.wave_words import period
from medhome.study.display import count, month_short, share, usd
from medhome.study.wave_results import OVERALL, Waves

_NEVER = "practices that never start"
_KINDS = {
    "treated vs never treated": f"with {_NEVER}",
    "earlier vs later treated": "with practices that start later",
    "later vs earlier treated": "with practices under the program already",
    "later vs always treated": "with practices always under the program",
}
_EFFECT = (
    Column("estimate", "Effect", usd, "$ PMPM"),
    Column("se", "Standard error", usd, "$ PMPM"),
    Column("lo95", "95% interval", usd, "$ PMPM", upper="hi95"),
)
_BAND = Column("band_lo", "95% band", usd, "$ PMPM, all at once", upper="band_hi")


def waves(found: Waves) -> DataTable:
    """Who starts when."""
    return DataTable(
        id="tbl-waves",
        caption="The waves of the program",
        frame=found.waves,
        columns=(
            month_column("wave", "Start"),
            Column("organizations", "Organisations", count),
            Column("practices", "Practices", count),
            Column("members", "Members", count, "most in one month"),
            Column("months_before", "Months before", count),
            Column("months_after", "Months after", count),
            Column("member_months", "Member-months", count, "under the program"),
            Column("note", "Note", seldom=True),
        ),
        counts=Waves.COUNTS["waves"],
        resting=Waves.RESTING["waves"],
        muted=[not bool(v) for v in found.waves["estimated"]],
    )


def overall(found: Waves) -> DataTable:
    """The four averages of group-time effects."""
    rows = found.averages[found.averages["kind"].str.startswith("overall:")]
    kinds = [str(k).removeprefix("overall:") for k in rows["kind"]]
    return DataTable(
        id="tbl-wave-averages",
        caption="A month under the program: the average effect, four ways",
        frame=rows.assign(label=[OVERALL[k] for k in kinds]),
        columns=(Column("label", "Average"), *_EFFECT),
        counts=Waves.COUNTS["averages"],
        resting=Waves.RESTING["averages"],
        strong=[k == "simple" for k in kinds],
    )


def since_start(found: Waves) -> DataTable:
    """The effect by time since each practice's own start."""
    rows = found.averages[found.averages["kind"] == "dynamic"]
    name = period(found)
    return DataTable(
        id="tbl-wave-events",
        caption=f"The effect by {name} since each practice's own start",
        frame=rows,
        columns=(
            Column("key", f"{name.capitalize()} since the start", count),
            *_EFFECT,
            _BAND,
            Column("waves", "Waves", count),
            Column("members", "Members", count, "most in one month"),
        ),
        counts=Waves.COUNTS["averages"],
        resting=Waves.RESTING["averages"],
        muted=[bool(r) for r in rows["reference"]],
        note=f"0 is the first {name} under the program; the {name} before it is the reference, whose "
        "effect is 0.",
    )


def by_wave(found: Waves) -> DataTable:
    """The effect by wave, and by calendar time."""
    rows = found.averages[found.averages["kind"].isin(["group", "calendar"])]
    label = [
        f"Wave of {month_short(m)}" if kind == "group" else f"All waves, from {month_short(m)}"
        for kind, m in zip(rows["kind"], rows["first_month"], strict=True)
    ]
    return DataTable(
        id="tbl-wave-by-wave",
        caption="The effect by wave, and by calendar time",
        frame=rows.assign(label=label),
        columns=(
            Column("label", "Average of"),
            *_EFFECT,
            _BAND,
            Column("members", "Members", count, "most in one month"),
        ),
        counts=Waves.COUNTS["averages"],
        resting=Waves.RESTING["averages"],
        note=f"By calendar time: the waves under the program by then. Each row of it is one {period(found)}.",
    )


def group_time(found: Waves) -> DataTable:
    """Every group-time effect."""
    return DataTable(
        id="tbl-group-time",
        caption=f"Group-time effects: each wave in each {period(found)}",
        frame=found.effects,
        columns=(
            month_column("wave", "Wave"),
            month_column("first_month", f"{period(found).capitalize()} from"),
            Column("since_start", "Since the start", count),
            *_EFFECT,
            _BAND,
            Column("members", "Members", count, "most in one month"),
        ),
        counts=Waves.COUNTS["effects"],
        resting=Waves.RESTING["effects"],
        muted=[bool(r) for r in found.effects["reference"]],
        note=f"Change of cost since the {period(found)} before the wave's start, less that of practices "
        "not yet under the program, weighted by members. Intervals and band allow for shocks of whole "
        "organisations.",
    )


def methods(found: Waves) -> DataTable:
    """A month under the program, by estimator."""
    return robustness_exhibits.estimators(
        found.methods,
        table_id="tbl-wave-estimators",
        caption="A month under the program: the effect by estimator",
        note=f"All on the same cost: practices by {period(found)}, less the covariates' part, weighted by "
        "members.",
    )


def comparisons(found: Waves) -> DataTable:
    """The two-by-two comparisons that two-way fixed effects average."""
    frame = found.comparisons.sort_values("weight", ascending=False, kind="stable")
    return DataTable(
        id="tbl-wave-comparisons",
        caption="What two-way fixed effects average (Goodman-Bacon)",
        frame=frame.assign(
            label=[_named(r) for r in records(frame)],
            kind_label=[comparison_kind(k) for k in frame["kind"]],
        ),
        columns=(
            Column("label", "Comparison", beneath=Column("kind_label", "compares")),
            Column("estimate", "Estimate", usd, "$ PMPM"),
            Column("weight", "Weight", share, "of two-way fixed effects"),
        ),
        counts=("weight",),
        resting=("estimate",),
        note="Practices with members in every period, each with its mean number of members as weight: the "
        "comparisons times their weights then add up to the coefficient.",
    )


def comparison_kind(kind: object) -> str:
    return _KINDS[str(kind)]


def _named(row: Row) -> str:
    other = f"the wave of {month_short(row['compared_with'])}" if row["compared_with"] else _NEVER
    return f"Wave of {month_short(row['treated'])} against {other}"
