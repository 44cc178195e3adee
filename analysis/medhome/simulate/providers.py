"""Who provides care: organisations, their sites and clinicians, and what sets their cost levels apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medhome.simulate.world import WorldSettings
from medhome.study.periods import month_index

FAMILY, INTERNAL, PEDIATRICS = 0, 1, 2
SPECIALTIES = ("family medicine", "internal medicine", "pediatrics")
SPECIALIST_SPECIALTIES = (
    "cardiology",
    "orthopedic surgery",
    "gastroenterology",
    "dermatology",
    "obstetrics and gynecology",
    "oncology",
    "endocrinology",
    "pulmonology",
    "psychiatry",
    "general surgery",
)
_SITE_KINDS = (FAMILY, INTERNAL, FAMILY, PEDIATRICS)
# Share of the members enrolled at the world's start who are attributed later (a visit in the look-back,
# a member-month after it), by kind of site; measured on simulated members, fixes how many are enrolled.
_ATTRIBUTED_SHARE = (0.645, 0.632, 0.668)
# Without entrants nobody joins in the look-back, and fewer are attributed.
_ATTRIBUTED_WITHOUT_ENTRANTS = 0.92
_STEP_LEVELS, _STEP_SHOCKS, _STEP_CLINICIANS = 1, 2, 3


@dataclass(frozen=True, kw_only=True)
class Providers:
    """Organisations (first those of the program), sites, clinicians; arrays are indexed by their number."""

    organization_size: np.ndarray  # attributed members aimed at
    organization_program: np.ndarray  # bool
    organization_level_usd: np.ndarray  # persistent, dollars PMPM
    organization_shock_usd: np.ndarray  # organisation x month, dollars PMPM, mean zero
    site_organization: np.ndarray
    site_kind: np.ndarray
    site_start: np.ndarray  # month of the program, from the world's first; past the end where there is none
    site_wave: np.ndarray  # of the program's sites; -1 elsewhere
    site_enrolled: np.ndarray  # members enrolled at the world's start
    site_level_usd: np.ndarray  # persistent, dollars PMPM, beside the organisation's
    site_shock_usd: np.ndarray  # site x month
    clinician_site: np.ndarray  # sorted by site
    clinician_specialty: np.ndarray
    site_first_clinician: np.ndarray  # clinicians of site s: first[s] <= c < first[s + 1]
    npi: tuple[str, ...]  # clinicians, then specialists, then hospitals
    specialists: int
    hospitals: int

    @property
    def clinicians(self) -> int:
        return len(self.clinician_site)

    @property
    def sites(self) -> int:
        return len(self.site_organization)

    @property
    def site_program(self) -> np.ndarray:
        return self.organization_program[self.site_organization]

    @property
    def persistent_level_usd(self) -> np.ndarray:
        """By site: organisation level and site level together, dollars PMPM."""
        return self.organization_level_usd[self.site_organization] + self.site_level_usd

    @property
    def shock_usd(self) -> np.ndarray:
        """Site x month: passing shocks of the organisation and the site together, dollars PMPM."""
        return self.organization_shock_usd[self.site_organization] + self.site_shock_usd


def organization_name(number: int) -> str:
    return f"ORG{number + 1:03d}"


def site_name(number: int) -> str:
    return f"SITE{number + 1:04d}"


def comparison_sizes(world: WorldSettings) -> np.ndarray:
    """Attributed members of each comparison organisation, smallest first.

    Sizes are spread on a logarithmic scale between the smallest and the largest; the spacing is bent
    so that they add up to the wanted total (many small organisations, few large ones).
    """
    count = world.comparison_organizations
    place = (np.arange(count) + 0.5) / count
    ratio = world.comparison_size_max / world.comparison_size_min
    low, high = 1e-3, 1e3
    for _ in range(200):
        bend = np.sqrt(low * high)
        total = float((world.comparison_size_min * ratio ** (place**bend)).sum())
        low, high = (bend, high) if total > world.comparison_members else (low, bend)
    return np.rint(world.comparison_size_min * ratio ** (place**bend)).astype(np.int64)


def autoregression(
    rng: np.random.Generator, rows: int, months: int, sd: float, correlation: float
) -> np.ndarray:
    """Stationary first-order autoregressions, one a row."""
    draws = rng.standard_normal((rows, months))
    out = np.empty_like(draws)
    out[:, 0] = draws[:, 0]
    fresh = np.sqrt(1 - correlation**2)
    for t in range(1, months):
        out[:, t] = correlation * out[:, t - 1] + fresh * draws[:, t]
    return out * sd


def monthly_sd_of_year(year_sd: float, correlation: float) -> float:
    """Standard deviation of a month, given that of a 12-month mean, in a first-order autoregression."""
    lag = np.arange(1, 12)
    of_mean = (1 + 2 * float(((1 - lag / 12) * correlation**lag).sum())) / 12
    return year_sd / float(np.sqrt(of_mean))


def build_providers(world: WorldSettings) -> Providers:
    """Draw organisations, sites and clinicians, with their levels and shocks."""
    months = world.months.months
    groups = world.program_organizations
    own = _apportion(np.ones(groups), world.program_members)
    sizes = np.concatenate([own, comparison_sizes(world)]).astype(np.int64)
    organizations = len(sizes)
    program = np.arange(organizations) < groups
    sites_of = np.maximum(1, np.rint(sizes / world.members_per_site)).astype(np.int64)
    sites_of[:groups] = _apportion(np.ones(groups), world.program_sites)
    site_organization = np.repeat(np.arange(organizations), sites_of)
    within = np.arange(len(site_organization)) - np.repeat(np.cumsum(sites_of) - sites_of, sites_of)
    kind = np.array(_SITE_KINDS)[within % len(_SITE_KINDS)]

    rng = np.random.default_rng([world.seed, _STEP_LEVELS])
    share = rng.uniform(0.8, 1.2, len(site_organization))
    share /= np.bincount(site_organization, share)[site_organization]
    attributed = np.array(_ATTRIBUTED_SHARE)[kind]
    attributed = attributed * np.interp(world.entrants_share, [0, 1], [_ATTRIBUTED_WITHOUT_ENTRANTS, 1.0])
    enrolled = np.maximum(5, np.rint(sizes[site_organization] * share / attributed))
    organization_level = rng.standard_normal(organizations) * world.organization_sd_pmpm_usd
    site_level = rng.standard_normal(len(kind)) * world.practice_sd_pmpm_usd

    rng = np.random.default_rng([world.seed, _STEP_SHOCKS])
    month_sd = monthly_sd_of_year(world.organization_year_sd_pmpm_usd, world.organization_month_correlation)
    organization_shock = autoregression(
        rng, organizations, months, month_sd, world.organization_month_correlation
    )
    site_shock = autoregression(
        rng, len(kind), months, world.practice_month_sd_pmpm_usd, world.practice_month_correlation
    )

    rng = np.random.default_rng([world.seed, _STEP_CLINICIANS])
    in_program = program[site_organization]
    clinicians_of = np.rint(sizes[site_organization] * share / world.members_per_clinician).astype(np.int64)
    clinicians_of = np.maximum(1, clinicians_of)
    clinicians_of[in_program] = _apportion(share[in_program], world.program_clinicians)
    clinician_site = np.repeat(np.arange(len(kind)), clinicians_of)
    specialty = kind[clinician_site].copy()
    mixed = (specialty == FAMILY) & (rng.random(len(specialty)) < 0.15)
    specialty[mixed] = INTERNAL
    wave = np.where(in_program, site_organization % max(1, len(world.waves)), -1)
    starts = [month_index(w.start) - world.months.first for w in world.waves] or [world.start_offset]
    specialists = int(max(10, np.rint(sizes.sum() / 300)))
    hospitals = int(max(2, np.rint(sizes.sum() / 8000)))
    return Providers(
        organization_size=sizes,
        organization_program=program,
        organization_level_usd=organization_level,
        organization_shock_usd=organization_shock,
        site_organization=site_organization,
        site_kind=kind,
        site_start=np.where(in_program, np.array(starts)[wave], months),
        site_wave=wave,
        site_enrolled=enrolled.astype(np.int64),
        site_level_usd=site_level,
        site_shock_usd=site_shock,
        clinician_site=clinician_site,
        clinician_specialty=specialty,
        site_first_clinician=np.concatenate([[0], np.cumsum(clinicians_of)]),
        npi=_npis(len(clinician_site) + specialists + hospitals),
        specialists=specialists,
        hospitals=hospitals,
    )


def _apportion(share: np.ndarray, total: int) -> np.ndarray:
    """Whole numbers, each at least one, in proportion to shares and adding up to the total."""
    exact = share / share.sum() * (total - len(share))
    out = np.floor(exact).astype(np.int64)
    left = total - len(share) - int(out.sum())
    out[np.argsort(out - exact, kind="stable")[:left]] += 1
    return out + 1


def _npis(count: int) -> tuple[str, ...]:
    """Invented provider numbers of ten digits whose check digit is right (Luhn, with 80840 before it)."""
    out = []
    for number in range(count):
        nine = f"199{number * 37 + 100_003:06d}"
        digits = [int(d) for d in "80840" + nine]
        doubled = [d * 2 - 9 if d > 4 else d * 2 for d in digits[::-2]]
        out.append(nine + str(-(sum(doubled) + sum(digits[-2::-2])) % 10))
    return tuple(out)
