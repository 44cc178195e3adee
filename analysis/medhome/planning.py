"""Planning a pilot: how small an effect could a study of each size find, from data or assumptions?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pydantic

from medhome.models import pilot_power
from medhome.models.pilot_power import Size, Variation
from medhome.study.power_choices import PowerPlan
from medhome.study.power_results import PowerCurve
from medhome.study.problems import StudyFileError
from medhome.study.progress import Progress, silent
from medhome.study.spec import StudySpec, read_study


def power(
    study: Path | str | StudySpec,
    data: Path | str | None = None,
    *,
    practices: Sequence[int] = (),
    members: Sequence[float] = (),
    months: Sequence[int] = (),
    organizations: Sequence[int] = (),
    effect_pmpm_usd: float | None = None,
    progress: Progress = silent,
) -> PowerCurve:
    """How small an effect could this study find with 80% power, and what would more of anything change?

    Arguments
        study: a study file, or a study that was read; its ``[power]`` holds the plan.
        data: folder of input tables. With them, size and variation are the study's own; without, those of
            ``[power]``: no data are needed to plan a pilot.
        practices, members, months, organizations: sizes to draw, in place of those of ``[power]``.
        effect_pmpm_usd: an effect aimed at, for which power is given.

    Raises `StudyFileError`, `DataProblem`, and `ModelRefusal` where there are too few organisations.
    Source: ``docs/power.md``.
    """
    spec = study if isinstance(study, StudySpec) else read_study(Path(study))
    wanted: dict[str, Any] = {
        "practices": tuple(practices), "members": tuple(members), "months": tuple(months),
        "organizations": tuple(organizations), "effect_pmpm_usd": effect_pmpm_usd,
    }  # fmt: skip
    plan = _with(spec.power, {k: v for k, v in wanted.items() if v})
    own = None
    if data is None:
        size, variation = Size.planned(plan, spec), Variation.assumed(plan)
    else:
        size, variation, own = _from_data(spec, Path(data), progress)
    planned = pilot_power.row("plan", 1, size, variation, plan.effect_pmpm_usd)
    return PowerCurve(
        study_id=spec.id,
        title=spec.title,
        basis="assumptions" if data is None else "data",
        frame=pilot_power.curve(plan, size, variation),
        plan={k: float(v) for k, v in planned.items() if k not in ("axis", "value")},  # type: ignore[arg-type]
        assumptions=_assumptions(size, variation),
        effect_pmpm_usd=plan.effect_pmpm_usd,
        study_detectable_pmpm=own,
    )


def write_power(found: PowerCurve, out: Path) -> Path:
    """Write ``power.html``, ``power.json`` and ``power.csv`` into ``out/<study>/``; gives the page."""
    from medhome.reporting.power_page import write_power_page

    folder = out / found.study_id
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(found.to_plain(), indent=2, ensure_ascii=False, allow_nan=False)
    (folder / "power.json").write_text(text + "\n", encoding="utf-8")
    found.frame.to_csv(folder / "power.csv", index=False, float_format="%.10g", lineterminator="\n")
    return write_power_page(found, folder / "power.html")


def _with(plan: PowerPlan, changes: dict[str, Any]) -> PowerPlan:
    try:
        return PowerPlan.model_validate(plan.model_dump() | changes)
    except pydantic.ValidationError as error:
        faults = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise StudyFileError(f"power: {'; '.join(faults)}") from None


def _from_data(spec: StudySpec, data: Path, progress: Progress) -> tuple[Size, Variation, float | None]:
    from medhome import evaluate
    from medhome.models import did

    study = evaluate.collapse_study(spec, data, progress)
    pairs = study.pairs["allowed_capped"]
    effect = did.estimate(study.cells, pairs, spec)
    size, variation = pilot_power.from_data(study.cells, pairs, effect, spec)
    return size, variation, effect.detectable.value


def _assumptions(size: Size, variation: Variation) -> pd.DataFrame:
    """What the curve rests on, in words; the last rows are what the months before and after make of it."""
    before, after = size.before, size.after
    rows: list[tuple[str, str, float, str]] = [("mean_pmpm", "Mean cost", variation.mean, "$ PMPM")]
    if variation.yearly is None:
        lag = variation.by_lag
        rows += [
            ("member_sd_pmpm", "Standard deviation of one member's month", lag[0] ** 0.5, "$"),
            *(
                (f"member_lag_{k}", f"Correlation of a member's months, {k} apart", lag[k] / lag[0], "")
                for k in (1, 6, 12)
                if k in lag
            ),
            ("practice_sd_pmpm", "Monthly shocks of a practice, sd", variation.practice_sd, "$ PMPM"),
        ]
    rows += [
        (
            "organization_sd_pmpm",
            "Monthly shocks of an organisation, sd",
            variation.organization_sd,
            "$ PMPM",
        ),
        ("autocorrelation", "Autocorrelation of these shocks by month", variation.organization_rho, ""),
    ]
    names = {
        "sd_pmpm": "sd of one member's mean cost in a period",
        "icc": "Share of it between practices (icc)",
        "cluster_autocorrelation": "Autocorrelation of a practice's two periods",
        "member_autocorrelation": "Autocorrelation of a member's two periods",
    }
    of_periods = variation.formula(before, after)
    rows += [(k, names[k], v, "$ PMPM" if k == "sd_pmpm" else "") for k, v in of_periods.items()]
    frame = pd.DataFrame(rows, columns=["id", "label", "value", "unit"])
    follows = [variation.yearly is None and r[0] in of_periods for r in rows]
    return frame.assign(basis=["follows from these" if f else variation.basis for f in follows])
