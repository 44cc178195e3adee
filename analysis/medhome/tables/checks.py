"""Are the input tables fit for this study? Counts, dollars and examples by rule, and what stops the study."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import ibis
import pandas as pd

from medhome.study.definitions import contract
from medhome.study.problems import DataProblem, printable
from medhome.study.spec import StudySpec
from medhome.tables.care_management_rules import event_rules
from medhome.tables.coverage import period_rules
from medhome.tables.engine import Engine, query, reading
from medhome.tables.fingerprints import input_files
from medhome.tables.repeated_amounts import repeated_amounts
from medhome.tables.rules import CLAIMS, Rule, finding, row_rules
from medhome.tables.sources import columns_held, located
from medhome.tables.survey_rules import answered_by_others, survey_rules

COLUMNS = (
    *("rule", "table", "column", "severity", "label"),
    *("count", "rows", "share", "dollars_usd", "examples"),
)

_EXAMPLES = 5
_SPANS = "enrolment__spans"
_MISFITS = "enrolment__misfits"


def check_inputs(
    con: Engine, inputs: Mapping[str, ibis.Table], spec: StudySpec, folder: Path | str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Do the input tables keep the rules that the study rests on, and what files are they?

    Arguments
        con, inputs: an engine and what `sources.open_inputs` opened in it.
        spec: the study; its periods say which months must have claims.
        folder: the folder of the files.

    Returns two frames as `DataQuality` describes them: ``rules``, one row per rule (a rule that holds in
    every column of a table has one row for the table), and ``inputs``, one row per file. Dollars are allowed
    cost of the rows that break a rule. Raises one `DataProblem` that lists every broken rule of severity
    "error" with count and examples.
    """
    folder = Path(folder)
    with reading(str(folder)):
        rules = input_rules(con, inputs, spec)
        files = input_files(con, list(inputs), folder, spec.data.source)
    _refuse_errors(rules, folder)
    return rules, files


def _refuse_errors(rules: pd.DataFrame, folder: Path) -> None:
    errors = rules[(rules["severity"] == "error") & (rules["count"] > 0)]
    if len(errors):
        raise DataProblem(_message(folder, errors))


def check_rows(
    con: Engine, inputs: Mapping[str, ibis.Table], spec: StudySpec, folder: Path | str
) -> pd.DataFrame:
    """Do rows and keys of the input tables hold, whatever the months and arms of the study? And which files?

    Arguments as in `check_inputs`; returns its second frame. Raises one `DataProblem` that lists every broken
    rule of severity "error".
    """
    folder = Path(folder)
    with reading(str(folder)):
        found = [row for table in inputs for row in _table_rules(con, table, spec)]
        files = input_files(con, list(inputs), folder, spec.data.source)
    rules = pd.DataFrame(found, columns=list(COLUMNS))
    _refuse_errors(rules, folder)
    return files


def input_rules(con: Engine, inputs: Mapping[str, ibis.Table], spec: StudySpec) -> pd.DataFrame:
    """What every rule found in the input tables: `DataQuality.rules`; nothing is refused."""
    found = []
    for table in inputs:
        further = survey_rules(spec, inputs) if table == "survey" else ()
        found += _table_rules(con, table, spec, further)
    found += _enrolment_rules(con, inputs, spec)
    found += _roster_rules(con, inputs, spec)
    if "care_management" in inputs:
        found += event_rules(con, inputs, spec.care_management, _examples)
    found += period_rules(con, spec)
    return pd.DataFrame(found, columns=list(COLUMNS)).astype({"share": float, "dollars_usd": float})


def _table_rules(con: Engine, table: str, spec: StudySpec, further: Iterable[Rule] = ()) -> list[tuple]:
    """The rules on single rows, in one pass, then the key; rules of a kind that all hold are one row."""
    rules = [*row_rules(contract(table), columns_held(con, table), spec), *further]
    rows, counts, dollars = _count(con, located(table), rules, "allowed_cents" if table in CLAIMS else "0")
    found: list[tuple] = []
    seen: set[str] = set()
    kinds = {"value_missing": "A required value is empty", "value_not_allowed": "A value is not in its list"}
    kinds["date_before_1900"] = "A date lies before 1900"
    broken = {rule.id for rule, count in zip(rules, counts, strict=True) if count}
    for rule, count, cents in zip(rules, counts, dollars, strict=True):
        if rule.id not in kinds or count:
            where = _examples(con, rule) if count and rule.severity != "note" else ""
            found.append(finding(rule, rule.label, count, rows, cents, where))
        elif rule.id not in seen | broken:
            seen.add(rule.id)
            held = Rule(**{**vars(rule), "column": "", "label": kinds[rule.id]})
            found.append(finding(held, held.label, 0, rows, 0, ""))
    found += _key_rule(con, table, rows)
    return found + repeated_amounts(con, table, rows, spec, _examples) if table in CLAIMS else found


def _key_rule(con: Engine, table: str, rows: int) -> list[tuple]:
    """Whether the key is unique: counting 64-bit hashes is quick and misses no repeat; then it is counted."""
    about = contract(table)
    if not about.key:
        return []
    key = ", ".join(about.key)
    rule = Rule(
        id="key_not_unique",
        table=table,
        column=key,
        severity=about.key_severity,
        label=f"The same {key} more than once",
        broken="",
    )
    distinct = query(con, f"SELECT count(DISTINCT hash({key})) FROM {located(table)}")[0][0]
    if distinct == rows:
        return [finding(rule, rule.label, 0, rows, 0, "")]
    cents = "sum(allowed_cents)" if table in CLAIMS else "0"
    groups = f"FROM {located(table)} GROUP BY {key} HAVING count(*) > 1"
    count, total = query(con, f"SELECT sum(n), sum(c) FROM (SELECT count(*) AS n, {cents} AS c {groups})")[0]
    repeated = query(con, f"SELECT min((_file, _row)), {key} {groups} ORDER BY 1 LIMIT {_EXAMPLES}")
    where = "; ".join(f"{file} row {row}: {_named(about.key, values)}" for (file, row), *values in repeated)
    return [finding(rule, rule.label, count or 0, rows, total, where)]


def _enrolment_rules(con: Engine, inputs: Mapping[str, ibis.Table], spec: StudySpec) -> list[tuple]:
    """Claims and contacts against enrolment: people without a span, and services on days without one."""
    con.raw_sql(
        f"""CREATE OR REPLACE TEMP TABLE {_SPANS} AS
        SELECT person_id, enrollment_start_date AS first,
               coalesce(enrollment_end_date, DATE '9999-12-30') AS last
        FROM eligibility WHERE person_id IS NOT NULL AND enrollment_start_date IS NOT NULL"""
    )
    spans, overlaps = query(
        con,
        f"""SELECT count(*), sum(CASE WHEN first <= reached THEN 1 ELSE 0 END) FROM (
            SELECT first, max(last) OVER (PARTITION BY person_id ORDER BY first, last
                                          ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached
            FROM {_SPANS})""",
    )[0]
    rule = Rule(
        id="spans_overlap",
        table="eligibility",
        column="enrollment_start_date",
        severity="note",
        label="Span that overlaps an earlier one of the person; merged",
        broken="",
    )
    found = [finding(rule, rule.label, overlaps or 0, spans, 0, "")]
    for table in inputs:
        if table in (*CLAIMS, "care_management", "survey"):
            found += _people_rules(con, table, answered_by_others(spec) if table == "survey" else "false")
    return found


def _people_rules(con: Engine, table: str, others: str) -> list[tuple]:
    """People of one table against the spans, in one pass that keeps only the rows that do not fit.

    ``others`` is a condition on rows that do not name a person.
    """
    claims = table in CLAIMS
    day = CLAIMS.get(table, "NULL::DATE")
    cents, live = ("c.allowed_cents", "c.x_claim_status <> 'denied'") if claims else ("0", "true")
    key = ", ".join(f"c.{k}" for k in _shown(table))
    con.raw_sql(
        f"""CREATE OR REPLACE TEMP TABLE {_MISFITS} AS
        SELECT c._file, c._row, {key}, {cents} AS cents, p.person_id IS NULL AS unknown
        FROM {located(table)} AS c
        LEFT JOIN (SELECT DISTINCT person_id FROM {_SPANS}) AS p ON p.person_id = c.person_id
        LEFT JOIN {_SPANS} AS s ON s.person_id = c.person_id AND {day} BETWEEN s.first AND s.last
        WHERE {live} AND NOT ({others}) AND c.person_id IS NOT NULL AND s.person_id IS NULL
        AND (p.person_id IS NULL OR {str(claims).lower()})"""
    )
    rules = [("unknown_person", "person_id", "Person without any enrolment in eligibility", "c.unknown")]
    if claims:
        words = "Service on a day when the person was not enrolled"
        rules.append(("outside_enrolment", day, words, "NOT c.unknown"))
    rows = query(con, f"SELECT count(*) FROM {located(table)}")[0][0]
    found = []
    for id, column, words, broken in rules:
        rule = Rule(id=id, table=table, column=column, severity="warning", label=words, broken=broken)
        total = f"SELECT count(*), sum(cents) FROM {_MISFITS} AS c WHERE {broken}"
        count, dollars = query(con, total)[0]
        where = _examples(con, rule, f"{_MISFITS} AS c") if count else ""
        found.append(finding(rule, words, count, rows, dollars, where))
    con.raw_sql(f"DROP TABLE {_MISFITS}")
    return found


def _count(con: Engine, relation: str, rules: list[Rule], cents: str) -> tuple[int, list[int], list[int]]:
    """Rows of a relation, and for each rule the rows that break it and their cents."""
    sums = ", ".join(f"sum(CASE WHEN {rule.broken} THEN 1 ELSE 0 END)" for rule in rules)
    rows, *counts = query(con, f"SELECT count(*), {sums} FROM {relation}")[0]
    counts = [int(c or 0) for c in counts]
    hit = [i for i, count in enumerate(counts) if count]
    dollars = [0] * len(rules)
    if hit:
        sums = ", ".join(f"sum(CASE WHEN {rules[i].broken} THEN {cents} END)" for i in hit)
        for i, total in zip(hit, query(con, f"SELECT {sums} FROM {relation}")[0], strict=True):
            dollars[i] = int(total or 0)
    return rows, counts, dollars


def _roster_rules(con: Engine, inputs: Mapping[str, ibis.Table], spec: StudySpec) -> list[tuple]:
    """Whether both arms of the study's program have a unit."""
    if spec.arms.placeholder or "program_roster" not in inputs:
        return []
    rows = query(con, "SELECT arm, count(*) FROM program_roster GROUP BY arm")
    arms = dict(rows)
    if spec.arms.program_id:
        program = spec.arms.program_id.replace("'", "''")
        mine = f"SELECT arm, count(*) FROM program_roster WHERE program_id = '{program}' GROUP BY arm"
        arms = dict(query(con, mine))
    said = f' of program "{spec.arms.program_id}" (arms.program_id)' if spec.arms.program_id else ""
    found = []
    for arm, words in (("program", "treated"), ("comparison", "comparison")):
        rule = Rule(
            id=f"{words}_arm_empty",
            table="program_roster",
            column="arm",
            severity="error",
            label=f'No unit{said} with arm "{arm}": the {words} arm would be empty',
            broken="",
        )
        found.append(finding(rule, rule.label, int(not arms.get(arm)), sum(dict(rows).values()), 0, ""))
    return found


def _examples(con: Engine, rule: Rule, relation: str | None = None) -> str:
    """Up to five rows that break a rule, by file, row and key."""
    key = _shown(rule.table)
    shown = ", ".join(f"c.{k}" for k in key)
    rows = query(
        con,
        f"SELECT c._file, c._row, {shown} FROM {relation or f'{located(rule.table)} AS c'} "
        f"WHERE {rule.broken} ORDER BY c._file, c._row LIMIT {_EXAMPLES}",
    )
    return "; ".join(f"{file} row {row}: {_named(key, values)}" for file, row, *values in rows)


def _shown(table: str) -> tuple[str, ...]:
    """The columns that name a row in a message."""
    return contract(table).key or ("person_id",)


def _named(key: tuple[str, ...], values: list) -> str:
    return ", ".join(f"{k} {printable(v)}" for k, v in zip(key, values, strict=True) if v is not None)


def _message(folder: Path, errors: pd.DataFrame) -> str:
    noun = "problem" if len(errors) == 1 else "problems"
    lines = [f"{folder}: {len(errors)} {noun}"]
    for row in errors.to_dict("records"):
        said = f"{row['table']}: {row['label']}"
        if row["examples"]:
            rows = "1 row" if row["count"] == 1 else f"{row['count']:,} rows"
            said += f" ({rows}; {row['examples']}); correct or leave out these rows"
        lines.append(f"  {said}")
    return "\n".join(lines)
