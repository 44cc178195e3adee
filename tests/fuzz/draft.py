"""A study folder in memory, to be spoilt and written: tables as frames of plain values, the study as text."""

from __future__ import annotations

import csv
import functools
import io
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from medhome.simulate import simulate_world
from medhome.simulate.world import WorldSettings
from medhome.study.definitions import contract

TINY = WorldSettings(
    name="small",
    seed=5,
    first_month="2007-06",
    start="2008-12",
    last_month="2009-11",
    paid_through="2010-02",
    program_members=80,
    program_sites=2,
    program_clinicians=4,
    comparison_members=200,
    comparison_organizations=8,
    comparison_size_min=16,
    comparison_size_max=60,
    members_per_site=40,
    members_per_clinician=20,
)
"""280 members, one treated organisation, eight of comparison, 18 months: a whole evaluation in seconds."""

NEEDED = ("eligibility", "medical_claim", "pharmacy_claim", "provider_practice", "program_roster")
TABLES = (*NEEDED, "care_management", "survey")


@dataclass
class Draft:
    """A study folder before it is written.

    tables: rows as plain Python values, None for nothing. kinds: "parquet" or "csv" by table.
    study: text of the study file. after: changes to the written files, by the folder's path.
    """

    tables: dict[str, pd.DataFrame]
    study: str
    rng: np.random.Generator
    kinds: dict[str, str] = field(default_factory=dict)
    after: list[Callable[[Path], None]] = field(default_factory=list)

    def table(self, *names: str) -> str:
        """One of these tables, drawn; of all of them where none is named."""
        return str(self.rng.choice(names or TABLES))

    def columns(self, table: str, *types: str) -> list[str]:
        """The table's columns that the contract gives one of these types."""
        held = self.tables[table]
        return [c.name for c in contract(table).expanded() if c.type in types and c.name in held]

    def column(self, table: str, *types: str) -> str:
        return str(self.rng.choice(self.columns(table, *types)))

    def rows(self, table: str) -> list[int]:
        """Places of a few rows, or of many, or of all."""
        held = len(self.tables[table])
        many = int(self.rng.choice([1, 3, max(1, held // 4), held]))
        return sorted(self.rng.choice(held, size=min(many, held), replace=False).tolist())

    def put(self, table: str, column: str, rows: list[int], values: list) -> None:
        """Put values, in turn, into a column's cells."""
        frame = self.tables[table]
        cells = frame[column].tolist()
        for i, row in enumerate(rows):
            cells[row] = values[i % len(values)]
        self.tables[table] = frame.assign(**{column: pd.Series(cells, dtype=object, index=frame.index)})

    def keep(self, table: str, wanted: pd.Series | list[bool]) -> None:
        """Leave out the rows that are not wanted."""
        rows = pd.Series(list(wanted), dtype=bool).to_numpy()
        self.tables[table] = self.tables[table][rows].reset_index(drop=True)

    def write(self, folder: Path) -> None:
        """Write ``study.toml`` and the tables, then change the files as asked."""
        folder.mkdir(parents=True)
        (folder / "study.toml").write_text(self.study, encoding="utf-8", errors="surrogatepass")
        for name, frame in self.tables.items():
            if self.kinds.get(name, "parquet") == "csv":
                (folder / f"{name}.csv").write_bytes(as_csv(frame))
            else:
                pq.write_table(as_arrow(frame), folder / f"{name}.parquet")
        for change in self.after:
            change(folder)


def as_csv(frame: pd.DataFrame, delimiter: str = ",", ends: str = "\n") -> bytes:
    """The frame as UTF-8 text."""
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=delimiter, lineterminator=ends)
    writer.writerow(frame.columns)
    for row in frame.itertuples(index=False, name=None):
        writer.writerow(["" if value is None else value for value in row])
    return stream.getvalue().encode()


def as_arrow(frame: pd.DataFrame) -> pa.Table:
    """The frame with each column's own type; a column of several types becomes text."""
    columns = []
    for i in range(frame.shape[1]):
        values = frame.iloc[:, i].tolist()
        try:
            columns.append(pa.array(values))
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            columns.append(pa.array([None if v is None else str(v) for v in values]))
    return pa.Table.from_arrays(columns, names=[str(c) for c in frame.columns])


@functools.cache
def _plain() -> tuple[dict[str, pd.DataFrame], str]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        simulate_world(TINY, folder)
        found = {}
        for table in TABLES:
            held = pq.read_table(folder / f"{table}.parquet")
            columns = {c: pd.Series(held[c].to_pylist(), dtype=object) for c in held.column_names}
            found[table] = pd.DataFrame(columns)
        return found, (folder / "study.toml").read_text(encoding="utf-8")


def sound(seed: int = 0) -> Draft:
    """The tiny study as it should be; ``seed`` is of what will be drawn to spoil it."""
    tables, study = _plain()
    copies = {name: frame.copy() for name, frame in tables.items()}
    return Draft(tables=copies, study=study, rng=np.random.default_rng([seed, 7]))
