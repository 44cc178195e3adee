"""Charlson and Elixhauser indices by pycomorb: one call for everybody, ICD-9-CM and ICD-10-CM together."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pandas as pd

from medhome.models.risk_scores.scoring import codes_of

_CALLS: dict[tuple[str, str], dict[str, str]] = {
    ("charlson", "charlson-1987"): {"score": "charlson", "implementation": "quan", "weights": "charlson"},
    ("charlson", "quan-2011"): {"score": "charlson", "implementation": "quan", "weights": "quan"},
    ("elixhauser", "van-walraven-2009"): {
        "score": "elixhauser", "implementation": "quan", "weights": "van_walraven",
    },
    ("elixhauser-ahrq", "mortality"): {
        "score": "elixhauser", "implementation": "ahrq_icd10", "weights": "ahrq",
    },
}  # fmt: skip
_INDEX = {
    "charlson": "Charlson Comorbidity Index",
    "elixhauser": "Elixhauser Comorbidity Index",
    "elixhauser-ahrq": "Elixhauser Comorbidity Index",
}
_BESIDE = ("id", "Age", "Age Score", "Charlson Age-Comorbidity Score")


def score(library: ModuleType, people: pd.DataFrame, model: str, year: int, weights: str) -> pd.DataFrame:
    """The index, which is all disease, and its categories; people without a code have 0; `scoring.Scorer`."""
    wanted = [("icd10", "ICD-10")] if year else [("icd9", "ICD-9"), ("icd10", "ICD-10")]
    long = pd.concat(
        [
            pd.DataFrame({"id": people.index, "code": people[column].map(codes_of), "version": system})
            .explode("code")
            .dropna(subset="code")
            for column, system in wanted
        ],
        ignore_index=True,
    )
    raw = pd.Series(0.0, index=people.index)
    categories = pd.Series("", index=people.index)
    if len(long):
        # The age points of the Charlson age-comorbidity score are not used: age is in the model by itself.
        long = long.assign(age=0, year=year)
        systems = {"icd_version": "icd10"} if year else {
            "icd_version": "icd9_10", "icd_version_col": "version",
        }  # fmt: skip
        found = library.comorbidity(
            df=long.astype({"id": "int64", "code": "object", "version": "object"}),
            return_categories=True,
            **systems,
            **_CALLS[model, weights],
        ).set_index("id")
        raw.loc[found.index] = found[_INDEX[model]].astype(float)
        flags = found.drop(columns=[c for c in (*_BESIDE, _INDEX[model]) if c in found.columns])
        names = np.array(flags.columns, dtype=object)
        held = [";".join(names[row]) for row in flags.to_numpy(dtype=bool)]
        categories.loc[found.index] = pd.Series(held, index=found.index, dtype="object")
    return pd.DataFrame(
        {
            "raw_score": raw,
            "demographic_part": np.nan,
            "disease_part": raw,
            "categories": categories,
        }
    )
