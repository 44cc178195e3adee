"""One published folder made of the invented evaluation, for every test that looks at a report as files."""

from __future__ import annotations

import shutil

import pytest
from example import STUDY, evaluation, spec

from medhome.reporting import manifest, results_file
from medhome.reporting.disclosure import release
from medhome.study.saved import save_evaluation


@pytest.fixture(scope="session")
def example_report(tmp_path_factory):
    """Results, manifest, study, saved evaluation and one page; read it, copy it to change it."""
    folder = tmp_path_factory.mktemp("report")
    released, gate = release(evaluation(), 11)
    made = manifest.describe(
        spec(), released, gate, package=STUDY.parents[1] / "medhome", notebooks=STUDY.parents[2] / "notebooks"
    )
    results_file.write(released, spec(), folder / "results.json", run_id=made.run_id)
    save_evaluation(released, folder / "evaluation")
    shutil.copy(STUDY, folder / "study.toml")
    (folder / "index.html").write_text("page")
    manifest.write(made, folder)
    return folder
