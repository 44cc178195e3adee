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
from medhome.study.choices import flat_choices
from medhome.study.provenance import file_digest
from medhome.study.spec import StudySpec

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
    *,
    package: Path,
    notebooks: Path,
    data: Path | None = None,
) -> Standing:
    """Compare what made a report with what lies here now.

    Arguments
        published: what `verify.read_published` read.
        report: the report's name in messages.
        spec: the study as its file says now.
        package, notebooks: folders of the package's sources and of the report notebooks.
        data: folder of the input tables; without it the files are not looked at.
    """
    manifest = published.manifest
    now: dict[str, Any] = {
        **{k: manifest.get(k) for k in ("inputs", "seeds")},
        "parameters": flat_choices(spec),
        "code": code_here(package),
        "environment": environment_here(package),
    }
    found = [d for d in differences(manifest, now) if d.moves_numbers]
    reasons = [_reason(d) for d in found]
    unseen: list[str] = []
    if data is None:
        unseen.append("The input files were not looked at: name their folder with --data.")
    else:
        reasons = [*changed_files(manifest.get("inputs", []), data), *reasons]
    steps = [Step(id=EVALUATION, reasons=tuple(reasons))]
    steps += _notebook_steps(manifest.get("steps", []), notebooks, bool(reasons))
    altered = tuple(f"{name}: not the file that the manifest describes" for name in published.altered)
    return Standing(report=report, steps=(*steps, Step(id=PAGES, reasons=altered)), unseen=tuple(unseen))


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
