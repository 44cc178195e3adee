"""Public value sets that are too large, or not ours, to travel with the package: read from the study's
folder.

The folder is named in the study (``measures.value_sets``, from the data folder on). Files are CSV, plain or
gzipped, under the names of ``docs/methods/measures.md``; a measure whose file is not there is named as such.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from medhome.study.problems import DataProblem
from medhome.study.provenance import file_digest

SHARES = ("edcnnpa", "edcnpa", "epct", "noner", "injury", "psych", "alcohol", "drug")
"""Classes of the NYU emergency algorithm; their shares of a diagnosis add up to 1."""

UNCLASSIFIED = "unclassified"
SHARE_SCALE = 10_000
"""Shares are counted in whole ten-thousandths, so that sums are exact."""


@dataclass(frozen=True)
class ValueSets:
    """The study's folder of value sets; None where the study names none.

    >>> ValueSets(None).missing(["pqi_value_sets.csv"])
    ['pqi_value_sets.csv']
    """

    folder: Path | None

    def path(self, name: str) -> Path | None:
        """Where a file lies, plain or gzipped; None if it does not."""
        if self.folder is None:
            return None
        both = (self.folder / name, self.folder / f"{name}.gz")
        return next((p for p in both if p.is_file()), None)

    def missing(self, names: Iterable[str]) -> list[str]:
        """Which of these files the folder does not have."""
        return [name for name in names if self.path(name) is None]

    def read(self, name: str, columns: Iterable[str]) -> pd.DataFrame:
        """A file as text; raises `DataProblem` naming it where it cannot be read or lacks a column."""
        path = self.path(name)
        if path is None:
            raise DataProblem(f"value set {name}: there is no such file in {self.folder}")
        try:
            frame = pd.read_csv(path, dtype=str, keep_default_na=False)
        except (OSError, UnicodeDecodeError, EOFError, pd.errors.ParserError, pd.errors.EmptyDataError) as e:
            raise DataProblem(f"value set {path}: cannot be read as CSV ({e}); copy it again") from None
        wanted = list(columns)
        lacking = [c for c in wanted if c not in frame.columns]
        if lacking:
            raise DataProblem(f"value set {path}: lacks column {', '.join(lacking)}; copy it again")
        return frame

    def codes(self, name: str, column: str) -> frozenset[str]:
        """The codes of a column, upper case and without dots; empty where the file is not there."""
        if self.path(name) is None:
            return frozenset()
        return frozenset(plain(self.read(name, [column])[column]))

    def files(self) -> pd.DataFrame:
        """The files of the folder, as `DataQuality.inputs` lists input files."""
        found = sorted(self.folder.glob("*.csv*")) if self.folder is not None and self.folder.is_dir() else []
        rows = []
        for path in found:
            digest = file_digest(path)
            frame = pd.read_csv(path, dtype=str, keep_default_na=False)
            rows.append(("value_sets", path.name, len(frame), path.stat().st_size, digest, digest))
        columns = ["role", "name", "rows", "bytes", "sha256", "content_sha256"]
        return pd.DataFrame(rows, columns=columns)

    @functools.cached_property
    def emergency(self) -> EmergencyShares:
        """The table of the emergency algorithm, of both code systems."""
        return EmergencyShares.of(
            {
                "icd-9-cm": self.read("ed_johnston_icd9.csv", ["icd9", *SHARES]),
                "icd-10-cm": self.read("ed_johnston_icd10.csv", ["icd10", *SHARES]),
            }
        )


@dataclass(frozen=True)
class EmergencyShares:
    """Shares of the eight classes by code system and principal diagnosis."""

    table: dict[str, dict[str, tuple[float, ...]]]

    @classmethod
    def of(cls, frames: dict[str, pd.DataFrame]) -> EmergencyShares:
        """From the published tables, one by code system, the code in the first column."""
        table = {}
        for system, frame in frames.items():
            values = frame[list(SHARES)].astype(float).to_numpy()
            off = np.abs(values.sum(1) - 1) > 1e-6
            if off.any():
                code = str(frame.iloc[:, 0].tolist()[int(np.flatnonzero(off)[0])])
                raise DataProblem(f"emergency shares, {system}: those of {code} do not add up to 1")
            codes = plain(frame.iloc[:, 0])
            table[system] = dict(zip(codes, map(tuple, values.tolist()), strict=True))
        return cls(table)

    def of_code(self, system: str, code: str) -> dict[str, float]:
        """The shares of a principal diagnosis; of the longest shorter code where the table lacks it.

        The table ends with the codes of about 2019, so codes that were split later fall back to the one that
        they were split from. What has none is `UNCLASSIFIED`: share 1 of that, 0 of the eight classes.
        """
        known, plain_code = self.table.get(system, {}), code.upper().replace(".", "")
        for length in range(len(plain_code), 2, -1):
            if (found := known.get(plain_code[:length])) is not None:
                return dict(zip(SHARES, found, strict=True)) | {UNCLASSIFIED: 0.0}
        return dict.fromkeys(SHARES, 0.0) | {UNCLASSIFIED: 1.0}

    def parts(self, diagnoses: pd.DataFrame, classes: Iterable[str]) -> np.ndarray:
        """(n,) summed shares of these classes in ten-thousandths, for rows of ``system`` and ``code``."""
        wanted, keys = list(classes), ["system", "code"]
        each = diagnoses[keys].drop_duplicates()
        parts = [
            round(SHARE_SCALE * sum(self.of_code(system, code)[c] for c in wanted))
            for system, code in each.astype("str").itertuples(index=False)
        ]
        found = diagnoses[keys].merge(each.assign(parts=parts), on=keys, how="left")
        return found["parts"].to_numpy(dtype=np.int64)


def plain(codes: Iterable[str]) -> list[str]:
    """Codes in upper case, without dots and blanks."""
    return [str(c).strip().upper().replace(".", "") for c in codes]
