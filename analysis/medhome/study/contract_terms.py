"""Shared-savings contracts as a document: which columns of a table hold what, and the terms of each."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pydantic
from pydantic import Field, model_validator

from medhome.study.definitions import DEFINITIONS
from medhome.study.payment_choices import SharedSavings
from medhome.study.problems import DataProblem, StudyFileError, printable
from medhome.study.section import Section

AMOUNTS = (
    *("benchmark_usd", "actual_usd", "benchmark_pmpm_usd", "actual_pmpm_usd", "member_months"),
    *("persons", "quality_score", "quality_met", "loss_relief_usd"),
)
"""What a row, or the ``[amounts]`` of a file, may say of a contract's year."""

_RATES = tuple(name for name in SharedSavings.model_fields if "rate" in name or "score" in name)


class Contract(SharedSavings):
    """One set of terms, for the rows whose columns hold the values of ``where`` (all rows when empty)."""

    name: str = Field(min_length=1)
    where: dict[str, str | int | float] = Field(default_factory=dict)
    columns: dict[str, str] = Field(default_factory=dict)


class ContractTerms(Section):
    """A terms file: columns of the table, or the amounts of one contract, and the terms in order.

    columns: from what is meant (``id``, an amount, or a rate of the terms that differs by row) to the column
    of the table that holds it; a contract may name further ones of its own.
    """

    title: str = ""
    source: str = ""
    amounts: dict[str, float] = Field(default_factory=dict)
    columns: dict[str, str] = Field(default_factory=dict)
    contracts: list[Contract] = Field(min_length=1)

    @model_validator(mode="after")
    def _names(self) -> ContractTerms:
        for name in self.amounts:
            if name not in AMOUNTS:
                raise ValueError(f"amounts.{name}: unknown; amounts are {', '.join(AMOUNTS)}")
        for held in (self.columns, *(c.columns for c in self.contracts)):
            for name in held:
                if name not in ("id", *AMOUNTS, *_RATES):
                    raise ValueError(f"columns.{name}: unknown; name id, {', '.join((*AMOUNTS, *_RATES))}")
        return self


def read_terms(path: Path | str) -> ContractTerms:
    """Read a terms file, or one of the package by its name (``mssp-2018``, ``commercial-example``).

    Raises `StudyFileError` naming file, key and what is allowed.

    >>> read_terms("commercial-example").contracts[0].share_rate
    0.5
    """
    shipped = DEFINITIONS / "payment" / f"{path}.toml"
    known = sorted(f.stem for f in shipped.parent.glob("*.toml"))
    file = shipped if str(path) in known else Path(path)
    try:
        plain: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StudyFileError(
            f"{path}: there is no such terms file; write one (docs/methods/payment.md), or name one of the "
            f"package: {', '.join(known)}"
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise StudyFileError(f"{path}: cannot be read as TOML ({error})") from None
    try:
        return ContractTerms.model_validate(plain)
    except pydantic.ValidationError as error:
        faults = [f"{'.'.join(map(str, e['loc'])) or '(file)'}: {e['msg']}" for e in error.errors()]
        raise StudyFileError("\n  ".join([f"{path}:", *faults])) from None


def settlement_cases(
    terms: ContractTerms, frame: pd.DataFrame | None = None
) -> Iterator[tuple[str, Contract, dict[str, Any]]]:
    """Each contract to be settled: its name, its terms, its amounts as `models.settlement.settle` takes them.

    frame: one row per contract with the columns that the terms name; without it, the terms' own amounts.

    Raises `StudyFileError` and `DataProblem` naming the line and column of what does not fit.
    """
    if frame is None:
        if not terms.amounts:
            raise StudyFileError(
                "the terms hold no [amounts] of their own; name a table with one row per contract"
            )
        for contract in terms.contracts:
            yield contract.name, contract, _amounts(terms.amounts, contract.name)
        return
    if terms.amounts:
        raise StudyFileError("the terms hold [amounts] of one contract; leave the table or [amounts] out")
    wanted = {*terms.columns.values()}
    for contract in terms.contracts:
        wanted |= {*contract.columns.values(), *contract.where}
    lacking = sorted(wanted - set(map(str, frame.columns)))
    if lacking:
        raise DataProblem(f"the table lacks {', '.join(lacking)}, which the terms name")
    for number, held in enumerate(frame.to_dict("records"), start=2):
        row = {str(k): v for k, v in held.items()}
        chosen = [c for c in terms.contracts if all(row[k] == v for k, v in c.where.items())]
        if not chosen:
            raise DataProblem(f"line {number}: no contract of the terms is meant for this row; see where")
        columns = {**terms.columns, **chosen[0].columns}
        key = columns.pop("id", None)
        name = f"line {number}" if key is None else str(row[key])
        values = {what: _number(row[column], column, number) for what, column in columns.items()}
        rates = {k: v for k, v in values.items() if k in SharedSavings.model_fields and v is not None}
        contract = _with_rates(chosen[0], rates, number)
        yield name, contract, _amounts({k: v for k, v in values.items() if k in AMOUNTS}, name)


def _number(value: object, column: str, line: int) -> float | None:
    if value is None or pd.isna(value):  # type: ignore[call-overload]
        return None
    text = str(value).strip().replace(",", "")
    if text in ("", "-", "*", "."):
        return None
    try:
        return float(text.removeprefix("$"))
    except ValueError:
        raise DataProblem(f"line {line}, column {column}: {printable(text)!r} is not a number") from None


def _with_rates(contract: Contract, rates: Mapping[str, float], line: int) -> Contract:
    for name, rate in rates.items():
        if not 0 <= rate <= 1:
            raise DataProblem(f"line {line}: {name} {rate:g} is not a share from 0 to 1")
    return contract.model_copy(update=dict(rates))


def _amounts(held: Mapping[str, float | None], name: str) -> dict[str, Any]:
    """The arguments of `medhome.models.settlement.settle`; amounts in PMPM become dollars."""
    known = {k: v for k, v in held.items() if v is not None}
    for side in ("benchmark", "actual"):
        if f"{side}_pmpm_usd" in known and "member_months" in known:
            known.setdefault(f"{side}_usd", known[f"{side}_pmpm_usd"] * known["member_months"])
        if f"{side}_usd" not in known:
            raise DataProblem(f"{name}: no {side}_usd, nor {side}_pmpm_usd with member_months")
    wanted = ("benchmark_usd", "actual_usd", "persons", "quality_score", "loss_relief_usd")
    found: dict[str, Any] = {k: known[k] for k in wanted if k in known}
    if "quality_met" in known:
        found["quality_met"] = known["quality_met"] != 0
    return found
