"""Surveys as data: which instruments there are, what each item asks, and which answers count as best.

One TOML file an instrument, under ``definitions/surveys`` or beside the study file. Items have names and
words of their own; the text of somebody's questionnaire is never needed.
"""

from __future__ import annotations

import functools
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
from pydantic import BaseModel, Field, model_validator

from medhome.study.claims_choices import STRICT
from medhome.study.definitions import DEFINITIONS
from medhome.study.problems import StudyFileError

FOLDER = DEFINITIONS / "surveys"
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
InstrumentFile = Annotated[str, Field(pattern=r"^[\w-][\w.-]*\.toml$")]
Adjuster = Literal["age", "sex", "risk", "self_rated_health", "mode"]


class Item(BaseModel):
    """One question: its name in the table, and what an answer to it counts.

    unit "share": ``answers`` lists every answer, worst to best, and ``top`` those that count (the top box).
    unit "mean": an amount between ``low`` and ``high``, in the unit ``of``. An item with ``use`` "health" or
    "invitation" is not measured: the first tells self-rated health, by the place of the answer; the second
    has one row for each person who was asked, whatever the response.
    """

    model_config = STRICT

    id: Name
    label: str = Field(min_length=1, max_length=120)
    unit: Literal["share", "mean"] = "share"
    use: Literal["measure", "health", "invitation"] = "measure"
    direction: Literal["higher", "lower", "none"] = "higher"
    answers: list[str] = Field(default_factory=list)
    top: list[str] = Field(default_factory=list)
    low: float | None = None
    high: float | None = None
    of: str = ""

    @model_validator(mode="after")
    def _complete(self) -> Item:
        if self.use == "invitation":
            return self
        if self.unit == "mean":
            if self.low is None or self.high is None or not self.low < self.high:
                raise ValueError(f"item {self.id}: an item of unit mean needs low and high, low below high")
            return self
        if len(set(self.answers)) < 2:
            raise ValueError(f"item {self.id}: needs answers, every answer that may be given, worst to best")
        if self.use == "measure" and (not self.top or not set(self.top) < set(self.answers)):
            raise ValueError(f"item {self.id}: top must name some of its answers, and not all of them")
        return self


class Composite(BaseModel):
    """Items that are read together: the mean of what a respondent's answers to them count."""

    model_config = STRICT

    id: Name
    label: str = Field(min_length=1, max_length=120)
    items: list[str] = Field(min_length=2)


class Instrument(BaseModel):
    """One instrument: who answers it, its items and composites, and what answers are adjusted for.

    id: as the column ``instrument`` of the table names it. respondents: whom ``person_id`` names: members,
    clinicians (by npi) or practices (by practice_id). no_answer: responses that say that none was given.
    """

    model_config = STRICT

    id: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    label: str = Field(min_length=1, max_length=80)
    respondents: Literal["members", "clinicians", "practices"] = "members"
    adjust: list[Adjuster] = Field(default_factory=list)
    no_answer: list[str] = Field(default_factory=list)
    source: str = Field(min_length=1)
    items: list[Item] = Field(min_length=1)
    composites: list[Composite] = Field(default_factory=list)

    @model_validator(mode="after")
    def _fits(self) -> Instrument:
        names = [i.id for i in self.items] + [c.id for c in self.composites]
        if twice := sorted({n for n in names if names.count(n) > 1}):
            raise ValueError(f"{', '.join(twice)}: items and composites need names of their own")
        units = {i.id: i.unit for i in self.measured}
        for c in self.composites:
            if unknown := [i for i in c.items if units.get(i) != "share"]:
                raise ValueError(f"composite {c.id}: {', '.join(unknown)} is no measured item with a top box")
        if self.respondents != "members" and (of_members := set(self.adjust) - {"mode"}):
            raise ValueError(
                f"adjust: {', '.join(sorted(of_members))} is known of members only, not of {self.respondents}"
            )
        if "self_rated_health" in self.adjust and self.one("health") is None:
            raise ValueError('adjust names self_rated_health, but no item has use = "health"')
        return self

    @property
    def measured(self) -> list[Item]:
        """The items that are measured, in order."""
        return [i for i in self.items if i.use == "measure"]

    def one(self, use: str) -> Item | None:
        """The item of another use, where there is one."""
        return next((i for i in self.items if i.use == use), None)


class Surveys(BaseModel):
    """Whether the answers of surveys are evaluated, and whose instruments say what they mean."""

    model_config = STRICT

    enabled: bool = False
    instruments: dict[str, InstrumentFile] = Field(default_factory=dict)
    instrument_rows: tuple[Instrument, ...] = ()

    @model_validator(mode="after")
    def _read(self) -> Surveys:
        if set(self.instruments) != {i.id for i in self.instrument_rows}:
            raise ValueError("instruments names files, which read_study reads; not all were read")
        return self

    @property
    def known(self) -> dict[str, Instrument]:
        """Every instrument by name: the package's, then the study's own, which replace those of their name.

        >>> list(Surveys().known)
        ['appointment-access', 'clinician-satisfaction', 'patient-experience']
        """
        return packaged() | {i.id: i for i in self.instrument_rows}


@functools.cache
def packaged() -> dict[str, Instrument]:
    """The instruments that travel with the package, by name."""
    found = [Instrument.model_validate(read_instrument(p.stem, p)) for p in sorted(FOLDER.glob("*.toml"))]
    return {instrument.id: instrument for instrument in found}


def read_instrument(name: str, path: Path) -> dict[str, Any]:
    """An instrument from its file, as plain values that are those of an `Instrument`.

    Raises `StudyFileError` naming the file and every fault.
    """
    try:
        plain = tomllib.loads(path.read_text(encoding="utf-8"))
        found = Instrument.model_validate(plain)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise StudyFileError(
            f"{path}: the survey instrument {name!r} cannot be read as TOML ({error}); put the file beside "
            "the study file"
        ) from None
    except pydantic.ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'instrument'}: {e['msg'].removeprefix('Value error, ')}"
            for e in error.errors()
        )
        raise StudyFileError(f"{path}: {faults}") from None
    if found.id != name:
        raise StudyFileError(f"{path}: its id is {found.id!r}, but {name!r} is asked for; name both alike")
    return plain
