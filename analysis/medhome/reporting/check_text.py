"""What ``medhome check`` prints: findings of the input rules, and cost in months without enrolment."""

from __future__ import annotations

import pandas as pd


def rules_as_text(rules: pd.DataFrame) -> str:
    """The findings of `check` as aligned lines, the gravest first."""
    found = rules[rules["count"] > 0]
    lines = [f"{len(rules)} rules, {len(found)} with findings, none of them an error"]
    for row in found.to_dict("records"):
        dollars = f", ${row['dollars_usd']:,.2f}" if row["dollars_usd"] > 0 else ""
        lines.append(
            f"  {row['severity']:8} {row['rule']:32} {row['count']:>12,}  {row['share']:8.2%}{dollars}  "
            f"{row['label']}"
        )
    return "\n".join(lines)


def orphans_as_text(orphans: pd.DataFrame) -> str:
    """Cost in months without enrolment as aligned lines, by arm and period."""
    if orphans.empty:
        return "no cost in months without enrolment"
    lines = ["cost in months without enrolment (population.orphan_cost):"]
    for row in orphans.to_dict("records"):
        what = ("members", "lines")
        people, rows = (f"{row[n]:,.0f}" if pd.notna(row[n]) else "withheld" for n in what)
        dollars = f"${row['allowed_usd']:,.2f} allowed" if pd.notna(row["allowed_usd"]) else "withheld"
        lines.append(f"  {row['arm']:10} {row['period']:11} {people:>9} members {rows:>9} lines  {dollars}")
    return "\n".join(lines)
