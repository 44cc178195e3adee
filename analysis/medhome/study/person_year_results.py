"""What person-years alone can say of cost: how far risk explains it, and why a change is no effect."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from medhome.study.display import number, pmpm, ratio, share

NOT_EVIDENCE = (
    "No comparison group stands beside these people. A change of cost from year to year holds the trend of "
    "prices, who is there, how complete the claims are and every other change of these years along with any "
    "program: it is not evidence of an effect, of savings or of losses, however large it is."
)


@dataclass(frozen=True, kw_only=True)
class PersonYears:
    """Cost and risk of people by year, without anybody to compare them with.

    years: one row per year: ``year``, ``people``, ``months``, ``pmpm``, ``change`` (share of the year before;
    NaN for the first), ``r2_concurrent`` (covariates and cost of the same year). pairs: one row per pair of
    neighbouring years: ``year``, ``next_year``, ``people`` (in both), ``r2_prospective`` (covariates of the
    first, cost of the second). covariates: in order.
    """

    years: pd.DataFrame
    pairs: pd.DataFrame
    covariates: tuple[str, ...]

    def words(self) -> list[str]:
        """What the numbers say, and what they cannot say: the sentences of page and command line."""
        said = []
        for row in self.years.to_dict("records"):
            if math.isfinite(row["r2_concurrent"]):
                said.append(
                    f"In {row['year']} the covariates explain {share(row['r2_concurrent'])} of the variation "
                    f"in cost between people of the same year (concurrent R2 {ratio(row['r2_concurrent'])})."
                )
        for row in self.pairs.to_dict("records"):
            said.append(
                f"Those of {row['year']} explain {share(row['r2_prospective'])} of the variation in "
                f"{row['next_year']} (prospective R2 {ratio(row['r2_prospective'])})."
            )
        before: dict[Any, Any] = {}
        for row in self.years.to_dict("records"):
            if before:
                fell = "fell" if row["change"] < 0 else "rose"
                said.append(
                    f"From {before['year']} to {row['year']} cost {fell} by {share(abs(row['change']))}, "
                    f"from {pmpm(before['pmpm'])} to {pmpm(row['pmpm'])}; without a comparison that is not "
                    "evidence of an effect."
                )
            before = row
        return [*said, NOT_EVIDENCE]

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        return {
            "covariates": list(self.covariates),
            "years": [_plain(r) for r in self.years.to_dict("records")],
            "pairs": [_plain(r) for r in self.pairs.to_dict("records")],
            "words": self.words(),
        }

    def summary(self) -> str:
        """Both tables and the words."""
        lines = ["year   people   $ PMPM   change   R2 concurrent"]
        for r in self.years.to_dict("records"):
            change = share(r["change"]) if math.isfinite(r["change"]) else ""
            told = f"{number(r['pmpm']):>8} {change:>8} {ratio(r['r2_concurrent']):>15}"
            lines.append(f"{r['year']} {r['people']:>8,} {told}")
        lines += ["", "years          people   R2 prospective"]
        for r in self.pairs.to_dict("records"):
            lines.append(
                f"{r['year']} to {r['next_year']} {r['people']:>8,} {ratio(r['r2_prospective']):>16}"
            )
        return "\n".join([*lines, "", *self.words()])


def _plain(row: dict[Any, Any]) -> dict[str, Any]:
    return {str(k): None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
