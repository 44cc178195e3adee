"""Checklists: every item once, answered, left to the author or not applicable, and linked to a place."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest
from example import report, spec

from medhome.reporting.checklist_words import ANSWERS
from medhome.reporting.checklists import TITLES, checklist, document, filled
from medhome.reporting.pages import REPORT_PAGES
from medhome.reporting.protocol_page import declared, write_protocol
from medhome.reporting.report_pages import PROTOCOL_PAGE
from medhome.study.protocol import locked
from medhome.study.robustness_results import Robustness
from medhome.study.selection_results import Selection
from medhome.study.spec import StudySpec

NUMBERS = {
    "RECORD": [
        *("1.1", "1.2", "1.3", "6.1", "6.2", "6.3", "7.1", "12.1", "12.2", "12.3", "13.1", "19.1", "22.1")
    ],
    "TREND": [str(n) for n in range(1, 23)],
    "HARPER": [
        *("1", "2", "3", "4", "5", "6", "7.1", "7.2", "7.3.1", "7.3.2", "7.3.3"),
        *("7.4.1", "7.4.2", "7.4.3", "7.4.4", "7.5.1", "7.6.1", "7.7", "7.8", "7.9"),
        *("8", "9", "10", "11", "12"),
    ],
    "TARGET": [
        *("1a", "1b", "1c", "2", "3", "4", "5"),
        *(f"6{letter}" for letter in "abcdefgh"),
        *(f"7{letter}" for letter in "abcdef"),
        *("7g(i)", "7g(ii)", "7h(i)", "7h(ii)"),
        *(str(n) for n in range(8, 22)),
    ],
}
"""As docs/methods.md says that they were compared: RECORD by STROBE's numbers, HARPER by its sections."""


REPORT = report()
FILLED = filled(REPORT)


def items(**changes):
    return filled(dataclasses.replace(REPORT, **changes)) if changes else FILLED


def test_every_item_of_the_published_lists_is_there_once():
    for name in TITLES:
        own = [i.item for i in items() if i.checklist == name]
        assert len(own) == len(set(own)) > 10
    for name, numbers in NUMBERS.items():
        assert [i.item for i in items() if i.checklist == name] == numbers


def test_an_item_is_answered_left_to_the_author_or_does_not_apply():
    for item in items():
        assert item.text and item.status in ("auto", "author", "not applicable")
        if item.status == "auto":
            assert item.place and not item.text.startswith("Author:")
        if item.status == "author":
            assert item.text.startswith("Author: ")
        if item.status == "not applicable":
            assert not item.place and len(item.text) > 20
    answers = {" ".join(answer(REPORT).split()) for answer in ANSWERS.values()}
    assert len(answers & {i.text for i in items()}) > 15


def test_places_are_pages_of_the_report():
    pages = {file for file, _ in REPORT_PAGES.values()} | {PROTOCOL_PAGE}
    linked = {i.place.partition("#")[0] for i in items() if i.place}
    assert linked <= pages and len(linked) > 5


def one(name, number, **changes):
    return next(i for i in items(**changes) if (i.checklist, i.item) == (name, number))


def test_what_the_study_file_does_not_say_is_the_authors():
    plain = spec().model_dump()
    plain["program"] |= {"description": "", "components": []}
    assert one("TREND", "4", spec=StudySpec.model_validate(plain)).status == "author"
    plain["program"]["description"] = "Care managers in practices"
    told = one("TREND", "4", spec=StudySpec.model_validate(plain))
    assert told.status == "auto" and told.text.startswith("Care managers in practices")


@pytest.mark.parametrize(
    ("part", "found", "named"),
    [
        ("selection", Selection(), [("TARGET", "10")]),
        ("robustness", Robustness(), [("TREND", "18"), ("TARGET", "7h(ii)"), ("TARGET", "14")]),
    ],
)
def test_what_a_study_lacks_is_not_answered_from_it(part, found, named):
    whole = [i for i in items() if (i.checklist, i.item) in named]
    assert [i.status for i in whole] == ["auto"] * len(named)
    without = dataclasses.replace(REPORT.evaluation, **{part: found})
    left = [i for i in items(evaluation=without) if (i.checklist, i.item) in named]
    assert [i.status for i in left] == ["author"] * len(named)


def test_the_protocol_is_answered_once_it_was_locked():
    assert one("HARPER", "3").status == "author"
    lock = locked(spec(), "a" * 64, before=None, commit=None, latest_incurred=24_100, reason="")
    item = one("HARPER", "3", protocol=lock)
    assert item.status == "auto" and "before the performance period" in item.text


@pytest.mark.parametrize("name", sorted(TITLES))
def test_a_checklist_is_a_table_with_links(name):
    block = checklist(name, items())
    assert f'id="tab-{name.lower()}"' in block.html and "<caption>" in block.html
    linked = re.findall(r'<a href="([\w-]+\.html#[^"]+)"', block.html)
    assert len(linked) == sum(bool(i.place) for i in items() if i.checklist == name)
    assert "do not apply" in block.text or "does not apply" in block.text


def test_the_page_and_its_json_hold_the_same_items(tmp_path):
    page = write_protocol(REPORT, tmp_path, {"pages": []}).read_text()
    said = json.loads((tmp_path / "checklists.json").read_text())
    assert said == json.loads(json.dumps(document(items())))
    assert sum(map(len, said["checklists"].values())) == len(items())
    for heading in ("The-protocol", "Locked-and-amended", *TITLES):
        assert f'id="{heading}"' in page
    assert "Difference in differences" in declared(REPORT).text
