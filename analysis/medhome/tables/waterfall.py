"""Where the dollars went, from the claim files to the model, and how many there are by arm and month."""

from __future__ import annotations

import pandas as pd
from ibis import _
from ibis.expr.types import Table

from medhome.study.cells import WEIGHT_SCALE
from medhome.study.spec import EXPOSURE_RULES, StudySpec
from medhome.tables import claims
from medhome.tables.cohort import KEPT, rules
from medhome.tables.engine import fetch

_AMOUNTS = ["lines", "allowed_cents", "paid_cents"]


def waterfall(
    line_totals: pd.DataFrame, dropped: pd.DataFrame, capped: pd.Series, spec: StudySpec
) -> pd.DataFrame:
    """From raw dollars in the files to dollars in the model (`DataQuality.waterfall`), to the cent.

    Arguments
        line_totals: `claims.totals`: lines and cents by disposition, void, analysed.
        dropped: lines and cents of member-months by ``dropped_by`` (0: kept).
        capped: ``allowed_capped_cents`` and ``paid_capped_cents`` of the months kept.

    Every number but those of the last row is a change; changes add up to the last row. Lines of voids count
    as lines; the cap removes dollars and no lines.
    """
    kept = line_totals["disposition"] == claims.KEPT
    void = line_totals["void"].astype(bool)
    inside = line_totals["analysed"].astype(bool)

    def of(mask: pd.Series) -> list[int]:
        return [int(line_totals.loc[mask, c].sum()) for c in _AMOUNTS]

    def minus(amounts: list[int]) -> list[int]:
        return [-a for a in amounts]

    at = line_totals["disposition"]
    steps: list[tuple[str, str, list[int]]] = [
        ("files", "On the lines of the claim files, before reversals", of(~void)),
        ("reversed", "Reversals", of(void)),
    ]
    if spec.outcomes.services == "medical":
        steps.append(
            (
                "not_counted",
                "Pharmacy claims: the outcome is medical cost",
                minus(of(at == claims.NOT_COUNTED)),
            )
        )
    run_out = spec.periods.run_out_months
    months = "1 month" if run_out == 1 else f"{run_out} months"
    steps += [
        ("denied", "Denied", minus(of(at == claims.DENIED))),
        (
            "after_run_out",
            f"Paid after {spec.paid_through}, or more than {months} after the month of service",
            minus(of((at == claims.LATE) & ~void)),
        ),
        (
            "late_reversals",
            "Reversals made after that: their claims still count",
            minus(of((at == claims.LATE) & void)),
        ),
        (
            "outside_months",
            "Incurred outside the months analysed (look-back, washout, later)",
            minus(of(kept & ~inside)),
        ),
    ]
    in_months = of(kept & inside)
    enrolled = [int(dropped[c].sum()) for c in _AMOUNTS]
    orphans = [e - a for e, a in zip(enrolled, in_months, strict=True)]
    enrolled_when = EXPOSURE_RULES[spec.population.exposure]
    steps.append(("orphan", f"Incurred in a month not enrolled {enrolled_when}", orphans))
    for number, rule in enumerate(rules(spec)):
        if number == 0:
            continue
        lost = dropped[dropped["dropped_by"] == number]
        steps.append((rule.id, rule.dropped, [-int(lost[c].sum()) for c in _AMOUNTS]))
    model = dropped[dropped["dropped_by"] == KEPT]
    left = [int(model[c].sum()) for c in _AMOUNTS]
    final = [left[0], int(capped["allowed_capped_cents"]), int(capped["paid_capped_cents"])]
    if spec.outcomes.cap_usd_per_year is not None:
        cap = f"Above the cap of ${spec.outcomes.cap_usd_per_year:,} per member and year"
        steps.append(("above_cap", cap, [f - a for f, a in zip(final, left, strict=True)]))
    _assert_adds_up(steps, final)
    steps.append(("model", "In the model", final))
    return pd.DataFrame(
        {
            "step": range(len(steps)),
            "reason": [reason for reason, _label, _amounts in steps],
            "label": [label for _reason, label, _amounts in steps],
            "lines": [amounts[0] for *_words, amounts in steps],
            "allowed_usd": [amounts[1] / 100 for *_words, amounts in steps],
            "paid_usd": [amounts[2] / 100 for *_words, amounts in steps],
        }
    )


def volumes(months: Table, members: Table) -> pd.DataFrame:
    """Claim lines, dollars and members of the cohort by arm and month (`DataQuality.volumes`)."""
    joined = months.join(members.select("person_key", "arm"), "person_key")
    found = fetch(
        joined.group_by("arm", "month")
        .aggregate(
            claim_lines=_.lines.sum(), allowed_cents=_.allowed_cents.sum(), w=_.w.sum(), members=_.count()
        )
        .order_by("arm", "month")
    )
    return pd.DataFrame(
        {
            "arm": found["arm"],
            "month": found["month"],
            "claim_lines": found["claim_lines"],
            "allowed_usd": found["allowed_cents"] / 100,
            "member_months": found["w"] / WEIGHT_SCALE,
            "members": found["members"],
        }
    )


def _assert_adds_up(steps: list[tuple[str, str, list[int]]], final: list[int]) -> None:
    sums = [sum(amounts[i] for *_words, amounts in steps) for i in range(3)]
    if sums != final:
        raise AssertionError(f"the waterfall's changes {sums} do not add up to the model's total {final}")
