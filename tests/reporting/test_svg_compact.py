"""Compact drawings: the same marks at the same places in the same order, in fewer bytes."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import example
import pytest

from medhome.reporting import cohort_figures, figures, svg
from medhome.reporting.svg_compact import compact, short, short_path

SPEC = example.spec()
DRAWN = {
    "event study": lambda e: figures.event_study(e.did, SPEC),
    "organisations": lambda e: cohort_figures.organizations(e.cohort, SPEC),
    "waterfall": lambda e: cohort_figures.waterfall(e.quality, SPEC),
}
Point = tuple[float, float]


def points(path: str) -> list[Point]:
    """Every corner of a path, whichever commands drew it; a closed path ends where it began."""
    found: list[Point] = []
    start = (0.0, 0.0)
    for command, rest in re.findall(r"([A-Za-z])([^A-Za-z]*)", path):
        numbers = [float(v) for v in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", rest)]
        if command == "H":
            found.append((numbers[0], found[-1][1]))
        elif command == "V":
            found.append((found[-1][0], numbers[0]))
        elif command == "z":
            if found[-1] != start:
                found.append(start)
        else:
            pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
            start = pairs[0] if command == "M" else start
            found += pairs
    return found


def marks(root: ET.Element) -> list[tuple[str, str, str, list[Point]]]:
    """What is drawn, in order: the kind and text, the style with what is inherited, whether it is cut, and
    the places of its corners and of the box that cuts it."""
    shapes = {e.get("id"): e.get("d", "") for e in root.iter("path") if e.get("id")}
    cut = {e.get("id"): next(iter(e)) for e in root.iter("clipPath")}
    found = []

    def walk(element: ET.Element, style: dict[str, str], clip: list[Point], moved: Point) -> None:
        if element.tag == "defs":
            return
        parts = [p.split(":", 1) for p in element.get("style", "").split(";") if ":" in p]
        style = {**style, **{k.strip(): v.strip() for k, v in parts}}
        asked = re.match(r"url\(#(.+)\)", element.get("clip-path", ""))
        if asked:
            box = cut[asked[1]]
            x, y, width, height = (float(box.get(n, "0")) for n in ("x", "y", "width", "height"))
            clip = [(x, y), (width, height)]
        away = re.match(r"translate\((\S+)[ ,]+(\S+)\)", element.get("transform", ""))
        if away:
            moved = (moved[0] + float(away[1]), moved[1] + float(away[2]))
        look = ";".join(f"{k}:{v}" for k, v in sorted(style.items()))
        cut_off = "cut" if clip else "whole"
        at = (float(element.get("x", "0")) + moved[0], float(element.get("y", "0")) + moved[1])
        if element.tag == "path":
            found.append(("path", look, cut_off, points(element.get("d", "")) + clip))
        elif element.tag == "text":
            found.append((f"text {element.text}", look, cut_off, [at, *clip]))
        elif element.tag == "use":
            shape = points(shapes[(element.get("href") or "")[1:]])
            found.append(("use", look, cut_off, [*((at[0] + x, at[1] + y) for x, y in shape), *clip]))
        for child in element:
            walk(child, style, clip, moved)

    walk(root, {}, [], (0.0, 0.0))
    return found


@pytest.mark.parametrize("name", DRAWN)
def test_the_same_is_drawn_at_the_same_places(name):
    with svg.style():
        text = svg.drawing(DRAWN[name](example.evaluation()).draw(342), "t")
    whole, brief = svg._parse(text), svg._parse(text)
    compact(brief)
    before, after = marks(whole), marks(brief)
    assert len(before) == len(after) > 20
    key = [(kind, look, clip, len(at)) for kind, look, clip, at in before]
    assert sorted(key) == sorted((kind, look, clip, len(at)) for kind, look, clip, at in after)
    for one, other in zip(sorted(before), sorted(after), strict=True):
        off = [abs(a - b) for p, q in zip(one[3], other[3], strict=True) for a, b in zip(p, q, strict=True)]
        assert max(off) <= 0.11, (one[0], off)  # a place and a mark's own shape, each to half a tenth
    kinds = [m[:3] for m in before if not m[0].startswith("text") and "grid" not in m[1]]
    order = [m[:3] for m in after if not m[0].startswith("text")]
    assert [k for k in kinds if kinds.count(k) == 1] == [k for k in order if kinds.count(k) == 1]


def test_it_takes_less_than_half_of_the_bytes():
    with svg.style():
        text = svg.drawing(DRAWN["event study"](example.evaluation()).draw(736), "t")
    whole, brief = svg._parse(text), svg._parse(text)
    compact(brief)
    assert len(ET.tostring(brief)) < 0.5 * len(ET.tostring(whole))


@pytest.mark.parametrize(
    ("long", "brief"),
    [
        ("M 1.25 2 L 1.25 9.96 L 3.04 9.96", "M1.2 2V10H3"),
        ("M 0 0 L 4 0 L 4 2 L 0 2 L 0 0 z ", "M0 0H4V2H0z"),
        ("M 5 5 L 5 5", "M5 5H5"),
        ("M 0 0 C 0.5 -1.5 1 1 2 2 z", "M0 0C.5-1.5 1 1 2 2z"),
        ("M 0 0 Q 1 1 2 0", "M0 0Q1 1 2 0"),
        ("M 0 0 A 1.234 1.2 0 0 1 3 3", "M 0 0 A 1.2 1.2 0 0 1 3 3"),
    ],
)
def test_paths(long, brief):
    assert short_path(long) == brief


def test_numbers():
    assert [short(v) for v in (0.04, -0.04, -0.06, 100.0, 1e-9)] == ["0", "0", "-.1", "100", "0"]


def test_neighbours_of_one_look_share_a_group_and_others_keep_their_own():
    root = ET.fromstring(
        '<svg><g id="axes_1"><path id="p1" style="fill: none; stroke: red" d="M 0 0 L 1 1"/>'
        '<path id="p2" style="fill: none; stroke: red" d="M 2 2 L 3 3"/>'
        '<path id="p3" style="fill: blue" d="M 4 4 L 5 5"/></g>'
        '<g transform="rotate(-90 1.23456 2)"><text x="1.06" y="2">a</text></g>'
        '<g id="empty"><defs/></g></svg>'
    )
    compact(root)
    assert ET.tostring(root, encoding="unicode") == (
        '<svg><g style="fill:none;stroke:red"><path d="M0 0L1 1" /><path d="M2 2L3 3" /></g>'
        '<path style="fill:blue" d="M4 4L5 5" />'
        '<g transform="rotate(-90 1.23 2)"><text x="1.1" y="2">a</text></g></svg>'
    )
