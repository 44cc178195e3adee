"""Killed, or out of room, at any moment: readers see the whole new report or the whole old one.

A child process publishes and ends, or begins to be refused room, at its first file operation, at its second
and so on to the last. Two writers and a reader at once show that runs do not mix.
"""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from medhome.reporting.publish import as_published, building, publish

if os.name != "posix":
    pytest.skip("forks, signals and file-size limits of POSIX systems", allow_module_level=True)

OLD = {"index.html": "old", "did.html": "old", "notebooks/01.ipynb": "old"}
NEW = {"index.html": "new", "savings.html": "new", "notebooks/01.ipynb": "new", "manifest.json": "new"}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def make(root: Path, pages: dict[str, str], run_id: str, size: int = 0) -> None:
    with building(root) as work:
        for name, text in pages.items():
            (work / name).parent.mkdir(exist_ok=True)
            (work / name).write_text(text + " " * size)
        publish(work, root, run_id)


def seen(root: Path) -> dict[str, str]:
    """What a reader finds who follows the links of the report's folder."""
    return {
        path.relative_to(root).as_posix(): path.read_text().strip()
        for entry in sorted(root.iterdir())
        if not entry.name.startswith(".") and entry.name != "current"
        for path in ([entry] if entry.is_file() else sorted(entry.glob("*")))
    }


def in_a_child(work: Callable[[], None]) -> int:
    """Run something in a forked process. Returns its exit code, negative where a signal ended it."""
    child = os.fork()
    if child == 0:
        code = 70
        try:
            work()
            code = 0
        except OSError as error:
            code = 28 if error.errno in (errno.ENOSPC, errno.EFBIG) else 71
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def at_operation(number: int, then: Callable[[str], None], root: Path) -> None:
    """From the file operation of this number on below ``root``, do something instead of it."""
    done = 0

    def hook(event: str, arguments: tuple) -> None:
        nonlocal done
        if event.split(".")[0] not in ("open", "os", "shutil") or event in ("os.scandir", "os.listdir"):
            return
        paths = [os.fsdecode(a) for a in arguments if isinstance(a, (str, bytes, os.PathLike))]
        if not any(str(root) in path for path in paths):
            return
        done += 1
        if done >= number:
            then("os.write" if event == "open" and arguments[2] & WRITES else event)

    sys.addaudithook(hook)


def killed(event: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def no_room(event: str) -> None:
    """What a full disk refuses: new names. Opening what is there, and removing, go on."""
    if event in ("os.write", "os.mkdir", "os.symlink", "os.rename"):
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("earlier", [True, False], ids=["replaces a report", "is the first"])
@pytest.mark.parametrize("happens", [killed, no_room])
def test_at_every_operation(tmp_path, happens, earlier):
    states, number = [], 0
    while not states or states[-1] != "done":
        number += 1
        assert number < 200
        root = tmp_path / str(number) / "demo"
        if earlier:
            make(root, OLD, "aaa")

        def work(root=root, number=number):
            at_operation(number, happens, root)
            make(root, NEW, "bbb")

        code = in_a_child(work)
        assert code in (0, -signal.SIGKILL if happens is killed else 28)
        found = seen(root) if root.is_dir() else {}
        assert found in ([OLD, NEW] if earlier else [{}, NEW]), number
        states.append("done" if code == 0 else "new" if found == NEW else "old")
        if happens is no_room and found != NEW:  # nothing of the failed run stays
            left = sorted(p.name for p in (root / ".runs").glob("[!.]*")) if root.is_dir() else []
            assert left == (["aaa"] if earlier else [])
            assert not root.is_dir() or not any(p.is_symlink() and not p.exists() for p in root.iterdir())
        make(root, NEW, "ccc")  # the next run finds its way, and tidies up
        assert seen(root) == NEW
        assert sorted(p.name for p in (root / ".runs").iterdir()) == [".lock", "ccc"]
        assert not [p.name for p in root.iterdir() if p.name.startswith(".") and p.name != ".runs"]
        shutil.rmtree(tmp_path / str(number))
    assert states == sorted(states, key=["old", "new", "done"].index)
    assert {"old", "done"} <= set(states) and states.count("old") > 8
    assert "new" in states if happens is killed and earlier else True


@pytest.mark.parametrize("limit", [0, 100, 1000, 3999, 4100])
def test_a_file_size_limit(tmp_path, limit):
    """Pages of four kilobytes under a limit for files: whole, or the earlier report."""
    root = tmp_path / "demo"
    make(root, OLD, "aaa")

    def work():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        make(root, NEW, "bbb", size=4000)

    enough = limit > 4003
    assert in_a_child(work) == (0 if enough else 28)
    assert seen(root) == (NEW if enough else OLD)
    assert [p.name for p in (root / ".runs").glob("[!.]*")] == ["bbb" if enough else "aaa"]


def test_runs_of_one_study_at_once_do_not_mix(tmp_path):
    """Three writers and a reader: whoever follows the pointer once sees the pages of one run."""
    root = tmp_path / "demo"
    names = [f"{n}.html" for n in range(4)]
    make(root, dict.fromkeys(names, "0 0"), "first")

    def write(writer: int) -> None:
        for turn in range(12):
            make(root, dict.fromkeys(names, f"{writer} {turn}"), "same")

    writers = []
    for writer in range(1, 4):
        child = os.fork()
        if child == 0:
            code = 70
            try:
                write(writer)
                code = 0
            finally:
                os._exit(code)
        writers.append(child)
    looks, texts, over = 0, set(), []
    while len(over) < len(writers):
        run = as_published(root)
        try:
            found = {(run / name).read_text() for name in names}
        except FileNotFoundError:  # the run was replaced, and removed, between two looks
            found = {"gone"}
        assert len(found) == 1
        looks, texts = looks + 1, texts | found
        over += [code for w in writers if (code := _ended(w)) is not None]
    assert over == [0, 0, 0]
    assert looks > 10 and len(texts) > 3
    make(root, NEW, "last")
    assert seen(root) == NEW
    assert sorted(p.name for p in (root / ".runs").iterdir()) == [".lock", "last"]


_codes: dict[int, int] = {}


def _ended(process: int) -> int | None:
    """The exit code of a child, once."""
    if process in _codes:
        return None
    done, status = os.waitpid(process, os.WNOHANG)
    if not done:
        return None
    _codes[process] = os.waitstatus_to_exitcode(status)
    return _codes[process]
