"""The emergency algorithm and the prevention indicators, on the public tables and on made ones."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest

from medhome.study.problems import DataProblem
from medhome.tables.measures.preventable import INDICATORS, indicators
from medhome.tables.measures.value_sets import SHARES, UNCLASSIFIED, EmergencyShares, ValueSets


@pytest.fixture(scope="module")
def sets(shared_data) -> ValueSets:
    return ValueSets(shared_data / "value_sets")


# Published shares (NYU algorithm with the patch of Johnston et al. 2017), as the design note prints them.
GOLDEN = {
    "J069": {"edcnpa": 0.1774, "epct": 0.8226},
    "N390": {"edcnpa": 0.2418, "epct": 0.2967, "noner": 0.4615},
    "R079": {"edcnnpa": 0.6761, "epct": 0.3239},
    "I10": {"edcnpa": 0.2097, "epct": 0.1774, "noner": 0.6129},
    "I214": {"edcnnpa": 1.0},
    "S93401A": {"injury": 1.0},
    "F10129": {"alcohol": 1.0},
}


@pytest.mark.parametrize("code", GOLDEN)
def test_golden_shares(sets, code):
    found = sets.emergency.of_code("icd-10-cm", code)
    assert {k: round(v, 4) for k, v in found.items() if v} == GOLDEN[code]
    assert sum(found.values()) == pytest.approx(1, abs=1e-9)


def test_younger_codes_fall_back_to_the_longest_shorter_one(sets):
    """M54.50 was split off in 2021; U07.1 is of 2020 and has nothing shorter in the table."""
    shares = sets.emergency
    assert shares.of_code("icd-10-cm", "M54.50") == shares.of_code("icd-10-cm", "M545")
    assert shares.of_code("icd-10-cm", "M545")[UNCLASSIFIED] == 0
    assert shares.of_code("icd-10-cm", "U071") == dict.fromkeys(SHARES, 0.0) | {UNCLASSIFIED: 1.0}
    assert shares.of_code("icd-10-cm", "")[UNCLASSIFIED] == 1
    assert shares.of_code("icd-9-cm", "78650") != shares.of_code("icd-10-cm", "78650")


def test_avoidable_parts_are_whole_ten_thousandths(sets):
    visits = pd.DataFrame({"system": ["icd-10-cm"] * 3, "code": ["J069", "I214", "U071"]})
    assert sets.emergency.parts(visits, ["noner", "epct"]).tolist() == [8226, 0, 0]
    assert sets.emergency.parts(visits, ["noner", "epct", "edcnpa"]).tolist() == [10000, 0, 0]


def stay(dx1: str, **more) -> dict:
    row = {
        "system": "icd-10-cm",
        "dx1": dx1,
        "diagnoses": dx1,
        "procedures": "",
        "transfer_in": False,
        "age": 50,
    }
    return row | more


# Stay, and the indicators that it meets.
BY_HAND = [
    (stay("E1010"), {"01"}),
    (stay("E1121"), {"03"}),
    (stay("E1065"), {"14"}),
    (stay("J440"), {"05"}),
    (stay("J4521"), {"05"}),
    (stay("J4521", age=39), {"15"}),
    (stay("J4521", age=40), {"05"}),
    (stay("J4521", age=17), set()),
    (stay("J440", diagnoses="J440 E840"), set()),
    (stay("I10"), {"07"}),
    (stay("I10", procedures="0210083"), set()),
    (stay("I129"), {"07"}),
    (stay("I129", procedures="031509D"), set()),
    (stay("I509"), {"08"}),
    (stay("I509", transfer_in=True), set()),
    (stay("I509", age=17), set()),
    (stay("I509", system="icd-9-cm"), set()),
    (stay("J13"), {"11"}),
    (stay("J13", diagnoses="J13 D571"), set()),
    (stay("J13", diagnoses="J13 B20"), set()),
    (stay("N10"), {"12"}),
    (stay("N10", diagnoses="N10 N110"), set()),
    (stay("I7020", diagnoses="I7020 E119", procedures="0Y620ZZ"), {"16"}),
    (stay("I7020", diagnoses="I7020", procedures="0Y620ZZ"), set()),
    (stay("S78011A", diagnoses="S78011A E119", procedures="0Y620ZZ"), set()),
    (stay("O80"), set()),
    (stay(""), set()),
]


def test_prevention_indicators_by_hand(sets):
    frame = pd.DataFrame([row for row, _met in BY_HAND])
    found = indicators(frame, frame["age"].to_numpy(), sets)
    assert list(found.columns) == list(INDICATORS)
    met = [set(found.columns[np.flatnonzero(row)]) for row in found.to_numpy()]
    assert met == [wanted for _row, wanted in BY_HAND]


def test_a_folder_without_the_file_and_a_broken_file(tmp_path):
    assert ValueSets(tmp_path).missing(["a.csv"]) == ["a.csv"]
    with pytest.raises(DataProblem, match="no such file"):
        ValueSets(tmp_path).read("a.csv", ["code"])
    (tmp_path / "a.csv").write_text("kode\n1\n")
    with pytest.raises(DataProblem, match=r"a\.csv: lacks column code"):
        ValueSets(tmp_path).read("a.csv", ["code"])
    with gzip.open(tmp_path / "b.csv.gz", "wt") as stream:
        stream.write("code\ni10.9\n")
    assert ValueSets(tmp_path).codes("b.csv", "code") == {"I109"}
    (tmp_path / "c.csv.gz").write_bytes(b"\x1f\x8b\x08cut")
    with pytest.raises(DataProblem, match=r"c\.csv\.gz: cannot be read"):
        ValueSets(tmp_path).read("c.csv", ["code"])
    frame = pd.DataFrame([["A00", *[0.1] * 8]], columns=["icd10", *SHARES])
    with pytest.raises(DataProblem, match="those of A00 do not add up to 1"):
        EmergencyShares.of({"icd-10-cm": frame})
