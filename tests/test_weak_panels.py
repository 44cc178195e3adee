"""Nine ways in which a panel is too weak, under every estimator: a named refusal or warning, never silence.

What `medhome did` prints is the page; refusals leave with exit code 1.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import medhome
from front_door import typed
from medhome.panels import ESTIMATORS
from medhome.study.problems import ModelRefusal

ONE_START = ("did2x2", "event-study", "synthetic-did")
NAMES = sorted(set(ESTIMATORS) - {"triple-difference"})


def _sound() -> pd.DataFrame:
    """Twelve units at five times; four are first treated at 3, the effect is 2."""
    rng = np.random.default_rng([4])
    frame = pd.DataFrame([(u, t) for u in range(12) for t in range(5)], columns=["u", "t"])
    frame["g"] = np.where(frame["u"] < 4, 3, 0)
    frame["x"], frame["w"] = rng.normal(size=60), 1.0
    frame["y"] = frame["u"] + frame["t"] + 2 * ((frame["u"] < 4) & (frame["t"] >= 3)) + rng.normal(size=60)
    return frame


SOUND = _sound()
WEAK = {
    "no pre-period": (SOUND.assign(t=SOUND["t"] + 1, g=np.where(SOUND["u"] < 4, 1, 0)), {}),
    "one pre-period": (SOUND[SOUND["t"] >= 2], {}),
    "nobody never treated": (SOUND.assign(g=np.where(SOUND["u"] < 6, 2, 3)), {}),
    "a cohort of one": (SOUND.assign(g=np.where(SOUND["u"] == 0, 2, SOUND["g"])), {}),
    "a singleton": (SOUND[(SOUND["u"] != 11) | (SOUND["t"] == 0)], {}),
    "a heavy cluster": (SOUND.assign(w=np.where(SOUND["u"] == 3, 1000.0, 1.0)), {"weights": "w"}),
    "collinear covariates": (SOUND.assign(x2=2 * SOUND["x"]), {"covariates": ["x", "x2"]}),
    "a gap": (SOUND.drop(index=7), {}),
}
SAID = {
    "no pre-period": ("pre-period", "period before its start", "without an untreated row"),
    "one pre-period": ("one pre-period", "Only one period before", "needs two periods before"),
    "nobody never treated": ("never treated", "has one start", "no untreated row at t 3, 4"),
    "a cohort of one": ("is one unit", "has one start"),
    "a singleton": ("single row, kept", "unbalanced panel: 4 of 60", "balanced panel", "exactly once"),
    "a heavy cluster": ("holds 99% of the weight",),
    "collinear covariates": ("x2", "takes no covariates", "without covariates"),
    "a gap": ("balanced", "exactly once"),
}
NEEDS_BALANCE = ("bacon", "synthetic-did")


@pytest.mark.parametrize("case", list(WEAK))
@pytest.mark.parametrize("estimator", NAMES)
def test_what_is_weak_is_named(estimator, case):
    frame, options = WEAK[case]
    try:
        found = medhome.did(
            frame, outcome="y", unit="u", time="t", first_treated="g", estimator=estimator, **options
        )
    except ModelRefusal as refusal:
        assert refusal.exit_code == 1
        said, refused = str(refusal), True
    else:
        assert np.isfinite(found.estimate)
        said, refused = " ".join(found.warnings), False
    if case == "a gap" and estimator not in NEEDS_BALANCE:
        assert not refused
    elif case == "nobody never treated" and estimator in ONE_START:
        assert refused and "one start" in said
    else:
        assert any(words in said for words in SAID[case]), said
    if case in ("no pre-period",) or (case == "a gap" and estimator in NEEDS_BALANCE):
        assert refused
    if case == "a heavy cluster":
        assert not refused


@pytest.mark.parametrize("estimator", NAMES)
def test_a_sound_panel_is_told_nothing_of_the_kind(estimator):
    found = medhome.did(SOUND, outcome="y", unit="u", time="t", first_treated="g", estimator=estimator)
    said = " ".join(found.warnings)
    assert not any(w in said for case in WEAK for w in SAID[case] if w not in ("x2", "balanced"))


@pytest.mark.parametrize("estimator", NAMES)
def test_a_treated_unit_that_stops_exits_with_one(estimator, tmp_path):
    stops = SOUND.assign(d=((SOUND["u"] < 4) & (SOUND["t"] == 3)).astype(int))
    stops.to_csv(tmp_path / "stops.csv", index=False)
    code, _, message = typed(
        "did", tmp_path / "stops.csv", "--outcome", "y", "--unit", "u", "--time", "t", "--treated", "d",
        "--estimator", estimator, "--json",
    )  # fmt: skip
    assert code == 1 and "stops being treated" in message
