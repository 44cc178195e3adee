"""The choices of a study as flat lines, ``section.key`` → value, and which differ between two studies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medhome.study.spec import StudySpec

OF_THE_PERIOD = ("paid_through", "periods.through")
"""Keys of the study file that a new data period changes by its nature."""


def flat_choices(spec: StudySpec) -> dict[str, Any]:
    """Every choice of a study under its dotted name, as JSON can hold it."""
    return flat(spec.model_dump(mode="json"))


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as dotted names.

    >>> flat({"periods": {"start": "2008-06"}, "seed": 1})
    {'periods.start': '2008-06', 'seed': 1}
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def changed_choices(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Keys that differ between two flat studies, with the value before and after; all of them, in order.

    >>> changed_choices({"seed": 1, "version": "1"}, {"seed": 1, "version": "2"})
    {'version': ('1', '2')}
    """
    keys = sorted(set(old) | set(new))
    return {k: (old.get(k), new.get(k)) for k in keys if old.get(k) != new.get(k)}
