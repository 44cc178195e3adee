"""What a model cannot do with an input stands on the page by name: none of it is a silent gap."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from example import adjustment, report, spec

from medhome.models.member_costs.describe import describe
from medhome.models.payment import payment_checks
from medhome.models.risk_scores.cautions import risk_checks
from medhome.models.variation import variation
from medhome.reporting import pages
from medhome.study.cells import Cells, Rows
from medhome.study.cost_model_choices import CostModelChoices
from medhome.study.payment_choices import Fee
from medhome.study.payment_results import Payment
from medhome.study.risk_choices import Risk

TERMS = {"age_sex:all": "All", "condition:diabetes": "Diabetes"}


def member_rows(cost: np.ndarray, ill: np.ndarray) -> Rows:
    """A month of each of N people before the start and one after, in ten practices, two in the program."""
    people = np.arange(len(cost))
    practice = people % 10
    one = pd.DataFrame({
        "organization_id": [f"O{p}" for p in practice], "practice_id": [f"P{p}" for p in practice],
        "arm": np.where(practice < 2, "treated", "comparison"), "stratum": "adults", "age_sex:all": 1,
        "condition:diabetes": ill.astype(int), "w": 1000,
    })  # fmt: skip
    cents = (100 * cost).astype("int64")
    both = [one.assign(period=p, allowed=cents, allowed_capped=cents) for p in ("baseline", "performance")]
    return Rows(frame=pd.concat(both, ignore_index=True), terms=TERMS)


def warned_of(cost, family: str) -> str:
    """The page on cost models of a study with one family, members' cost as given, every third of them ill."""
    ill = np.arange(600) % 3 == 0
    asked = spec().model_copy(
        update={
            "cost_models": CostModelChoices(
                families=[family], strata="together", fewest_members=50, draws=0, folds=2
            ),
            "risk": Risk(min_members_per_term=5),
        }
    )
    found = describe(member_rows(cost(ill), ill), asked, {})
    return pages.accuracy_of_other_cost_models(report(member_costs=found)).text


def drawn(ill: np.ndarray) -> np.ndarray:
    return np.random.default_rng([3, 1]).gamma(1.0, 100.0, len(ill)) + 1.0


@pytest.mark.parametrize(
    ("cost", "family", "says"),
    [
        (lambda ill: drawn(ill) * ~ill, "poisson", "No poisson model: poisson did not settle in 100 steps"),
        (
            lambda ill: np.where(ill | (np.arange(len(ill)) % 2 == 0), drawn(ill), 0.0),
            "two-part",
            "some terms (Diabetes) decide without exception who has any cost (perfect separation)",
        ),
        (
            lambda ill: np.where(np.arange(len(ill)) % 12 == 5, -40.0, drawn(ill)),
            "poisson",
            "of the comparison arm's baseline have cost below zero (reversals above claims): zero in every "
            "model but ols",
        ),
        (lambda ill: np.full(len(ill), 12.5), "ols", "every outcome is 12.5; without variation there is no"),
    ],
    ids=["no convergence", "separation", "negative cost", "no variation"],
)
def test_what_a_cost_model_cannot_do_stands_before_its_numbers(cost, family, says):
    text = warned_of(cost, family)
    assert "Models that were not fitted, or only in part" in text and says in text


def flat() -> tuple:
    """A practice-month of twenty members who all cost $5.00."""
    frame = pd.DataFrame({
        "organization_id": ["O"], "practice_id": ["P1"], "arm": ["treated"], "stratum": ["adults"],
        "month": [1], "rows": [20], "w": [20_000], "w*allowed_capped": [20_000 * 500],
        "w*allowed_capped*allowed_capped": [20_000 * 500**2],
    })  # fmt: skip
    return tuple(variation(Cells(scales={"allowed_capped": 100}, frame=frame)))


def unscored() -> tuple:
    """A score that one in eight member-months of an arm lacks."""
    known = adjustment().known.assign(without_score=[900, 10_000], share_without_score=[0.04, 0.12])
    asked = spec().model_copy(update={"risk": Risk(model="charlson")})
    return tuple(risk_checks(dataclasses.replace(adjustment(), known=known), asked))


def gap() -> tuple:
    """A fee of one name with no rate in two months between its dates."""
    fees = [Fee(name="Care", pmpm_usd=1.0, first="2008-06", last="2008-12"),
            Fee(name="Care", pmpm_usd=2.0, first="2009-03")]  # fmt: skip
    return payment_checks(spec().model_copy(update={"fees": fees}), Payment())


@pytest.mark.parametrize(
    ("checks", "says"),
    [
        (flat, "In 1 of 1 practice-months"),
        (unscored, "Members with history and without a score hold at most 12.0%"),
        (gap, 'The fee schedule "Care" has a gap: no rate from 2009-01 to 2009-02'),
    ],
    ids=["a cell without variance", "a score that members lack", "a fee schedule with a gap"],
)
def test_what_the_input_lacks_stands_on_the_first_page(checks, says):
    text = pages.first_things_first(report(checks=checks())).text
    assert "Read this first" in text and says in text
