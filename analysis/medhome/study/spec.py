"""The study as a document: read from TOML, every fault reported at once."""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any, Literal

import pydantic
from pydantic import Field, field_validator, model_validator

from medhome.study.arm_choices import Arms, Attribution
from medhome.study.care_management_choices import CareManagementChoices
from medhome.study.claims_choices import Claims, read_service_rules
from medhome.study.comparison_choices import Comparison
from medhome.study.cost_model_choices import CostModelChoices
from medhome.study.deflator import read_price_index
from medhome.study.expected_choices import Expected, SavingsPrior
from medhome.study.falsification_choices import PlaceboOutcome
from medhome.study.fee_schedules import schedule_faults
from medhome.study.list_choices import Lists
from medhome.study.measure_choices import Measures, read_code_list
from medhome.study.outcomes import Outcomes
from medhome.study.payment_choices import Fee, Payment
from medhome.study.period_choices import Periods
from medhome.study.periods import month_index, month_name
from medhome.study.population_choices import Population
from medhome.study.power_choices import PowerPlan
from medhome.study.problems import StudyFileError, printable
from medhome.study.risk_choices import OWN, Risk
from medhome.study.section import Section
from medhome.study.specification_choices import Specifications
from medhome.study.survey_choices import Surveys, read_instrument


class Program(Section):
    """The care program, in words for the report."""

    name: str = Field(min_length=1)
    description: str = ""
    location: str = ""
    practices: str = ""
    payer: str = ""
    organization: str = ""
    components: list[str] = Field(default_factory=list)
    payment_model: str = ""
    co_interventions: list[str] = Field(default_factory=list)
    reported_outcomes: list[str] = Field(default_factory=list)


class Completion(Section):
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


class Estimation(Section):
    """The difference-in-differences model."""

    covariates: list[Literal["expected"]] = Field(default=["expected"])
    prior_scale_share: float = Field(default=0.08, gt=0, le=1)
    member_effects: bool = False


class Disclosure(Section):
    """Small counts: no count from 1 to floor - 1 is shown; "opensafely-7" also rounds what is shown."""

    policy: Literal["cms-11", "opensafely-7"] = "cms-11"
    floor: int = Field(default=11, ge=2, le=100)

    @model_validator(mode="before")
    @classmethod
    def _floor_of_the_policy(cls, plain: Any) -> Any:
        if isinstance(plain, dict) and plain.get("policy") == "opensafely-7":
            return {"floor": 8, **plain}
        return plain

    @property
    def rounding(self) -> bool:
        """Whether counts that are shown are rounded (`docs/methods/rounding.md`)."""
        return self.policy == "opensafely-7"


class Data(Section):
    """How the input folder is read."""

    source: Literal["native", "synpuf", "cclf", "omop", "synthea"] = "native"
    synthetic: bool = False


class StudySpec(Section):
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
    comparison: Comparison = Comparison()
    estimation: Estimation = Estimation()
    specifications: Specifications = Specifications()
    savings_prior: SavingsPrior | None = None
    placebo_outcomes: list[PlaceboOutcome] = Field(default_factory=list)
    cost_models: CostModelChoices = CostModelChoices()
    measures: Measures = Measures()
    lists: Lists = Lists()
    care_management: CareManagementChoices = CareManagementChoices()
    surveys: Surveys = Surveys()
    fees: list[Fee] = Field(default_factory=list)
    payment: Payment = Payment()
    power: PowerPlan = PowerPlan()
    disclosure: Disclosure = Disclosure()

    @model_validator(mode="before")
    @classmethod
    def _without_risk(cls, plain: Any) -> Any:
        """risk.timing "none" takes the covariate out, unless the study names covariates of its own."""
        if not isinstance(plain, dict):
            return plain
        risk, estimation = plain.get("risk"), plain.get("estimation", {})
        asked = risk.get("timing") if isinstance(risk, dict) else getattr(risk, "timing", None)
        if asked == "none" and isinstance(estimation, dict) and "covariates" not in estimation:
            return {**plain, "estimation": {**estimation, "covariates": []}}
        return plain

    @field_validator("paid_through")
    @classmethod
    def _paid_month(cls, value: str) -> str:
        return month_name(month_index(value))

    @field_validator("placebo_outcomes")
    @classmethod
    def _once(cls, value: list[PlaceboOutcome]) -> list[PlaceboOutcome]:
        if len({p.id for p in value}) < len(value):
            raise ValueError("the same codes and measure stand there twice; name each once")
        return value

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
        if faults := schedule_faults(self.fees):
            raise ValueError(f"fees: {'; '.join(faults)}")
        index = self.outcomes.price_index
        if index is not None and self.payment.shared_savings is not None:
            raise ValueError(
                "payment.shared_savings settles dollars as they were; leave outcomes.deflator out"
            )
        if index is not None and (fault := index.fault(list(self.periods.analysed))):
            raise ValueError(f"outcomes.deflator: {fault}; give every month analysed")
        if index is not None and self.claims.prices:
            raise ValueError("claims.prices splits dollars as they were; leave outcomes.deflator out")
        for population in self.specifications.attributions:
            if population == "market" and any(e.practice_id for e in self.arms.exclusions):
                raise ValueError(
                    'specifications.attributions names "market", where members belong to areas, but '
                    "arms.exclusions names a practice; exclude its organization_id, or leave one of them out"
                )
        if self.risk.timing == "none" and self.estimation.covariates:
            raise ValueError(
                'risk.timing "none" and estimation.covariates ["expected"] contradict each other; leave one '
                "of them out"
            )
        if self.risk.timing == "concurrent" and not self.risk.reads_diagnoses:
            raise ValueError(
                f'risk.timing "concurrent" needs a model that reads diagnoses; risk.model is '
                f'"{self.risk.model}"'
            )
        if self.risk.model == OWN and self.data.source != "native":
            raise ValueError(
                f'risk.model "{OWN}" reads the table risk_score, which only data.source "native" has'
            )
        if self.lists.predicts and self.lists.prediction == "own" and self.data.source != "native":
            raise ValueError(
                'lists.prediction "own" reads the table risk_score, which only data.source "native" has'
            )
        if self.arms.placeholder and self.attribution.method != "rule":
            raise ValueError('attribution.method must be "rule" when arms.rule is not "roster"')
        if self.attribution.population == "market" and any(e.practice_id for e in self.arms.exclusions):
            raise ValueError(
                'arms.exclusions names a practice, but with attribution.population "market" members belong '
                "to areas; exclude its organization_id, or leave the exclusion out"
            )
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

    def attributed(self, population: str) -> StudySpec:
        """The same study with another attribution population, of those that ``specifications`` may name."""
        plain = self.model_dump(mode="python")
        plain["attribution"]["population"] = population
        if population != self.attribution.population:
            dynamic = population == "dynamic"
            plain["attribution"]["freeze"] = self.specifications.attribution_freeze if dynamic else "baseline"
        return _validated(plain, source=f'specifications.attributions "{population}"')

    def fee_pmpm(self, month: int) -> float:
        """Fees due in a month for a treated member of every tier, in the study's dollars."""
        due = sum(f.pmpm_usd for f in self.fees if f.arm == "treated" and f.holds_in(month))
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
    except RecursionError:
        raise StudyFileError(f"{path}: not valid TOML: lists or tables are nested too deeply") from None
    _read_lists(plain, path)
    return _validated(plain, source=str(path))


def _read_lists(plain: dict[str, Any], path: Path) -> None:
    """Read the files beside the study file that it names into their own keys, which no file may hold."""
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
    many: dict[tuple[str, str, str], tuple[str, Any]] = {
        ("measures", "lists", "list_rows"): ("CSV", read_code_list),
        ("surveys", "instruments", "instrument_rows"): (
            "TOML",
            lambda key, file: [read_instrument(key, file)],
        ),
    }
    for (section, key, rows), (kind, reader) in many.items():
        choices = plain.get(section)
        if not isinstance(choices, dict):
            continue
        if rows in choices:
            raise StudyFileError(
                f"{path}: {section}.{rows}: unknown key; name {kind} files in {section}.{key}"
            )
        files = choices.get(key)
        if isinstance(files, dict):
            named = {k: v for k, v in files.items() if isinstance(v, str) and v}
            choices[rows] = tuple(row for k, v in named.items() for row in reader(k, path.parent / v))


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
