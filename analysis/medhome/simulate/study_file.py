"""The study file that fits a simulated world."""

from __future__ import annotations

from medhome.simulate.world import LOOKBACK_MONTHS, WorldSettings
from medhome.study.periods import month_index, month_name

TITLES = {
    "demo": "Medical home demonstration",
    "small": "Medical home demonstration, small world",
    "waves": "Medical home demonstration, practices that join in waves",
    "coverage": "Medical home demonstration, world of the coverage benchmark",
    "coding": "Medical home demonstration, world of coding without illness",
}
"""What each world with settings is, in a study file's title."""


def study_toml(world: WorldSettings) -> str:
    """The text of a study file that fits a world; for the world "demo" the demonstration study itself.

    >>> from medhome.simulate.world import WORLDS
    >>> 'start = "2008-06"' in study_toml(WORLDS["small"])
    True
    """
    title = TITLES.get(world.name, f"Medical home demonstration, world {world.name}")
    organization = (
        f"{world.program_organizations} physician groups, which join in {len(world.waves)} waves"
        if world.waves
        else "One physician group: family medicine, internal medicine and paediatrics"
    )
    run_out = min(3, month_index(world.paid_through) - month_index(world.last_month))
    return f"""\
# The demonstration study: a simulated medical home of one physician group against a market.
id = "{world.name}"
title = "{title}"
question = "Did care cost less in the medical home than would have been expected without it?"
version = "1"
seed = {world.seed}
paid_through = "{world.paid_through}"

[data]
source = "native"
synthetic = true

[program]
name = "Patient-centered medical home"
location = "One metropolitan area of a simulated market"
practices = "Every practice of the group; none was chosen by lot"
payer = "A commercial payer"
organization = "{organization}"
description = "Members join by attribution, with no change of physician or referral rules."
components = [
  "Clinical information: member roster, lists of high-risk patients, a feed of gaps in care",
  "Clinical collaboration: embedded care managers, better access, education",
  "Blended payment: fee for service, an amount for enhanced services, pay for performance",
]
payment_model = "Fee for service, a care-management fee per member per month, and pay for performance"
co_interventions = [
  "The group took part in another payer's demonstration",
  "The group was applying for medical-home recognition",
]
reported_outcomes = ["Quality scores and payments by the program itself; no effect on cost"]

[periods]
baseline_first = "{month_name(world.baseline.first)}"
baseline_last = "{month_name(world.baseline.last)}"
start = "{world.start}"
through = "{world.last_month}"
run_out_months = {run_out}

[arms]
rule = "roster"
program_id = "PCMH"

[population]
age_min = 0
age_max = 64

[attribution]
method = "plurality"
lookback_months = {LOOKBACK_MONTHS}

[outcomes]
primary = "allowed"
cap_usd_per_year = 100000

[risk]
model = "age-sex-conditions"
lookback_months = {LOOKBACK_MONTHS}

[expected]
primary = "E3"
{_YARDSTICKS if world.name == "demo" else ""}
[[fees]]
name = "Care-management fee"
pmpm_usd = 1.50
first = "{world.start}"

{_CONTRACT if world.name == "demo" else ""}{_measures(world)}{_surveys(world)}[disclosure]
policy = "cms-11"
floor = 11
"""


# What the demonstration declares beyond a world's own study: a trend from outside, and placebo outcomes.
_YARDSTICKS = """\
external_trend_share = 0.05             # the yearly trend that the simulated market was given

[[placebo_outcomes]]                       # claims that no care program changes within months
codes = "appendicitis"

[[placebo_outcomes]]
codes = "fracture"
"""

# Made-up values of measures, and a contract: what the demonstration's statement of payment is drawn from.
_CONTRACT = """\
[[payment.performance]]
name = "Quality and appropriate care"
first = "2008-06"
pool_pmpm_usd = 0.50

[[payment.performance.measures]]
id = "screening"
label = "Breast cancer screening"
value = 0.76
threshold = 0.70
target = 0.80

[[payment.performance.measures]]
id = "diabetes"
label = "Diabetes: A1c tested"
value = 0.91
threshold = 0.85
target = 0.95
gate = true

[[payment.performance.measures]]
id = "emergency"
label = "Avoidable emergency visits per 1,000"
kind = "appropriate_care"
value = 92
threshold = 95
target = 80
lower_is_better = true

[payment.shared_savings]
minimum_savings_rate = "medicare"
share_rate = 0.5
quality = "scaled"
cap_rate = 0.10

"""


def _measures(world: WorldSettings) -> str:
    """The measures of a world that has effects on some; nothing in one that has none."""
    if not world.a1c_effect_share and not world.imaging_effect_share:
        return ""
    return '[measures]\nenabled = true\nfamilies = ["utilisation", "chronic"]\n\n'


def _surveys(world: WorldSettings) -> str:
    """The surveys of a world that has effects on what they tell; nothing in one that has none."""
    if not world.appointment_effect_share and not world.appointment_effect_days:
        return ""
    return "[surveys]\nenabled = true\n\n"
