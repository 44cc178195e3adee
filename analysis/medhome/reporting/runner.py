"""The one way in which a report notebook is run: papermill behind strict checks.

On its own papermill takes a misspelt parameter and reports on the default, marks a crashed notebook as
completed, and leaves an older output where a new one failed. Here parameters are checked before the start,
kernels are private and repeatable (`kernels`), every cell must have run to its end, and the executed notebook
is normalised, scanned and put in place by one rename, or not at all.
"""

from __future__ import annotations

import concurrent.futures
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medhome.reporting.failures import Interrupted, NotebookFailed
from medhome.reporting.normalise import normalise, scan
from medhome.reporting.parameters import check_notebook, check_values

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from medhome.reporting.kernels import Running

OnProgress = Callable[[str, int, int], None]
"""Called with a notebook's name, the number of code cells that are done, and how many there are."""


def run_notebook(
    source: Path,
    parameters: Mapping[str, Any],
    out: Path,
    *,
    folder: Path | None = None,
    timeout: int = 600,
    start_timeout: int = 60,
    environment: Mapping[str, str] | None = None,
    on_progress: OnProgress | None = None,
    running: Running | None = None,
) -> Path:
    """Run one notebook with checked parameters and write it, executed and normalised, to ``out``.

    Arguments
        source: the notebook as it is kept, without outputs.
        parameters: values for names of its parameters cell; text, numbers, true or false, None, lists, dicts.
        out: where the executed notebook goes, by one rename after everything else went well.
        folder: the kernel's working folder (the folder of ``out`` unless given).
        timeout: seconds that one cell may take; ``start_timeout``: seconds until the kernel must answer.
        environment: variables beside the fixed ones.
        on_progress: told the notebook's name and how many of its code cells are done.

    Returns ``out``. Raises `StudyFileError` (a parameter), `NotebookDefect`, `NotebookFailed` and
    `NotRepeatable`; then ``out`` is as it was before.
    """
    from medhome.reporting import engine
    from medhome.reporting.kernels import KernelHome, Running

    notebook = _read(source)
    check_values(check_notebook(notebook, source.name), parameters, source.name)
    folder = (folder or out.parent).resolve()
    total = sum(1 for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip())
    total += 1 if parameters else 0  # papermill adds a code cell with the values
    done = 0

    def tell(step: int) -> None:
        nonlocal done
        done += step
        if on_progress:
            on_progress(source.stem, done, total)

    home = KernelHome(environment)
    try:
        tell(0)
        executed = engine.execute(
            notebook,
            source.name,
            parameters,
            folder=folder,
            home=home,
            running=running or Running(),
            timeout=timeout,
            start_timeout=start_timeout,
            cell_done=lambda: tell(1),
        )
    finally:
        home.remove()
    normalise(executed, parameters)
    scan(executed, source.name, folders=(folder, home.folder, source.resolve().parent))
    _write(executed, out)
    return out


def execute_notebooks(
    sources: Sequence[Path],
    parameters: Mapping[str, Any],
    work: Path,
    *,
    jobs: int = 2,
    timeout: int = 600,
    on_progress: OnProgress | None = None,
    environment: Mapping[str, str] | None = None,
) -> list[Path]:
    """Run notebooks side by side in the folder of a run; all of them, or an exception.

    The kernels work in ``work``, so that a parameter ``run="."`` means this folder and no path reaches the
    notebook. Executed notebooks go to ``work/notebooks/``. When one fails the others are stopped.

    Returns the executed notebooks in the order of ``sources``.
    """
    folder = work / "notebooks"
    folder.mkdir(parents=True, exist_ok=True)
    for source in sources:  # refuse what can be refused before anything runs
        check_values(check_notebook(_read(source), source.name), parameters, source.name)
    from medhome.reporting import engine  # noqa: F401  (imported once, before the threads begin)
    from medhome.reporting.kernels import Running

    lock, running = threading.Lock(), Running()

    def tell(stage: str, done: int, total: int) -> None:
        if on_progress:
            with lock:
                on_progress(stage, done, total)

    def one(source: Path) -> Path:
        if running.stopped:
            raise Interrupted(f"{source.name}: not started", notebook=source.name)
        try:
            return run_notebook(
                source,
                parameters,
                folder / source.name,
                folder=work,
                timeout=timeout,
                environment=environment,
                on_progress=tell,
                running=running,
            )
        except BaseException:
            running.stop()
            raise

    with concurrent.futures.ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        futures = [pool.submit(one, source) for source in sources]
        try:
            concurrent.futures.wait(futures)
        except BaseException:
            running.stop()
            raise
    failures = [f.exception() for f in futures if f.exception() is not None]
    for failure in sorted(failures, key=lambda f: isinstance(f, Interrupted)):
        raise failure  # type: ignore[misc]
    return [f.result() for f in futures]


def _read(source: Path) -> NotebookNode:
    import nbformat

    try:
        return nbformat.read(source, as_version=4)
    except FileNotFoundError:
        raise NotebookFailed(f"{source}: there is no such notebook", notebook=source.name) from None
    except (nbformat.reader.NotJSONError, nbformat.ValidationError, UnicodeDecodeError) as error:
        raise NotebookFailed(f"{source}: not a notebook ({error})", notebook=source.name) from None


def _write(notebook: NotebookNode, out: Path) -> None:
    import nbformat

    text = nbformat.writes(notebook, version=nbformat.NO_CONVERT).rstrip("\n") + "\n"
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        os.replace(temporary, out)
    finally:
        temporary.unlink(missing_ok=True)
