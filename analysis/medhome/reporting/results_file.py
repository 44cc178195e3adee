"""``results.json``: every number of an evaluation under a stable name. The report is a view of it.

Names do not change from release to release: a reader may follow ``did.total_pmpm`` through the years. Values
are rounded to 10 significant digits, since the digits beyond differ from machine to machine; sums of dollars
are exact to the cent. A number that was withheld has the value null and says so, without saying why.
"""

from __future__ import annotations

import math
import numbers as numbers_abc
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from medhome.reporting.json_files import write_json
from medhome.reporting.measure_words import gaps_together
from medhome.reporting.result_names import MEMBER_MONTHS, PMPM, TABLES, WITH_INTERVAL, Column, Table
from medhome.study.periods import month_name
from medhome.study.results import Estimate, Evaluation
from medhome.study.spec import StudySpec

SCHEMA = "medhome/results/1"
SIGNIFICANT_DIGITS = 10
WITHHELD = "primary-or-secondary"
TOLERANCES: dict[str, dict[str, float]] = {"count": {}, "exact": {"rtol": 1e-9}, "estimate": {"rtol": 1e-8}}
"""How far a number of each kind may move on another machine; simulated numbers carry their own."""

Number = dict[str, Any]


_DID = {
    "headline": "did.total_pmpm",
    "detectable": "did.detectable_pmpm",
    "relative": "did.relative",
    "pre_trend": "did.pre_trend_pmpm_per_year",
}
_SLOPE = "Slope of the times before the own start"
_DRIFT = Column("USD PMPM per year", "estimate", 2)
_DETECTABLE_SLOPE = "Smallest slope before the start found with 80% power"
_WHERE = (
    (
        "between_sd_pmpm",
        Column(PMPM, "estimate", 2),
        "Standard deviation of practices, beyond their members'",
    ),
    ("treated_mean_pmpm", Column(PMPM, "estimate", 2), "Mean change of the program's practices"),
    ("high_risk_cut_pmpm", Column(PMPM, "estimate", 2), "Frozen expected cost from which risk is high"),
)
_MONTHS = ("month", "wave", "first_month", "treated", "compared_with")
_DRAWS = re.compile(r"^(wcr|fp|ri)(_|$)")
_DRAWS_WHY = "rests on random draws with the study's seed; another version of numpy may draw otherwise"


def numbers(evaluation: Evaluation, spec: StudySpec) -> dict[str, Number]:
    """Every number of a released evaluation, by name.

    Each holds ``value`` (null when withheld or not estimable), ``unit``, ``kind`` (count, exact, estimate,
    simulated), ``digits`` (as printed), ``label``, ``tolerance``, and where they exist ``ci90``, ``ci95``,
    ``se``, ``p``, ``df``, ``n``, ``model``, ``headline`` and ``suppressed``.
    """
    found: dict[str, Number] = {}

    def add(name: str, number: Number) -> None:
        if name in found:
            raise ValueError(f"results.json: two numbers are called {name}")
        found[name] = number

    for attribute, name in _DID.items():
        add(name, _estimate(getattr(evaluation.did, attribute)))
    for row, estimate in evaluation.savings.rows.items():
        add(f"savings.{_word(row)}", _estimate(estimate))
    for row, estimate in evaluation.completion.rows.items():
        add(f"completion.{_word(row)}", _estimate(estimate))
    for row, estimate in evaluation.uncertainty.probabilities.items():
        add(f"savings.probability.{_word(row)}", _estimate(estimate))
    for row, estimate in evaluation.payment.before.items():
        add(f"payment.before.{_word(row)}", _estimate(estimate))
    for name, number in _single_numbers(evaluation):
        add(name, number)
    for table in TABLES:
        part, frame = table.frame.split(".")
        for name, number in _rows(table, getattr(getattr(evaluation, part), frame), spec):
            add(name, number)
    for check in evaluation.checks:
        value = None if check.passed is None else int(check.passed)
        add(f"check.{_word(check.id)}", _number(value, Column("1 = passed", "count"), check.sentence))
    return found


def document(evaluation: Evaluation, spec: StudySpec, *, run_id: str) -> dict[str, Any]:
    """What ``results.json`` holds."""
    return {
        "schema": SCHEMA,
        "run_id": run_id,
        "study": spec.id,
        "through": spec.periods.through,
        "numbers": numbers(evaluation, spec),
    }


def write(evaluation: Evaluation, spec: StudySpec, path: Path, *, run_id: str) -> None:
    """Write ``results.json``."""
    write_json(document(evaluation, spec, run_id=run_id), path)


def headline(evaluation: Evaluation) -> Number:
    """The one number that a reader asks for first: the effect in dollars PMPM."""
    return _estimate(evaluation.did.headline)


def significant(value: float) -> float:
    """A number with 10 significant digits.

    >>> significant(-13.88123456789), significant(-0.0)
    (-13.88123457, 0.0)
    """
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}") + 0.0


def _estimate(estimate: Estimate) -> Number:
    number = _number(estimate.value, Column(estimate.unit, estimate.kind, estimate.digits), estimate.label)
    number["tolerance"] = (
        {"rtol": estimate.rtol} if estimate.kind in ("estimate", "simulated") else (TOLERANCES[estimate.kind])
    )
    if estimate.why:
        number["tolerance"] = {**number["tolerance"], "why": estimate.why}
    number |= _uncertainty(estimate.se, estimate.p, estimate.ci90, estimate.ci95)
    if estimate.method:
        number["model"] = estimate.method
    if estimate.n:
        number["n"] = {k: _plain(v) for k, v in estimate.n.items()}
    if estimate.headline:
        number["headline"] = True
    if estimate.suppressed:
        number |= {"value": None, "suppressed": WITHHELD}
    return number


def _number(value: Any, column: Column, label: str) -> Number:
    plain = _plain(value)
    if plain is not None and column.kind == "count":
        plain = int(plain)
    elif plain is not None and column.to_the_cent:
        plain = round(float(value), 2) + 0.0
    return {
        "value": plain,
        "unit": column.unit,
        "kind": column.kind,
        "digits": column.digits,
        "label": label,
        "tolerance": {} if column.to_the_cent else dict(TOLERANCES.get(column.kind, {})),
    }


def _uncertainty(se: Any, p: Any, ci90: Any, ci95: Any, df: Any = None) -> Number:
    found: Number = {}
    for name, value in (("se", se), ("p", p), ("df", df)):
        if _plain(value) is not None:
            found[name] = _plain(value)
    for name, ci in (("ci90", ci90), ("ci95", ci95)):
        bounds = [] if ci is None else [_plain(v) for v in ci]
        if bounds and None not in bounds:
            found[name] = bounds
    return found


def _plain(value: Any) -> int | float | None:
    """Whole numbers stay whole, others get 10 significant digits; missing is null."""
    if value is None or pd.isna(value) or not math.isfinite(value):
        return None
    return int(value) if isinstance(value, numbers_abc.Integral) else significant(float(value))


def _single_numbers(evaluation: Evaluation) -> Iterator[tuple[str, Number]]:
    cohort, did = evaluation.cohort, evaluation.did
    for name, counts, unit, kind in (
        ("members", cohort.members, "members", "count"),
        ("member_months", cohort.member_months, MEMBER_MONTHS, "exact"),
        ("practices", cohort.practices, "practices", "count"),
        ("organizations", cohort.organizations_n, "organizations", "count"),
        ("clinicians", cohort.clinicians, "clinicians", "count"),
    ):
        for arm, value in counts.items():
            number = _number(value, Column(unit, kind), f"{unit.capitalize()}, {arm}")
            if value is None:
                number["suppressed"] = WITHHELD
            yield f"cohort.{name}.{_word(arm)}", number
    count, estimate = Column("organizations", "count"), Column(PMPM, "estimate", 2)
    yield "did.treated_organizations", _number(did.treated_organizations, count, "Treated organisations")
    yield (
        "did.comparison_organizations",
        _number(did.comparison_organizations, count, "Comparison organisations"),
    )
    yield (
        "did.organization_sd_pmpm",
        _number(did.organization_sd_pmpm, estimate, "Organisations' own variation"),
    )
    yield (
        "did.autocorrelation",
        _number(did.autocorrelation, Column("correlation", "estimate", 2), "Autocorrelation by month"),
    )
    if did.pre_trend_detectable is not None:
        least = _number(did.pre_trend_detectable, _DRIFT, _DETECTABLE_SLOPE)
        yield "did.pre_trend_detectable_pmpm_per_year", least
    for period, (opened, shut) in gaps_together(evaluation.measures).items():
        for name, value, unit in (
            ("open", opened, "gaps"),
            ("closed", shut, "gaps"),
            ("rate", shut / opened, "share"),
        ):
            label = f"Gaps in care of the program together, {period}, {name}"
            yield f"measures.gaps_together.{period}.{name}", _number(value, Column(unit, "exact", 4), label)
    where = evaluation.where
    for name, column, label in _WHERE:
        value = getattr(where, name)
        if value is not None:
            yield f"where.{name}", _number(value, column, label)
    waves = evaluation.waves
    if waves.two_way is not None:
        yield "waves.two_way_pmpm", _number(waves.two_way, estimate, "Two-way fixed effects, all waves")
        yield (
            "waves.already_share",
            _number(waves.already, Column("share", "estimate", 4), "Weight on practices in the program"),
        )
    if waves.slope:
        slope = _number(waves.slope["estimate"], _DRIFT, _SLOPE)
        ends = [(waves.slope[f"lo{level}"], waves.slope[f"hi{level}"]) for level in (90, 95)]
        least = _number(waves.slope["detectable"], _DRIFT, _DETECTABLE_SLOPE)
        yield "waves.pre_trend_detectable_pmpm_per_year", least
        yield "waves.pre_trend_pmpm_per_year", slope | _uncertainty(waves.slope["se"], None, *ends)
    sure = evaluation.robustness
    if sure.as_large is not None:
        yield (
            "robustness.placebo_arm.as_large",
            _number(sure.as_large, count, "Placebo organisations with an effect as far from zero"),
        )
        yield (
            "robustness.placebo_arm.share",
            _number(sure.share, Column("share", "estimate", 3), "Share of placebos, the program with them"),
        )


def _rows(table: Table, frame: pd.DataFrame, spec: StudySpec) -> Iterator[tuple[str, Number]]:
    with_interval = WITH_INTERVAL.get(table.frame)
    for row in frame.to_dict("records"):
        keys = [
            month_name(int(row[k])) if k in _MONTHS and row[k] else _word(row[k])
            for k in table.keys
            if row.get(k) != ""
        ]
        prefix = ".".join([table.prefix, *keys])
        label = str(row.get(table.label, "") or "")
        for name, column in table.columns.items():
            if name not in row:
                continue
            unit = column.unit or str(row.get("unit", ""))
            number = _number(row[name], Column(unit, column.kind, column.digits), label)
            counted = name if column.kind == "count" else column.of
            if (
                number["value"] is None
                and counted
                and _plain(row.get(counted)) is None
                and _hides(table, name)
            ):
                number["suppressed"] = WITHHELD
            if name == with_interval:
                number |= _uncertainty(
                    row.get("se"), row.get("p"), _pair(row, "90"), _pair(row, "95"), row.get("df")
                )
            if column.kind == "simulated":
                number["tolerance"] = {"rtol": 0.05, "why": _DRAWS_WHY}
            if table.frame == "did.methods":
                number |= {"headline_method": bool(row["headline"]), "valid": bool(row["valid"])}
                if _DRAWS.search(str(row["method"])):
                    number |= {"kind": "simulated", "tolerance": {"rtol": 0.05, "why": _DRAWS_WHY}}
            yield (prefix if table.frame == "did.methods" else f"{prefix}.{name}"), number


def _hides(table: Table, name: str) -> bool:
    """Whether a missing value of a column means that it was withheld, and not that it cannot be estimated."""
    return table.columns[name].kind == "count" or bool(table.columns[name].of)


def _pair(row: Mapping[Any, Any], level: str) -> tuple[Any, Any] | None:
    low, high = row.get(f"lo{level}"), row.get(f"hi{level}")
    return None if low is None or high is None else (low, high)


def _word(text: Any) -> str:
    """One part of a name: lower case except ids of definitions (E1), no blanks or dots.

    >>> _word("Comparison 07"), _word("E1b"), _word(-8), _word("age_sex:F18-34")
    ('comparison-07', 'E1b', '-8', 'age_sex-F18-34')
    """
    text = str(int(text)) if isinstance(text, float) and text.is_integer() else str(text)
    if re.fullmatch(r"-?\d+", text):
        return text
    one_word = re.fullmatch(r"[\w:-]+", text)
    return re.sub(r"[^\w-]+", "-", text if one_word else text.lower()).strip("-")
