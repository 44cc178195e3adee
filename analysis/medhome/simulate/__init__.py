"""Simulated claims worlds with a known truth."""

from medhome.simulate.simulation import simulate_world
from medhome.simulate.truth import Truth
from medhome.simulate.world import WORLDS, WorldSettings, study_toml

__all__ = ["WORLDS", "Truth", "WorldSettings", "simulate_world", "study_toml"]
