"""The specification curve on the page: what is drawn and said, and that a thousand estimates can be read."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from example import evaluation, report, specifications

from medhome.reporting import specification_figure, specification_pages, svg
from medhome.reporting.disclosure import release
from medhome.reporting.specification_labels import AXIS_LABELS, label
from medhome.study.saved import load_evaluation, save_evaluation
from medhome.study.specification_results import AXES, SpecificationCurve


def test_the_page_says_what_the_curve_shows():
    text = specification_pages.specification_curve(report()).text
    for shown in (
        "12 combinations of choices give effects from −$9.00 to $0.40",
        "92% are below zero",
        "is −$4.20: number 7 of 12",
        "the cap moves the effect most",
        "41 assignments",
        "17 times, the actual one counted (p = 0.41)",
        "with one organisation in the program no conventional interval is valid",
        "Practice and month",
    ):
        assert shown in text, shown


def test_words_follow_the_result():
    few = dataclasses.replace(specifications(), treated_organizations=3, exact=False)
    text = specification_pages.specification_curve(report(specifications=few)).text
    assert "random sets of as many" in text and "with 3 organisations in the program" in text
    assert specification_pages.specification_curve(report(specifications=SpecificationCurve())).text == ""
    none = SpecificationCurve(left_out=("static, population all: too few members",))
    assert "too few members." in specification_pages.specification_curve(report(specifications=none)).text


def test_rows_of_marks_are_those_of_axes_that_move():
    found = specifications()
    lines = specification_figure.rows(found)
    assert [(a, v) for a, v, _h in lines] == [
        ("cap", "100000"), ("cap", "none"), ("amount", "allowed"), ("amount", "paid"),
        ("estimator", "twfe"), ("estimator", "did2x2"), ("estimator", "ppml"),
    ]  # fmt: skip
    heights = [h for *_names, h in lines]
    assert heights == sorted(heights)


def test_marks_stand_under_their_estimates():
    chosen = np.array([False, True, True, False, True])
    x, y = specification_figure.marks(chosen)
    assert x[0] == pytest.approx(0.6) and x[1] == pytest.approx(2.4) and x[3] == pytest.approx(3.6)
    assert [v == v for v in y] == [True, True, False] * 2


def test_a_thousand_estimates_stay_vectors_and_small():
    base = specifications()
    many = pd.concat([base.effects.assign(weights=f"w{i}") for i in range(90)], ignore_index=True)
    many = many.assign(primary=False).sort_values("estimate", kind="stable").reset_index(drop=True)
    many.loc[400, "primary"] = True
    curve = dataclasses.replace(base, specifications=many)
    picture = specification_figure.figure(curve, report().spec, specification_pages.choices(curve))
    with svg.style():
        drawn = svg.drawing(picture.draw(342), "many")
    assert "<image" not in drawn and drawn.count("<use") > 1000
    assert len(drawn) < 400_000 and "This study" in drawn


def test_every_value_of_every_axis_has_a_name():
    for axis in AXES:
        assert AXIS_LABELS[axis]
    assert label("cap", "50000") == "Cap $50,000" and label("weights", "entropy") == "Entropy balanced"
    with pytest.raises(KeyError):
        label("weights", "by taste")


def test_the_curve_is_released_and_saved_whole(tmp_path):
    whole = evaluation()
    released, _gate = release(whole, 11)
    save_evaluation(released, tmp_path)
    again = load_evaluation(tmp_path).specifications
    for name in ("specifications", "choices", "ranks"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(whole.specifications, name))
    assert again.left_out == whole.specifications.left_out and again.treated_organizations == 1
