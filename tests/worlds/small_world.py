"""A world of a few people in two practices, written out claim by claim, for arithmetic by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from medhome.simulate import edge_cases
from medhome.study.spec import StudySpec, _validated
from medhome.tables import panel, sources
from medhome.tables.engine import fetch
from medhome.tables.panel import Panel

PRACTICES = {
    r["person_id"]: r["payer_attributed_provider_practice"]
    for r in edge_cases.base_rows("provider_attribution")
}
"""T is in the program, C and D are compared; whoever else there is belongs to no practice."""


def study(**changes) -> StudySpec:
    """Baseline January to March 2008, start in April, through June, run-out 3 months, no cap."""
    plain = edge_cases.base_study()
    for key, value in changes.items():
        section, _, name = key.partition("__")
        if name:
            plain.setdefault(section, {})[name] = value
        else:
            plain[section] = value
    return _validated(plain, source="small world")


def person(person_id: str, **changes) -> dict:
    """A span: enrolled from 2007 without end, born in 1970."""
    return edge_cases.row("eligibility", person_id=person_id) | changes


def claim(claim_id: str, person_id: str, day: str, allowed: float, **changes) -> dict:
    """A visit of one line in place 11, paid in the same month, 80% of it by the payer."""
    named = {"claim_id": claim_id, "person_id": person_id, "claim_start_date": day}
    return edge_cases.row("medical_claim", **named, allowed_amount=f"{allowed:.2f}") | changes


def void(claim_id: str, of: dict, paid_date: str, **changes) -> dict:
    """The row that takes a claim back."""
    back = {
        "claim_id": claim_id,
        "paid_date": paid_date,
        "allowed_amount": f"-{of['allowed_amount']}",
        "paid_amount": f"-{of['paid_amount']}",
        "x_claim_status": "reversed",
        "x_adjustment_type": "void",
        "x_adjusts_claim_id": of["claim_id"],
    }
    return of | back | changes


(FILL,) = edge_cases.base_rows("pharmacy_claim")
"""The one drug claim of every such world: $10 of C in January."""


def clinician(npi: str, practice: str, organization: str, **changes) -> dict:
    """A primary-care clinician of a practice since 2000."""
    where = {"npi": npi, "practice_id": practice, "organization_id": organization}
    return edge_cases.row("provider_practice", **where) | changes


CLINICIANS = tuple(edge_cases.base_rows("provider_practice"))
ROSTER = tuple((r["unit_type"], r["unit_id"], r["arm"]) for r in edge_cases.base_rows("program_roster"))


def attributed(who: str, practice: str, month: str = "200801") -> dict:
    """The payer's word for one person and month."""
    listed = {"person_id": who, "year_month": month, "payer_attributed_provider_practice": practice}
    return edge_cases.row("provider_attribution", **listed)


def write(
    folder: Path,
    claims: list[dict],
    people: list[dict] | None = None,
    clinicians: Sequence[dict] = CLINICIANS,
    roster: Sequence[tuple[str, str, str]] = ROSTER,
    listed: Sequence[dict] | None = None,
    fills: Sequence[dict] = (FILL,),
) -> Path:
    """The input files. T, C and D are there unless ``people`` says otherwise; what a world may switch:

    ``clinicians`` (who works where, and when), ``roster`` (unit_type, unit_id, arm), ``listed`` (the payer's
    attribution, `attributed`), ``fills`` (drug claims).
    """
    people = [person("T"), person("C"), person("D")] if people is None else people
    tables = {
        "eligibility": pd.DataFrame(people),
        "medical_claim": pd.DataFrame(claims),
        "pharmacy_claim": pd.DataFrame(list(fills)),
        "provider_practice": pd.DataFrame(list(clinicians)),
        "program_roster": pd.DataFrame(list(roster), columns=["unit_type", "unit_id", "arm"]).assign(
            program_id="PCMH", start_date="2008-04-01", end_date=None
        ),
        "provider_attribution": pd.DataFrame(
            [attributed(who, practice) for who, practice in PRACTICES.items()] if listed is None else listed
        ),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in tables.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    return folder


_SWITCHES = ("clinicians", "roster", "listed", "fills")


def build(con, folder: Path, claims: list[dict], people: list[dict] | None = None, **changes) -> Panel:
    """The panel of a study of these claims (`write`); other ``changes`` are keys of the study file."""
    switches = {name: changes.pop(name) for name in _SWITCHES if name in changes}
    write(folder, claims, people, **switches)
    spec = study(**changes)
    return panel.build(con, inputs(con, folder, spec), spec)


def inputs(con, folder: Path, spec: StudySpec) -> dict:
    """The tables of a folder as the engine reads them."""
    return sources.open_inputs(con, spec, folder)


def cost(found: Panel, who: str) -> dict[str, float]:
    """Allowed dollars of a person's member-months in the model, by month, without months of none."""
    mine = found.members.filter(found.members.person_id == who)
    rows = fetch(found.months.semi_join(mine, "person_key").order_by("month"))
    return {
        f"{m // 12}-{m % 12 + 1:02d}": cents / 100
        for m, cents in zip(rows["month"], rows["allowed_cents"], strict=True)
        if cents
    }


def step(found: Panel, reason: str) -> dict[tuple[str, str], tuple[int, float]]:
    """Lines and allowed dollars of one step of the reconciliation, where it is not nothing."""
    rows = found.reconciliation[found.reconciliation["reason"] == reason]
    return {
        (r.arm, r.period): (r.lines, r.allowed_usd)
        for r in rows.itertuples()
        if r.lines or r.allowed_usd or r.paid_usd
    }
