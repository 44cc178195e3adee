"""Frames whose columns and types are declared: the same with rows and without."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd


def frame_without_rows(kinds: Mapping[str, str]) -> pd.DataFrame:
    """A frame of these columns and types: what a result holds that was not asked for.

    >>> frame_without_rows({"label": "str", "members": "int64"}).dtypes["members"].name
    'int64'
    """
    return pd.DataFrame({column: pd.Series(dtype=kind) for column, kind in kinds.items()})


def frame_of_rows(
    rows: Sequence[Mapping[str, object] | tuple[object, ...]], kinds: Mapping[str, str]
) -> pd.DataFrame:
    """These rows as a frame of these columns and types, in their order.

    >>> frame_of_rows([{"members": 3, "label": "all"}], {"label": "str", "members": "float64"})
      label  members
    0   all      3.0
    """
    return pd.DataFrame(rows, columns=list(kinds)).astype(dict(kinds))
