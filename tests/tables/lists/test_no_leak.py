"""No leak of the future: whatever comes after the day, lists and scores are the same, byte for byte."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import ibis
import pandas as pd
import pytest
import small_world as hand
from hypothesis import given, settings
from hypothesis import strategies as st

from medhome import lists
from medhome.reporting.private_lists import write_lists
from medhome.study.list_results import TABLES, ProgramLists
from medhome.study.spec import read_study
from medhome.tables import conditions, member_months, sources
from medhome.tables.as_of import known_on
from medhome.tables.engine import fetch, session

DAY = dt.date(2009, 6, 30)
past = st.dates(dt.date(2008, 1, 1), DAY)
future = st.dates(DAY + dt.timedelta(days=1), dt.date(2011, 12, 31))
maybe_past = st.none() | past

SCHEMAS = {
    "eligibility": {
        "person_id": "string", "birth_date": "date", "enrollment_start_date": "date",
        "enrollment_end_date": "date", "death_date": "date",
    },
    "program_roster": {"person_id": "string", "start_date": "date", "end_date": "date"},
    "medical_claim": {
        "person_id": "string", "claim_start_date": "date", "claim_end_date": "date", "admission_date": "date",
        "discharge_date": "date", "paid_date": "date",
    },
    "pharmacy_claim": {"person_id": "string", "dispensing_date": "date", "paid_date": "date"},
    "risk_score": {"person_id": "string", "as_of_date": "date", "score": "float64"},
    "provider_attribution": {"person_id": "string", "year_month": "string"},
}  # fmt: skip
SPANS = {"eligibility": ("enrollment_end_date", "death_date"), "program_roster": ("end_date",)}
"""Dates of a span that may lie later than the day, and are then not known on it."""


@st.composite
def rows_known(draw, table: str) -> dict:
    """A row that was known on the day, all of its dates by then or missing."""
    row: dict = {"person_id": draw(st.sampled_from("ABC")), "score": 1.0, "year_month": "200906"}
    for name, kind in SCHEMAS[table].items():
        if kind == "date":
            row[name] = draw(past if name.endswith("start_date") or name == "as_of_date" else maybe_past)
    return {name: row[name] for name in SCHEMAS[table]}


@st.composite
def rows_of_the_future(draw, table: str) -> dict:
    """A row that nobody knew: of a span the beginning lies later, of an event at least one date."""
    row = draw(rows_known(table))
    if table == "provider_attribution":
        return row | {"year_month": draw(st.sampled_from(["200907", "2009-07", "201001"]))}
    dates = [n for n, kind in SCHEMAS[table].items() if kind == "date"]
    late = ("enrollment_start_date", "start_date") if table in SPANS else dates
    name = draw(st.sampled_from([n for n in dates if n in late]))
    return row | {name: draw(future)}


@pytest.mark.parametrize("table", SCHEMAS)
@settings(max_examples=10)
@given(data=st.data())
def test_what_is_known_on_a_day_does_not_hang_on_what_comes_later(table, data):
    known = data.draw(st.lists(rows_known(table), min_size=1, max_size=4))

    def extract() -> pd.DataFrame:
        """These rows with some future: later rows, and later ends of spans that were open on the day."""
        own = [dict(row) for row in known]
        for row in own:
            for name in SPANS.get(table, ()):
                if row[name] is None:
                    row[name] = data.draw(st.none() | future)
        rows = own + data.draw(st.lists(rows_of_the_future(table), max_size=3))
        given = ibis.memtable([tuple(row.values()) for row in rows], schema=SCHEMAS[table])
        return fetch(known_on({table: given}, DAY)[table])

    expected = fetch(ibis.memtable([tuple(row.values()) for row in known], schema=SCHEMAS[table]))
    for found in (extract(), extract()):
        pd.testing.assert_frame_equal(found, expected)


def as_dates(frame: pd.DataFrame) -> pd.DataFrame:
    days = {c: pd.to_datetime(frame[c]) for c in frame.columns if c.endswith("_date")}
    return frame.assign(**days)


def without_the_future(tables: dict[str, pd.DataFrame], day: str) -> dict[str, pd.DataFrame]:
    """The files as they would have been on the day: written anew here, not with the function under test."""
    found = {}
    for name, frame in tables.items():
        kept = as_dates(frame)
        spans = {"eligibility": "enrollment_", "provider_practice": "effective_", "program_roster": ""}
        if name in spans:
            start, end = f"{spans[name]}start_date", f"{spans[name]}end_date"
            kept = kept[kept[start] <= day]
            later = {c: kept[c].where(kept[c] <= day) for c in (end, "death_date") if c in kept}
            kept = kept.assign(**later)
        else:
            for column in [c for c in kept.columns if c.endswith("_date")]:
                kept = kept[kept[column].isna() | (kept[column] <= day)]
        found[name] = kept
    return found


def with_another_future(tables: dict[str, pd.DataFrame], day: str) -> dict[str, pd.DataFrame]:
    """After the day all fall ill, what was billed before it is paid, and half leave or die."""
    worse = {name: as_dates(frame) for name, frame in tables.items()}
    claims = worse["medical_claim"]
    mine = claims[claims["claim_start_date"].between("2009-01-01", day)].drop_duplicates("person_id")
    ill = mine.assign(
        claim_id=mine["claim_id"] + "-ill", diagnosis_code_1="4280", revenue_center_code="0450",
        claim_type="institutional", bill_type_code="111",
        allowed_amount=Decimal(90_000), paid_amount=Decimal(90_000),
        admission_date=mine["claim_start_date"], paid_date=pd.Timestamp(day) + pd.Timedelta(days=1),
    )  # fmt: skip
    shift = pd.Timedelta(days=400)
    later = ill.assign(
        claim_id=mine["claim_id"] + "-later", claim_start_date=mine["claim_start_date"] + shift,
        claim_end_date=mine["claim_end_date"] + shift, admission_date=None, discharge_date=None,
    )  # fmt: skip
    worse["medical_claim"] = pd.concat([claims, ill, later], ignore_index=True)
    people = worse["eligibility"]
    until = people["enrollment_end_date"]
    half = (people.index % 2 == 0) & (until.isna() | (until > day))
    gone = pd.Timestamp(day) + pd.Timedelta(days=3)
    dead = half & people["death_date"].isna()
    worse["eligibility"] = people.assign(
        enrollment_end_date=until.mask(half, gone),
        death_date=people["death_date"].mask(dead, gone),
    )
    roster = worse["program_roster"]
    joins = roster[roster["arm"] == "comparison"].assign(arm="program", start_date=gone)
    worse["program_roster"] = pd.concat([roster.assign(end_date=gone), joins], ignore_index=True)
    return worse


def lists_from(folder: Path, tables: dict[str, pd.DataFrame], study: Path, out: Path) -> Path:
    """The lists' folder, from these tables written to files."""
    folder.mkdir()
    for name, frame in tables.items():
        days = {c: pd.to_datetime(frame[c]).dt.date for c in frame.columns if c.endswith("_date")}
        frame.assign(**days).to_parquet(folder / f"{name}.parquet", index=False)
    spec = read_study(study)
    with session() as con:
        inputs = sources.open_inputs(con, spec, folder)
        frames, about = lists.lists_of(con, inputs, spec, folder, DAY)
    return write_lists(ProgramLists(study_id=spec.id, as_of=DAY, frames=frames, about=about), out)


@pytest.fixture(scope="module")
def two_futures(small_world, tmp_path_factory) -> tuple[Path, Path]:
    """The lists from a world that ends on the day, and from one in which everything goes wrong after it."""
    home = tmp_path_factory.mktemp("futures")
    tables = {p.stem: pd.read_parquet(p) for p in sorted(small_world.glob("*.parquet"))}
    day, study = DAY.isoformat(), small_world / "study.toml"
    ended = lists_from(home / "ended", without_the_future(tables, day), study, home / "a")
    worse = lists_from(home / "worse", with_another_future(tables, day), study, home / "b")
    return ended, worse


def test_lists_and_scores_are_the_same_byte_for_byte(two_futures):
    ended, worse = two_futures
    for table in TABLES:
        for ending in ("csv", "parquet"):
            name = f"{table.name}.{ending}"
            assert (ended / name).read_bytes() == (worse / name).read_bytes(), name
    told = [(folder / "lists.json").read_text(encoding="utf-8") for folder in two_futures]
    assert told[0] == told[1]  # the model's coefficients among them


def test_they_say_something(two_futures):
    scores, risky, due = (
        pd.read_parquet(two_futures[0] / f"{n}.parquet") for n in ("risk_scores", "high_risk", "gaps_in_care")
    )
    assert len(scores) > 300 and scores["predicted_cost_pmpm_usd"].nunique() > 50
    assert 20 <= len(risky) <= 40 and set(risky["person_id"]) < set(scores["person_id"])
    assert len(due) > 50 and (pd.to_datetime(due["due_since"]) <= "2009-06-30").all()
    assert (pd.to_datetime(due["last_service_date"]).dropna() < "2009-06-30").all()
    assert set(due["person_id"]) <= set(scores["person_id"])


def test_frozen_risk_knows_nothing_of_services_from_the_baseline_on(tmp_path):
    """The study's own prospective risk: conditions and bands do not hang on claims after the look-back."""
    before = [
        hand.claim("1", "T", "2007-05-03", 90.0, diagnosis_code_1="250.00"),
        hand.claim("2", "C", "2007-11-30", 80.0, diagnosis_code_1="428.0"),
    ]
    after = [
        hand.claim("3", "T", "2008-01-02", 90.0, diagnosis_code_1="428.0"),
        hand.claim("4", "D", "2008-05-02", 90.0, diagnosis_code_1="496"),
    ]
    spec, found = hand.study(risk__model="age-sex-conditions"), []
    for name, claims in (("past", before), ("all", before + after)):
        with session() as con:
            inputs = hand.inputs(con, hand.write(tmp_path / name, claims), spec)
            persons = conditions.with_bands(member_months.people(inputs["eligibility"], spec), spec)
            ill = conditions.conditions(inputs, persons, spec).order_by("person_key", "condition_id")
            found.append((fetch(persons.order_by("person_key")), fetch(ill)))
    assert found[0][1]["condition_id"].tolist() == ["heart_failure", "diabetes"]
    for one, other in zip(*found, strict=True):
        pd.testing.assert_frame_equal(one, other)
