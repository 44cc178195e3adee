"""The chain on Spark, in this process: every table that leaves the engine as from DuckDB, to the cent.

Needs PySpark (``pip install 'medhome[spark]'``) and a Java; without them these tests are skipped.
"""

from __future__ import annotations

import importlib.util

import dozen
import ibis
import pyarrow as pa
import pytest
from every_frame import assert_equal, everything

from medhome.simulate import WORLDS, simulate_world
from medhome.study.problems import StudyFileError
from medhome.study.spec import read_study
from medhome.tables import engine, sources, spark_engine
from medhome.tables.engine import fetch

INSTALLED = importlib.util.find_spec("pyspark") is not None
needs_spark = pytest.mark.skipif(
    not (INSTALLED and spark_engine.java()),
    reason="Spark needs PySpark and Java: pip install 'medhome[spark]', and a Java of 17 or later",
)


@pytest.fixture(scope="module")
def spark():
    con = spark_engine.connect()
    yield con
    spark_engine.close(con)


def assert_same(spark, folder, spec) -> dict:
    with engine.session() as con:
        inputs = sources.open_inputs(con, spec, folder)
        first = everything(con, inputs, spec)
        second = everything(spark, spark_engine.moved(inputs, spark), spec)
    assert_equal(first, second)
    return first


@needs_spark
def test_the_dozen(spark, dozen_folder):
    spec = dozen.study(population__exposure="day_fraction")
    assert len(assert_same(spark, dozen_folder, spec)["cells"]) > 10


@needs_spark
@pytest.mark.slow
def test_a_simulated_world(spark, tmp_path):
    simulate_world(WORLDS["small"], tmp_path)
    found = assert_same(spark, tmp_path, read_study(tmp_path / "study.toml"))
    assert found["waterfall"]["lines"].iloc[0] > 100_000


@needs_spark
def test_numbers_beyond_the_bits_of_a_double_stay_whole(spark):
    large = 2**62 + 1
    rows = pa.table({"n": [large, -7, None], "by": [1000, 2, 1]})
    kept = spark.create_table("large", ibis.memtable(rows), overwrite=True)
    found = fetch(kept.mutate(whole=kept.n // kept.by).order_by("by"))
    assert found["whole"].tolist()[1:] == [-4, large // 1000]
    assert found["n"].tolist()[1:] == [-7, large]
    wide = kept.n.fill_null(0).cast("decimal(38, 0)")
    assert (
        fetch((wide * 1000).sum().cast("decimal(38, 0)").name("sum").as_table())["sum"][0]
        == (large - 7) * 1000
    )


@pytest.mark.skipif(INSTALLED, reason="PySpark is installed")
def test_without_the_extra_the_message_names_it():
    with pytest.raises(StudyFileError, match=r"medhome\[spark\]"):
        spark_engine.connect()


@pytest.mark.skipif(not INSTALLED, reason="PySpark is not installed")
def test_without_java_the_message_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(StudyFileError, match="install a Java of 17 or later"):
        spark_engine.connect()
