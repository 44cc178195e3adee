"""A whole run on the second engine gives the numbers of a whole run on DuckDB."""

from __future__ import annotations

import importlib.util
import json

import pytest

from medhome import runs
from medhome.evaluate import evaluate
from medhome.reporting.results_file import numbers
from medhome.study.spec import read_study


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("datafusion") is None, reason="pip install 'medhome[engines]'")
def test_results_of_a_run_on_datafusion_are_those_on_duckdb(tmp_path):
    world = tmp_path / "world"
    runs.simulate(world, "small")
    spec = read_study(world / "study.toml")
    first, second = (
        json.loads(json.dumps(numbers(evaluate(spec, world, engine=engine), spec)))
        for engine in ("duckdb", "datafusion")
    )
    assert list(first) == list(second) and len(first) > 500
    assert {k: (v, second[k]) for k, v in first.items() if v != second[k]} == {}
