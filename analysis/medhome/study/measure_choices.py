"""A study's choices on measures of utilisation and quality: which families, whose code lists."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, model_validator

from medhome.study.claims_choices import STRICT
from medhome.study.problems import StudyFileError

FAMILIES = ("utilisation", "preventive", "chronic", "medication")
"""Families of measures, in the order of the report; p-values are adjusted within each."""

SYSTEMS = (
    *("hcpcs", "icd-9-cm", "icd-10-cm", "drg", "revenue", "bill-type", "admit-source"),
    *("ndc", "drug-class"),
)
"""Code systems of a list. Diagnoses and bill types are prefixes, drug classes any text, others whole
codes."""

Family = Literal["utilisation", "preventive", "chronic", "medication"]
ListFile = Annotated[str, Field(pattern=r"^[\w-][\w.-]*\.csv$")]


class ListedCode(BaseModel):
    """One row of a code list: a code of a system, or all codes from it to ``last_code``."""

    model_config = STRICT

    list: str = Field(min_length=1)
    system: Literal[
        "hcpcs", "icd-9-cm", "icd-10-cm", "drg", "revenue", "bill-type", "admit-source", "ndc", "drug-class"
    ]
    code: str = Field(min_length=1)
    last_code: str = ""

    @model_validator(mode="after")
    def _range(self) -> ListedCode:
        self.codes()
        return self

    def codes(self) -> tuple[str, ...]:
        """Every code of the row, upper case and without dots.

        >>> ListedCode(list="a", system="hcpcs", code="2022F", last_code="2024F").codes()
        ('2022F', '2023F', '2024F')
        """
        first, last = (self._plain(c) for c in (self.code, self.last_code))
        if not last:
            return (first,)
        digits = [c.strip("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for c in (first, last)]
        head, tail = (first.partition(digits[0])[i] for i in (0, 2))
        alike = [head + d + tail for d in digits] == [first, last] and len(first) == len(last)
        if not alike or not all(d.isdigit() for d in digits) or digits[0] > digits[1]:
            raise ValueError(
                f"{self.code} to {self.last_code} is no range: both need the same letters around as many "
                "digits, the first number not above the last"
            )
        width = len(digits[0])
        return tuple(f"{head}{n:0{width}d}{tail}" for n in range(int(digits[0]), int(digits[1]) + 1))

    def _plain(self, code: str) -> str:
        plain = code.strip()
        return plain.lower() if self.system == "drug-class" else plain.upper().replace(".", "")


class Measures(BaseModel):
    """Which measures are evaluated, and where their code lists come from."""

    model_config = STRICT

    enabled: bool = False
    families: list[Family] = Field(default=["utilisation", "preventive", "chronic", "medication"])
    leave_out: list[str] = Field(default_factory=list)
    value_sets: str = Field(default="", pattern=r"^([\w.-]+(/[\w.-]+)*)?$")
    lists: dict[str, ListFile] = Field(default_factory=dict)
    list_rows: tuple[ListedCode, ...] = ()

    @model_validator(mode="after")
    def _read(self) -> Measures:
        if set(self.lists) != {row.list for row in self.list_rows}:
            raise ValueError("lists names files, which read_study reads; not all were read")
        return self


def read_code_list(name: str, path: Path) -> list[dict[str, str]]:
    """The study's own codes of one list, from a CSV file beside the study file: system,code[,last_code].

    Raises `StudyFileError` naming the file and its line.
    """
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError) as error:
        raise StudyFileError(
            f"{path}: the codes of measures.lists.{name} cannot be read ({error}); put the CSV file beside "
            "the study file"
        ) from None
    if not rows or not {"system", "code"} <= set(rows[0]):
        raise StudyFileError(f"{path}: needs columns system,code (and last_code for ranges), and a row")
    found = []
    for line, row in enumerate(rows, start=2):
        code = {k: (row.get(k) or "").strip() for k in ("system", "code", "last_code")}
        if code["system"] not in SYSTEMS or not code["code"]:
            raise StudyFileError(
                f"{path}, line {line}: needs a code of a system; systems are {', '.join(SYSTEMS)}"
            )
        found.append({"list": name, **code})
    return found
