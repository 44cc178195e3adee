"""The benchmark of the data room on a small size: what it writes and sums is what it says it is."""

from __future__ import annotations

import argparse

import pytest
from benchmarks import data_room

from medhome.simulate import WORLDS, simulate_world

COPIES, REPEATS = 2, 2
MEMBERS = ("rows", "w", "w*expected", "w*expected*expected")
DOLLARS = ("w*allowed", "w*paid", "w*allowed*expected", "w*expected*paid")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A simulated world, and the same one written in two copies with twice the claims, one copy a part."""
    room = tmp_path_factory.mktemp("data_room")
    simulate_world(WORLDS["small"], room / "world")
    data_room.multiply(room / "world", room / "copies", COPIES, REPEATS, per_part=1)
    return room / "world", room / "copies"


@pytest.fixture(scope="module")
def chains(folders):
    return tuple(data_room.chain(folder) for folder in folders)


def test_copies_have_people_and_claims_of_their_own(folders):
    world, copies = folders
    con = data_room.duckdb.connect()

    def numbers(relation, column):
        return con.execute(f"SELECT count(*), count(DISTINCT {column}) FROM {relation}").fetchall()[0]

    people = numbers(f"'{world}/eligibility.parquet'", "person_id")
    assert numbers(f"'{copies}/eligibility/*.parquet'", "person_id") == tuple(COPIES * n for n in people)
    for table in data_room.CLAIMS:
        lines = numbers(f"'{world}/{table}.parquet'", "claim_id")
        found = numbers(f"'{copies}/{table}/*.parquet'", "claim_id")
        assert found == tuple(COPIES * REPEATS * n for n in lines)
        assert lines[0] > 50_000
        assert data_room.counted(copies)[table] == found[0]
        orphans = con.execute(
            f"SELECT count(*) FROM '{copies}/{table}/*.parquet' WHERE x_adjusts_claim_id NOT IN "
            f"(SELECT claim_id FROM '{copies}/{table}/*.parquet')"
        ).fetchall()
        assert orphans == [(0,)]


def test_cells_are_copies_times_the_worlds_own(chains):
    own, all_copies = (c["totals"] for c in chains)
    assert own["rows"] > 30_000
    for name in MEMBERS:
        assert all_copies[name] == COPIES * own[name]
    for name in DOLLARS:
        assert all_copies[name] == COPIES * REPEATS * own[name] > 0
    assert all_copies["w*allowed_capped"] <= COPIES * REPEATS * own["w*allowed_capped"]


def test_the_page_says_how_long_each_took(folders, chains):
    scan = data_room.scan(folders[1])
    spent = {part: {"seconds": 0.5, "cpu_seconds": 0.75} for part in ("opened", "rules", "digests")}
    sizes = {
        label: {
            "count": data_room.counted(folders[1]),
            "chain": {**found, "peak_gib": 0.5, "seconds": seconds, "cpu_seconds": seconds},
            "check": spent,
            "scan": {**scan, "peak_gib": None, "seconds": 0.5, "cpu_seconds": 0.25},
            "load": 1.0,
        }
        for label, found, seconds in zip(("half", "whole"), chains, (2.0, 4.5), strict=True)
    }
    text = data_room.page(sizes, argparse.Namespace(lines=100, world="small", repeats=REPEATS))
    assert "| chain over scan | 4.0 | 9.0 |" in text
    assert "Doubling the rows takes 2.25 times as long" in text
    assert "| all rules of the input checks, s | 0.5 (0.8 of processors) |" in text
    assert "not measured" in text


def test_rules_and_digests_are_timed_apart(folders):
    found = data_room.check(folders[1])
    assert list(found) == ["opened", "rules", "digests"]
    assert all(part["seconds"] > 0 for part in found.values())


def test_memory_is_that_of_the_process_it_started(folders):
    found = data_room.measured("scan", folders[1])
    assert found["seconds"] > 0
    assert found["peak_gib"] is None or 0.01 < found["peak_gib"] < 4
