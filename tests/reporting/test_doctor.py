"""The environment against the lock and against a report: what is missing, what differs, how it ends."""

from __future__ import annotations

import copy

import pytest

from medhome import reports, runs
from medhome.reporting import doctor
from medhome.reporting.json_files import read_json
from medhome.reporting.made_with import lock_here


def test_the_lock_is_read_with_its_markers(tmp_path):
    lock = tmp_path / "requirements.lock"
    lock.write_text(
        "numpy==1.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"
        "old==2.0 ; python_full_version < '3.0' \\\n    --hash=sha256:cc\n# a word\nDot.Name==3.1\n"
    )
    assert doctor.locked_versions(lock) == {"numpy": "1.0", "dot-name": "3.1"}
    real = doctor.locked_versions(lock_here(runs.PACKAGE))
    assert len(real) > 100 and set(map(str.lower, doctor.PACKAGES)) <= set(real)


def _findings(tmp_path, text, published=None):
    lock = tmp_path / "requirements.lock"
    lock.write_text(text)
    found = doctor.examine(lock, runs.PACKAGE, published)
    return found, {f.name: f for f in found.findings}


def test_another_version_than_the_locked_one_ends_with_3(tmp_path):
    here = doctor.examine(lock_here(runs.PACKAGE), runs.PACKAGE)
    version = next(f.here for f in here.findings if f.name == "numpy")
    found, by_name = _findings(tmp_path, f"numpy=={version}\n")
    assert found.exit_code == 0 and by_name["numpy"].standing == "ok"
    found, by_name = _findings(tmp_path, "numpy==0.1\nno-such-package==1.0\n")
    assert found.exit_code == 3 and by_name["numpy"].wanted == "0.1"
    assert by_name["1 further locked packages"].standing == "optional"
    assert found.to_text().startswith("environment: works, but is not as locked\ndiffers ")


def test_something_needed_that_is_missing_ends_with_1(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "NEEDED", (*doctor.NEEDED, "no-such-package"))
    found, by_name = _findings(tmp_path, "numpy==0.1\n")
    assert found.exit_code == 1 and by_name["no-such-package"].standing == "missing"
    assert found.findings[0].name == "no-such-package"


def test_a_folder_that_cannot_be_written_is_missing(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(doctor.tempfile, "TemporaryDirectory", refuse)
    _, by_name = _findings(tmp_path, "")
    assert by_name["for temporary files"].standing == "missing"


def test_what_a_report_was_made_with_stands_beside_it(example_report, tmp_path):
    published = copy.deepcopy(read_json(example_report / "manifest.json"))
    _, by_name = _findings(tmp_path, "", published)
    assert not [f for f in by_name.values() if f.part == "report"]
    published["environment"]["packages"]["pandas"] = "0.0"
    found, by_name = _findings(tmp_path, "", published)
    assert found.exit_code == 3 and by_name["package pandas"].wanted == "0.0"
    assert reports.examine(example_report).to_plain()["schema"] == "medhome/doctor/1"


@pytest.mark.parametrize("name", ["DejaVu Sans", "CPython"])
def test_fonts_and_python_are_looked_at(tmp_path, name):
    _, by_name = _findings(tmp_path, "")
    assert by_name[name].standing == "ok"
