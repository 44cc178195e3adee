"""Which terms the cost model holds, and its normal equations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from medhome.study.cells import Rows
from medhome.study.spec import StudySpec

OUTCOME = "allowed_capped"
Column = tuple[str, ...]
"""Terms that share a coefficient: one term, or age bands joined for want of members."""
_AGE_SEX, _CONDITION, _SPECIAL, _SCORE = "age_sex:", "condition:", "special:", "score:"
_INFANTS = "0"
_COLLINEAR = 1e-9


def choose(
    data: pd.DataFrame, labels: Mapping[str, str], spec: StudySpec
) -> tuple[list[Column], dict[str, str], list[str]]:
    """The design's columns, each term's place (fitted, reference, merged) and notes."""
    prefixes: dict[str, tuple[str, ...]] = {
        "age-sex-conditions": (_AGE_SEX, _CONDITION, _SPECIAL),
        "age-sex": (_AGE_SEX, _SPECIAL),
        "none": (),
    }
    wanted = prefixes.get(spec.risk.model, (_AGE_SEX, _SCORE, _SPECIAL))
    offered = [t for t in labels if t.startswith(wanted)]
    least = spec.risk.min_members_per_term
    members = {t: int(data[t].sum()) for t in offered}
    bands = [t for t in offered if t.startswith(_AGE_SEX)]
    infants = _infants(bands, members, least) if spec.population.infants == "separate" else []
    own = {t for c in infants for t in c}
    pooled = [*infants, *_pooled([b for b in bands if b not in own], members, least)]
    pooled.sort(key=lambda column: bands.index(column[0]))
    place = dict.fromkeys(offered, "fitted")
    if bands and bool((data[bands].sum(axis=1) == 1).all()):
        exposure: dict[Column, int] = {c: sum(int((data[t] * data["w"]).sum()) for t in c) for c in pooled}
        _, largest = max((exposure[c], c) for c in pooled)
        place.update(dict.fromkeys(largest, "reference"))
    scores = [t for t in offered if t.startswith(_SCORE)]
    if scores:
        weight = {t: int((data[t] * data["w"]).sum()) for t in scores}
        place[max(scores, key=lambda t: weight[t])] = "reference"
    few = [c for c in pooled if c not in infants and sum(members[t] for t in c) < least]
    rare = [t for t in offered if t not in bands and members[t] < least]
    merged = [t for c in [*few, *((t,) for t in rare)] for t in c if place[t] == "fitted"]
    place.update(dict.fromkeys(merged, "merged"))
    notes = []
    if merged:
        notes.append(
            f"Terms with fewer than {least} members to fit on are merged into the reference group of the "
            f"risk model: {', '.join(labels[t] for t in merged)}."
        )
    for c in infants:
        if sum(members[t] for t in c) < least:
            notes.append(
                "Infants have a term of their own in the risk model, which rests on fewer than "
                f"{least} members."
            )
    later = [c for c in pooled if c not in infants and len(c) > 1 and place[c[0]] != "merged"]
    shared = [" with ".join(labels[t] for t in c) for c in later]
    if shared:
        notes.append(
            f"Age bands with fewer than {least} members to fit on share a coefficient with the next one: "
            f"{'; '.join(shared)}."
        )
    conditions = [(t,) for t in offered if t not in bands]
    return [c for c in [*pooled, *conditions] if place[c[0]] == "fitted"], place, notes


def _infants(bands: Sequence[str], members: Mapping[str, int], least: int) -> list[Column]:
    """Infants' bands apart from everybody's: by sex, a sex with few members together with the largest one.

    Where the fit has no infant at all there is nothing to keep apart, and infants go with the youngest
    children.

    >>> _infants(["age_sex:F0", "age_sex:F1-4", "age_sex:M0"], {"age_sex:F0": 3, "age_sex:M0": 80}, 50)
    [('age_sex:M0', 'age_sex:F0')]
    >>> _infants(["age_sex:F0", "age_sex:F1-4", "age_sex:M0"], {"age_sex:F0": 0, "age_sex:M0": 0}, 50)
    []
    """
    found = [b for b in bands if b[len(_AGE_SEX) + 1 :] == _INFANTS]
    if not sum(members[b] for b in found):
        return []
    largest = max(found, key=lambda band: members[band])
    few = [b for b in found if members[b] < least and b != largest]
    return [(b, *few) if b == largest else (b,) for b in found if b not in few]


def _pooled(bands: Sequence[str], members: Mapping[str, int], least: int) -> list[Column]:
    """Age bands of one sex joined with the next older one until they hold enough members.

    >>> _pooled(["age_sex:F0", "age_sex:F1-4", "age_sex:M0"], {"age_sex:F0": 3, "age_sex:F1-4": 60,
    ...         "age_sex:M0": 80}, 50)
    [('age_sex:F0', 'age_sex:F1-4'), ('age_sex:M0',)]
    """
    found: list[Column] = []
    for sex in dict.fromkeys(band[len(_AGE_SEX)] for band in bands):
        groups: list[list[str]] = [[]]
        for band in (b for b in bands if b[len(_AGE_SEX)] == sex):
            groups[-1].append(band)
            if sum(members[b] for b in groups[-1]) >= least:
                groups.append([])
        last = groups.pop()
        if groups:
            groups[-1].extend(last)
        found.extend(tuple(g) for g in groups or [last])
    return found


def design(data: pd.DataFrame, columns: Sequence[Column]) -> np.ndarray:
    return np.column_stack(
        [np.ones(len(data)), *(data[list(c)].to_numpy(dtype=float).sum(axis=1) for c in columns)]
    )


def normal_equations(
    data: pd.DataFrame, columns: Sequence[Column], rows: Rows
) -> tuple[np.ndarray, np.ndarray]:
    """X'WX in member-months and X'Wy in cents; sums of integers, hence exact in any order."""
    X = design(data, columns)
    weight = data["w"].to_numpy(dtype=float)
    cents = data[OUTCOME].to_numpy(dtype=float) * 100 / rows.scale
    return X.T @ (X * weight[:, None]) / rows.weight_scale, X.T @ cents


def independent(data: pd.DataFrame, columns: list[Column]) -> tuple[list[Column], list[Column]]:
    """Columns in order, each kept unless the intercept and the columns before it determine it."""
    X = design(data, columns)
    gram = X.T @ (X * data["w"].to_numpy(dtype=float)[:, None])
    kept: list[int] = [0]
    dropped: list[int] = []
    for i in range(1, len(gram)):
        inner = gram[np.ix_(kept, kept)]
        left = gram[i, i] - gram[i, kept] @ np.linalg.solve(inner, gram[kept, i])
        (kept if left > _COLLINEAR * gram[i, i] else dropped).append(i)
    return [columns[i - 1] for i in kept[1:]], [columns[i - 1] for i in dropped]
