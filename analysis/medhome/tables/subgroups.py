"""Which members are at high risk, ill, or in which product, and what did each group's member-months cost?

Groups are fixed before the program: frozen expected cost and conditions are those of the baseline, the
product is that of a member's first span in the months analysed. A group that the program could change would
make an effect out of who is in it.
"""

from __future__ import annotations

import dataclasses

import ibis
import ibis.expr.datatypes as dt
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from medhome.study.cells import Cells
from medhome.study.periods import month_start
from medhome.study.spec import StudySpec
from medhome.study.where_results import GroupCells
from medhome.tables import collapse
from medhome.tables.arms import COMPARISON, TREATED
from medhome.tables.engine import fetch
from medhome.tables.panel import Panel

HIGH_RISK_SHARE = 0.10
"""Members with the highest frozen expected cost, as a share of both arms' members: high risk."""

MOST_CONDITIONS, MOST_PRODUCTS, FEWEST_MEMBERS = 6, 4, 100
OUTCOME = "allowed_capped"


def group_cells(inputs: dict[str, Table], scored: Panel, spec: StudySpec) -> GroupCells:
    """The practice-months of each group of members.

    Arguments
        scored: the panel, scored.

    Groups: members from the 90th percentile of frozen expected cost; the six commonest conditions with at
    least 100 members; the four largest products where there are two or more.
    """
    members = scored.members
    cut = _cut(members)

    def tagged(chosen: Table, name: str) -> Table:
        # Engines differ in which columns they know to be filled; a union asks for the same.
        key = chosen.person_key.cast(dt.Int32(nullable=True))
        return chosen.select(person_key=key, subgroup=ibis.literal(name))

    parts = [tagged(members.filter(_.expected_cents >= cut), "risk:high")]
    labels = {"risk:high": "High risk at the baseline"}
    for name, label in _conditions(scored).items():
        parts.append(tagged(members.filter(members[name] == 1), name))
        labels[name] = label
    for plan, name in _products(inputs, scored, spec).items():
        chosen = _plans(inputs, members, spec).filter(_.plan == plan)
        parts.append(tagged(chosen, name))
        labels[name] = f"Product {plan}"
    together = ibis.union(*parts) if len(parts) > 1 else parts[0]
    tags = scored.con.create_table("medhome_subgroups", together, overwrite=True)
    sizes = fetch(
        tags.join(members.select("person_key", "arm"), "person_key")
        .group_by("subgroup")
        .aggregate(
            members_treated=_.person_key.nunique(where=_.arm == TREATED),
            members_comparison=_.person_key.nunique(where=_.arm == COMPARISON),
        )
        .order_by("subgroup")
    ).set_index("subgroup")
    months = scored.months.join(tags, "person_key")
    cells: Cells | None = None
    if len(sizes):
        cells = collapse.cells(dataclasses.replace(scored, months=months), spec, ("subgroup",), (OUTCOME,))
    scored.con.drop_table("medhome_subgroups")
    practices = fetch(
        members.group_by("organization_id", "practice_id", "arm", "stratum")
        .aggregate(members=_.count())
        .order_by("organization_id", "practice_id", "arm", "stratum")
    )
    present = [name for name in labels if name in sizes.index]
    groups = pd.DataFrame(
        {
            "dimension": pd.Series([name.partition(":")[0] for name in present], dtype="str"),
            "group": pd.Series(present, dtype="str"),
            "label": pd.Series([labels[name] for name in present], dtype="str"),
            **{c: sizes.loc[present, c].to_numpy(dtype=float) for c in sizes.columns},
        }
    )
    return GroupCells(groups=groups, cells=cells, practices=practices, high_risk_cut_pmpm=cut / 100)


def _cut(members: Table) -> int:
    """Cents of frozen expected cost from which a member is at high risk."""
    scores = fetch(members.group_by("expected_cents").aggregate(n=_.count()).order_by("expected_cents"))
    above = scores["n"][::-1].cumsum()[::-1].to_numpy()
    wanted = np.flatnonzero(above <= HIGH_RISK_SHARE * above[0])
    place = int(wanted[0]) if len(wanted) else len(scores) - 1
    return int(scores["expected_cents"].iloc[place])


def _conditions(scored: Panel) -> dict[str, str]:
    """The commonest conditions and their labels."""
    named = {t: label for t, label in scored.terms.items() if t.startswith("condition:")}
    if not named:
        return {}
    counts = fetch(scored.members.aggregate(**{t: scored.members[t].sum() for t in named})).iloc[0]
    kept = [t for t in named if counts[t] >= FEWEST_MEMBERS]
    kept = sorted(kept, key=lambda t: (-int(counts[t]), t))[:MOST_CONDITIONS]
    return {t: named[t] for t in kept}


def _plans(inputs: dict[str, Table], members: Table, spec: StudySpec) -> Table:
    """The plan of each member's first span that reaches into the months analysed (ties: the first name)."""
    first = month_start(spec.periods.baseline.first)
    spans = inputs["eligibility"]
    reaching = spans.filter(
        (spans.enrollment_end_date.isnull()) | (spans.enrollment_end_date >= first), spans.plan.notnull()
    )
    ranked = reaching.select(
        "person_id",
        "plan",
        place=ibis.row_number().over(group_by="person_id", order_by=["enrollment_start_date", "plan"]),
    )
    return ranked.filter(_.place == 0).join(members.select("person_key", "person_id"), "person_id")


def _products(inputs: dict[str, Table], scored: Panel, spec: StudySpec) -> dict[str, str]:
    """The largest products and their group ids; none where all members are in one."""
    if "plan" not in inputs["eligibility"].columns:
        return {}
    counts = fetch(
        _plans(inputs, scored.members, spec)
        .group_by("plan")
        .aggregate(n=_.count())
        .order_by(ibis.desc("n"), "plan")
    )
    large = counts[counts["n"] >= FEWEST_MEMBERS]
    if len(large) < 2:
        return {}
    return {str(p): f"product:{i}" for i, p in enumerate(large["plan"].head(MOST_PRODUCTS), 1)}
