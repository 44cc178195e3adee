"""One number with its uncertainty: what every exhibit, table and file of results is made of."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """One number with its uncertainty.

    ``kind``: count (exact whole number), exact (arithmetic on the data), estimate (deterministic fit),
    simulated (rests on random draws; then ``rtol`` and ``why`` say how far it may move).
    """

    value: float | None
    unit: str
    kind: str = "estimate"
    label: str = ""
    method: str = ""
    se: float | None = None
    p: float | None = None
    ci90: tuple[float, float] | None = None
    ci95: tuple[float, float] | None = None
    n: Mapping[str, int] = field(default_factory=dict)
    digits: int = 2
    headline: bool = False
    rtol: float = 1e-8
    why: str = ""
    suppressed: bool = False

    def negated(self, **changes: Any) -> Estimate:
        """The same number with its sign turned (for savings only)."""

        def turn(ci: tuple[float, float] | None) -> tuple[float, float] | None:
            return None if ci is None else (-ci[1], -ci[0])

        value = None if self.value is None else -self.value
        return dataclasses.replace(self, value=value, ci90=turn(self.ci90), ci95=turn(self.ci95), **changes)

    def shifted(self, by: float, **changes: Any) -> Estimate:
        """The same number plus a constant that carries no uncertainty.

        A p is that of the number moved, two-sided, by the normal with its standard error.
        """

        def move(ci: tuple[float, float] | None) -> tuple[float, float] | None:
            return None if ci is None else (ci[0] + by, ci[1] + by)

        value = None if self.value is None else self.value + by
        p = None
        if self.p is not None and value is not None and self.se:
            p = math.erfc(abs(value) / self.se / math.sqrt(2))
        return dataclasses.replace(
            self, value=value, ci90=move(self.ci90), ci95=move(self.ci95), **({"p": p} | changes)
        )

    def scaled(self, by: float, **changes: Any) -> Estimate:
        """The same number times a positive constant."""

        def grow(ci: tuple[float, float] | None) -> tuple[float, float] | None:
            return None if ci is None else (ci[0] * by, ci[1] * by)

        value = None if self.value is None else self.value * by
        se = None if self.se is None else self.se * by
        return dataclasses.replace(
            self, value=value, se=se, ci90=grow(self.ci90), ci95=grow(self.ci95), **changes
        )
