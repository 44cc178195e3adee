"""The uncertainty of the whole chain, from expected cost to return on fees, side by side.

Every quantity has the interval of the method that is recommended for the number and size of treated
organisations (its own exhibit's), widened by what the completion factors bring; beside it, practices drawn
anew within their arm, which is conditional on these organisations. Completion factors are common to both
arms, so that their variance reaches a quantity through its gradient: for each kind of service, the sum over
arms and periods of (gradient times mean cost) squared, times the variance of its growth.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from medhome.models import arm_months, practice_bootstrap, risk
from medhome.models.arm_means import ARMS, OUTCOME
from medhome.models.declared_prior import probability_above
from medhome.models.ladders import growth_variance, ladder
from medhome.study.cells import Cells, Rows
from medhome.study.completion_results import Completion
from medhome.study.display import usd
from medhome.study.frames import frame_of_rows
from medhome.study.results import Estimate, ExpectedCosts, Savings
from medhome.study.spec import StudySpec
from medhome.study.triangles import Triangles
from medhome.study.uncertainty_results import KINDS, Uncertainty

ENDS = ("lo90", "hi90", "lo95", "hi95")
PAID, PAID_CAPPED = "paid", "paid_capped"
SAVED = (
    "gross_pmpm", "gross_share", "gross_total_usd", "payer_pmpm", "net_pmpm", "net_total_usd", "roi_ratio",
    "net_roi_ratio",
)  # fmt: skip
Z95 = 1.959963984540054


def whole_chain(
    cells: Cells,
    rows: Rows,
    spec: StudySpec,
    expected: ExpectedCosts,
    savings: Savings,
    completion: Completion,
    triangles: Triangles,
) -> Uncertainty:
    """How sure is every number from expected cost to return on fees?

    Arguments
        cells: practice-months with ``allowed_capped``, ``paid`` and ``paid_capped``. rows: member-periods.
        expected, savings, completion: what was estimated. triangles: when cost was paid.

    Returns one row per quantity (`Uncertainty.quantities`). Chance (p) is that of the recommended test for
    the headline effect and gross savings, and for other changes and paid dollars that of the model which
    gives their interval; levels have none. Source: `docs/methods.md`, uncertainty of the whole chain.
    """
    table = [*_definitions(expected), *_savings(savings)]
    factors = _completion_se(cells, triangles, completion, spec)
    drawn = _draws(cells, rows, spec, savings)
    records = []
    for row in table:
        name = str(row["quantity"])
        widened = _widened(row, factors.get(name, 0.0) * _scale(name, savings, spec))
        records.append(widened | _percentiles(drawn.get(name)))
    frame = frame_of_rows(records, KINDS)
    prior = spec.savings_prior
    return Uncertainty(
        quantities=frame,
        draws=practice_bootstrap.DRAWS if drawn else 0,
        why="" if drawn else f"an arm has fewer than {practice_bootstrap.FEWEST_PRACTICES} practices",
        prior=""
        if prior is None
        else f"mean {usd(prior.mean_pmpm_usd)} and standard deviation {usd(prior.sd_pmpm_usd)} PMPM "
        f"({prior.source})",
        probabilities=_probabilities(savings, spec),
    )


def _definitions(expected: ExpectedCosts) -> list[dict[str, object]]:
    found = []
    for row in expected.definitions.to_dict("records"):
        scale, unit = 1.0, "USD PMPM"
        if row["definition"] == "E5_trend":
            scale, unit = 100 / float(row["baseline_pmpm"]), "percentage points"
        found.append(
            {
                "quantity": row["definition"],
                "label": f"{row['label']}, {row['compares']}",
                "unit": unit,
                "estimate": scale * row["difference_pmpm"],
                **{end: scale * row[end] for end in ENDS},
                "p": row["p"],
            }
        )
    return found


def _savings(savings: Savings) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for name in SAVED:
        estimate = savings.rows.get(name)
        if estimate is None or estimate.value is None:
            continue
        ends = [*(estimate.ci90 or (np.nan, np.nan)), *(estimate.ci95 or (np.nan, np.nan))]
        found.append(
            {
                "quantity": name,
                "label": estimate.label,
                "unit": estimate.unit,
                "estimate": estimate.value,
                **dict(zip(ENDS, ends, strict=True)),
                "p": estimate.p,
            }
        )
    return found


def _widened(row: Mapping[str, object], factor_se: float) -> dict[str, object]:
    """A row with the completion factors' variance in its error and its intervals.

    The variance of the recommended method is that of its 95% interval; each end moves away from the estimate
    as the standard error grows.
    """
    estimate = float(row["estimate"])  # type: ignore[arg-type]
    se = (float(row["hi95"]) - float(row["lo95"])) / (2 * Z95)  # type: ignore[arg-type]
    whole = math.hypot(se, factor_se) if math.isfinite(se) else se
    grown = whole / se if se > 0 else 1.0
    ends = {end: estimate + grown * (float(row[end]) - estimate) for end in ENDS}  # type: ignore[arg-type]
    known = math.isfinite(estimate)
    return {**row, **ends, "se": whole, "completion_se": factor_se if known else math.nan}


def _completion_se(
    cells: Cells, triangles: Triangles, completion: Completion, spec: StudySpec
) -> dict[str, float]:
    """What the completion factors bring to each difference, dollars PMPM, through its gradient."""
    if not completion.available:
        return {}
    x = arm_months.of_study(cells, spec)
    slopes = {}
    for name, definition in arm_months.definitions_of(spec).items():
        try:
            slopes[name] = arm_months.gradient(definition, x)
        except arm_months.BaseYearsDiffer:
            continue  # E4 has no estimate either, and its row says why
    n = {(a, t): x.exposure[a][:, side].sum() for a in (0, 1) for t, side in enumerate((~x.after, x.after))}
    change, level = np.zeros_like(x.cost), np.zeros_like(x.cost)
    for (arm, after), size in n.items():
        side = x.after if after else ~x.after
        change[arm][:, side] = (1 if arm == 0 else -1) * (1 if after else -1) / size
        level[arm][:, side] = (1 if arm == 0 else -1) * after / size
    slopes |= {"E3": change, "E2": level}
    sums = dict.fromkeys(slopes, 0.0)
    for category in triangles.categories:
        kinds = arm_months.cost_of(triangles.cells, category, x)
        variance = growth_variance(ladder(triangles, category, spec).pooled, spec.periods.run_out_months)
        for name, slope in slopes.items():
            sums[name] += float((slope * kinds).sum()) ** 2 * variance
    found = {name: math.sqrt(total) for name, total in sums.items()}
    if "E1" in found:
        found["E5_trend"] = 100 * found["E1"] / float(x.mean(x.cost, 0, ~x.after))
    # Savings are minus E3; of paid dollars, as large a share is late as of allowed ones.
    return found | {name: found["E3"] for name in SAVED}


def _scale(name: str, savings: Savings, spec: StudySpec) -> float:
    """From dollars PMPM of a difference to a quantity's own unit."""
    months = savings.rows["member_months"].value or 0.0
    fees = savings.rows["fees_pmpm"].value or 0.0
    gross, portion = savings.rows["gross_pmpm"].value, savings.rows["gross_share"].value
    if name.endswith("_total_usd"):
        return months
    if name.endswith("roi_ratio"):
        return 1 / fees if fees > 0 else 0.0
    if name == "gross_share":
        return portion / gross if gross and portion else 0.0
    return 1.0


def _draws(cells: Cells, rows: Rows, spec: StudySpec, savings: Savings) -> dict[str, np.ndarray]:
    """Each quantity in each draw of practices."""
    after = rows.frame[((rows.frame["period"] == "performance") & (rows.frame["w"] > 0)).to_numpy()]
    terms, _ = risk.solve(rows, spec, arm=ARMS[1], period="performance")
    predicted = risk.predict(risk.fitted_cents(terms), after)
    outcomes = (OUTCOME, PAID, PAID_CAPPED)
    found = practice_bootstrap.draw(cells, replace(rows, frame=after), predicted, outcomes, spec)
    if not found:
        return {}
    effect, paid, capped = (found.pop(y) for y in outcomes)
    baseline, actual = found.pop("baseline"), found.pop("actual")
    fees = savings.rows["fees_pmpm"].value or 0.0
    months = savings.rows["member_months"].value or 0.0
    net = -paid - fees
    found |= {
        "E3": effect,
        "E5_trend": 100 * found["E1"] / baseline,
        "gross_pmpm": -effect,
        "gross_share": -effect / (actual - effect),
        "gross_total_usd": -effect * months,
        "payer_pmpm": -paid,
        "net_pmpm": net,
        "net_total_usd": net * months,
    }
    if fees > 0:
        found |= {"roi_ratio": -capped / fees, "net_roi_ratio": net / fees}
    return found


def _percentiles(values: np.ndarray | None) -> dict[str, float]:
    if values is None or not np.isfinite(values).any():
        return {}
    known = values[np.isfinite(values)]
    low90, high90, low95, high95 = np.quantile(known, [0.05, 0.95, 0.025, 0.975]).tolist()
    ends = {"lo90": low90, "hi90": high90, "lo95": low95, "hi95": high95}
    return {f"practices_{end}": value for end, value in ends.items()}


def _probabilities(savings: Savings, spec: StudySpec) -> dict[str, Estimate]:
    """With a declared prior: how probable are savings, and savings above fees?"""
    prior = spec.savings_prior
    if prior is None:
        return {}
    fees = savings.rows["fees_pmpm"].value or 0.0
    found = {}
    for name, row, threshold, label in (
        ("gross", "gross_pmpm", 0.0, "Probability of savings"),
        ("net", "payer_pmpm", fees, "Probability of savings above fees"),
    ):
        e = savings.rows[row]
        if e.value is not None and e.se:
            value = probability_above(threshold, e.value, e.se, prior)
            found[name] = Estimate(value=value, unit="share", label=label, method="declared prior", digits=2)
    return found
