"""A reader who has a released ``results.json`` and the documentation, and looks for small counts in it.

It knows nothing of the gate: neither what was withheld nor why, nor which sums the gate looked at. What adds
up to what is written down here from the documentation, by the names of the numbers. Of each withheld count
it asks two linear programmes for the range that everything else leaves.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

PEOPLE = ("members", "people", "claim lines", "clinicians", "member-months")
ARMS = ("treated", "comparison")
_TIMES = {
    r"data\.month\.(?P<at>\d{4}-\d\d)\.(?P<arm>\w+)\.members": "month",
    r"(?:did|expected)\.quarter\.(?P<at>-?\d+)\.members": "quarter",
    r"savings\.year\.(?P<at>\d+)\.members": "year",
    r"completion\.(?P<at>\w+)\.(?P<arm>\w+)\.members": "period",
    r"truncation\.above_cap\.(?P<arm>\w+)\.(?P<at>\w+)\.members": "period",
}


@dataclass(frozen=True)
class Claim:
    """What the reader says: a count, or a whole without a part, lies from low to high, below the floor."""

    name: str
    low: float
    high: float
    less: str = ""


@dataclass(frozen=True, eq=False)
class Sum:
    """Numbers times factors come to something from low to high."""

    factors: Mapping[str, float]
    low: float = 0.0
    high: float = 0.0


class Reader:
    """Everything that one reader knows.

    Arguments
        numbers: of ``results.json``, by name. start: month index of the program's start, baseline: of the
            first month, through: of the last. rounding: how far a number that is told may be from the true
            one (0: it is the true one).
    """

    def __init__(
        self,
        numbers: Mapping[str, Mapping[str, Any]],
        *,
        floor: int,
        baseline: int,
        start: int,
        through: int,
        rounding: int = 0,
    ) -> None:
        self.rounding = rounding
        self.floor, self.baseline, self.start, self.through = floor, baseline, start, through
        self.counts = {
            k: n
            for k, n in numbers.items()
            if n["unit"] in PEOPLE and (n["value"] is not None or "suppressed" in n)
        }
        self.numbers = numbers
        self.sums = list(self._sums())
        self.near: dict[str, list[Sum]] = defaultdict(list)
        for one in self.sums:
            for name in one.factors:
                self.near[name].append(one)

    def value(self, name: str) -> float | None:
        return self.counts[name]["value"] if name in self.counts else None

    def claims(self) -> list[Claim]:
        """Every count from 1 to the floor that the reader can name."""
        found = [
            Claim(k, n["value"], n["value"])
            for k, n in self.counts.items()
            if n["value"] is not None and 0 < abs(n["value"]) < self.floor and n["kind"] == "count"
        ]
        asked: set[str] = set()
        for name in (k for k, n in self.counts.items() if n["value"] is None and n["kind"] == "count"):
            if name in asked:
                continue
            together = {k for k in self._hangs_together([name]) if self.counts[k]["kind"] == "count"}
            asked |= together
            if self._all_large(together):
                continue
            for one in sorted(together):
                found += self._claim({one: 1.0}, one)
        for part, whole in self._parts():
            found += self._claim({whole: 1.0, part: -1.0}, whole, part)
        return found + list(self._shares())

    def _claim(self, factors: Mapping[str, float], name: str, less: str = "") -> Iterator[Claim]:
        high = self._most(factors)
        if high > self.floor - 0.5:
            return
        low = -self._most({k: -f for k, f in factors.items()})
        if low > 0.5:
            yield Claim(name, low, high, less)

    def _most(self, factors: Mapping[str, float]) -> float:
        hidden = sorted(self._hangs_together(k for k in factors if self.value(k) is None))
        told = sum(f * (self.value(k) or 0.0) + abs(f) * self._slack(k) for k, f in factors.items())
        if not hidden:
            return told
        for least in (1.0, 0.0):  # whoever is withheld is somebody; where that cannot be, nobody may be
            found = self._programme(hidden, factors, {k: self._least(k, least) for k in hidden})
            if found.status == 0:
                return told - found.fun
            if found.status == 3:  # without end
                return np.inf
        return np.inf

    def _all_large(self, together: set[str]) -> bool:
        """Whether all of these may be at the floor or above it at once, so that none is known to be below."""
        hidden = sorted(self._hangs_together(together))
        least = {k: self._least(k, 1.0) for k in hidden}
        if any(end is None for k, end in least.items() if k in together):
            return False  # of lines that are taken away, the sign is not known
        return self._programme(hidden, {}, least | dict.fromkeys(together, float(self.floor))).status == 0

    def _programme(
        self, hidden: list[str], factors: Mapping[str, float], least: Mapping[str, float | None]
    ) -> Any:
        at = {k: i for i, k in enumerate(hidden)}
        rows, ends = [], []
        for one in dict.fromkeys(s for k in hidden for s in self.near[k]):
            row = np.zeros(len(hidden))
            known = slack = 0.0
            for name, factor in one.factors.items():
                if name in at:
                    row[at[name]] += factor
                else:
                    known += factor * (self.value(name) or 0.0)
                    slack += abs(factor) * self._slack(name)
            rows += [row, -row]
            ends += [one.high - known + slack, known - one.low + slack]
        from scipy.optimize import linprog  # of a release alone: pages are drawn without it

        goal = np.zeros(len(hidden))
        for name, factor in factors.items():
            if name in at:
                goal[at[name]] = -factor
        kept = [i for i, end in enumerate(ends) if np.isfinite(end)]
        return linprog(
            goal,
            A_ub=np.array(rows)[kept] if kept else None,
            b_ub=np.array(ends)[kept] if kept else None,
            bounds=[(least[k], None) for k in hidden],
            method="highs",
        )

    def _slack(self, name: str) -> float:
        return float(self.rounding) if self.value(name) else 0.0

    def _least(self, name: str, least: float) -> float | None:
        signed = name.startswith(("data.waterfall", "data.reconciliation")) and name.endswith("lines")
        return None if signed else 0.0 if self.counts[name]["unit"] == "member-months" else least

    def _hangs_together(self, names: Iterable[str]) -> set[str]:
        found, edge = set(names), list(names)
        edge = list(found)
        while edge:
            for one in self.near[edge.pop()]:
                new = {
                    k for k in one.factors if k not in found and k in self.counts and self.value(k) is None
                }
                found |= new
                edge += sorted(new)
        return found

    # What adds up, by name.

    def _sums(self) -> Iterator[Sum]:
        yield from self._arms()
        yield from self._same()
        yield from self._flow()
        yield from self._lines()
        yield from self._months()
        for part, whole in self._parts():
            yield Sum({part: 1.0, whole: -1.0}, low=-np.inf)

    def _add_up(self, parts: Iterable[str], total: str, low: float = 0.0) -> Iterator[Sum]:
        named = [p for p in parts if p in self.counts]
        if len(named) > 1 and total in self.counts:
            yield Sum({**dict.fromkeys(named, 1.0), total: -1.0}, low=low)

    def _arms(self) -> Iterator[Sum]:
        """Organisations, statuses, practices, groups and strata share an arm out."""
        for arm in ARMS:
            label = "program" if arm == "treated" else "comparison"
            for what in ("members", "clinicians"):
                own = self._named(rf"cohort\.organization\.{label}[^.]*\.{what}", re.IGNORECASE)
                yield from self._add_up(own, f"cohort.{what}.{arm}")
            yield from self._add_up(
                self._named(rf"selection\.members\.{arm}\.[^.]+\.members"), f"cohort.members.{arm}"
            )
            for kind in ("stratum", "risk", "size"):
                groups = self._named(rf"where\.group\.{kind}-[^.]+\.members_{arm}")
                yield from self._add_up(groups, f"cohort.members.{arm}", low=-np.inf)
            for kind in ("predicted", "actual", "age_sex"):
                groups = self._named(rf"cost_model\.ratio\.{kind}\.[^.]+\.{arm}\.members")
                yield from self._add_up(groups, f"cohort.members.{arm}", low=-np.inf)
        for name in self._named(r"cohort\.organization\.[^.]+\.members"):
            owner = name.split(".")[2].lower()
            for table in ("robustness.without_practice", "cost_model.practice"):
                own = self._named(
                    rf"{re.escape(table)}\.{re.escape(owner)}-practice-\d+\.members", re.IGNORECASE
                )
                yield from self._add_up(own, name, low=-np.inf)

    def _same(self) -> Iterator[Sum]:
        """One organisation has the same members wherever it stands."""
        for name in self._named(r"cohort\.organization\.[^.]+\.members"):
            label = name.split(".")[2]
            for table in ("robustness.without", "robustness.placebo_arm"):
                other = f"{table}.{label}.members"
                if other in self.counts:
                    yield Sum({name: 1.0, other: -1.0})

    def _flow(self) -> Iterator[Sum]:
        arms = (*ARMS, "not-attributed")
        rules = list(dict.fromkeys(k.split(".")[1] for k in self.counts if k.startswith("attrition.")))
        for arm in arms:
            for what in ("members", "member_months"):
                for before, after in itertools.pairwise(rules):
                    left, dropped = (f"attrition.{after}.{arm}.{what}{e}" for e in ("", "_dropped"))
                    first = f"attrition.{before}.{arm}.{what}"
                    if {left, dropped, first} <= self.counts.keys():
                        yield Sum({first: 1.0, left: -1.0, dropped: -1.0})
            last = f"attrition.{rules[-1]}.{arm}.members" if rules else ""
            if last in self.counts and f"cohort.members.{arm}" in self.counts:
                yield Sum({last: 1.0, f"cohort.members.{arm}": -1.0})

    def _lines(self) -> Iterator[Sum]:
        reasons = [k.split(".")[2] for k in self._named(r"data\.waterfall\.[^.]+\.lines")]
        columns = list(
            dict.fromkeys(
                tuple(k.split(".")[3:5])
                for k in self._named(r"data\.reconciliation\.[^.]+\.[^.]+\.[^.]+\.lines")
            )
        )
        if len(reasons) < 3:
            return
        for stem in (
            "data.waterfall.{}.lines",
            *(f"data.reconciliation.{{}}.{a}.{p}.lines" for a, p in columns),
        ):
            names = [stem.format(r) for r in reasons]
            if set(names) <= self.counts.keys():
                yield Sum({**dict.fromkeys(names[:-1], 1.0), names[-1]: -1.0})
        for reason in reasons if columns else ():
            names = [f"data.reconciliation.{reason}.{a}.{p}.lines" for a, p in columns]
            if set(names) <= self.counts.keys():
                yield Sum({**dict.fromkeys(names, 1.0), f"data.waterfall.{reason}.lines": -1.0})

    def _months(self) -> Iterator[Sum]:
        """In a month everyone has one member-month; months add up to quarters, years and periods."""
        for name in self._named(r"data\.month\.[^.]+\.[^.]+\.member_months"):
            yield Sum({name: 1.0, name.removesuffix("_months").removesuffix("member") + "members": -1.0})
        months = {k: self._when(k) for k in self._named(r"data\.month\.[^.]+\.[^.]+\.member_months")}
        wholes = self._named(
            r"(did\.quarter|savings\.year|completion\.\w+|truncation\.above_cap\.\w+)\..*\.member_months"
        )
        for whole in wholes:
            arm, first, last = self._when(whole)
            inside = [k for k, (a, f, e) in months.items() if a == arm and first <= f and e <= last]
            if len(inside) == last - first:
                yield from self._add_up(inside, whole)

    def _parts(self) -> Iterator[tuple[str, str]]:
        """Parts of a whole: people of some months among those of more, those above the cap, with an event."""
        when = {k: self._when(k) for k in self.counts if any(re.fullmatch(p, k) for p in _TIMES)}
        for arm in ARMS:
            if f"cohort.members.{arm}" in self.counts:
                when[f"cohort.members.{arm}"] = (arm, self.baseline, self.through)
        for part, (arm, first, last) in when.items():
            for whole, (other, begin, end) in when.items():
                if arm == other and begin <= first and last <= end and (begin, end) != (first, last):
                    yield part, whole
        for name in self.counts:
            for ending, among in (("members_above", "members"), ("members_with", "members")):
                if name.endswith(f".{ending}"):
                    yield name, f"{name.removesuffix(ending)}{among}"
            if name.endswith(".zero_lines"):
                yield name, f"{name.removesuffix('zero_lines')}lines"
            group = re.fullmatch(
                r"where\.group\.(stratum|risk|size|product|condition)-.*\.members_(\w+)", name
            )
            if group:
                yield name, f"cohort.members.{group[2]}"
            rate = re.fullmatch(r"measures\.(?:rate|gap)\.follow_up_7\.(.*)\.members_with", name)
            if rate and f"measures.rate.follow_up_30.{rate[1]}.members_with" in self.counts:
                yield name, f"measures.rate.follow_up_30.{rate[1]}.members_with"

    def _when(self, name: str) -> tuple[str, int, int]:
        """Arm and months (half-open) of a number."""
        words = name.split(".")
        arm = next((a for a in ARMS if a in words), "treated")
        if words[0] == "data":
            year, month = words[2].split("-")
            at = int(year) * 12 + int(month) - 1
            return arm, at, at + 1
        if "quarter" in words:
            first = self.start + 3 * int(words[2])
            return arm, first, min(first + 3, self.through)
        if "year" in words:
            first = self.start + 12 * (int(words[2]) - 1)
            return arm, first, min(first + 12, self.through)
        after = "performance" in words
        return arm, self.start if after else self.baseline, self.through if after else self.start

    def _shares(self) -> Iterator[Claim]:
        """A share of an arm's members times their number is a count, and so is the rest."""
        for arm in ARMS:
            everyone = self.value(f"cohort.members.{arm}")
            for name in (
                k for k in self.numbers if k.startswith("cohort.balance.") and k.endswith(f".{arm}")
            ):
                number = self.numbers[name]
                if number["unit"] == "share" and number["value"] is not None and everyone:
                    for some in (number["value"] * everyone, (1 - number["value"]) * everyone):
                        if some > 0 and round(some) < self.floor:
                            yield Claim(name, some, some)
        for name, number in self.numbers.items():
            hidden = re.fullmatch(r"measures\.(rate|gap)\.(.*)\.rate", name)
            if hidden and number["value"] is not None and number["unit"] == "share":
                members = self.value(f"measures.{hidden[1]}.{hidden[2]}.members")
                if members and 0 < round(number["value"] * members) < self.floor:
                    yield Claim(name, number["value"] * members, number["value"] * members)

    def _named(self, pattern: str, flags: re.RegexFlag = re.NOFLAG) -> list[str]:
        return [k for k in self.counts if re.fullmatch(pattern, k, flags)]
