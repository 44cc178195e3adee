"""Figures: same bytes for the same result, colours from the style sheet, text as text, ids of their own."""

from __future__ import annotations

import base64
import dataclasses
import re
import xml.etree.ElementTree as ET

import example
import numpy as np
import pytest
from matplotlib.figure import Figure as MplFigure
from matplotlib.text import Text

from medhome.reporting import (
    cohort_figures,
    figures,
    payment_figures,
    placebo_figures,
    robustness_figures,
    svg,
)
from medhome.reporting.drawing import NARROW, WIDE, Figure
from medhome.study.published import published_effect

SPEC = example.spec()
DRAWN = {
    "detectable": lambda e: figures.detectable(e.did, published_effect(), SPEC),
    "event_study": lambda e: figures.event_study(e.did, SPEC),
    "series": lambda e: figures.series(e.expected, SPEC),
    "definitions": lambda e: figures.definitions(e.expected, SPEC),
    "calibration": lambda e: figures.calibration(e.risk, SPEC),
    "volumes": lambda e: cohort_figures.volumes(e.quality, SPEC),
    "waterfall": lambda e: cohort_figures.waterfall(e.quality, SPEC),
    "balance": lambda e: cohort_figures.balance(e.cohort, SPEC),
    "organizations": lambda e: cohort_figures.organizations(e.cohort, SPEC),
    "estimators": lambda e: robustness_figures.methods(e.robustness, SPEC),
    "without": lambda e: robustness_figures.left_out(e.robustness, "practices", e.did, SPEC),
    "bounds": lambda e: robustness_figures.bounds(e.robustness, "smoothness", SPEC),
    "settlement": lambda e: payment_figures.settlement_figure(e.payment),
    "placebo_starts": lambda e: placebo_figures.placebo_starts(e.robustness, e.did, SPEC),
    "placebo_arm": lambda e: placebo_figures.placebo_arm(e.robustness, SPEC, 18_998),
}


@pytest.fixture(scope="module", params=DRAWN)
def figure(request) -> Figure:
    return DRAWN[request.param](example.evaluation())


@pytest.fixture(scope="module")
def markup(figure) -> str:
    return figure.block().html


def test_every_drawing_has_a_title_a_description_and_a_table(figure, markup):
    for one in ("wide", "narrow"):
        assert f'aria-labelledby="{figure.id}-{one}-title {figure.id}-{one}-desc"' in markup
        assert re.search(rf'<title id="{figure.id}-{one}-title">[^<]+</title>', markup)
        assert re.search(rf'<desc id="{figure.id}-{one}-desc">[^<]+</desc>', markup)
    assert len(re.findall(r'<svg [^>]*role="img"', markup)) == markup.count("<svg ") == 2
    assert figure.title and figure.subtitle and figure.note
    assert re.search(r"<table[ >]", markup) and ".csv" in markup and ".svg" in markup


def test_ids_are_unique_and_every_reference_is_met(markup):
    page = re.sub(r'href="data:[^"]+"', "", markup)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    asked = re.findall(r"url\(#([^)]+)\)", page) + re.findall(r'href="#([^"]+)"', page)
    assert set(asked) <= set(ids)


def test_every_colour_of_the_page_s_drawing_is_a_variable(markup):
    page = re.sub(r'href="data:[^"]+"', "", markup)
    assert re.findall(r"#[0-9a-fA-F]{6}\b", page) == []
    assert "var(--c1)" in page
    assert "DejaVu" not in page
    assert "<style" not in page


def test_text_is_text(figure, markup):
    assert len(re.findall(r"<text ", markup)) > 6


def test_the_download_stands_alone_in_real_colours(figure, markup):
    link = re.search(rf'<a download="{figure.id}.svg" href="data:image/svg\+xml;base64,([^"]+)"', markup)
    assert link
    drawing = base64.b64decode(link[1]).decode()
    root = ET.fromstring(drawing)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "#0072b2" in drawing and "var(--" not in drawing
    assert not re.search(r"<dc:date>|Date|\d{4}-\d\d-\d\dT", drawing)


def test_the_phone_has_a_drawing_of_its_own_width(markup):
    boxes = re.findall(r'<div class="(wide|narrow)"><svg [^>]*viewBox="0 0 (\d+)', markup)
    assert boxes == [("wide", str(WIDE)), ("narrow", str(NARROW))]


def test_nothing_drawn_says_parallel_or_nan(markup):
    text = re.sub(r'href="data:[^"]+"', "", markup)
    assert "parallel" not in text.lower()
    assert not re.search(r"\bnan\b", text)


@pytest.mark.parametrize("name", DRAWN)
def test_text_stays_inside_its_drawing(name):
    """No label is cut off at the edge, at either width."""
    made = DRAWN[name](example.evaluation())
    for width in (WIDE, NARROW):
        with svg.style():
            drawn = made.draw(width)
            drawn.draw_without_rendering()
        for text in _texts(drawn):
            box = text.get_window_extent()
            assert box.x0 >= -2 and box.x1 <= width + 2, (name, width, text.get_text(), box)


def _texts(drawn: MplFigure) -> list[Text]:
    """The texts that a reader sees: every one but the labels of ticks beyond the ends of an axis."""
    found, every = [], []
    for axes in drawn.axes:
        for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            low, high = sorted(limits)
            every += [
                label for tick in (*axis.majorTicks, *axis.minorTicks) for label in (tick.label1, tick.label2)
            ]
            found += [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
    found += [text for text in drawn.findobj(Text) if text not in every]
    return [text for text in found if text.get_text().strip() and text.get_visible()]


def test_a_withheld_month_is_a_gap_and_the_note_says_so():
    made = cohort_figures.volumes(example.quality(), SPEC)
    with svg.style():
        line = made.draw(WIDE).axes[0].lines[1]  # after the line that marks the start
    values = np.asarray(line.get_ydata(), dtype=float)
    assert np.isnan(values[[11, 12]]).all() and np.isfinite(values[[10, 13]]).all()
    assert "What is missing here is withheld" in made.block().html
    # what is withheld but not drawn leaves no gap
    organizations = example.cohort().organizations.dropna(subset=["members"]).assign(practices=np.nan)
    drawn = cohort_figures.organizations(
        dataclasses.replace(example.cohort(), organizations=organizations), SPEC
    )
    assert "withheld" in drawn.table.csv() and "What is missing here is withheld" not in drawn.block().html
    whole = dataclasses.replace(example.quality(), volumes=example.quality().volumes.fillna(100.0))
    assert "What is missing here is withheld" not in cohort_figures.volumes(whole, SPEC).block().html


def test_the_event_study_marks_before_and_after_differently_and_the_reference_hollow():
    with svg.style():
        axes = figures.event_study(example.did(), SPEC).draw(WIDE).axes[0]
    marks = {line.get_xdata()[0]: line for line in axes.lines if line.get_marker() not in ("None", "", None)}
    assert len(marks) == 16
    assert {marks[q].get_marker() for q in range(-8, -1)} == {"s"}
    assert {marks[q].get_marker() for q in range(0, 8)} == {"o"}
    assert marks[-1].get_markerfacecolor() == "#ffffff"
    assert marks[3].get_ydata()[0] == example.did().event_study["estimate"].iloc[11]


def test_the_series_shades_the_gap_only_after_the_start():
    with svg.style():
        axes = figures.series(example.expected(), SPEC).draw(WIDE).axes[0]
    shade = axes.collections[0].get_paths()[0].vertices[:, 0]
    assert shade.min() == -1.0 and shade.max() == 7.0
    dashed = [line for line in axes.lines if line.is_dashed()]
    assert (
        len(dashed) == 1 and dashed[0].get_ydata()[-1] == example.expected().series["expected_pmpm"].iloc[-1]
    )


@pytest.mark.parametrize("members, scale", [([100.0, 900.0], "linear"), ([100.0, 9000.0], "log")])
def test_sizes_of_organisations_are_on_a_log_scale_only_where_they_differ_much(members, scale):
    frame = example.cohort().organizations.iloc[[0, 1]].assign(members=members)
    cohort = dataclasses.replace(example.cohort(), organizations=frame)
    with svg.style():
        assert cohort_figures.organizations(cohort, SPEC).draw(WIDE).axes[0].get_yscale() == scale


@pytest.mark.parametrize("missing", [["estimate"], ["estimate", "se", "lo95", "hi95"]])
def test_an_event_study_without_numbers_can_still_be_drawn(missing):
    events = example.did().event_study.copy()
    events[missing] = np.nan
    figures.event_study(dataclasses.replace(example.did(), event_study=events), SPEC).block()


def test_a_definition_that_could_not_be_estimated_is_named_without_a_mark():
    drawn = "".join(
        re.findall(r"<text[^>]*>([^<]+)</text>", figures.definitions(example.expected(), SPEC).block().html)
    )
    assert "E1b Baseline with an external trend (no estimate)" in drawn


def test_figures_without_an_estimate_can_be_drawn():
    did = example.did(None, None, None, detectable=None)
    figures.detectable(did, published_effect(), SPEC).block()


def test_many_marks_are_drawn_as_a_picture():
    def drawing(n: int) -> str:
        figure = MplFigure(figsize=(4, 3))
        figure.subplots().plot(np.arange(n), np.arange(n), "o")
        return svg.drawing(figure, "t")

    assert "<image" not in drawing(svg.MOST_VECTOR_MARKS)
    assert "<image" in drawing(svg.MOST_VECTOR_MARKS + 1)


def test_a_drawing_needs_words():
    figure = MplFigure(figsize=(1, 1))
    figure.subplots()
    with pytest.raises(ValueError, match="a title and a description are needed"):
        svg.inline(svg.drawing(figure, "t"), "t", "Title", " ")


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(a: str, b: str) -> float:
    light, dark = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_of_the_palette_in_both_schemes():
    """WCAG 2.2, 1.4.3: 4.5 to 1 for text, on the page and on its soft boxes."""
    from medhome.reporting.render import TEMPLATES

    sheet = (TEMPLATES / "medhome" / "style.css").read_text(encoding="utf-8")
    light, dark = re.findall(r":root \{[^}]*?--ink[^}]*\}", sheet)[:2]
    for scheme in (light, dark):
        colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", scheme))
        pairs = [(text, ground) for text in ("ink", "mute", "c1") for ground in ("bg", "soft")]
        for text, ground in [*pairs, ("c2", "bg")]:  # no text in vermilion stands on the soft ground
            assert _contrast(colours[text], colours[ground]) >= 4.5, (text, ground, scheme[:40])
    assert dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", light)) | svg.PALETTE == dict(
        re.findall(r"--(\w+): (#[0-9a-f]{6})", light)
    )
