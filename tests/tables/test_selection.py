"""Who entered, stayed, left or died, and where members were seen: exhibit T18 by hand.

The world of `test_populations` and four more. S, X and K are seen again in April (S by N1 for $6, X by N2 for
$7, K by N2 for $5), E by N1 in June for $8.

    L  program, born in 1950, $9 in February; enrolled until 1 May: January to April
    Q  comparison, enrolled until 20 February: January and February
    D  comparison, dies on 20 March: January to March
    E  program by a visit in November, enrolled from May: May and June
"""

from __future__ import annotations

import numpy as np
import pytest
import test_populations as world
from small_world import claim, person, study

from medhome.models import selection as leaving
from medhome.tables import collapse, engine, selection

AGAIN = (("S", "04", "N1", 6), ("X", "04", "N2", 7), ("K", "04", "N2", 5), ("E", "06", "N1", 8))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    people = [
        *world.people(),
        person("L", birth_date="1950-01-01", enrollment_end_date="2008-05-01"),
        person("Q", enrollment_end_date="2008-02-20"),
        person("D", death_date="2008-03-20"),
        person("E", enrollment_start_date="2008-05-01"),
    ]
    claims = world.claims()
    claims += [
        claim(f"B{who}", who, "2007-11-05", 60, rendering_npi=npi)
        for who, npi in (("L", "N1"), ("Q", "N2"), ("D", "N2"), ("E", "N1"))
    ]
    claims += [claim(f"P{who}", who, f"2008-{m}-20", usd, rendering_npi=npi) for who, m, npi, usd in AGAIN]
    claims += [claim("LF", "L", "2008-02-10", 9, hcpcs_code="93000")]
    with engine.session() as con:
        folder = tmp_path_factory.mktemp("selection")
        panel = world.built(con, folder, people=people, claims=claims)
        scored = collapse.score(panel, {"intercept": 10_000.0, "age_sex:F55-64": 5_000.0})
        spec = study(**world.BY_VISITS)
        inputs = world.small_world.inputs(con, folder, spec)
        yield selection.describe(inputs, scored, spec), collapse.cells(scored, spec), spec


def table(frame, *keys):
    """The rest of each row by its keys."""
    values = frame.drop(columns=list(keys)).itertuples(index=False, name=None)
    return dict(zip(frame[list(keys)].itertuples(index=False, name=None), values, strict=True))


def test_members_by_what_became_of_them(built):
    found = table(built[0].members, "arm", "status")
    nan = float("nan")
    expected = {
        ("treated", "entered"): (1, 2.0, 0.2, nan, 100.0),
        ("treated", "stayed"): (3, 18.0, 0.6, 3 / 9, 100.0),
        ("treated", "left"): (1, 4.0, 0.2, 9 / 3, 150.0),
        ("treated", "died"): (0, 0.0, 0.0, nan, nan),
        ("comparison", "entered"): (0, 0.0, 0.0, nan, nan),
        ("comparison", "stayed"): (1, 6.0, 1 / 3, 5 / 3, 100.0),
        ("comparison", "left"): (1, 2.0, 1 / 3, 0.0, 100.0),
        ("comparison", "died"): (1, 3.0, 1 / 3, 0.0, 100.0),
    }
    assert set(found) == set(expected)
    for key, values in expected.items():
        np.testing.assert_allclose(found[key], values, err_msg=str(key))


def test_where_members_were_in_fact_seen(built):
    """X, of the program, has three months with the comparison practice; G and L are seen nowhere."""
    found = table(built[0].crossovers, "arm", "seen_in")
    expected = {
        ("treated", "treated"): (2, 5.0, 24.0),  # S three months and E two: 10 + 6 + 8
        ("treated", "comparison"): (1, 3.0, 27.0),
        ("treated", "excluded"): (0, 0.0, 0.0),
        ("treated", "not attributed"): (2, 4.0, 30.0),
        ("comparison", "treated"): (0, 0.0, 0.0),
        ("comparison", "comparison"): (1, 3.0, 55.0),
        ("comparison", "excluded"): (0, 0.0, 0.0),
        ("comparison", "not attributed"): (0, 0.0, 0.0),
    }
    assert {key: values[:3] for key, values in found.items()} == expected
    # G had no cost in the baseline, L $9: $9 in six member-months; of risk 100 for three months, 150 for one.
    assert found[("treated", "not attributed")][3:] == pytest.approx((9 / 6, 450 / 4))


def test_the_share_without_visits(built):
    found = table(built[0].without_visits, "arm")
    assert found[("treated",)] == pytest.approx((5, 2, 0.4))
    assert found[("comparison",)] == pytest.approx((1, 0, 0.0))
    assert found[("everyone",)] == pytest.approx((9, 1, 1 / 9))  # N has no practice


def test_leaving_by_period_and_its_difference_in_differences(built):
    flows, cells, spec = built
    found = table(leaving.exits(flows.organizations), "arm", "period")
    assert found == {
        ("treated", "baseline"): (0, 12.0, 0.0),
        ("treated", "performance"): (1, 8.0, 125.0),  # June is nobody's to leave after
        ("comparison", "baseline"): (1, 8.0, 125.0),
        ("comparison", "performance"): (0, 2.0, 0.0),
    }
    effects = leaving.effects(flows.organizations, cells, spec).set_index("outcome")
    assert effects.loc["exit_rate", "estimate"] == pytest.approx(125 - 0 - (0 - 125))
    # The program's frozen cost: (3 * 150 + 9 * 100) / 12 before, (150 + 11 * 100) / 12 after.
    assert effects.loc["composition", "estimate"] == pytest.approx(1250 / 12 - 1350 / 12)
    assert effects["note"].tolist() == ["too few comparison organisations for an interval"] * 2
    assert effects[["se", "lo95", "hi95", "p"]].isna().all(axis=None)
