"""The effects that a world injects into surveys are found again, and move nothing else in it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from medhome.models import surveys as models
from medhome.simulate import WORLDS, simulate_world
from medhome.study.spec import read_study
from medhome.tables import collapse, engine, panel, sources, surveys

SHARE, DAYS = 0.30, -2.5


@pytest.fixture(scope="module")
def moved(tmp_path_factory):
    """The small world, in which many are better served."""
    folder = tmp_path_factory.mktemp("moved")
    settings = {"appointment_effect_share": SHARE, "appointment_effect_days": DAYS}
    return folder, simulate_world(replace(WORLDS["small"], **settings), folder)


def test_only_the_survey_knows_of_them(small, moved):
    folder, truth = moved
    for name in ("eligibility", "medical_claim", "pharmacy_claim", "provider_practice", "care_management"):
        assert (folder / f"{name}.parquet").read_bytes() == (small.folder / f"{name}.parquet").read_bytes()
    assert (folder / "survey.parquet").read_bytes() != (small.folder / "survey.parquet").read_bytes()
    assert truth.truths == small.truth.truths
    assert truth.settings["appointment_effect_share"] == SHARE


def test_injected_effects_are_recovered_and_nothing_is_found_where_none_is(moved):
    folder, _ = moved
    spec = read_study(folder / "study.toml")
    with engine.session() as con:
        inputs = sources.open_inputs(con, spec, folder)
        months = panel.build(con, inputs, spec)
        scored = collapse.score(months, {"intercept": 20000.0} | dict.fromkeys(months.terms, 0.0))
        answers = surveys.collect(inputs, scored, spec)
    effects = models.describe(answers, spec).effects.set_index("measure")
    truths = {"timely_appointments": SHARE, "communication": 0.0, "days_to_third_next": DAYS, "rating": 0.0}
    for measure, truth in truths.items():
        row = effects.loc[measure]
        assert abs(row["estimate"] - truth) < 4 * row["se"], measure
    assert effects.loc["timely_appointments", "lo95"] > 0
    assert effects.loc["days_to_third_next", "hi95"] < 0
    assert effects.loc["communication", "p"] > 0.05
