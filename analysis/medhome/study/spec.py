"""The study as a document: read from TOML, every fault reported at once."""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any, Literal

import pydantic
from pydantic import BaseModel, Field, field_validator, model_validator

from medhome.study.claims_choices import STRICT, Claims, read_service_rules
from medhome.study.deflator import read_price_index
from medhome.study.outcomes import Outcomes
from medhome.study.periods import Span, month_index, month_name
from medhome.study.problems import StudyFileError, printable


class _Section(BaseModel):
    model_config = STRICT


class Program(_Section):
    """The care program, in words for the report."""

    name: str = Field(min_length=1)
    description: str = ""
    payer: str = ""
    organization: str = ""
    components: list[str] = []
    payment_model: str = ""
    co_interventions: list[str] = []


class Periods(_Section):
    """Baseline, program start and the last month analysed; months as YYYY-MM."""

    baseline_first: str
    baseline_last: str
    start: str
    through: str
    washout_months: int = Field(default=0, ge=0, le=24)
    run_out_months: int = Field(default=3, ge=0, le=36)

    @field_validator("baseline_first", "baseline_last", "start", "through")
    @classmethod
    def _month(cls, value: str) -> str:
        return month_name(month_index(value))

    @model_validator(mode="after")
    def _order(self) -> Periods:
        if self.baseline.months < 1:
            raise ValueError(
                "baseline_last lies before baseline_first; the baseline needs at least one month"
            )
        if self.start_month < self.baseline.end:
            raise ValueError(
                f"start {self.start} lies inside the baseline; it must come after baseline_last "
                f"{self.baseline_last}"
            )
        if month_index(self.through) < self.start_month + self.washout_months:
            raise ValueError(
                f"through {self.through} lies before the performance period, which begins at "
                f"{month_name(self.start_month + self.washout_months)}"
            )
        return self

    @property
    def baseline(self) -> Span:
        return Span(month_index(self.baseline_first), month_index(self.baseline_last) + 1)

    @property
    def start_month(self) -> int:
        return month_index(self.start)

    @property
    def performance(self) -> Span:
        return Span(self.start_month + self.washout_months, month_index(self.through) + 1)

    @property
    def analysed(self) -> tuple[int, ...]:
        """Every month analysed: baseline and performance, without the washout."""
        return (*self.baseline, *self.performance)


class Arms(_Section):
    """Who is treated: by the program roster, or by a rule where no program exists (a placeholder)."""

    rule: Literal["roster", "state", "hash"] = "roster"
    program_id: str = ""
    treated_states: list[str] = []
    treated_share: float = Field(default=0.5, gt=0, lt=1)
    placeholder_practices: int = Field(default=20, ge=2, le=1000)

    @model_validator(mode="after")
    def _state(self) -> Arms:
        if self.rule == "state" and not self.treated_states:
            raise ValueError('treated_states must name at least one state when rule is "state"')
        return self

    @property
    def placeholder(self) -> bool:
        return self.rule != "roster"


EXPOSURE_RULES = {
    "mid_month": "on the 15th",
    "first_of_month": "on the first day",
    "any_day": "on at least one day",
    "full_month": "on every day",
    "day_fraction": "on at least one day, counted by days",
}
"""When a member-month counts, in the words that follow "enrolled" (`docs/methods.md`, member months)."""


class Population(_Section):
    """Eligibility rules, applied in the order written here."""

    age_min: int = Field(default=0, ge=0, le=130)
    age_max: int = Field(default=64, ge=0, le=130)
    payer_types: list[str] = []
    min_months: int = Field(default=1, ge=1, le=120)
    require_medical_benefit: bool = True
    require_pharmacy_benefit: bool = True
    exposure: Literal["mid_month", "first_of_month", "any_day", "full_month", "day_fraction"] = "mid_month"
    capitated_months: Literal["keep", "drop"] = "keep"

    @model_validator(mode="after")
    def _ages(self) -> Population:
        if self.age_max < self.age_min:
            raise ValueError(f"age_max {self.age_max} is below age_min {self.age_min}")
        return self


class Attribution(_Section):
    """Which practice a member belongs to."""

    method: Literal["plurality", "roster", "rule"] = "plurality"
    lookback_months: int = Field(default=12, ge=1, le=36)
    freeze: Literal["baseline"] = "baseline"
    min_visits: int = Field(default=1, ge=1, le=12)


class Completion(_Section):
    """How cost that the run-out cut leaves unpaid is developed to ultimate (shown beside the headline)."""

    average: Literal["last-12", "all"] = "last-12"
    arms: Literal["pooled", "separate"] = "pooled"
    drop_high_low: bool = False
    tail_after_lags: int = Field(default=24, ge=1, le=60)
    tail_factor: float = Field(default=1.0, ge=1, le=1.5)
    last_sigma: Literal["mack", "log-linear"] = "mack"
    warn_below: float = Field(default=0.90, ge=0, le=1)
    refuse_below: float = Field(default=0.75, ge=0, le=1)

    @model_validator(mode="after")
    def _limits(self) -> Completion:
        if self.refuse_below > self.warn_below:
            raise ValueError(
                f"refuse_below {self.refuse_below} is above warn_below {self.warn_below}; a study is warned "
                "before it is refused"
            )
        return self


class Risk(_Section):
    """The built-in cost model: age-sex bands and condition groups, frozen at baseline."""

    model: Literal["age-sex-conditions", "age-sex", "none"] = "age-sex-conditions"
    lookback_months: int = Field(default=12, ge=1, le=36)
    min_members_per_term: int = Field(default=50, ge=1)


class Expected(_Section):
    """Which definition of "expected" is primary, declared beforehand."""

    primary: Literal["E1", "E2", "E3"] = "E3"


class Estimation(_Section):
    """The difference-in-differences model."""

    covariates: list[Literal["expected"]] = ["expected"]
    prior_scale_share: float = Field(default=0.08, gt=0, le=1)


class Fee(_Section):
    """A program payment, in dollars PMPM of the treated arm, from one month to another (both inside)."""

    name: str = Field(min_length=1)
    pmpm_usd: float = Field(ge=0)
    first: str
    last: str | None = None

    @field_validator("first", "last")
    @classmethod
    def _month(cls, value: str | None) -> str | None:
        return None if value is None else month_name(month_index(value))


class Disclosure(_Section):
    """Small counts: no count from 1 to floor - 1 is shown."""

    policy: Literal["cms-11"] = "cms-11"
    floor: int = Field(default=11, ge=2, le=100)


class Data(_Section):
    """How the input folder is read."""

    source: Literal["native", "synpuf", "cclf", "omop", "synthea"] = "native"
    synthetic: bool = False


class StudySpec(_Section):
    """A study: everything that decides its numbers, and nothing about the place where it runs."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    title: str = Field(min_length=1, max_length=200)
    question: str = ""
    version: str = "1"
    seed: int = Field(ge=0, le=2**31 - 1)
    paid_through: str
    data: Data = Data()
    program: Program
    periods: Periods
    arms: Arms = Arms()
    population: Population = Population()
    attribution: Attribution = Attribution()
    outcomes: Outcomes = Outcomes()
    claims: Claims = Claims()
    completion: Completion = Completion()
    risk: Risk = Risk()
    expected: Expected = Expected()
    estimation: Estimation = Estimation()
    fees: list[Fee] = []
    disclosure: Disclosure = Disclosure()

    @field_validator("paid_through")
    @classmethod
    def _paid_month(cls, value: str) -> str:
        return month_name(month_index(value))

    @model_validator(mode="after")
    def _run_out(self) -> StudySpec:
        have = month_index(self.paid_through) - month_index(self.periods.through)
        if have < self.periods.run_out_months:
            raise ValueError(
                f"paid_through {self.paid_through} leaves {have} months of run-out after through "
                f"{self.periods.through}; run_out_months asks for {self.periods.run_out_months}: "
                f"use an earlier through, or later claims"
            )
        if self.outcomes.services == "all" and not self.population.require_pharmacy_benefit:
            raise ValueError(
                'outcomes.services "all" counts drugs, so population.require_pharmacy_benefit must be true '
                '(a member without the benefit is not one without drug cost); or set services to "medical"'
            )
        index = self.outcomes.price_index
        if index is not None and (fault := index.fault(list(self.periods.analysed))):
            raise ValueError(f"outcomes.deflator: {fault}; give every month analysed")
        if index is not None and self.claims.prices:
            raise ValueError("claims.prices splits dollars as they were; leave outcomes.deflator out")
        if self.arms.placeholder and self.attribution.method != "rule":
            raise ValueError('attribution.method must be "rule" when arms.rule is not "roster"')
        return self

    @property
    def fingerprint(self) -> str:
        """sha256 of every choice of the study, whatever the layout of its file."""
        plain = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(plain.encode()).hexdigest()

    def rerun_through(self, month: str) -> StudySpec:
        """The same design with a new data period that ends with ``month`` (YYYY-MM)."""
        plain = self.model_dump(mode="python")
        plain["periods"]["through"] = month
        return _validated(plain, source=f"--through {month}")

    def fee_pmpm(self, month: int) -> float:
        """Program payments due in a month, in the study's dollars per treated member."""
        due = sum(
            f.pmpm_usd
            for f in self.fees
            if month_index(f.first) <= month and (f.last is None or month <= month_index(f.last))
        )
        return due * self.price_ratio(month) if due else due

    def price_ratio(self, month: int) -> float:
        """Dollars of the study for one dollar of this month: 1 where the study names no price index."""
        index = self.outcomes.price_index
        return 1.0 if index is None else index.ratio(month)


def read_study(path: Path) -> StudySpec:
    """Read a study file; every fault is reported at once, with key, value and what is allowed.

    Raises `StudyFileError`.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise StudyFileError(f"{path}: there is no such study file; `medhome init DIR` writes one") from None
    except (OSError, UnicodeDecodeError) as error:
        raise StudyFileError(f"{path}: cannot be read as UTF-8 text ({error})") from None
    try:
        plain = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise StudyFileError(f"{path}: not valid TOML: {error}") from None
    _read_lists(plain, path)
    return _validated(plain, source=str(path))


def _read_lists(plain: dict[str, Any], path: Path) -> None:
    """Read the CSV files beside the study file that it names into their own keys, which no file may hold."""
    readers: dict[tuple[str, str, str], Any] = {
        ("claims", "service_categories", "service_rules"): read_service_rules,
        ("outcomes", "deflator", "deflator_index"): read_price_index,
    }
    for (section, key, rows), reader in readers.items():
        choices = plain.get(section)
        if not isinstance(choices, dict):
            continue
        if rows in choices:
            raise StudyFileError(
                f"{path}: {section}.{rows}: unknown key; name the CSV file in {section}.{key}"
            )
        name = choices.get(key)
        if isinstance(name, str) and name:
            choices[rows] = reader(path.parent / name)


def _validated(plain: dict[str, Any], source: str) -> StudySpec:
    try:
        return StudySpec.model_validate(plain)
    except pydantic.ValidationError as error:
        faults = [_fault(e) for e in error.errors()]
        noun = "fault" if len(faults) == 1 else "faults"
        raise StudyFileError(
            "\n".join([f"{source}: {len(faults)} {noun}", *(f"  {f}" for f in faults)])
        ) from None


def _fault(error: Any) -> str:
    """One line on one fault: key, value, what is allowed, the nearest right name."""
    where = ".".join(str(p) for p in error["loc"]) or "(study)"
    value = error.get("input")
    if error["type"] == "extra_forbidden":
        known = _known_keys(error["loc"])
        near = difflib.get_close_matches(str(error["loc"][-1]), known, n=1)
        hint = f'did you mean "{near[0]}"?' if near else f"known keys: {', '.join(known)}"
        return f"{where}: unknown key; {hint}"
    if error["type"] == "missing":
        return f"{where}: missing; add this key"
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "value_error" and isinstance(value, dict):
        return f"{where}: {message}"
    if error["type"] == "literal_error" and isinstance(value, str):
        allowed = [a.strip(" '") for a in error["ctx"]["expected"].replace(" or ", ", ").split(",")]
        near = difflib.get_close_matches(value, allowed, n=1)
        message += f'; did you mean "{near[0]}"?' if near else ""
    return f"{where} = {printable(repr(value))}: {message}"


def _known_keys(location: tuple[Any, ...]) -> list[str]:
    model: Any = StudySpec
    for part in location[:-1]:
        if isinstance(part, int):
            continue
        annotation = model.model_fields[part].annotation
        inner = getattr(annotation, "__args__", None)
        model = inner[0] if inner else annotation
    return sorted(model.model_fields)
