"""The study's risk, from diagnoses to the cells: fitted or scored, frozen, and year by year beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from medhome.models import risk
from medhome.models.risk_scores import bands, drift
from medhome.study.cells import Cells, MonthPairs, Rows
from medhome.study.results import DidResult
from medhome.study.risk_results import RiskAdjustment
from medhome.study.risk_years import risk_years
from medhome.study.spec import StudySpec
from medhome.tables import collapse, panel, person_years, scores


@dataclass(frozen=True, kw_only=True)
class Adjusted:
    """A panel with its members' risk: frozen, and where it is asked for that of each year.

    scored: the panel with the timing that the study declares. frozen, concurrent: with each timing (no
    concurrent one where the cost model holds no diagnoses). seen: concurrent expected cost by arm and year,
    and by member. banded: members' scores. known: who has history and a score. cells, other: practice-months
    of the declared timing, and of the other one.
    """

    rows: Rows
    model: risk.RiskModel
    scored: panel.Panel
    frozen: panel.Panel
    concurrent: panel.Panel | None
    seen: tuple[pd.DataFrame, pd.DataFrame] | None
    banded: bands.Banded | None
    known: pd.DataFrame
    cells: Cells | None = None
    other: Cells | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know of the scores and of the cost model, in sentences."""
        return (*(() if self.banded is None else self.banded.notes), *self.model.notes)

    @property
    def cells_of(self) -> tuple[Cells, Cells | None]:
        """Practice-months with frozen and with concurrent risk."""
        assert self.cells is not None
        return (self.other, self.cells) if self.scored is self.concurrent else (self.cells, self.other)  # type: ignore[return-value]


def adjusted(inputs: dict[str, Any], months: panel.Panel, spec: StudySpec, beside: bool = False) -> Adjusted:
    """Fit the study's risk and score its members: once, before the start, and year by year where needed.

    ``beside``: with concurrent risk even where the study does not declare it.
    """
    months = scores.with_history(inputs, months, spec)
    banded, of_years = None, None
    if spec.risk.scored:
        own = scores.versions(inputs, spec) if spec.risk.model == "score" else ""
        banded = bands.banded(scores.people(inputs, months, spec), spec, own)
        months, of_years = scores.with_bands(months, banded.frame, banded.labels)
    rows = collapse.member_rows(months, spec)
    model = risk.fit(rows, spec, "" if banded is None else banded.named)
    frozen = collapse.score(months, model.coefficients())
    timed, seen = None, None
    if (beside or spec.risk.timing == "concurrent") and spec.risk.reads_diagnoses:
        years = person_years.person_years(inputs, frozen, spec, of_years)
        terms, _ = risk.solve(
            person_years.rows(frozen, years, spec), spec, arm="comparison", period="baseline"
        )
        of_years = person_years.score(frozen, years, risk.fitted_cents(terms))
        timed = person_years.concurrent(frozen, of_years, spec)
        seen = person_years.by_arm(frozen, of_years), person_years.by_member(frozen, of_years)
    return Adjusted(
        rows=rows,
        model=model,
        scored=timed if timed is not None and spec.risk.timing == "concurrent" else frozen,
        frozen=frozen,
        concurrent=timed,
        seen=seen,
        banded=banded,
        known=scores.known_by_arm(frozen, spec),
    )


def with_cells(found: Adjusted, cells: Cells, spec: StudySpec) -> Adjusted:
    """The same with the study's own practice-months, and those with the other timing of risk."""
    if found.concurrent is None:
        return replace(found, cells=cells)
    other = found.frozen if found.scored is found.concurrent else found.concurrent
    return replace(found, cells=cells, other=person_years.cells(other, cells, spec))


def side_by_side(found: Adjusted, pairs: MonthPairs, spec: StudySpec, effect: DidResult) -> RiskAdjustment:
    """The effect with each timing of risk, and how scores moved.

    Arguments
        pairs: cross-products of members' months of ``allowed_capped``. effect: the study's own.
    """
    frozen, concurrent = found.cells_of
    seen, banded = found.seen, found.banded
    people = None if banded is None else banded.frame
    drifts = {} if seen is None else {
        "drift": drift.by_year(seen[0], risk_years(spec.periods), people),
        "drift_effect": drift.change(seen[1]),
    }  # fmt: skip
    return RiskAdjustment(
        source=found.model.version if banded is None else banded.source,
        weights="" if banded is None else banded.weights,
        mapping_year="" if banded is None else banded.mapping_year,
        timing=spec.risk.timing,
        effects=drift.effects(frozen, concurrent, pairs, spec, effect.headline),
        known=drift.known(found.known),
        **drifts,
    )
