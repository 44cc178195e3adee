"""Change one thing in a published report and see the right verdict."""

from __future__ import annotations

import copy
import json
import shutil

import pytest

from medhome.reporting.json_files import read_json, write_json
from medhome.reporting.verify import compare, read_published, verify
from medhome.study.problems import DataProblem


@pytest.fixture
def report(example_report):
    return example_report


@pytest.fixture
def change(report):
    """Compare the report with itself, after changes to the numbers found and to the manifest of the rerun."""

    def run(numbers=lambda n: None, rerun=lambda m: None):
        fresh, again = read_json(report / "results.json"), read_json(report / "manifest.json")
        numbers(fresh["numbers"])
        rerun(again)
        return compare(read_published(report), fresh, again)

    return run


def test_an_untouched_report(report, change):
    found = change()
    assert found.agrees
    assert found.counts == {"differs": 0, "missing": 0, "new": 0, "agrees": 0, "same": len(found.verdicts)}
    assert found.drift == () and found.altered == ()
    assert found.to_text() == f"verified: {len(found.verdicts)} numbers: {len(found.verdicts)} same"
    assert verify(report, report).agrees


def scaled(name, part, by):
    def numbers(found):
        if part in ("low", "high"):
            found[name]["ci95"][part == "high"] *= by
        else:
            found[name][part] = type(found[name][part])(found[name][part] * by)

    return numbers


@pytest.mark.parametrize(
    ("name", "part", "by", "verdict"),
    [
        ("did.total_pmpm", "value", 1 + 1e-12, "same"),
        ("did.total_pmpm", "value", 1 + 5e-9, "agrees"),
        ("did.total_pmpm", "value", 1 + 1e-6, "differs"),
        ("did.total_pmpm", "se", 1 + 1e-6, "differs"),
        ("did.total_pmpm", "p", 1 + 1e-6, "differs"),
        ("did.total_pmpm", "low", 1 + 1e-6, "differs"),
        ("did.total_pmpm", "high", 1 + 5e-9, "agrees"),
        ("data.waterfall.raw.allowed_usd", "value", 1 + 0.01 / 1_423_118_204.11, "differs"),
        ("data.waterfall.cap.allowed_usd", "value", 1 + 1 / 61_220_400.2, "differs"),
        ("did.method.ri", "p", 1.01, "agrees"),
        ("did.method.ri", "p", 1.1, "differs"),
        ("expected.E1.ae_ratio", "value", 1 + 1e-7, "differs"),
        ("cohort.members.treated", "value", 18_851 / 18_850 + 1e-9, "differs"),
    ],
)
def test_one_number_moved(change, name, part, by, verdict):
    found = change(scaled(name, part, by))
    row = next(v for v in found.verdicts if v.name == name)
    assert row.verdict == verdict
    assert found.agrees == (verdict != "differs")
    assert sum(v.verdict != "same" for v in found.verdicts) == (verdict != "same")
    if verdict == "differs":
        assert found.verdicts[0] is row
        assert f"differs  {name}" in found.to_text() and found.to_text().startswith("NOT verified")


def test_the_noise_of_an_estimate_near_zero_is_that_of_its_standard_error(report):
    published, again = read_published(report), read_json(report / "manifest.json")
    before = copy.deepcopy(dict(published.numbers))
    before["did.total_pmpm"] |= {"value": 1.0e-10, "se": 11.8}
    fresh = copy.deepcopy(before)
    fresh["did.total_pmpm"]["value"] = -3.0e-10
    found = compare(
        type(published)(numbers=before, manifest=published.manifest, altered=()), {"numbers": fresh}, again
    )
    assert found.verdicts[0].verdict == "agrees"


def test_a_millionth_of_an_effect_that_is_small_beside_its_standard_error_is_seen(report):
    published, again = read_published(report), read_json(report / "manifest.json")
    before = copy.deepcopy(dict(published.numbers))
    before["did.total_pmpm"] |= {"value": -0.012, "se": 11.8}
    fresh = copy.deepcopy(before)
    fresh["did.total_pmpm"]["value"] *= 1 + 1e-6
    found = compare(
        type(published)(numbers=before, manifest=published.manifest, altered=()), {"numbers": fresh}, again
    )
    assert not found.agrees and found.verdicts[0].name == "did.total_pmpm"


def test_missing_and_new(change):
    found = change(lambda n: n.update({"savings.extra": n.pop("savings.net_pmpm")}))
    assert found.counts["missing"] == found.counts["new"] == 1
    assert not found.agrees
    assert [v.name for v in found.verdicts[:2]] == ["savings.net_pmpm", "savings.extra"]
    text = found.to_text()
    assert "missing  savings.net_pmpm: published 2.7 USD PMPM, not found again" in text
    assert "new      savings.extra: not published, found 2.7 USD PMPM" in text


def test_withheld_compares_as_withheld(change):
    name = "attrition.r3.treated.members_dropped"
    found = change(lambda n: n[name].update(value=5))
    assert found.verdicts[0].name == name and not found.agrees
    found = change(lambda n: n[name].pop("suppressed"))
    assert (found.verdicts[0].name, found.verdicts[0].part) == (name, "suppressed")


def test_the_headline_is_shown_first(change):
    def numbers(found):
        for name in ("did.total_pmpm", "attrition.r1.treated.members"):
            found[name]["value"] -= 1

    assert [v.name for v in change(numbers).verdicts[:2]] == [
        "did.total_pmpm",
        "attrition.r1.treated.members",
    ]


def test_another_package_and_equal_numbers_agree_and_say_so(change):
    found = change(rerun=lambda m: m["environment"]["packages"].update(numpy="9.9"))
    assert found.agrees
    assert len(found.drift) == 1 and found.drift[0].startswith("package numpy: 9.9 here, ")
    assert "not as published:" in found.to_text()


def test_changed_data_are_named_first(change):
    def rerun(again):
        again["inputs"][1]["content_sha256"] = "f" * 64
        again["parameters"]["outcomes.cap_usd_per_year"] = 50_000

    found = change(scaled("did.total_pmpm", "value", 2.0), rerun)
    assert found.drift[0].startswith("input medical_claim (medical_claim.parquet): ")
    assert found.drift[1] == "parameter outcomes.cap_usd_per_year: 50000 here, 100000 published"


@pytest.mark.parametrize("name", ["results.json", "study.toml", "index.html"])
def test_a_file_changed_after_publication(report, tmp_path, name):
    folder = tmp_path / "copy"
    shutil.copytree(report, folder)
    (folder / name).write_text((folder / name).read_text().replace("e", "e", 1) + "\n")
    found = verify(folder, report)
    assert found.altered == (name,)
    assert not found.agrees
    assert f"altered  {name}" in found.to_text()


def test_results_that_the_manifest_does_not_describe(report, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(report, folder)
    described = read_json(folder / "manifest.json")
    described["outputs"] = [o for o in described["outputs"] if o["name"] != "results.json"]
    write_json(described, folder / "manifest.json")
    assert verify(folder, report).altered == ("results.json",)


def test_three_files_are_enough(report, tmp_path):
    for name in ("results.json", "manifest.json", "study.toml"):
        shutil.copy(report / name, tmp_path / name)
    assert verify(tmp_path, report).agrees


def test_what_is_not_a_report(report, tmp_path):
    with pytest.raises(DataProblem, match="there is no such folder"):
        read_published(tmp_path / "none")
    with pytest.raises(DataProblem, match=r"manifest.json: there is no such file"):
        read_published(tmp_path)
    shutil.copytree(report, tmp_path / "cut")
    text = (report / "results.json").read_text()
    (tmp_path / "cut" / "results.json").write_text(text[: len(text) // 2])
    with pytest.raises(DataProblem, match=r"results.json: cannot be read as JSON .* cut short"):
        read_published(tmp_path / "cut")
    (tmp_path / "cut" / "results.json").write_text(json.dumps({"schema": "medhome/results/9", "numbers": {}}))
    with pytest.raises(DataProblem, match="medhome/results/9"):
        read_published(tmp_path / "cut")
    (tmp_path / "cut" / "results.json").write_text("[]")
    with pytest.raises(DataProblem, match="not written by medhome"):
        read_published(tmp_path / "cut")


def test_the_plain_form_is_json(change):
    plain = change(scaled("did.total_pmpm", "value", 2.0)).to_plain()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["numbers"][0] == {
        "name": "did.total_pmpm",
        "verdict": "differs",
        "part": "value",
        "published": -4.2,
        "found": -8.4,
    }
