"""What payment came to: settlements of contracts, and a study's program payments and returns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from medhome.study.display import share, usd
from medhome.study.frames import frame_without_rows

if TYPE_CHECKING:
    from medhome.study.results import Estimate


@dataclass(frozen=True, kw_only=True)
class ContractSettlements:
    """Exhibit T16 for contracts of any table.

    frame: one row per contract: ``id``, ``contract`` (name of its terms), and the fields of
    `medhome.models.settlement.Settlement`.
    """

    title: str
    source: str
    frame: pd.DataFrame

    @property
    def totals(self) -> dict[str, float]:
        """Sums over all contracts, in dollars, and how many were paid and how many owe."""
        frame = self.frame
        return {
            "contracts": len(frame),
            "benchmark_usd": math.fsum(frame["benchmark_usd"]),
            "actual_usd": math.fsum(frame["actual_usd"]),
            "generated_usd": math.fsum(frame["generated_usd"]),
            "earned_usd": math.fsum(frame["earned_usd"]),
            "paid": int((frame["earned_usd"] > 0).sum()),
            "owing": int((frame["earned_usd"] < 0).sum()),
        }

    def to_plain(self) -> dict[str, Any]:
        """As JSON can hold it."""
        rows = [
            {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()}
            for row in self.frame.to_dict("records")
        ]
        return {"title": self.title, "source": self.source, "totals": self.totals, "settlements": rows}

    def to_text(self, longest: int = 40) -> str:
        """As aligned lines, the first ``longest`` of them, and the totals."""
        head = ("contract", "benchmark", "actual", "rate", "minimum", "generated", "share", "earned", "why")
        lines = [head]
        for row in self.frame.head(longest).to_dict("records"):
            name = row["id"] if row["id"] == row["contract"] else f"{row['id']} ({row['contract']})"
            lines.append(
                (
                    name,
                    *(usd(row[c], 0) for c in ("benchmark_usd", "actual_usd")),
                    *(share(row[c], 2) for c in ("savings_rate", "minimum_rate")),
                    usd(row["generated_usd"], 0),
                    share(row["share_rate"], 1),
                    usd(row["earned_usd"], 0),
                    row["why"],
                )
            )
        widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
        out = [self.title] if self.title else []
        for line in lines:
            cells = [
                t.ljust(w) if i in (0, len(head) - 1) else t.rjust(w)
                for i, (t, w) in enumerate(zip(line, widths, strict=True))
            ]
            out.append("  ".join(cells).rstrip())
        if len(self.frame) > longest:
            out.append(f"... and {len(self.frame) - longest:,} more (--csv writes all of them)")
        sums = self.totals
        out.append(
            f"{sums['contracts']:,} contracts: benchmark less actual "
            f"{usd(sums['benchmark_usd'] - sums['actual_usd'], 0)}, "
            f"generated {usd(sums['generated_usd'], 0)}, "
            f"earned {usd(sums['earned_usd'], 0)}; {sums['paid']:,} paid, {sums['owing']:,} owing"
        )
        return "\n".join(out)


def _empty(columns: dict[str, str]) -> pd.DataFrame:
    return frame_without_rows(columns)


_SETTLEMENT = {"year": "int64", "first_month": "int64", "last_month": "int64", "members": "float64"}
_SETTLEMENT |= dict.fromkeys(
    ("member_months", "benchmark_pmpm", "actual_pmpm", "benchmark_usd", "actual_usd", "difference_usd"),
    "float64",
)
_SETTLEMENT |= dict.fromkeys(
    ("savings_rate", "minimum_rate", "quality_score", "share_rate", "generated_usd", "shared_usd", "cap_usd"),
    "float64",
)
_SETTLEMENT["earned_usd"] = "float64"
_SETTLEMENT |= dict.fromkeys(("reached", "quality_met", "cap_bound"), "bool") | {"why": "str"}
_PAYMENTS = {"year": "int64", "kind": "str", "name": "str", "arm": "str", "pmpm": "float64", "usd": "float64"}
_MEASURES = dict.fromkeys(("program", "id", "label", "kind", "measure"), "str") | {"value": "float64"}
_MEASURES |= dict.fromkeys(("threshold", "target", "weight", "attained_share"), "float64")
_MEASURES |= dict.fromkeys(("gate", "met", "lower_is_better"), "bool")


@dataclass(frozen=True, kw_only=True)
class Payment:
    """What the blended payment model paid, and how it was settled (exhibit T16).

    before: what must be known before savings are claimed (`medhome.models.credibility.before_savings`).
    settlement: one row per program year with a shared-savings contract: ``year``, ``first_month``,
        ``last_month``, ``members`` (largest month), ``member_months``, ``benchmark_pmpm``, ``actual_pmpm``,
        ``benchmark_usd``, ``actual_usd``, ``difference_usd`` (benchmark less actual), ``savings_rate``,
        ``minimum_rate``, ``reached``,
        ``quality_score``, ``quality_met``, ``share_rate``, ``generated_usd``, ``shared_usd`` (the program's
        part before the cap), ``cap_usd``, ``cap_bound``, ``earned_usd`` (negative is owed), ``why`` (the step
        that decided, or why there is no settlement).
    payments: one row per program year and payment: ``year``, ``kind``, ``name``, ``arm``, ``pmpm`` and
        ``usd`` on the treated arm's member-months; those of the comparison arm are negative.
    measures: one row per measure of a pay for performance: ``program``, ``id``, ``label``, ``kind``,
        ``measure`` (of the evaluation that gave the value; empty: the study file did), ``value``,
        ``threshold``, ``target``, ``weight``, ``lower_is_better``, ``gate``, ``met``,
        ``attained_share``.
    """

    before: Mapping[str, Estimate] = field(default_factory=dict)
    settlement: pd.DataFrame = field(default_factory=lambda: _empty(_SETTLEMENT))
    payments: pd.DataFrame = field(default_factory=lambda: _empty(_PAYMENTS))
    measures: pd.DataFrame = field(default_factory=lambda: _empty(_MEASURES))
    COUNTS: ClassVar[dict[str, tuple[str, ...]]] = {"settlement": ("members",)}
    RESTING: ClassVar[dict[str, tuple[str, ...]]] = {
        "settlement": (
            *("member_months", "benchmark_pmpm", "actual_pmpm", "benchmark_usd", "actual_usd"),
            *("difference_usd", "savings_rate", "generated_usd", "shared_usd", "cap_usd", "earned_usd"),
        )
    }
