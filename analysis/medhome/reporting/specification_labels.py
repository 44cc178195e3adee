"""The axes of the specification curve and their values, in words that fit beside a drawing."""

from __future__ import annotations

from medhome.study.display import usd

AXIS_LABELS = {
    "attribution": "Attribution",
    "cap": "The cap",
    "amount": "The amount",
    "weights": "Weights",
    "covariates": "Covariates",
    "population": "The population",
    "estimator": "The estimator",
    "clustering": "Clusters",
}
_VALUES = {
    ("attribution", "intention_to_treat"): "At baseline",
    ("attribution", "dynamic"): "Anew each period",
    ("attribution", "stable"): "In both periods",
    ("attribution", "market"): "By residence",
    ("cap", "none"): "No cap",
    ("cap", "p99"): "99th percentile",
    ("amount", "allowed"): "Allowed",
    ("amount", "paid"): "Paid",
    ("weights", "member_months"): "Member-months",
    ("weights", "equal_practices"): "Practices equal",
    ("weights", "equal_organizations"): "Organisations equal",
    ("weights", "entropy"): "Entropy balanced",
    ("weights", "study"): "The study's own",
    ("covariates", "none"): "No covariates",
    ("covariates", "expected"): "Expected cost",
    ("population", "all"): "All members",
    ("population", "adults"): "Adults",
    ("population", "children"): "Children",
    ("estimator", "twfe"): "Practice and month",
    ("estimator", "did2x2"): "Two by two",
    ("estimator", "ppml"): "Poisson",
    ("clustering", "practice"): "Practice",
    ("clustering", "organization"): "Organisation",
}


def label(axis: str, value: str) -> str:
    """A value of an axis in words.

    >>> label("cap", "250000"), label("estimator", "ppml")
    ('Cap $250,000', 'Poisson')
    """
    if axis == "cap" and value.isdigit():
        return f"Cap {usd(int(value), 0)}"
    return _VALUES[axis, value]
