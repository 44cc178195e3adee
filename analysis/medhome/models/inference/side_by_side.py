"""Every method of inference on one effect, side by side: exhibit T19.

Which may be read as a finding is fixed by `recommend`; the others are shown with the false-alarm rate that
simulation found for them, so that a reader who expects one of them sees why it is not the headline.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from medhome.models.inference import conventional, ferman_pinto, randomization, two_period, wild
from medhome.models.inference.contrasts import Contrasts
from medhome.models.inference.mixture import Mixture
from medhome.models.inference.random_effects import PRIOR_SCALE, RePanel
from medhome.models.inference.recommend import Recommendation, Setting, right_size, size_in_simulation
from medhome.study.display import share

NAN = float("nan")
WILD_DRAWS = 9999
# Steps of the study's seed: every use of random numbers has its own.
RECOMMENDED_STEP, PUBLISHED_STEP, RANDOMIZATION_STEP, WILD_STEP = 401, 402, 403, 404
SEED_STEPS = {
    "fp_recommended": RECOMMENDED_STEP,
    "fp_published": PUBLISHED_STEP,
    "ri_rank": RANDOMIZATION_STEP,
    "wcr": WILD_STEP,
}
"""The methods that draw random numbers, and the step that each adds to the study's seed."""
_ONE = "not valid with one treated organisation"


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the methods need: the headline's fit and the organisations' changes.

    estimate: the headline effect; panel: RE-panel of it (first weights); contrasts: the organisations'
    changes; sampling_variance: (J,) of these changes; mean: the comparisons' baseline PMPM; practice and
    organization: clustered t tests on the panel; weight_of_clusters: by level, how many equal clusters carry
    the effect and the largest one's share of it; prior_scale: of RE-panel; seed: of the study.
    """

    estimate: float
    panel: RePanel
    contrasts: Contrasts
    sampling_variance: np.ndarray
    mean: float
    practice: conventional.TTest
    organization: conventional.TTest
    cluster_rule: str
    weight_of_clusters: Mapping[str, tuple[float, float]]
    prior_scale: float
    seed: int


def methods(evidence: Evidence, setting: Setting, recommended: Recommendation) -> pd.DataFrame:
    """Exhibit T19 (`DidResult.methods`); the headline first."""
    e, c = evidence, evidence.contrasts
    one = setting.treated == 1
    scale = f"{100 * e.prior_scale:g}%"
    fp, published = recommended_test(e), _published_test(e)
    two = two_period.re_two_period(c, e.sampling_variance, e.mean).effect
    rank = randomization.randomization(c, rng=np.random.default_rng([e.seed, RANDOMIZATION_STEP]))
    draws = wild.rademacher(len(c.change), WILD_DRAWS, np.random.default_rng([e.seed, WILD_STEP]))
    extreme, drawn = wild.wild_cluster(c, draws)
    conditional = (
        f"{_ONE}; conditional on this organisation"
        if one
        else "practices of an organisation share its shocks"
    )
    changes = "on the organisations' changes"

    rows = [
        _mixture("re_panel", f"Organisation-month random effects, prior scale {scale}", e.panel.effect),
        _mixture(
            "re_panel_gls",
            "The same, generalised least squares estimate",
            e.panel.gls,
            note="another estimate than the headline: sensitivity only",
        ),
        _mixture("re_panel_prior_05", "The same, prior scale 5%", e.panel.narrow[0]),
        _mixture("re_panel_flat", "The same, flat prior", e.panel.flat[0]),
        _row(
            "fp_recommended",
            "Ferman and Pinto, with the variance of the random-effects model",
            e.estimate,
            p=fp.p,
            half90=fp.q90,
            half95=fp.q95,
            note=f"{fp.draws:,} draws",
        ),
        _mixture("re_two_period", "Random effects, totals before and after", two, note=changes),
        _t(
            "donald_lang",
            "Donald and Lang t, every organisation the same variance",
            conventional.donald_lang(c),
            changes,
        ),
        _row(
            "ri_rank",
            f"Rank among placebos: number {rank.rank} of {rank.assignments} by size of effect, smallest "
            f"attainable p {rank.smallest_p:.3f}",
            c.effect(),
            p=rank.p,
            note=changes,
        ),
        _row(
            "fp_published",
            "Ferman and Pinto, as published",
            c.effect(),
            p=published.p,
            note=f"{changes}; {published.draws:,} draws",
        ),
        _t(
            "cr2",
            "Clustered by organisation, CR2 with Satterthwaite degrees of freedom",
            conventional.bell_mccaffrey(c),
            f"{_ONE}; {changes}" if one else changes,
        ),
        _t(
            "cr1_organization",
            "Clustered by organisation, CR1",
            e.organization,
            "; ".join([*([_ONE] if one else []), e.cluster_rule, _carried(e, "organization")]),
        ),
        _t(
            "cr1_practice",
            "Clustered by practice, CR1" + (": conditional on this organisation" if one else ""),
            e.practice,
            f"{conditional}; {_carried(e, 'practice')}",
        ),
        _row(
            "wcr",
            f"Wild cluster bootstrap by organisation, {drawn:,} sign draws",
            c.effect(),
            p=extreme / drawn,
            note=f"{_ONE}; {changes}" if one else changes,
        ),
    ]
    frame = pd.DataFrame(rows)
    sizes = [_size(m, setting, e.prior_scale) for m in frame["method"]]
    frame["headline"] = frame["method"] == recommended.interval
    if recommended.p_value is None:  # beyond the simulations the interval is shown without any p-value
        frame.loc[frame["headline"] | (frame["method"] == "fp_recommended"), "p"] = NAN
    frame["valid"] = [
        bool(h or (s is not None and right_size(s) and m not in recommended.never))
        for m, s, h in zip(frame["method"], sizes, frame["headline"], strict=True)
    ]
    frame["size_note"] = ["" if s is None else f"{s:.1f}%" for s in sizes]
    order = [
        "method",
        "label",
        "estimate",
        "se",
        "df",
        "lo90",
        "hi90",
        "lo95",
        "hi95",
        "p",
        "valid",
        "size_note",
        "note",
        "headline",
    ]
    return frame[order]


def _carried(e: Evidence, level: str) -> str:
    """How unequal clusters are, in words."""
    effective, largest = e.weight_of_clusters[level]
    brings = f"the largest brings {share(largest, 0)} of the effect's variation"
    return f"worth {effective:.1f} equal clusters; {brings}"


def recommended_test(e: Evidence) -> ferman_pinto.Bootstrap:
    """Ferman and Pinto's test of the headline effect with A from RE-panel and B from members."""
    scaled = ferman_pinto.recommended(e.contrasts, e.panel.A_mean, e.sampling_variance)
    rng = np.random.default_rng([e.seed, RECOMMENDED_STEP])
    draws = ferman_pinto.random_draws(len(scaled.z), len(e.contrasts.change), rng)
    return ferman_pinto.bootstrap(e.contrasts, scaled, *draws, estimate=e.estimate)


def _published_test(e: Evidence) -> ferman_pinto.Bootstrap:
    scaled = ferman_pinto.published(e.contrasts)
    rng = np.random.default_rng([e.seed, PUBLISHED_STEP])
    draws = ferman_pinto.random_draws(len(scaled.z), len(e.contrasts.change), rng)
    return ferman_pinto.bootstrap(e.contrasts, scaled, *draws)


def _size(method: str, setting: Setting, prior_scale: float) -> float | None:
    """False alarms in percent, where the simulations reach: not beyond them, not for another prior."""
    if not setting.simulated or (method in ("re_panel", "re_panel_gls") and prior_scale != PRIOR_SCALE):
        return None
    return size_in_simulation(method, setting).percent


def _row(
    method: str,
    label: str,
    estimate: float,
    *,
    se: float = NAN,
    df: float = NAN,
    p: float | None = None,
    half90: float = NAN,
    half95: float = NAN,
    note: str = "",
) -> dict[str, object]:
    return {
        "method": method,
        "label": label,
        "estimate": estimate,
        "se": se,
        "df": df,
        "lo90": estimate - half90,
        "hi90": estimate + half90,
        "lo95": estimate - half95,
        "hi95": estimate + half95,
        "p": NAN if p is None else p,
        "note": note,
    }


def _mixture(method: str, label: str, found: Mixture, note: str = "") -> dict[str, object]:
    row = _row(method, label, found.estimate, se=found.sd, p=found.p, note=note)
    return row | {"lo90": found.ci90[0], "hi90": found.ci90[1], "lo95": found.ci95[0], "hi95": found.ci95[1]}


def _t(method: str, label: str, found: conventional.TTest, note: str = "") -> dict[str, object]:
    row = _row(method, label, found.estimate, se=found.se, df=found.df, p=found.p, note=note)
    return row | {"lo90": found.ci90[0], "hi90": found.ci90[1], "lo95": found.ci95[0], "hi95": found.ci95[1]}
