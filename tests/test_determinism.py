"""Each source of difference between two runs is seen; `test_house` scans the package with the same eyes."""

from __future__ import annotations

import pytest

from sources_of_chance import signs


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import time\nx = time.time()", "time.time"),
        ("import datetime as dt\nx = dt.datetime.now()", "dt.datetime.now"),
        ("from datetime import date\nx = date.today()", "date.today"),
        ("import numpy as np\nx = np.random.normal()", "np.random.normal"),
        ("import numpy as np\nx = np.random.default_rng()", "np.random.default_rng"),
        ("import random", "random"),
        ("x = frame.sample(10)", "frame.sample"),
        ("from uuid import uuid4", "uuid"),
        ("x = [a for a in {1, 2}]", "{1, 2}"),
        ("for a in set(b):\n    print(a)", "set(b)"),
        ("x = list(set(b) - {1})", "set(b) - {1}"),
        ("x = ', '.join({b, c})", "{b, c}"),
        ("seen = {1}\nfor a in seen:\n    print(a)", "seen"),
        ("x = [*{b, c}]", "{b, c}"),
        ("import os\nfor n in os.listdir(f):\n    print(n)", "os.listdir"),
        ("x = [p for p in folder.glob('*')]", "folder.glob"),
        ("for p in folder.iterdir():\n    print(p)", "folder.iterdir"),
        ("for f in as_completed(jobs):\n    print(f)", "as_completed"),
        ("x = hash('a')", "hash"),
        ("x = 'SELECT random() FROM t'", "random()"),
    ],
)
def test_each_source_of_difference_is_seen(source, name):
    assert [found for _, found, _ in signs(source)] == [name]


@pytest.mark.parametrize(
    "source",
    [
        "x = sorted({1, 2})",
        "x = sorted(p.name for p in folder.glob('*') if p.is_file())",
        "x = {a + 1 for a in {1, 2}}",
        "x = any(a for a in set(b))",
        "x = len({1, 2}), 1 in {1, 2}, {1} <= set(b)",
        "import numpy as np\nx = np.random.default_rng([seed, 3])",
        "x = {**a, 'b': 1}\nfor key in x:\n    print(key)",
    ],
)
def test_what_has_no_order_or_a_seed_passes(source):
    assert list(signs(source)) == []
