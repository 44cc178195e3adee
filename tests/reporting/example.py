"""A made-up evaluation with everything that pages must cope with, and switches for the cases that matter.

The numbers are invented by hand or by simple rules; nothing here was estimated.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pandas as pd

from medhome.study.care_management_results import CareManagement
from medhome.study.care_management_results import typed as care_frame
from medhome.study.completion_results import FRAMES, Completion
from medhome.study.employer_results import Employers
from medhome.study.measure_results import Measures, no_rows
from medhome.study.member_cost_results import COLUMNS as COST_COLUMNS
from medhome.study.member_cost_results import MemberCosts
from medhome.study.payment_results import Payment
from medhome.study.periods import month_index
from medhome.study.pre_trend_results import pre_trend_tests
from medhome.study.released import ReleasedRun
from medhome.study.results import (
    ORPHANS,
    PRICES,
    Attrition,
    Check,
    Cohort,
    DataQuality,
    DidResult,
    Estimate,
    Evaluation,
    ExpectedCosts,
    RiskModelResult,
    Savings,
)
from medhome.study.risk_results import RiskAdjustment
from medhome.study.robustness_results import Robustness
from medhome.study.selection_results import Selection
from medhome.study.spec import StudySpec, read_study
from medhome.study.specification_results import SpecificationCurve
from medhome.study.survey_results import KINDS as SURVEY_KINDS
from medhome.study.survey_results import LEFT_OUT, Surveys
from medhome.study.truncation_results import Truncation
from medhome.study.uncertainty_results import KINDS, Uncertainty
from medhome.study.washout_results import Washout
from medhome.study.wave_results import Waves
from medhome.study.where_results import KINDS as WHERE_KINDS
from medhome.study.where_results import Where

STUDY = Path(__file__).parents[2] / "analysis" / "studies" / "demo.toml"
START = month_index("2008-06")
NAN = float("nan")


def spec() -> StudySpec:
    return read_study(STUDY)


def placebo_spec() -> StudySpec:
    plain = spec().model_dump()
    plain["arms"] = {"rule": "hash"}
    plain["attribution"]["method"] = "rule"
    return StudySpec.model_validate(plain)


def estimate(value: float | None, low: float | None = None, high: float | None = None, **more) -> Estimate:
    """An estimate whose 90% interval is 0.84 of its 95% interval."""
    if value is None or low is None or high is None:
        return Estimate(**{"unit": "USD PMPM", "value": value, **more})
    narrow = (value - 0.84 * (value - low), value + 0.84 * (high - value))
    return Estimate(**{"unit": "USD PMPM", "value": value, "ci95": (low, high), "ci90": narrow, **more})


def did(
    value: float | None = -4.2,
    low: float | None = -27.3,
    high: float | None = 18.9,
    detectable: float | None = 33.0,
    p: float | None = 0.42,
) -> DidResult:
    quarters = list(range(-8, 8))
    effect = np.array([3, -6, 2, 8, -4, 1, -9, 0, -2, 4, -8, -3, -12, 2, -7, -5], dtype=float)
    events = pd.DataFrame(
        {
            "quarter": quarters,
            "first_month": [START + 3 * q for q in quarters],
            "estimate": effect,
            "se": [9.5 + 0.3 * abs(q) for q in quarters],
            "reference": [q == -1 for q in quarters],
            "member_months": [54000.0 - 100 * q for q in quarters],
            "members": [18500.0 - 30 * q for q in quarters],
        }
    )
    events["lo95"], events["hi95"] = (
        events["estimate"] - 1.96 * events["se"],
        events["estimate"] + 1.96 * events["se"],
    )
    wider = np.where(events["reference"], 0.0, 2.8 * events["se"])
    events["band_lo"], events["band_hi"] = events["estimate"] - wider, events["estimate"] + wider
    methods = pd.DataFrame(
        {
            "method": [
                "re_panel",
                "re_panel_gls",
                "fp",
                "re_two_period",
                "donald_lang",
                "ri",
                "cr1_practice",
                "cr2",
            ],
            "label": [
                "Organisation-month random effects (headline)",
                "The same, generalised least squares",
                "Ferman and Pinto, with this variance",
                "Random effects, two periods",
                "Donald and Lang t, unweighted",
                "Rank among placebos: 17th largest of 41; smallest attainable p is 0.024",
                "Clustered by practice: conditional on this organisation",
                "Clustered by organisation, CR2 with Satterthwaite degrees of freedom",
            ],
            "estimate": [value, -3.1, value, value, -5.5, NAN, value, value],
            "se": [11.8, 11.0, NAN, 12.2, 26.0, NAN, 6.1, 3.3],
            "df": [NAN, NAN, NAN, NAN, 39.0, NAN, 118.0, 4.2],
            "lo95": [low, -24.7, NAN, -28.1, -58.1, NAN, -16.2, -13.2],
            "hi95": [high, 18.5, NAN, 19.7, 47.1, NAN, 7.8, 4.8],
            "lo90": [NAN if low is None else low * 0.84, -21.2, NAN, -24.3, -49.3, NAN, -14.2, -11.2],
            "hi90": [NAN if high is None else high * 0.84, 15.0, NAN, 15.9, 38.3, NAN, 5.8, 2.8],
            "p": [p, 0.77, 0.71, 0.73, 0.83, 0.41, 0.49, 0.0004],
            "valid": [True, True, True, True, False, False, False, False],
            "size_note": ["4.8%", "5.4%", "5.3%", "4.0%", "0.0%", "0.0%", "20.6%", "51.4%"],
            "note": [
                "",
                "",
                "",
                "",
                "blind when the treated organisation is the largest",
                "",
                "",
                "not valid with one treated organisation",
            ],
            "headline": [True] + [False] * 7,
        }
    )
    shares = pd.DataFrame(
        {
            "source": ["organizations", "members", "comparison"],
            "label": ["Organisations' own drift", "The members of the program", "The comparison group"],
            "share": [0.71, 0.17, 0.12],
        }
    )
    return DidResult(
        headline=estimate(value, low, high, se=11.8, p=p, headline=True),
        detectable=estimate(detectable),
        probability_lower_cost=estimate(0.64, unit="share"),
        relative=estimate(-0.0126, -0.0819, 0.0567, unit="share"),
        methods=methods,
        event_study=events,
        variance_shares=shares,
        pre_trend=estimate(
            -2.4,
            -14.8,
            10.0,
            why="the smallest difference of slopes found with 80% power is $17.70 PMPM per year",
        ),
        pre_trend_detectable=17.7,
        pre_trend_tests=pre_trend_tests(
            [
                {"test": "exchange", "label": "The program's label given to others", "periods": 7,
                 "statistic": 6.1, "p": 12 / 41, "smallest_p": 1 / 41, "note": ""},
                {"test": "shocks", "label": "Shocks of organisations and sampling of members", "periods": 7,
                 "statistic": 5.8, "df1": 7, "p": 0.56, "detectable": 21.4, "note": ""},
                {"test": "hotelling", "label": "Hotelling's form, clustered by organisation", "periods": 7,
                 "note": "not given: 7 periods for 1 organisation in the smaller arm; a fifth at most"},
            ]
        ),
        treated_organizations=1,
        comparison_organizations=40,
        organization_sd_pmpm=10.4,
        autocorrelation=0.77,
        rule="1 treated, larger than the comparisons, 8 or more comparisons: RE-panel",
        warnings=(
            "The program has more than twice the members of the largest comparison organisation: the "
            "variance is extrapolated. Under a flat prior the 95% interval is −$30.10 to $21.70.",
        ),
    )


def expected(primary: tuple[float, float, float] = (-4.2, -27.3, 18.9)) -> ExpectedCosts:
    value, low, high = primary
    frame = pd.DataFrame(
        {
            "definition": ["E1", "E1b", "E2", "E3", "E5_level"],
            "label": [
                "Trended, risk-adjusted baseline",
                "Baseline with an external trend",
                "Cost model fitted on the comparison arm",
                "Difference-in-differences counterfactual",
                "Market index: level of peers at the same risk",
            ],
            "compares": [
                "versus expected",
                "versus expected",
                "versus peers",
                "versus expected",
                "versus peers",
            ],
            "baseline_pmpm": [301.22, 301.22, 301.22, 301.22, 301.22],
            "trend_ratio": [1.071, NAN, NAN, 1.069, 1.071],
            "risk_ratio": [1.004, 1.004, NAN, NAN, 1.004],
            "expected_pmpm": [324.02, 331.5, 319.4, 322.6, 325.1],
            "actual_pmpm": [318.40] * 5,
            "difference_pmpm": [-5.62, NAN, -1.0, value, -6.7],
            "lo95": [-29.6, NAN, -44.0, low, NAN],
            "hi95": [18.4, NAN, 42.0, high, NAN],
            "lo90": [-25.7, NAN, -37.0, low * 0.84, NAN],
            "hi90": [14.5, NAN, 35.1, high * 0.84, NAN],
            "p": [0.63, NAN, NAN, 0.72, NAN],
            "difference_usd": [-2_292_960.0, NAN, NAN, 408_000 * value, NAN],
            "ae_ratio": [0.983, 0.96, 0.997, 318.40 / (318.40 - value), 0.979],
            "primary": [False, False, False, True, False],
            "note": ["", "no concurrent control", "", "", "no interval"],
        }
    )
    quarters = list(range(-8, 8))
    base = np.array([298 + 2.1 * q + 7 * math.sin(q * 1.57) for q in quarters])
    members = [18500.0 - 30 * q for q in quarters]
    series = pd.DataFrame(
        {
            "quarter": quarters,
            "first_month": [START + 3 * q for q in quarters],
            "expected_pmpm": base + 4,
            "actual_pmpm": base + 4 + np.where(np.array(quarters) >= 0, -4.5, 0.8),
            "comparison_pmpm": base - 8,
            "member_months": [54000.0 - 90 * q for q in quarters],
            "members": members,
        }
    )
    return ExpectedCosts(definitions=frame, series=series, primary="E3")


def quality() -> DataQuality:
    rules = pd.DataFrame(
        {
            "rule": [
                "paid_date_null",
                "paid_before_service",
                "orphan_claims",
                "duplicate_key",
                "sex_unknown",
            ],
            "table": ["medical_claim", "medical_claim", "medical_claim", "medical_claim", "eligibility"],
            "column": ["paid_date", "paid_date", "person_id", "claim_id", "gender"],
            "severity": ["warning", "note", "note", "error", "note"],
            "label": [
                "Paid date missing: taken as paid by the cut",
                "Paid before the service",
                "Claims of persons never enrolled",
                "Key occurs twice",
                "Sex unknown",
            ],
            "count": [112, 40, 1883, 0, 23],
            "rows": [2_612_345, 2_612_345, 2_612_345, 2_612_345, 91_234],
            "share": [112 / 2_612_345, 40 / 2_612_345, 1883 / 2_612_345, 0.0, 23 / 91_234],
            "dollars_usd": [18_233.12, 5_123.4, 402_118.9, 0.0, NAN],
            "examples": ["C1|C2", "", "", "", "secret-key-1"],
        }
    )
    steps = [
        ("raw", "Allowed dollars in the files", 2_612_345, 1_423_118_204.11),
        ("denied", "Denied lines", -48_233, -9_118_220.4),
        ("reversed", "Reversals and the lines they take back", -30_112, -11_402_118.0),
        ("run_out", "Paid after the run-out cut", -1_203, -412_004.55),
        ("not_enrolled", "Not enrolled on the 15th", -9_220, -6_100_112.4),
        ("not_in_study", "Members and months outside the study", -402_113, -301_001_222.3),
        ("cap", "Above the yearly cap", 0, -61_220_400.2),
    ]
    total = sum(s[3] for s in steps)
    steps.append(("model", "Cost in the evaluation", sum(s[2] for s in steps), total))
    waterfall = pd.DataFrame(
        {
            "step": range(len(steps)),
            "reason": [s[0] for s in steps],
            "label": [s[1] for s in steps],
            "lines": [s[2] for s in steps],
            "allowed_usd": [s[3] for s in steps],
            "paid_usd": [0.81 * s[3] for s in steps],
        }
    )
    rows = []
    for i, month in enumerate(range(month_index("2006-06"), month_index("2010-04"))):
        for arm, people in (("treated", 18600), ("comparison", 59980)):
            wave = 1 + 0.05 * math.sin(i * 0.52) + (0.01 if arm == "treated" else 0)
            hidden = arm == "treated" and i in (11, 12)
            rows.append(
                {
                    "arm": arm,
                    "month": month,
                    "members": NAN if hidden else people - 12.0 * i,
                    "claim_lines": NAN if hidden else 1.9 * people * wave,
                    "member_months": NAN if hidden else people - 12.0 * i,
                    "allowed_usd": NAN if hidden else 300 * people * wave,
                }
            )
    inputs = pd.DataFrame(
        {
            "role": ["eligibility", "medical_claim", "pharmacy_claim", "provider_practice", "program_roster"],
            "name": [
                "eligibility.parquet",
                "medical_claim.parquet",
                "pharmacy_claim.parquet",
                "provider_practice.parquet",
                "program_roster.parquet",
            ],
            "rows": [91_234, 2_612_345, 1_002_345, 1_912, 188],
            "bytes": [2_100_233, 61_233_112, 18_223_344, 92_233, 8_221],
            "sha256": ["0a1b2c3d4e5f6071" * 4] * 5,
            "content_sha256": ["11" * 32] * 5,
        }
    )
    return DataQuality(
        rules=rules, waterfall=waterfall, volumes=pd.DataFrame(rows), inputs=inputs, **claims_frames()
    )


def claims_frames(
    few: int = 12, shares: tuple[float, ...] = (0.10, 0.10, 0.11, 0.10)
) -> dict[str, pd.DataFrame]:
    """Dollars by arm and period, encounters and prices, as a study that asks for them holds them."""
    rows = [
        (step, reason, label, arm, period, few if arm == "none" else 500, lines, dollars, dollars / 2)
        for step, (reason, label, lines, dollars) in enumerate(
            (
                ("files", "In the files", 700, 1000.0),
                ("denied", "Denied", -70, -100.0),
                ("model", "In the model", 630, 900.0),
            )
        )
        for arm in ("treated", "comparison", "none")
        for period in ("before", "baseline", "performance", "later")
    ]
    columns = ["step", "reason", "label", "arm", "period", "members", "lines", "allowed_usd", "paid_usd"]
    places = [(a, p) for p in ("baseline", "performance") for a in ("treated", "comparison")]
    encounters = pd.DataFrame(places, columns=["arm", "period"]).assign(
        members=500, lines=1000, zero_lines=[round(1000 * s) for s in shares], zero_share=shares
    )
    prices = pd.DataFrame(
        [
            {**dict.fromkeys(PRICES, 10.0), "arm": arm, "category": "all", "members": 500}
            for arm in ("treated", "comparison")
        ]
    )
    orphans = pd.DataFrame(
        [
            ("treated", "baseline", 40, 55, 900.0, 720.0, 0.0),
            ("none", "performance", few, 14, 70.0, 56.0, 0.0),
        ],
        columns=list(ORPHANS),
    )
    columns_of = {"reconciliation": pd.DataFrame(rows, columns=columns), "encounters": encounters}
    return {**columns_of, "orphans": orphans, "prices": prices}


def attrition() -> Attrition:
    rules = [
        "Attributed in the look-back before the baseline",
        "Aged 0 to 64",
        "Medical and pharmacy benefits",
        "In the roster's practices",
    ]
    rows = []
    for arm, people in (("treated", 21_411.0), ("comparison", 70_102.0)):
        months = people * 40
        for step, label in enumerate(rules):
            dropped = 0.0 if step == 0 else NAN if (step == 3 and arm == "treated") else round(people * 0.04)
            lost = NAN if math.isnan(dropped) else dropped * 38
            left = people - (5 if math.isnan(dropped) else dropped)
            hidden = math.isnan(dropped)
            rows.append(
                {
                    "step": step,
                    "rule": f"r{step}",
                    "label": label,
                    "arm": arm,
                    "members": left,
                    "member_months": months - (0 if hidden else lost),
                    "allowed_usd": 300 * months,
                    "members_dropped": dropped,
                    "member_months_dropped": lost,
                    "allowed_usd_dropped": NAN if hidden else 300 * lost,
                }
            )
            people, months = left, months - (0 if hidden else lost)
    return Attrition(frame=pd.DataFrame(rows))


def cohort() -> Cohort:
    balance = pd.DataFrame(
        {
            "characteristic": [
                "age",
                "female",
                "child",
                "expected",
                "diabetes",
                "hypertension",
                "asthma",
                "cancer",
                "pharmacy",
                "months",
            ],
            "label": [
                "Age",
                "Female",
                "Younger than 18",
                "Expected cost at baseline",
                "Diabetes",
                "Hypertension",
                "Asthma",
                "Cancer",
                "Pharmacy benefit",
                "Months in the baseline",
            ],
            "unit": [
                "years",
                "share",
                "share",
                "USD PMPM",
                "share",
                "share",
                "share",
                "share",
                "share",
                "months",
            ],
            "treated": [36.1, 0.531, 0.232, 303.4, 0.071, 0.182, 0.069, 0.021, 1.0, 21.2],
            "comparison": [34.9, 0.524, 0.251, 295.1, 0.066, 0.151, 0.07, 0.02, 1.0, 20.8],
            "smd": [0.064, 0.014, -0.045, 0.031, 0.020, 0.112, -0.004, 0.007, NAN, 0.061],
            "variance_ratio": [1.02, NAN, NAN, 1.11, NAN, NAN, NAN, NAN, NAN, 0.97],
        }
    )
    rng = np.random.default_rng(5)
    n = 41
    members = np.r_[18_850.0, np.round(np.exp(rng.uniform(np.log(300), np.log(9_000), n - 1)))]
    members[7] = NAN
    change = np.r_[
        17.2, 21.4 + rng.normal(0, 1, n - 1) * (8 + 350 / np.sqrt(np.nan_to_num(members[1:], nan=900)))
    ]
    base = np.r_[301.2, 296 + rng.normal(0, 22, n - 1)]
    hidden = np.isnan(members)
    organizations = pd.DataFrame(
        {
            "organization_id": [f"ORG-{i:03d}" for i in range(n)],
            "label": ["Program", *(f"Comparison {i:02d}" for i in range(1, n))],
            "arm": ["treated"] + ["comparison"] * (n - 1),
            "practices": np.where(hidden, NAN, 3.0),
            "clinicians": np.where(hidden, NAN, 12.0),
            "members": members,
            "baseline_member_months": members * 20,
            "performance_member_months": members * 18,
            "baseline_pmpm": np.where(hidden, NAN, base),
            "performance_pmpm": np.where(hidden, NAN, base + change),
        }
    )
    return Cohort(
        balance=balance,
        organizations=organizations,
        members={"treated": 18_850, "comparison": 60_112},
        member_months={"treated": 801_220.0, "comparison": 2_402_113.0},
        practices={"treated": 25, "comparison": 143},
        organizations_n={"treated": 1, "comparison": 40},
        clinicians={"treated": 391, "comparison": 1_301},
        strata=strata(),
    )


def strata(infants: int = 240) -> pd.DataFrame:
    """Adults, children and infants of both arms; the program's infants at baseline as many as said."""
    places = [
        (arm, stratum, period)
        for arm in ("treated", "comparison")
        for stratum in ("adults", "children", "infants")
        for period in ("baseline", "performance")
    ]
    frame = pd.DataFrame(places, columns=["arm", "stratum", "period"]).assign(
        members=[14_300, 14_100, 4_310, 4_200, infants, 260, 45_000, 44_500, 14_300, 14_000, 812, 830],
        pmpm=[341.0, 352.0, 148.0, 151.0, 702.0, 688.0, 333.0, 361.0, 144.0, 155.0, 690.0, 711.0],
    )
    frame["member_months"] = 20.0 * frame["members"]
    total = frame.groupby(["arm", "period"])["member_months"].transform("sum")
    frame["share"] = frame["member_months"] / total
    return frame[["arm", "stratum", "period", "members", "member_months", "share", "pmpm"]]


def risk() -> RiskModelResult:
    terms = pd.DataFrame(
        {
            "term": [
                "intercept",
                "age_sex:F18-34",
                "age_sex:M55-64",
                "condition:diabetes",
                "condition:cancer",
                "condition:renal",
            ],
            "label": [
                "Intercept",
                "Women 18 to 34",
                "Men 55 to 64",
                "Diabetes",
                "Cancer",
                "Chronic kidney disease",
            ],
            "coefficient_pmpm": [110.2, 61.0, 201.4, 188.2, 801.9, NAN],
            "se": [3.1, 4.0, 6.2, 9.0, 31.0, NAN],
            "member_months": [1_201_000.0, 160_000.0, 140_000.0, 80_000.0, 22_000.0, NAN],
            "members": [60_000.0, 8_000.0, 7_000.0, 4_000.0, 1_100.0, NAN],
        }
    )
    rows = []
    for decile in range(1, 11):
        for arm in ("treated", "comparison"):
            predicted = 45.0 * decile**1.4
            ratio = 1 + (0.06 - 0.011 * decile) + (0.02 if arm == "treated" else 0)
            rows.append(
                {
                    "decile": decile,
                    "arm": arm,
                    "members": 1885.0 if arm == "treated" else 6011.0,
                    "member_months": 38_000.0,
                    "actual_pmpm": predicted / ratio,
                    "predicted_pmpm": predicted,
                    "predictive_ratio": ratio,
                }
            )
    accuracy = pd.DataFrame(
        {
            "population": ["Comparison members held out", "Program members before the start"],
            "r2": [0.142, 0.137],
            "mae_share": [0.91, 0.93],
            "cpm": [0.16, 0.15],
            "predictive_ratio": [1.002, 0.991],
            "member_months": [240_000.0, 401_000.0],
        }
    )
    return RiskModelResult(
        name="age-sex-conditions",
        version="1",
        fitted_on="comparison members in the baseline",
        terms=terms,
        calibration=pd.DataFrame(rows),
        accuracy=accuracy,
    )


def savings(gross: tuple[float, float, float] = (4.2, -18.9, 27.3)) -> Savings:
    value, low, high = gross
    months = 408_000
    rows = {
        "gross_pmpm": estimate(value, low, high, label="Gross savings", n={"member_months": months}),
        "fees_pmpm": estimate(1.5, label="Program fees", kind="exact"),
        "net_pmpm": estimate(
            value - 1.5, low - 1.5, high - 1.5, label="Net savings", n={"member_months": months}
        ),
        "gross_total_usd": estimate(
            value * months, low * months, high * months, unit="USD", label="Gross savings in all"
        ),
        "net_total_usd": estimate(
            (value - 1.5) * months,
            (low - 1.5) * months,
            (high - 1.5) * months,
            unit="USD",
            label="Net savings in all",
            n={"member_months": months},
        ),
        "roi_ratio": estimate(
            value / 1.5, low / 1.5, high / 1.5, unit="ratio", label="Gross savings over fees"
        ),
    }
    by_year = pd.DataFrame(
        {
            "year": [1, 2],
            "first_month": [START, START + 12],
            "last_month": [START + 11, START + 21],
            "member_months": [224_000.0, 184_000.0],
            "members": [18_850.0, 17_900.0],
            "actual_pmpm": [312.1, 325.9],
            "expected_pmpm": [315.4, 331.3],
            "gross_pmpm": [3.3, 5.4],
            "lo95": [-20.0, -22.1],
            "hi95": [26.6, 32.9],
            "fees_pmpm": [1.5, 1.5],
            "net_pmpm": [1.8, 3.9],
            "lo90": [-16.3, -17.7],
            "hi90": [22.9, 28.5],
            "p": [0.78, 0.70],
            "change_pmpm": [11.1, 24.9],
            "comparison_pmpm": [318.0, 331.0],
            "comparison_change_pmpm": [13.0, 26.0],
            "gross_share": [0.0105, 0.0163],
            "net_lo90": [-17.8, -19.2],
            "net_hi90": [21.4, 27.0],
            "net_lo95": [-21.5, -23.6],
            "net_hi95": [25.1, 31.4],
            "net_p": [0.88, 0.78],
        }
    )
    return Savings(rows=rows, by_year=by_year)


def completion() -> Completion:
    """Cost paid to 97% by the cut in both arms; completing it moves the effect by 12 cents."""
    frames = {
        "factors": [
            ("professional", "Professional", 0, 2.5, 0.1, 0.38, 12, 0.38, 0.39),
            ("professional", "Professional", 1, 1.05, 0.01, 0.95, 12, 0.94, 0.95),
        ],
        "periods": [
            ("baseline", "treated", 18_998.0, 410_000.0, 300.0, 0.97, 309.28, 9.28, 0.9),
            ("baseline", "comparison", 60_000.0, 1_300_000.0, 305.0, 0.97, 314.43, 9.43, 0.5),
            ("performance", "treated", 18_850.0, 408_000.0, 318.0, 0.97, 327.84, 9.84, 0.9),
            ("performance", "comparison", 59_000.0, 1_250_000.0, 326.0, 0.97, 336.08, 10.08, 0.5),
        ],
        "effects": [
            ("professional", "Professional", -3.0, 0.95, 0.95, -3.12, -0.12, 0.02),
            ("large", "Members above the yearly cap, as paid", -1.2, 1.0, 1.0, -1.2, 0.0, 0.0),
        ],
        "reserves": [
            ("professional", "Professional", 5e6, 5.1e6, 1e5, 1e4),
            ("all", "All", 5e6, 5.1e6, 1e5, 1e4),
        ],
    }
    made = {n: pd.DataFrame(rows, columns=list(FRAMES[n])).astype(FRAMES[n]) for n, rows in frames.items()}
    return Completion(
        available=True,
        reason="",
        rule="Volume-weighted development factors over the latest 12 months of service",
        run_out_months=3,
        lowest={"month": START, "share": 0.96},
        rows={
            "completed_effect_pmpm": estimate(-4.32, -27.5, 18.9, label="Effect on completed cost"),
            "completion_pmpm": estimate(-0.12, -0.16, -0.08, label="Completed less as paid"),
            "separate_effect_pmpm": estimate(-4.4, label="Effect with each arm's own factors"),
            "separate_difference_pmpm": estimate(-0.08, label="The difference"),
        },
        **made,
    )


def truncation(members_above: tuple[int, ...] = (110, 96, 301, 290)) -> Truncation:
    """One dollar in twenty above the cap; the effect at five caps."""
    places = [(arm, p) for arm in ("treated", "comparison") for p in ("baseline", "performance")]
    above = pd.DataFrame(places, columns=["arm", "period"]).assign(
        members=[18_998, 18_850, 60_000, 59_000],
        members_above=members_above,
        member_months=[410_000.0, 408_000.0, 1_300_000.0, 1_250_000.0],
        allowed_usd=[1e8, 1.1e8, 4e8, 4.2e8],
        above_usd=[5e6, 5.5e6, 2e7, 2.1e7],
        above_share=0.05,
    )
    grid = pd.DataFrame(
        [
            ("none", "No cap", NAN, -6.1, 14.0, False),
            ("250000", "$250,000", 250_000.0, -4.9, 12.1, False),
            ("100000", "$100,000", 100_000.0, -4.2, 11.8, True),
            ("p99", "99th percentile of the comparison members", 41_300.0, -3.4, 10.9, False),
        ],
        columns=["cap", "label", "cap_usd", "estimate", "se", "declared"],
    )
    for level, times in (("90", 1.645), ("95", 1.96)):
        grid[f"lo{level}"] = grid["estimate"] - times * grid["se"]
        grid[f"hi{level}"] = grid["estimate"] + times * grid["se"]
    return Truncation(above_cap=above, cap_grid=grid)


def washout(why: str = "") -> Washout:
    """A program that needs half a year; with ``why``, one too short for a washout of 12 months."""
    rows = [(0, 22, -4.2, 11.8, True, ""), (6, 16, -6.9, 12.4, False, ""), (12, 10, -8.1, 13.9, False, "")]
    if why:
        rows[2] = (12, 0, NAN, NAN, False, why)
    columns = ["months_left_out", "months_after", "estimate", "se", "declared", "why"]
    grid = pd.DataFrame(rows, columns=columns)
    for level, times in (("90", 1.645), ("95", 1.96)):
        grid[f"lo{level}"] = grid["estimate"] - times * grid["se"]
        grid[f"hi{level}"] = grid["estimate"] + times * grid["se"]
    return Washout(grid=grid)


def adjustment(entered: tuple[int, int] = (640, 2_450), source: str = "builtin-1") -> RiskAdjustment:
    """Concurrent risk makes a larger effect: the program's members were coded more after the start."""
    effects = pd.DataFrame(
        {
            "timing": ["none", "baseline", "concurrent"],
            "label": ["Without risk", "Risk at baseline, frozen", "Concurrent risk"],
            "estimate": [-3.9, -4.2, -9.6],
            "se": [12.1, 11.8, 11.7],
            "declared": [False, True, False],
            "why": "",
        }
    )
    change = pd.DataFrame(
        {"outcome": ["concurrent_pmpm"], "unit": ["USD PMPM"], "estimate": [5.4], "se": [1.6], "p": [0.003],
         "organizations": [21], "note": [""]}
    )  # fmt: skip
    for frame in (effects, change):
        for level, times in (("90", 1.645), ("95", 1.96)):
            frame[f"lo{level}"] = frame["estimate"] - times * frame["se"]
            frame[f"hi{level}"] = frame["estimate"] + times * frame["se"]
    drift = pd.DataFrame(
        {
            "arm": ["treated", "treated", "comparison", "comparison"],
            "year": [-1, 1, -1, 1],
            "first_month": [24089, 24101, 24089, 24101],
            "last_month": [24100, 24112, 24100, 24112],
            "members": [18_900, 18_400, 61_000, 59_500],
            "member_months": [212_000.0, 207_000.0, 690_000.0, 672_000.0],
            "raw_score": [NAN] * 4,
            "normalised_score": [1.01, 1.05, 1.0, 1.02],
            "concurrent_pmpm": [303.0, 315.0, 300.0, 306.6],
        }
    )
    known = pd.DataFrame(
        {
            "arm": ["treated", "comparison"],
            "members": [19_200, 62_000],
            "member_months": [700_000.0, 2_200_000.0],
            "without_history": entered,
            "months_without_history": [14_000.0, 66_000.0],
            "share_without_history": [0.02, 0.03],
            "without_score": [0, 0],
            "months_without_score": [0.0, 0.0],
            "share_without_score": [0.0, 0.0],
        }
    )
    return RiskAdjustment(source=source, effects=effects, drift=drift, drift_effect=change, known=known)


def employers(comparison: tuple[int, ...] = (9_100, 4_020, 700)) -> Employers:
    """Three employer groups; without the second the effect is half as large."""
    grid = pd.DataFrame(
        {
            "label": [f"Employer group 0{n}" for n in (1, 2, 3)],
            "group_id": ["MILL", "SHOP", "FARM"],
            "members_treated": [2_900, 1_310, 0],
            "members_comparison": comparison,
            "member_months": [240_000.0, 106_000.0, 14_000.0],
            "share": [0.075, 0.033, 0.0044],
            "estimate": [-4.4, -2.1, -4.3],
            "se": [12.0, 12.1, 11.8],
            "why": "",
        }
    )
    for level, times in (("90", 1.645), ("95", 1.96)):
        grid[f"lo{level}"] = grid["estimate"] - times * grid["se"]
        grid[f"hi{level}"] = grid["estimate"] + times * grid["se"]
    return Employers(grid=grid)


def uncertainty(p: float = 0.72, prior: str = "") -> Uncertainty:
    """Two definitions and two quantities of savings; with ``prior``, a probability of savings."""
    rows = [
        ("E1", "Trended baseline, versus expected", "USD PMPM", -5.1, 12.0, NAN),
        ("E3", "Difference in differences, versus expected", "USD PMPM", -4.2, 11.8, p),
        ("E5_trend", "Market trend, versus expected", "percentage points", -1.7, 4.0, NAN),
        ("gross_pmpm", "Gross savings (allowed, truncated)", "USD PMPM", 4.2, 11.8, p),
        ("gross_share", "Gross savings in percent of expected cost", "share", 0.0126, 0.0354, p),
        ("net_total_usd", "Net savings, total", "USD", 1_101_600.0, 4.8e6, NAN),
    ]
    frame = pd.DataFrame(rows, columns=["quantity", "label", "unit", "estimate", "se", "p"])
    frame = with_interval(frame).assign(completion_se=frame["se"] / 50)
    for end in ("lo90", "hi90", "lo95", "hi95"):
        frame[f"practices_{end}"] = frame["estimate"] + (frame[end] - frame["estimate"]) / 2
    found = {n: estimate(v, unit="share") for n, v in (("gross", 0.71), ("net", 0.62))} if prior else {}
    return Uncertainty(
        quantities=frame[list(KINDS)].astype(KINDS), draws=2000, prior=prior, probabilities=found
    )


def where(few: float = 1_900.0, p_holm: float = 0.44) -> Where:
    """Two kinds of service and those above the cap; adults, children and high risk; four practices."""
    means = {
        f"{arm}_{period}_pmpm": value
        for arm, values in (("treated", (120.0, 131.0)), ("comparison", (118.0, 133.0)))
        for period, value in zip(("baseline", "performance"), values, strict=True)
    }

    def made(name: str, columns: list[str], rows: list[tuple]) -> pd.DataFrame:
        frame = with_interval(pd.DataFrame(rows, columns=columns)).assign(**means, why="")
        frame["p_bh"] = frame["p_holm"] / 2
        if name == "categories":
            frame["baseline_share"] = frame["estimate"] / 300
        return frame[list(WHERE_KINDS[name])].astype(WHERE_KINDS[name])

    people = ["members_treated", "members_comparison"]
    numbers = ["estimate", "se", "p", "p_holm"]
    categories = made(
        "categories",
        ["category", "label", *people, *numbers],
        [
            ("inpatient", "Inpatient", 3_400.0, 11_600.0, -5.0, 4.0, 0.2, p_holm),
            ("pharmacy", "Pharmacy", 12_000.0, 39_000.0, 2.0, 1.5, 0.18, 0.6),
            ("large", "Members above the yearly cap, as paid", 110.0, 301.0, -1.2, 3.0, 0.7, 1.0),
            ("all", "All", 18_998.0, 60_000.0, -4.2, 11.8, 0.72, NAN),
        ],
    )
    groups = made(
        "groups",
        ["dimension", "group", "label", *people, "member_months", *numbers],
        [
            ("all", "all", "All members", 18_998.0, 60_000.0, 408e3, -4.2, 11.8, 0.72, NAN),
            ("stratum", "adults", "Adults", 14_998.0, 48_000.0, 320e3, -5.0, 12.0, 0.7, 1.0),
            ("stratum", "children", "Children", 4_000.0, 12_000.0, 88e3, -1.0, 4.0, 0.8, 1.0),
            ("risk", "risk:high", "High risk at the baseline", few, 6_000.0, 30e3, -40.0, 50.0, 0.4, 1.0),
            ("risk", "risk:other", "All others", 18_998.0 - few, 54_000.0, 378e3, -1.0, 8.0, 0.9, 1.0),
        ],
    )
    practices = pd.DataFrame(
        [
            ("Program, practice 01", "treated", 9_000.0, -9.0, 5.0),
            ("Program, practice 02", "treated", 8_400.0, 14.0, 5.2),
            ("Comparison 01, practice 01", "comparison", 480.0, 11.0, 22.0),
            ("Comparison 02, practice 01", "comparison", 19_000.0, -2.0, 3.5),
        ],
        columns=["label", "arm", "members", "estimate", "se"],
    )
    practices["shrunken"] = practices["estimate"] / 2
    for end, sign in (("lo95", -1), ("hi95", 1)):
        practices[end] = practices["shrunken"] + sign * 4.0
    practices["limit95"], practices["limit998"] = 1.96 * practices["se"], 3.09 * practices["se"]
    return Where(
        categories=categories,
        groups=groups,
        practices=practices[list(WHERE_KINDS["practices"])].astype(WHERE_KINDS["practices"]),
        between_sd_pmpm=4.5,
        treated_mean_pmpm=1.5,
        outside=2,
        high_risk_cut_pmpm=812.5,
        tested=7,
    )


def care_management(**of_a_practice: float) -> CareManagement:
    """Three practices; the second takes changes, the others and the sum follow."""
    columns = ("members", "identified", "reached", "engaged", "contacts")
    people = {1: (800, 60, 48, 30, 190), 2: (700, 55, 40, 24, 150), 3: (900, 40, 28, 15, 80)}
    changed = dict(zip(columns, people[2], strict=True)) | of_a_practice
    people[2] = tuple(changed[c] for c in columns)
    sums = tuple(sum(row[i] for row in people.values()) for i in range(len(columns)))
    named = {"All practices": sums} | {f"Program, practice {k:02d}": v for k, v in people.items()}
    rows = []
    for name, counts in named.items():
        row = dict(zip(columns, (float(n) for n in counts), strict=True))
        rows.append(
            {"label": name, **row, "member_months": 20 * row["members"],
             "engaged_member_months": 18 * row["engaged"], "minutes": 20 * row["contacts"],
             "contacts_per_1000": 50 * row["contacts"] / row["members"], "contacts_per_engaged_month": 0.3,
             "wait_q1_days": 12.0, "wait_median_days": 31.0, "wait_q3_days": NAN}
        )  # fmt: skip
    labels = ("Members of the program", "Identified", "Reached", "Engaged")
    stages = [
        {"stage": stage, "label": label, "members": float(n), "expected_pmpm": cost,
         "previous_share": NAN if stage == "members" else n / before}
        for stage, label, n, before, cost in zip(
            columns[:4], labels, sums[:4], (1, *sums[:3]), (250.0, 900.0, 910.0, 950.0), strict=True)
    ]  # fmt: skip
    months = [
        {"month": START + m, "member_months": 2_400.0, "identified": n, "reached": n, "engaged": n,
         "engaged_member_months": 60.0, "contacts": 140.0, "minutes": 2_800.0, "contacts_per_1000": 58.3}
        for m, n in enumerate((80.0, 40.0, 30.0, 5.0))
    ]  # fmt: skip
    doses = [
        {"band": band, "label": label, "members": n, "share": n / sums[3], "engaged_member_months": 18 * n,
         "contacts": c, "expected_pmpm": 950.0}
        for band, label, n, c in (("none", "No contact", 14.0, 0.0), ("to-0.5", "Up to 0.5", 30.0, 200.0),
                                  ("above-0.5", "Above 0.5", sums[3] - 44.0, 220.0))
    ]  # fmt: skip
    notes = [
        {"reason": "rows", "label": "Rows of the table", "rows": 900.0},
        {"reason": "counted", "label": "Counted", "rows": 850.0},
        {"reason": "no_stage", "label": "An attempt", "rows": 50.0},
    ]
    return CareManagement(
        given=True,
        stages=care_frame("stages", stages),
        practices=care_frame("practices", rows),
        months=care_frame("months", months),
        doses=care_frame("doses", doses),
        notes=care_frame("notes", notes),
    )


def measures() -> Measures:
    """Two measures of use, one of chronic care that moved, its gaps, and one that is not known."""
    rows = [
        ("emergency_visits", "Emergency visits", "per_1000", (120.0, 118.0, 121.0, 123.0), -4.0, 0.31),
        ("readmissions", "Readmissions within 30 days", "share", (0.10, 0.09, 0.10, 0.105), -0.015, 0.4),
        ("diabetes_eye", "Diabetes: eye exam", "share", (0.40, 0.46, 0.40, 0.41), 0.05, 0.001),
    ]
    places = [(a, p) for a in ("treated", "comparison") for p in ("baseline", "performance")]
    rates, effects = [], []
    for measure, label, unit, four, estimate, p in rows:
        family = "chronic" if measure == "diabetes_eye" else "utilisation"
        keys = {"measure": measure, "family": family, "label": label}
        for (arm, period), rate in zip(places, four, strict=True):
            over = 180_000.0 if unit == "per_1000" else 1_500.0
            events = rate * over / (12_000 if unit == "per_1000" else 1)
            counts = {"members": 900, "members_with": 450, "denominator": over, "events": events}
            rates.append({**keys, "unit": unit, "arm": arm, "period": period, **counts, "rate": rate})
        se = abs(estimate) if unit == "per_1000" else 0.015
        names = ("treated_baseline", "treated_performance", "comparison_baseline", "comparison_performance")
        effects.append(
            {**keys, "unit": unit, "direction": "lower", **dict(zip(names, four, strict=True)),
             "estimate": estimate, "se": se, "lo90": estimate - 1.64 * se, "hi90": estimate + 1.64 * se,
             "lo95": estimate - 1.96 * se, "hi95": estimate + 1.96 * se, "p": p,
             "p_holm": p if family == "chronic" else 0.62, "p_bh": p if family == "chronic" else 0.4,
             "ratio": 118 / 122 if unit == "per_1000" else NAN, "baseline_share": estimate / four[0],
             "members_treated": 900, "members_comparison": 900, "note": ""}
        )  # fmt: skip
    gaps = [
        {"measure": "diabetes_eye", "family": "chronic", "label": "Diabetes: eye exam", "arm": arm,
         "period": period, "members": 400, "members_with": shut, "denominator": float(opened),
         "events": float(shut), "rate": shut / opened}
        for (arm, period), (shut, opened) in zip(
            places, ((200, 500), (270, 540), (600, 1_500), (615, 1_500)), strict=True
        )
    ]  # fmt: skip
    unknown = {
        "measure": "admissions_preventable",
        "family": "utilisation",
        "label": "Ambulatory-care-sensitive admissions",
        "why": "needs pqi_value_sets.csv",
    }
    frames = {"rates": rates, "effects": effects, "gaps": gaps, "unknown": [unknown]}
    kinds = {name: no_rows(name).dtypes.to_dict() for name in frames}
    return Measures(**{n: pd.DataFrame(rows)[list(kinds[n])].astype(kinds[n]) for n, rows in frames.items()})


def surveys() -> Surveys:
    """Patients whose appointments came sooner, and the days that practices report; some answers left out."""
    patients, access = "patient-experience", "appointment-access"
    labels = {patients: "Patient experience", access: "Availability of appointments"}
    found = [
        (patients, "timely", "Timely appointments", "composite", "share", (0.5, 0.61, 0.49, 0.5), 0.1, 0.004),
        (patients, "urgent", "Urgent appointment", "item", "share", (0.52, 0.62, 0.50, 0.51), 0.09, 0.02),
        (access, "days", "Days to the third next", "item", "mean", (8.0, 6.5, 8.2, 8.3), -1.6, 0.0004),
    ]
    places = [(a, p) for a in ("treated", "comparison") for p in ("baseline", "performance")]
    names = ("treated_baseline", "treated_performance", "comparison_baseline", "comparison_performance")
    items, effects = [], []
    for family, measure, label, part, unit, four, estimate, p in found:
        counted = part == "item" and unit == "share"
        for (arm, period), rate in zip(places, four, strict=True):
            items.append(
                {"instrument": family, "measure": measure, "label": label, "part": part, "unit": unit,
                 "arm": arm, "period": period, "members": 600, "members_with": 300 if counted else 600,
                 "unadjusted": rate + 0.01, "rate": rate}
            )  # fmt: skip
        se = 0.03 if unit == "share" else 0.4
        effects.append(
            {"part": part, "of": "" if unit == "share" else "days", "measure": measure, "family": family,
             "label": label, "unit": unit, "direction": "higher", **dict(zip(names, four, strict=True)),
             "estimate": estimate, "se": se, "lo90": estimate - 1.64 * se, "hi90": estimate + 1.64 * se,
             "lo95": estimate - 1.96 * se, "hi95": estimate + 1.96 * se, "p": p, "p_holm": p, "p_bh": p,
             "ratio": NAN, "baseline_share": estimate / four[0], "members_treated": 600,
             "members_comparison": 600, "note": ""}
        )  # fmt: skip
    responses = [
        {"instrument": name, "label": label, "arm": arm, "period": period, "invited": asked, "members": 660,
         "response_share": 660 / asked if asked else NAN, "answers": 1_900}
        for name, label, asked in ((patients, labels[patients], 1_500), (access, labels[access], 0))
        for arm, period in places
    ]  # fmt: skip
    mix = {"instrument": patients, "label": labels[patients], "adjusters": "age, age squared, female"}
    mix["note"] = ""
    left = {"instrument": patients, "label": labels[patients], "reason": "not_answered",
            "why": LEFT_OUT["not_answered"], "members": 40, "answers": 52}  # fmt: skip
    frames = {"responses": responses, "items": items, "effects": effects}
    late = left | {"reason": "outside_waves", "why": LEFT_OUT["outside_waves"], "members": 25, "answers": 30}
    frames |= {"case_mix": [mix], "left_out": [left, late]}
    kinds = SURVEY_KINDS
    return Surveys(
        **{n: pd.DataFrame(rows)[list(kinds[n])].astype(kinds[n]) for n, rows in frames.items()}, given=True
    )


def selection(died: int = 210) -> Selection:
    """More of the program's ill leave than of the comparison's; one member-month in fifty crosses over."""
    statuses = ("entered", "stayed", "left", "died")
    members = pd.DataFrame(
        [(arm, status) for arm in ("treated", "comparison") for status in statuses],
        columns=["arm", "status"],
    ).assign(
        members=[1_240, 14_300, 3_248, died, 4_100, 45_900, 9_320, 680],
        member_months=[12e3, 6e5, 1e5, 6e3, 4e4, 2e6, 4e5, 18e3],
        baseline_pmpm=[NAN, 310.0, 402.0, 1250.0, NAN, 305.0, 322.0, 1190.0],
        risk_pmpm=[280.0, 320.0, 388.0, 900.0, 282.0, 318.0, 329.0, 880.0],
    )
    members["share"] = members["members"] / members.groupby("arm")["members"].transform("sum")
    places = ("treated", "comparison", "excluded", "not attributed")
    crossovers = pd.DataFrame(
        [(arm, place) for arm in ("treated", "comparison") for place in places], columns=["arm", "seen_in"]
    ).assign(
        members=[15_000, 410, 0, 3_200, 300, 48_000, 0, 9_000],
        member_months=[320e3, 8e3, 0.0, 72e3, 6e3, 1.1e6, 0.0, 194e3],
        allowed_usd=[9.6e7, 3e6, 0.0, 8e6, 2e6, 3.3e8, 0.0, 2.1e7],
        baseline_pmpm=[300.0, 390.0, NAN, 120.0, 310.0, 305.0, NAN, 115.0],
        risk_pmpm=[310.0, 380.0, NAN, 200.0, 315.0, 312.0, NAN, 205.0],
    )
    without = pd.DataFrame(
        [("treated", 18_600, 3_100), ("comparison", 57_000, 8_800), ("everyone", 90_000, 14_000)],
        columns=["arm", "eligible", "members"],
    )
    exits = pd.DataFrame(
        [
            ("treated", "baseline", 1_400, 410e3, 3.41),
            ("treated", "performance", 2_100, 390e3, 5.38),
            ("comparison", "baseline", 4_300, 1.3e6, 3.31),
            ("comparison", "performance", 5_400, 1.2e6, 4.5),
        ],
        columns=["arm", "period", "members", "member_months", "per_1000"],
    )
    effects = pd.DataFrame(
        [
            ("exit_rate", "Members leaving, per 1,000 member-months", "per 1,000 member-months", 0.78, 0.5),
            ("composition", "Frozen expected cost of those who are there", "USD PMPM", -1.9, 0.9),
        ],
        columns=["outcome", "label", "unit", "estimate", "se"],
    ).assign(p=[0.12, 0.04], organizations=21, note="")
    for level, times in (("90", 1.645), ("95", 1.96)):
        effects[f"lo{level}"] = effects["estimate"] - times * effects["se"]
        effects[f"hi{level}"] = effects["estimate"] + times * effects["se"]
    return Selection(
        members=members,
        crossovers=crossovers,
        without_visits=without.assign(share=without["members"] / without["eligible"]),
        exits=exits,
        effects=effects,
    )


def with_interval(frame: pd.DataFrame) -> pd.DataFrame:
    """Normal intervals around ``estimate`` from ``se``."""
    for level, times in (("90", 1.645), ("95", 1.96)):
        frame[f"lo{level}"] = frame["estimate"] - times * frame["se"]
        frame[f"hi{level}"] = frame["estimate"] + times * frame["se"]
    return frame


def robustness(smallest: float = 480.0) -> Robustness:
    """Twelve placebo starts, three comparison organisations, four practices, four estimators, two bounds."""
    months = np.arange(START - 18, START - 6)
    starts = with_interval(
        pd.DataFrame(
            {
                "month": months,
                "months_before": months - (START - 24),
                "months_after": START - months,
                "estimate": [-3.0, -1.0, 2.0, 4.0, 1.5, -2.0, -5.5, -7.0, -4.0, -1.0, 0.5, 3.0],
                "se": 8.0,
                "why": "",
            }
        )
    )
    organizations = pd.DataFrame(
        [
            ("Program", "treated", 18_998.0, NAN, "without it the treated arm has nobody left"),
            ("Comparison 01", "comparison", smallest, -4.9, ""),
            ("Comparison 02", "comparison", 21_000.0, -1.1, ""),
            ("Comparison 03", "comparison", 38_000.0, -6.6, ""),
        ],
        columns=["label", "arm", "members", "estimate", "why"],
    )
    organizations = with_interval(organizations.assign(se=[NAN, 12.1, 12.4, 13.0]))
    practices = pd.DataFrame(
        [
            ("Program, practice 01", "treated", 9_000.0, -2.2, ""),
            ("Program, practice 02", "treated", 8_400.0, -6.0, ""),
            ("Comparison 01, practice 01", "comparison", smallest, -4.9, ""),
            ("Comparison 02, practice 01", "comparison", 19_000.0, -1.1, ""),
        ],
        columns=["label", "arm", "members", "estimate", "why"],
    )
    arm = pd.DataFrame(
        [
            ("Comparison 01", smallest, 31.0, ""),
            ("Comparison 02", 21_000.0, -1.9, ""),
            ("Comparison 03", 38_000.0, 5.2, ""),
        ],
        columns=["label", "members", "estimate", "why"],
    )
    outcomes = with_interval(
        pd.DataFrame(
            [
                ("appendicitis", "Appendicitis", "per 1,000 member-months", 212, 0.31, 0.02, 0.05, ""),
                ("fracture_cost", "Fracture, cost", "USD PMPM", 480, 4.1, -0.2, 0.9, ""),
                ("hip_fracture", "Hip fracture", "per 1,000 member-months", smallest, 0.04, 0.01, 0.02, ""),
            ],
            columns=["outcome", "label", "unit", "people", "level", "estimate", "se", "why"],
        )
    )
    methods = with_interval(
        pd.DataFrame(
            [
                ("headline", "Two-way fixed effects, organisation-month random effects", -4.2, 11.8, True),
                ("did2x2", "Two by two", -4.4, 3.1, False),
                ("ppml", "Poisson, effect in dollars", -3.9, 3.3, False),
                ("synthetic-did", "Synthetic difference in differences", -6.3, 9.0, False),
            ],
            columns=["method", "label", "estimate", "se", "valid"],
        )
    ).assign(headline=[True, False, False, False])
    methods["reading"] = ["Headline", *["Not valid with one treated organisation"] * 3]
    labels = {"first": "First quarter after the start", "average": "Average of the quarters after the start"}
    units = {"relative-magnitudes": ("ratio", 0.5), "smoothness": ("USD PMPM per quarter", 3.0)}
    bounds = pd.DataFrame(
        [
            (kind, effect, labels[effect], step, by * step, unit, -22.0 - 9 * step * k, 14.0 + 9 * step * k)
            for kind, (unit, by) in units.items()
            for k, effect in enumerate(labels, 1)
            for step in range(5)
        ],
        columns=["kind", "effect", "label", "step", "m", "unit", "lo95", "hi95"],
    )
    breakdowns = with_interval(
        pd.DataFrame(
            [
                (kind, effect, labels[effect], -4.0, 9.2, 0.0, unit, 7, 8, "a rule in words")
                for kind, (unit, _) in units.items()
                for effect in labels
            ],
            columns=["kind", "effect", "label", "estimate", "se", "breakdown", "unit", "pre", "post", "rule"],
        )
    )
    return Robustness(
        placebo_starts=starts,
        organizations=organizations.assign(change=organizations["estimate"] + 4.2),
        practices=practices.assign(change=practices["estimate"] + 4.2),
        placebo_arm=arm,
        placebo_outcomes=outcomes,
        methods=methods,
        bounds=bounds,
        breakdowns=breakdowns,
        full=-4.2,
        as_large=2,
        share=0.75,
        comparable=False,
    )


def specifications() -> SpecificationCurve:
    """Two caps, two amounts, three estimators, two clusterings; the cap moves the effect most."""
    rows = [
        (cap, amount, estimator, clustering)
        for cap in ("100000", "none")
        for amount in ("allowed", "paid")
        for estimator in ("twfe", "did2x2", "ppml")
        for clustering in ("organization", "practice")
    ]
    frame = pd.DataFrame(rows, columns=["cap", "amount", "estimator", "clustering"])
    by_choice = (
        {"100000": -4.2, "none": -9.0}, {"allowed": 0.0, "paid": 1.1},
        {"twfe": 0.0, "did2x2": 0.4, "ppml": 3.5},
    )  # fmt: skip
    columns = ("cap", "amount", "estimator")
    frame["estimate"] = sum(frame[c].map(by) for c, by in zip(columns, by_choice, strict=True))
    frame["attribution"], frame["weights"] = "intention_to_treat", "member_months"
    frame["covariates"], frame["population"] = "expected", "all"
    frame = with_interval(frame.assign(se=6.0, df=40.0, why="", interval="conventional"))
    frame = frame.sort_values("estimate", kind="stable").reset_index(drop=True)
    frame["primary"] = (frame[["cap", "amount", "estimator", "clustering"]] == list(rows[0])).all(axis=1)
    known = frame[frame["clustering"] == "practice"]
    choices = pd.DataFrame(
        [
            (axis, value, own, len(mine), mine.median(), mine.min(), mine.max())
            for axis, values in zip(columns, by_choice, strict=True)
            for value, own in zip(values, (True, False, False), strict=False)
            for mine in [known.loc[known[axis] == value, "estimate"]]
        ],
        columns=["axis", "value", "primary", "estimates", "median", "least", "most"],
    )
    ranks = pd.DataFrame(
        [
            ("median", "Median effect", float(known["estimate"].median()), 17, 41, 17 / 41, 1 / 41),
            ("same_sign", "Share of effects of one sign", 1.0, 30, 41, 30 / 41, 1 / 41),
        ],
        columns=["statistic", "label", "value", "rank", "assignments", "p", "smallest_p"],
    )
    return SpecificationCurve(
        specifications=frame,
        choices=choices,
        ranks=ranks,
        ranked=12,
        treated_organizations=1,
        left_out=("ppml takes no covariates here",),
    )


def checks() -> tuple[Check, ...]:
    return (
        Check(
            id="months_after_start",
            sentence="The program is followed for 22 months after its start; 12 are the least.",
            passed=True,
            front_page=True,
        ),
        Check(
            id="treated_size",
            sentence="The program holds more than twice the members of the largest comparison organisation.",
            passed=False,
            front_page=True,
        ),
        Check(id="waterfall", sentence="The dollar waterfall adds up to the cent.", passed=True),
        Check(
            id="entrants",
            sentence="4.1% of member-months are of entrants without history, scored on age and sex alone.",
            passed=None,
        ),
    )


def payment() -> Payment:
    """One year that earned, one not settled; fees of both arms; two measures, one of them a shut gate."""
    first, second = (
        {"year": 1, "first_month": START, "last_month": START + 11, "members": 18900.0,
         "member_months": 222000.0, "benchmark_pmpm": 320.0, "actual_pmpm": 310.0,
         "benchmark_usd": 71_040_000.0, "actual_usd": 68_820_000.0, "difference_usd": 2_220_000.0,
         "savings_rate": 0.03125, "minimum_rate": 0.0254, "quality_score": 0.8, "share_rate": 0.4,
         "generated_usd": 2_220_000.0, "shared_usd": 888_000.0, "cap_usd": 7_104_000.0,
         "earned_usd": 888_000.0, "reached": True, "quality_met": True, "cap_bound": False, "why": "shared"},
        {"year": 2, "first_month": START + 12, "last_month": START + 21, "members": 18700.0,
         "member_months": 186000.0, "benchmark_pmpm": NAN, "actual_pmpm": 318.0, "benchmark_usd": NAN,
         "actual_usd": 59_148_000.0, "difference_usd": NAN, "savings_rate": NAN, "minimum_rate": NAN,
         "quality_score": 0.8, "share_rate": NAN, "generated_usd": NAN, "shared_usd": NAN, "cap_usd": NAN,
         "earned_usd": NAN, "reached": False, "quality_met": False, "cap_bound": False,
         "why": "the contract has no benchmark for it"},
    )  # fmt: skip
    paid = pd.DataFrame(
        [
            (1, "care_management", "Care-management fee", "treated", 1.5, 333_000.0),
            (1, "shared_savings", "Shared savings", "treated", 4.0, 888_000.0),
            (1, "other", "Enhanced access", "comparison", -0.25, -55_500.0),
        ],
        columns=["year", "kind", "name", "arm", "pmpm", "usd"],
    )
    measures = pd.DataFrame(
        [
            ("Quality pool", "screen", "Cancer screening", "quality", 0.75, 0.7, 0.8, 2.0, 0.5, False,
             True, False),
            ("Quality pool", "ed", "Emergency visits per 1,000", "appropriate_care", 230.0, 220.0, NAN, 1.0,
             0.0, True, False, True),
        ],
        columns=["program", "id", "label", "kind", "value", "threshold", "target", "weight", "attained_share",
                 "gate", "met", "lower_is_better"],
    ).assign(measure="")  # fmt: skip
    rows = (
        ("detectable_pmpm", 33.0, "USD PMPM", 2, "Smallest effect found with 80% power", "the interval"),
        ("detectable_share", 0.102, "share", 3, "Smallest effect found, in percent", "of expected cost"),
        ("chance_share", 0.42, "share", 3, "Chance of an effect this far from zero", "p"),
        ("minimum_savings_share", 0.0254, "share", 4, "Minimum savings rate", "Medicare's"),
        ("minimum_savings_pmpm", 8.2, "USD PMPM", 2, "Minimum savings rate, in dollars", "Medicare's"),
        ("minimum_by_chance_share", 0.24, "share", 3, "Chance of that rate", "normal"),
        ("cv_ratio", 2.7, "ratio", 2, "Coefficient of variation", "months"),
        ("full_credibility_member_years", 7891.0, "member-years", 0, "Member-years in full", "5%"),
        ("credibility_share", 1.0, "share", 3, "Credibility of the program's own baseline", "limited"),
        ("baseline_pmpm", 301.22, "USD PMPM", 2, "Baseline cost", "own"),
        ("credible_baseline_pmpm", 301.22, "USD PMPM", 2, "Credible baseline cost", "own and peers"),
    )
    before = {
        name: Estimate(value=value, unit=unit, digits=digits, label=label, method=method)
        for name, value, unit, digits, label, method in rows
    }
    return Payment(
        before=before, settlement=pd.DataFrame([first, second]), payments=paid, measures=measures
    )


def member_costs() -> MemberCosts:
    """Three families, one of them without a model; adults and children; six practices."""
    arms = ("treated", "comparison")
    size = {"treated": (18_998, 372_000.0), "comparison": (60_112, 1_190_000.0)}
    strata = {"all": 1.0, "adults": 0.75, "children": 0.25}
    identity = [
        {"family": f, "stratum": s, "part": p, "unit": u, "members": int(60_112 * strata[s]),
         "member_months": 1_190_000.0 * strata[s], "actual": a, "expected": a * (1 + g), "gap": a * g,
         "gap_share": g, "without_cost": n, "why": ""}
        for s in ("adults", "children")
        for f, p, u, a, g, n in (("ols", "cost", "USD PMPM", 301.5, 0.0, 0),
                                 ("two-part", "cost", "USD PMPM", 301.5, 0.0123, 0),
                                 ("two-part", "any cost", "share", 0.971, 0.0, 1_700))
    ] + [
        {"family": "gamma", "stratum": s, "part": "cost", "unit": "USD PMPM", "members": 100,
         "member_months": 900.0, "actual": NAN, "expected": NAN, "gap": NAN, "gap_share": NAN,
         "without_cost": 0, "why": "gamma has no zeros."}
        for s in ("adults", "children")
    ]  # fmt: skip
    tests = [
        {"family": f, "stratum": s, "test": t, "members": 4_000 if s == "children" else 40_000,
         "statistic": v, "se": 0.04, "lo95": v - 0.08, "hi95": v + 0.08, "p": p,
         "largest": 12.5 if "Hosmer" in t else NAN, "mean": 301.0 if "Hosmer" in t else NAN,
         "meaning": f"{t} of {f}."}
        for f in ("ols", "two-part") for s in ("adults", "children")
        for t, v, p in (("modified Park", 1.4, 0.0001), ("Pregibon link", 0.02, 0.6),
                        ("modified Hosmer-Lemeshow", 1.3, 0.3), ("Pearson correlation", 0.0, 1.0),
                        ("Copas, 5 folds", 0.93, 0.08))
    ]  # fmt: skip
    effects = [
        {"family": f, "stratum": s, "members": int(18_998 * strata[s]), "member_months": 186_000 * strata[s],
         "with_pmpm": 318.4, "without_pmpm": 318.4 - e, "gap_pmpm": 0.0 if f == "ols" else 1.25,
         "estimate": e, "se": 5.2, "lo95": e - 10.3,
         "hi95": e + 10.3, "p": 0.4, "lo95_bootstrap": e - 11.0, "hi95_bootstrap": e + 9.0, "draws": 400,
         "why": ""}
        for f, e in (("ols", -3.9), ("two-part", -6.2)) for s in ("adults", "children", "all")
    ] + [
        {"family": "gamma", "stratum": "all", "members": 18_998, "member_months": 186_000.0, "draws": 0,
         "why": "gamma has no zeros."}
    ]  # fmt: skip
    accuracy = [
        {"family": f, "cap": c, "stratum": s, "arm": a, "period": p, "members": int(size[a][0] * strata[s]),
         "member_months": size[a][1] * strata[s], "actual_pmpm": 300.0, "predicted_pmpm": 300.0 * r,
         "r2": r2, "mae_share": 0.87, "cpm": 0.14, "predictive_ratio": r}
        for f, c, r2 in (("ols", "capped", 0.139), ("ols", "uncapped", 0.093), ("two-part", "capped", 0.121))
        for s in strata for a in arms for p, r in (("baseline", 1.01), ("performance", 0.93))
    ]  # fmt: skip

    def ratio(kind: str, group: str, label: str, arm: str, share: float, value: float) -> dict[str, object]:
        members = round(size[arm][0] * share)
        return {"kind": kind, "group": group, "label": label, "arm": arm, "members": members,
                "member_months": size[arm][1] * share, "actual_pmpm": 300.0, "predicted_pmpm": 300.0 * value,
                "predictive_ratio": value, "uncapped_ratio": value - 0.01}  # fmt: skip

    ratios = [
        *(ratio("predicted", f"{k:02d}", f"Tenth {k} of predicted cost", a, 0.1, 0.8 + 0.04 * k)
          for k in range(1, 11) for a in arms),
        *(ratio("actual", f"{k}", f"Fifth {k} of actual cost", a, 0.2, (9.2, 3.9, 2.2, 1.4, 0.48)[k - 1])
          for k in range(1, 6) for a in arms),
        *(ratio("age_sex", f"age_sex:{s}18-64", name, a, 0.5, 1.0)
          for s, name in (("F", "Women"), ("M", "Men")) for a in arms),
        *(ratio("condition", "condition:diabetes", "Diabetes", a, 0.08, 0.97) for a in arms),
        *(ratio("condition", "condition:rare", "A rare one", a, 0.001, 0.4) for a in arms),
    ]  # fmt: skip
    practices = [
        {"label": f"{name}, practice {n:02d}", "arm": a, "members": m, "member_months": 20.0 * m,
         "actual_pmpm": 300.0, "predicted_pmpm": 300.0 * r, "predictive_ratio": r, "panel_sd": 2 / m**0.5,
         "lo95": 1 - 4 / m**0.5, "hi95": 1 + 4 / m**0.5}
        for name, n, a, m, r in (
            ("Program", 1, "treated", 10_000, 1.01), ("Program", 2, "treated", 8_998, 1.3),
            ("Comparison 01", 1, "comparison", 900, 0.9), ("Comparison 02", 1, "comparison", 400, 1.5),
            ("Comparison 02", 2, "comparison", 90, 1.1),
        )
    ]  # fmt: skip
    recalibration = [
        {"family": f, "period": p, "members": 18_998, "member_months": 186_000.0, "factor": k,
         "actual_pmpm": 318.4, "predicted_pmpm": 290.0, "recalibrated_pmpm": 290.0 * k,
         "predictive_ratio": 290 / 318.4, "recalibrated_ratio": 290 * k / 318.4}
        for f in ("ols", "two-part") for p, k in (("baseline", 0.99), ("performance", 1.09))
    ]  # fmt: skip
    rows = {"identity": identity, "tests": tests, "effects": effects, "accuracy": accuracy, "ratios": ratios,
            "practices": practices, "recalibration": recalibration}  # fmt: skip
    frames = {name: pd.DataFrame(r, columns=list(COST_COLUMNS[name])) for name, r in rows.items()}
    return MemberCosts(primary="ols", warnings=("No gamma model: gamma has no zeros.",), **frames)


def waves(members: int = 900) -> Waves:
    """Two waves, two quarters apart; two-way fixed effects take the growth of the first for a trend."""
    starts = pd.DataFrame(
        {
            "wave": [START, START + 6],
            "practices": [14, 12],
            "organizations": [3, 2],
            "members": [1200, members],
            "months_before": [24, 30],
            "months_after": [22, 16],
            "member_months": [21000.0, 11000.0],
            "estimated": True,
            "note": ["", ""],
        }
    )
    effects = pd.DataFrame(
        {
            "wave": [START] * 4 + [START + 6] * 4,
            "first_month": [START + 3 * p for p in (-2, -1, 0, 1, 0, 1, 2, 3)],
            "since_start": [-2, -1, 0, 1, -2, -1, 0, 1],
            **_with_ends([2.0, 0.0, -12.0, -18.0, 1.0, 0.0, -4.0, -6.0], 5.0),
            "reference": [False, True, False, False] * 2,
            "members": [1200] * 4 + [members] * 4,
        }
    )
    kinds = [*(f"overall:{k}" for k in ("simple", "dynamic", "group", "calendar")), *["dynamic"] * 4]
    averages = pd.DataFrame(
        {
            "kind": [*kinds, "group", "group", "calendar"],
            "key": [0, 0, 0, 0, -2, -1, 0, 1, 0, 2, 3],
            "first_month": [0] * 8 + [START, START + 6, START + 9],
            **_with_ends([-13.1, -14.2, -11.3, -12.4, 1.5, 0.0, -8.5, -12.5, -15.0, -5.0, -6.0], 4.0),
            "reference": [False] * 5 + [True] + [False] * 5,
            "waves": [2] * 8 + [1, 1, 2],
            "members": [2100] * 8 + [1200, members, 2100],
        }
    )
    methods = pd.DataFrame(
        {
            "method": ["headline", "imputation", "twfe", "study"],
            "label": ["Group-time effects", "Imputation", "Two-way fixed effects", "Headline of the study"],
            **_with_ends([-13.1, -12.2, -7.7, -4.2], 4.0),
            "valid": [True, False, False, True],
            "headline": [True, False, False, False],
            "reading": ["", "Not valid", "15% of its weight", "Another question"],
        }
    ).drop(columns=["band_lo", "band_hi"])
    comparisons = pd.DataFrame(
        {
            "kind": ["treated vs never treated", "earlier vs later treated", "later vs earlier treated"],
            "treated": [START, START, START + 6],
            "compared_with": [0, START + 6, START],
            "estimate": [-12.0, -9.0, 7.0],
            "weight": [0.6, 0.25, 0.15],
        }
    )
    return Waves(
        waves=starts,
        effects=effects,
        averages=averages,
        methods=methods,
        comparisons=comparisons,
        two_way=-7.7,
        already=0.15,
        before_share=0.2,
        period_months=3,
        outside_band=0,
        pre_trend_tests=pre_trend_tests(
            [{"test": "shocks", "label": "Shocks", "periods": 1, "statistic": 0.14, "df1": 1, "p": 0.71,
              "detectable": 44.8, "note": ""}]
        ),
        slope={"estimate": -6.0, "se": 16.0, "lo90": -32.3, "hi90": 20.3, "lo95": -37.4, "hi95": 25.4,
               "detectable": 44.9},
        rule="the interval is that of a model",
        warnings=("The wave of December 2008 is one organisation.",),
    )


def _with_ends(estimates: list[float], se: float) -> dict[str, np.ndarray]:
    """Columns of estimates; those of exactly 0 are reference times without an interval."""
    found = np.array(estimates)
    error = np.where(found == 0, 0.0, se)
    ends = {"lo90": -1.64, "hi90": 1.64, "lo95": -1.96, "hi95": 1.96, "band_lo": -2.8, "band_hi": 2.8}
    return {"estimate": found, "se": error, **{name: found + c * error for name, c in ends.items()}}


def evaluation(**parts) -> Evaluation:
    study = spec()
    found = Evaluation(
        study_id=study.id,
        fingerprint=study.fingerprint,
        periods={
            "baseline_first": "2006-06", "baseline_last": "2008-05", "start": "2008-06",
            "through": "2010-03", "paid_through": "2010-06",
        },
        attrition=attrition(),
        quality=quality(),
        cohort=cohort(),
        risk=risk(),
        expected=expected(),
        did=did(),
        savings=savings(),
        completion=completion(),
        truncation=truncation(),
        selection=selection(),
        robustness=robustness(),
        washout=washout(),
        employers=employers(),
        uncertainty=uncertainty(),
        payment=payment(),
        adjustment=adjustment(),
        member_costs=member_costs(),
        where=where(),
        measures=measures(),
        care_management=care_management(),
        surveys=surveys(),
        specifications=specifications(),
        waves=waves(),
        checks=checks(),
    )
    return dataclasses.replace(found, **parts)


def report(study: StudySpec | None = None, **parts) -> ReleasedRun:
    """A run as pages see it; any part may be replaced."""
    return ReleasedRun(spec=study or spec(), evaluation=evaluation(**parts), code_version="0.1.0")
