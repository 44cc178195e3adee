"""One folder through ``check``, ``evaluate`` and, where asked, the notebooks: a result, or words that help.

Anything else is a fault: another exception, a message that names no place, an exit code that does not fit,
files left behind, half a report, numbers that no report can show.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medhome import runs
from medhome.evaluate import evaluate
from medhome.reporting import disclosure, results_file
from medhome.study.definitions import contracts
from medhome.study.problems import MedhomeError
from medhome.study.saved import save_evaluation
from medhome.study.spec import StudySpec, read_study

CODES = {1, 2, 4, 5}
LONGEST_MESSAGE = 8_000


@dataclass(frozen=True, kw_only=True)
class Passage:
    """How a folder ended: "result" or "exit 4" and so on; ``fault`` says what is wrong, or is empty."""

    outcome: str
    message: str
    fault: str


def study_keys() -> set[str]:
    """Every key of a study file, as ``section.key`` and, of the top, as ``key``."""
    found = set()
    for name, field in StudySpec.model_fields.items():
        found.add(name)
        inner = getattr(field.annotation, "model_fields", {})
        found |= {f"{name}.{key}" for key in inner}
    return found


def names_a_place(message: str) -> bool:
    """Whether a message names an input table, the study file or one of its keys."""
    if "study.toml" in message or any(re.search(rf"\b{table}\b", message) for table in contracts()):
        return True
    keys = {key for key in study_keys() if "." in key}
    return any(key in message for key in keys)


def through(folder: Path, *, notebooks: bool = False) -> Passage:
    """Run one folder through everything."""
    before = _listing(folder)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name, _temporary_files_in(Path(name)) as temporary:
        checked = _ended(lambda: _checked(folder, Path(name) / "checked"))
        found = _ended(lambda: _evaluated(folder))
        if notebooks and not (checked.fault or found.fault):
            found = _ended(lambda: _reported(folder, Path(name) / "reports"), whole=found)
        faults = [f for f in (checked.fault, found.fault) if f]
        if checked.outcome != "result" and found.outcome == "result":
            faults.append(f"check refused what evaluate took: {checked.message}")
        if left := sorted(p.name for p in temporary.iterdir()):
            faults.append(f"left behind: {left}")
    if _listing(folder) != before:
        faults.append("the input folder was changed")
    return Passage(outcome=found.outcome, message=found.message, fault="; ".join(faults))


def _checked(folder: Path, out: Path) -> None:
    """A whole page on the data, or none and nothing left."""
    try:
        checked = runs.check(folder / "study.toml", folder, out)
    except MedhomeError:
        _nothing_in(out)
        raise
    _whole(checked.page)


def _evaluated(folder: Path) -> None:
    spec = read_study(folder / "study.toml")
    released, _ = disclosure.release(evaluate(spec, folder), spec.disclosure.floor)
    with tempfile.TemporaryDirectory() as name:
        save_evaluation(released, Path(name) / "evaluation")
        results_file.write(released, spec, Path(name) / "results.json", run_id="x")
        json.loads((Path(name) / "results.json").read_text(encoding="utf-8"), parse_constant=_no_number)


def _no_number(word: str) -> None:
    raise ValueError(f"results.json holds {word}")


def _reported(folder: Path, out: Path) -> None:
    """A whole report, or none and nothing left."""
    try:
        published = runs.run(folder / "study.toml", folder, out, jobs=1)
    except MedhomeError:
        _nothing_in(out)
        raise
    report = published.folder
    manifest = json.loads((report / "manifest.json").read_text(encoding="utf-8"))
    for output in manifest["outputs"]:
        content = (report / "current" / output["name"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == output["sha256"], f"{output['name']}: another digest"
    pages = sorted(report.glob("*.html"))
    assert len(pages) >= 5, f"only {len(pages)} pages"
    for page in pages:
        _whole(page)
    building = [p.name for p in (report / ".runs").iterdir() if p.name.startswith(".building")]
    assert not building, f"left behind: {building}"


def _whole(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.rstrip().endswith("</html>"), f"{page.name} is cut short"
    for wrong in ("<script>alert", "<img src=x", "Traceback (most recent"):
        assert wrong not in text, f"{page.name} holds {wrong}"


def _nothing_in(out: Path) -> None:
    left = sorted(p.relative_to(out).as_posix() for p in out.rglob("*")) if out.exists() else []
    assert not left, f"left of a report: {left}"


def _ended(step: Callable[[], Any], whole: Passage | None = None) -> Passage:
    try:
        step()
    except MedhomeError as problem:
        message = str(problem)
        outcome, fault = f"exit {problem.exit_code}", _message_fault(problem, message)
        if whole is not None and (whole.outcome, whole.message) != (outcome, message):
            fault = f"run said otherwise than evaluate: {message}"
        return Passage(outcome=outcome, message=message, fault=fault)
    except Exception as error:  # whatever it is, it is a defect: that is what is tested here
        last = traceback.extract_tb(error.__traceback__)[-1]
        said = f"{type(error).__name__} in {Path(last.filename).name}:{last.lineno}: {str(error)[:300]}"
        return Passage(outcome="fault", message=said, fault=f"{said}\n{traceback.format_exc(limit=-12)}")
    return Passage(outcome="result", message="", fault="")


def _message_fault(problem: MedhomeError, message: str) -> str:
    if problem.exit_code not in CODES:
        return f"exit code {problem.exit_code}: {message}"
    if not names_a_place(message):
        return f"names no place: {message}"
    if len(message) > LONGEST_MESSAGE:
        return f"a message of {len(message)} characters: {message[:200]}"
    if "Traceback" in message or re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", message):
        return f"not fit for a terminal: {message!r}"
    return ""


def _listing(folder: Path) -> list[tuple[str, int]]:
    return sorted((p.relative_to(folder).as_posix(), p.lstat().st_size) for p in folder.rglob("*"))


@contextlib.contextmanager
def _temporary_files_in(folder: Path):
    """Temporary files go to a folder of their own, so that what is left behind is seen."""
    own = folder / "temporary"
    own.mkdir()
    before, tempfile.tempdir = tempfile.tempdir, str(own)
    try:
        yield own
    finally:
        tempfile.tempdir = before
