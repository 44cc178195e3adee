"""Effects by event time and by subgroup, from the same cells as the headline."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from medhome.models.cell_design import Effect
from medhome.models.cell_moments import CellMoments, Term
from medhome.models.cells_regression import CellsFit, regress
from medhome.study.problems import ModelRefusal


def event_name(time: int) -> str:
    """Name of an event time's coefficient.

    >>> event_name(-3), event_name(0)
    ('event -3', 'event +0')
    """
    return f"event {time:+d}"


def event_terms(event_time: np.ndarray, reference: int = -1) -> list[Term]:
    """One indicator for each event time but the reference.

    event_time: (n,) of cells; NaN or infinite where never treated. Raises `ModelRefusal` when no treated cell
    is at the reference, because nothing would then be compared with it.
    """
    time = np.asarray(event_time, dtype=float)
    treated = np.isfinite(time)
    seen = sorted({int(t) for t in time[treated]})
    if reference not in seen:
        raise ModelRefusal(
            f"event study: no treated cell at event time {reference}; choose another reference"
        )
    return [
        Term(name=event_name(t), factor=(treated & (time == t)).astype(float)) for t in seen if t != reference
    ]


def event_study(
    moments: CellMoments,
    outcome: str,
    event_time: np.ndarray,
    covariates: Sequence[str | Term] = (),
    *,
    reference: int = -1,
    effects: Sequence[Effect] = ("practice_id", "month"),
    cluster: Effect = "practice_id",
) -> CellsFit:
    """How far was the treated arm from the comparison arm at each event time, against the reference?

    One base for all times (universal). Treated cells need a comparison at their calendar time; with waves the
    coefficients mix the waves' effects (read `sun_abraham` then). Arguments as in `regress`; event_time: see
    `event_terms`. Coefficients are named by `event_name`.
    """
    terms = [*event_terms(event_time, reference), *covariates]
    return regress(moments, outcome, terms, effects=effects, cluster=cluster)


def subgroups(
    moments: CellMoments,
    outcome: str,
    term: Term,
    by: Effect,
    covariates: Sequence[str] = (),
    *,
    effects: Sequence[Effect] = ("practice_id", "month"),
    cluster: Effect = "practice_id",
) -> pd.DataFrame:
    """What is the effect in each subgroup, fitted on the subgroup's rows alone?

    Arguments
        term: the effect, with a factor. by: key or keys of cells whose levels are the subgroups.

    One row per subgroup: the keys, ``estimate``, ``se``, ``df``, ``p``, 95% interval, ``rows``, ``clusters``,
    and ``refused``, the reason where no effect can be told (empty text elsewhere).
    """
    if term.factor is None:
        raise ModelRefusal("subgroups: the effect needs one number for each cell (a factor)")
    columns = [by] if isinstance(by, str) else list(by)
    code = moments.codes(by)
    records = []
    for level in np.unique(code):
        inside = code == level
        record: dict[str, object] = dict(moments.keys[columns][inside].iloc[0])
        try:
            fit = regress(
                moments.where(inside),
                outcome,
                [Term(name=term.name, factor=term.factor[inside], variable=term.variable), *covariates],
                effects=effects,
                cluster=cluster,
            )
            found = fit.test(term.name)
            record |= {
                "estimate": found.estimate, "se": found.se, "df": found.df, "p": found.p,
                "lo95": found.ci95[0], "hi95": found.ci95[1], "rows": fit.rows, "clusters": fit.clusters,
                "refused": "",
            }  # fmt: skip
        except ModelRefusal as refusal:
            record |= dict.fromkeys(("estimate", "se", "df", "p", "lo95", "hi95"), np.nan)
            record |= {"rows": int(moments.rows[inside].sum()), "clusters": 0, "refused": str(refusal)}
        records.append(record)
    return pd.DataFrame(records)
