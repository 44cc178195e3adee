"""A study's choices on claims, and its own list of service categories."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from medhome.study.problems import StudyFileError

STRICT = ConfigDict(extra="forbid", frozen=True, strict=True)
"""Of every section of a study: no unknown key, no value of another type, no change."""


class _Section(BaseModel):
    model_config = STRICT


class ServiceRule(_Section):
    """One row of a list of service categories: which lines it takes."""

    category: str
    claim_type: str
    column: str
    code_prefix: str


class Claims(_Section):
    """How claim lines become cost: duplicates, repeated totals, stays, capitation, rebates."""

    duplicates: Literal["drop", "keep"] = "drop"
    header_amounts: Literal["lines", "header"] = "lines"
    stays: Literal["admission", "split_by_day"] = "admission"
    claims_month: Literal["start", "end", "paid"] = "start"
    capitation: Literal["as_paid", "shadow_price", "add_payment", "exclude"] = "as_paid"
    capitation_pmpm_usd: float | None = Field(default=None, gt=0, le=10_000)
    service_categories: str = Field(default="", pattern=r"^([\w-][\w.-]*\.csv)?$")
    service_rules: tuple[ServiceRule, ...] = ()
    prices: bool = False
    drug_rebate_share: float = Field(default=0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _payment(self) -> Claims:
        if self.capitation == "add_payment" and self.capitation_pmpm_usd is None:
            raise ValueError(
                'capitation "add_payment" needs capitation_pmpm_usd, the payment per capitated member '
                "and month"
            )
        if self.capitation != "add_payment" and self.capitation_pmpm_usd is not None:
            raise ValueError('capitation_pmpm_usd counts only where capitation is "add_payment"')
        if self.stays == "split_by_day" and self.claims_month != "start":
            raise ValueError(
                'stays "split_by_day" puts each day into its own month, so claims_month must be "start", '
                f'not "{self.claims_month}"'
            )
        if self.service_categories and not self.service_rules:
            raise ValueError("service_categories names a file, which read_study reads; none was read")
        return self


def read_service_rules(path: Path) -> tuple[dict[str, str], ...]:
    """The rows of the study's own list of service categories, which lies beside the study file.

    Raises `StudyFileError` naming the file, its line and what to do.
    """
    columns = list(ServiceRule.model_fields)
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream)
            held = reader.fieldnames or []
            rows = [{name: (row.get(name) or "").strip() for name in columns} for row in reader]
    except (OSError, UnicodeDecodeError) as error:
        raise StudyFileError(
            f"{path}: claims.service_categories names this file, which cannot be read ({error})"
        ) from None
    lacking = [name for name in columns if name not in held]
    if lacking or not rows:
        raise StudyFileError(
            f"{path}: lacks {', '.join(lacking) or 'rows'}; a list of service categories has the columns "
            f"{', '.join(columns)}"
        )
    for number, row in enumerate(rows, start=2):
        if not row["category"] or row["category"] == "pharmacy":
            raise StudyFileError(
                f"{path}: line {number}: category {row['category']!r}; name a category of medical lines "
                "(drugs are a category of their own)"
            )
        if bool(row["column"]) != bool(row["code_prefix"]):
            raise StudyFileError(
                f"{path}: line {number}: column and code_prefix go together; fill both or neither"
            )
    return tuple(rows)
