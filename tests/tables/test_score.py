"""Expected cost of members from coefficients, at sizes that a 32-bit number cannot hold."""

from __future__ import annotations

import dozen
import pytest

from medhome.tables import collapse, engine, panel, sources


@pytest.mark.parametrize(("cents", "expected"), [(200_000.0, 200_000), (123_456.5, 123_457), (-0.6, -1)])
def test_an_intercept_alone(dozen_folder, cents, expected):
    """As in a study too small for any term: $2,000 PMPM is 2 thousand million ten-thousandths of a cent."""
    with engine.session() as con:
        spec = dozen.study()
        months = panel.build(con, sources.open_inputs(con, spec, dozen_folder), spec)
        scored = collapse.score(months, {"intercept": cents})
        found = engine.fetch(scored.members.select("expected_cents").distinct())
    assert found["expected_cents"].tolist() == [expected]
