"""Lists of people as files that only their owner can read: whole or not at all, and never inside a report.

The same study, data and day give the same bytes. CSV is safe to open in a spreadsheet.
"""

from __future__ import annotations

import csv
import io
import os
import shutil
import tempfile
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from medhome.reporting.datatable import csv_cell
from medhome.reporting.json_files import write_json
from medhome.reporting.manifest import NAME as MANIFEST
from medhome.study.list_results import TABLES, ListTable, ProgramLists, dictionary
from medhome.study.problems import StudyFileError

NAME = "lists.json"
ENDING = "-private-lists"
"""Lists of study ``demo`` lie in ``demo-private-lists/<day>``: no command looks for reports there."""

_TYPES = {"text": pa.string(), "integer": pa.int64(), "number": pa.float64(), "date": pa.date32()}
_OWNER_ONLY, _OWNER_READS = 0o700, 0o600

_README = """\
# PRIVATE: lists of named members

These files name people and tell of their illness. They are of class **private**: give them to nobody but
those who care for these members, over a channel that is agreed on, and delete them when they are replaced.
They are no part of a report; `medhome release` and `medhome bundle` do not take them.

- `high_risk`: who is on the high-risk list as of {day}, with points and reasons
- `gaps_in_care`: which care is due for whom, and since when
- `risk_scores`: every member of the program with points and prediction

Nothing later than {day} was used, neither services nor payments. `data-dictionary.md` says what each column
means, `lists.json` what the lists were made from.
"""


def write_lists(found: ProgramLists, out: Path) -> Path:
    """Write the lists to ``out/<study>-private-lists/<day>/`` and return that folder.

    The folder and its files are readable by their owner alone. It appears whole; one of the same day is
    replaced. Raises `StudyFileError` where the folder would lie inside a report.
    """
    home = out / f"{found.study_id}{ENDING}"
    _refuse_inside_report(home)
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(_OWNER_ONLY)
    target = home / found.as_of.isoformat()
    built = Path(tempfile.mkdtemp(prefix=".building-", dir=home))
    try:
        for table in TABLES:
            _write(found.frames[table.name], table, built)
        (built / "README.md").write_text(
            _README.format(day=found.as_of.isoformat()), encoding="utf-8", newline="\n"
        )
        (built / "data-dictionary.md").write_text(dictionary(), encoding="utf-8", newline="\n")
        (built / ".gitignore").write_text("*\n", encoding="utf-8", newline="\n")
        write_json(dict(found.about), built / NAME)
        for path in sorted(built.iterdir()):
            path.chmod(_OWNER_READS)
        _replace(target, built)
    finally:
        shutil.rmtree(built, ignore_errors=True)
    return target


def _write(frame: pd.DataFrame, table: ListTable, folder: Path) -> None:
    schema = pa.schema([(c.name, _TYPES[c.kind]) for c in table.columns])
    arrow = pa.Table.from_pandas(frame, schema=schema, preserve_index=False).replace_schema_metadata()
    pq.write_table(arrow, folder / f"{table.name}.parquet")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(arrow.column_names)
    writer.writerows([csv_cell(value) for value in row.values()] for row in arrow.to_pylist())
    (folder / f"{table.name}.csv").write_text(text.getvalue(), encoding="utf-8", newline="\n")


def _replace(target: Path, built: Path) -> None:
    """Put a folder where another may be: what was there comes back when that fails."""
    before = target.with_name(f".before-{target.name}-{os.getpid()}")
    if target.exists():
        target.rename(before)
    try:
        built.rename(target)
    except OSError:
        if before.exists():
            before.rename(target)
        raise
    shutil.rmtree(before, ignore_errors=True)


def _refuse_inside_report(home: Path) -> None:
    for folder in home.resolve().parents:
        if (folder / MANIFEST).is_file():
            raise StudyFileError(
                f"--out: {home} lies inside the report {folder}; lists name people and may not be part of "
                "one: name another folder"
            )
