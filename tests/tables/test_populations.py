"""The four populations, stepwise attribution and excluded months, by hand in a world of five people.

Baseline January to March 2008, start April, through June. Look-back three months: October to December 2007
for the baseline, January to March 2008 for the start. Clinician N1 is of the program (P1), N2 of a comparison
practice (P2).

    person  before the baseline  before the start  cost in May  home
    S       N1                   N1, $1            $10          03001
    X       N1                   N2, $2            $20          03001
    G       N1                   nobody            $30          03001
    N       nobody               N2, $4            $40          03001
    K       N2                   N2, $5            $50          03002
"""

from __future__ import annotations

import pytest
import small_world
from small_world import claim, clinician, person

from medhome.study.problems import DataProblem, StudyFileError
from medhome.tables import engine, populations

HOMES = {"S": "03001", "X": "03001", "G": "03001", "N": "03001", "K": "03002"}
BEFORE = {"S": "N1", "X": "N1", "G": "N1", "K": "N2"}
AT_START = {"S": ("N1", 1), "X": ("N2", 2), "N": ("N2", 4), "K": ("N2", 5)}
IN_MAY = {"S": 10, "X": 20, "G": 30, "N": 40, "K": 50}
BY_VISITS = {"attribution__method": "plurality", "attribution__lookback_months": 3}


@pytest.fixture(scope="module")
def con():
    with engine.session() as con:
        yield con


def people(**homes):
    return [person(who, zip_code=home) for who, home in (HOMES | homes).items()]


def claims():
    return [
        *(claim(f"B{who}", who, "2007-11-05", 60, rendering_npi=npi) for who, npi in BEFORE.items()),
        *(
            claim(f"A{who}", who, "2008-02-05", cost, rendering_npi=npi)
            for who, (npi, cost) in AT_START.items()
        ),
        # A test (93000) is cost and no visit.
        *(claim(f"M{who}", who, "2008-05-05", cost, hcpcs_code="93000") for who, cost in IN_MAY.items()),
    ]


def built(con, folder, **changes):
    return small_world.build(
        con, folder, changes.pop("claims", claims()), changes.pop("people", people()), **BY_VISITS | changes
    )


def by_arm_and_period(panel):
    """Members, member-months and dollars by arm and period: "b" the baseline, "p" the performance period."""
    rows = engine.fetch(panel.table.order_by("person_id", "month"))
    rows["period"] = ["b" if m < 2008 * 12 + 3 else "p" for m in rows["month"]]
    return {
        key: ("".join(sorted(set(mine["person_id"]))), len(mine), mine["allowed_cents"].sum() / 100)
        for key, mine in rows.groupby(["arm", "period"])
    }


def dropped(panel, rule, arm):
    frame = panel.attrition.frame
    row = frame[(frame["rule"] == rule) & (frame["arm"] == arm)].iloc[0]
    return row["members_dropped"], row["member_months_dropped"], row["allowed_usd_dropped"]


def test_intention_to_treat_stays_where_the_baseline_put_it(con, tmp_path):
    found = built(con, tmp_path)
    assert by_arm_and_period(found) == {
        ("treated", "b"): ("GSX", 9, 3.0),
        ("treated", "p"): ("GSX", 9, 60.0),
        ("comparison", "b"): ("K", 3, 5.0),
        ("comparison", "p"): ("K", 3, 50.0),
    }
    assert dropped(found, "attributed", "not attributed") == (1, 6, 44.0)


@pytest.mark.parametrize("freeze", ["period", "year"])
def test_a_dynamic_population_is_attributed_afresh_at_the_start(con, tmp_path, freeze):
    found = built(con, tmp_path, attribution__population="dynamic", attribution__freeze=freeze)
    assert by_arm_and_period(found) == {
        ("treated", "b"): ("GSX", 9, 3.0),
        ("treated", "p"): ("S", 3, 10.0),
        ("comparison", "b"): ("K", 3, 5.0),
        ("comparison", "p"): ("KNX", 9, 110.0),
    }
    # N before the start (3 months, $4) and G after it (3 months, $30).
    assert dropped(found, "attributed", "not attributed") == (2, 6, 34.0)
    keys = engine.fetch(found.members.order_by("person_key"))
    assert keys["person_key"].is_unique
    # S and K are one member each, with all six months; X is two.
    assert keys["person_id"].tolist() == ["G", "K", "N", "S", "X", "X"]
    assert found.waterfall["allowed_usd"].iloc[-1] == 3 + 10 + 5 + 110


def test_a_dynamic_population_by_the_payers_list_reads_the_month_of_each_period(con, tmp_path):
    listed = [small_world.attributed("S", "P1"), small_world.attributed("K", "P2")]
    listed += [small_world.attributed("S", "P2", "200804"), small_world.attributed("N", "P1", "200804")]
    changes = {"attribution__population": "dynamic", "attribution__freeze": "period"}
    found = built(con, tmp_path, attribution__method="roster", listed=listed, **changes)
    assert by_arm_and_period(found) == {
        ("treated", "b"): ("S", 3, 1.0),
        ("treated", "p"): ("N", 3, 40.0),
        ("comparison", "b"): ("K", 3, 5.0),
        ("comparison", "p"): ("S", 3, 10.0),
    }


def test_a_stable_population_has_those_of_the_same_arm_in_both_periods(con, tmp_path):
    found = built(con, tmp_path, attribution__population="stable")
    assert by_arm_and_period(found) == {
        ("treated", "b"): ("S", 3, 1.0),
        ("treated", "p"): ("S", 3, 10.0),
        ("comparison", "b"): ("K", 3, 5.0),
        ("comparison", "p"): ("K", 3, 50.0),
    }
    assert dropped(found, "stable", "treated") == (2, 12, 52.0)  # X and G
    assert dropped(found, "stable", "comparison") == (0, 0, 0.0)


def test_the_market_is_everyone_who_lives_where_an_arm_has_most_patients(con, tmp_path):
    """03001 is the program's by three patients of three, and N, whom nobody saw, lives there; nobody is
    attributed in 03003, where Z lives, and W's home is unknown."""
    found = built(con, tmp_path / "a", people=people(Z="03003", W=None), attribution__population="market")
    assert by_arm_and_period(found) == {
        ("treated", "b"): ("GNSX", 12, 7.0),
        ("treated", "p"): ("GNSX", 12, 100.0),
        ("comparison", "b"): ("K", 3, 5.0),
        ("comparison", "p"): ("K", 3, 50.0),
    }
    assert dropped(found, "attributed", "not attributed") == (2, 12, 0.0)
    members = engine.fetch(found.members.order_by("person_id"))
    assert members["practice_id"].unique().tolist() == ["area 03001", "area 03002"]
    assert members.set_index("person_id")["organization_id"].to_dict() == {
        **dict.fromkeys("GNSX", "O1"),
        "K": "O2",
    }
    # By the first three characters there is one area, the program's: no comparison is left.
    with pytest.raises(DataProblem, match="comparison arm is empty"):
        built(con, tmp_path / "b", attribution__population="market", attribution__area="zip3")


def test_a_market_without_homes_is_refused(con, tmp_path):
    nowhere = [person(who) for who in HOMES]
    with pytest.raises(DataProblem, match=r"eligibility\.zip_code: .*needs to know where members live"):
        built(con, tmp_path, people=nowhere, attribution__population="market")


def test_a_look_back_of_24_months_finds_visits_that_one_of_12_does_not(con, tmp_path):
    seen = [*claims(), claim("OLD", "N", "2006-02-01", 60, rendering_npi="N2")]
    for months, who in ((12, "K"), (24, "KN")):
        found = built(con, tmp_path / str(months), claims=seen, attribution__lookback_months=months)
        assert by_arm_and_period(found)[("comparison", "b")][0] == who


def test_stepwise_takes_specialists_only_of_members_whom_no_primary_care_clinician_saw(con, tmp_path):
    """The program's cardiologist N3 sees N twice and K three times; N2 sees K once and X twice; N4 sees Z."""
    heart = clinician("N3", "P1", "O1", x_primary_care=0, specialty="Cardiology")
    skin = clinician("N4", "P1", "O1", x_primary_care=0, specialty="dermatology")
    clinicians = [*small_world.CLINICIANS, heart, skin]
    more = [claim(f"H{d}", "N", f"2007-12-0{d}", 90, rendering_npi="N3") for d in (1, 2)]
    more += [claim(f"K{d}", "K", f"2007-12-0{d}", 90, rendering_npi="N3") for d in (1, 2, 3)]
    more += [claim(f"X{d}", "X", f"2007-12-0{d}", 90, rendering_npi="N2") for d in (1, 2)]
    more += [claim("D1", "Z", "2007-12-01", 90, rendering_npi="N4")]
    changes = {
        "claims": claims() + more,
        "people": people(Z="03003"),
        "clinicians": clinicians,
        "attribution__method": "stepwise",
        "attribution__specialties": ["cardiology"],
    }
    found = built(con, tmp_path / "a", **changes)
    assert by_arm_and_period(found)[("treated", "b")][0] == "GNS"
    assert by_arm_and_period(found)[("comparison", "b")][0] == "KX"
    # At least two visits: G, S and K have too few with primary care, and K enough with the cardiologist.
    found = built(con, tmp_path / "b", **changes | {"attribution__min_visits": 2})
    assert by_arm_and_period(found)[("treated", "b")][0] == "KN"
    assert by_arm_and_period(found)[("comparison", "b")][0] == "X"
    with pytest.raises(DataProblem, match=r"attribution.specialties \(ONCOLOGY\); the file has: CARDIOLOGY"):
        built(con, tmp_path / "c", **changes | {"attribution__specialties": ["oncology"]})


def test_ties_go_to_the_latest_visit_or_to_the_most_dollars_as_declared(con, tmp_path):
    """K sees N2 for $60 in November, and N1 for $50 in December: by recency P1, by dollars P2."""
    seen = [*claims(), claim("T1", "K", "2007-12-05", 50, rendering_npi="N1")]
    seen += [claim("T2", "N", "2007-12-05", 50, rendering_npi="N2")]
    for ties, who in ((["recency", "dollars"], "N"), (["dollars", "recency"], "KN")):
        found = built(con, tmp_path / ties[0], claims=seen, attribution__tie_break=ties)
        assert by_arm_and_period(found)[("comparison", "b")][0] == who


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"attribution__population": "dynamic"}, 'freeze "baseline" does not go with population "dynamic"'),
        ({"attribution__freeze": "year"}, 'freeze "year" does not go with population "intention_to_treat"'),
        ({"attribution__method": "stepwise"}, "specialties must name at least one specialty"),
        ({"attribution__tie_break": ["recency", "recency"]}, "names one rule twice"),
        ({"arms__exclusions": [{"first": "2008-05", "reason": "a"}]}, "name one unit"),
        (
            {
                "arms__exclusions": [
                    {"practice_id": "P2", "first": "2008-05", "last": "2008-04", "reason": "a"}
                ]
            },
            "last 2008-04 lies before first 2008-05",
        ),
        (
            {
                "attribution__population": "market",
                "arms__exclusions": [{"practice_id": "P2", "first": "2008-05", "reason": "a"}],
            },
            "exclude its organization_id",
        ),
    ],
)
def test_choices_that_contradict_each_other_are_refused(changes, message):
    with pytest.raises(StudyFileError, match=message):
        small_world.study(**changes)


def test_windows_by_year_are_those_of_the_cap():
    spec = small_world.study(attribution__population="dynamic", attribution__freeze="year")
    assert [str(w) for w in populations.windows(spec)] == ["2008-01 to 2008-03", "2008-04 to 2008-06"]
