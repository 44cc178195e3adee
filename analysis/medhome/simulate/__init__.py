"""Simulated claims worlds with a known truth, and the edge cases as worlds of a few people."""

from medhome.simulate import edge_cases
from medhome.simulate.simulation import simulate_world
from medhome.simulate.study_file import TITLES, study_toml
from medhome.simulate.truth import Truth
from medhome.simulate.world import WORLDS, WorldSettings

__all__ = ["TITLES", "WORLDS", "Truth", "WorldSettings", "edge_cases", "simulate_world", "study_toml"]
