"""Readers see a whole report, the old one or the new one, at every moment."""

from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
import signal
from pathlib import Path

import pytest

from medhome.reporting.publish import building, publish

PAGES = {"index.html": "first", "did.html": "x", "manifest.json": "{}", "notebooks/01.ipynb": "{}"}


def fill(folder: Path, pages: dict[str, str]) -> None:
    for name, text in pages.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)


def make(root: Path, run_id: str, pages: dict[str, str] = PAGES) -> None:
    with building(root) as work:
        fill(work, pages)
        publish(work, root, run_id)


def seen(root: Path) -> dict[str, str]:
    """What a reader finds: visible files and their text."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_file() and not name.startswith((".", "current/")):
            found[name] = path.read_text()
    for path in sorted((root / "notebooks").glob("*")):
        found[f"notebooks/{path.name}"] = path.read_text()
    return found


@pytest.fixture(params=["links", "copies"])
def root(request, tmp_path, monkeypatch):
    if request.param == "copies":

        def refused(*_, **__):
            error = OSError("A required privilege is not held by the client")
            error.winerror = 1314  # what Windows says to users without the right
            raise error

        monkeypatch.setattr(os, "symlink", refused)
    return tmp_path / "reports" / "demo" / "2010-03"


def test_a_first_report(root):
    make(root, "aaa")
    assert seen(root) == PAGES
    assert [p.name for p in (root / ".runs").iterdir() if p.is_dir()] == ["aaa"]


def test_a_new_report_takes_the_place_of_the_old_one(root):
    make(root, "aaa")
    make(root, "bbb", {"index.html": "second", "savings.html": "y"})
    assert seen(root) == {"index.html": "second", "savings.html": "y"}
    assert [p.name for p in (root / ".runs").iterdir() if p.is_dir()] == ["bbb"]


def test_the_same_run_again(root):
    for text in ("first", "again", "third"):
        make(root, "aaa", {"index.html": text})
        assert seen(root) == {"index.html": text}
        assert len([p for p in (root / ".runs").iterdir() if p.is_dir()]) == 1


def test_a_run_that_fails_leaves_the_old_report_and_nothing_else(root):
    make(root, "aaa")
    before = sorted(p.relative_to(root).as_posix() for p in root.rglob("*"))
    with pytest.raises(ZeroDivisionError), building(root) as work:
        fill(work, {"index.html": "half"})
        1 / 0  # noqa: B018
    assert seen(root) == PAGES
    assert sorted(p.relative_to(root).as_posix() for p in root.rglob("*")) == before


def test_a_first_run_that_fails_leaves_no_folder(tmp_path):
    with pytest.raises(KeyboardInterrupt), building(tmp_path / "reports" / "demo" / "2010-03"):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_links_are_relative_so_that_a_report_can_be_moved(tmp_path):
    root = tmp_path / "reports" / "demo"
    make(root, "aaa")
    assert os.readlink(root / "index.html") == "current/index.html"
    assert os.readlink(root / "current") == ".runs/aaa"
    shutil.copytree(tmp_path / "reports", tmp_path / "elsewhere", symlinks=True)
    shutil.rmtree(tmp_path / "reports")
    assert seen(tmp_path / "elsewhere" / "demo") == PAGES


def test_a_failure_at_the_switch_leaves_the_old_report(tmp_path, monkeypatch):
    root = tmp_path / "demo"
    make(root, "aaa")
    replace = os.replace

    def full(source, target):
        if Path(target).name == "current":
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        make(root, "bbb", {**PAGES, "index.html": "second"})
    assert seen(root) == PAGES
    assert [p.name for p in (root / ".runs").iterdir() if p.is_dir()] == ["aaa"]


def test_pages_of_one_reader_come_from_one_run(tmp_path, monkeypatch):
    """At every rename on the way, the visible pages are all old or all new."""
    root = tmp_path / "demo"
    make(root, "aaa", {"index.html": "old", "did.html": "old"})
    replace, mixed = os.replace, []

    def watched(source, target):
        replace(source, target)
        mixed.append({(root / name).read_text() for name in ("index.html", "did.html")})

    monkeypatch.setattr(os, "replace", watched)
    make(root, "bbb", {"index.html": "new", "did.html": "new", "extra.html": "new"})
    assert {"old"} in mixed and {"new"} in mixed
    assert all(len(texts) == 1 for texts in mixed)


def test_links_take_over_from_copies(tmp_path, monkeypatch):
    root = tmp_path / "demo"
    with monkeypatch.context() as patch:
        patch.delattr(os, "symlink")
        make(root, "aaa")
    make(root, "bbb", {**PAGES, "index.html": "second"})
    assert seen(root)["index.html"] == "second"
    assert (root / "notebooks").is_symlink()


def _hold_and_wait(root: Path, ready) -> None:
    with building(root) as work:
        fill(work, PAGES)
        ready.set()
        signal.pause()


@pytest.mark.skipif(os.name != "posix", reason="folder locks and signals of POSIX systems")
def test_what_a_killed_run_left_goes_with_the_next_and_a_living_one_stays(tmp_path):
    root = tmp_path / "demo"
    context = multiprocessing.get_context("spawn")
    ready = [context.Event(), context.Event()]
    runs = [context.Process(target=_hold_and_wait, args=(root, r), daemon=True) for r in ready]
    for process, event in zip(runs, ready, strict=True):
        process.start()
        assert event.wait(60)
    runs[0].kill()
    runs[0].join()
    make(root, "aaa")
    building_left = [p for p in (root / ".runs").iterdir() if p.name.startswith(".building-")]
    assert len(building_left) == 1
    runs[1].kill()
    runs[1].join()
    make(root, "bbb")
    assert [p.name for p in (root / ".runs").iterdir() if p.is_dir()] == ["bbb"]
    assert seen(root) == PAGES


def test_a_folder_of_another_file_system_is_copied_first(tmp_path, monkeypatch):
    root, elsewhere = tmp_path / "demo", tmp_path / "work"
    elsewhere.mkdir()
    fill(elsewhere, PAGES)
    rename = os.rename

    def across(source, target):
        if Path(source) == elsewhere:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        rename(source, target)

    monkeypatch.setattr(os, "rename", across)
    publish(elsewhere, root, "aaa")
    assert seen(root) == PAGES
    assert [p.name for p in (root / ".runs").iterdir() if p.is_dir()] == ["aaa"]
