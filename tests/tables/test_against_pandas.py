"""The small simulated world, worked out a second time in pandas, line by line: the same cells."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from medhome.study.periods import month_index
from medhome.study.spec import read_study
from medhome.tables import claims, collapse, engine, panel, sources

VISIT_PLACES = {"02", "10", "11", "50", "71", "72"}


@pytest.fixture(scope="module")
def engine_cells(small_world):
    spec = read_study(small_world / "study.toml")
    with engine.session() as con:
        months = panel.build(con, sources.open_inputs(con, spec, small_world), spec)
        scored = collapse.score(months, {"intercept": 30_000.0, "condition:diabetes": 10_000.0})
        return spec, months.waterfall, collapse.cells(scored, spec)


def month(dates: pd.Series) -> pd.Series:
    return dates.dt.year * 12 + dates.dt.month - 1


def lines(folder, spec) -> pd.DataFrame:
    medical = pd.read_parquet(folder / "medical_claim.parquet")
    fills = pd.read_parquet(folder / "pharmacy_claim.parquet").rename(
        columns={"dispensing_date": "claim_start_date"}
    )
    both = pd.concat([medical, fills], ignore_index=True)
    for column in ("claim_start_date", "paid_date"):
        both[column] = pd.to_datetime(both[column])
    for kind in ("allowed", "paid"):
        both[kind] = (both[f"{kind}_amount"].astype(float) * 100).round().astype("int64")
    both["month"] = month(both["claim_start_date"])
    lag = month(both["paid_date"]) - both["month"]
    cut = pd.Timestamp(spec.paid_through + "-01") + pd.offsets.MonthEnd(0)
    in_time = both["paid_date"].isna() | ((both["paid_date"] <= cut) & (lag <= spec.periods.run_out_months))
    both["sign"] = np.where(both["x_adjustment_type"] == "void", -1, 1)
    return both[in_time & (both["x_claim_status"] != "denied")]


def attributed(folder, spec, kept: pd.DataFrame) -> pd.Series:
    first = spec.periods.baseline.first
    codes = {c["code"] for c in claims.codelist("primary_care_visits") if c["column"] == "hcpcs_code"}
    affiliations = pd.read_parquet(folder / "provider_practice.parquet")
    affiliations = affiliations[affiliations["x_primary_care"] == 1]
    visits = kept[
        (kept["claim_type"] == "professional")
        & kept["month"].between(first - spec.attribution.lookback_months, first - 1)
        & kept["hcpcs_code"].isin(codes)
        & kept["place_of_service_code"].isin(VISIT_PLACES)
    ].merge(affiliations, left_on="rendering_npi", right_on="npi")
    since = pd.to_datetime(visits["effective_start_date"])
    until = pd.to_datetime(visits["effective_end_date"]).fillna(pd.Timestamp("2100-01-01"))
    visits = visits[(visits["claim_start_date"] >= since) & (visits["claim_start_date"] <= until)]
    net = visits.groupby(["person_id", "npi", "claim_start_date", "practice_id"])[["sign", "allowed"]].sum()
    net = net[net["sign"] > 0].reset_index()
    by_practice = net.groupby(["person_id", "practice_id"]).agg(
        days=("claim_start_date", "nunique"), latest=("claim_start_date", "max"), allowed=("allowed", "sum")
    )
    ordered = by_practice.reset_index().sort_values(
        ["person_id", "days", "latest", "allowed", "practice_id"], ascending=[True, False, False, False, True]
    )
    return ordered.drop_duplicates("person_id").set_index("person_id")["practice_id"]


def arms(folder) -> pd.DataFrame:
    """The simulated roster lists practices; all of it runs through the whole study."""
    places = pd.read_parquet(folder / "provider_practice.parquet")[["practice_id", "organization_id"]]
    roster = pd.read_parquet(folder / "program_roster.parquet")
    assert set(roster["unit_type"]) == {"practice"}
    listed = roster[roster["arm"] != "excluded"].rename(columns={"unit_id": "practice_id"})
    joined = places.drop_duplicates("practice_id").merge(listed[["practice_id", "arm"]], on="practice_id")
    return joined.replace({"arm": {"program": "treated"}}).set_index("practice_id")


def member_months(folder, spec) -> pd.DataFrame:
    spans = pd.read_parquet(folder / "eligibility.parquet")
    for column in ("enrollment_start_date", "enrollment_end_date", "birth_date", "death_date"):
        spans[column] = pd.to_datetime(spans[column])
    rows = []
    for m in spec.periods.analysed:
        day = pd.Timestamp(dt.date(m // 12, m % 12 + 1, 15))
        inside = spans[
            (spans["enrollment_start_date"] <= day)
            & (spans["enrollment_end_date"].isna() | (spans["enrollment_end_date"] >= day))
            & (spans["x_pharmacy_benefit"] == 1)
            & (spans["x_medical_benefit"] == 1)
        ].drop_duplicates("person_id")
        alive = inside["death_date"].isna() | (month(inside["death_date"]) >= m)
        age = (m - month(inside["birth_date"])) // 12
        fits = age.between(spec.population.age_min, spec.population.age_max)
        rows.append(inside.loc[alive & fits, ["person_id"]].assign(month=m))
    return pd.concat(rows, ignore_index=True)


def test_the_engine_and_pandas_agree_on_every_cell(engine_cells, small_world):
    spec, waterfall, cells = engine_cells
    assert (spec.attribution.method, spec.arms.rule, spec.population.min_months) == ("plurality", "roster", 1)
    assert spec.outcomes.cap_trend == 0 and not spec.population.payer_types
    kept = lines(small_world, spec)
    months = member_months(small_world, spec)
    months["practice_id"] = months["person_id"].map(attributed(small_world, spec, kept))
    months = months.join(arms(small_world), on="practice_id", how="inner")
    cost = kept.groupby(["person_id", "month"])[["allowed", "paid"]].sum().reset_index()
    months = months.merge(cost, how="left", on=["person_id", "month"]).fillna({"allowed": 0, "paid": 0})
    months["window"] = (months["month"] - spec.periods.start_month) // 12
    months = months.sort_values(["person_id", "month"])
    cap = spec.outcomes.cap_usd_per_year * 100
    for kind in ("allowed", "paid"):
        running = months.groupby(["person_id", "window"])[kind].cumsum()
        months[f"{kind}_capped"] = running.clip(upper=cap) - (running - months[kind]).clip(upper=cap)
    assert (months["allowed_capped"] < months["allowed"]).any(), "the cap must bind somewhere in this world"
    outcomes = ["allowed", "allowed_capped", "paid", "paid_capped"]
    keys = ["organization_id", "practice_id", "arm", "month"]
    expected = months.groupby(keys)[outcomes].sum().astype("int64")
    expected["rows"] = months.groupby(keys).size()
    merged = cells.by(*keys).frame.set_index(keys).sort_index()
    for outcome in outcomes:
        merged[outcome] = [int(v) // 1000 for v in merged[f"w*{outcome}"]]
    pd.testing.assert_frame_equal(
        merged[[*outcomes, "rows"]].astype("int64"),
        expected[[*outcomes, "rows"]].sort_index(),
        check_index_type=False,
    )
    assert waterfall["allowed_usd"].iloc[-1] == pytest.approx(months["allowed_capped"].sum() / 100)
    assert months["month"].min() == month_index(spec.periods.baseline_first)
