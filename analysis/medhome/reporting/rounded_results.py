"""Results that rest on counts of other tables: computed again from what those tables say once rounded."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pandas as pd

from medhome.reporting.result_columns import MEMBER_MONTHS, USD
from medhome.reporting.rounded_counts import BASE, RoundedCounts, nearest
from medhome.study.results import Estimate, Evaluation

_ARMS = ("treated", "comparison")
_PERIODS = ("baseline", "performance")
_INTERVAL = ("lo90", "hi90", "lo95", "hi95")
_P_VALUES = ("p", "p_holm", "p_bh")


def step(value: float, n: float) -> float:
    """A mean of n to 1, 2 or 5 times the power of ten that is at least 5/n of it; missing where n is.

    >>> step(344.9479, 7255), step(39.13, 530), step(0.0, 10)
    (345.0, 39.0, 0.0)
    """
    if math.isnan(n):
        return math.nan
    if not value or not n or not math.isfinite(value):
        return value
    size = step_size(BASE * abs(value) / abs(n))
    return round(round(value / size) * size, 10)


def step_size(least: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is at least this.

    >>> step_size(0.24), step_size(3.0), step_size(500.0)
    (0.5, 5.0, 500.0)
    """
    power = 10.0 ** math.floor(math.log10(least))
    return next(m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= least * (1 - 1e-9))


@dataclasses.dataclass(frozen=True)
class Before:
    """The evaluation before and after its counts were rounded, and what its counts are now."""

    true: Evaluation
    rounded: Evaluation
    counts: RoundedCounts

    def months(self, arm: str, period: str) -> tuple[float, float]:
        """Member-months of an arm in a period: true and rounded; of both periods where they are withheld."""
        found = self.true.completion.periods
        for row in found[(found["arm"] == arm) & (found["period"] == period)].to_dict("records"):
            if not pd.isna(row["member_months"]):
                true = float(row["member_months"])
                return true, self.counts.of(MEMBER_MONTHS, arm, true)
        everyone = float(self.true.cohort.member_months[arm])
        return everyone, self.counts.of(MEMBER_MONTHS, arm, everyone)

    @property
    def total_months(self) -> float:
        return float(sum(self.true.cohort.member_months.values()))


Again = Callable[[pd.DataFrame, pd.DataFrame, Before], pd.DataFrame]
"""From a frame as rounded so far, and as it was, to what may be shown of it."""


def _rows(frame: pd.DataFrame) -> Iterator[tuple[Any, Any]]:
    """Every row with its place."""
    yield from frame.iterrows()


def _balance(done: pd.DataFrame, true: pd.DataFrame, before: Before) -> pd.DataFrame:
    for at, row in _rows(true):
        means: dict[str, float] = {}
        for arm in _ARMS:
            n, rounded = before.months(arm, "baseline")
            if row["unit"] == "share":
                means[arm] = before.counts.of(MEMBER_MONTHS, arm, round(float(row[arm]) * n)) / rounded \
                    if not pd.isna(row[arm]) else math.nan  # fmt: skip
            else:
                means[arm] = step(float(row[arm]), n)
            done.loc[at, arm] = means[arm]
        variances = [m * (1 - m) for m in means.values()]
        if row["unit"] == "share":
            spread = math.sqrt(sum(variances) / 2) if all(v >= 0 for v in variances) else math.nan
            away = (means["treated"] - means["comparison"]) / spread if spread else math.nan
            ratio = variances[0] / variances[1] if variances[1] else math.nan
            done.loc[at, ["smd", "variance_ratio"]] = [round(away, 3), round(ratio, 3)]
        else:
            done.loc[at, ["smd", "variance_ratio"]] = [
                round(float(row[c]), 2) for c in ("smd", "variance_ratio")
            ]
    return done


def _weighted_balance(done: pd.DataFrame, true: pd.DataFrame, before: Before) -> pd.DataFrame:
    cohort = before.rounded.cohort.balance.set_index("characteristic")
    for at, row in _rows(true):
        name = row["characteristic"]
        for column in (c for c in (*_ARMS, "smd", "variance_ratio") if name in cohort.index and c in cohort):
            done.loc[at, column] = cohort.loc[name, column]
        done.loc[at, "weighted"] = step(float(row["weighted"]), before.months("comparison", "baseline")[0])
        for column in ("smd_weighted", "variance_ratio_weighted"):
            done.loc[at, column] = round(float(row[column]), 2)
    return done


def _definitions(done: pd.DataFrame, true: pd.DataFrame, before: Before) -> pd.DataFrame:
    n, rounded = before.months("treated", "performance")
    own = before.months("treated", "baseline")[0]
    done["baseline_pmpm"] = [step(v, own) for v in true["baseline_pmpm"]]
    done["actual_pmpm"] = [step(v, n) for v in true["actual_pmpm"]]
    done["expected_pmpm"] = done["actual_pmpm"] - true["difference_pmpm"]
    done["ae_ratio"] = done["actual_pmpm"] / done["expected_pmpm"]
    done["difference_usd"] = true["difference_usd"] * rounded / n
    return done


def _years(done: pd.DataFrame, true: pd.DataFrame, before: Before) -> pd.DataFrame:
    if "actual_pmpm" not in true:
        return done
    months = true["member_months"].astype("float64")
    done["actual_pmpm"] = [step(v, n) for v, n in zip(true["actual_pmpm"], months, strict=True)]
    done["expected_pmpm"] = done["actual_pmpm"] + true["gross_pmpm"]
    done["gross_share"] = true["gross_share"].round(3)
    others = before.months("comparison", "performance")[0] / max(1, len(true))
    for arm, mean, change, n in (
        ("treated", "actual_pmpm", "change_pmpm", None),
        ("comparison", "comparison_pmpm", "comparison_change_pmpm", others),
    ):
        if mean not in true or change not in true:
            continue
        if n is not None:
            done[mean] = [step(v, n) for v in true[mean]]
        baseline = true[mean] - true[change]
        done[change] = done[mean] - [step(v, before.months(arm, "baseline")[0]) for v in baseline]
    return done


def _reserves(done: pd.DataFrame, true: pd.DataFrame, before: Before) -> pd.DataFrame:
    for column in ("paid_usd", "ultimate_usd"):
        done[column] = [step(v, before.total_months) for v in true[column]]
    return done


def _categories(done: pd.DataFrame, true: pd.DataFrame, before: Before) -> pd.DataFrame:
    for arm in _ARMS:
        for period in _PERIODS:
            column = f"{arm}_{period}_pmpm"
            done[column] = [step(v, before.months(arm, period)[0]) for v in true[column]]
    done["baseline_share"] = true["baseline_share"].round(3)
    return done


def _events(done: pd.DataFrame, true: pd.DataFrame, before: Before) -> pd.DataFrame:
    """Rates of events: both counts rounded, and the rate of those."""
    for at, row in _rows(true):
        if pd.isna(row["rate"]):
            continue
        alike = {float(row[c]): float(done.loc[at, c]) for c in ("members_with", "members")}
        under, top = (float(row[c]) for c in ("denominator", "events"))
        told_under = alike.get(under, before.counts.of(MEMBER_MONTHS, row["arm"], under))
        told_top = alike.get(top, nearest(top))
        rate = float(row["rate"]) * (told_top / told_under) / (top / under) if top and told_under else 0.0
        done.loc[at, ["denominator", "events", "rate"]] = [told_under, told_top, round(rate, 6)]
    return done


def _answers(done: pd.DataFrame, true: pd.DataFrame, before: Before) -> pd.DataFrame:
    for at, row in _rows(true):
        if pd.isna(row["rate"]):
            continue
        n = float(row["members"]) if not pd.isna(row["members"]) else 0.0
        share = row.get("unit") == "share" and n and float(done.loc[at, "members"])
        plain = float(row["unadjusted"])
        those = done.loc[at]
        told = float(those["members_with"]) / float(those["members"]) if share else step(plain, n)
        done.loc[at, ["unadjusted", "rate"]] = [round(told, 6), round(told + float(row["rate"]) - plain, 4)]
    return done


def _effects_of(frames: tuple[str, ...], key: str) -> Again:
    """Effects on rates: moved by what rounding moved the four rates that they compare.

    An effect on counted events is arithmetic on the four rates, so that it would tell them.
    """

    def again(done: pd.DataFrame, true: pd.DataFrame, before: Before) -> pd.DataFrame:
        part = getattr(before.rounded, frames[0].split(".")[0])
        levels: dict[tuple[str, ...], float] = {}
        for frame in frames:
            for row in getattr(part, frame.split(".")[1]).to_dict("records"):
                levels[str(row[key]), str(row["measure"]), row["arm"], row["period"]] = float(row["rate"])
        for at, row in _rows(true):
            moved = 0.0
            for arm in _ARMS:
                for period in _PERIODS:
                    level, n = float(row[f"{arm}_{period}"]), float(row[f"members_{arm}"])
                    told = levels.get((str(row["family"]), str(row["measure"]), arm, period), math.nan)
                    told = step(level, n) if math.isnan(told) else told
                    done.loc[at, f"{arm}_{period}"] = told
                    sign = 1.0 if (arm == "treated") == (period == "performance") else -1.0
                    moved += sign * (told - level)
            _move(done, true, at, moved, 4)
            for column in ("ratio", "baseline_share"):
                done.loc[at, column] = round(float(row[column]), 2)
        return done

    return again


def _move(done: pd.DataFrame, true: pd.DataFrame, at: Any, moved: float, digits: int) -> None:
    """An effect and its interval, moved together; its error and p to two and three digits."""
    for column in ("estimate", *_INTERVAL):
        done.loc[at, column] = round(float(true.loc[at, column]) + moved, digits)
    error = float(true.loc[at, "se"])
    done.loc[at, "se"] = step(error, 500.0)
    for column in (c for c in _P_VALUES if c in true):
        done.loc[at, column] = round(float(true.loc[at, column]), 3)


def _leaving(done: pd.DataFrame, true: pd.DataFrame, before: Before) -> pd.DataFrame:
    both = before.true.selection.exits, before.rounded.selection.exits
    old, new = (exits.set_index(["arm", "period"])["per_1000"] for exits in both)
    places = [(a, p) for a in _ARMS for p in _PERIODS]
    for at in true.index[true["outcome"] == "exit_rate"]:
        known = all(place in new.index and not pd.isna(new[place]) for place in places)
        signs = [1.0 if (a == "treated") == (p == "performance") else -1.0 for a, p in places]
        moved = sum(s * float(new[x] - old[x]) for s, x in zip(signs, places, strict=True)) if known else 0.0
        _move(done, true, at, moved, 2 if known else 0)
    return done


def _placebo_outcomes(done: pd.DataFrame, true: pd.DataFrame, before: Before) -> pd.DataFrame:
    for at, row in _rows(true):
        if pd.isna(row["people"]) or not row["level"]:
            continue
        size = step_size(BASE * abs(float(row["level"])) / float(row["people"]))
        for column in ("level", "estimate", "se", *_INTERVAL):
            done.loc[at, column] = round(round(float(row[column]) / size) * size, 10)
    return done


def _quantities(done: pd.DataFrame, true: pd.DataFrame, before: Before) -> pd.DataFrame:
    n, rounded = before.months("treated", "performance")
    numeric = [c for c in true.columns if true[c].dtype.kind == "f" and c not in _P_VALUES]
    for at, row in _rows(true):
        unit = row["unit"]
        if unit == USD:
            done.loc[at, numeric] = true.loc[at, numeric].astype("float64") * rounded / n
        elif unit in ("share", "percentage points"):
            digits = 3 if unit == "share" else 1
            done.loc[at, numeric] = true.loc[at, numeric].astype("float64").round(digits)
    return done


def _payments(done: pd.DataFrame, true: pd.DataFrame, before: Before) -> pd.DataFrame:
    for at, row in _rows(true):
        if row["pmpm"] and not pd.isna(row["usd"]):
            n = round(float(row["usd"]) / float(row["pmpm"]), 6)
            arm = row["arm"] if row["arm"] in _ARMS else "treated"
            done.loc[at, "usd"] = float(row["pmpm"]) * before.counts.of(MEMBER_MONTHS, arm, n)
    return done


FRAMES: Mapping[str, Again] = {
    "cohort.balance": _balance,
    "comparison.balance": _weighted_balance,
    "expected.definitions": _definitions,
    "savings.by_year": _years,
    "completion.reserves": _reserves,
    "where.categories": _categories,
    "measures.rates": _events,
    "measures.gaps": _events,
    "measures.effects": _effects_of(("measures.rates", "measures.gaps"), "family"),
    "surveys.items": _answers,
    "surveys.effects": _effects_of(("surveys.items",), "instrument"),
    "selection.effects": _leaving,
    "robustness.placebo_outcomes": _placebo_outcomes,
    "uncertainty.quantities": _quantities,
    "payment.payments": _payments,
}
"""Frames whose numbers rest on other tables, in the order in which they are computed."""


def round_estimates(before: Before) -> Evaluation:
    """Single numbers: dollars over all member-months, percentages and exact means computed again.

    Percentages keep three decimals: with all digits they would tell the mean that they are percentages of.
    """
    n, rounded = before.months("treated", "performance")
    years = before.rounded.savings.by_year
    if len(years) and years["member_months"].notna().all():
        rounded = float(years["member_months"].sum())

    def again(estimate: Estimate) -> Estimate:
        if estimate.unit == USD:
            return estimate.scaled(rounded / n)
        if estimate.unit == MEMBER_MONTHS:
            return dataclasses.replace(estimate, value=rounded)
        if estimate.unit == "share":
            return _rounded(estimate, 3)
        if estimate.unit == "USD PMPM" and estimate.label and "baseline" in estimate.label.lower():
            value = estimate.value
            return dataclasses.replace(estimate, value=None if value is None else step(value, n))
        return estimate

    found, changed = before.rounded, dict[str, Any]()
    for name in ("did", "savings", "completion", "payment", "uncertainty"):
        part, own = getattr(found, name), dict[str, Any]()
        for item in dataclasses.fields(part):
            value = getattr(part, item.name)
            if isinstance(value, Estimate):
                own[item.name] = again(value)
            elif isinstance(value, Mapping) and any(isinstance(v, Estimate) for v in value.values()):
                own[item.name] = {k: again(v) for k, v in value.items()}
        changed[name] = dataclasses.replace(part, **own) if own else part
    return dataclasses.replace(found, **changed)


def _rounded(estimate: Estimate, digits: int) -> Estimate:
    def cut(ci: tuple[float, float] | None) -> tuple[float, float] | None:
        return None if ci is None else (round(ci[0], digits), round(ci[1], digits))

    return dataclasses.replace(
        estimate,
        value=None if estimate.value is None else round(estimate.value, digits),
        se=None if estimate.se is None else round(estimate.se, digits),
        ci90=cut(estimate.ci90),
        ci95=cut(estimate.ci95),
    )
