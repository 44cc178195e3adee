"""Published risk scores behind one interface, each worked out by the library that holds it.

`risk_scores` scores people by their diagnoses; the libraries are optional (``pip install 'medhome[risk]'``).
"""

from medhome.models.risk_scores.scoring import RiskScores, risk_scores

__all__ = ["RiskScores", "risk_scores"]
