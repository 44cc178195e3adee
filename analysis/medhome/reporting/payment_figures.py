"""The settlement statement as a picture: from benchmark and actual cost to what is paid."""

from __future__ import annotations

import pandas as pd

from medhome.reporting import payment_words
from medhome.reporting.datatable import Column, DataTable, records
from medhome.reporting.drawing import Figure
from medhome.reporting.estimate_drawings import Step, steps_of_dollars
from medhome.study.display import absent, count, listed, usd
from medhome.study.payment_results import Payment


def settlement_steps(payment: Payment) -> pd.DataFrame:
    """Each settled year's way from savings (or losses) to dollars paid.

    Columns: ``year``, ``step``, ``usd``, ``total`` (a total and no change). The first row of a year is
    benchmark less actual, the last what is earned (negative is owed); the first and the changes between them
    add up to the last. A year without a settlement, or withheld, has no rows.
    """
    rows: list[tuple[int, str, float, bool]] = []
    for row in records(payment.settlement):
        if absent(row["earned_usd"]) or absent(row.get("shared_usd")):
            continue
        found, generated = row["benchmark_usd"] - row["actual_usd"], row["generated_usd"]
        losses = found < 0
        steps = [
            ("Below the minimum rate: not shared", generated - found),
            ("Losses that the payer bears" if losses else "The payer's part", row["shared_usd"] - generated),
            ("Above the cap", row["earned_usd"] - row["shared_usd"]),
        ]
        last = "Owed by the program" if row["earned_usd"] < 0 else "Earned by the program"
        year = int(row["year"])
        rows += [
            (year, "Benchmark less actual cost", found, True),
            *((year, label, usd, False) for label, usd in steps if usd),
            (year, last, row["earned_usd"], True),
        ]
    return pd.DataFrame(rows, columns=["year", "step", "usd", "total"])


def settlement_figure(payment: Payment) -> Figure | None:
    """A waterfall of each settled program year; none where no year is settled."""
    frame = settlement_steps(payment)
    if frame.empty:
        return None
    steps = [
        Step(label=f"Year {row['year']}: {row['step'][0].lower()}{row['step'][1:]}", usd=row["usd"],
             total=bool(row["total"]))
        for row in records(frame)
    ]  # fmt: skip
    years = [count(y) for y in dict.fromkeys(frame["year"])]
    return Figure(
        id="fig-settlement",
        title=payment_words.settled_in_all(payment),
        subtitle=f"From benchmark less actual cost to what the contract pays, in dollars; program "
        f"{'years' if len(years) > 1 else 'year'} {listed(years)}",
        note="Blue bars are totals, the others changes; bars to the left of the line are losses. The payer's "
        "part is what remains after the program's share, with any corridor, quality score and sequestration.",
        description=" ".join(payment_words.settlement(payment)),
        draw=lambda width: steps_of_dollars(steps, width),
        table=DataTable(
            id="tbl-settlement-steps",
            caption="Steps of the settlement",
            frame=frame,
            columns=(
                Column("step", "Step"),
                Column("year", "Year", count),
                Column("usd", "Dollars", lambda v: usd(v, 0), "$"),
            ),
            strong=[bool(t) for t in frame["total"]],
        ),
    )
