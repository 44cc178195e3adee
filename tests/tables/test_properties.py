"""What must hold for any data: order and file cuts change nothing, nothing is lost between two rules."""

from __future__ import annotations

import datetime as dt
import random

import dozen
import ibis
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medhome.study.periods import month_index
from medhome.tables import collapse, employers, engine, member_months, panel, sources, strata


@pytest.fixture(scope="module")
def con():
    with engine.session() as con:
        yield con


@pytest.mark.parametrize("seed", [1, 2])
def test_row_order_and_file_cuts_change_nothing(con, dozen_built, tmp_path, seed):
    draw = random.Random(seed)
    for name, frame in dozen.frames().items():
        frame = frame.sample(frac=1, random_state=seed)
        cuts = sorted(draw.sample(range(1, len(frame)), k=min(3, len(frame) - 1)))
        (tmp_path / name).mkdir()
        for number, (first, end) in enumerate(zip([0, *cuts], [*cuts, len(frame)], strict=True)):
            frame.iloc[first:end].to_csv(tmp_path / name / f"part-{number}.csv", index=False)
    again = dozen.build(con, tmp_path, dozen_built.spec)
    pd.testing.assert_frame_equal(again.cells.frame, dozen_built.cells.frame)
    before, after = dozen_built.panel, again.panel
    pd.testing.assert_frame_equal(after.attrition.frame, before.attrition.frame)
    pd.testing.assert_frame_equal(after.waterfall, before.waterfall)
    pd.testing.assert_frame_equal(after.volumes, before.volumes)
    spec = dozen_built.spec
    pd.testing.assert_frame_equal(
        collapse.member_rows(after, spec).frame, collapse.member_rows(before, spec).frame
    )
    pd.testing.assert_frame_equal(
        collapse.month_pairs(after, "paid").frame, collapse.month_pairs(before, "paid").frame
    )


@pytest.fixture(scope="module")
def varied_folder(tmp_path_factory):
    """The dozen with an infant (M03), employers G1 (M02, M05) and G2 (M14), renal failure (M04), a hospice
    (M13) and two deaths."""
    tables = dozen.frames()
    people, lines = tables["eligibility"], tables["medical_claim"]
    people.loc[people["person_id"] == "M03", "birth_date"] = "2007-06-15"
    people["group_id"] = people["person_id"].map({"M02": "G1", "M05": "G1", "M14": "G2"})
    people["hospice_flag"] = (people["person_id"] == "M13").astype(int)
    people.loc[people["person_id"] == "M09", "death_date"] = "2008-06-30"
    lines.loc[lines["claim_id"] == "V04", "diagnosis_code_1"] = "5856"
    return dozen.write(tmp_path_factory.mktemp("varied"), tables)


RULES = {
    "population__infants": "separate",
    "population__special_categories": "separate",
    "population__decedents": "exclude",
    "population__employer_grid": True,
    "population__employer_groups_excluded": ["G2"],
    "population__min_months": 2,
    "population__min_months_rule": "continuous",
}
OTHER_RULES = RULES | {
    "population__infants": "exclude",
    "population__special_categories": "exclude",
    "population__employer_groups_excluded": [],
    "population__exposure": "day_fraction",
    "periods__washout_months": 1,
}


@pytest.mark.parametrize(("rules", "seed"), [(RULES, 3), (OTHER_RULES, 4)])
def test_row_order_and_file_cuts_change_nothing_with_rules_on_who_is_compared(
    con, varied_folder, tmp_path, rules, seed
):
    spec, draw = dozen.study(**rules), random.Random(seed)
    coefficients = {"intercept": 100.0}
    whole = _described(dozen.build(con, varied_folder, spec, coefficients), con, varied_folder)
    for file in sorted(varied_folder.glob("*.csv")):
        frame = pd.read_csv(file, dtype="str").sample(frac=1, random_state=seed)
        cuts = sorted(draw.sample(range(1, len(frame)), k=min(3, len(frame) - 1)))
        (tmp_path / file.stem).mkdir()
        for number, (first, end) in enumerate(zip([0, *cuts], [*cuts, len(frame)], strict=True)):
            frame.iloc[first:end].to_csv(tmp_path / file.stem / f"part-{number}.csv", index=False)
    again = _described(dozen.build(con, tmp_path, spec, coefficients), con, tmp_path)
    assert whole.keys() == again.keys()
    for name, frame in whole.items():
        assert len(frame), name
        pd.testing.assert_frame_equal(again[name], frame, obj=name)
    kinds, dropped = set(whole["strata"]["stratum"]), whole["attrition"].set_index("rule")
    assert ("infants" in kinds) == (rules["population__infants"] == "separate")
    for rule in ("decedents", "special_categories", "employer_groups", "infants"):
        if rule in dropped.index:
            assert dropped.loc[[rule], "member_months_dropped"].sum() > 0, rule


def _described(built, con, folder):
    """Every frame that the cohort rules decide."""
    panel, spec = built.panel, built.spec
    rows = collapse.member_rows(panel, spec)
    inputs = sources.open_inputs(con, spec, folder)
    groups = employers.employer_cells(inputs, panel, built.cells, spec)
    return {
        "cells": built.cells.frame,
        "rows": rows.frame,
        "pairs": collapse.month_pairs(panel, "allowed_capped").frame,
        "attrition": panel.attrition.frame,
        "waterfall": panel.waterfall,
        "volumes": panel.volumes,
        "strata": strata.by_arm(built.cells, rows, spec),
        "employers": groups.groups,
        "cells of employers": groups.cells.frame,
    }


@settings(max_examples=8)
@given(
    age_min=st.integers(0, 30),
    width=st.integers(0, 60),
    min_months=st.integers(1, 5),
    pharmacy=st.booleans(),
    run_out=st.integers(0, 3),
    cap=st.sampled_from([None, 1000, 2000]),
    rule=st.sampled_from(["total", "continuous"]),
    infants=st.sampled_from(["separate", "children", "exclude"]),
    special=st.sampled_from(["keep", "separate", "exclude"]),
    decedents=st.sampled_from(["keep", "exclude"]),
    groups=st.sampled_from([[], ["G1"], ["G1", "G2"]]),
)
def test_what_a_rule_drops_is_what_is_missing_after_it(
    con,
    varied_folder,
    age_min,
    width,
    min_months,
    pharmacy,
    run_out,
    cap,
    rule,
    infants,
    special,
    decedents,
    groups,
):
    spec = dozen.study(
        population__min_months_rule=rule,
        population__infants=infants,
        population__special_categories=special,
        population__decedents=decedents,
        population__employer_groups_excluded=groups,
        population__age_min=age_min,
        population__age_max=age_min + 35 + width,
        population__min_months=min_months,
        population__require_pharmacy_benefit=pharmacy,
        outcomes__services="all" if pharmacy else "medical",
        outcomes__cap_usd_per_year=cap,
        periods__run_out_months=run_out,
    )
    built = dozen.build(con, varied_folder, spec, {"intercept": 100.0})
    frame = built.panel.attrition.frame
    for _arm, steps in frame.groupby("arm"):
        steps = steps.sort_values("step")
        for what in ("members", "member_months", "allowed_usd"):
            before, after, dropped = (
                steps[what].iloc[:-1].to_numpy(),
                steps[what].iloc[1:].to_numpy(),
                steps[f"{what}_dropped"].iloc[1:].to_numpy(),
            )
            assert abs(before - after - dropped).max() < 1e-6
            assert (after >= 0).all() and (what == "allowed_usd" or (dropped >= 0).all())
    final = frame[frame["step"] == frame["step"].max()]
    assert final["member_months"].sum() == built.cells.member_months.sum()
    waterfall = built.panel.waterfall
    assert waterfall["allowed_usd"].iloc[:-1].sum() == pytest.approx(waterfall["allowed_usd"].iloc[-1])
    uncapped = waterfall.loc[~waterfall["reason"].isin(["above_cap", "model"]), "allowed_usd"].sum()
    assert final["allowed_usd"].sum() == pytest.approx(uncapped)
    assert built.cells.total("allowed_capped").sum() == pytest.approx(waterfall["allowed_usd"].iloc[-1])


MONTHS = tuple(range(month_index("2008-01"), month_index("2008-07")))
DAYS = st.dates(dt.date(2007, 11, 1), dt.date(2008, 8, 31))
SPANS = st.lists(
    st.tuples(st.sampled_from("ABC"), DAYS, st.one_of(st.none(), DAYS), st.booleans(), st.booleans()),
    min_size=1,
    max_size=6,
)


@settings(max_examples=25)
@given(spans=SPANS, death=st.one_of(st.none(), DAYS))
def test_a_member_month_is_a_15th_day_inside_some_span(con, spans, death):
    eligibility = ibis.memtable(
        [
            (
                person,
                dt.date(1980, 1, 1),
                "female",
                "",
                first,
                last,
                death if person == "A" else None,
                "x",
                m,
                p,
            )
            for person, first, last, m, p in spans
        ],
        schema={
            "person_id": "string",
            "birth_date": "date",
            "gender": "string",
            "state": "string",
            "enrollment_start_date": "date",
            "enrollment_end_date": "date",
            "death_date": "date",
            "payer_type": "string",
            "x_medical_benefit": "int32",
            "x_pharmacy_benefit": "int32",
        },
    ).mutate(x_capitated=ibis.literal(0))
    persons = con.create_table("p", member_months.people(eligibility, dozen.study()), overwrite=True)
    names = engine.fetch(persons.order_by("person_id"))["person_id"].tolist()
    months = member_months.exposed(eligibility, persons, MONTHS, [])
    found = engine.fetch(months.order_by("person_key", "month"))
    expected = []
    for key, person in enumerate(names):
        for month in MONTHS:
            day = dt.date(month // 12, month % 12 + 1, 15)
            dead = person == "A" and death is not None and (death.year, death.month) < (day.year, day.month)
            covering = [s for s in spans if s[0] == person and s[1] <= day <= (s[2] or dt.date.max)]
            if covering and not dead:
                expected.append(
                    (key, month, int(any(s[3] for s in covering)), int(any(s[4] for s in covering)))
                )
    columns = ["person_key", "month", "medical", "pharmacy"]
    assert [tuple(row) for row in found[columns].itertuples(index=False)] == expected


COSTS = st.lists(st.integers(-20_000, 250_000), min_size=6, max_size=6)


@settings(max_examples=25)
@given(allowed=COSTS, paid=COSTS, trend=st.sampled_from([0.0, 0.1]))
def test_the_cap_cuts_the_running_sum_of_each_year(con, allowed, paid, trend):
    spec = dozen.study(outcomes__cap_trend=trend)
    table = ibis.memtable(
        {
            "person_key": [0] * 6,
            "month": list(MONTHS),
            "w": [1000] * 6,
            "allowed_cents": allowed,
            "paid_cents": paid,
        },
        schema={
            "person_key": "int32",
            "month": "int32",
            "w": "int32",
            "allowed_cents": "int64",
            "paid_cents": "int64",
        },
    )
    found = engine.fetch(
        con.create_table("capped", panel.capped(table, spec), overwrite=True).order_by("month")
    )
    for raw, name in ((allowed, "allowed_capped_cents"), (paid, "paid_capped_cents")):
        # The year before the start has 1,000 / 1.1 = 909.09 with a trend of 10%; the one after it 1,000.
        limits = {-1: 90909 if trend else 100000, 0: 100000}
        expected, sums = [], {-1: 0, 0: 0}
        for month, cents in zip(MONTHS, raw, strict=True):
            window = -1 if month < month_index("2008-04") else 0
            before = min(sums[window], limits[window])
            sums[window] += cents
            expected.append(min(sums[window], limits[window]) - before)
        assert found[name].tolist() == expected
