"""Where and for whom did cost change: by kind of service, by group of members, by practice?

Each part has the headline's own model on its own cost; its interval is that of random effects on the
changes of organisations (RE-two-period, `docs/methods.md`, few treated organisations): how far organisations
differ in this part is learnt from the part, and simulation found these intervals a little too wide rather
than too narrow. Parts are many, so their p-values are adjusted together (Holm; Benjamini and Hochberg).
Groups are fixed at the baseline. The headline was asked beforehand, so it is not among those adjusted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from medhome.models.did import OUTCOME, OrganizationMonths
from medhome.models.funnel import funnel
from medhome.models.inference.contrasts import contrasts, organization_shares
from medhome.models.inference.member_covariance import member_covariance
from medhome.models.inference.two_period import re_two_period
from medhome.models.multiplicity import benjamini_hochberg, holm
from medhome.models.twfe import ARMS, TwoWayFit, twfe
from medhome.models.unpaid import label_of
from medhome.study.cells import Cells, MonthPairs, moment_name
from medhome.study.problems import ModelRefusal
from medhome.study.results import Cohort, DidResult
from medhome.study.spec import StudySpec
from medhome.study.triangles import Triangles
from medhome.study.where_results import GroupCells, Where, typed

NAN = float("nan")
PEOPLE = ("members_treated", "members_comparison")
NUMBERS = ("estimate", "se", "lo90", "hi90", "lo95", "hi95", "p")
LARGE, ALL = "large", "all"
FEWEST_COMPARISONS = 2
FEWEST_MEMBERS = 100
"""Members of each arm from which a group has an interval: cost of fewer is too skewed for a normal one."""

STRATA = {"adults": "Adults", "children": "Children", "infants": "Infants"}


def describe(
    cells: Cells,
    pairs: MonthPairs,
    spec: StudySpec,
    did: DidResult,
    triangles: Triangles,
    groups: GroupCells,
    cohort: Cohort,
) -> Where:
    """Everything that the page "Where and for whom" shows.

    Arguments
        cells, pairs: of the headline's outcome. did: the headline. triangles: cost by kind of service.
        groups: cells of groups of members. cohort: for the neutral names of organisations.
    """
    first = spec.periods.performance.first
    cells = _with_only(cells, OUTCOME)
    whole = twfe(cells, OUTCOME, spec.estimation.covariates, first_post=first)
    member = member_covariance(pairs, whole.panel.months).matrix
    by_category = _categories(cells, triangles, _sizes(groups.practices), spec, did)
    by_group = list(_groups(cells, groups, whole, member, spec, did))
    parts = [row for row in by_category if row["category"] != ALL]
    parts += [row for row in by_group if row["dimension"] != ALL]
    tested = _adjusted(parts)
    practices = funnel(whole, member, first, cohort)
    return Where(
        categories=typed("categories", by_category),
        groups=typed("groups", by_group),
        practices=practices.frame,
        between_sd_pmpm=practices.between_sd_pmpm,
        treated_mean_pmpm=practices.treated_mean_pmpm,
        outside=practices.outside,
        high_risk_cut_pmpm=groups.high_risk_cut_pmpm,
        tested=tested,
    )


def by_group(
    cells: Cells, pairs: MonthPairs, spec: StudySpec, did: DidResult, groups: GroupCells
) -> pd.DataFrame:
    """Exhibit T17 alone, its p-values not adjusted: `Where.groups`. Arguments as of `describe`."""
    cells = _with_only(cells, OUTCOME)
    whole = twfe(cells, OUTCOME, spec.estimation.covariates, first_post=spec.periods.performance.first)
    member = member_covariance(pairs, whole.panel.months).matrix
    return typed("groups", list(_groups(cells, groups, whole, member, spec, did)))


def _adjusted(parts: list[dict[str, object]]) -> int:
    """p-values of all parts adjusted together, in place; the number adjusted."""
    p = np.array([row["p"] for row in parts], dtype=float)
    for row, one, two in zip(parts, holm(p), benjamini_hochberg(p), strict=True):
        row["p_holm"], row["p_bh"] = one, two
    return int(np.isfinite(p).sum())


# -- kinds of service ----------------------------------------------------------------------------------


def _categories(
    cells: Cells, triangles: Triangles, everyone: Mapping[str, float], spec: StudySpec, did: DidResult
) -> list[dict[str, object]]:
    """Exhibit T4: rows of kinds of service that add up to the headline, which is the last."""
    kinds = _with_large(cells, triangles)
    services = {str(row["category"]): row for row in triangles.services.to_dict("records")}
    rows: list[dict[str, object]] = []
    for category in (*triangles.categories, LARGE):
        own = services.get(category, dict.fromkeys(("member_variance", *PEOPLE), NAN))
        if category == LARGE and LARGE not in services:
            continue  # no cap, or nobody above it
        first, covariates = spec.periods.performance.first, spec.estimation.covariates
        fit = twfe(_with_only(kinds, category), category, covariates, first_post=first)
        found = _interval(fit, spec, did, member_variance=float(own["member_variance"]))
        rows.append(
            {
                "category": category,
                "label": label_of(category),
                **{name: float(own[name]) for name in PEOPLE},
                **_means(kinds, category, spec),
                **found,
            }
        )
    people = {f"members_{arm}": everyone[arm] for arm in ARMS}
    rows.append(
        {"category": ALL, "label": "All", **people, **_means(cells, OUTCOME, spec), **_headline(did)}
    )
    before = float(rows[-1]["treated_baseline_pmpm"])  # type: ignore[arg-type]
    for row in rows:
        row["baseline_share"] = float(row["estimate"]) / before if before > 0 else NAN  # type: ignore[arg-type]
    return rows


def _with_large(cells: Cells, triangles: Triangles) -> Cells:
    """Cells by kind of service, with ``large``: what is left of capped cost, of members above the cap."""
    kinds = triangles.cells
    whole = cells.by(*kinds.keys).frame
    if not (whole[list(kinds.keys)].to_numpy() == kinds.frame[list(kinds.keys)].to_numpy()).all():
        raise ValueError("cells by kind of service are not those of the study")
    rest = {}
    for further in ((), ("expected",)):
        left = whole[moment_name(OUTCOME, *further)].to_numpy(dtype=object)
        for category in triangles.categories:
            left = left - kinds.frame[moment_name(category, *further)].to_numpy(dtype=object)
        rest[moment_name(LARGE, *further)] = pd.Series(left, dtype=object)
    return replace(kinds, scales={**kinds.scales, LARGE: 100}, frame=kinds.frame.assign(**rest))


# -- groups of members ---------------------------------------------------------------------------------


def _groups(
    cells: Cells, groups: GroupCells, whole: TwoWayFit, member: np.ndarray, spec: StudySpec, did: DidResult
) -> Iterator[dict[str, object]]:
    """Exhibit T17: all members, then each group with its complement where it has one."""
    everyone = _sizes(groups.practices)
    yield _row("all", "all", "All members", cells, everyone, spec) | _headline(did)
    spread = _spread(cells)
    for dimension, name, label, part, people in _parts(cells, groups, whole):
        row = _row(dimension, name, label, part, people, spec)
        yield row | _of_part(part, people, spread, member, spec, did)


def _parts(
    cells: Cells, groups: GroupCells, whole: TwoWayFit
) -> Iterator[tuple[str, str, str, Cells, dict[str, float]]]:
    frame, practices = cells.frame, groups.practices
    strata = sorted(set(frame["stratum"]), key=lambda s: (list(STRATA).index(s) if s in STRATA else 9, s))
    if len(strata) > 1:
        for name in strata:
            part = cells.where((frame["stratum"] == name).to_numpy())
            people = _sizes(practices[practices["stratum"] == name])
            label = STRATA.get(name, str(name).replace("_", " ").capitalize())
            yield "stratum", str(name), label, part, people
    for row in groups.groups.to_dict("records"):
        assert groups.cells is not None
        part = _with_only(
            groups.cells.where((groups.cells.frame["subgroup"] == row["group"]).to_numpy()), OUTCOME
        ).by(*cells.keys)
        people = {arm: float(row[f"members_{arm}"]) for arm in ARMS}
        yield str(row["dimension"]), str(row["group"]), str(row["label"]), part, people
        if row["dimension"] == "risk":
            others = cells.without(part)
            total = _sizes(practices)
            left = {arm: total[arm] - people[arm] for arm in ARMS}
            yield "risk", "risk:other", "Not at high risk", others, left
    yield from _by_size(cells, practices, whole)


def _by_size(
    cells: Cells, practices: pd.DataFrame, whole: TwoWayFit
) -> Iterator[tuple[str, str, str, Cells, dict[str, float]]]:
    """Practices below and from the median size of treated practices; nothing where one side is empty."""
    if practices.empty:
        return
    keys = ["organization_id", "practice_id", "arm"]
    sizes = practices.groupby(keys)["members"].sum()
    middle = float(np.median(sizes[sizes.index.get_level_values("arm") == ARMS[0]]))
    small = set(sizes.index[(sizes < middle).to_numpy()])
    mine = np.array([key in small for key in cells.frame[keys].itertuples(index=False, name=None)])
    theirs = np.array([key in small for key in practices[keys].itertuples(index=False, name=None)])
    for name, label, mask, people in (
        ("size:small", "Smaller practices (below the program's median)", mine, theirs),
        ("size:large", "Larger practices", ~mine, ~theirs),
    ):
        if mask.any() and not mask.all():
            yield "size", name, label, cells.where(mask), _sizes(practices[people])


def _row(
    dimension: str, name: str, label: str, part: Cells, people: Mapping[str, float], spec: StudySpec
) -> dict[str, object]:
    after = (part.frame["month"] >= spec.periods.performance.first) & (part.frame["arm"] == ARMS[0])
    return {
        "dimension": dimension,
        "group": name,
        "label": label,
        **{f"members_{arm}": people[arm] for arm in ARMS},
        "member_months": float(part.member_months[after.to_numpy()].sum()),
        **_means(part, OUTCOME, spec),
        "p_holm": NAN,
        "p_bh": NAN,
    }


def _of_part(
    part: Cells,
    people: Mapping[str, float],
    spread: float,
    member: np.ndarray,
    spec: StudySpec,
    did: DidResult,
) -> dict[str, object]:
    """The effect on a group; its members' covariance is the study's at the group's own variance."""
    try:
        fit = twfe(part, OUTCOME, spec.estimation.covariates, first_post=spec.periods.performance.first)
    except ModelRefusal as refusal:
        return dict.fromkeys(NUMBERS, NAN) | {"why": str(refusal)}
    own = _spread(part)
    if min(people.values()) < FEWEST_MEMBERS:
        why = f"no interval: fewer than {FEWEST_MEMBERS} members in an arm"
        return dict.fromkeys(NUMBERS, NAN) | {"estimate": float(fit.coefficients[0]), "why": why}
    if not own > 0:
        why = "every member of the group costs the same in a month: there is no variance to learn from"
        return dict.fromkeys(NUMBERS, NAN) | {"estimate": float(fit.coefficients[0]), "why": why}
    return _interval(fit, spec, did, covariance=member * own / spread)


def _spread(cells: Cells) -> float:
    """Variance of members within practice-months, dollars PMPM squared."""
    months = cells.member_months.sum()
    return float(cells.scatter(OUTCOME, OUTCOME).sum() / months) if months > 0 else 0.0


def _with_only(cells: Cells, outcome: str) -> Cells:
    """Cells with the moments of an outcome and of expected cost only: the others cost time in every part."""
    kept = {outcome, "expected"}
    moments = [m for m in cells.moments if set(m.split("*")[1:]) <= kept]
    scales = {v: cells.scales[v] for v in cells.scales if v in kept}
    return replace(cells, scales=scales, frame=cells.frame[[*cells.keys, "rows", *moments]])


def _sizes(practices: pd.DataFrame) -> dict[str, float]:
    if practices.empty:
        return dict.fromkeys(ARMS, 0.0)
    return {arm: float(practices.loc[practices["arm"] == arm, "members"].sum()) for arm in ARMS}


# -- what both share -----------------------------------------------------------------------------------


def _means(cells: Cells, outcome: str, spec: StudySpec) -> dict[str, object]:
    """Mean cost of both arms before and after, dollars PMPM."""
    frame = cells.frame
    found: dict[str, object] = {}
    after = (frame["month"] >= spec.periods.performance.first).to_numpy()
    total, months = cells.total(outcome), cells.member_months
    for arm in ARMS:
        for period, side in (("baseline", ~after), ("performance", after)):
            mine = (frame["arm"] == arm).to_numpy() & side
            n = months[mine].sum()
            found[f"{arm}_{period}_pmpm"] = float(total[mine].sum() / n) if n > 0 else NAN
    return found


def _headline(did: DidResult) -> dict[str, object]:
    h = did.headline
    ends = [*(h.ci90 or (NAN, NAN)), *(h.ci95 or (NAN, NAN))]
    numbers = [NAN if v is None else v for v in (h.value, h.se)] + ends + [NAN if h.p is None else h.p]
    return dict(zip(NUMBERS, numbers, strict=True)) | {"p_holm": NAN, "p_bh": NAN, "why": ""}


def _interval(
    fit: TwoWayFit,
    spec: StudySpec,
    did: DidResult,
    *,
    covariance: np.ndarray | None = None,
    member_variance: float = NAN,
) -> dict[str, object]:
    """The effect of a fit with the interval of random effects on organisations' changes.

    What members alone bring is either the contrast of their covariance (T, T), or one member's variance of
    the change itself. p only where the headline's setting allows one.
    """
    value = float(fit.coefficients[0])
    own = dict.fromkeys(NUMBERS, NAN) | {"estimate": value, "p_holm": NAN, "p_bh": NAN, "why": ""}
    months = OrganizationMonths.of(fit, spec.periods.performance.first)
    after = months.months >= spec.periods.performance.first
    exposure = months.members[months.treated].sum(0)
    changes = contrasts(months.y, months.members, months.treated, after, exposure)
    if (~changes.treated).sum() < FEWEST_COMPARISONS or not changes.treated.any():
        return own | {"why": "no interval: fewer than 2 comparison organisations on both sides of the start"}
    if covariance is None:
        sampling = member_variance / changes.members
    else:
        shares, kept = organization_shares(months.members, after, exposure)
        seen = months.members > 0
        scaled = np.divide(shares, np.sqrt(months.members), out=np.zeros_like(shares), where=seen)
        sampling = np.einsum("jt,ts,js->j", scaled, covariance, scaled)[kept]
    if not (np.isfinite(sampling).all() and (sampling > 0).all() and months.mean > 0):
        return own | {"why": "no interval: its cost does not vary between members, or is not above zero"}
    found = re_two_period(changes, sampling, months.mean, by_members=True).effect
    shift = value - found.estimate
    ends = [e + shift for e in (*found.ci90, *found.ci95)]
    p = NAN if did.headline.p is None else found.p
    return own | dict(zip(NUMBERS, (value, found.sd, *ends, p), strict=True))
