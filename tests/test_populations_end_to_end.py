"""Other populations than the default one on the simulated small world: the same question, other members."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from medhome import evaluate
from medhome.study.spec import read_study


@pytest.fixture(scope="module")
def world(small_world, tmp_path_factory) -> Path:
    """The small world whose members live where the organisation of their first primary-care visit is."""
    folder = tmp_path_factory.mktemp("areas") / "small"
    shutil.copytree(small_world, folder)
    people = pd.read_parquet(folder / "eligibility.parquet")
    seen = pd.read_parquet(
        folder / "medical_claim.parquet", columns=["person_id", "rendering_npi", "claim_start_date"]
    )
    who = pd.read_parquet(folder / "provider_practice.parquet")
    primary = who[who["x_primary_care"] == 1].drop_duplicates("npi")
    first = (
        seen.merge(primary[["npi", "organization_id"]], left_on="rendering_npi", right_on="npi")
        .sort_values(["person_id", "claim_start_date", "organization_id"])
        .drop_duplicates("person_id")
    )
    organizations = sorted(who["organization_id"].unique())
    areas = {o: f"{3000 + i:05d}" for i, o in enumerate(organizations)}
    home = people["person_id"].map(first.set_index("person_id")["organization_id"].map(areas))
    spread = pd.Series(
        [areas[organizations[i % len(organizations)]] for i in range(len(people))], people.index
    )
    people.assign(zip_code=home.fillna(spread)).to_parquet(folder / "eligibility.parquet", index=False)
    return folder


def evaluated(world: Path, folder: Path, population: str, freeze: str = "baseline"):
    """The evaluation of the world's own study file with another population."""
    text = (world / "study.toml").read_text(encoding="utf-8")
    assert "[attribution]\n" in text
    choice = f'[attribution]\npopulation = "{population}"\n'
    if freeze != "baseline":
        choice += f'freeze = "{freeze}"\n'
    study = folder / "study.toml"
    study.write_text(text.replace("[attribution]\n", choice), encoding="utf-8")
    return evaluate.evaluate(read_study(study), world)


@pytest.mark.exhaustive
def test_every_population_gives_an_evaluation(world, tmp_path):
    found = {
        name: evaluated(world, tmp_path, name, freeze)
        for name, freeze in (
            ("dynamic", "year"),
            ("stable", "baseline"),
            ("market", "baseline"),
        )
    }
    months = {name: sum(e.cohort.member_months.values()) for name, e in found.items()}
    # Who is of one arm in both periods is fewer than who is attributed; everyone in the market is more.
    assert months["stable"] < months["dynamic"] < months["market"]
    for name, evaluation in found.items():
        low, high = evaluation.did.headline.ci95
        assert low < evaluation.did.headline.value < high, name
        members = evaluation.selection.members.groupby("arm")["members"].sum()
        assert members.to_dict() == dict(evaluation.cohort.members), name
        flow = evaluation.attrition.frame
        kept = flow[flow["step"] == flow["step"].max()].set_index("arm")["members"]
        for arm, count in evaluation.cohort.members.items():
            assert kept[arm] == count, (name, arm)
    assert len({evaluation.fingerprint for evaluation in found.values()}) == len(found)
