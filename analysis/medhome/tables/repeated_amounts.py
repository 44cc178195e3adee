"""Claims whose lines all carry one and the same amount: is it the claim's total, counted once a line?

Under ``claims.header_amounts = "lines"`` such lines add up, and a total that is repeated counts again and
again. This rule finds the claims in which it looks like that; whether it is so, only the payer knows.
"""

from __future__ import annotations

from collections.abc import Callable

from medhome.study.spec import StudySpec
from medhome.tables.engine import Engine, query
from medhome.tables.rules import Rule, finding
from medhome.tables.sources import located

_HITS = "repeated__amounts"
_LINE = (
    "coalesce(c.x_claim_status, '') NOT IN ('denied', 'reversed') "
    "AND coalesce(c.x_adjustment_type, '') <> 'void'"
)


def repeated_amounts(
    con: Engine, table: str, rows: int, spec: StudySpec, examples: Callable[[Engine, Rule, str], str]
) -> list[tuple]:
    """The rule on one table of claims; none where the study already takes such amounts as totals.

    Arguments
        rows: rows of the table.
        examples: names up to five rows of a relation by file, row and key.

    Counted are the lines after the first of a claim of two lines or more that all have one allowed and one
    paid amount, not zero, and not above the claim's total cost or charge where the files have it: the lines
    that ``header_amounts = "header"`` leaves out, and their dollars. Voids and denied lines are left alone.
    """
    if spec.claims.header_amounts != "lines":
        return []
    rule = Rule(
        id="amount_repeated_on_lines",
        table=table,
        column="allowed_amount",
        severity="warning",
        label="All lines of the claim carry one amount: a total on each line? See claims.header_amounts",
        broken="true",
    )
    total = "coalesce(c.total_cost_cents, c.charge_cents)" if table == "medical_claim" else "c.charge_cents"
    same = (
        "count(*) > 1 AND min(a) = max(a) AND min(a) <> 0 AND min(p) = max(p) "
        "AND coalesce(min(held) = max(held), true) AND coalesce(max(a) <= max(held), true)"
    )
    lines = f"""SELECT c._file, c._row, c.claim_id, c.data_source, c.claim_line_number,
        coalesce(c.allowed_cents, 0) AS a, coalesce(c.paid_cents, 0) AS p, {total} AS held
        FROM {located(table)} AS c WHERE {_LINE}"""
    # Whole numbers first: only claims that may be meant are grouped by their names.
    few = f"""SELECT h FROM (SELECT hash(claim_id, data_source) AS h, a, p, held FROM ({lines}))
        GROUP BY h HAVING {same}"""
    if not query(con, f"SELECT 1 FROM ({few}) LIMIT 1"):
        return [finding(rule, rule.label, 0, rows, 0, "")]
    con.raw_sql(
        f"""CREATE OR REPLACE TEMP TABLE {_HITS} AS
        WITH near AS (SELECT * FROM ({lines}) WHERE hash(claim_id, data_source) IN ({few})),
        claims AS (SELECT claim_id, data_source, min(claim_line_number) AS line FROM near
                   GROUP BY claim_id, data_source HAVING {same})
        SELECT near._file, near._row, near.claim_id, near.claim_line_number, near.data_source, near.a
        FROM near JOIN claims ON near.claim_id = claims.claim_id
            AND near.data_source IS NOT DISTINCT FROM claims.data_source
        WHERE near.claim_line_number > claims.line"""
    )
    count, dollars = query(con, f"SELECT count(*), sum(a) FROM {_HITS}")[0]
    where = examples(con, rule, f"{_HITS} AS c") if count else ""
    con.raw_sql(f"DROP TABLE {_HITS}")
    return [finding(rule, rule.label, count, rows, dollars, where)]
