"""The same drawing in fewer bytes: short numbers, no names that nothing refers to, styles said once.

Matplotlib writes coordinates to a millionth of a pixel, names every group, and repeats the style of every
mark. None of that can be seen. A report holds each figure three times (a page's width, a phone's, and the
download), so it is most of what a page weighs.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
_TOKEN = re.compile(rf"[A-Za-z]|{_NUMBER.pattern}")
_POINTS = {"M": 1, "L": 1, "Q": 2, "C": 3}
_INHERITED = ("style", "clip-path")
"""What a group hands down to its marks. (A clip is not inherited, but one on the group cuts the same.)"""


def compact(root: ET.Element) -> None:
    """Shorten a parsed SVG in place; what it shows stays the same to a twentieth of a pixel."""
    _order_ticks(root)
    for element in root.iter():
        _shorten(element, 2 if element.get("id") and element.tag == "path" else 1)
    _drop_names(root)
    _tidy(root)


def short(value: float, digits: int = 1) -> str:
    """A coordinate without what cannot be seen.

    >>> short(436.499062), short(-0.02), short(7.0), short(-0.25, 2)
    ('436.5', '0', '7', '-.25')
    """
    text = f"{value:.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:.0f}"
    text = "0" if text in ("-0", "") else text
    return re.sub(r"^(-?)0\.", r"\1.", text)


def short_path(path: str, digits: int = 1) -> str:
    """The ``d`` of a path with short numbers; level and upright lines by one coordinate.

    >>> short_path("M 0 0 L 4.001 0 L 4.001 2.5 L 0 2.5 L 0 0 z ")
    'M0 0H4V2.5H0z'
    """
    tokens = _TOKEN.findall(path)
    if set(filter(str.isalpha, tokens)) - {*_POINTS, "z", "Z"}:
        return _numbers(path, digits)
    drawn: list[str] = []
    here = start = ("", "")
    place, command = 0, ""
    while place < len(tokens):
        if tokens[place].isalpha():
            command = tokens[place]
            place += 1
        if command in "zZ":
            if drawn and here == start and drawn[-1][0] in "LHV" and drawn[-2:-1] and drawn[-2][0] != "M":
                drawn.pop()  # the line back to the start is what closing draws
            drawn.append("z")
            here = start
            continue
        size = 2 * _POINTS[command]
        ends = [short(float(v), digits) for v in tokens[place : place + size]]
        place += size
        there = (ends[-2], ends[-1])
        if command == "L" and there[1] == here[1]:
            drawn.append(f"H{there[0]}")
        elif command == "L" and there[0] == here[0]:
            drawn.append(f"V{there[1]}")
        else:
            drawn.append(command + _joined(ends))
        here = there
        if command == "M":
            start = there
    return "".join(drawn)


def _joined(numbers: Sequence[str]) -> str:
    """Numbers one after the other; a minus sign parts them as well as a space."""
    text = numbers[0]
    for number in numbers[1:]:
        text += number if number.startswith("-") else f" {number}"
    return text


def _numbers(text: str, digits: int) -> str:
    return _NUMBER.sub(lambda m: short(float(m[0]), digits), text)


def _shorten(element: ET.Element, digits: int) -> None:
    for name, value in element.attrib.items():
        if name == "d":
            element.set(name, short_path(value, digits))
        elif name in ("x", "y", "width", "height") and _NUMBER.fullmatch(value):
            element.set(name, short(float(value)))
        elif name == "style":
            element.set(name, _short_style(value))
    turn = element.get("transform", "")
    if re.match(r"rotate\(-?0 [^)]*\)$", turn):
        element.attrib.pop("transform")
    elif turn and not re.search(r"scale|matrix", turn):
        element.set("transform", _numbers(turn, 2))


def _short_style(text: str) -> str:
    pairs = [tuple(part.strip() for part in one.split(":", 1)) for one in text.split(";") if ":" in one]
    return ";".join(f"{name}:{value}" for name, value in pairs)


def _order_ticks(root: ET.Element) -> None:
    """Gather an axis's grid lines, then its ticks, then its labels, which do not overlap: alike by alike."""
    for axis in root.iter("g"):
        if axis.get("id", "").startswith("matplotlib.axis"):
            parts = [(len(part.findall(".//text")), i, part) for tick in axis for i, part in enumerate(tick)]
            if all(tick.tag == "g" and not tick.get("transform") for tick in axis):
                for tick in list(axis):
                    axis.remove(tick)
                axis.extend([part for _, _, part in sorted(parts, key=lambda p: p[:2])])


def _drop_names(root: ET.Element) -> None:
    """Keep the ids that something refers to, under short names in order."""
    asked: dict[str, str] = {}
    for element in root.iter():
        for name, value in element.attrib.items():
            for target in re.findall(r"url\(#([^)]+)\)", value) + re.findall(
                r"^#(.+)$", value if name == "href" else ""
            ):
                asked.setdefault(target, f"m{len(asked)}")
    for element in root.iter():
        for name, value in list(element.attrib.items()):
            if name == "id":
                element.attrib.pop(name)
                if value in asked:
                    element.set(name, asked[value])
            elif name == "href" and value.startswith("#"):
                element.set(name, f"#{asked[value[1:]]}")
            elif "url(#" in value:
                element.set(name, re.sub(r"url\(#([^)]+)\)", lambda m: f"url(#{asked[m[1]]})", value))


def _tidy(parent: ET.Element) -> None:
    """Take out groups that say nothing, and let marks in a row that look alike share one that does."""
    kept: list[ET.Element] = []
    for child in list(parent):
        _tidy(child)
        if child.tag in ("g", "defs") and not len(child) and not (child.text or "").strip():
            continue
        if child.tag == "g" and not child.attrib:
            kept += list(child)
        else:
            kept.append(child)
    for child in list(parent):
        parent.remove(child)
    parent.extend(kept if parent.tag in ("defs", "clipPath", "text") else _shared(kept))


def _look(element: ET.Element) -> tuple[tuple[str, str], ...]:
    return tuple((name, element.get(name, "")) for name in _INHERITED if element.get(name))


def _shared(children: Sequence[ET.Element]) -> list[ET.Element]:
    """Neighbours with one look, as one group with that look."""
    found: list[ET.Element] = []
    run: list[ET.Element] = []
    for child in [*children, None]:
        if run and (child is None or _look(child) != _look(run[0])):
            found += _group(run)
            run = []
        if child is not None:
            if _look(child) and child.tag in ("path", "use", "text"):
                run.append(child)
            else:
                found += _group(run)
                run = []
                found.append(child)
    return found


def _group(run: Sequence[ET.Element]) -> list[ET.Element]:
    if len(run) < 2:
        return list(run)
    group = ET.Element("g", dict(_look(run[0])))
    for element in run:
        for name in _INHERITED:
            element.attrib.pop(name, None)
        group.append(element)
    return [group]
