"""A whole run on the second engine gives the numbers of a whole run on DuckDB."""

from __future__ import annotations

import importlib.util
import json

import pytest

from medhome import evaluate
from medhome.reporting.results_file import numbers
from medhome.study.spec import read_study


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("datafusion") is None, reason="pip install 'medhome[engines]'")
def test_results_of_a_run_on_datafusion_are_those_on_duckdb(small_world, evaluated_once):
    spec = read_study(small_world / "study.toml")
    first, second = (
        json.loads(json.dumps(numbers(evaluate.evaluate(spec, small_world, engine=engine), spec)))
        for engine in ("duckdb", "datafusion")
    )
    assert list(first) == list(second) and len(first) > 500
    assert {k: (v, second[k]) for k, v in first.items() if v != second[k]} == {}
