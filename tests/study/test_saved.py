"""Evaluations on disk: an earlier version's is read, one with a piece torn out is refused by name."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "reporting"))

import example

from medhome.study.problems import DataProblem
from medhome.study.saved import load_evaluation, save_evaluation


def test_a_number_that_an_earlier_version_did_not_know_is_absent(tmp_path):
    save_evaluation(example.evaluation(), tmp_path)
    plain = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    del plain["did"]["pre_trend_detectable"]
    (tmp_path / "evaluation.json").write_text(json.dumps(plain), encoding="utf-8")
    assert load_evaluation(tmp_path).did.pre_trend_detectable is None


def test_a_missing_frame_is_named(tmp_path):
    save_evaluation(example.evaluation(), tmp_path)
    (tmp_path / "cohort.balance.parquet").unlink()
    with pytest.raises(DataProblem, match=r"cohort\.balance\.parquet is missing from the report: make it"):
        load_evaluation(tmp_path)
