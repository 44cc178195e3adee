"""Study folders spoilt in every way that the kinds know: the same seed, the same folder."""

from __future__ import annotations

from pathlib import Path

from tests.fuzz import cells, files, studies
from tests.fuzz.draft import sound

KINDS = (*cells.KINDS, *files.KINDS, *studies.KINDS)


def mutate(seed: int, folder: Path) -> tuple[str, str]:
    """Write a spoilt study folder; returns the kind of fault and what was done, in words.

    The kinds take turns with the seeds; after every kind had three turns, each folder has two faults.
    """
    draft = sound(seed)
    kinds = [KINDS[seed % len(KINDS)]]
    if seed >= 3 * len(KINDS):
        kinds.append(KINDS[int(draft.rng.integers(len(cells.KINDS)))])
        kinds.reverse()
    done = [kind(draft) for kind in kinds]
    draft.write(folder)
    return kinds[-1].__name__, "; ".join(done)
