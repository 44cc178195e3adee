"""The public tables that golden values were made on, read from a folder of one's own."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pandas as pd

from medhome.study.problems import DataProblem

FOLDER = "did_reference"
WHERE = (
    "docs/reference-data.md and the origin column of definitions/validation/entries.csv say where each table "
    "comes from; put them there as NAME.csv.gz, or name another folder with --data"
)
DEFINITIONS = Path(__file__).resolve().parent.parent / "definitions" / "validation"


class Tables:
    """Tables by name from ``folder/did_reference``, ``folder/data/did_reference`` or ``folder`` itself.

    Raises `DataProblem` when there is no such folder.
    """

    def __init__(self, folder: Path) -> None:
        candidates = (folder / FOLDER, folder / "data" / FOLDER, folder)
        self.folder = next((c for c in candidates if c.is_dir()), folder)
        if not self.folder.is_dir():
            raise DataProblem(f"{folder}: no reference data here; {WHERE}")

    def lacks(self, names: str) -> list[str]:
        """Files of these tables (names with spaces between) that are not there."""
        return [file for file in map(_file, names.split()) if not self._file(file).is_file()]

    def table(self, name: str, separator: str = ",") -> pd.DataFrame:
        """One table as it is."""
        return pd.read_csv(self._path(name), sep=separator)

    def lines(self, name: str) -> list[str]:
        """A text file's lines."""
        with gzip.open(self._path(name), "rt", encoding="latin-1") as file:
            return file.read().splitlines()

    def own(self, name: str) -> pd.DataFrame:
        """A table of the package itself, from its definitions."""
        return pd.read_csv(DEFINITIONS / f"{name}.csv")

    def _file(self, name: str) -> Path:
        """A file's path: beside the folder where its name has one of its own (``mssp_puf_2018/...``)."""
        return (self.folder.parent if "/" in name else self.folder) / name

    def _path(self, name: str) -> Path:
        path = self._file(_file(name))
        if not path.is_file():
            raise DataProblem(f"{path}: not there; {WHERE}")
        return path


def _file(name: str) -> str:
    return f"{name}.gz" if name.endswith(".dat") else f"{name}.csv.gz"


def usual_folder() -> Path:
    """The folder of reference data: MEDHOME_SHARED, or ``shared`` beside the checkout."""
    named = os.environ.get("MEDHOME_SHARED")
    return Path(named) if named else Path(__file__).resolve().parents[4] / "shared"
