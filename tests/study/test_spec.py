"""The study file: every fault at once, with key, value, what is allowed and the nearest right name."""

from pathlib import Path

import pytest

from medhome.study.periods import Span, event_quarter, month_end, month_index, month_name
from medhome.study.problems import StudyFileError
from medhome.study.spec import read_study

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "analysis/studies/demo.toml"


def _with(tmp_path, *changes):
    text = DEMO.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "study.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_demonstration_study_is_read():
    spec = read_study(DEMO)
    assert (spec.seed, spec.periods.baseline.months, spec.periods.performance.months) == (20080601, 24, 22)
    assert spec.periods.analysed[0] == month_index("2006-06")
    assert spec.fee_pmpm(month_index("2008-05")) == 0 and spec.fee_pmpm(month_index("2008-06")) == 1.5


def test_all_faults_are_reported_at_once_with_the_nearest_name(tmp_path):
    path = _with(
        tmp_path,
        ("run_out_months = 3", "runout_months = 3"),
        ('primary = "E3"', 'primary = "E9"'),
        ("seed = 20080601\n", ""),
    )
    with pytest.raises(StudyFileError) as problem:
        read_study(path)
    text = str(problem.value)
    assert str(path) in text and "3 faults" in text
    assert 'periods.runout_months: unknown key; did you mean "run_out_months"?' in text
    assert "expected.primary = 'E9'" in text and "'E4' or 'E5_level'" in text
    assert "seed: missing" in text


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('start = "2008-06"\nthrough', 'start = "2008-13"\nthrough', "periods.start = '2008-13'"),
        ('start = "2008-06"\nthrough', 'start = "June 2008"\nthrough', "write it as YYYY-MM"),
        ('start = "2008-06"\nthrough', 'start = "2007-06"\nthrough', "lies inside the baseline"),
        ('through = "2010-03"', 'through = "2008-01"', "lies before the performance period"),
        ('paid_through = "2010-06"', 'paid_through = "2010-04"', "leaves 1 months of run-out"),
        ("age_max = 64", 'age_max = "64"', "population.age_max = '64'"),
        ("floor = 11", "floor = 1", "disclosure.floor = 1"),
        ('rule = "roster"', 'rule = "rooster"', 'did you mean "roster"?'),
        ("[periods]", "[periods", "not valid TOML"),
        ("[periods]", "x = " + "[" * 5_000 + "]" * 5_000 + "\n[periods]", "nested too deeply"),
    ],
)
def test_a_wrong_value_is_named(tmp_path, old, new, says):
    with pytest.raises(StudyFileError) as problem:
        read_study(_with(tmp_path, (old, new)))
    assert says in str(problem.value)


def test_a_missing_file_says_what_to_do(tmp_path):
    with pytest.raises(StudyFileError, match="medhome init"):
        read_study(tmp_path / "none.toml")


def test_the_template_is_a_valid_study():
    template = ROOT / "analysis/medhome/definitions/study-template.toml"
    assert read_study(template).periods == read_study(DEMO).periods


def test_a_rerun_changes_the_period_and_nothing_else():
    spec = read_study(DEMO)
    rerun = spec.rerun_through("2009-12")
    assert rerun.periods.through == "2009-12" and rerun.fingerprint != spec.fingerprint
    assert rerun.rerun_through("2010-03") == spec
    with pytest.raises(StudyFileError, match="--through 2012-01"):
        spec.rerun_through("2012-01")


def test_the_fingerprint_knows_choices_not_layout(tmp_path):
    same = _with(tmp_path, ("# The demonstration study", "# Another comment"))
    assert read_study(same).fingerprint == read_study(DEMO).fingerprint
    other = _with(tmp_path, ("age_max = 64", "age_max = 63"))
    assert read_study(other).fingerprint != read_study(DEMO).fingerprint


def test_months_and_spans():
    assert month_name(month_index("2008-12") + 1) == "2009-01"
    assert str(month_end(month_index("2008-02"))) == "2008-02-29"
    span = Span.of("2006-06", "2008-05")
    assert span.months == 24 and month_index("2008-05") in span and month_index("2008-06") not in span
    start = month_index("2008-06")
    assert [event_quarter(start + k, start) for k in (-4, -3, -1, 0, 2, 3)] == [-2, -1, -1, 0, 0, 1]
