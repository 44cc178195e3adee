"""How well predicted cost agrees with actual cost: exhibits T9 and T10.

Individual cost is hard to predict: a mean absolute error above 60% of mean cost with a predictive ratio near
1.00 for a whole arm is normal. The reference for the accuracy panel is Hileman and Steele, *Accuracy of
Claims-Based Risk Scoring Models*, Society of Actuaries 2016 (`docs/methods.md`, risk adjustment).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from medhome.models.accuracy import accuracy as measured
from medhome.models.accuracy import weighted_groups
from medhome.study.cells import Rows

LEFT_OUT = "Members of comparison practices left out of the fit, at baseline"
FITTED_ON = "Members fitted on (the comparison arm at baseline)"
TREATED = "Members of the treated arm at baseline, never in the fit"
_OUTCOME = "allowed_capped"


def accuracy(base: pd.DataFrame, fitted: np.ndarray, held_out: np.ndarray | None, rows: Rows) -> pd.DataFrame:
    """Exhibit T9: how near the predictions come, for those fitted on, those left out, and the treated arm.

    Arguments
        base: the baseline rows of both arms.
        fitted: predicted cents PMPM of each by the model.
        held_out: the same for the comparison arm by a model that did not see the row's practice, or None.
    """
    treated, comparison = ((base["arm"] == a).to_numpy() for a in ("treated", "comparison"))
    populations = [(FITTED_ON, comparison, fitted), (TREATED, treated, fitted)]
    if held_out is not None:
        populations.insert(0, (LEFT_OUT, comparison, held_out))
    return pd.DataFrame(
        [
            {"population": name, **_fit_quality(base[mask], predicted[mask], rows)}
            for name, mask, predicted in populations
            if mask.any()
        ]
    )


def _fit_quality(data: pd.DataFrame, predicted: np.ndarray, rows: Rows) -> dict[str, float]:
    """R2, MAE%, CPM and predictive ratio, weighted by member-months (`docs/methods.md`, accuracy panel)."""
    months = data["w"].to_numpy(dtype=float) / rows.weight_scale
    actual = data[_OUTCOME].to_numpy(dtype=float) * 100 / rows.scale / months
    found = measured(actual, predicted, months)
    return {
        "r2": found.r2,
        "mae_share": found.mae_share,
        "cpm": found.cpm,
        "predictive_ratio": found.predictive_ratio,
        "member_months": found.weight,
    }


def by_decile(base: pd.DataFrame, scored: np.ndarray, rows: Rows) -> pd.DataFrame:
    """Exhibit T10: actual and predicted cost by tenth of predicted cost, in each arm.

    The tenths hold equal shares of the member-months of both arms; members with the same prediction stay
    together, so a tenth may be larger, smaller or empty where few distinct predictions exist.
    """
    data = pd.DataFrame(
        {
            "arm": base["arm"].astype(str).to_numpy(),
            "predicted": scored,
            "w": base["w"].to_numpy(dtype=float),
            "cents": base[_OUTCOME].to_numpy(dtype=float) * 100 / rows.scale,
        }
    )
    # Predictions that differ by less than a hundredth of a cent come from the same pattern of terms.
    data["decile"] = weighted_groups(data["predicted"].round(2).to_numpy(), data["w"].to_numpy())
    table = []
    for _, part in data.groupby(["decile", "arm"], sort=True):
        months = part["w"].sum() / rows.weight_scale
        actual = part["cents"].sum() / months / 100
        predicted = (part["w"] * part["predicted"]).sum() / part["w"].sum() / 100
        table.append(
            {
                "decile": int(part["decile"].iloc[0]),
                "arm": part["arm"].iloc[0],
                "members": len(part),
                "member_months": months,
                "actual_pmpm": actual,
                "predicted_pmpm": predicted,
                "predictive_ratio": predicted / actual if actual > 0 else np.nan,
            }
        )
    return pd.DataFrame(
        table,
        columns=[
            "decile",
            "arm",
            "members",
            "member_months",
            "actual_pmpm",
            "predicted_pmpm",
            "predictive_ratio",
        ],
    )
