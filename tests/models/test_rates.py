"""Effects on rates and shares: by hand, against brute force, and how often they find what is not there."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
from numpy.testing import assert_allclose

from medhome.models import rates
from medhome.study.cells import Cells
from medhome.study.measure_results import MOMENTS, CollapsedMeasures, MeasureCells
from medhome.study.spec import StudySpec

KEYS = ("organization_id", "practice_id", "arm", "month")
FIRST = 2008 * 12
PER_1000 = 12_000.0


def study() -> StudySpec:
    """Two months before, two after."""
    return StudySpec.model_validate(
        {
            "id": "s", "title": "S", "seed": 1, "paid_through": "2008-05", "program": {"name": "P"},
            "periods": {"baseline_first": "2008-01", "baseline_last": "2008-02", "start": "2008-03",
                        "through": "2008-04", "run_out_months": 0},
        }
    )  # fmt: skip


def measure(people: pd.DataFrame, unit: str = "per_1000", **more) -> MeasureCells:
    """A measure of people: organization_id, arm, n0, n1 (events before, after), d0, d1 (what they count
    over).

    Events and exposure of a period lie in its first month, in a practice of the organisation's name.
    """
    people = people.assign(practice_id=people["organization_id"])
    parts = []
    for period, month in ((0, FIRST), (1, FIRST + 2)):
        sums = people.groupby(["organization_id", "practice_id", "arm"], sort=True)[
            [f"n{period}", f"d{period}"]
        ].sum()
        part = sums.reset_index().assign(month=month)
        part["w"] = [1000 * int(v) for v in part[f"d{period}"]]
        part["w*events"] = [1000 * int(v) for v in part[f"n{period}"]]
        parts.append(part[[*KEYS, "w", "w*events"]].assign(rows=1))
    cells = Cells(keys=KEYS, scales={"events": 1}, frame=pd.concat(parts, ignore_index=True))
    moments = people.assign(**{m: people[m[:2]] * people[m[2:]] for m in MOMENTS if len(m) == 4})
    organizations = moments.groupby(["organization_id", "arm"], sort=True)[list(MOMENTS)].sum().reset_index()
    rows = []
    factor = PER_1000 if unit == "per_1000" else 1.0
    for arm in ("treated", "comparison"):
        mine = people[people["arm"] == arm]
        for i, period in enumerate(("baseline", "performance")):
            n, d = mine[f"n{i}"], mine[f"d{i}"]
            rows.append({"measure": more.get("measure", "m"), "family": "utilisation", "label": "M", "unit":
                         unit, "arm": arm, "period": period, "members": int((d > 0).sum()), "members_with":
                         int((n > 0).sum()), "denominator": float(d.sum()), "events": float(n.sum()),
                         "rate": factor * n.sum() / d.sum() if d.sum() else np.nan})  # fmt: skip
    about = {"measure": "m", "family": "utilisation", "label": "M", "unit": unit, "direction": "lower"} | more
    return MeasureCells(**about, cells=cells, organizations=organizations, rates=pd.DataFrame(rows))


def people(rows: list[tuple]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["organization_id", "arm", "n0", "n1", "d0", "d1"])


FEW = people([
    ("T", "treated", 3, 2, 12, 12), ("T", "treated", 1, 1, 12, 12), ("A", "comparison", 2, 4, 12, 12),
    ("A", "comparison", 0, 1, 12, 12), ("B", "comparison", 1, 2, 12, 12), ("B", "comparison", 3, 1, 12, 12),
])  # fmt: skip


def test_a_rate_moves_by_the_ratio_of_the_comparisons():
    """Treated 4 to 3 events in 24 months, comparisons 6 to 8 in 48: expected 4 x 8/6, a ratio of 9/16."""
    found = rates.effect(measure(FEW), study())
    expected = 4 * 8 / 6
    assert_allclose(found["estimate"], PER_1000 * (3 - expected) / 24, rtol=1e-8)
    assert_allclose(found["ratio"], 9 / 16, rtol=1e-8)
    assert_allclose(found["baseline_share"], (3 - expected) / 4, rtol=1e-8)
    assert_allclose(found["treated_baseline"], PER_1000 * 4 / 24)
    assert np.isnan(found["p"]) and "fewer than 8" in found["note"]
    assert found["lo95"] < found["estimate"] < found["hi95"]


def test_a_share_moves_in_points():
    """Treated 2 of 4 to 3 of 4; comparisons 4 of 8 to 5 of 8: 25 less 12.5 points."""
    rows = [("T", "treated", i < 2, i < 3, 1, 1) for i in range(4)]
    rows += [(o, "comparison", i < 2, i < 2 + (o == "A"), 1, 1) for o in "AB" for i in range(4)]
    frame = people(rows).astype({c: int for c in ("n0", "n1", "d0", "d1")})
    found = rates.effect(measure(frame, "share"), study())
    assert_allclose(found["estimate"], 0.125, rtol=1e-9)
    assert np.isnan(found["ratio"])


def test_sampling_variance_is_that_of_members():
    """The moments give the sum over members of the squared part that each has in the change."""
    rng = np.random.default_rng(7)
    rows = []
    for name, arm, size in (("T", "treated", 400), ("A", "comparison", 500), ("B", "comparison", 300)):
        taste = rng.gamma(0.5, 1.0, size)
        rows += list(zip([name] * size, [arm] * size, rng.poisson(taste), rng.poisson(taste),
                         rng.integers(6, 13, size), rng.integers(0, 13, size), strict=True))  # fmt: skip
    frame = people(rows)
    growth = 1.3
    found = rates.changes(measure(frame).organizations, growth)
    for arm in ("treated", "comparison"):
        brute, sizes = [], []
        for _name, own in frame[frame["arm"] == arm].groupby("organization_id"):
            D0, D1 = own["d0"].sum(), own["d1"].sum()
            r0, r1 = own["n0"].sum() / D0, own["n1"].sum() / D1
            part = (own["n1"] - r1 * own["d1"]) / D1 - growth * (own["n0"] - r0 * own["d0"]) / D0
            brute.append((part**2).sum())
            sizes.append(D0 * D1 / (D0 + D1))
        mine = found.variance[found.treated == (arm == "treated")]
        weight = np.array(sizes) ** 2
        assert_allclose((mine * weight).sum(), (np.array(brute) * weight).sum(), rtol=1e-9)
    # What is lasting about a member is in both periods and goes out of the change.
    T = frame[frame["arm"] == "treated"]
    apart = sum(growth ** (2 * (1 - i)) * len(T) * T[f"n{i}"].var() / T[f"d{i}"].sum() ** 2 for i in (0, 1))
    assert found.variance[found.treated][0] < 0.8 * apart


def test_no_events_and_no_comparisons_are_said():
    empty = FEW.assign(n1=np.where(FEW["arm"] == "treated", 0, FEW["n1"]))
    found = rates.effect(measure(empty), study())
    assert np.isnan(found["estimate"]) and found["note"] == "no events (treated arm, performance)"
    found = rates.effect(measure(FEW[FEW["organization_id"] != "B"]), study())
    assert np.isfinite(found["estimate"]) and np.isnan(found["se"])
    assert found["note"] == "fewer than 2 comparison organisations: no interval"


def test_a_poisson_model_without_an_answer_is_said(monkeypatch):
    monkeypatch.setattr(rates, "poisson", lambda cells, first_post: float("nan"))
    found = rates.effect(measure(FEW), study())
    assert np.isnan(found["estimate"]) and found["note"] == "the Poisson model of its rates did not settle"


def test_holm_and_benjamini_hochberg_by_hand():
    p = [0.001, 0.012, 0.02, 0.6]
    assert_allclose(rates.holm(p), [0.004, 0.036, 0.04, 0.6])
    assert_allclose(rates.benjamini_hochberg(p), [0.004, 0.024, 0.08 / 3, 0.6])
    assert_allclose(rates.holm([0.5, 0.9, 0.4]), [1, 1, 1])
    assert len(rates.holm([])) == 0


def world(rng: np.random.Generator, measures: int, effect: float = 1.0) -> list[MeasureCells]:
    """One treated organisation among 21, whose own rates drift by 4%; people who use care again and again."""
    sizes = {"T": 900} | {f"C{i:02d}": int(n) for i, n in enumerate(np.geomspace(60, 400, 20))}
    found = []
    for k in range(measures):
        rows = []
        for name, size in sizes.items():
            taste = rng.gamma(0.4, 0.3 / 0.4, size)
            drift = np.exp(0.04 * rng.standard_normal(2))
            lift = effect if name == "T" and k == 0 else 1.0
            n0, n1 = rng.poisson(taste * drift[0]), rng.poisson(1.05 * lift * taste * drift[1])
            months = np.full(size, 12)
            arm = ["treated" if name == "T" else "comparison"] * size
            rows.append(
                pd.DataFrame(
                    {"organization_id": name, "arm": arm, "n0": n0, "n1": n1, "d0": months, "d1": months}
                )
            )
        found.append(dataclasses.replace(measure(pd.concat(rows, ignore_index=True)), measure=f"m{k}"))
    return found


def test_adjusted_rejections_where_nothing_happened():
    """Of 30 worlds with four measures each, those with any Holm-adjusted p below 5% (200: benchmarks/)."""
    false = 0
    for seed in range(30):
        found = world(np.random.default_rng([seed, 41]), 4)
        effects = pd.DataFrame([rates.effect(m, study()) for m in found])
        false += bool((rates.adjusted(effects)["p_holm"] < 0.05).any())
    assert false <= 3, f"{false} of 30"


def test_an_effect_is_found_and_lies_in_its_interval():
    inside = found = 0
    for seed in range(20):
        one = rates.effect(world(np.random.default_rng([seed, 43]), 1, 0.5)[0], study())
        truth = one["treated_performance"] * (1 - 1 / 0.5)
        inside += one["lo95"] <= truth <= one["hi95"]
        found += one["p"] < 0.05
        assert abs(one["estimate"] - truth) < 4 * one["se"]
    assert inside >= 17 and found >= 18


def test_the_result_has_every_column_and_the_families_apart():
    both = [measure(FEW), measure(FEW, family="chronic", measure="c"), measure(FEW, measure="g", gap=True)]
    both = [m if not m.gap else dataclasses.replace(m, rates=m.rates.drop(columns="unit")) for m in both]
    found = rates.describe(CollapsedMeasures(measures=tuple(both)), study())
    assert found.rates["measure"].nunique() == 2 and found.gaps["measure"].unique().tolist() == ["g"]
    assert len(found.effects) == 3 and found.effects["p_holm"].isna().all()
    assert rates.describe(CollapsedMeasures(), study()).effects.empty
