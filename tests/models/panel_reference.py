"""Public tables and the golden values that R's reference packages gave on them (docs/reference-data.md)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


def golden(shared: Path, name: str) -> dict[str, Any]:
    text = (shared.parent / "design" / "did-golden.json").read_text(encoding="utf-8")
    return next(entry["values"] for entry in json.loads(text)["golden"] if entry["id"] == name)


def table(shared: Path, name: str, **options: Any) -> pd.DataFrame:
    return pd.read_csv(shared / "did_reference" / f"{name}.csv.gz", **options)


def columns(frame: pd.DataFrame, *names: str) -> np.ndarray:
    return np.column_stack([frame[n].to_numpy(dtype=float) for n in names])


def dummies(values: pd.Series, drop_first: bool = False) -> np.ndarray:
    return pd.get_dummies(values, drop_first=drop_first).to_numpy(dtype=float)
