"""One small world for the tests of this room."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from medhome.simulate import WORLDS, Truth, simulate_world

TABLES = (
    "eligibility",
    "medical_claim",
    "pharmacy_claim",
    "provider_practice",
    "program_roster",
    "care_management",
    "survey",
)


@dataclass(frozen=True)
class Drawn:
    folder: Path
    truth: Truth

    def frame(self, table: str):
        frame = pq.read_table(self.folder / f"{table}.parquet").to_pandas(date_as_object=False)
        for column in frame.columns:
            if column.endswith("_amount"):
                frame[column.replace("_amount", "_cents")] = (
                    (frame[column].astype(float) * 100).round().astype("int64")
                )
        return frame


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    folder = tmp_path_factory.mktemp("small")
    return Drawn(folder, simulate_world(WORLDS["small"], folder))
