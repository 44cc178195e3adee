"""Case 21: two extracts of one world, two runs, and what the later restates, worked out from the files."""

from __future__ import annotations

import json

import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from medhome.cli import app
from medhome.study.periods import month_index
from medhome.study.spec import read_study
from medhome.tables import engine, panel, sources
from medhome.tables.engine import fetch

EARLY, LATE = "2010-04", "2010-06"
RUN_OUT = 3


def medhome(*asked: object) -> str:
    done = CliRunner().invoke(app, [str(a) for a in asked])
    assert done.exit_code == 0, done.output
    return done.stdout


def lines_of(folder) -> pd.DataFrame:
    """Claim lines of the files that were not denied and were paid within three months of service."""
    frames = []
    for table, day in (("medical_claim", "claim_start_date"), ("pharmacy_claim", "dispensing_date")):
        frame = pq.read_table(folder / f"{table}.parquet").to_pandas()
        served, paid = pd.to_datetime(frame[day]), pd.to_datetime(frame["paid_date"])
        frame["month"] = served.dt.year * 12 + served.dt.month - 1
        frame["paid_month"] = paid.dt.year * 12 + paid.dt.month - 1
        counts = (frame["x_claim_status"] != "denied") & (frame["paid_month"] - frame["month"] <= RUN_OUT)
        frame["cents"] = [round(float(v) * 100) for v in frame["allowed_amount"]]
        frames.append(frame.loc[counts, ["person_id", "month", "paid_month", "cents"]])
    return pd.concat(frames, ignore_index=True)


def compared(folder, spec) -> pd.DataFrame:
    """Who was compared in which month, in which arm."""
    with engine.session() as con:
        months = panel.build(con, sources.open_inputs(con, spec, folder), spec)
        return fetch(months.table.select("person_id", "month", "arm"))


@pytest.mark.exhaustive
def test_case_21_a_later_extract_restates_february_and_march_by_late_claims(tmp_path, monkeypatch):
    """The early extract has nothing paid after April 2010, so only months within three of May can differ."""
    monkeypatch.setattr("medhome.cli._fixed_environment", lambda: None)
    early, late = tmp_path / "early", tmp_path / "late"
    medhome("simulate", early, "--world", "small", "--paid-through", EARLY)
    medhome("simulate", late, "--world", "small")
    for name, data in (("first", early), ("second", late)):
        medhome("run", late / "study.toml", "--data", data, "--out", tmp_path / name)
    reports = (tmp_path / "first/small/2010-03", tmp_path / "second/small/2010-03")
    found = json.loads(medhome("restated", *reports, "--json"))

    spec = read_study(late / "study.toml")
    held, had = lines_of(late), lines_of(early)
    # The early files are the late ones without what was paid since: nothing else tells them apart.
    before = held[held["paid_month"] <= month_index(EARLY)]
    assert (had["cents"].sum(), len(had)) == (before["cents"].sum(), len(before))
    who = compared(late, spec)
    sums = [
        lines.merge(who, on=["person_id", "month"]).groupby(["month", "arm"])["cents"].sum()
        for lines in (had, held)
    ]
    months = who.groupby(["month", "arm"]).size()
    by_hand = {
        (f"{m // 12}-{m % 12 + 1:02d}", arm): (sums[0][m, arm], sums[1][m, arm], months[m, arm])
        for m, arm in months.index
        if sums[0][m, arm] != sums[1][m, arm]
    }
    assert {month for month, _ in by_hand} == {"2010-02", "2010-03"} and len(by_hand) == 4

    restated = {(row["month"], row["arm"]): row for row in found["restated"]}
    assert set(restated) == set(by_hand)
    for key, (old, new, exposed) in by_hand.items():
        row = restated[key]
        assert (round(row["old_allowed_usd"] * 100), round(row["new_allowed_usd"] * 100)) == (old, new)
        assert row["old_pmpm"] == pytest.approx(old / 100 / exposed, rel=1e-9)
        assert row["difference_pmpm"] == pytest.approx((new - old) / 100 / exposed, rel=1e-9)
        assert row["cause"] == "late claims"
    assert (found["new_months"], found["gone_months"], found["parameters"]) == ([], [], {})
    assert found["compared"] == 2 * len(spec.periods.analysed)

    text = medhome("restated", *reports)
    assert text.startswith(f"4 of {found['compared']} months by arm reported before differ")
    assert text.count("late claims") == 4
