"""How much of a finding hangs on what cannot be tested: bounds on trends, placebos, leaving one out."""

from medhome.models.sensitivity.bounds import sensitivity

__all__ = ["sensitivity"]
