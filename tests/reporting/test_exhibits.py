"""Tables: caption, headers, withheld cells, and CSV that is exact and safe."""

from __future__ import annotations

import base64
import csv
import dataclasses
import io
import re

import example
import pandas as pd
import pytest

from medhome.reporting import cohort_exhibits, exhibits
from medhome.reporting.datatable import Column, DataTable, csv_cell
from medhome.study.display import WITHHELD, count, usd
from medhome.study.published import published_effect

SPEC = example.spec()


def all_tables() -> list[DataTable]:
    found = example.evaluation()
    return [
        cohort_exhibits.inputs(found.quality),
        cohort_exhibits.rules(found.quality),
        cohort_exhibits.waterfall(found.quality),
        cohort_exhibits.volumes(found.quality, SPEC),
        cohort_exhibits.cohort_flow(found.attrition, SPEC),
        cohort_exhibits.organizations(found.cohort, SPEC),
        cohort_exhibits.balance(found.cohort, SPEC),
        cohort_exhibits.checks(found.checks),
        exhibits.definitions(found.expected),
        exhibits.series(found.expected),
        exhibits.risk_terms(found.risk),
        exhibits.risk_accuracy(found.risk),
        exhibits.calibration(found.risk, SPEC),
        exhibits.event_study(found.did),
        exhibits.inference(found.did),
        exhibits.variance_shares(found.did),
        exhibits.savings(found.savings),
        exhibits.savings_by_year(found.savings),
        exhibits.detectable(found.did, published_effect()),
    ]


def parsed(table: DataTable) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table.csv())))


@pytest.fixture(params=all_tables(), ids=lambda t: t.id)
def table(request) -> DataTable:
    return request.param


def test_markup_of_every_table(table):
    markup = table.block().html
    assert markup.count("<caption>") == 1
    assert re.search(r"<caption><span>.+?</span></caption>", markup)
    heads = re.findall(r"<th scope=\"(col|row)\"", markup)
    assert heads.count("col") == len(table.columns)
    assert heads.count("row") == len(table.frame)
    assert re.search(r'<div class="scroll" tabindex="0" role="group" aria-label="[^"]+">', markup)
    assert re.search(r'<a download="[\w-]+\.csv" href="data:text/csv', markup)
    assert "nan" not in markup.split("base64,")[0].lower().replace("financ", "")


def test_csv_of_every_table_has_a_row_for_each_row_and_no_formula(table):
    rows = parsed(table)
    assert len(rows) == len(table.frame)
    link = re.search(r"base64,([^\"]+)", table.block().html)
    assert link and base64.b64decode(link[1]).decode() == table.csv()
    for row in rows:
        for value in row.values():
            assert not re.match(r"[=+@\t\r]", value)
            if value.startswith("-"):
                float(value)  # a negative number, not a formula


def test_private_columns_never_leave(table):
    assert not {"examples", "organization_id", "clinicians"} & {c.name for c in table.columns}
    assert "secret-key" not in table.csv() + table.block().html


def test_ten_significant_digits():
    assert csv_cell(-13.881234567891234) == "-13.88123457"
    assert csv_cell(1 / 3) == "0.3333333333"
    assert csv_cell(123456789012.0) == "1.23456789e+11"
    assert csv_cell(18_850) == "18850"
    assert csv_cell(True) == "true"


@pytest.mark.parametrize("text", ["=SUM(A1)", "+1", "-1+1", "@x", "\tx", "\rx"])
def test_formula_like_text_is_neutralised(text):
    assert csv_cell(text) == "'" + text


def test_labels_from_data_cannot_become_markup():
    nasty = DataTable(
        id="t",
        caption="A <b> & c",
        frame=pd.DataFrame({"label": ['<img src=x onerror="go">']}),
        columns=(Column("label", "L<i>"),),
        note="<script>",
    )
    markup = nasty.block().html
    assert "<img" not in markup and "<script" not in markup and "<b>" not in markup and "<i>" not in markup
    assert "&lt;img src=x onerror=&quot;go&quot;&gt;" in markup


def test_a_withheld_count_withholds_what_rests_on_it_under_one_symbol():
    made = DataTable(
        id="t",
        caption="C",
        counts=("members",),
        resting=("pmpm",),
        frame=pd.DataFrame(
            {
                "arm": ["a", "b", "c"],
                "members": [float("nan"), 20.0, 30.0],
                "pmpm": [float("nan"), float("nan"), 3.0],
                "other": [1.0, float("nan"), 2.0],
            }
        ),
        columns=(
            Column("arm", "Arm"),
            Column("members", "Members", count),
            Column("pmpm", "Cost", usd),
            Column("other", "O", count),
        ),
    )
    assert made.cells() == [["a", WITHHELD, WITHHELD, "1"], ["b", "20", "–", "–"], ["c", "30", "$3.00", "2"]]
    assert made.csv().splitlines() == [
        "arm,members,pmpm,other",
        "a,withheld,withheld,1",
        "b,20,,",
        "c,30,3,2",
    ]
    assert "withheld, so that no small number" in made.full_note()


def test_no_note_on_withheld_cells_where_there_are_none():
    assert WITHHELD not in cohort_exhibits.checks(example.checks()).block().html


def test_months_are_words_on_the_page_and_iso_in_csv():
    row = parsed(exhibits.savings_by_year(example.savings()))[0]
    assert (row["first_month"], row["last_month"]) == ("2008-06", "2009-05")
    assert exhibits.savings_by_year(example.savings()).cells()[0][0] == "1; Jun 2008 to May 2009"


def test_the_cohort_flow_has_the_arms_side_by_side_and_marks_the_cell_that_was_withheld():
    flow = cohort_exhibits.cohort_flow(example.attrition(), SPEC)
    assert [c.label for c in flow.columns] == [
        "Rule",
        "Program members",
        "Comparison members",
        "Cost removed",
    ]
    second, last = flow.cells()[1], flow.cells()[-1]
    assert second[0] == "Aged 0 to 64"
    assert second[1] == "20,555; 823,912"
    frame = example.attrition().frame
    removed = frame[frame["step"] == 1]["allowed_usd_dropped"].sum()
    assert second[3] == usd(removed, 0), "of both arms together"
    assert last[3] == WITHHELD, "the sum of a withheld and a shown number would give the withheld one away"
    assert len(flow.cells()) == 4


def test_the_waterfall_adds_up_in_its_own_csv():
    rows = parsed(cohort_exhibits.waterfall(example.quality()))
    steps = [float(r["allowed_usd"]) for r in rows]
    assert sum(steps[:-1]) == pytest.approx(steps[-1], abs=0.5)


def test_methods_that_are_no_finding_say_so_in_words_and_in_grey():
    made = exhibits.inference(example.did())
    readings = [row["reading"] for row in parsed(made)]
    verdicts = [r.split(":")[0] for r in readings]
    assert verdicts == ["Headline"] + ["May be read beside it"] * 3 + ["Not a finding here"] * 4
    assert readings[-1] == "Not a finding here: not valid with one treated organisation"
    rows = re.findall(r"<tr( class=\"[^\"]*\")?><th scope=\"row\">", made.html())
    assert rows == [' class="strong"', "", "", ""] + [' class="muted"'] * 4
    # no p in bold and no star, whatever its size
    assert "*" not in made.html()


def test_a_headline_without_p_shows_none():
    shown = exhibits.inference(example.did()).cells()[0][4]
    untried = dataclasses.replace(example.did(), headline=example.estimate(-4.2, -27.3, 18.9, p=None))
    assert (shown, exhibits.inference(untried).cells()[0][4]) == ("0.42", "–")


def test_balance_is_written_in_each_row_s_unit():
    cells = {row[0]: row[1:3] for row in cohort_exhibits.balance(example.cohort(), SPEC).cells()}
    assert cells["Age"] == ["36.10", "34.90"]
    assert cells["Female"] == ["53.1%", "52.4%"]
    assert cells["Expected cost at baseline"] == ["$303.40", "$295.10"]


def test_savings_are_written_in_each_row_s_unit():
    cells = {row[0]: row[1:] for row in exhibits.savings(example.savings()).cells()}
    assert cells["Gross savings; $ PMPM"] == ["$4.20", "−$18.90 to $27.30"]
    assert cells["Program fees; $ PMPM"] == ["$1.50", "–"]
    assert cells["Net savings in all; $"] == ["$1,101,600", "−$8,323,200 to $10,526,400"]
    assert cells["Gross savings over fees; ratio"] == ["2.80", "−12.60 to 18.20"]


def test_savings_run_from_gross_to_net_in_whatever_order_they_are_kept():
    found = example.savings()
    turned = dataclasses.replace(found, rows=dict(sorted(found.rows.items())))
    names = [row["id"] for row in exhibits.savings(turned).rows()]
    assert names == ["gross_pmpm", "gross_total_usd", "fees_pmpm", "net_pmpm", "net_total_usd", "roi_ratio"]


def test_rules_that_found_nothing_are_left_out_and_the_gravest_come_first():
    cells = cohort_exhibits.rules(example.quality()).cells()
    assert [row[2] for row in cells] == ["warning", "note", "note", "note"]
    assert cells[0][4] == "below 0.01%"


def test_a_table_without_rows_is_still_a_table():
    empty = dataclasses.replace(example.quality(), rules=example.quality().rules.assign(count=0))
    made = cohort_exhibits.rules(empty)
    assert made.cells() == [] and "<tbody></tbody>" in made.html()


def test_a_column_that_says_nothing_is_left_out_of_the_page_and_stays_in_the_data():
    def table(notes: list[str]) -> DataTable:
        frame = pd.DataFrame({"label": ["a", "b"], "note": notes})
        columns = (Column("label", "Place"), Column("note", "Note", seldom=True))
        return DataTable(id="t", caption="C", frame=frame, columns=columns)

    silent, telling = table(["", ""]), table(["", "few members"])
    assert "Note" not in silent.html() and silent.csv().splitlines()[0] == "label,note"
    assert ">Note<" in telling.html() and "few members" in telling.html()
