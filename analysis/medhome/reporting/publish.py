"""A report appears whole, or the earlier one stays.

A run is built in a folder of its own, ``.runs/.building-*`` below the report's folder, and becomes
``.runs/<run id>``. Readers follow ``current``, a link that one atomic rename points to the new run; the names
beside it (``index.html`` and so on) are links through ``current`` and so change all at once. Where links
cannot be made (Windows without the right to) the files are copied into place one by one instead.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

CURRENT = "current"
RUNS = ".runs"
_BUILDING = ".building-"
_HALF_MADE = ".link"


@contextlib.contextmanager
def building(root: Path) -> Iterator[Path]:
    """A folder to build a run in; what is left of it is removed at the end, and after a kill by the next run.

    Arguments
        root: the report's folder, ``reports/<study>/<through>``; made when missing, and when nothing is
            published and it was not there before, removed again.
    """
    new = [folder for folder in (root / RUNS, root, *root.parents) if not folder.exists()]
    folder, alive = _room(root / RUNS)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if alive is not None:
            os.close(alive)
        with contextlib.suppress(OSError):  # not empty: something was published
            for made in new:
                made.rmdir()


def publish(built: Path, root: Path, run_id: str) -> Path:
    """Make a run the current one of its report, by one atomic replacement.

    Arguments
        built: the folder with everything that the report holds; it is moved.
        root: the report's folder.
        run_id: names the run's folder.

    Returns the run's folder. The run before is removed after the switch. If anything fails before the switch
    the earlier report is as it was; what fails after it leaves the new report whole.
    """
    runs = root / RUNS
    runs.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(runs):
        target = _place(built, root, run_id)
        try:
            _point_to(root, target)
        except BaseException:
            if as_published(root) != target.resolve():  # not switched: the earlier run stays
                shutil.rmtree(target, ignore_errors=True)
                _remove_dangling(root)
            raise
        _remove_dangling(root)
        _remove_others(runs, target)
    return target


def as_published(report: Path) -> Path:
    """The folder of the run that a report shows now; the folder itself where it is no published one.

    Whoever reads several files of a report follows the pointer once, here: all of them are then of one run,
    also when another run is published in between.
    """
    pointer = report / CURRENT
    return pointer.resolve() if pointer.is_symlink() else report


def _room(runs: Path) -> tuple[Path, int | None]:
    """A new folder to build in, held; another run that tidies up just now may take the first one away."""
    while True:
        runs.mkdir(parents=True, exist_ok=True)
        try:
            folder = Path(tempfile.mkdtemp(prefix=_BUILDING, dir=runs))
        except FileNotFoundError:  # a first run that failed took the empty folder away
            continue
        try:
            alive = _hold(folder)
            if alive is None or folder.is_dir():
                folder.chmod(0o755)
                return folder, alive
            os.close(alive)
        except (BlockingIOError, FileNotFoundError):
            continue
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


def _place(built: Path, root: Path, run_id: str) -> Path:
    """Move the built folder beside the other runs. Drawn again, a run gets a name that no reader has seen:
    who reads the folder that it replaces finds files missing, never those of another run."""
    runs = root / RUNS
    before = re.fullmatch(rf"{re.escape(run_id)}(?:\.(\d+))?", as_published(root).name)
    first = 1 if before is None else int(before[1] or 1) + 1
    names = (run_id if number == 1 else f"{run_id}.{number}" for number in itertools.count(first))
    target = next(runs / name for name in names if not (runs / name).exists())
    try:
        os.rename(built, target)
    except OSError as error:
        if error.errno != errno.EXDEV:  # only another file system asks for a copy
            raise
        near = Path(tempfile.mkdtemp(prefix=_BUILDING, dir=runs))
        try:
            os.rename(shutil.copytree(built, near, dirs_exist_ok=True), target)
        finally:
            shutil.rmtree(near, ignore_errors=True)
    return target


def _point_to(root: Path, target: Path) -> None:
    """Make readers see a run; the last step is the switch."""
    names = sorted(p.name for p in target.iterdir() if not p.name.startswith("."))
    try:
        for name in names:  # a new name dangles until the switch; an old one goes on showing the earlier run
            _link(root / name, f"{CURRENT}/{name}")
        _link(root / CURRENT, f"{RUNS}/{target.name}")
    except NotImplementedError:
        _copy_into_place(root, target, names)


def _remove_dangling(root: Path) -> None:
    """Links to pages that the current run does not have, and half-made links of runs that were killed."""
    for path in root.iterdir():
        if path.is_symlink() and (not path.exists() or path.name.endswith(_HALF_MADE)):
            path.unlink(missing_ok=True)


def _link(path: Path, to: str) -> None:
    """Point a link somewhere, atomically. Raises `NotImplementedError` where links cannot be made."""
    if path.is_symlink() and os.readlink(path) == to:
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}{_HALF_MADE}")
    temporary.unlink(missing_ok=True)  # of a killed run whose number this process has
    try:
        os.symlink(to, temporary)
    except (OSError, AttributeError) as error:
        if getattr(error, "winerror", None) is not None or not isinstance(error, OSError):
            raise NotImplementedError("this system makes no symbolic links") from error
        raise
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)  # a copy from a system without links
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()


def _copy_into_place(root: Path, target: Path, names: list[str]) -> None:
    """Each file by one rename; the manifest, which tells the digests of all, comes last."""
    for name in sorted(names, key=lambda n: (n == "manifest.json", n)):
        temporary = root / f".{name}.{os.getpid()}.copy"
        if (target / name).is_dir():
            shutil.copytree(target / name, temporary)
            shutil.rmtree(root / name, ignore_errors=True)
        else:
            shutil.copy2(target / name, temporary)
        os.replace(temporary, root / name)
    for path in root.iterdir():
        if path.name not in (*names, RUNS):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _remove_others(runs: Path, target: Path) -> None:
    """Remove earlier runs, and what killed runs left; a folder that another process builds in stays."""
    for path in runs.iterdir():
        if path == target or not path.is_dir():
            continue
        held = None
        if path.name.startswith(_BUILDING):
            try:
                held = _hold(path)
            except BlockingIOError:
                continue
            if held is None:
                continue
        shutil.rmtree(path, ignore_errors=True)
        if held is not None:
            os.close(held)


def _hold(folder: Path) -> int | None:
    """Lock a folder for as long as this process lives; None where the file system has no locks.

    Raises `BlockingIOError` when another process holds it.
    """
    if fcntl is None:
        return None
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise
    except OSError:
        os.close(handle)
        return None
    return handle


@contextlib.contextmanager
def _one_at_a_time(runs: Path) -> Iterator[None]:
    """Held while a run is put in place, so that two runs of one study do not remove each other's folders."""
    with (runs / ".lock").open("a") as stream:
        _lock(stream)
        yield
    # The file stays: removing it would let a third process lock another file of the same name.


def _lock(stream: IO[Any]) -> None:
    """Wait for the lock on an open file; it ends when the file is closed, also by a kill."""
    if fcntl is not None:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(stream, fcntl.LOCK_EX)
    else:
        import msvcrt

        msvcrt.locking(stream.fileno(), msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined]
