"""The specification curve: the effect under every combination of reasonable choices."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import pandas as pd

from medhome.study.frames import frame_without_rows

AXES = ("attribution", "cap", "amount", "weights", "covariates", "population", "estimator", "clustering")
"""What a specification chooses; the last changes the interval only, not the estimate."""

_KINDS = {
    "specifications": {
        **dict.fromkeys(AXES, "str"), "estimate": "float64", "se": "float64", "df": "float64",
        "lo90": "float64", "hi90": "float64", "lo95": "float64", "hi95": "float64",
        "primary": "bool", "interval": "str", "why": "str",
    },
    "choices": {
        "axis": "str", "value": "str", "primary": "bool", "estimates": "int64",
        "median": "float64", "least": "float64", "most": "float64",
    },
    "ranks": {
        "statistic": "str", "label": "str", "value": "float64", "rank": "int64", "assignments": "int64",
        "p": "float64", "smallest_p": "float64",
    },
}  # fmt: skip


def empty(name: str) -> pd.DataFrame:
    """One of the frames without rows."""
    return frame_without_rows(_KINDS[name])


@dataclass(frozen=True, kw_only=True)
class SpecificationCurve:
    """How far does the effect hang on choices that could have been made otherwise?

    specifications: one row per specification, in the order of the estimate, the most negative first and those
        without one last: a column for each of `AXES`, ``estimate`` (dollars PMPM, actual minus expected),
        ``se``, ``df``, ``lo90``, ``hi90``, ``lo95``, ``hi95``, ``primary`` (the study's own), ``interval``
        ("recommended": the headline's, of the primary; "conventional": by clusters, CR1 and t) and ``why``
        (empty, or why there is no estimate).
    choices: one row per axis (but clustering, which changes no estimate) and value: ``primary`` (bool),
        ``estimates`` (how many), and their ``median``, ``least`` and ``most``.
    ranks: the whole curve under every assignment of the treated label to organisations: one row per
        statistic ("median": the median effect, "same_sign": the largest share of effects of one sign):
        ``value`` (of the actual assignment), ``rank`` (assignments at least as extreme, the actual one among
        them), ``assignments``, ``p`` (rank over assignments), ``smallest_p`` (that the test could give).
    exact: every assignment was tried. ranked: estimates in the ranks. left_out: what is not in the curve, and
        why, in sentences.
    """

    specifications: pd.DataFrame = field(default_factory=lambda: empty("specifications"))
    choices: pd.DataFrame = field(default_factory=lambda: empty("choices"))
    ranks: pd.DataFrame = field(default_factory=lambda: empty("ranks"))
    exact: bool = True
    ranked: int = 0
    treated_organizations: int = 0
    left_out: tuple[str, ...] = ()
    COUNTS: ClassVar[dict[str, tuple[str, ...]]] = {}
    RESTING: ClassVar[dict[str, tuple[str, ...]]] = {}

    @property
    def effects(self) -> pd.DataFrame:
        """One row per estimate: clustering, which changes the interval only, left out."""
        known = self.specifications[self.specifications["why"] == ""]
        kept = known.drop_duplicates(list(AXES[:-1]), keep="first")
        own = known.groupby(list(AXES[:-1]), sort=False)["primary"].transform("max")
        return kept.assign(primary=own.reindex(kept.index)).reset_index(drop=True)
