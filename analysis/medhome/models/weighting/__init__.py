"""A comparison group that looks like the program's members: propensity weights and entropy balancing."""

from medhome.models.weighting.entropy import entropy_balance
from medhome.models.weighting.propensity import propensity

__all__ = ["entropy_balance", "propensity"]
