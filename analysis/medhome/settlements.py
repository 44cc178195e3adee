"""The front door for settlements: what do contracts pay, for one contract or a table of them?"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pandas as pd

from medhome.models.settlement import settle as settle_one
from medhome.study.contract_terms import ContractTerms, read_terms, settlement_cases
from medhome.study.payment_results import ContractSettlements
from medhome.study.problems import ModelRefusal


def settle(terms: ContractTerms | Path | str, frame: pd.DataFrame | None = None) -> ContractSettlements:
    """What does each contract pay, and which step decided?

    Arguments
        terms: a terms file, the name of one of the package, or terms that were read.
        frame: one row per contract and year, with the columns that the terms name; without it the terms hold
            the amounts of one contract, and each of their sets of terms is settled on these.

    Raises `StudyFileError` for terms that do not fit, `DataProblem` naming the row of a value that is none,
    `ModelRefusal` where the terms ask for a number that is missing.

    >>> [row["earned_usd"] for row in settle("commercial-example").frame.to_dict("records")]
    [281250.0, 0.0]
    """
    read = terms if isinstance(terms, ContractTerms) else read_terms(terms)
    settled = []
    for name, contract, amounts in settlement_cases(read, frame):
        try:
            found = settle_one(contract, **amounts)
        except ModelRefusal as refusal:
            raise ModelRefusal(f"{name}: {refusal}") from None
        settled.append({"id": name, "contract": contract.name, **dataclasses.asdict(found)})
    return ContractSettlements(title=read.title, source=read.source, frame=pd.DataFrame(settled))
