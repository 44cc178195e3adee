"""Which measures are there, and what does each ask? One TOML file a measure under
``definitions/measures``."""

from __future__ import annotations

import difflib
import functools
import tomllib
from pathlib import Path
from typing import Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field, model_validator

from medhome.study.measure_choices import Family, ListedCode
from medhome.study.problems import StudyFileError
from medhome.study.spec import StudySpec
from medhome.tables.services import codelist

FOLDER = Path(__file__).resolve().parents[2] / "definitions" / "measures"

Counts = Literal[
    "admissions",
    "preventable_admissions",
    "emergency",
    "emergency_shares",
    "readmissions",
    "primary_care_visits",
    "specialist_visits",
    "imaging",
    "generic_fills",
    "follow_up",
    "days_to_follow_up",
    "care",
    "days_covered",
]
_NEEDS_LIST = ("imaging", "follow_up", "days_to_follow_up", "days_covered")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Diagnosed(_Part):
    """Who has a condition: codes on ``days`` different days in ``months``, or so many fills of a drug."""

    list: str
    days: int = Field(default=2, ge=1)
    months: int = Field(default=24, ge=1, le=120)
    or_fills: str = ""
    fills: int = Field(default=1, ge=1)


class Population(_Part):
    """Who is asked for: age on the last day of the year, sex, a condition, and enrolment without gaps."""

    age_min: int = Field(default=0, ge=0, le=130)
    age_max: int = Field(default=130, ge=0, le=130)
    sex: Literal["", "F", "M"] = ""
    diagnosed: Diagnosed | None = None
    enrolled_months: int = Field(default=12, ge=0, le=12)
    gaps: int = Field(default=1, ge=0)
    gap_days: int = Field(default=45, ge=0)
    pharmacy: bool = False


class Service(_Part):
    """A code of a list within so many months that end with the year (exclusions: as far as claims reach)."""

    list: str
    months: int = Field(default=120, ge=1, le=120)


class Measure(_Part):
    """One measure, as its file declares it.

    ``unit``: "per_1000" (member-years), "share" of the population or of events, or "mean". ``direction``: the
    better one. ``value_sets``: files that it cannot do without; ``improved_by``: files that it uses where the
    study has them. Nothing here is in Python: a changed file is a changed measure.
    """

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    label: str = Field(min_length=1)
    family: Family
    counts: Counts
    unit: Literal["per_1000", "share", "mean"]
    direction: Literal["lower", "higher", "none"]
    source: str = Field(min_length=1)
    kinds: tuple[Literal["other", "maternity", "newborn"], ...] = Field(default=(), strict=False)
    shares: tuple[str, ...] = Field(default=(), strict=False)
    list: str = ""
    within_days: int = Field(default=30, ge=1, le=365)
    least_fills: int = Field(default=2, ge=1)
    threshold: float = Field(default=0.8, gt=0, le=1)
    value_sets: tuple[str, ...] = Field(default=(), strict=False)
    improved_by: tuple[str, ...] = Field(default=(), strict=False)
    population: Population = Population()
    numerator: tuple[Service, ...] = Field(default=(), strict=False)
    exclusions: tuple[Service, ...] = Field(default=(), strict=False)

    @model_validator(mode="after")
    def _complete(self) -> Measure:
        if self.counts == "care" and not self.numerator:
            raise ValueError("a measure of care needs [[numerator]], the services that meet it")
        if self.counts in _NEEDS_LIST and not self.list:
            raise ValueError(f"a measure that counts {self.counts} needs list, the codes that it counts")
        return self

    @property
    def lists(self) -> tuple[str, ...]:
        """Every code list that the measure reads, once."""
        who = self.population.diagnosed
        own = [self.list] if self.list else []
        own += [s.list for s in (*self.numerator, *self.exclusions)]
        own += [who.list, *([who.or_fills] if who.or_fills else [])] if who else []
        return tuple(dict.fromkeys(own))


def read_measure(path: Path) -> Measure:
    """A measure from its file; raises `StudyFileError` naming the file and every fault."""
    try:
        found = Measure.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise StudyFileError(f"{path}: cannot be read as TOML ({error})") from None
    except pydantic.ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'measure'}: {e['msg']}" for e in error.errors())
        raise StudyFileError(f"{path}: {faults}") from None
    if found.id != path.stem:
        raise StudyFileError(f"{path}: its id is {found.id!r}; name file and measure alike")
    return found


@functools.cache
def measures() -> dict[str, Measure]:
    """Every measure that travels with the package, by id.

    >>> measures()["diabetes_a1c"].lists
    ('a1c_test', 'hospice', 'diabetes', 'diabetes_drug')
    """
    found = [read_measure(path) for path in sorted(FOLDER.glob("*.toml"))]
    return {measure.id: measure for measure in found}


def chosen(spec: StudySpec) -> list[Measure]:
    """The measures of a study, in the order of their families and files.

    Raises `StudyFileError` where ``measures.leave_out`` names one that is not there.
    """
    known = measures()
    for name in spec.measures.leave_out:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"measures are {', '.join(known)}"
            raise StudyFileError(f"measures.leave_out: there is no measure {name!r}; {hint}")
    families = [f for f in dict.fromkeys(spec.measures.families)]
    return [
        m for f in families for m in known.values() if m.family == f and m.id not in spec.measures.leave_out
    ]


def named_by_payment(spec: StudySpec) -> None:
    """Are the measures that pay for performance names among those of the study?

    Raises `StudyFileError` naming the first that is not, and what to do.
    """
    ids = {m.id for m in chosen(spec)} if spec.measures.enabled else set()
    for measure in (m for program in spec.payment.performance for m in program.measures):
        name = measure.measure
        if not name or name in ids:
            continue
        known = measures()
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"measures are {', '.join(known)}"
            raise StudyFileError(f"payment.performance.measures: there is no measure {name!r}; {hint}")
        raise StudyFileError(
            f"payment.performance.measures: {measure.id} takes its value from {name}, which the study does "
            f"not evaluate; set measures.enabled, with {known[name].family!r} among its families and {name} "
            "not left out, or give its value"
        )


def code_lists(spec: StudySpec) -> dict[str, list[tuple[str, str]]]:
    """Every code list: name → (system, code), ranges written out; the study's own replace the package's.

    Raises `StudyFileError` where the study replaces a list that no measure reads.

    >>> from medhome.study.definitions import study_template
    >>> import tomllib
    >>> study = StudySpec.model_validate(tomllib.loads(study_template()))
    >>> code_lists(study)["lipid_test"][:2]
    [('hcpcs', '3048F'), ('hcpcs', '3049F')]
    """
    rows = [ListedCode.model_validate(row) for row in codelist("measure_codes")]
    known = {row.list for row in rows}
    for name in spec.measures.lists:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"lists are {', '.join(sorted(known))}"
            raise StudyFileError(f"measures.lists: no measure reads a list {name!r}; {hint}")
    rows = [row for row in rows if row.list not in spec.measures.lists] + list(spec.measures.list_rows)
    found: dict[str, list[tuple[str, str]]] = {}
    for row in rows:
        found.setdefault(row.list, []).extend((row.system, code) for code in row.codes())
    return {name: list(dict.fromkeys(codes)) for name, codes in found.items()}
