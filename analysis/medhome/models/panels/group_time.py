"""By how much did treatment change the outcome of each wave at each time, against units not (yet) treated?

Callaway and Sant'Anna (2021). The effect of the units first treated at g, at time t, is a two-by-two
comparison of changes from a base time: g minus 1 minus anticipation ("universal"), or for times before g
the time just before ("varying", whose pre-trends are one-step changes that hide a smooth drift). A cell of
an unbalanced panel uses the units seen at both of its times ("balanced two-by-two cells"); covariates and
weights are those of the base time.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from medhome.models.panels.aggregation import AGGREGATES, KEYS, pretest, uncertainty
from medhome.models.panels.aggregation import aggregate as aggregated
from medhome.models.panels.conclusion import conclude
from medhome.models.panels.doubly_robust import INFLUENCES, METHODS
from medhome.models.panels.group_time_cells import (
    Cell,
    GroupTime,
    cells_of,
    listed,
    panel_cells,
    repeated_cells,
    unit_clusters,
    units_of,
)
from medhome.study.panel_data import PanelData
from medhome.study.panel_results import PanelEstimate
from medhome.study.problems import ModelRefusal

CONTROLS = ("never", "not-yet")
BASES = ("universal", "varying")
FEW = 5
RULE = "analytic: influence functions summed within clusters, no small-sample factor"


def callaway_santanna(
    data: PanelData, *, control: str = "never", method: str = "dr", base: str = "universal",
    anticipation: float = 0, aggregate: str = "simple", bands: str | None = "gaussian", draws: int = 9_999,
    seed: int = 1, repeated: bool | None = None, influence: str = "reference",
) -> PanelEstimate:
    """The effect on the treated, from group-time effects and one of four averages of them.

    control: "never" treated units or those "not-yet" treated. method: "dr", "dr-improved", "ipw" or "reg"
    with the data's covariates. base, anticipation, repeated, influence: see `group_time_effects`. aggregate:
    which average is the estimate; see `medhome.models.panels.aggregation.Aggregate`. bands: the convention of
    simultaneous bands (`medhome.models.panels.multiplier`), None for none; the estimate and its error need no
    draws.

    table: one row a wave and time (group, time, event_time, base_time, estimate, se, interval, p, band,
    units). details: the four averages with their rows and bands, the pre-trend test and its critical values.
    Standard errors are analytic, from influence functions summed within clusters, without small-sample
    factor; p and intervals are normal, or t with G - 1 where clusters are coarser than units. Raises
    `ModelRefusal`. Callaway and Sant'Anna (2021, Journal of Econometrics 225).

    >>> from medhome.models.panels.reading import panel_from_frame
    >>> import pandas as pd
    >>> frame = pd.DataFrame([(i, t, 2 if i < 2 else 0, i + t + 3.0 * (i < 2 and t == 2) + i * t % 3)
    ...                       for i in range(6) for t in (1, 2)], columns=["id", "t", "g", "y"])
    >>> found = callaway_santanna(panel_from_frame(frame, "y", "id", "t", first_treated="g"))
    >>> round(found.estimate, 10), found.table["estimate"].round(10).tolist()
    (3.75, [0.0, 3.75])
    """
    effects = group_time_effects(
        data, control=control, method=method, base=base, anticipation=anticipation, repeated=repeated,
        influence=influence,
    )
    chosen = aggregated(effects, aggregate)
    coarse = effects.clusters < effects.n
    df = effects.clusters - 1.0 if coarse else math.inf
    columns, critical = uncertainty(effects.estimate, effects.influence, effects, df, bands, draws, seed)
    table = pd.DataFrame({
        "group": effects.group, "time": effects.time, "event_time": effects.time - effects.group,
        "base_time": effects.base_time,
    }).join(columns)
    table["treated_units"], table["comparison_units"] = effects.treated, effects.comparison
    details: dict[str, Any] = {
        "control": control, "method": method, "base": base, "anticipation": anticipation,
        "aggregate": aggregate, "bands": bands or "none",
        "critical_value": critical,
        "pretest": pretest(effects, effects.clusters),
    }
    if anticipation > 0:
        details["pretest_with_anticipated"] = pretest(effects, effects.clusters, anticipated=True)
    for kind in AGGREGATES:
        average = aggregated(effects, kind)
        details[kind] = {"estimate": average.estimate, "se": average.se(effects)}
        if kind in KEYS:
            rows, critical = average.table(effects, df, bands, draws, seed)
            details[kind] |= {"critical_value": critical, "rows": rows.to_dict("records")}
    treated_clusters = len(np.unique(effects.cluster[np.isin(effects.first_treated, effects.group)]))
    warnings = list(effects.warnings)
    if treated_clusters < FEW:
        warnings.append(
            f"{treated_clusters} treated {data.cluster_name} clusters: standard errors of so few are too "
            "small; use randomization inference"
        )
    return conclude(
        "callaway-santanna", data, chosen.estimate, chosen.se(effects), df,
        f"{RULE}, {effects.clusters} clusters ({data.cluster_name if coarse else 'sampling units'})"
        + (f"; {INFLUENCES[influence]}" if effects.repeated and method.startswith("dr") else ""),
        effects.clusters, warnings, table, details,
    )


def group_time_effects(
    data: PanelData, *, control: str = "never", method: str = "dr", base: str = "universal",
    anticipation: float = 0, repeated: bool | None = None, influence: str = "reference",
) -> GroupTime:
    """Every group-time effect that the data identify, with influence functions.

    repeated: True for repeated cross-sections, False for a panel, None to see it in the data: repeated when
    a unit has two rows at one time, or no unit is seen twice. influence: of repeated
    cross-sections; see `medhome.models.panels.doubly_robust.repeated_effect`. Raises `ModelRefusal` when no
    wave has a time before it, when there is no comparison unit, or when covariates leave a cell without a
    fit; what is left out is named in ``warnings``.
    """
    for name, given, allowed in (("control", control, CONTROLS), ("method", method, METHODS),
                                 ("base", base, BASES), ("influence", influence, INFLUENCES)):
        if given not in allowed:
            raise ModelRefusal(f"{name} is one of {', '.join(allowed)}, not {given!r}")
    if not anticipation >= 0:
        raise ModelRefusal(f"anticipation is a number of times from 0, not {anticipation!r}")
    if repeated is None:
        repeated = not data.one_row_each or data.rows == data.units
    elif not repeated and not data.one_row_each:
        raise ModelRefusal(f"a {data.unit_name} has several rows at one time: no panel")
    warnings: list[str] = []
    waves = _waves(data, control, anticipation, warnings)
    if repeated:
        found = repeated_cells(data, waves, control, method, base, anticipation, influence, warnings)
        unit_first, unit_weight, cluster = data.first_treated, data.weights, data.cluster
        if not data.one_row_each:
            warnings.append(f"a {data.unit_name} has several rows at one time: repeated cross-sections")
    else:
        units = units_of(data)
        found = panel_cells(data, units, waves, control, method, base, anticipation, warnings)
        unit_first, unit_weight = units.first, np.nanmean(units.w, axis=1)
        cluster = unit_clusters(data)
        if not data.balanced:
            short = data.units * len(data.times) - data.rows
            warnings.append(
                f"unbalanced panel: {short} of {data.units * len(data.times)} unit-times are not there; each "
                "group-time effect uses the units seen at both of its times"
            )
    return _assemble(data, found, unit_first, unit_weight, cluster, repeated, anticipation, warnings, base)


def _waves(data: PanelData, control: str, anticipation: float, warnings: list[str]) -> np.ndarray:
    """First treated times with a base time; refuses when there are none or nobody is left to compare with."""
    never = ~data.group
    if control == "never" and not never.any():
        raise ModelRefusal(
            f"no {data.unit_name} is never treated: control='not-yet' compares with units treated later"
        )
    if len(data.cohorts) == 0:
        raise ModelRefusal(f"no {data.unit_name} is treated at a time that the data hold")
    first_base = data.times[0] + anticipation
    early = data.cohorts[data.cohorts <= first_base]
    if len(early):
        count = len(np.unique(data.unit[np.isin(data.first_treated, early)]))
        warnings.append(
            f"no time before treatment for {count} units first treated at {listed(early)}: left out, as "
            "treated units and as comparison"
        )
    waves = data.cohorts[data.cohorts > first_base]
    if len(waves) == 0:
        raise ModelRefusal(
            f"no pre-period: every treated {data.unit_name} is treated at {data.times[0]:g}, the first time "
            "of the data, or within its anticipation"
        )
    one = [g for g in waves if (data.times + anticipation < g).sum() == 1]
    if one:
        warnings.append(
            f"one pre-period for the wave {listed(np.array(one))}: its pre-trend cannot be tested"
        )
    return waves


def _assemble(
    data: PanelData, found: list[Cell], first: np.ndarray, weights: np.ndarray, cluster: np.ndarray,
    repeated: bool, anticipation: float, warnings: list[str], base: str,
) -> GroupTime:
    # A wave without a cell after its start has nothing to say about effects (the last wave, where everybody
    # is treated in the end): its cells are left out, and named.
    late = {f.group for f in found if f.effects is not None and data.times[f.t] >= f.group}
    lost = sorted({f.group for f in found} - late)
    if lost:
        warnings.append(
            f"no comparison unit is left after the start of the wave {listed(np.array(lost))}: left out"
        )
    found = sorted((f for f in found if f.group in late), key=lambda f: (f.group, f.t))
    there = {(f.group, f.t) for f in found}
    for g in sorted(late):
        gone = [t for _, t, _ in cells_of(data, np.array([g]), base, anticipation) if (g, t) not in there]
        if gone:
            warnings.append(
                f"wave {g:g}: no comparison unit, or none treated, at {listed(data.times[gone])}: left out"
            )
    if not found:
        raise ModelRefusal("no group-time effect: no unit is untreated at any time after another's treatment")
    influence = np.zeros((len(first), len(found)))
    for column, f in enumerate(found):
        if f.effects is not None:
            influence[f.rows, column] = f.effects.influence[:, f.column] * (len(first) / len(f.rows))
    sizes = {g: int((first == g).sum()) for g in sorted(late)}
    warnings += [
        f"wave {g:g} is one unit: its standard errors hold the comparison units' variation only"
        for g, size in sizes.items() if size == 1
    ]
    clusters, position = np.unique(cluster, return_inverse=True)
    return GroupTime(
        group=np.array([f.group for f in found]),
        time=np.array([data.times[f.t] for f in found]),
        base_time=np.array([data.times[f.base] for f in found]),
        estimate=np.array([0.0 if f.effects is None else f.effects.att[f.column] for f in found]),
        influence=influence,
        treated=np.array([f.treated for f in found]),
        comparison=np.array([f.comparison for f in found]),
        reference=np.array([f.effects is None for f in found]),
        first_treated=first, weights=weights, cluster=position, clusters=len(clusters),
        anticipation=anticipation, repeated=repeated, warnings=tuple(warnings),
    )
