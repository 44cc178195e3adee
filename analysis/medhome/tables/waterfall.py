"""Where the dollars went, from the claim files to the model, by arm and period, and how many there are."""

from __future__ import annotations

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import IntegerValue, StringValue, Table

from medhome.study.cells import WEIGHT_SCALE
from medhome.study.population_choices import EXPOSURE_RULES
from medhome.study.spec import StudySpec
from medhome.tables import claims
from medhome.tables.arms import ARMS
from medhome.tables.cohort import KEPT, rules
from medhome.tables.engine import fetch

_AMOUNTS = ["lines", "allowed_cents", "paid_cents"]
_COLUMN = ["arm", "period"]

NO_ARM = "none"
"""The arm of dollars of people outside both arms: not attributed, in other practices, or unknown."""

PERIODS = ("before", "baseline", "washout", "performance", "later")


def columns(spec: StudySpec) -> list[tuple[str, str]]:
    """The columns of the reconciliation: every arm and period that the study has, in order."""
    gap = spec.periods.performance.first > spec.periods.baseline.end
    return [(arm, p) for arm in (*ARMS, NO_ARM) for p in PERIODS if gap or p != "washout"]


def period_of(month: IntegerValue, spec: StudySpec) -> StringValue:
    """The period of an incurred month; the months between baseline and performance are the washout."""
    baseline, performance = spec.periods.baseline, spec.periods.performance
    return ibis.cases(
        (month < baseline.first, "before"),
        (month < baseline.end, "baseline"),
        (month < performance.first, "washout"),
        (month < performance.end, "performance"),
        else_="later",
    )


def arm_of(arm: StringValue) -> StringValue:
    """One of the two arms, or `NO_ARM`."""
    return ibis.ifelse(arm.isin(ARMS), arm, NO_ARM).fill_null(NO_ARM)


def reconcile(
    booked: Table,
    flagged: Table,
    months: Table,
    assigned: Table,
    raw: pd.Series,
    spec: StudySpec,
    orphans_kept: Table | None = None,
) -> pd.DataFrame:
    """Every dollar of the files, to the cent: in the model, or lost for one reason, by arm and period.

    Arguments
        booked: `claims.ledger`.
        flagged: member-months with ``dropped_by`` and cost (`cohort.apply_rules`).
        months: member-months of the model with capped cost.
        assigned: one row per person with ``arm``.
        raw: `claims.raw_totals`.
        orphans_kept: `orphans.carried`, where the study keeps the cost of months without exposure.

    `DataQuality.reconciliation`: one row per step, arm and period. Each number is a change, but for the last
    step, which is what the model holds; in each column the changes add up to it. Lines of voids count as
    lines; the cap and the rule on capitation change dollars and no lines.

    Raises `AssertionError` when a column does not add up, or when the first two steps are not the files'.
    """
    arms = assigned.select("person_key", "arm")
    at = _fetched_ledger(booked, arms, spec)
    dropped = _by_column(flagged, arms, spec, "dropped_by", _AMOUNTS)
    model = _by_column(
        months.mutate(allowed_cents=_.allowed_capped_cents, paid_cents=_.paid_capped_cents),
        arms,
        spec,
        None,
        _AMOUNTS,
    )
    uncapped = _by_column(months, arms, spec, None, _AMOUNTS)
    back = None if orphans_kept is None else _by_column(orphans_kept, arms, spec, None, _AMOUNTS)
    steps = _steps(at, dropped, uncapped, model, spec, back)
    people = at.groupby(_COLUMN)["members"].max()
    where = pd.MultiIndex.from_tuples(columns(spec), names=_COLUMN)
    _assert_adds_up(steps, model, raw, where)
    rows = []
    for number, (reason, label, amounts) in enumerate(steps):
        full = amounts.reindex(where, fill_value=0)
        rows.append(
            full.reset_index()
            .assign(step=number, reason=reason, label=label)
            .merge(people.rename("members").reset_index(), on=_COLUMN, how="left")
        )
    found = pd.concat(rows, ignore_index=True)
    return pd.DataFrame(
        {
            "step": found["step"],
            "reason": found["reason"],
            "label": found["label"],
            "arm": found["arm"],
            "period": found["period"],
            "members": found["members"].fillna(0).astype("int64"),
            "lines": found["lines"].astype("int64"),
            "allowed_usd": found["allowed_cents"] / 100,
            "paid_usd": found["paid_cents"] / 100,
        }
    )


def waterfall(reconciliation: pd.DataFrame) -> pd.DataFrame:
    """From raw dollars in the files to dollars in the model (`DataQuality.waterfall`): all columns together.

    Every number but those of the last row is a change; changes add up to the last row, to the cent.
    """
    cents = reconciliation.assign(
        allowed_usd=(reconciliation["allowed_usd"] * 100).round().astype("int64"),
        paid_usd=(reconciliation["paid_usd"] * 100).round().astype("int64"),
    )
    whole = cents.groupby(["step", "reason", "label"], as_index=False, sort=True)[
        ["lines", "allowed_usd", "paid_usd"]
    ].sum()
    return whole.assign(allowed_usd=whole["allowed_usd"] / 100, paid_usd=whole["paid_usd"] / 100)


def zero_allowed(booked: Table, months: Table, members: Table, spec: StudySpec) -> pd.DataFrame:
    """Which share of medical lines is allowed nothing, by arm and period (`DataQuality.encounters`)?

    Where capitation spreads in one arm, its encounters lose their dollars, and care looks cheaper. Denied
    lines are no encounters and do not count; nor do voids.
    """
    who = members.select("person_key", "arm")
    mine = booked.filter(
        _.disposition == claims.KEPT, ~_.void, ~_.added, _.category != "pharmacy", _.person_key.notnull()
    )
    mine = mine.semi_join(months, ["person_key", "month"]).join(who, "person_key")
    found = fetch(
        mine.mutate(period=period_of(mine.month, spec))
        .group_by(_COLUMN)
        .aggregate(members=_.person_key.nunique(), lines=_.lines.sum(), zero_lines=_.zero_lines.sum())
        .order_by(_COLUMN)
    )
    share = found["zero_lines"] / found["lines"].where(found["lines"] > 0)
    return found.assign(zero_share=share.astype("float64"))


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


Step = tuple[str, str, pd.DataFrame]


def _steps(
    at: pd.DataFrame,
    dropped: pd.DataFrame,
    uncapped: pd.DataFrame,
    model: pd.DataFrame,
    spec: StudySpec,
    back: pd.DataFrame | None,
) -> list[Step]:
    """Reason, words and amounts by arm and period of each step."""
    void, added = at["void"].astype(bool), at["added"].astype(bool)
    why = at["disposition"]
    inside = at["period"].isin(["baseline", "performance"])

    def of(mask: pd.Series) -> pd.DataFrame:
        return at[mask].groupby(_COLUMN)[_AMOUNTS].sum()

    def lost(mask: pd.Series) -> pd.DataFrame:
        return -of(mask)

    steps: list[Step] = [
        ("files", _files(spec), of(~void & ~added)),
        ("reversed", "Reversals", of(void)),
    ]
    if spec.outcomes.services == "medical":
        label = "Pharmacy claims: the outcome is medical cost"
        steps.append(("not_counted", label, lost(why == claims.NOT_COUNTED)))
    steps.append(("denied", "Denied", lost(why == claims.DENIED)))
    run_out = spec.periods.run_out_months
    lag = "1 month" if run_out == 1 else f"{run_out} months"
    late = why == claims.LATE
    steps += [
        (
            "after_run_out",
            f"Paid after {spec.paid_through}, or more than {lag} after the month of service",
            lost(late & ~void),
        ),
        ("late_reversals", "Reversals made after that: their claims still count", lost(late & void)),
        (
            "duplicate",
            "Taken in twice: the same but for claim number and paid date",
            lost(why == claims.DUPLICATE),
        ),
        ("replaced", "Replaced by a later claim without a reversal", lost(why == claims.REPLACED)),
    ]
    if spec.claims.header_amounts == "header":
        label = "Totals of claims repeated on their further lines"
        steps.append(("header", label, lost(why == claims.HEADER)))
    if spec.claims.capitation != "as_paid":
        change = of(added).sub(of(why == claims.CAPITATED), fill_value=0)
        steps.append(("capitation", _CAPITATION[spec.claims.capitation], change))
    kept = why == claims.KEPT
    outside = "Incurred outside the months analysed (look-back, washout, later)"
    steps.append(("outside_months", outside, lost(kept & ~inside)))
    enrolled = dropped.groupby(_COLUMN)[_AMOUNTS].sum()
    orphans = enrolled.sub(of(kept & inside), fill_value=0)
    steps.append(
        ("orphan", f"Incurred in a month not enrolled {EXPOSURE_RULES[spec.population.exposure]}", orphans)
    )
    nominal = dropped[dropped["dropped_by"] == KEPT].groupby(_COLUMN)[_AMOUNTS].sum()
    if back is not None:
        returned = back.groupby(_COLUMN)[_AMOUNTS].sum()
        steps.append(("orphan_kept", "Of these, kept: counted with another month of the member", returned))
        nominal = nominal.add(returned, fill_value=0)
    for number, rule in enumerate(rules(spec)):
        if number:
            taken = dropped[dropped["dropped_by"] == number].groupby(_COLUMN)[_AMOUNTS].sum()
            steps.append((rule.id, rule.dropped, -taken))
    final, whole = (frame.groupby(_COLUMN)[_AMOUNTS].sum() for frame in (model, uncapped))
    if spec.outcomes.deflator:
        label = f"Brought to dollars of {spec.outcomes.deflator_base} by the price index"
        steps.append(("price_index", label, whole.sub(nominal, fill_value=0)))
    if spec.outcomes.cap_usd_per_year is not None:
        cap = f"Above the cap of ${spec.outcomes.cap_usd_per_year:,} per member and year"
        steps.append(("above_cap", cap, final.sub(whole, fill_value=0)))
    return [*steps, ("model", "In the model", final)]


def _files(spec: StudySpec) -> str:
    rebates = spec.claims.drug_rebate_share
    net = f", paid drugs net of rebates of {rebates:.4g} of each dollar" if rebates else ""
    return f"On the lines of the claim files, before reversals{net}"


_CAPITATION = {
    "shadow_price": "Encounters under capitation, at standard prices",
    "add_payment": "Capitation payments, in place of the dollars of encounters",
    "exclude": "Encounters under capitation, left out",
}


def _fetched_ledger(booked: Table, arms: Table, spec: StudySpec) -> pd.DataFrame:
    """The ledger by arm, period and what became of the lines; ``members``: people of the arm and period."""
    owners = arms.select(owner=arms.person_key, arm=arms.arm)
    joined = booked.left_join(owners, booked.person_key == owners.owner)
    placed = joined.mutate(arm=arm_of(joined.arm), period=period_of(joined.month, spec))
    amounts = fetch(
        placed.group_by(*_COLUMN, "disposition", "void", "added")
        .aggregate(lines=_.lines.sum(), allowed_cents=_.allowed_cents.sum(), paid_cents=_.paid_cents.sum())
        .order_by(*_COLUMN, "disposition", "void", "added")
    )
    people = fetch(placed.group_by(_COLUMN).aggregate(members=_.person_key.nunique()).order_by(_COLUMN))
    return amounts.merge(people, on=_COLUMN, how="left")


def _by_column(
    table: Table, arms: Table, spec: StudySpec, key: str | None, amounts: list[str]
) -> pd.DataFrame:
    owners = arms.select(owner=arms.person_key, arm=arms.arm)
    joined = table.join(owners, table.person_key == owners.owner)
    placed = joined.mutate(arm=arm_of(joined.arm), period=period_of(joined.month, spec))
    by = [*_COLUMN, *([key] if key else [])]
    return fetch(placed.group_by(by).aggregate(**{c: placed[c].sum() for c in amounts}).order_by(by))


def _assert_adds_up(steps: list[Step], model: pd.DataFrame, raw: pd.Series, where: pd.MultiIndex) -> None:
    filled = [amounts.reindex(where, fill_value=0) for _reason, _label, amounts in steps]
    stray = [tuple(i) for *_words, amounts in steps for i in amounts.index if i not in where]
    if stray:
        raise AssertionError(f"the reconciliation has no column for {sorted(set(stray))}")
    gap = sum(filled[:-1]) - filled[-1]
    wrong = gap[(gap != 0).any(axis=1)]
    if len(wrong):
        raise AssertionError(
            f"the reconciliation's changes do not add up to the model's total: {wrong.to_dict()}"
        )
    first = (filled[0] + filled[1]).sum()
    if [int(first[c]) for c in _AMOUNTS] != [int(raw[c]) for c in _AMOUNTS]:
        raise AssertionError(
            f"the reconciliation begins with {first.to_dict()}, but the files hold {raw.to_dict()}"
        )
