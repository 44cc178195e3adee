"""Which method heads the report: the table of the few-clusters note, section 1, and its false-alarm rates."""

from __future__ import annotations

import csv
import importlib.resources

import pytest

from medhome.models.inference.recommend import Setting, recommend, right_size, size_in_simulation

LOGARITHMIC = tuple(500 * 10 ** ((k + 0.5) / 40) for k in range(40))


def setting(treated=(19_000,), comparison=LOGARITHMIC, before=24, after=22) -> Setting:
    return Setting(
        treated_members=treated, comparison_members=comparison, months_before=before, months_after=after
    )


@pytest.mark.parametrize(
    "case,size",
    [
        (
            setting(),
            {
                "re_panel": 4.8,
                "fp_recommended": 5.3,
                "cr2": 51.4,
                "cr1_practice": 20.6,
                "ri_rank": 0.0,
                "re_panel_flat": 4.4,
                "re_panel_prior_05": 5.5,
                "wcr": 0.9,
            },
        ),
        (setting(comparison=LOGARITHMIC[1::4] + LOGARITHMIC[::20]), {"re_panel": 4.8, "cr1_practice": 15.7}),
        (setting((2500,), (2500,) * 40), {"re_panel": 4.9, "ri_rank": 4.6, "donald_lang": 4.6}),
        (setting((2500,), (2500,) * 8), {"re_panel": 4.3, "re_two_period": 3.5}),
        (setting((600,)), {"re_panel": 4.8, "ri_rank": 13.2}),
        (setting((19_000,) * 3), {"re_panel": 4.5, "cr2": 5.6, "cr1_organization": 12.9}),
        (setting((2500,) * 6, (2500,) * 12), {"re_panel": 5.5, "wcr": 5.3}),
    ],
)
def test_false_alarms_of_the_nearest_simulated_setting(case, size):
    assert {m: size_in_simulation(m, case).percent for m in size} == size


def test_headline_is_the_panel_model_everywhere_and_p_only_where_simulated():
    assert recommend(setting()).interval == "re_panel"
    assert recommend(setting()).p_value == "fp_recommended"
    assert recommend(setting()).nearest == "one treated, much larger than the 40 comparisons"
    assert "more than twice as large as any comparison organisation" in recommend(setting()).rule
    for outside in (setting(comparison=LOGARITHMIC[:7]), setting(before=16), setting(after=11)):
        assert recommend(outside).p_value is None
        assert "no simulated setting is near enough" in recommend(outside).rule


@pytest.mark.parametrize(
    "case,never,may",
    [
        (
            setting(),
            {"cr1_organization", "cr1_practice", "cr2", "wcr", "ri_rank", "donald_lang"},
            {"re_two_period"},
        ),
        (setting((2500,), (2500,) * 40), {"cr1_organization", "cr2", "wcr"}, {"ri_rank", "donald_lang"}),
        (setting((2500,), (2500,) * 12), {"ri_rank"}, {"donald_lang"}),
        (setting((600,)), {"ri_rank", "donald_lang"}, set()),
        (setting((19_000,) * 3), {"cr1_organization", "wcr", "welch"}, {"cr2"}),
        (setting((19_000,) * 6), {"cr1_practice"}, {"cr2", "wcr", "cr1_organization"}),
    ],
)
def test_what_is_never_a_finding(case, never, may):
    found = recommend(case).never
    assert never <= found
    assert not may & found


def test_the_file_of_sizes_says_where_each_number_stands():
    text = (importlib.resources.files("medhome") / "definitions" / "inference" / "sizes.csv").read_text(
        "utf-8"
    )
    rows = list(csv.DictReader(text.splitlines()))
    assert len({(r["setting"], r["method"]) for r in rows}) == len(rows) > 200
    assert all(r["source"].startswith("section 4.") for r in rows)
    assert all(0 <= float(r["rejects_at_5_percent"]) <= 100 for r in rows)
    # note, section 4.4: in how many of the twelve core settings a method is right
    core = [r for r in rows if r["rejects_at_10_percent"]]
    right = {
        m: sum(right_size(float(r["rejects_at_5_percent"])) for r in core if r["method"] == m)
        for m in ("re_panel", "fp_recommended", "re_two_period", "cr2", "cr1_organization", "wcr")
    }
    assert right == {
        "re_panel": 12,
        "fp_recommended": 12,
        "re_two_period": 11,
        "cr2": 6,
        "cr1_organization": 2,
        "wcr": 5,
    }


def test_a_method_that_was_not_simulated():
    with pytest.raises(KeyError, match="guess"):
        size_in_simulation("guess", setting())
