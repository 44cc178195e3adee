"""Codes that simulated claims carry: numbers only, chosen for the conditions that medhome groups."""

from __future__ import annotations

from dataclasses import dataclass

from medhome.simulate import costs
from medhome.simulate.members import CONDITIONS

ICD10_FIRST_DAY = "2015-10-01"  # by date of service or discharge (45 CFR 162.1002)

# ICD-9-CM and ICD-10-CM of each condition, in the order of members.CONDITIONS.
_CONDITION_CODES = {
    "diabetes": ("25000", "E119"),
    "hypertension": ("4019", "I10"),
    "heart_failure": ("4280", "I509"),
    "coronary": ("41401", "I2510"),
    "copd": ("496", "J449"),
    "asthma": ("49390", "J45909"),
    "depression": ("311", "F329"),
    "cancer": ("1749", "C50919"),
    "renal": ("5853", "N183"),
    "hyperlipidaemia": ("2724", "E785"),
    "arthritis": ("71590", "M1990"),
}
_OTHER_CODES = {
    "prostate_cancer": ("185", "C61"),
    "prenatal": ("V221", "Z3480"),
    "birth": ("650", "O80"),
    "examination": ("V700", "Z0000"),
    "child_examination": ("V202", "Z00129"),
    "cold": ("4659", "J069"),
    "sore_throat": ("462", "J029"),
    "back_pain": ("7242", "M545"),
    "chest_pain": ("78650", "R079"),
    "abdominal_pain": ("78900", "R109"),
    "otitis": ("3829", "H6690"),
    "rash": ("6929", "L309"),
    "knee": ("7177", "M2240"),
    "pneumonia": ("486", "J189"),
    "appendicitis": ("5409", "K3580"),
    "fracture": ("81400", "S62109A"),
    "gall_stones": ("57420", "K8020"),
    "sprain": ("84500", "S93409A"),
}
DIAGNOSES = (*CONDITIONS, *_OTHER_CODES)
DIAGNOSIS_VOCABULARY = tuple(
    [code[0] for code in (*_CONDITION_CODES.values(), *_OTHER_CODES.values())]
    + [code[1] for code in (*_CONDITION_CODES.values(), *_OTHER_CODES.values())]
)


def diagnosis(name: str) -> int:
    return DIAGNOSES.index(name)


def _numbers(*names: str) -> tuple[int, ...]:
    return tuple(diagnosis(n) for n in names)


# Reasons for care that is not for a long-term condition, by kind of event (each equally likely).
ACUTE_DIAGNOSES = {
    costs.PRIMARY_CARE: _numbers("examination", "cold", "sore_throat", "back_pain", "rash", "examination"),
    costs.SPECIALIST: _numbers("rash", "knee", "back_pain", "abdominal_pain", "chest_pain"),
    costs.LABORATORY: _numbers("examination", "abdominal_pain", "examination"),
    costs.IMAGING: _numbers("back_pain", "knee", "chest_pain", "sprain"),
    costs.OUTPATIENT: _numbers("knee", "abdominal_pain", "gall_stones", "fracture"),
    costs.EMERGENCY: _numbers("chest_pain", "sprain", "abdominal_pain", "fracture", "otitis"),
    costs.INPATIENT: _numbers("pneumonia", "appendicitis", "gall_stones", "chest_pain"),
    costs.DELIVERY: _numbers("birth"),
}
CHILD_DIAGNOSES = _numbers("child_examination", "cold", "otitis", "sore_throat", "child_examination", "rash")

# Chance that a long-term condition, where there is one, is the first diagnosis.
CONDITION_FIRST_SHARE = {
    costs.PRIMARY_CARE: 0.65,
    costs.SPECIALIST: 0.55,
    costs.LABORATORY: 0.7,
    costs.IMAGING: 0.3,
    costs.OUTPATIENT: 0.35,
    costs.EMERGENCY: 0.25,
    costs.INPATIENT: 0.6,
    costs.DELIVERY: 0.0,
}

# Procedure code numbers with the share of each.
PROCEDURES = {
    "office": (("99213", 0.55), ("99214", 0.22), ("99212", 0.09), ("99203", 0.06), ("99396", 0.08)),
    "child_office": (("99213", 0.52), ("99214", 0.12), ("99392", 0.16), ("99393", 0.15), ("99203", 0.05)),
    "specialist": (("99213", 0.4), ("99214", 0.25), ("99203", 0.15), ("99243", 0.2)),
    "specialist_procedure": (("20610", 0.25), ("11100", 0.25), ("93000", 0.25), ("92557", 0.25)),
    "laboratory": (("80053", 0.3), ("85025", 0.3), ("80061", 0.2), ("83036", 0.2)),
    "imaging": (("71020", 0.3), ("72148", 0.15), ("73721", 0.15), ("70450", 0.15), ("76700", 0.25)),
    "surgery": (("45378", 0.35), ("29881", 0.2), ("43239", 0.25), ("66984", 0.2)),
    "emergency": (("99282", 0.2), ("99283", 0.45), ("99284", 0.35)),
    "hospital_visit": (("99222", 0.3), ("99232", 0.5), ("99238", 0.2)),
    "none": (),
}
PROCEDURE_SETS = tuple(PROCEDURES)
PROCEDURE_VOCABULARY = tuple(sorted({code for options in PROCEDURES.values() for code, _ in options}))


@dataclass(frozen=True)
class Line:
    """One line of a claim: its share of the claim's allowed amount and its codes ("" where there is none)."""

    share: float
    procedures: str
    revenue: str = ""


@dataclass(frozen=True)
class Form:
    """How a kind of event is billed."""

    institutional: bool
    bill_type: str
    place: str
    lines: tuple[Line, ...]
    payment_days: float  # median days from service to payment
    payment_spread: float  # log-scale standard deviation of these days
    copay_usd: float  # member's fixed share a claim, at most the amount
    coinsurance: float  # member's share of the rest


# Forms by number: the kinds of costs.KINDS that are medical, then the doctors' part of a stay and a
# specialist visit with a procedure.
STAY_DOCTORS, SPECIALIST_PROCEDURE = len(costs.KINDS), len(costs.KINDS) + 1
STAY_DOCTORS_SHARE = 0.12
FORMS: dict[int, Form] = {
    costs.PRIMARY_CARE: Form(False, "", "11", (Line(1.0, "office"),), 21, 0.75, 20, 0.0),
    costs.SPECIALIST: Form(False, "", "11", (Line(1.0, "specialist"),), 24, 0.75, 25, 0.05),
    costs.LABORATORY: Form(False, "", "81", (Line(1.0, "laboratory"),), 20, 0.75, 0, 0.20),
    costs.IMAGING: Form(False, "", "22", (Line(1.0, "imaging"),), 24, 0.75, 0, 0.20),
    costs.OUTPATIENT: Form(
        True, "131", "", (Line(0.8, "surgery", "0360"), Line(0.2, "none", "0250")), 29, 0.65, 50, 0.15
    ),
    costs.EMERGENCY: Form(
        True, "131", "", (Line(0.7, "emergency", "0450"), Line(0.3, "laboratory", "0300")), 29, 0.65, 75, 0.08
    ),
    costs.INPATIENT: Form(
        True,
        "111",
        "",
        (Line(0.5, "none", "0120"), Line(0.3, "none", "0360"), Line(0.2, "none", "0250")),
        34,
        0.55,
        250,
        0.07,
    ),
    costs.DELIVERY: Form(
        True, "111", "", (Line(0.7, "none", "0120"), Line(0.3, "none", "0250")), 34, 0.55, 250, 0.07
    ),
    STAY_DOCTORS: Form(False, "", "21", (Line(1.0, "hospital_visit"),), 26, 0.7, 0, 0.10),
    SPECIALIST_PROCEDURE: Form(
        False, "", "11", (Line(0.35, "specialist"), Line(0.65, "specialist_procedure")), 24, 0.75, 25, 0.10
    ),
}
# Diagnosis-related groups: bare numbers by reason.
DRG_BY_DIAGNOSIS = {
    "heart_failure": "292",
    "coronary": "247",
    "copd": "192",
    "asthma": "203",
    "depression": "885",
    "cancer": "583",
    "renal": "684",
    "diabetes": "639",
    "arthritis": "470",
    "pneumonia": "195",
    "appendicitis": "343",
    "gall_stones": "419",
    "chest_pain": "313",
    "birth": "775",
}
DRG_OTHER = "948"
DRG_VOCABULARY = (*sorted(set(DRG_BY_DIAGNOSIS.values())), DRG_OTHER)

# Invented eleven-digit drug codes; classes of maintenance drugs in the order of members.CONDITIONS.
DRUG_CLASSES = (
    "antidiabetic",
    "antihypertensive",
    "heart_failure",
    "antianginal",
    "copd_inhaler",
    "asthma_controller",
    "antidepressant",
    "",
    "",
    "statin",
    "analgesic",
)
OTHER_DRUG_CLASSES = ("antibiotic", "analgesic_acute", "dermatological", "specialty")
NDC_PER_CLASS = 3


def _ndc(labeler: int, product: int, package: int) -> str:
    return f"{labeler:05d}{product:04d}{package:02d}"


DRUG_CLASS_VOCABULARY = (*(c for c in DRUG_CLASSES if c), *OTHER_DRUG_CLASSES)
NDC_VOCABULARY = tuple(
    _ndc(99001 + c // 4, 100 + c, 10 * (k + 1))
    for c in range(len(DRUG_CLASS_VOCABULARY))
    for k in range(NDC_PER_CLASS)
)
FILL_PAYMENT_DAYS, FILL_PAYMENT_SPREAD = 9.0, 0.7
FILL_COPAY_USD, FILL_COINSURANCE = 10.0, 0.10
