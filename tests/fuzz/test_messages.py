"""What fuzzing found in messages: each stays found."""

from __future__ import annotations

import pytest
from tests.fuzz.draft import sound

from medhome import evaluate
from medhome.study.problems import DataProblem, StudyFileError
from medhome.study.spec import read_study


def _refused(draft, folder, error=DataProblem) -> str:
    draft.write(folder)
    with pytest.raises(error) as refused:
        evaluate.check(read_study(folder / "study.toml"), folder)
    return str(refused.value)


def test_a_key_of_ten_thousand_characters_is_shown_short(tmp_path):
    draft = sound()
    draft.put("medical_claim", "claim_id", [0, 1, 2], ["x" * 10_000])
    message = _refused(draft, tmp_path / "w")
    assert "xxxx… (10,000 characters)" in message and "medical_claim.parquet row 1" in message
    assert len(message) < 2_000


def test_a_cell_that_steers_a_terminal_is_written_out(tmp_path):
    draft = sound()
    draft.put("pharmacy_claim", "days_supply", [4], ["\x1b[2J\n30"])
    message = _refused(draft, tmp_path / "w")
    assert r"\x1b[2J\n30" in message and "\x1b" not in message and "row 5" in message


def test_a_long_value_of_the_study_file_is_shown_short(tmp_path):
    draft = sound()
    draft.study = draft.study.replace('id = "small"', f'id = "{"y" * 10_000}"')
    message = _refused(draft, tmp_path / "w", StudyFileError)
    assert "id = 'yyyy" in message and len(message) < 500


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("name", ["_file", "_row", "_path", "file_row_number"])
def test_a_column_named_as_the_reader_names_its_own(kind, name, tmp_path):
    draft = sound()
    draft.kinds["medical_claim"] = kind
    draft.tables["medical_claim"] = draft.tables["medical_claim"].assign(**{name: "more"})
    message = _refused(draft, tmp_path / "w")
    assert f"medical_claim.{kind}: column {name} has a name that the reader itself needs" in message
