"""Whom does each arm hold? Four answers: attributed at baseline, afresh each period, in both, or the market.

All four give the same two tables, so that everything after them is one path: who is compared (one row per
member of a practice), and under which of these rows a person's months fall. Source: `docs/methods.md`,
attribution.
"""

from __future__ import annotations

from dataclasses import dataclass

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import IntegerValue, Table

from medhome.study.periods import Span
from medhome.study.problems import DataProblem
from medhome.study.spec import StudySpec
from medhome.tables.arms import ARMS, EXCLUDED, UNATTRIBUTED
from medhome.tables.attribution import attribute
from medhome.tables.engine import Engine, fetch

YEAR = 12
AREA = "area "


@dataclass(frozen=True, kw_only=True)
class Population:
    """Who may be compared, before eligibility.

    assigned: one row per member: ``person_key``, the columns of `member_months.people`, ``practice_id``
        (null: none), ``organization_id``, ``arm``; ``stays`` (0 or 1) where the population is "stable". Where
        it is "dynamic" a member is a person in a practice, and a person who moves is two.
    homes: person, window and member, where the two differ; else None.
    windows: the windows of ``homes``.
    """

    assigned: Table
    homes: Table | None
    windows: tuple[Span, ...]

    def rekeyed(self, table: Table) -> Table:
        """A table by person and month as one by member and month: ``person_key`` is the member's."""
        if self.homes is None:
            return table
        dated = table.mutate(window=window_of(table.month, self.windows))
        keys = self.homes.select(of_person="person_key", of_window="window", member_key="member_key")
        joined = dated.left_join(keys, [dated.person_key == keys.of_person, dated.window == keys.of_window])
        return joined.select(**{c: joined["member_key" if c == "person_key" else c] for c in table.columns})


def windows(spec: StudySpec) -> tuple[Span, ...]:
    """The stretches of months of one attribution, together all months from the first analysed to the last.

    Frozen: one. By period: the months before the start, and those from it. By year: the 12-month windows
    counted from the start in both directions, which are those of the cap.

    >>> from medhome.study.spec import _validated
    >>> spec = _validated({"id": "a", "title": "A", "seed": 1, "paid_through": "2009-12",
    ...     "program": {"name": "P"}, "attribution": {"population": "dynamic", "freeze": "year"},
    ...     "periods": {"baseline_first": "2006-12", "baseline_last": "2008-05", "start": "2008-06",
    ...                 "through": "2009-06"}}, "example")
    >>> [str(w) for w in windows(spec)]
    ['2006-12 to 2007-05', '2007-06 to 2008-05', '2008-06 to 2009-05', '2009-06 to 2009-06']
    """
    whole = Span(spec.periods.baseline.first, spec.periods.performance.end)
    start, freeze = spec.periods.start_month, spec.attribution.freeze
    if freeze == "baseline":
        return (whole,)
    if freeze == "period":
        return (Span(whole.first, start), Span(start, whole.end))
    return years(whole, start)


def years(whole: Span, start: int) -> tuple[Span, ...]:
    """The 12-month windows counted from a start that a span of months touches, cut to it."""
    cuts = [m for m in range(whole.first + 1, whole.end) if (m - start) % YEAR == 0]
    return tuple(Span(a, b) for a, b in zip([whole.first, *cuts], [*cuts, whole.end], strict=True))


def window_of(month: IntegerValue, spans: tuple[Span, ...]) -> IntegerValue:
    """The number of a month's window; months before the first belong to it, those after the last to that."""
    if len(spans) == 1:
        return ibis.literal(0, "int32")
    return ibis.cases(
        *((month < span.end, number) for number, span in enumerate(spans[:-1])), else_=len(spans) - 1
    ).cast("int32")


def populate(
    con: Engine, inputs: dict[str, Table], persons: Table, practices: pd.DataFrame, spec: StudySpec
) -> Population:
    """Who may be compared, in which practice and arm, by ``attribution.population``?

    Arguments
        persons: `member_months.people`. practices: `arms.practices`.

    Raises `DataProblem` where the population asks for what the data do not have.
    """
    spans = windows(spec)
    if spec.attribution.population == "dynamic":
        return _dynamic(con, inputs, persons, practices, spans, spec)
    assigned = with_arm(persons, attribute(inputs, persons, spec), practices)
    if spec.attribution.population == "stable":
        later = with_arm(persons, attribute(inputs, persons, spec, spec.periods.start_month), practices)
        now = later.select("person_key", later_arm="arm")
        joined = assigned.join(now, "person_key")
        stays = (joined.arm == joined.later_arm) & joined.arm.isin(ARMS)
        assigned = joined.mutate(stays=stays.cast("int8")).drop("later_arm")
    elif spec.attribution.population == "market":
        assigned = _market(con, assigned, spec)
    return Population(assigned=_keep(con, "medhome_assigned", assigned), homes=None, windows=spans)


def with_arm(persons: Table, belongs: Table, practices: pd.DataFrame) -> Table:
    """One row per person: the person's columns, ``practice_id``, ``organization_id`` and ``arm``.

    Arguments
        belongs: ``person_key``, ``practice_id`` of people who are attributed.
    """
    known = ibis.memtable(practices, schema={c: "string" for c in practices.columns})
    joined = persons.left_join(belongs, "person_key").drop("person_key_right")
    joined = joined.left_join(known, "practice_id").drop("practice_id_right")
    named = ibis.cases(
        (joined.practice_id.isnull(), UNATTRIBUTED),
        (joined.arm.isnull(), EXCLUDED),
        else_=joined.arm,
    )
    return joined.mutate(arm=named)


def _dynamic(
    con: Engine,
    inputs: dict[str, Table],
    persons: Table,
    practices: pd.DataFrame,
    spans: tuple[Span, ...],
    spec: StudySpec,
) -> Population:
    """Attributed afresh at the start of each window: a member is a person in one practice."""
    found = ibis.union(
        *(
            persons.select("person_key")
            .left_join(attribute(inputs, persons, spec, span.first), "person_key")
            .select("person_key", window=ibis.literal(number, "int32"), practice_id=_.practice_id)
            for number, span in enumerate(spans)
        )
    )
    spells = _keep(con, "medhome_spells", found.mutate(practice=_.practice_id.fill_null("")))
    each = spells.select("person_key", "practice_id", "practice").distinct()
    number = ibis.row_number().over(order_by=[each.person_key, each.practice]).cast("int32")
    members = _keep(con, "medhome_units", each.mutate(member_key=number))
    assigned = with_arm(
        members.select("member_key", "person_key", "practice_id")
        .join(persons, "person_key")
        .drop("person_key", "practice_id")
        .rename(person_key="member_key"),
        members.select(person_key="member_key", practice_id="practice_id").filter(_.practice_id.notnull()),
        practices,
    )
    homes = spells.join(members.select("person_key", "practice", "member_key"), ["person_key", "practice"])
    return Population(
        assigned=_keep(con, "medhome_assigned", assigned),
        homes=_keep(con, "medhome_homes", homes.select("person_key", "window", "member_key")),
        windows=spans,
    )


def _market(con: Engine, attributed: Table, spec: StudySpec) -> Table:
    """Everyone by where they live: an area belongs to the organisation that most of its patients have.

    Of the residents attributed at baseline to a practice of either arm, the organisation with most of them
    has the area (ties: the first in order); every resident is then of its arm, whoever their own practice is.
    """
    attributed = _keep(con, "medhome_attributed", attributed)
    known = fetch(attributed.filter(_.area.notnull()).aggregate(n=_.count()))["n"].iloc[0]
    column = "zip_code" if spec.attribution.area == "zip3" else spec.attribution.area
    if not known:
        raise DataProblem(
            f'eligibility.{column}: attribution.population "market" needs to know where members live '
            f'(attribution.area = "{spec.attribution.area}"), but the column is missing or empty; add it, '
            "name another area, or take another population"
        )
    counts = (
        attributed.filter(_.area.notnull(), _.arm.isin(ARMS))
        .group_by("area", "organization_id", "arm")
        .aggregate(patients=_.count())
    )
    order = [counts.patients.desc(), counts.organization_id, counts.arm]
    owners = (
        counts.mutate(nth=ibis.row_number().over(group_by=counts.area, order_by=order))
        .filter(_.nth == 0)
        .select(of_area="area", owner="organization_id", owner_arm="arm")
    )
    joined = attributed.left_join(owners, attributed.area == owners.of_area)
    served = joined.owner.notnull()
    return joined.select(
        *(c for c in attributed.columns if c not in ("practice_id", "organization_id", "arm")),
        practice_id=ibis.ifelse(served, ibis.literal(AREA) + joined.area, None),
        organization_id=joined.owner,
        arm=ibis.ifelse(served, joined.owner_arm, UNATTRIBUTED),
    )


def _keep(con: Engine, name: str, expr: Table) -> Table:
    return con.create_table(name, expr, overwrite=True)
