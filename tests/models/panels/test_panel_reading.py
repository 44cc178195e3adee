"""A table becomes a panel, or the message names the column and the row that keep it from being one."""

import numpy as np
import pandas as pd
import pytest

from medhome.models.panels.reading import panel_from_frame
from medhome.study.problems import DataProblem, ModelRefusal


def table():
    return pd.DataFrame(
        {
            "id": ["10", "10", "9", "9", "x", "x"],
            "t": [2001, 2002, 2002, 2001, 2001, 2002],
            "d": [0, 1, 0, 0, 0, 0],
            "g": [2002, 2002, 0, 0, np.nan, np.inf],
            "y": [1.0, 5.0, 2.0, 1.5, 3.0, 3.5],
            "x": [1, 2, 3, 4, 5, 6],
            "w": [1, 1, 2, 2, 3, 3],
            "c": ["n", "n", "n", "n", "s", "s"],
        }
    )


def read(frame=None, **columns):
    given = {"outcome": "y", "unit": "id", "time": "t", "first_treated": "g"} | columns
    return panel_from_frame(table() if frame is None else frame, **given)


def test_rows_are_sorted_and_never_is_zero_empty_or_infinite():
    data = read(covariates=["x"], weights="w", cluster="c")
    assert data.unit_labels == ("10", "9", "x") and data.cluster_labels == ("n", "s")
    assert data.times.tolist() == [2001, 2002]
    assert data.first_treated.tolist() == [2002, 2002, np.inf, np.inf, np.inf, np.inf]
    assert data.treated.tolist() == [0, 1, 0, 0, 0, 0]
    assert data.outcome.tolist() == [1, 5, 1.5, 2, 3, 3.5]
    assert data.covariates.ravel().tolist() == [1, 2, 4, 3, 5, 6]
    assert data.weights.tolist() == [1, 1, 2, 2, 3, 3] and data.cluster.tolist() == [0, 0, 0, 0, 1, 1]
    assert data.balanced and data.cohorts.tolist() == [2002]


def test_a_treated_column_gives_the_same_panel_as_first_treated():
    by_flag, by_time = read(first_treated=None, treated="d"), read()
    np.testing.assert_array_equal(by_flag.first_treated, by_time.first_treated)
    np.testing.assert_array_equal(read(treated="d").treated, by_time.treated)
    words = table().assign(d=["False", "True", "false", "FALSE", "0", "0"])
    assert read(words, treated="d", first_treated=None).treated.sum() == 1


def test_units_are_ordered_by_number_where_all_are_numbers():
    frame = table().assign(id=["10", "10", "9", "9", "100", "100"])
    assert read(frame).unit_labels == ("9", "10", "100")
    assert read(frame.assign(id=frame["id"].astype(int))).unit_labels == ("9", "10", "100")
    assert read(frame.assign(id=frame["id"].astype(float) / 4)).unit_labels == ("2.25", "2.5", "25")


def test_rows_in_any_order_give_the_same_panel():
    frame = pd.concat([table(), table().assign(y=lambda f: f["y"] + 1)], ignore_index=True)
    one = read(frame, covariates=["x"])
    other = read(frame.sample(frac=1, random_state=3), covariates=["x"])
    for name in ("outcome", "unit", "time", "first_treated", "covariates", "weights", "cluster"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert not one.one_row_each


def test_months_are_read_as_month_indices():
    frame = table().assign(
        t=["2014-11", "2014-12", "2014-12", "2014-11", "2014-11", "2014-12"],
        g=["2014-12", "2014-12", "", "", "never", None],
    )
    data = read(frame)
    assert data.times.tolist() == [2014 * 12 + 10, 2014 * 12 + 11]
    assert data.first_treated[:3].tolist() == [2014 * 12 + 11] * 2 + [np.inf]
    dates = frame.assign(t=pd.to_datetime(frame["t"]), g=pd.to_datetime(frame["g"], errors="coerce"))
    np.testing.assert_array_equal(read(dates).first_treated, data.first_treated)


def test_a_unit_that_was_always_treated_is_kept_with_its_time():
    frame = table().assign(g=[1990, 1990, 0, 0, 0, 0], d=[1, 1, 0, 0, 0, 0])
    data = read(frame, treated="d")
    assert data.first_treated[:2].tolist() == [1990, 1990] and data.treated[:2].tolist() == [1, 1]


def set_at(column, row, value):
    frame = table().astype({column: object})
    frame.loc[row - 1, column] = value
    return frame


@pytest.mark.parametrize(
    ("frame", "columns", "words"),
    [
        (None, {"outcome": "cost"}, "no column 'cost'; the columns are id, t"),
        (None, {"first_treated": None}, "name the column of who is treated"),
        (set_at("y", 3, None), {}, "'y' has 1 missing value, the first in row 3"),
        (set_at("y", 4, " "), {}, "'y' has 1 missing value, the first in row 4"),
        (set_at("y", 2, "n/a"), {}, r"'y' has 1 non-numeric value, the first in row 2 \('n/a'\)"),
        (set_at("y", 2, np.inf), {}, "'y' has 1 infinite value, the first in row 2"),
        (set_at("t", 5, None), {}, "'t' has 1 missing value, the first in row 5"),
        (set_at("id", 5, None), {}, "'id' has 1 missing value, the first in row 5"),
        (set_at("id", 5, ""), {}, "'id' has 1 missing value, the first in row 5"),
        (set_at("x", 6, "a"), {"covariates": ["x"]}, "'x' has 1 non-numeric value, the first in row 6"),
        (set_at("w", 3, 0), {"weights": "w"}, "positive weights; row 3 holds 0"),
        (set_at("c", 1, None), {"cluster": "c"}, "'c' has 1 missing value, the first in row 1"),
        (
            set_at("d", 2, 2),
            {"treated": "d", "first_treated": None},
            "'d' has 1 other value, the first in row 2",
        ),
        (set_at("g", 2, "soon"), {}, "'g' has 1 non-numeric value, the first in row 2"),
        (set_at("g", 2, 2001), {}, r"'g' changes inside id '10' \(2001 and 2002\)"),
        (set_at("d", 1, 1), {"treated": "d"}, "disagree at row 1"),
        (
            table().assign(t=lambda f: f["t"] - 2002),
            {},
            "0, which means never treated, but times run from -1",
        ),
        (table().assign(t="2014-11", g="2014-13"), {}, "'g' has 6 unreadable values, the first in row 1"),
        (table().head(0), {}, "no rows"),
    ],
)
def test_refused_with_column_and_row(frame, columns, words):
    with pytest.raises(DataProblem, match=words):
        read(frame, **columns)


def test_dates_inside_months_are_refused():
    with pytest.raises(DataProblem, match="dates inside months"):
        read(table().assign(t=pd.to_datetime("2014-03-15")))


def test_a_treated_unit_that_stops_is_refused_by_name():
    frame = table().assign(d=[1, 0, 0, 0, 0, 0])
    with pytest.raises(ModelRefusal, match=r"id '10' stops being treated \(column 'd', 2002\)"):
        read(frame, treated="d", first_treated=None)


def test_rows_of_one_unit_and_time_that_differ_in_treatment_are_refused():
    frame = table().assign(t=[2001, 2001, 2002, 2001, 2001, 2002])
    with pytest.raises(ModelRefusal, match="treated in some of its rows at one time and not in others"):
        read(frame, treated="d", first_treated=None)
