"""How small an effect a study of each size could find: the curve, and what it rests on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from medhome.study.display import count, pmpm, share, usd

AXES = {
    "practices": "Practices in the program",
    "members": "Members of each practice",
    "months": "Months after the start",
    "organizations": "Organisations in the program",
}


@dataclass(frozen=True, kw_only=True)
class PowerCurve:
    """The smallest effect found with 80% power, over sizes of a study.

    study_id, title: whose plan it is. basis: "assumptions" or "data". months_before: baseline months.
    plan: the planned size's row, with the columns of ``frame``.
    frame: one row per size: ``axis`` (one of `AXES`), ``value``, ``practices_treated``,
        ``practices_comparison``, ``organizations_treated``, ``organizations_comparison``,
        ``members_per_practice``, ``months_before``, ``months_after``, ``df``, ``se_pmpm``,
        ``detectable_pmpm``, ``detectable_share`` (of mean cost), ``power`` (to find the effect aimed at; NaN
        without one).
    assumptions: one row per number behind the curve: ``id``, ``label``, ``value``, ``unit``, ``basis``.
    effect_pmpm_usd: the effect aimed at, in either direction.
    study_detectable_pmpm: from the data, what the study itself detects by its own interval.
    """

    study_id: str
    title: str
    basis: str
    frame: pd.DataFrame
    plan: dict[str, float]
    assumptions: pd.DataFrame
    effect_pmpm_usd: float | None = None
    study_detectable_pmpm: float | None = None

    def in_words(self) -> list[str]:
        """What the planned size can find, and by how much more of anything that would change."""
        p = self.plan
        whose = "these data" if self.basis == "data" else "these assumptions"
        said = [
            f"With {count(p['practices_treated'])} practices of {count(p['members_per_practice'])} members "
            f"in {_organizations(p['organizations_treated'])}, against {count(p['practices_comparison'])} "
            f"practices of {_organizations(p['organizations_comparison'])}, {count(p['months_before'])} "
            f"months before and {count(p['months_after'])} after the start, and {whose}, the smallest effect "
            f"found with 80% power is {pmpm(p['detectable_pmpm'])} ({share(p['detectable_share'])} of mean "
            "cost)."
        ]
        if self.effect_pmpm_usd is not None:
            said.append(
                f"An effect of {pmpm(self.effect_pmpm_usd)}, in either direction, would be found with "
                f"{share(p['power'], 0)} power."
            )
        if self.study_detectable_pmpm is not None:
            said.append(
                f"This study's own interval, with its organisations of unequal size, finds "
                f"{pmpm(self.study_detectable_pmpm)} with 80% power."
            )
        for axis, label in AXES.items():
            rows = self.frame[self.frame["axis"] == axis]
            if len(rows) > 1:
                least, most = rows.iloc[0], rows.iloc[-1]
                said.append(
                    f"{label}: {usd(least['detectable_pmpm'])} with {count(least['value'])}, "
                    f"{usd(most['detectable_pmpm'])} with {count(most['value'])}, all else as planned."
                )
        return said

    def to_plain(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "study": self.study_id,
            "basis": self.basis,
            "effect_pmpm_usd": self.effect_pmpm_usd,
            "study_detectable_pmpm": self.study_detectable_pmpm,
            "plan": {k: _known(v) for k, v in self.plan.items()},
            "curve": _rows(self.frame),
            "assumptions": _rows(self.assumptions),
        }

    def to_text(self) -> str:
        """Sentences, the curve and the assumptions as aligned lines."""
        lines = [*self.in_words(), ""]
        for axis, label in AXES.items():
            rows = self.frame[self.frame["axis"] == axis]
            if rows.empty:
                continue
            lines.append(f"{label:32} {'detectable $ PMPM':>18} {'of cost':>9} {'power':>7}")
            for row in rows.to_dict("records"):
                power = "" if math.isnan(row["power"]) else share(row["power"], 0)
                lines.append(
                    f"{count(row['value']):>32} {usd(row['detectable_pmpm']):>18} "
                    f"{share(row['detectable_share']):>9} {power:>7}"
                )
        lines += ["", "assumptions:" if self.basis == "assumptions" else "found in the data:"]
        for row in self.assumptions.to_dict("records"):
            lines.append(
                f"  {row['label']:58} {significant(row['value']):>14} {row['unit']:10} {row['basis']}"
            )
        return "\n".join(line.rstrip() for line in lines)


def significant(value: float) -> str:
    """A number of any size with four significant digits.

    >>> significant(1500.04), significant(0.0000213)
    ('1,500', '0.0000213')
    """
    digits = 4 if value == 0 else max(0, 3 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(digits, 12)}f}".rstrip("0").rstrip(".") if digits else f"{value:,.0f}"


def _organizations(n: float) -> str:
    return "1 organisation" if n == 1 else f"{count(n)} organisations"


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): _known(v) for k, v in row.items()} for row in frame.to_dict("records")]
