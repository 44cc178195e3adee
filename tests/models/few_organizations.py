"""The nine organisations and ten months of the few-clusters note, section 7, and their golden values."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from medhome.models.inference.contrasts import Contrasts, contrasts

GOLDEN = json.loads((Path(__file__).parent / "golden" / "few_organizations.json").read_text(encoding="utf-8"))
VALUES = GOLDEN["values"]
PMPM = np.array(GOLDEN["pmpm"])
MEMBERS = np.array(GOLDEN["members"], dtype=float)
BEFORE = GOLDEN["months_before"]
MONTHS = PMPM.shape[1]
AFTER = np.arange(MONTHS) >= BEFORE
MEAN = VALUES["mean"]


def covariance(months: np.ndarray | int = MONTHS) -> np.ndarray:
    shape = GOLDEN["gamma_shape"]
    months = np.arange(months) if isinstance(months, int) else months
    lag = np.abs(np.subtract.outer(months, months))
    beyond = shape["share_fading"] * shape["fade"] ** lag + shape["share_lasting"]
    return GOLDEN["gamma_0"] * np.where(lag == 0, 1.0, beyond)


def treated(count: int) -> np.ndarray:
    return np.arange(len(MEMBERS)) < count


def changes(count: int) -> Contrasts:
    return contrasts(PMPM, np.repeat(MEMBERS[:, None], MONTHS, axis=1), treated(count), AFTER)


def lcg_draws(kept: int, number: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """Indices below ``kept`` and signs, from the linear congruential generator that the note names."""
    x = 20080601
    index, sign = np.empty((number, len(MEMBERS)), int), np.empty((number, len(MEMBERS)))
    for b in range(number):
        for j in range(len(MEMBERS)):
            x = (1103515245 * x + 12345) % 2**31
            index[b, j] = (x >> 16) % kept
            x = (1103515245 * x + 12345) % 2**31
            sign[b, j] = 1.0 if (x >> 16) % 2 == 0 else -1.0
    return index, sign
