"""Names carry no meaning: people, practices and organisations called otherwise have the same numbers."""

from __future__ import annotations

import dozen
import pandas as pd
import pytest

from medhome.tables import collapse, engine


@pytest.fixture(scope="module")
def con():
    with engine.session() as con:
        yield con


def _built(con, folder, renamed):
    """The cells of the dozen, and its people, with names given back their old form."""
    tables = dozen.frames()
    for frame in tables.values():
        for column in ("person_id", "member_id", "practice_id", "organization_id", "unit_id"):
            if column in frame:
                frame[column] = frame[column].map(lambda name: renamed.get(name, name))
    built = dozen.build(con, dozen.write(folder, tables), dozen.study())
    back = {new: old for old, new in renamed.items()}
    keys = ["organization_id", "practice_id", "arm", "stratum", "month"]
    cells = built.cells.frame.assign(
        **{c: built.cells.frame[c].map(lambda n: back.get(n, n)) for c in keys[:2]}
    )
    rows = collapse.member_rows(built.panel, built.spec).frame
    rows = rows.assign(**{c: rows[c].map(lambda n: back.get(n, n)) for c in keys[:2]})
    numbers = [c for c in rows.columns if c not in ("person_key", "person_id")]
    return (
        cells.sort_values(keys).reset_index(drop=True),
        rows[numbers].sort_values(numbers).reset_index(drop=True),
        built.panel.attrition.frame,
        built.panel.reconciliation,
    )


def test_renaming_people_practices_and_organisations_changes_nothing(con, tmp_path):
    tables = dozen.frames()
    people = sorted({*tables["eligibility"]["person_id"], *tables["medical_claim"]["person_id"]})
    turned = dict(zip(people, reversed([f"x {name}" for name in people]), strict=True))
    places = {"P1": "zz", "P2": "m", "P3": "aa", "P4": "b", "O1": "9", "O2": "5", "O3": "1", "O4": "3"}
    plain = _built(con, tmp_path / "plain", {})
    for number, names in enumerate((turned, places, turned | places)):
        found = _built(con, tmp_path / str(number), names)
        for left, right in zip(found, plain, strict=True):
            pd.testing.assert_frame_equal(left, right, check_dtype=False)
