"""What would the effect be at other caps on the cost of a member-year?"""

from __future__ import annotations

import pandas as pd

from medhome.models.inference.member_covariance import member_covariance
from medhome.models.linear_effects import baseline_mean, intervals
from medhome.models.twfe import twfe
from medhome.study.spec import StudySpec
from medhome.study.truncation_results import CapGrid


def cap_grid(grid: CapGrid, spec: StudySpec) -> pd.DataFrame:
    """The effect at each cap, with an interval of the headline's kind: `Truncation.cap_grid`.

    Each row is the study's two-way model on allowed dollars truncated at that cap, in dollars PMPM, actual
    minus expected. At the study's own cap that is the headline, with its interval.
    """
    rows = []
    for cap in grid.caps["cap"]:
        variable = f"allowed_{cap}"
        fit = twfe(
            grid.cells, variable, spec.estimation.covariates, first_post=spec.periods.performance.first
        )
        covariance = member_covariance(grid.pairs[variable], fit.panel.months).matrix
        found = intervals(fit, covariance, spec, mean=baseline_mean(fit.panel, spec))[0]
        rows.append((found.estimate, found.sd, *found.ci90, *found.ci95))
    columns = ["estimate", "se", "lo90", "hi90", "lo95", "hi95"]
    effects = pd.DataFrame(rows, columns=columns, index=grid.caps.index)
    return pd.concat([grid.caps.drop(columns="declared"), effects, grid.caps[["declared"]]], axis=1)
