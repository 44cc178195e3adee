"""Outcomes that the program cannot have changed, named by a study beforehand."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator

from medhome.study.definitions import code_list
from medhome.study.section import Section


class PlaceboOutcome(Section):
    """Claims whose first diagnosis is in a list of ``definitions/codelists/placebo_outcomes.csv``.

    measure: rate, member-months with such a claim per 1,000; or cost, their allowed cost PMPM.

    >>> PlaceboOutcome(codes="appendicitis").id, PlaceboOutcome(codes="fracture", measure="cost").label
    ('appendicitis', 'Fracture, cost')
    """

    codes: str
    measure: Literal["rate", "cost"] = "rate"

    @field_validator("codes")
    @classmethod
    def _known(cls, value: str) -> str:
        lists = list(dict.fromkeys(code_list("placebo_outcomes")["outcome_id"]))
        if value not in lists:
            raise ValueError(f"there is no such list; lists are {', '.join(lists)}")
        return value

    @property
    def id(self) -> str:
        return self.codes if self.measure == "rate" else f"{self.codes}_cost"

    @property
    def label(self) -> str:
        known = code_list("placebo_outcomes").set_index("outcome_id")["label"]
        name = str(known[self.codes].iloc[0])
        return name if self.measure == "rate" else f"{name}, cost"
