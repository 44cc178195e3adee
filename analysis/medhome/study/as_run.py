"""The study file as it is run: with the period asked for, and with the files that it names beside it."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from medhome.study import protocol
from medhome.study.problems import StudyFileError
from medhome.study.spec import StudySpec, read_study


def study_through(study: Path, through: str | None) -> StudySpec:
    """A study as its file says, or with a data period that ends with another month."""
    spec = read_study(study)
    return spec if through is None else spec.rerun_through(through)


def _study_as_run(study: Path, spec: StudySpec) -> str:
    """The study file's own text, comments and all, with the period that was run."""
    text = study.read_text(encoding="utf-8")
    if read_study(study) != spec:
        pattern = r'(?m)^(\s*through\s*=\s*)(["\']).*?\2'
        text, found = re.subn(pattern, lambda m: f'{m[1]}"{spec.periods.through}"', text, count=1)
        if not found:
            raise StudyFileError(f"{study}: --through needs periods.through written on a line of its own")
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / "study.toml"
        copy.write_text(text, encoding="utf-8")
        _copy_lists(study, spec, copy.parent)
        if read_study(copy) != spec:
            raise StudyFileError(
                f'{study}: periods.through could not be replaced; write it as through = "YYYY-MM"'
            )
    return text


def copy_study(study: Path, spec: StudySpec, folder: Path) -> None:
    """The study file as it is run, the lists that it names, and its lock where there is one."""
    (folder / "study.toml").write_text(_study_as_run(study, spec), encoding="utf-8")
    _copy_lists(study, spec, folder)
    lock = protocol.lock_path(study)
    if protocol.read_lock(lock) is not None:
        shutil.copyfile(lock, folder / protocol.NAME)


def changed_since_lock(study: Path, spec: StudySpec) -> tuple[str, ...]:
    """Choices that a locked study file no longer makes as its latest lock says; none where it is not locked.

    A new data period is no change. Raises `StudyFileError` when the lock was changed after it was written.
    """
    lock = protocol.read_lock(protocol.lock_path(study))
    if lock is None:
        return ()
    return tuple(key for a in lock.amendments(spec) if a.entry is None for key in a.changes)


def _copy_lists(study: Path, spec: StudySpec, folder: Path) -> None:
    """The study's own code lists and instruments, which its file names, beside the copy of the file."""
    own = (*spec.measures.lists.values(), *spec.surveys.instruments.values())
    for name in filter(None, (spec.claims.service_categories, spec.outcomes.deflator, *own)):
        shutil.copyfile(study.parent / name, folder / name)
