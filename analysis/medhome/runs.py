"""A run: from a study file to a published report.

The only place where evaluation, simulation and reporting meet. The evaluation is imported where it is used: a
notebook that only shows results must not wait for the statistics to load.
"""

from __future__ import annotations

import functools
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from medhome.reporting import (
    disclosure,
    json_files,
    manifest,
    publish,
    quality_page,
    render,
    restated,
    results_file,
    runner,
    standing,
)
from medhome.reporting import verify as verification
from medhome.study import definitions, protocol, schema
from medhome.study.as_run import copy_study, study_through
from medhome.study.problems import DataProblem, StudyFileError
from medhome.study.progress import Progress, silent
from medhome.study.released import ReleasedRun
from medhome.study.results import Evaluation
from medhome.study.saved import load_evaluation, save_evaluation
from medhome.study.spec import StudySpec, read_study
from medhome.study.validation_results import ValidationResult
from medhome.version import __version__

PACKAGE = Path(__file__).resolve().parent


@dataclass(frozen=True, kw_only=True)
class Published:
    """Where a report lies, and its headline.

    unchanged: whether it was there already, of the same study, data, code and environment, and was kept.
    """

    folder: Path
    run_id: str
    headline: Mapping[str, Any]
    unchanged: bool = False


def notebooks_folder() -> Path:
    """The report notebooks: inside an installed package, or beside the source root in a checkout."""
    inside = PACKAGE / "notebooks"
    return inside if inside.is_dir() else PACKAGE.parents[1] / "notebooks"


def init(folder: Path) -> list[Path]:
    """Write a commented study file, its JSON Schema and a data dictionary; refuse to overwrite.

    Returns the files written.
    """
    files = {
        "study.toml": f"#:schema ./{schema.NAME}\n{definitions.study_template()}",
        "data-dictionary.md": definitions.data_dictionary(),
        schema.NAME: json_files.as_text(schema.study_schema()),
    }
    for name in files:
        if (folder / name).exists():
            raise StudyFileError(f"{folder / name}: already there; choose another folder, or move it away")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in sorted(files)]


def simulate(
    folder: Path,
    world: str,
    seed: int | None = None,
    effect_pmpm: float | None = None,
    paid_through: str | None = None,
) -> dict[str, Any]:
    """Write a simulated world (native tables, ``truth.json``, ``study.toml``). Returns the truth.

    Raises `StudyFileError` for a world that is not of `worlds`.
    With ``paid_through`` (YYYY-MM) the files are an extract of that time: the same world, without the claims
    that were paid later.
    """
    import dataclasses

    from medhome.simulate import WORLDS, edge_cases, simulate_world

    if world not in worlds():
        raise StudyFileError(
            f"--world {world!r}: unknown world; known: {', '.join(sorted(WORLDS))}, and edge-01 to edge-25 "
            "(`medhome simulate --list`)"
        )
    if world not in WORLDS:
        if seed is not None or effect_pmpm is not None or paid_through is not None:
            raise StudyFileError(
                f"--world {world} is written down, not drawn: no --seed, --effect-pmpm or --paid-through"
            )
        return edge_cases.write_edge_case(edge_cases.edge_case(world), folder)
    settings = WORLDS[world]
    changes: dict[str, Any] = {}
    if seed is not None:
        changes["seed"] = seed
    if effect_pmpm is not None:
        changes["effect_pmpm_usd"] = effect_pmpm
    if paid_through is not None:
        changes["paid_through"] = paid_through
    return simulate_world(dataclasses.replace(settings, **changes), folder).to_plain()


def worlds() -> dict[str, str]:
    """The worlds that `simulate` can write, and what each of them is.

    >>> worlds()["edge-04"]
    'A stay spans the start'
    """
    from medhome.simulate import TITLES, edge_cases

    return TITLES | {case.id: case.title for case in edge_cases.edge_cases()}


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What `check` found, one row per rule (`DataQuality.rules`), and the data-quality page that it wrote.

    orphans: cost in months without exposure (`DataQuality.orphans`), small counts withheld.
    """

    rules: pd.DataFrame
    page: Path
    orphans: pd.DataFrame


def check(
    study: Path,
    data: Path,
    out: Path,
    *,
    through: str | None = None,
    progress: Progress = silent,
    engine: str = "duckdb",
) -> Checked:
    """Check a study file and its input tables, and write ``out/<study>/data-quality-<through>.html``.

    Raises `StudyFileError` or `DataProblem`, with every fault at once, when they are not as described.
    """
    from medhome import evaluate as evaluation

    spec = study_through(study, through)
    found = evaluation.check(spec, data, progress, engine)
    page = out / spec.id / f"data-quality-{spec.periods.through}.html"
    released = disclosure.quality_under_policy(found, spec.disclosure)
    quality_page.write_quality_page(released, spec, page)
    return Checked(rules=found.rules, page=page, orphans=released.orphans)


def validate(
    data: Path | None = None, out: Path | None = None, *, progress: Progress = silent
) -> tuple[ValidationResult, Path | None]:
    """Every golden value beside ours; with ``out`` also the page ``out/validation/index.html``.

    data: folder of the public reference data; by default MEDHOME_SHARED, or ``shared`` beside a checkout.
    Raises `DataProblem`, saying where the data come from, when there is no such folder.
    """
    from medhome.reporting.validation_page import write_validation_page
    from medhome.validation.comparison import run as validated
    from medhome.validation.tables import usual_folder

    found = validated(data or usual_folder(), progress=progress)
    page = None if out is None else write_validation_page(found, out / "validation" / "index.html")
    return found, page


def run(
    study: Path,
    data: Path,
    out: Path,
    *,
    through: str | None = None,
    jobs: int = 2,
    timeout: int = 600,
    progress: Progress = silent,
    engine: str = "duckdb",
    force: bool = False,
) -> Published:
    """Evaluate a study and publish its report at ``out/<study>/<through>/``.

    Everything is built in a folder of its own and published by one atomic replacement: a run that fails
    leaves an earlier report as it was. A report of the same study, data, code and environment whose files are
    as its manifest says is kept, and nothing is run, unless ``force`` is set.
    """
    spec = study_through(study, through)
    log = RunLog(progress)
    root = out / spec.id / spec.periods.through
    kept = None if force else _kept(study, spec, data, root)
    if kept is not None:
        log("nothing changed: the report is kept (--force makes it anew)", 0, 0)
        return kept
    from medhome import evaluate as evaluation

    with publish.building(root) as work:
        copy_study(study, spec, work)
        found = evaluation.evaluate(spec, data, log, engine)
        released, gate = disclosure.under_policy(found, spec.disclosure)
        save_evaluation(released, work / "evaluation")
        parts = _made_by(spec, released, gate, work)
        results_file.write(released, spec, work / "results.json", run_id=parts.run_id)
        make_pages(work, jobs=jobs, timeout=timeout, log=log)
        manifest.write(parts, work)
        manifest.write_run_log(work, log.entries)
        publish.publish(work, root, parts.run_id)
    return Published(folder=root, run_id=parts.run_id, headline=results_file.headline(released))


def standing_of(study: Path, spec: StudySpec, data: Path | None, root: Path) -> standing.Standing:
    """What of a study's report is stale and why, with the study's files as they are now.

    Arguments
        spec: the study as it would be run.
        data: folder of the input tables; without it they are not looked at.
        root: where the study's report lies, or would lie.

    Raises `DataProblem` when there is something else in its place.
    """
    folder = publish.as_published(root)
    if not (folder / manifest.NAME).is_file():
        return standing.never_run(str(root))
    with tempfile.TemporaryDirectory(prefix="medhome") as name:
        copy_study(study, spec, Path(name))
        return standing.standing(
            verification.read_published(folder),
            str(root),
            spec,
            folder,
            package=PACKAGE,
            notebooks=notebooks_folder(),
            data=data,
            study=Path(name),
        )


def _kept(study: Path, spec: StudySpec, data: Path, root: Path) -> Published | None:
    """The report that a run would make again; None where there is none, or something of it is stale."""
    try:
        if standing_of(study, spec, data, root).stale:
            return None
        published = verification.read_published(publish.as_published(root))
    except DataProblem:  # what lies there is no report, or a damaged one: it is made anew
        return None
    headline = published.numbers["did.total_pmpm"]
    return Published(
        folder=root, run_id=str(published.manifest["run_id"]), headline=headline, unchanged=True
    )


def make_pages(work: Path, *, jobs: int, timeout: int, log: Progress) -> None:
    """Run the report notebooks on the released results that ``work`` holds, and make its pages."""
    executed = runner.execute_notebooks(
        sorted(notebooks_folder().glob("[0-9]*.ipynb")),
        {"run": "."},
        work,
        jobs=jobs,
        timeout=timeout,
        on_progress=log,
    )
    render.render_pages(executed, work, released_run(work))
    log("pages written", 0, 0)


def write_results(study: Path, data: Path, folder: Path) -> None:
    """Evaluate a study and write results, manifest and study file without pages: enough to verify against."""
    from medhome import evaluate as evaluation

    spec = read_study(study)
    folder.mkdir(parents=True)
    copy_study(study, spec, folder)
    found = evaluation.evaluate(spec, data, silent)
    released, gate = disclosure.under_policy(found, spec.disclosure)
    parts = _made_by(spec, released, gate, folder)
    results_file.write(released, spec, folder / "results.json", run_id=parts.run_id)
    manifest.write(parts, folder)


def simulated_again(manifest: Mapping[str, Any], folder: Path) -> Path:
    """Write the simulated world that a report is of, for who does not have its files. Returns the folder.

    Raises `StudyFileError` when the report is not of a simulated world that the study is named after.
    """
    study = manifest["study"]["id"]
    if not manifest["synthetic"] or study not in worlds():
        raise StudyFileError(
            f"the study {study!r} is not a simulated world that medhome can write; name its data with --data"
        )
    simulate(folder, study)
    return folder


def verify(report: Path, data: Path, progress: Progress = silent) -> verification.Verification:
    """Run a published report again from its own study file and compare number by number."""
    from medhome import evaluate as evaluation

    published = verification.read_published(report)
    spec = read_study(report / "study.toml")
    released, gate = disclosure.under_policy(evaluation.evaluate(spec, data, progress), spec.disclosure)
    parts = _made_by(spec, released, gate, report)
    fresh = results_file.document(released, spec, run_id=parts.run_id)
    return verification.compare(published, fresh, parts.to_plain())


def compare_periods(old: Path, new: Path) -> restated.Restatement:
    """Which months of an earlier report does a later one restate, and from what cause?"""
    reports = []
    for folder in map(publish.as_published, (old, new)):
        if not (folder / "evaluation" / "evaluation.json").is_file():
            raise StudyFileError(
                f"{folder}: there is no report here; give the folder of study.toml and its pages"
            )
        reports.append(released_run(folder))
    return restated.restatement(*reports)


def latest_incurred_month(spec: StudySpec, data: Path) -> int | None:
    """The latest month of service in the input tables; dates alone are read."""
    from medhome import evaluate as evaluation

    return evaluation.latest_incurred_month(spec, data)


def open_run(run: str | None = None) -> ReleasedRun:
    """The released results of a run's folder; without a folder, of the small demonstration.

    >>> open_run().spec.id                                               # doctest: +SKIP
    'small'
    """
    return _small_demonstration() if run is None else released_run(Path(run))


def released_run(folder: Path) -> ReleasedRun:
    """What notebooks may see of a run: the study and its released evaluation."""
    return ReleasedRun(
        spec=read_study(folder / "study.toml"),
        evaluation=load_evaluation(folder / "evaluation"),
        protocol=protocol.read_lock(folder / protocol.NAME),
    )


@functools.cache
def _small_demonstration() -> ReleasedRun:
    from medhome import evaluate as evaluation

    with tempfile.TemporaryDirectory(prefix="medhome") as name:
        folder = Path(name)
        simulate(folder, "small")
        spec = read_study(folder / "study.toml")
        found: Evaluation = evaluation.evaluate(spec, folder, silent)
    released, _ = disclosure.under_policy(found, spec.disclosure)
    return ReleasedRun(spec=spec, evaluation=released, code_version=__version__)


def _made_by(spec: StudySpec, released: Evaluation, gate: disclosure.Gate, folder: Path) -> manifest.Manifest:
    """What made a run; ``folder`` holds its study file, and its lock where there is one."""
    from medhome.evaluate import seeds

    lock = folder / protocol.NAME
    return manifest.describe(
        spec,
        released,
        gate,
        package=PACKAGE,
        notebooks=notebooks_folder(),
        seeds=seeds(spec),
        protocol=lock if lock.is_file() else None,
    )


class RunLog:
    """Passes progress on, and notes when each stage ended: for ``run-log.json``, which is never hashed."""

    def __init__(self, progress: Progress) -> None:
        self.progress, self.began = progress, time.perf_counter()
        self.entries: list[dict[str, Any]] = []

    def __call__(self, stage: str, done: int, total: int) -> None:
        if done == total:
            seconds = round(time.perf_counter() - self.began, 3)
            self.entries.append({"stage": stage, "seconds_since_start": seconds})
        self.progress(stage, done, total)
