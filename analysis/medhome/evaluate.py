"""The evaluation, from input tables to savings: one straight line that reads like the protocol."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from medhome import adjustment
from medhome.models import (
    checks,
    comparison_group,
    completion,
    credibility,
    did,
    employers,
    expected,
    payment,
    risk,
    robustness,
    savings,
)
from medhome.models import rates as measure_effects
from medhome.models import selection as leaving
from medhome.models import specifications as specification_models
from medhome.models import surveys as satisfaction
from medhome.models import truncation as other_caps
from medhome.models import uncertainty as whole_chain
from medhome.models import washout as implementation
from medhome.models import where as parts_of_the_effect
from medhome.models.inference.side_by_side import SEED_STEPS
from medhome.models.member_costs import describe as member_costs
from medhome.models.panels.multiplier import STEP as BANDS_STEP
from medhome.models.pre_trend import STEP as PRE_TREND_STEP
from medhome.models.staggered.cautions import checks as wave_checks
from medhome.models.staggered.description import describe as describe_waves
from medhome.study.care_management_results import CareManagement
from medhome.study.cells import Cells, MonthPairs, Rows
from medhome.study.employer_results import EmployerCells
from medhome.study.measure_results import CollapsedMeasures
from medhome.study.placebo_results import PlaceboCells
from medhome.study.progress import Progress, silent
from medhome.study.results import Attrition, Cohort, DataQuality, Evaluation
from medhome.study.selection_results import Selection
from medhome.study.spec import StudySpec
from medhome.study.survey_results import SurveyAnswers
from medhome.study.triangles import Triangles
from medhome.study.truncation_results import CapGrid, Truncation
from medhome.study.washout_results import Washout
from medhome.study.where_results import GroupCells
from medhome.tables import (
    balance,
    cap_grid,
    care_management,
    code_systems,
    collapse,
    engines,
    latest_month,
    member_patterns,
    panel,
    placebo_outcomes,
    selection,
    sources,
    specifications,
    strata,
    subgroups,
    surveys,
    triangles,
    truncation,
)
from medhome.tables import checks as input_checks
from medhome.tables.employers import employer_cells
from medhome.tables.measures.evaluation import collapse_measures
from medhome.tables.selection import Flows

PAIRED = ("allowed_capped", "paid", "paid_capped")
"""Outcomes whose members' months are paired: each interval rests on its own member covariance."""


def check(spec: StudySpec, data: Path, progress: Progress = silent, engine: str = engines.OWN) -> DataQuality:
    """Are the input tables as their contracts say, and where do their dollars go? Nothing is estimated.

    Raises `DataProblem` naming file, column and row when they are not, or when an arm would be empty.
    """
    with engines.opened(engine) as ready:
        inputs = sources.open_inputs(ready.files, spec, data)
        rules, files = input_checks.check_inputs(ready.files, inputs, spec, data)
        progress("input tables checked", 0, 0)
        months = panel.build(ready.con, ready.moved(inputs), spec)
        progress("member-months and cohort built", 0, 0)
    return DataQuality(rules=rules, inputs=files, **months.quality)


def latest_incurred_month(spec: StudySpec, data: Path) -> int | None:
    """The latest month of service in the input tables, None without a claim; no amount is read."""
    with engines.opened(engines.OWN) as ready:
        return latest_month.latest_incurred_month(sources.open_inputs(ready.files, spec, data))


@dataclass(frozen=True, kw_only=True)
class Collapsed:
    """A study's claims after the engine's work: all that the models need, and what was seen on the way.

    cells: practice-months. starts: of the program's practices (`tables.arms.starts`). rows: member-periods.
    model: the frozen cost model. pairs: cross-products of one member's months by outcome. triangles: when
    cost was paid. coded: scores by month where the code system of diagnoses changes in the look-back
    (`tables.code_systems`). grid: the same cells at other caps. above_cap: who and what is above the study's
    own. flows: who came and went (`tables.selection`). by_attribution: cells of the curve
    (`tables.specifications`). employers: those of the largest employer groups. outcomes: what the program
    cannot have changed (`tables.placebo_outcomes`). adjusted: the study's risk, and the same cells with the
    other timing of it. groups: cells of groups of members (`tables.subgroups`). measures: use of care and
    quality. answers: of surveys. patterns: members with the same months, where asked for
    (`tables.member_patterns`). The rest are parts of `Evaluation`.
    """

    cells: Cells
    starts: pd.DataFrame
    rows: Rows
    model: risk.RiskModel
    pairs: dict[str, MonthPairs]
    triangles: Triangles
    grid: CapGrid
    above_cap: pd.DataFrame
    attrition: Attrition
    quality: DataQuality
    cohort: Cohort
    coded: pd.DataFrame
    flows: Flows
    by_attribution: dict[str, Cells]
    employers: EmployerCells
    outcomes: tuple[PlaceboCells, ...]
    patterns: Cells | None
    adjusted: adjustment.Adjusted
    groups: GroupCells
    measures: CollapsedMeasures
    care_management: CareManagement
    answers: SurveyAnswers


def collapse_study(
    spec: StudySpec, data: Path, progress: Progress = silent, engine: str = engines.OWN
) -> Collapsed:
    """What did each practice's members cost in each month, and who were they?

    Arguments
        spec: the study as declared.
        data: folder of the input tables.
        progress: told the name of each step as it is done.
        engine: one of `engines.ENGINES`; numbers do not depend on it.

    Raises `DataProblem` and `ModelRefusal`.
    """
    with engines.opened(engine) as ready:
        inputs = sources.open_inputs(ready.files, spec, data)
        rules, files = input_checks.check_inputs(ready.files, inputs, spec, data)
        inputs = ready.moved(inputs)
        progress("input tables checked", 0, 0)

        months = panel.build(ready.con, inputs, spec)
        progress("member-months and cohort built", 0, 0)

        adjusted = adjustment.adjusted(inputs, months, spec, beside=True)
        rows, model, scored = adjusted.rows, adjusted.model, adjusted.scored
        cells = collapse.cells(scored, spec)
        adjusted = adjustment.with_cells(adjusted, cells, spec)
        pairs = collapse.month_pairs_of(scored, PAIRED)
        grid = cap_grid.cap_grid(scored, cells, spec)
        above = truncation.above_cap(scored, spec)
        of_employers = employer_cells(inputs, scored, cells, spec)
        paid_when = triangles.build(inputs, scored, cells, spec)
        groups = subgroups.group_cells(inputs, scored, spec)
        compared = replace(balance.describe(scored, spec), strata=strata.by_arm(cells, rows, spec))
        flows = selection.describe(inputs, scored, spec)
        coded = code_systems.by_month(inputs, scored.members, model.coefficients(), spec)
        of_members = member_patterns.patterns(scored, spec)
        unchanged = placebo_outcomes.collapse(inputs, scored, cells, pairs["allowed_capped"], spec)
        measured = collapse_measures(inputs, scored, spec, data)
        in_care = care_management.describe(inputs, scored, compared.labels, spec)
        answers = surveys.collect(inputs, scored, spec)
        other = _specification_cells(ready, inputs, scored, cells, spec)
        progress("cost collapsed to cells", 0, 0)
    quality = DataQuality(rules=rules, inputs=files, **months.quality)
    return Collapsed(
        cells=cells,
        starts=months.starts,
        rows=rows,
        model=model,
        pairs=pairs,
        triangles=paid_when,
        grid=grid,
        above_cap=above,
        attrition=months.attrition,
        quality=quality,
        cohort=compared,
        coded=coded,
        flows=flows,
        by_attribution=other,
        employers=of_employers,
        outcomes=unchanged,
        patterns=of_members,
        adjusted=adjusted,
        groups=groups,
        measures=measured,
        care_management=in_care,
        answers=answers,
    )


def _specification_cells(
    ready: engines.Opened, inputs: dict[str, Any], scored: panel.Panel, cells: Cells, spec: StudySpec
) -> dict[str, Cells]:
    """The specification curve's cells by attribution population; last, since panels share their tables."""
    if not spec.specifications.enabled:
        return {}
    caps, own = specifications.caps_cents(scored, spec), spec.attribution.population
    found: dict[str, Cells] = {own: specifications.named_cells(scored, cells, caps, spec)}
    for population in spec.specifications.attributions:
        if population != own:
            choice = spec.attributed(population)
            months = panel.build(ready.con, inputs, choice)
            other = adjustment.adjusted(inputs, months, choice).scored
            found[population] = specifications.named_cells(other, collapse.cells(other, choice), caps, choice)
    return found


def evaluate(
    spec: StudySpec, data: Path, progress: Progress = silent, engine: str = engines.OWN
) -> Evaluation:
    """Did the program change what care cost, compared with what would have been expected?

    Arguments as in `collapse_study`. Returns everything that was found, not yet cleared for release. Raises
    `DataProblem` and `ModelRefusal`.
    """
    whole = collapse_study(spec, data, progress, engine)
    weights, compared = comparison_group.weigh(
        whole.cells, whole.rows.frame, whole.model.predict(whole.rows.frame), whole.cohort.balance, spec
    )
    study = _weighted(whole, weights)
    cells, pairs = study.cells, study.pairs

    effect = did.estimate(cells, pairs["allowed_capped"], spec)
    against = expected.definitions(cells, study.rows, study.model, pairs["allowed_capped"], spec, effect)
    completed = completion.estimate(study.triangles, cells, pairs["allowed_capped"], spec)
    paid_out = payment.program_payments(cells, spec, study.measures)
    saved = savings.from_effect(effect, cells, pairs, spec, completed, paid_out)
    before = credibility.before_savings(effect, cells, pairs["allowed_capped"], spec)
    progress("effect, expected cost and savings estimated", 0, 0)
    waves = describe_waves(cells, pairs["allowed_capped"], study.starts, spec, effect)
    sure = robustness.describe(
        cells, pairs["allowed_capped"], spec, effect, study.cohort, study.outcomes, study.patterns
    )
    progress("placebos, other estimators and bounds estimated", 0, 0)
    modelled = member_costs.describe(study.rows, spec, study.cohort.labels)
    progress("cost models of members fitted", 0, 0)

    found: dict[str, Any] = dict(
        attrition=study.attrition,
        quality=study.quality,
        cohort=study.cohort,
        risk=study.model.result(),
        expected=against,
        did=effect,
        savings=saved,
        completion=completed,
    )
    noted = payment.payment_checks(spec, paid_out.result)
    risk_beside = adjustment.side_by_side(study.adjusted, pairs["allowed_capped"], spec, effect)
    return Evaluation(
        study_id=spec.id,
        fingerprint=spec.fingerprint,
        periods=_periods(spec),
        checks=checks.run_all(
            **found,
            cells=whole.cells,
            spec=spec,
            coded=study.coded,
            notes=study.adjusted.notes,
            adjustment=risk_beside,
        )
        + noted
        + wave_checks(waves, spec),
        payment=replace(paid_out.result, before=before),
        selection=_selection(whole, spec),
        truncation=Truncation(above_cap=study.above_cap, cap_grid=other_caps.cap_grid(study.grid, spec)),
        robustness=sure,
        specifications=specification_models.curve(study.by_attribution, effect.headline, spec, weights),
        comparison=compared,
        washout=Washout(grid=implementation.washout(cells, pairs["allowed_capped"], spec)),
        employers=employers.without_each(study.employers, cells, pairs["allowed_capped"], spec),
        uncertainty=whole_chain.whole_chain(
            cells, study.rows, spec, against, saved, completed, study.triangles
        ),
        adjustment=risk_beside,
        member_costs=modelled,
        where=parts_of_the_effect.describe(
            cells, pairs["allowed_capped"], spec, effect, study.triangles, study.groups, study.cohort
        ),
        waves=waves,
        measures=measure_effects.describe(study.measures, spec),
        care_management=study.care_management,
        surveys=satisfaction.describe(study.answers, spec),
        **found,
    )


def _weighted(study: Collapsed, weights: comparison_group.PracticeWeights) -> Collapsed:
    """The study with comparison practices weighted in everything that an effect is estimated on."""
    if not weights.factors:
        return study
    weighed = weights.applied
    named = {n: getattr(study, n) for n in ("triangles", "grid", "employers", "groups")}
    return replace(
        study,
        cells=weighed(study.cells),
        patterns=weighed(study.patterns),
        adjusted=replace(
            study.adjusted, cells=weighed(study.adjusted.cells), other=weighed(study.adjusted.other)
        ),
        outcomes=tuple(replace(o, cells=weighed(o.cells)) for o in study.outcomes),
        **{n: replace(part, cells=weighed(part.cells)) for n, part in named.items()},
    )


def _selection(study: Collapsed, spec: StudySpec) -> Selection:
    flows = study.flows
    return Selection(
        members=flows.members,
        crossovers=flows.crossovers,
        without_visits=flows.without_visits,
        exits=leaving.exits(flows.organizations),
        effects=leaving.effects(flows.organizations, study.cells, spec),
    )


def seeds(spec: StudySpec) -> dict[str, tuple[int, int]]:
    """The seed of each method that draws random numbers: the study's own, and the method's step."""
    steps = SEED_STEPS | member_costs.SEED_STEPS | {"wave_bands": BANDS_STEP, "pre_trend": PRE_TREND_STEP}
    return {method: (spec.seed, step) for method, step in steps.items()}


def _periods(spec: StudySpec) -> dict[str, str]:
    p = spec.periods
    return {
        "baseline_first": p.baseline_first,
        "baseline_last": p.baseline_last,
        "start": p.start,
        "through": p.through,
        "paid_through": spec.paid_through,
    }
