"""What do members' own changes say? Two-way effects of every member and every month.

Practice effects let a practice's cost move with who enters and leaves; with an effect of every member only
changes inside a member count, so that people seen on one side of the start say nothing. Frozen expected cost
is part of a member's effect. Exact from patterns of months (``docs/methods/cells.md``, effects of every
member).
"""

from __future__ import annotations

from medhome.models.cell_moments import CellMoments, Term
from medhome.models.cells_regression import regress
from medhome.models.inference.conventional import TTest
from medhome.study.cells import Cells

OUTCOME = "allowed_capped"


def member_effect(cells: Cells, first_post: int) -> TTest:
    """The effect with member and month effects, clustered by organisation (one in each arm).

    cells: of patterns, keys organization_id, practice_id, arm, pattern and month. Raises `ModelRefusal` as
    `regress` does.
    """
    moments = CellMoments.of_members(cells, [OUTCOME])
    after = moments.keys["month"].to_numpy(dtype=int) >= first_post
    treated = (moments.keys["arm"] == "treated").to_numpy()
    term = Term(name="effect", factor=(treated & after).astype(float))
    fit = regress(moments, OUTCOME, [term], effects=("member", "month"), cluster=("organization_id", "arm"))
    return fit.test("effect")

