"""Matplotlib figures as SVG: one rendition for the page, one to download.

In the page the colours are variables of the style sheet (so that light, dark and print follow), text is
text in the page's own font, and every id begins with the figure's, since ids of one page are shared. The
download keeps real colours and stands alone. The same figure gives the same bytes.
"""

from __future__ import annotations

import base64
import contextlib
import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure as MplFigure
from matplotlib.lines import Line2D

from medhome.reporting.svg_compact import compact

PALETTE = {
    "ink": "#1b1f23",
    "mute": "#57606a",
    "grid": "#d8dee4",
    "bg": "#ffffff",
    "c1": "#0072b2",
    "c2": "#c44e00",
}
"""Colours by the name of their style-sheet variable. Blue and vermilion after Okabe and Ito's palette; the
vermilion is darkened until text in it has a contrast above 4.5 on white."""

MOST_VECTOR_MARKS = 2000
"""A layer with more marks than this is a picture inside the SVG: 50,000 points as vectors are 5 MB."""

_STYLE = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 12,
    "text.color": PALETTE["ink"],
    "axes.edgecolor": PALETTE["mute"],
    "axes.labelcolor": PALETTE["mute"],
    "axes.linewidth": 0.8,
    "xtick.color": PALETTE["mute"],
    "ytick.color": PALETTE["mute"],
    "xtick.labelsize": 12,
    "ytick.labelsize": 12,
    "axes.grid": False,
    "grid.color": PALETTE["grid"],
    "grid.linewidth": 0.8,
    "figure.facecolor": PALETTE["bg"],
    "axes.facecolor": "none",
    "savefig.facecolor": PALETTE["bg"],
    "path.simplify": False,
    "axes.unicode_minus": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_SVG = "http://www.w3.org/2000/svg"
_XLINK = "{http://www.w3.org/1999/xlink}href"
_FONT = re.compile(
    r"font:\s*(?:(?P<style>italic|oblique)\s+)?(?:(?P<weight>\d+|bold)\s+)?(?P<size>[\d.]+)px[^;]*"
)
_FAMILY = re.compile(r"font-family:[^;]*(?:;\s*|$)")
_COLOURS = {value: f"var(--{name})" for name, value in PALETTE.items()}


def style() -> contextlib.AbstractContextManager[None]:
    """The settings under which every figure of the house is drawn; use as ``with style():``."""
    return matplotlib.rc_context(_STYLE)  # type: ignore[arg-type]


def drawing(figure: MplFigure, figure_id: str) -> str:
    """The SVG that matplotlib writes, without date or random ids.

    Layers of more than `MOST_VECTOR_MARKS` marks are rasterised.
    """
    for axes in figure.axes:
        for artist in (*axes.lines, *axes.collections):
            if _marks(artist) > MOST_VECTOR_MARKS:
                artist.set_rasterized(True)
    FigureCanvasSVG(figure)
    out = io.StringIO()
    with style(), matplotlib.rc_context({"svg.hashsalt": figure_id}):
        figure.savefig(out, format="svg", dpi=150, metadata={"Date": None, "Creator": None})
    return out.getvalue()


def inline(svg: str, element_id: str, title: str, description: str) -> str:
    """An SVG for the body of a page.

    Arguments
        svg: what `drawing` gave.
        element_id: unique in the page; every id in the drawing gets it as prefix.
        title, description: what a screen reader says; neither may be empty.
    """
    if not title.strip() or not description.strip():
        raise ValueError(
            f"figure {element_id}: a title and a description are needed, for those who cannot see it"
        )
    root = _parse(svg)
    for definitions in root.findall("defs"):
        for sheet in definitions.findall("style"):
            definitions.remove(sheet)  # inside a page its rule for "*" would hold for the whole page
    compact(root)
    root.set("style", "stroke-linejoin:round;stroke-linecap:butt")
    for element in root.iter():
        _prefix_ids(element, element_id)
        if "style" in element.attrib:
            element.set("style", _page_style(element.get("style", "")))
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.set("role", "img")
    root.set("aria-labelledby", f"{element_id}-title {element_id}-desc")
    heading, words = (
        ET.Element("title", id=f"{element_id}-title"),
        ET.Element("desc", id=f"{element_id}-desc"),
    )
    heading.text, words.text = title, description
    root.insert(0, heading)
    root.insert(1, words)
    # Inside HTML the namespace is implied; leaving it out keeps addresses out of the page.
    return ET.tostring(root, encoding="unicode")


def download_link(svg: str) -> str:
    """A ``data:`` link that holds the stand-alone SVG."""
    root = _parse(svg)
    compact(root)
    root.set("xmlns", _SVG)
    body = ET.tostring(root, encoding="unicode")
    return "data:image/svg+xml;base64," + base64.b64encode(body.encode("utf-8")).decode("ascii")


def _parse(svg: str) -> ET.Element:
    root = ET.fromstring(svg)
    for metadata in root.findall(f"{{{_SVG}}}metadata"):
        root.remove(metadata)
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{{{_SVG}}}")
        if _XLINK in element.attrib:
            element.set("href", element.attrib.pop(_XLINK))
        if element.text and not element.text.strip() and element.tag != "text":
            element.text = None
        element.tail = None
    return root


def _prefix_ids(element: ET.Element, prefix: str) -> None:
    for name, value in element.attrib.items():
        if name == "id":
            element.set(name, f"{prefix}-{value}")
        elif name == "href" and value.startswith("#"):
            element.set(name, f"#{prefix}-{value[1:]}")
        elif "url(#" in value:
            element.set(name, value.replace("url(#", f"url(#{prefix}-"))


def _page_style(text: str) -> str:
    """A style attribute for the page: colours by variable, and the page's font."""
    text = _FAMILY.sub("", _FONT.sub(_page_font, text))
    return re.sub(r"#[0-9a-fA-F]{6}\b", lambda m: _COLOURS.get(m[0].lower(), m[0]), text)


def _page_font(match: re.Match[str]) -> str:
    weight = f";font-weight:{match['weight']}" if match["weight"] else ""
    return f"font-size:{match['size']}px{weight}"


def _marks(artist: Artist) -> int:
    if isinstance(artist, PathCollection):
        return len(np.asarray(artist.get_offsets()))
    if isinstance(artist, Line2D) and artist.get_marker() not in ("None", "", None):
        return int(np.size(artist.get_xdata()))
    return 0


def ids(svg: str) -> Iterator[str]:
    """Every id in an SVG, in order."""
    return (m[1] for m in re.finditer(r'\bid="([^"]+)"', svg))
