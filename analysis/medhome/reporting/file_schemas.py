"""The shape of ``results.json`` and ``manifest.json``: models that give their JSON Schemas, and that check.

Both are closed: a key that is not described is refused, so that a description cannot fall behind what is
written.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

SHA256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
DAY = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
MONTH = Annotated[str, Field(pattern=r"^\d{4}-\d{2}$")]
FILE = Annotated[str, Field(pattern=r"^[^/\\][^\\]*$", description="relative, with / between folders")]
Interval = Annotated[list[float], Field(min_length=2, max_length=2)]
Real = int | float


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Tolerance(_Closed):
    """How far a number may be from its published value on another machine; nothing: not at all."""

    rtol: float | None = None
    atol: float | None = None
    why: str | None = None


class Number(_Closed):
    """One result: null where it was withheld or could not be estimated."""

    value: Real | None
    unit: str
    kind: Literal["count", "exact", "estimate", "simulated"]
    digits: Annotated[int, Field(ge=0, description="decimals, as printed")]
    label: str
    tolerance: Tolerance
    ci90: Interval | None = None
    ci95: Interval | None = None
    se: Real | None = None
    p: Annotated[Real, Field(ge=0, le=1)] | None = None
    df: Real | None = None
    n: dict[str, Real | None] | None = None
    model: str | None = None
    headline: Literal[True] | None = None
    headline_method: bool | None = None
    valid: Annotated[bool | None, Field(description="of a method: may be read as a finding here")] = None
    suppressed: Literal["primary-or-secondary"] | None = None


class Study(_Closed):
    id: str
    title: str
    version: str
    fingerprint: SHA256


class Period(_Closed):
    id: MONTH
    first: DAY
    last: DAY
    paid_through: DAY


class Code(_Closed):
    package: str
    version: str
    source_sha256: SHA256
    git_commit: str | None
    git_dirty: bool | None


class NamedFile(_Closed):
    file: FILE
    sha256: SHA256


class LinearAlgebra(_Closed):
    library: str | None
    version: str | None
    threads: int


class Environment(_Closed):
    python: str
    implementation: str
    platform: str
    lock: NamedFile | None
    packages: dict[str, str]
    blas: LinearAlgebra
    variables: dict[str, str]


class Seeds(_Closed):
    root: int
    steps: dict[str, list[int]]


class Input(_Closed):
    role: str
    name: FILE
    sha256: SHA256
    content_sha256: Annotated[str, Field(description="of the typed rows, whatever their order")]
    bytes: int
    rows: int
    sensitivity: Literal["synthetic", "restricted"]


class Rounded(_Closed):
    """What rounding could not keep: numbers withheld since a true one followed, totals that parts miss."""

    withheld_since_a_true_number_followed: int
    tables_that_do_not_add_up: list[str]


class Disclosure(_Closed):
    policy: str
    threshold: int
    rounding: Annotated[int | None, Field(description="counts are multiples of it; null: as counted")]
    cells_primary: int
    cells_secondary: int
    audit: str
    rounded: Rounded | None = None


class NotebookStep(_Closed):
    id: str
    notebook: FILE
    source_sha256: SHA256


class Step(NotebookStep):
    key: SHA256
    inputs: list[str]
    outputs: list[str]


class Output(_Closed):
    name: FILE
    sha256: SHA256
    bytes: int
    class_: Literal["release", "private"] = Field(alias="class")


class Exhibit(_Closed):
    id: str
    title: str
    step: str
    cell: str
    function: str | None


class Rendered(_Closed):
    """Other code or another environment that drew the pages than made the numbers."""

    code: Code
    environment: Environment
    steps: list[NotebookStep]


class ManifestFile(_Closed):
    """What made a report; ``run_id`` covers all but outputs, exhibits and rendered."""

    schema_: Literal["medhome/manifest/1"] = Field(alias="schema")
    study: Study
    period: Period
    run_id: SHA256
    synthetic: bool
    code: Code
    environment: Environment
    parameters: dict[str, Any]
    parameters_default: list[str]
    protocol: NamedFile | None
    seeds: Seeds
    inputs: list[Input]
    disclosure: Disclosure
    steps: list[Step]
    outputs: list[Output]
    exhibits: list[Exhibit]
    rendered: Rendered | None = None


class ResultsFile(_Closed):
    """Every number of a report under its name."""

    schema_: Literal["medhome/results/1"] = Field(alias="schema")
    run_id: SHA256
    study: str
    through: MONTH
    numbers: dict[str, Number]


FILES: dict[str, type[_Closed]] = {"manifest": ManifestFile, "results": ResultsFile}


def file_schema(name: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of ``manifest.json`` or ``results.json``.

    >>> sorted(file_schema("results")["properties"])
    ['numbers', 'run_id', 'schema', 'study', 'through']
    """
    made = FILES[name].model_json_schema(by_alias=True)
    return {
        **made,
        "title": f"{name}.json of medhome",
        "$schema": "https://json-schema.org/draft/2020-12/schema",
    }


_LEGIBLE = (
    "extra_forbidden",
    "literal_error",
    "string_pattern_mismatch",
    "less_than_equal",
    "greater_than_equal",
)
"""Faults with which a document can still be read: a key too many, a word or a number that is not allowed."""


def faults(name: str, document: Any, most: int = 10, *, illegible: bool = False) -> list[str]:
    """Where a document is not as described, in words; empty where it is.

    illegible: only faults with which it cannot be read: a part that is missing or of another kind.

    >>> faults("results", {"schema": "medhome/results/1"}, most=1)
    ['results.json, run_id: Field required']
    """
    try:
        FILES[name].model_validate(document)
    except ValidationError as error:
        errors = [one for one in error.errors() if not (illegible and one["type"] in _LEGIBLE)]
        found = [f"{name}.json, {'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in errors]
        more = [f"{name}.json: and {len(found) - most} more"] if len(found) > most else []
        return [*found[:most], *more]
    return []
