"""The determinism scan finds each source of difference that `reports.md` 2.1 lists, and nothing else."""

from __future__ import annotations

import base64
import datetime as dt
from pathlib import Path
from urllib.parse import quote

import nbformat
import pytest

from medhome.reporting.failures import NotRepeatable
from medhome.reporting.normalise import normalise, scan, signs_of_chance

DAY = dt.date(2026, 3, 14)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("<A at 0x7f3b2c1d>", "an object's address"),
        ("ipykernel_12590/x.py", "number of a process"),
        ("read /home/ann/study/x.csv", "an absolute path"),
        ('"/tmp/x"', "an absolute path"),
        ("/usr/lib/python3", "an absolute path"),
        ("C:\\Users\\ann", "an absolute path"),
        ("file:///x", "an absolute path"),
        ("Wall time: 3 s", "a time that was measured"),
        ("id 3f2b8c1e-1234-4abc-9def-0123456789ab", "a random identifier"),
        ('<img src="https://x.org/a.png">', "fetched from the network"),
        ("<a href=http://x.org>", "fetched from the network"),
        ("<script src='//cdn.org/x.js'>", "fetched from the network"),
        ("a { background: url(https://x.org/a.png) }", "fetched from the network"),
        ('<image xlink:href="http://x.org"/>', "fetched from the network"),
        ("made 2026-03-14", "today's date"),
        ("March 14, 2026", "today's date"),
        ("Sat Mar 14", "today's date"),
    ],
)
def test_signs_are_found(text, what):
    findings = signs_of_chance(f"first line\n{text}", today=DAY)
    assert len(findings) == 1
    assert findings[0].startswith("line 2: ") and what in findings[0]


@pytest.mark.parametrize(
    "text",
    [
        "−$1.78 PMPM (95% CI −9.10 to 5.54)",
        '<a href="methods.html#tmp">x</a></td></tr>',
        '<svg xmlns="http://www.w3.org/2000/svg" role="img">',
        "per 1,000 members/year and/or usr/opt",
        "data through 2010-03-31, paid through 2010-06-30",
        '<a href="did.html">back</a> <path d="M0/tmp"/>',
    ],
)
def test_ordinary_text_passes(text):
    assert signs_of_chance(text, today=DAY) == []


def test_first_and_last_days_of_months_are_study_dates():
    assert signs_of_chance("data through 2026-03-31", today=dt.date(2026, 3, 31)) == []
    assert signs_of_chance("from 2026-03-01", today=dt.date(2026, 3, 1)) == []


def test_secrets_of_the_environment_are_found_and_not_repeated(monkeypatch):
    monkeypatch.setenv("PAYER_API_TOKEN", "s3cr3t-value")
    monkeypatch.setenv("SHORT_TOKEN", "of")
    said = signs_of_chance("the key of\nit is s3cr3t-value")
    assert said == ["line 2: the value of the environment variable PAYER_API_TOKEN"]
    assert signs_of_chance("the key of nothing") == []


def test_data_links_are_looked_into():
    encoded = base64.b64encode(b"a,b\n/home/ann,1").decode()
    assert "data link, line 2" in signs_of_chance(f'<a href="data:text/csv;base64,{encoded}">')[0]
    assert "an absolute path" in signs_of_chance(f'<a href="data:text/csv,{quote("/home/ann")}">')[0]
    picture = base64.b64encode(b"/home/ann/").decode()
    assert signs_of_chance(f'<img src="data:image/png;base64,{picture}">') == []


def test_folders_of_the_run_are_found_wherever_they_lie():
    folder = Path("/quite/unusual place/run")
    assert (
        "a folder of this machine" in signs_of_chance("see /quite/unusual place/run/x", folders=[folder])[0]
    )
    assert signs_of_chance("see unusual place/run/x", folders=[folder]) == []


def test_scan_names_notebook_cell_and_line_of_every_finding():
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [
        nbformat.v4.new_code_cell(
            "a", outputs=[nbformat.v4.new_output("stream", name="stderr", text="\nwarned\n")]
        ),
        nbformat.v4.new_code_cell(
            "b",
            outputs=[
                nbformat.v4.new_output(
                    "display_data", {"text/html": "<p>\n<A at 0x7f3b2c1d>", "image/png": "x"}
                )
            ],
        ),
    ]
    with pytest.raises(NotRepeatable) as problem:
        scan(notebook, "n.ipynb")
    message = str(problem.value)
    assert message.startswith("n.ipynb: ")
    assert "cell 1: wrote to standard error (warned)" in message
    assert "cell 2, line 2: an object's address" in message


def test_normalise_keeps_content_and_drops_chance():
    notebook = nbformat.v4.new_notebook(
        metadata={
            "title": "T",
            "papermill": {"start_time": "x"},
            "widgets": {},
            "kernelspec": {"name": "mine", "display_name": "M", "language": "python"},
            "language_info": {"name": "python", "version": "3.11.7"},
        }
    )
    streams = [nbformat.v4.new_output("stream", name="stdout", text=t) for t in ("a\n", "b\n")]
    cell = nbformat.v4.new_code_cell("print()", outputs=streams)
    cell.metadata = nbformat.from_dict(
        {"tags": ["injected-parameters"], "papermill": {"duration": 1}, "execution": {}}
    )
    notebook.cells = [cell, nbformat.v4.new_markdown_cell("text")]
    normalise(notebook, {"run": "."})
    assert [c.id for c in notebook.cells] == ["c000", "c001"]
    assert cell.source == '# Parameters\nrun = "."'
    assert cell.metadata == {"tags": ["injected-parameters"]}
    assert [o.text for o in cell.outputs] == ["a\nb\n"]
    assert notebook.metadata["title"] == "T"
    assert "papermill" not in notebook.metadata and "version" not in notebook.metadata["language_info"]
    assert notebook.metadata["kernelspec"]["name"] == "python3"
    nbformat.validate(notebook)
