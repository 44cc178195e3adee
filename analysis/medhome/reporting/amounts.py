"""Which result is an amount in a sentence? Each is looked up in ``results.json``, among numbers of its unit.

Dollars are looked for among dollars, percentages among shares and ratios, other decimals and counts with a
thousands separator among all numbers. What fits is named: a reader can follow a sentence to its number. An
amount of few digits fits some number by chance (three in ten of dollars and cents below 60 do), so that this
finds amounts that rest on nothing, not every wrong one.
"""

from __future__ import annotations

import bisect
import html
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medhome.study.published import published_effect

Numbers = Mapping[str, Mapping[str, Any]]

_HIDDEN = re.compile(r"<(table|svg|figure|details|pre|script|style|nav)\b.*?</\1>", re.DOTALL)
_SENTENCE = re.compile(r"<(p|li|div class=\"(?:v|v long|s)\")[^>]*>(.*?)</(?:p|li|div)>", re.DOTALL)
_TAG = re.compile(r"<[^>]+>")
_AMOUNT = re.compile(r"\$?\d[\d,]*(?:\.\d+)?%?(?:\s(?:million|billion))?")
_MARKS = "$%.,"
"""Signs by which a number in a sentence is an amount, and not a year, an age or a number of months."""

_ROUND = re.compile(r"\d{1,3}(,000)+")
"""Units and rules ("in 1,000 members"), no results."""

_LEVELS = (0.8, 0.9, 0.95)
"""Of intervals and of power, which sentences name."""

_EVERY = ("$", "%", "")
_ANY_UNIT = frozenset(("", "measure's own unit", "by measure", "unit of the outcome"))
MOST_NAMES = 3


@dataclass(frozen=True, kw_only=True)
class Amount:
    """An amount in a sentence, and the results that read like it: at most `MOST_NAMES`, values first."""

    page: str
    text: str
    around: str
    names: tuple[str, ...]

    @property
    def line(self) -> str:
        return f"{self.page}: {self.text} in “…{self.around}…”"


class Known:
    """Numbers by kind of unit, in order, each with the name of what it is."""

    def __init__(self, numbers: Numbers, parameters: Mapping[str, Any]) -> None:
        by_kind: defaultdict[str, list[tuple[float, str]]] = defaultdict(list)
        for kinds, value, name in _sources(numbers, parameters):
            for kind in kinds:
                by_kind[kind].append((abs(value), name))
        self.headlines = {name for name, number in numbers.items() if number.get("headline")}
        self.by_kind = {kind: sorted(found) for kind, found in by_kind.items()}

    def names(self, text: str) -> tuple[str, ...]:
        """What reads like an amount when rounded as it is; headlines first, values before ends of intervals.

        >>> Known({"a": {"value": -3.241, "unit": "USD PMPM"}}, {}).names("$3.24")
        ('a',)
        """
        low, high = span(text)
        kind = "$" if "$" in text else "%" if "%" in text else ""
        known = self.by_kind.get(kind, [])
        at = bisect.bisect_left(known, (low - 1e-9, ""))
        found = []
        while at < len(known) and known[at][0] <= high + 1e-9:
            found.append(known[at][1])
            at += 1
        found.sort(key=lambda name: (name not in self.headlines, " " in name, name))
        return tuple(found[:MOST_NAMES])


def span(text: str) -> tuple[float, float]:
    """The numbers that are written like this: an amount with half a unit of its last digit on either side.

    >>> span("$3.2"), span("1.5%")
    ((3.15, 3.25), (0.0145, 0.0155))
    """
    unit = 1e6 if "million" in text else 1e9 if "billion" in text else 0.01 if "%" in text else 1.0
    digits = re.sub(r"[^\d.]", "", text).rstrip(".")
    half = 0.5 * 10.0 ** -len(digits.partition(".")[2])
    low, high = ((float(digits) + sign * half) * unit for sign in (-1, 1))
    return round(low, 12), round(high, 12)


def sentences(path: Path) -> list[str]:
    """The sentences of a page: paragraphs, points and cards outside tables and figures."""
    page = path.read_text(encoding="utf-8")
    main = _HIDDEN.sub(" ", page[max(0, page.find("<main")) :])
    return [html.unescape(_TAG.sub("", match[2])).strip() for match in _SENTENCE.finditer(main)]


def amounts(
    pages: Mapping[str, Iterable[str]], numbers: Numbers, parameters: Mapping[str, Any]
) -> list[Amount]:
    """Every amount (dollars, percentages, decimals, counts above a thousand) in the sentences of pages."""
    known = Known(numbers, parameters)
    return [
        Amount(
            page=page,
            text=match[0],
            around=sentence[max(0, match.start() - 50) : match.end() + 20],
            names=known.names(match[0]),
        )
        for page, told in pages.items()
        for sentence in told
        for match in written(sentence)
    ]


def written(sentence: str) -> Iterator[re.Match[str]]:
    """The amounts of a sentence."""
    for match in _AMOUNT.finditer(sentence):
        text = match[0].rstrip(",")
        if any(sign in text for sign in _MARKS) and not _ROUND.fullmatch(text):
            yield match


def _sources(numbers: Numbers, parameters: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], float, str]]:
    """Kinds of unit, value and name of every number that a sentence may hold."""
    for name, number in numbers.items():
        unit = str(number.get("unit", ""))
        kinds = _EVERY if unit in _ANY_UNIT else ("$", "") if "USD" in unit else ("%", "")
        for part in ("value", "se"):
            if number.get(part) is not None:
                yield kinds, number[part], name if part == "value" else f"{name} {part}"
        for part in ("ci90", "ci95"):
            for end, value in zip(("low", "high"), number.get(part) or (), strict=False):
                yield kinds, value, f"{name} {part} {end}"
        sizes = {part: number.get(part) for part in ("p", "df")} | dict(number.get("n") or {})
        for part, value in sizes.items():
            if value is not None:
                yield ("%", ""), value, f"{name} {part}"
    for key, value in parameters.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, (int, float)) and not isinstance(one, bool):
                yield _EVERY, one, f"study.toml {key}"
    for level in _LEVELS:
        yield ("%",), level, "level of an interval or of power"
    yield ("$",), published_effect().effect_pmpm_usd, "published effect"
