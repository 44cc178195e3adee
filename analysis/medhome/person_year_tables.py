"""The front door for person-years without a comparison: any table, or DE-SynPUF beneficiary summaries."""

from __future__ import annotations

import pandas as pd

from medhome.models.person_years import person_years
from medhome.study.person_year_results import PersonYears
from medhome.study.problems import DataProblem

__all__ = ["person_years", "synpuf_beneficiaries"]

PERSON, YEAR = "DESYNPUF_ID", "BENE_YEAR"
COST = ("MEDREIMB_IP", "MEDREIMB_OP", "MEDREIMB_CAR")
_COVER = {"BENE_HI_CVRAGE_TOT_MONS": 12, "BENE_SMI_CVRAGE_TOT_MONS": 12, "BENE_HMO_CVRAGE_TOT_MONS": 0}
_FLAGS = (
    "SP_ALZHDMTA", "SP_CHF", "SP_CHRNKIDN", "SP_CNCR", "SP_COPD", "SP_DEPRESSN", "SP_DIABETES",
    "SP_ISCHMCHT", "SP_OSTEOPRS", "SP_RA_OA", "SP_STRKETIA",
)  # fmt: skip
_UNDER_65 = 65


def synpuf_beneficiaries(frame: pd.DataFrame) -> PersonYears:
    """Medicare's payments for beneficiaries with all twelve months of Parts A and B and none of Advantage.

    frame: beneficiary summaries of DE-SynPUF, several years with ``BENE_YEAR``. Cost is what Medicare paid
    for inpatient, outpatient and carrier claims. Covariates: age (year less year of birth), women, under 65,
    the eleven chronic conditions of the file, end-stage renal disease.

    Raises `DataProblem` for a table without these columns.
    """
    needed = [PERSON, YEAR, "BENE_BIRTH_DT", "BENE_SEX_IDENT_CD", "BENE_ESRD_IND", *COST, *_COVER, *_FLAGS]
    absent = [c for c in needed if c not in frame.columns]
    if absent:
        raise DataProblem(f"no beneficiary summary of DE-SynPUF: there is no column {', '.join(absent)}")
    whole = frame[list(_COVER)].astype(int).eq(pd.Series(_COVER)).all(axis=1)
    mine = frame[whole]
    if mine.empty:
        raise DataProblem("nobody has twelve months of Parts A and B and none of Advantage")
    age = mine[YEAR].astype(int) - pd.to_datetime(mine["BENE_BIRTH_DT"]).dt.year
    table = mine[[PERSON, YEAR, *COST]].assign(
        age=age,
        female=(mine["BENE_SEX_IDENT_CD"].astype(str) == "2").astype(int),
        under_65=(age < _UNDER_65).astype(int),
        esrd=(mine["BENE_ESRD_IND"].astype(str) == "Y").astype(int),
        **{flag.lower(): (mine[flag].astype(int) == 1).astype(int) for flag in _FLAGS},
    )
    covariates = ["age", "female", "under_65", "esrd", *(flag.lower() for flag in _FLAGS)]
    return person_years(table, person=PERSON, year=YEAR, cost=list(COST), covariates=covariates)
