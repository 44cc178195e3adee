"""Rules on care-management events that single rows cannot break: repeats, practices, the order of stages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import ibis

from medhome.study.care_management_choices import CareManagementChoices
from medhome.tables.engine import Engine, query
from medhome.tables.rules import Rule, finding
from medhome.tables.sources import located

TABLE = "care_management"
_CONTENT = "person_id, practice_id, event_date, event_type, list_id, reason, minutes"
_EXAMPLE = Callable[[Engine, Rule, str], str]


def event_rules(
    con: Engine, inputs: Mapping[str, ibis.Table], asked: CareManagementChoices, examples: _EXAMPLE
) -> Iterator[tuple]:
    """Rows that repeat another, practices that nobody knows, people reached before they were identified.

    Arguments
        asked: which types of event make a stage. examples: names rows that break a rule, as the checks do.
    """
    view = f"{located(TABLE)} AS c"
    rows = query(con, f"SELECT count(*) FROM {located(TABLE)}")[0][0]
    known = "SELECT practice_id FROM provider_practice"
    identified, worked = (
        ", ".join(f"'{t}'" for t in sorted(types)) for types in (asked.identified, asked.first_contacts)
    )
    numbered = (
        f"(SELECT *, row_number() OVER (PARTITION BY {_CONTENT} ORDER BY _file, _row) AS place "
        f"FROM {located(TABLE)}) AS c"
    )
    since = (
        f"(SELECT *, min(CASE WHEN event_type IN ({identified}) THEN event_date END) "
        f"OVER (PARTITION BY person_id) AS listed FROM {located(TABLE)}) AS c"
    )
    yield from _found(
        con, rows, examples, "repeated_event", "event_date", "note",
        "The same event again; counted once", numbered, "c.place > 1",
    )  # fmt: skip
    if "provider_practice" in inputs:
        yield from _found(
            con, rows, examples, "unknown_practice", "practice_id", "warning",
            "Practice that provider_practice does not have", view,
            f"c.practice_id IS NOT NULL AND c.practice_id NOT IN ({known} WHERE practice_id IS NOT NULL)",
        )  # fmt: skip
    yield from _found(
        con, rows, examples, "reached_before_identified", "event_date", "warning",
        "Work with a person before, or without, identification; counted as identified, not in the time to "
        "first contact", since,
        f"c.event_type IN ({worked}) AND (c.listed IS NULL OR c.event_date < c.listed)",
    )  # fmt: skip


def _found(
    con: Engine, rows: int, examples: _EXAMPLE, id: str, column: str, severity: str, words: str,
    relation: str, broken: str,
) -> Iterator[tuple]:  # fmt: skip
    rule = Rule(id=id, table=TABLE, column=column, severity=severity, label=words, broken=broken)
    count = query(con, f"SELECT count(*) FROM {relation} WHERE {broken}")[0][0]
    where = examples(con, rule, relation) if count and severity != "note" else ""
    yield finding(rule, words, count, rows, 0, where)
