"""Is a report still what its study, data, code and environment would give? Each step with why it is stale.

Nothing is run. A digest that differs says that a step could come out otherwise, not that it would:
``medhome verify`` says which numbers do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medhome.reporting.differences import Difference, differences
from medhome.reporting.made_with import code_here, environment_here
from medhome.reporting.manifest import notebook_digest
from medhome.reporting.verify import Published
from medhome.study import protocol
from medhome.study.choices import flat_choices
from medhome.study.definitions import contracts
from medhome.study.provenance import file_digest
from medhome.study.spec import StudySpec

_TABLES = (".parquet", ".csv", ".csv.gz", ".txt", ".tsv")
EVALUATION, PAGES = "evaluation", "published files"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a report, and why it is stale; current when there is no reason."""

    id: str
    reasons: tuple[str, ...]

    @property
    def line(self) -> str:
        return f"{'stale' if self.reasons else 'current':8} {self.id}"


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What is stale and why.

    unseen: what was not looked at, in sentences (the input files where no folder was given).
    """

    report: str
    steps: tuple[Step, ...]
    unseen: tuple[str, ...]

    @property
    def stale(self) -> bool:
        return any(step.reasons for step in self.steps)

    def to_plain(self) -> dict[str, Any]:
        return {
            "schema": "medhome/status/1",
            "report": self.report,
            "stale": self.stale,
            "steps": [{"id": s.id, "stale": bool(s.reasons), "reasons": list(s.reasons)} for s in self.steps],
            "not_looked_at": list(self.unseen),
        }

    def to_text(self) -> str:
        count = sum(bool(s.reasons) for s in self.steps)
        lines = [f"{self.report}: {f'{count} of {len(self.steps)} steps stale' if count else 'current'}"]
        for step in self.steps:
            lines += [step.line, *(f"           {reason}" for reason in step.reasons)]
        return "\n".join([*lines, *self.unseen])


def standing(
    published: Published,
    report: str,
    spec: StudySpec,
    folder: Path,
    *,
    package: Path,
    notebooks: Path,
    data: Path | None = None,
    study: Path | None = None,
) -> Standing:
    """Compare what made a report with what lies here now.

    Arguments
        published: what `verify.read_published` read.
        report: the report's name in messages.
        spec: the study as its file says now.
        folder: where the report's files lie.
        package, notebooks: folders of the package's sources and of the report notebooks.
        data: folder of the input tables; without it the files are not looked at.
        study: folder with the study file, its lists and its lock as a run would copy them now; without it the
            choices alone are compared.
    """
    manifest = published.manifest
    here = code_here(package)
    now: dict[str, Any] = {
        **{k: manifest.get(k) for k in ("inputs", "seeds")},
        "parameters": flat_choices(spec),
        "code": here,
        "environment": environment_here(package),
    }
    found = [d for d in differences(manifest, now) if d.moves_numbers]
    reasons = [_reason(d) for d in found]
    unseen: list[str] = []
    if data is None:
        unseen.append("The input files were not looked at: name their folder with --data.")
    else:
        inputs = manifest.get("inputs", [])
        reasons = [*changed_files(inputs, data), *_added_files(inputs, data, spec), *reasons]
    if study is not None:
        reasons += _changed_study(study, folder)
    steps = [Step(id=EVALUATION, reasons=tuple(reasons))]
    steps += _notebook_steps(manifest.get("steps", []), notebooks, bool(reasons))
    last = Step(id=PAGES, reasons=tuple(_changed_pages(published, folder, here)))
    return Standing(report=report, steps=(*steps, last), unseen=tuple(unseen))


def never_run(report: str) -> Standing:
    """The standing of a study that has no report."""
    step = Step(id=EVALUATION, reasons=("there is no report yet: medhome run",))
    return Standing(report=report, steps=(step,), unseen=())


def _reason(one: Difference) -> str:
    if one.name == "code source_sha256":
        return "code: the package's sources are not those that made the report"
    group = "study file" if one.group in ("parameters", "period") else one.group
    name = one.name.removeprefix("parameter ")
    return f"{group}: {name} is {one.new!r}, was {one.old!r}"


def changed_files(inputs: Sequence[Mapping[str, Any]], data: Path) -> Iterator[str]:
    """The input files of a manifest that are missing from a folder or have other bytes there, in words."""
    for item in inputs:
        path = data / item["name"]
        if not path.is_file():
            yield f"data: {item['name']} ({item['role']}) is not in the folder"
        elif path.stat().st_size != item["bytes"] or file_digest(path) != item["sha256"]:
            yield f"data: {item['name']} ({item['role']}) has other bytes"


def _added_files(inputs: Sequence[Mapping[str, Any]], data: Path, spec: StudySpec) -> Iterator[str]:
    """Files of a data folder that a run would read now and that the report was not made from, in words.

    Of another format than the native one every file with the ending of a table counts: which of them are
    read, only reading tells.
    """
    known = {item["name"] for item in inputs}
    for path in sorted(p for p in data.rglob("*") if p.is_file() and p.name.lower().endswith(_TABLES)):
        name = path.relative_to(data).as_posix()
        table = name.partition("/")[0].partition(".")[0]
        if name not in known and (spec.data.source != "native" or table in contracts()):
            yield f"data: {name} is in the folder, and was not read"


def _changed_study(study: Path, folder: Path) -> Iterator[str]:
    """Files that a run would copy beside its pages and that are not as the report has them, in words."""
    for path in sorted(study.iterdir()):
        kept = folder / path.name
        if not kept.is_file() or kept.read_bytes() != path.read_bytes():
            yield f"study file: {path.name} is not as the report has it"
    if (folder / protocol.NAME).is_file() and not (study / protocol.NAME).is_file():
        yield f"study file: {protocol.NAME} is no longer there"


def _changed_pages(published: Published, folder: Path, here: Mapping[str, Any]) -> Iterator[str]:
    """Files of a report that are not as its manifest says, or that other code has drawn, in words."""
    for name in published.altered:
        yield f"{name}: not the file that the manifest describes"
    for item in published.manifest["outputs"]:
        if not (folder / item["name"]).is_file():
            yield f"{item['name']}: is not there"
    drawn = published.manifest.get("rendered", {"code": here})["code"]
    if drawn["source_sha256"] != here["source_sha256"]:
        yield "drawn with other code than this"


def _notebook_steps(steps: Sequence[Mapping[str, Any]], folder: Path, stale: bool) -> Iterator[Step]:
    now = {path.stem: path for path in sorted(folder.glob("[0-9]*.ipynb"))}
    was = {step["id"]: step["source_sha256"] for step in steps}
    for name in [*was, *(n for n in now if n not in was)]:
        reasons = ["follows the evaluation"] if stale else []
        if name not in now:
            reasons.append("the notebook is no longer there")
        elif name not in was:
            reasons.append("a notebook that the report does not have")
        elif notebook_digest(now[name]) != was[name]:
            reasons.append("the notebook has other cells")
        yield Step(id=name, reasons=tuple(reasons))
