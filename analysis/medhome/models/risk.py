"""The cost model behind "expected": age-sex bands and condition groups.

Least squares on PMPM cost with member-months as weights (`docs/methods.md`, risk adjustment), fitted on the
comparison arm's baseline. The model is fitted once, before the program starts and outside the program, and
then frozen: what the program does to coding or to care cannot move what is expected of its members.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from medhome.models import calibration
from medhome.models.risk_terms import OUTCOME, Column, choose, design, independent, normal_equations
from medhome.study.cells import Rows
from medhome.study.definitions import DEFINITIONS
from medhome.study.problems import ModelRefusal
from medhome.study.results import RiskModelResult
from medhome.study.spec import StudySpec

INTERCEPT = "intercept"
VERSION = "builtin-1"
FOLDS = 5
FEW_PRACTICES = 20


@dataclass(frozen=True, kw_only=True)
class RiskModel:
    """A fitted cost model: what a member is expected to cost, in cents per member per month.

    terms: one row per term, the intercept first: ``term``, ``label``, ``coefficient_cents`` (PMPM; 0 for the
        reference band and for terms merged into the reference), ``se_cents``, ``member_months``, ``members``
        (of the rows fitted on), ``status`` ("fitted", "reference", "merged" or "collinear"), ``column`` (the
        first of the terms that share the coefficient).
    calibration, accuracy: as in `RiskModelResult`.
    notes: what a reader must know, in sentences: merged terms, dropped terms, predictions below zero.
    """

    name: str
    version: str
    fitted_on: str
    terms: pd.DataFrame
    calibration: pd.DataFrame
    accuracy: pd.DataFrame
    notes: tuple[str, ...] = ()

    def coefficients(self) -> dict[str, float]:
        """Term to cents PMPM, with ``intercept``; terms that are not named cost nothing extra."""
        return fitted_cents(self.terms)

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Expected cents PMPM of each row of a frame that has the model's term columns as 0/1."""
        return predict(self.coefficients(), frame)

    def result(self) -> RiskModelResult:
        """The model as exhibits T8 to T10, in dollars."""
        terms = pd.DataFrame(
            {
                "term": self.terms["term"],
                "label": [
                    _labelled(label, status)
                    for label, status in zip(self.terms["label"], self.terms["status"], strict=True)
                ],
                "coefficient_pmpm": self.terms["coefficient_cents"] / 100,
                "se": self.terms["se_cents"] / 100,
                "member_months": self.terms["member_months"],
                "members": self.terms["members"],
            }
        )
        return RiskModelResult(
            name=self.name,
            version=self.version,
            fitted_on=self.fitted_on,
            terms=terms,
            calibration=self.calibration,
            accuracy=self.accuracy,
        )


def fit(rows: Rows, spec: StudySpec, source: str = "") -> RiskModel:
    """What would a member like this one have cost per month, judged by the comparison arm before the start?

    Weighted least squares of ``allowed_capped`` PMPM with member-months as weights, on the comparison arm's
    baseline rows. One age-sex band, the largest, is the reference. An age band with fewer than
    ``spec.risk.min_members_per_term`` members shares the coefficient of the next one of the same sex
    (infants never do: their sexes share one), another term with so few is merged into the reference, and a
    term that others determine is dropped, each with a
    note. Where the study's risk is a score (``source`` names it), its bands stand in the place of conditions;
    the one with most exposure is their reference. Standard errors are cluster-robust by practice, factor
    G/(G-1) * (N-1)/(N-K). Accuracy and calibration are judged on practices left out of the fit (five folds
    of practices in the order of their names) and on the treated arm's baseline, which is never in the fit.

    All weights, costs and terms are integers, so the normal equations are exact whatever the thread count.

    Raises `ModelRefusal` when there is nobody to fit on, when a value is missing or not finite, and when the
    arm has no cost. Source: `docs/methods.md`, risk adjustment.

    >>> import pandas as pd
    >>> from medhome.study.period_choices import Periods
    >>> from medhome.study.spec import Program, Risk
    >>> spec = StudySpec(
    ...     id="two", title="Two practices", seed=1, paid_through="2010-06", program=Program(name="None"),
    ...     periods=Periods(
    ...         baseline_first="2007-06", baseline_last="2008-05", start="2008-06", through="2009-05"),
    ...     risk=Risk(min_members_per_term=1))
    >>> frame = pd.DataFrame({
    ...     "organization_id": "O1", "practice_id": ["P1", "P1", "P2"], "arm": "comparison",
    ...     "stratum": "adults", "period": "baseline", "w": [12000, 6000, 12000],
    ...     "allowed_capped": [120_000, 30_000, 360_000], "age_sex:F18-34": [1, 1, 0],
    ...     "age_sex:F35-44": [0, 0, 1]})
    >>> labels = {"age_sex:F18-34": "Women 18 to 34", "age_sex:F35-44": "Women 35 to 44"}
    >>> rows = Rows(frame=frame, terms=labels)
    >>> model = fit(rows, spec)
    >>> {term: round(cents, 2) for term, cents in model.coefficients().items()}
    {'intercept': 8333.33, 'age_sex:F35-44': 21666.67}
    """
    terms, notes = solve(rows, spec, arm="comparison", period="baseline")
    base = rows.frame[((rows.frame["period"] == "baseline") & (rows.frame["w"] > 0)).to_numpy()]
    fitted = predict(fitted_cents(terms), base)
    held_out = _left_out(base, _columns(terms), fitted, rows)
    notes.extend(_below_zero(fitted, spec))
    return RiskModel(
        name=spec.risk.model,
        version=version(spec, source),
        fitted_on=f"comparison arm, baseline {spec.periods.baseline}",
        terms=terms,
        calibration=calibration.by_decile(base, fitted if held_out is None else held_out, rows),
        accuracy=calibration.accuracy(base, fitted, held_out, rows),
        notes=tuple(notes),
    )


def version(spec: StudySpec, source: str = "") -> str:
    """Name of the model's version: another where the method, groups of conditions or scores were issued anew.

    Arguments
        source: name, library, weights and mapping year of the study's score.
    """
    if source:
        return f"{VERSION} on bands of {source}"
    if spec.risk.model != "age-sex-conditions":
        return VERSION
    groups = hashlib.sha256((DEFINITIONS / "codelists" / "conditions.csv").read_bytes()).hexdigest()
    return f"{VERSION}, condition groups {groups[:8]}"


def solve(rows: Rows, spec: StudySpec, *, arm: str, period: str) -> tuple[pd.DataFrame, list[str]]:
    """The model's terms (as in `RiskModel.terms`) fitted on one arm and period, and notes on it."""
    frame = _checked(rows)
    where = f"{arm} arm, {period}"
    data = frame[((frame["arm"] == arm) & (frame["period"] == period) & (frame["w"] > 0)).to_numpy()]
    if data.empty:
        raise ModelRefusal(
            f"risk model: the {where} has no members with exposure to fit on; "
            f"check arms and periods in the study file"
        )
    total_usd = int(data[OUTCOME].sum()) / rows.scale
    if total_usd <= 0:
        raise ModelRefusal(
            f"risk model: {OUTCOME} of the {where} adds up to {total_usd:.2f} dollars; "
            f"a cost model needs cost above zero: check the amounts of medical_claim and pharmacy_claim, and "
            f"periods in the study file"
        )
    columns, status, notes = choose(data, rows.terms, spec)
    columns, collinear = independent(data, columns)
    for column in collinear:
        status.update(dict.fromkeys(column, "collinear"))
        names = ", ".join(rows.terms[t] for t in column)
        notes.append(f"{names}: left out of the risk model, because the other terms determine it.")
    solution = _least_squares(data, columns, rows)
    practices = data["practice_id"].nunique()
    if practices < FEW_PRACTICES:
        notes.append(f"The risk model's standard errors rest on {practices} practices and are too small.")
    errors = _clustered(data, columns, solution, rows)
    return _terms_frame(data, rows, status, columns, solution, errors), notes


def predict(coefficients: Mapping[str, float], frame: pd.DataFrame) -> np.ndarray:
    """Expected cents PMPM of each row of a frame that holds the coefficients' terms as 0/1 columns."""
    cents = np.full(len(frame), float(coefficients[INTERCEPT]))
    for term, value in coefficients.items():
        if term != INTERCEPT:
            cents = cents + value * frame[term].to_numpy(dtype=float)
    return cents


def fitted_cents(terms: pd.DataFrame) -> dict[str, float]:
    """Term to cents PMPM of the terms that were fitted, the intercept first."""
    fitted = terms[terms["status"] == "fitted"]
    return {str(t): float(c) for t, c in zip(fitted["term"], fitted["coefficient_cents"], strict=True)}


def _columns(terms: pd.DataFrame) -> list[Column]:
    """The design's columns: terms that share a coefficient, in the order of the terms."""
    fitted = terms[(terms["status"] == "fitted") & (terms["term"] != INTERCEPT)]
    return [tuple(part["term"]) for _, part in fitted.groupby("column", sort=False)]


def _checked(rows: Rows) -> pd.DataFrame:
    """The rows in a fixed order, refused by name when a needed value is missing."""
    needed = ["practice_id", "organization_id", "arm", "period", "w", OUTCOME, *rows.terms]
    absent = [c for c in needed if c not in rows.frame.columns]
    if absent:
        raise ModelRefusal(f"risk model: the rows lack the columns {', '.join(absent)}")
    frame = rows.frame
    for column in ("w", OUTCOME, *rows.terms):
        values = frame[column].to_numpy(dtype=float, na_value=np.nan)
        bad = int((~np.isfinite(values)).sum())
        if bad:
            raise ModelRefusal(
                f"risk model: column {column} has {bad} missing or infinite values among "
                f"{len(frame)} rows; every member needs one"
            )
        if column in rows.terms and not np.isin(values, (0.0, 1.0)).all():
            raise ModelRefusal(f"risk model: column {column} holds other values than 0 and 1")
    return frame.reset_index(drop=True)


def _least_squares(data: pd.DataFrame, columns: Sequence[Column], rows: Rows) -> np.ndarray:
    gram, right = normal_equations(data, columns, rows)
    # Least norm, so that a term nobody has in a fold costs nothing there.
    solution = np.linalg.lstsq(gram, right, rcond=1e-12)[0]
    if not np.isfinite(solution).all():
        raise ModelRefusal("risk model: the least-squares solution is not finite")
    return solution


def _clustered(data: pd.DataFrame, columns: Sequence[Column], solution: np.ndarray, rows: Rows) -> np.ndarray:
    """Cluster-robust standard errors by practice, in cents PMPM; NaN with a single practice."""
    X = design(data, columns)
    codes, practices = pd.factorize(data["practice_id"].astype(str), sort=True)
    groups, (n, k) = len(practices), X.shape
    if groups < 2 or n <= k:
        return np.full(k, np.nan)
    months = data["w"].to_numpy(dtype=float) / rows.weight_scale
    score = data[OUTCOME].to_numpy(dtype=float) * 100 / rows.scale - months * (X @ solution)
    sums = np.column_stack([np.bincount(codes, weights=X[:, c] * score, minlength=groups) for c in range(k)])
    bread = np.linalg.inv(normal_equations(data, columns, rows)[0])
    factor = groups / (groups - 1) * (n - 1) / (n - k)
    return np.sqrt(np.diag(bread @ (sums.T @ sums) @ bread) * factor)


def _left_out(
    base: pd.DataFrame, columns: Sequence[Column], fitted: np.ndarray, rows: Rows
) -> np.ndarray | None:
    """Predicted cents of each baseline row by a model that never saw its practice; None with one practice."""
    inside = (base["arm"] == "comparison").to_numpy()
    names = base["practice_id"].astype(str).to_numpy()
    practices = sorted(set(names[inside]))
    folds = min(FOLDS, len(practices))
    if folds < 2:
        return None
    fold_of = {p: i % folds for i, p in enumerate(practices)}
    fold = np.array([fold_of[p] if own else -1 for p, own in zip(names, inside, strict=True)])
    scored = fitted.copy()
    for k in range(folds):
        solution = _least_squares(base[inside & (fold != k)], columns, rows)
        scored[fold == k] = design(base[fold == k], columns) @ solution
    return scored


def _below_zero(fitted: np.ndarray, spec: StudySpec) -> list[str]:
    count, floor = int((fitted < 0).sum()), spec.disclosure.floor
    if not count:
        return []
    many = f"{count:,} members" if count >= floor else f"Fewer than {floor} members"
    return [
        f"{many} have a predicted cost below zero at baseline; it is kept as the model gives it, "
        f"so that expected and actual cost add up."
    ]


def _terms_frame(
    data: pd.DataFrame,
    rows: Rows,
    status: Mapping[str, str],
    columns: Sequence[Column],
    solution: np.ndarray,
    errors: np.ndarray,
) -> pd.DataFrame:
    place = {t: i for i, column in enumerate([(INTERCEPT,), *columns]) for t in column}
    leader = {t: column[0] for column in columns for t in column}
    table = []
    for term, what in {INTERCEPT: "fitted", **status}.items():
        own = data if term == INTERCEPT else data[(data[term] == 1).to_numpy()]
        table.append(
            {
                "term": term,
                "label": "Reference group" if term == INTERCEPT else rows.terms[term],
                "coefficient_cents": float(solution[place[term]]) if term in place else 0.0,
                "se_cents": float(errors[place[term]]) if term in place else np.nan,
                "member_months": int(own["w"].sum()) / rows.weight_scale,
                "members": len(own),
                "status": what,
                "column": leader.get(term, term),
            }
        )
    return pd.DataFrame(table)


def _labelled(label: str, status: str) -> str:
    extra = {
        "reference": " (reference)",
        "merged": " (few members: in the reference)",
        "collinear": " (determined by other terms: left out)",
    }
    return label + extra.get(status, "")
