"""The definitions of "expected", side by side; one of them is declared primary beforehand.

Two different questions hide behind "compared with what was expected" (`docs/methods.md`, definitions of
expected): did cost *change* more than it would have ("versus expected"), and is cost *level* with that of
similar members elsewhere ("versus peers")? The same organisation can be better than its peers and worse than
expected in the same year, so both are always shown, each with its own interval. Differences are actual minus
expected: negative means that care cost less.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from medhome.models import arm_months, peers, risk
from medhome.models.arm_means import ARMS, OUTCOME, Means, means
from medhome.models.inference.member_covariance import member_covariance
from medhome.models.inference.mixture import Mixture
from medhome.models.linear_effects import intervals
from medhome.models.twfe import twfe
from medhome.study.cells import Cells, MonthPairs, Rows
from medhome.study.display import number, share
from medhome.study.periods import event_quarter
from medhome.study.problems import ModelRefusal
from medhome.study.results import DidResult, ExpectedCosts
from medhome.study.spec import StudySpec

CHANGE, LEVEL = "versus expected", "versus peers"
_CARRIED = {
    "E1": (
        "Trended risk-adjusted baseline",
        "Own baseline times the comparison arm's trend times the growth of frozen risk; interval of the "
        "headline's kind, given frozen risk.",
    ),
    "E1b": (
        "Externally trended baseline",
        "No concurrent control: own baseline times the trend that the study file declares times the growth "
        "of frozen risk, the same calendar months in both periods; its interval does not allow for a market "
        "that moved otherwise.",
    ),
    "E4": (
        "Contract benchmark",
        "Base years by rate cell, updated, at a capped ratio of risk, as the study file declares them "
        "(base_year_weights, update, risk_ratio_cap_share); interval of the headline's kind, given frozen "
        "risk and the mix of rate cells.",
    ),
}
_COLUMNS = (
    "definition", "label", "compares", "baseline_pmpm", "trend_ratio", "risk_ratio", "expected_pmpm",
    "actual_pmpm", "difference_pmpm", "difference_usd", "lo90", "hi90", "lo95", "hi95", "p", "ae_ratio",
    "peers_sd_pmpm", "primary", "note",
)  # fmt: skip


def definitions(
    cells: Cells, rows: Rows, model: risk.RiskModel, pairs: MonthPairs, spec: StudySpec, did: DidResult
) -> ExpectedCosts:
    """What would the program's members have cost, by each definition, and how far from that is what they did?

    ======== ============================ ==========================================================
    id       question                     expected cost
    ======== ============================ ==========================================================
    E1       change, versus expected      ``A_T0 * (A_C1/A_C0) * rho``: own baseline, the comparison arm's
                                          trend, the growth of frozen risk
    E1b      change, versus expected      ``A_T0 * (1+g)^years * R_T1/R_T0``: own baseline, a declared
                                          trend; no concurrent control
    E2       level, versus peers          cost model refitted on the comparison arm after the start,
                                          applied to the treated members (indirect standardisation)
    E3       change, versus expected      ``A_T1 - effect``: the difference-in-differences counterfactual
    E4       change, versus expected      contract benchmark: weighted base years by rate cell, updated, at a
                                          capped ratio of risk
    E5_level level, versus peers          ``A_C1 * R_T1/R_C1``: the comparison arm's cost at the treated risk
    E5_trend change, versus expected      E1 read as a difference of trends, in percentage points
    ======== ============================ ==========================================================

    Changes have the headline's interval: E3's is the headline's own; those of E1, E1b and E4 are those of
    the sum of practice-month means with the gradient as weights, given frozen risk (`linear_effects`), and so
    is their p; a setting that was not simulated has none.
    Levels have a prediction interval from how far comparison organisations differ from each other
    (`peers`), because the organisation-month model takes levels out, and no p: organisations differ before
    any program.

    Arguments
        cells: practice-months. rows: member-periods. model: the frozen cost model.
        pairs: cross-products of months of ``allowed_capped``. did: the headline effect.

    Raises `ModelRefusal` when an arm has no members in a period, or when the definition declared primary
    cannot be worked out. Source: `docs/methods.md`, definitions of expected.
    """
    m = means(cells, spec)
    frame = side_by_side(cells, rows, model, pairs, spec, did, m)
    primary = frame[frame["primary"]].iloc[0]
    if not np.isfinite(primary["expected_pmpm"]):
        raise ModelRefusal(
            f"expected cost: {spec.expected.primary}, declared primary in the study file, cannot be worked "
            f"out ({primary['note']}) Choose another primary definition."
        )
    return ExpectedCosts(
        definitions=frame, series=series(m, cells, spec), primary=spec.expected.primary
    )


def side_by_side(
    cells: Cells,
    rows: Rows,
    model: risk.RiskModel,
    pairs: MonthPairs,
    spec: StudySpec,
    did: DidResult,
    m: Means,
) -> pd.DataFrame:
    """One row for each definition: `ExpectedCosts.definitions`. m: means of the cells; else as above."""
    carried = _carried(cells, pairs, m, spec)
    found = [
        carried["E1"],
        carried["E1b"],
        _model_based(m, rows, spec),
        _counterfactual(m, did),
        carried["E4"],
        _index_level(m, rows, model, spec),
        _index_trend(m, carried["E1"]),
    ]
    frame = pd.DataFrame(found)
    if did.headline.p is None:
        frame["p"] = np.nan
    frame["primary"] = frame["definition"] == spec.expected.primary
    return frame[list(_COLUMNS)]


def _row(
    definition: str,
    label: str,
    compares: str,
    m: Means,
    expected: float,
    interval90: tuple[float, float] | None,
    interval95: tuple[float, float] | None,
    note: str,
    trend: float = np.nan,
    ratio: float = np.nan,
    actual: float | None = None,
    baseline: float | None = None,
    p: float | None = None,
    peers_sd: float | None = None,
) -> dict[str, object]:
    actual = m.A["treated", 1] if actual is None else actual
    baseline = m.A["treated", 0] if baseline is None else baseline
    lo90, hi90 = interval90 or (np.nan, np.nan)
    lo95, hi95 = interval95 or (np.nan, np.nan)
    months = m.member_months["treated", 1] if compares == CHANGE else np.nan
    return {
        "definition": definition, "label": label, "compares": compares, "baseline_pmpm": baseline,
        "trend_ratio": trend, "risk_ratio": ratio, "expected_pmpm": expected, "actual_pmpm": actual,
        "difference_pmpm": actual - expected, "difference_usd": months * (actual - expected),
        "lo90": lo90, "hi90": hi90, "lo95": lo95, "hi95": hi95,
        "p": np.nan if p is None else p, "ae_ratio": actual / expected if expected > 0 else np.nan,
        "peers_sd_pmpm": np.nan if peers_sd is None else peers_sd, "note": note,
    }  # fmt: skip


def _carried(cells: Cells, pairs: MonthPairs, m: Means, spec: StudySpec) -> dict[str, dict[str, object]]:
    """E1, E1b and E4: baselines carried forward, each with the interval of the headline's kind.

    An interval is that of the sum of practice-month means with the definition's gradient as weights, given
    frozen risk and the mix of rate cells.
    """
    found, weighted, reasons = {}, {}, _without(m, spec)
    by_site, _ = arm_months.by_practice(cells, spec)
    x = arm_months.summed(by_site)
    for name, definition in arm_months.definitions_of(spec).items():
        if name not in _CARRIED or name in reasons:
            continue
        try:
            numbers = definition(x)
        except arm_months.BaseYearsDiffer as error:
            reasons[name] = f"{error}."
            continue
        if np.isfinite(numbers.expected) and numbers.expected > 0:
            found[name] = numbers
            # Where nothing is in an arm, its gradient meets no members: both arms are one array of practices.
            slope = arm_months.gradient(definition, x)
            weighted[name] = (slope * by_site.exposure).sum((1, 2))
        else:
            reasons[name] = "The periods share no calendar month, or a mean cost is not above zero."
    mixtures: dict[str, Mixture] = {}
    if found:
        fit = twfe(cells, OUTCOME, spec.estimation.covariates, first_post=spec.periods.performance.first)
        rows = arm_months.places(cells, fit.panel.practices)
        columns = np.searchsorted(x.months, fit.panel.months)
        made = intervals(
            fit,
            member_covariance(pairs, fit.panel.months.tolist()).matrix,
            spec,
            mean=m.A["comparison", 0],
            weights=np.stack([w[rows][:, columns] for w in weighted.values()]),
            estimates=np.array([float(found[name].difference) for name in weighted]),
        )
        mixtures = dict(zip(weighted, made, strict=True))
    table = {}
    for name, (label, note) in _CARRIED.items():
        if name in found:
            numbers, mixture = found[name], mixtures[name]
            table[name] = _row(
                name, label, CHANGE, m, float(numbers.expected), mixture.ci90, mixture.ci95, note,
                trend=float(numbers.trend), ratio=float(numbers.risk), actual=float(numbers.actual),
                baseline=float(numbers.baseline), p=mixture.p,
            )  # fmt: skip
        else:
            table[name] = _row(name, label, CHANGE, m, np.nan, None, None, reasons[name])
    return table


def _without(m: Means, spec: StudySpec) -> dict[str, str]:
    """Why a definition cannot be worked out, by its id."""
    reasons = {}
    if spec.expected.external_trend_share is None:
        reasons["E1b"] = "No external trend is declared (expected.external_trend_share)."
    if not all(v > 0 for v in (*m.A.values(), *m.R.values())):
        none = "A mean cost or a mean risk is not above zero, so that no ratio exists."
        reasons |= dict.fromkeys(_CARRIED, none)
    return reasons


def _model_based(m: Means, rows: Rows, spec: StudySpec) -> dict[str, object]:
    """E2: the cost model refitted on the comparison arm after the start, applied to the treated arm."""
    terms, _ = risk.solve(rows, spec, arm="comparison", period="performance")
    gap = _peer_gap(rows, risk.predict(risk.fitted_cents(terms), _performance(rows)))
    expected = m.A["treated", 1] - gap.value
    return _row(
        "E2", "Cost model of the comparison arm", LEVEL, m, expected, gap.ci90, gap.ci95,
        f"Refitted on the comparison arm after the start: a level gap, not a change. {gap.note}",
        ratio=expected / m.A["comparison", 1] if m.A["comparison", 1] > 0 else np.nan,
        peers_sd=gap.between_sd,
    )  # fmt: skip


def _counterfactual(m: Means, did: DidResult) -> dict[str, object]:
    """E3: actual cost less the headline effect."""
    effect = np.nan if did.headline.value is None else did.headline.value
    return _row(
        "E3", "Difference-in-differences counterfactual", CHANGE, m, m.A["treated", 1] - effect,
        did.headline.ci90, did.headline.ci95, "Actual cost less the headline effect, with its interval.",
        p=did.headline.p,
    )  # fmt: skip


def _index_level(m: Means, rows: Rows, model: risk.RiskModel, spec: StudySpec) -> dict[str, object]:
    """E5, level: the comparison arm's cost after the start at the treated arm's frozen risk."""
    if not (m.R["comparison", 1] > 0 and m.R["treated", 1] > 0):
        return _row("E5_level", "Comparison arm at the same risk", LEVEL, m, np.nan, None, None,
                    "A mean risk is not above zero, so that no ratio exists.")  # fmt: skip
    ratio = m.R["treated", 1] / m.R["comparison", 1]
    expected = m.A["comparison", 1] * ratio
    frame = _performance(rows)
    predicted = model.predict(frame) * (m.A["comparison", 1] / m.R["comparison", 1])
    gap = _peer_gap(rows, predicted)
    shift = m.A["treated", 1] - expected - gap.value
    note = f"The comparison arm's cost times the ratio of frozen risk. {gap.note}"
    return _row(
        "E5_level", "Comparison arm at the same risk", LEVEL, m, expected, _moved(gap.ci90, shift),
        _moved(gap.ci95, shift), note, ratio=ratio, peers_sd=gap.between_sd,
    )  # fmt: skip


def _index_trend(m: Means, e1: dict[str, object]) -> dict[str, object]:
    """E5, trend: E1's difference in percentage points of trend."""
    if not np.isfinite(float(e1["expected_pmpm"])):  # type: ignore[arg-type]
        note = str(e1["note"])
    else:
        own, other = m.A["treated", 1] / m.A["treated", 0], m.trend * m.rho
        note = (
            f"Cost changed by {share(own - 1)}, against {share(other - 1)} at the comparison arm's trend and "
            f"risk: {number(100 * (own - other), 1)} percentage points, which is E1's difference over "
            f"baseline cost."
        )
    return {**e1, "definition": "E5_trend", "label": "Market trend", "note": note}


def _performance(rows: Rows) -> pd.DataFrame:
    frame = rows.frame
    return frame[((frame["period"] == "performance") & (frame["w"] > 0)).to_numpy()]


def _peer_gap(rows: Rows, predicted: np.ndarray) -> peers.LevelGap:
    """Actual less predicted cost of each organisation after the start, and the treated ones' gap."""
    frame = _performance(rows)
    months = frame["w"].to_numpy(dtype=float) / rows.weight_scale
    residual = frame[OUTCOME].to_numpy(dtype=float) / rows.scale - months * predicted / 100
    treated = (frame["arm"] == "treated").to_numpy()
    key = frame["organization_id"].astype(str).str.cat(frame["arm"].astype(str), sep="\x1f")
    names, code = np.unique(key.to_numpy(dtype=str), return_inverse=True)
    exposure = np.bincount(code, weights=months)
    gap = np.bincount(code, weights=residual) / exposure
    is_treated = np.array([name.endswith("\x1ftreated") for name in names])
    spread = float((residual[~treated] ** 2).sum() / months[~treated].sum())
    mean = frame.loc[~treated, OUTCOME].sum() / rows.scale / months[~treated].sum()
    return peers.level_gap(gap, exposure, is_treated, spread, float(mean))


def _moved(interval: tuple[float, float] | None, by: float) -> tuple[float, float] | None:
    return None if interval is None else (interval[0] + by, interval[1] + by)


def series(m: Means, cells: Cells, spec: StudySpec) -> pd.DataFrame:
    """Expected, actual and comparison cost by quarter from the start.

    Expected cost of a quarter is the treated baseline plus the comparison arm's change since its baseline,
    plus the difference of both arms' changes in frozen risk: the difference-in-differences counterfactual
    with a slope of one dollar for each dollar of frozen expected cost. The headline estimates that slope, so
    the quarters' mean difference is near the headline and not the same number. ``members`` is the largest
    number of members of a month of the quarter, which is at most the number of people in it.
    """
    month, start = cells.frame["month"].to_numpy(dtype=int), spec.periods.start_month
    table = []
    of_month = np.array([event_quarter(t, start) for t in month.tolist()])
    for quarter in sorted(set(of_month.tolist())):
        inside = of_month == quarter
        part = {a: cells.where(inside & (cells.frame["arm"] == a).to_numpy()) for a in ARMS}
        weight = {a: part[a].member_months.sum() for a in ARMS}
        if not all(w > 0 for w in weight.values()):
            continue
        A = {a: math.fsum(part[a].total(OUTCOME)) / weight[a] for a in ARMS}
        R = {a: math.fsum(part[a].total("expected")) / weight[a] for a in ARMS}
        change = A["comparison"] - m.A["comparison", 0]
        mix = (R["treated"] - m.R["treated", 0]) - (R["comparison"] - m.R["comparison", 0])
        by_month = part["treated"].frame.groupby("month")["rows"].sum()
        table.append({
            "quarter": quarter, "first_month": int(month[inside].min()),
            "expected_pmpm": m.A["treated", 0] + change + mix, "actual_pmpm": A["treated"],
            "comparison_pmpm": A["comparison"], "member_months": float(weight["treated"]),
            "members": int(by_month.max()),
        })  # fmt: skip
    return pd.DataFrame(table)
