"""Spoilt input folders end in a result or in words that help; ``python -m benchmarks.fuzz`` takes 500."""

from __future__ import annotations

import shutil

import pytest
from tests.fuzz import mutations, passage
from tests.fuzz.draft import sound

from medhome.study.problems import DataProblem

FOLDERS = (
    *(0, 1, 2, 5, 6, 14, 15, 20, 21, 22, 23, 28, 31, 32, 39, 40, 49, 67, 81, 115, 128),
    *(17, 34, 12, 36),
)
"""The first are refused by the checks, two by a model; the last two end in a result."""


@pytest.mark.parametrize("seed", FOLDERS)
def test_a_spoilt_folder_ends_in_a_result_or_in_words_that_help(seed, tmp_path):
    kind, what = mutations.mutate(seed, tmp_path / "folder")
    found = passage.through(tmp_path / "folder")
    assert not found.fault, f"{kind} ({what}): {found.fault}"


def test_the_folders_differ_and_a_seed_gives_the_same_one(tmp_path):
    for name in ("a", "b"):
        mutations.mutate(0, tmp_path / name)
    files = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert len(files) == 8
    assert all((tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files)
    said = {mutations.mutate(seed, tmp_path / str(seed)) for seed in range(len(mutations.KINDS))}
    assert len({what for _, what in said}) == len(mutations.KINDS)


@pytest.mark.parametrize(
    ("says", "names"),
    [
        ("medical_claim.csv, row 3: cannot be read", True),
        ("no cost above zero: check periods.start", True),
        ("study.toml: seed: missing", True),
        ("something is wrong with the data", False),
        ("the model has too few members", False),
    ],
)
def test_what_names_a_place(says, names):
    assert passage.names_a_place(says) is names


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (KeyError("person_id"), "KeyError"),
        (DataProblem("something is wrong"), "names no place"),
        (DataProblem("eligibility: \x1b[2J"), "not fit for a terminal"),
        (DataProblem("eligibility: " + "x" * 10_000), "10013 characters"),
    ],
)
def test_a_fault_is_seen(error, fault, tmp_path, monkeypatch):
    def fails(*_):
        raise error

    sound().write(tmp_path / "folder")
    monkeypatch.setattr(passage, "_checked", lambda *_: None)
    monkeypatch.setattr(passage, "evaluate", fails)
    assert fault in passage.through(tmp_path / "folder").fault


def test_files_left_behind_and_a_changed_folder_are_seen(tmp_path, monkeypatch):
    def spoils(folder, out):
        (passage.Path(passage.tempfile.gettempdir()) / "left").touch()
        shutil.copy(folder / "study.toml", folder / "more.toml")

    sound().write(tmp_path / "folder")
    monkeypatch.setattr(passage, "_checked", spoils)
    monkeypatch.setattr(passage, "_evaluated", lambda folder: None)
    fault = passage.through(tmp_path / "folder").fault
    assert "left behind: ['left']" in fault and "the input folder was changed" in fault
