"""A published report afterwards: is it current, what moved since, its pages again, its environment."""

from __future__ import annotations

import importlib.metadata
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medhome import runs
from medhome.reporting import bundle as packages
from medhome.reporting import changes, doctor, manifest, publish, restated, standing, verification_page
from medhome.reporting import release as releases
from medhome.reporting import verify as verification
from medhome.reporting.consistency import Consistency, consistency
from medhome.reporting.json_files import write_json
from medhome.reporting.made_with import code_here, commit_that_holds, environment_here, lock_here
from medhome.reporting.released_text import identifiers
from medhome.study import protocol
from medhome.study.as_run import study_through
from medhome.study.problems import DataProblem, StudyFileError
from medhome.study.progress import Progress, silent
from medhome.study.provenance import file_digest
from medhome.study.spec import read_study

STAND_IN = "small"
"""The world that stands in for data which a package may not hold."""

MADE_ANEW = (".html",)
"""Files of a report that are drawn from the others; executed notebooks are, too."""


def examine(report: Path | None = None) -> doctor.Diagnosis:
    """Is this environment the one of the lock, and of a report where one is named?"""
    published = None if report is None else verification.read_published(publish.as_published(report)).manifest
    return doctor.examine(lock_here(runs.PACKAGE), runs.PACKAGE, published)


def verify(
    report: Path,
    data: Path | None,
    *,
    out: Path | None = None,
    certificate: Path | None = None,
    synthetic: bool = False,
    progress: Progress = silent,
) -> verification.Verification | Consistency:
    """Run a report again and compare every number; without data, hold its files against one another.

    Arguments
        out: folder for ``verification.html`` and ``verification.json``, outside the report.
        certificate: file for the text that a reviewer can sign, outside the report.
        synthetic: the data are the simulated world that the study is named after, written anew.
    """
    for place in (out, certificate):
        if place is not None:
            _outside(place, report)
    report = publish.as_published(report)
    found: verification.Verification | Consistency
    if synthetic:
        published = verification.read_published(report).manifest
        with tempfile.TemporaryDirectory(prefix="medhome") as name:
            found = runs.verify(report, runs.simulated_again(published, Path(name) / "world"), progress)
    elif data is None:
        found = consistency(verification.read_published(report), report)
    else:
        found = runs.verify(report, data, progress)
    if out is not None:
        verification_page.write_verification(found, out)
    if certificate is not None:
        certificate.parent.mkdir(parents=True, exist_ok=True)
        certificate.write_text(verification_page.certificate(found), encoding="utf-8", newline="\n")
    return found


def lock(study: Path, data: Path | None = None, reason: str = "") -> protocol.Entry:
    """Lock a study file as it is, or lock an amendment of it; writes ``<study>.lock.json`` beside it.

    Arguments
        data: folder of the input tables, of which dates of service alone are read.
        reason: why the study was amended; needed from the second time on.

    Raises `StudyFileError` when the file is locked already as it is.
    """
    spec, path = read_study(study), protocol.lock_path(study)
    found = protocol.locked(
        spec,
        file_digest(study),
        before=protocol.read_lock(path),
        commit=commit_that_holds(study),
        latest_incurred=None if data is None else runs.latest_incurred_month(spec, data),
        reason=reason,
    )
    write_json(found.to_plain(), path)
    return found.entries[-1]


def status(
    target: Path, *, data: Path | None = None, out: Path = Path("reports"), through: str | None = None
) -> standing.Standing:
    """What of a report is stale, and why?

    Arguments
        target: a report's folder, or a study file, whose report lies in ``out/<study>/<through>``.
        data: folder of the input tables; without it they are not looked at.

    Raises `StudyFileError` and `DataProblem`. Nothing is run and nothing is written.
    """
    if not target.is_dir():
        spec = study_through(target, through)
        return runs.standing_of(target, spec, data, out / spec.id / spec.periods.through)
    folder = publish.as_published(target)
    return standing.standing(
        verification.read_published(folder),
        str(target),
        read_study(folder / "study.toml"),
        folder,
        package=runs.PACKAGE,
        notebooks=runs.notebooks_folder(),
        data=data,
    )


def compare(old: Path, new: Path, page: Path | None = None) -> changes.Changes:
    """Which numbers moved between two reports, and what moved them?

    Arguments
        old, new: folders of the earlier and the later report.
        page: also write the comparison there, outside both reports.

    Raises `DataProblem` when a folder holds no report.
    """
    if page is not None:
        _outside(page, old, new)
    old, new = publish.as_published(old), publish.as_published(new)
    before, after = (verification.read_published(folder) for folder in (old, new))
    found = changes.compare(before, after, _restated(old, new))
    if page is not None:
        title = f"{after.manifest['study']['title']}: what changed"
        changes.write_changes_page(found, page, title)
    return found


def render_again(
    report: Path, *, jobs: int = 2, timeout: int = 600, progress: Progress = silent
) -> runs.Published:
    """Draw a report's pages again from its saved results; no data are read and no model is fitted.

    The manifest goes on saying what made the numbers; where other code draws the pages than made them, it
    says so under ``rendered``. With the same code the same bytes come out. Raises `DataProblem` when saved
    results are not as the manifest describes them.
    """
    shown = publish.as_published(report)
    published = verification.read_published(shown)
    kept = [o["name"] for o in published.manifest["outputs"] if not _made_anew(o["name"])]
    changed = sorted({*published.altered} & {*kept}) + [n for n in kept if not (shown / n).is_file()]
    if changed:
        raise DataProblem(
            f"{report / changed[0]}: is not the file that the manifest describes; the pages cannot be drawn "
            "from it, run the study again"
        )
    with publish.building(report) as work:
        for name in kept:
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(shown / name, work / name)
        log = runs.RunLog(progress)
        runs.make_pages(work, jobs=jobs, timeout=timeout, log=log)
        plain = {k: v for k, v in published.manifest.items() if k not in ("outputs", "exhibits", "rendered")}
        here = {"code": code_here(runs.PACKAGE), "environment": environment_here(runs.PACKAGE)}
        if any(plain[part] != here[part] for part in here):
            steps = manifest.notebook_steps(runs.notebooks_folder())
            plain["rendered"] = {**here, "steps": steps}
        manifest.write(manifest.Manifest(plain), work)
        manifest.write_run_log(work, log.entries)
        publish.publish(work, report, plain["run_id"])
    headline = published.numbers["did.total_pmpm"]
    return runs.Published(folder=report, run_id=plain["run_id"], headline=headline)


def release(report: Path, out: Path = Path("reports/released"), data: Path | None = None) -> Path:
    """Copy what may be released of a report to ``out/<study>/<through>/``, once every audit passed.

    Arguments
        data: folder of the input tables, whose identifiers of people and claims are then looked for.

    Raises `DisclosureRefused` with every finding; then nothing was written.
    """
    _outside(out, report)
    return releases.release(_candidate(publish.as_published(report), data), out)


def bundle(report: Path, out: Path, *, world: str | None = None, seed: int | None = None) -> Path:
    """Write a replication package of a report: a folder, or a zip file where ``out`` ends with .zip.

    Arguments
        report: a published report, made with the code that runs this.
        out: must not be there yet.
        world, seed: the simulated world (`runs.worlds`) that the report's data are. Without one the small
            world is added with its own results, for a reviewer who may not see the data.

    Raises `StudyFileError` (other code, other world, no lock) and `DisclosureRefused`.
    """
    _outside(out, report)
    if out.exists():
        raise StudyFileError(f"{out}: is already there; move it away or name another place")
    report = publish.as_published(report)
    published = verification.read_published(report).manifest
    made_with, here = published["code"], code_here(runs.PACKAGE)
    if made_with["source_sha256"] != here["source_sha256"]:
        commit = f", commit {made_with['git_commit']}" if made_with["git_commit"] else ""
        raise StudyFileError(
            f"{report}: was made with other code (medhome {made_with['version']}{commit}) than this; bundle "
            "it with that code, or run the study again"
        )
    lock = lock_here(runs.PACKAGE)
    if lock is None:
        raise StudyFileError("there is no requirements.lock beside the package; bundle from a checkout")
    with tempfile.TemporaryDirectory(prefix="bundle") as name:
        folder = Path(name) / "package"
        candidate = _candidate(report)
        shutil.move(releases.release(candidate, Path(name) / "released"), folder / "report")
        packages.copy_code(runs.PACKAGE, runs.notebooks_folder(), lock, folder)
        used = _simulated(published, world, seed, folder, Path(name) / "world")
        packages.complete(folder, published, used, _license())
        if out.suffix == ".zip":
            return packages.write_zip(folder, out)
        out.parent.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copytree(folder, out))


def _simulated(
    published: Mapping[str, Any], world: str | None, seed: int | None, folder: Path, data: Path
) -> packages.World:
    """The world of a package: the report's own, which must be its data, or the small one with its results."""
    if world is None:
        if seed is not None:
            raise StudyFileError("--seed goes with --world")
        runs.simulate(data, STAND_IN)
        runs.write_results(data / "study.toml", data, folder / "simulated")
        return packages.World(world=STAND_IN, seed=None, report="simulated")
    runs.simulate(data, world, seed=seed)
    other = list(standing.changed_files(published["inputs"], data))
    if other:
        said = f"--world {world}" + ("" if seed is None else f" --seed {seed}")
        raise StudyFileError(f"{said}: is not what the report was made from: {other[0]}")
    return packages.World(world=world, seed=seed, report="report")


def _candidate(report: Path, data: Path | None = None) -> releases.Candidate:
    published = verification.read_published(report)
    names = [i["name"] for i in published.manifest["inputs"]]
    return releases.Candidate(
        folder=report,
        published=published,
        run=runs.released_run(report),
        identifiers=frozenset() if data is None else identifiers(data, names),
    )


def _license() -> str:
    beside = runs.PACKAGE.parents[1] / "LICENSE"
    if beside.is_file():
        return beside.read_text(encoding="utf-8")
    files = importlib.metadata.files("medhome") or []
    return next((f.read_text() for f in files if f.name == "LICENSE"), "MIT\n")


def _made_anew(name: str) -> bool:
    return name.endswith(MADE_ANEW) or name.startswith("notebooks/")


def _restated(old: Path, new: Path) -> restated.Restatement | None:
    """The months that both report, where both folders hold their saved results and one study's."""
    if not all((folder / "evaluation" / "evaluation.json").is_file() for folder in (old, new)):
        return None
    before, after = (runs.released_run(folder) for folder in (old, new))
    return restated.restatement(before, after) if before.spec.id == after.spec.id else None


def _outside(page: Path, *reports: Path) -> None:
    """A page about a report must not lie inside it: the report would change by being looked at."""
    for report in reports:
        if page.resolve().is_relative_to(report.resolve()):
            raise StudyFileError(f"{page}: lies inside the report {report}; name a place outside it")
