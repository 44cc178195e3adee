"""A whole run on the second engine gives the numbers of a whole run on DuckDB."""

from __future__ import annotations

import importlib.util
import json

import pytest
from typer.testing import CliRunner

from medhome import runs
from medhome.cli import app


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("datafusion") is None, reason="pip install 'medhome[engines]'")
def test_results_of_a_run_on_datafusion_are_those_on_duckdb(tmp_path, monkeypatch):
    monkeypatch.setattr("medhome.cli._fixed_environment", lambda: None)
    world = tmp_path / "world"
    runs.simulate(world, "small")
    documents = []
    for engine in ("duckdb", "datafusion"):
        out = tmp_path / engine
        asked = ["run", str(world / "study.toml"), "--data", str(world), "--out", str(out)]
        done = CliRunner().invoke(app, [*asked, "--engine", engine, "--json"])
        assert done.exit_code == 0, done.output
        (made,) = out.glob("*/*/results.json")
        documents.append(json.loads(made.read_text(encoding="utf-8")))
    first, second = (d["numbers"] for d in documents)
    assert list(first) == list(second) and len(first) > 500
    assert {k: (v, second[k]) for k, v in first.items() if v != second[k]} == {}
