"""ValidationResult: every golden value with ours beside it, and how many digits agree."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

DIGITS = 15.0
"""Agreement to the last bit of a double is counted as this many digits."""

VERDICTS = ("within", "outside", "departure", "not repeatable", "data absent")


@dataclass(frozen=True, kw_only=True)
class ValidationResult:
    """What `medhome validate` found.

    frame: one row per golden value: id, section, estimator, quantity, golden, ours (NaN where it could not be
    computed), digits (-log10 of the relative difference, of the difference itself where the golden value is
    0; at most 15), tolerance, measure (relative, absolute, or departure or not repeatable), verdict (one of
    `VERDICTS`), note. An entry without its data is one row with the verdict "data absent" and, as note,
    where the data come from.
    entries: one row per entry: id, section, estimator, specification, data, origin, reference,
    not_repeatable.
    departures: where we differ from a reference on purpose: subject, reference_gives, ours, register.
    """

    frame: pd.DataFrame
    entries: pd.DataFrame
    departures: pd.DataFrame

    @property
    def agrees(self) -> bool:
        """Whether no value is outside its tolerance."""
        return not (self.frame["verdict"] == "outside").any()

    def counts(self) -> dict[str, int]:
        """How many rows have each verdict."""
        found = self.frame["verdict"].value_counts()
        return {v: int(found.get(v, 0)) for v in VERDICTS}

    def by_entry(self) -> pd.DataFrame:
        """One row per entry: id, section, estimator, specification, reference, values (compared), digits
        (the fewest among values with a relative tolerance, where there are any), verdict (the gravest), note
        (why nothing was compared)."""
        rows = []
        for entry in self.entries.to_dict("records"):
            own = self.frame[self.frame["id"] == entry["id"]]
            compared = own[own["verdict"].isin(["within", "outside"])]
            exact = compared[compared["measure"] == "relative"]
            digits = exact if len(exact) else compared
            verdict = "outside" if (own["verdict"] == "outside").any() else "within"
            rows.append(
                {
                    **{k: entry[k] for k in ("id", "section", "estimator", "specification", "reference")},
                    "values": len(compared),
                    "digits": float(digits["digits"].min()) if len(digits) else math.nan,
                    "verdict": verdict if len(compared) else str(own["verdict"].iloc[0]),
                    "note": "" if len(compared) else str(own["note"].iloc[0]),
                }
            )
        return pd.DataFrame(rows)

    def to_plain(self) -> dict[str, Any]:
        """As JSON can hold it: no NaN."""

        def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
            return [
                {str(k): None if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()}
                for row in frame.to_dict("records")
            ]

        return {
            "agrees": self.agrees,
            "counts": self.counts(),
            "entries": records(self.by_entry()),
            "values": records(self.frame),
            "departures": records(self.departures),
        }

    def to_text(self) -> str:
        """One line per entry, every value that is outside its tolerance, and the count of each verdict."""
        lines = [f"{'entry':30} {'estimator':36} {'values':>6} {'digits':>6}  verdict"]
        for row in self.by_entry().to_dict("records"):
            digits = "" if math.isnan(row["digits"]) else f"{row['digits']:.1f}"
            lines.append(
                f"{row['id']:30} {row['estimator']:36} {row['values']:>6} {digits:>6}  {row['verdict']}"
                + (f": {row['note']}" if row["note"] else "")
            )
        for row in self.frame[self.frame["verdict"] == "outside"].to_dict("records"):
            lines.append(
                f"OUTSIDE {row['id']}, {row['quantity']}: golden {row['golden']:.13g}, "
                f"ours {row['ours']:.13g}, tolerance {row['tolerance']:g} {row['measure']}"
            )
        counts = ", ".join(f"{n:,} {v}" for v, n in self.counts().items() if n)
        return "\n".join([*lines, f"digits: the fewest that agree. {counts}."])
