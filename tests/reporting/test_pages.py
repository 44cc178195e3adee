"""Pages: every public part, whole pages from the template, their markup and their size."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import re
import tempfile
from html.parser import HTMLParser
from pathlib import Path

import example
import nbformat
import pytest

from medhome.reporting import pages, protocol_page
from medhome.reporting.blocks import Block, escape, notice, paragraphs, prose
from medhome.reporting.render import render_page
from medhome.reporting.report_pages import PROTOCOL_PAGE, PROTOCOL_TITLE
from medhome.study.display import WITHHELD

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
PARTS = [name for name in pages.__all__ if name != "show"]
MOST_BYTES = 1_800_000
"""All pages together: a report above 2 MB is slow to open and to send (reports note, section 3.4)."""


def make_blocks(report) -> dict[str, Block]:
    """Every public part of a report, by its name."""
    return {name: getattr(pages, name)(report) for name in PARTS}


def make_pages(report, folder: Path, blocks: dict[str, Block] | None = None) -> dict[str, str]:
    """Every page of a report, from the notebooks' own cells, without a kernel."""
    made, blocks = {}, blocks or make_blocks(report)
    protocol = (PROTOCOL_PAGE, PROTOCOL_TITLE)
    every = [{"file": file, "title": title} for file, title in (*pages.REPORT_PAGES.values(), protocol)]
    for stem, (file, title) in pages.REPORT_PAGES.items():
        notebook = nbformat.read(NOTEBOOKS / f"{stem}.ipynb", as_version=4)
        for number, cell in enumerate(c for c in notebook.cells if c.cell_type == "code"):
            cell.execution_count = number + 1
            call = re.search(r"show\(medhome\.(\w+)\(report\)\)", cell.source)
            if call:
                block = blocks[call[1]]
                if block.html or block.text:
                    data = {"text/html": block.html, "text/plain": block.text}
                    cell.outputs = [nbformat.v4.new_output("display_data", data=data)]
        executed = folder / f"{stem}.ipynb"
        nbformat.write(notebook, executed)
        context = {
            "title": f"{report.spec.title}: {title}",
            "pages": [{**p, "current": p["file"] == file} for p in every],
        }
        made[file] = render_page(executed, folder / file, context).read_text(encoding="utf-8")
    linked = {"pages": [{**p, "current": p["file"] == PROTOCOL_PAGE} for p in every]}
    written = protocol_page.write_protocol(report, folder, linked)
    return {**made, PROTOCOL_PAGE: written.read_text(encoding="utf-8")}


@functools.cache
def example_blocks() -> dict[str, Block]:
    """The parts of the example, drawn once for every test of this process."""
    return make_blocks(example.report())


@functools.cache
def example_pages() -> dict[str, str]:
    """The pages of the example, made once for every test of this process."""
    with tempfile.TemporaryDirectory() as folder:
        return make_pages(example.report(), Path(folder), example_blocks())


@pytest.fixture
def blocks() -> dict[str, Block]:
    return example_blocks()


@pytest.fixture
def made() -> dict[str, str]:
    return example_pages()


def without_downloads(page: str) -> str:
    return re.sub(r'href="data:[^"]+"', 'href="data:"', page)


class Outline(HTMLParser):
    """Tags in order, with their attributes; fails on a tag that is closed out of turn."""

    EMPTY = frozenset({"meta", "link", "input", "br", "wbr", "img", "hr"})

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (
            f"</{tag}> closes <{self.open[-1] if self.open else 'nothing'}>"
        )
        self.open.pop()


def outline(page: str) -> Outline:
    made = Outline()
    made.feed(page)
    made.close()
    assert made.open == []
    return made


@pytest.mark.parametrize("name", PARTS)
def test_every_public_part_is_made_from_a_report(name, blocks):
    block = blocks[name]
    assert isinstance(block, Block)
    assert block.html and block.text
    assert set(block._repr_mimebundle_()) == {"text/html", "text/plain"}
    assert not re.search(r"\bnan\b|\bNone\b| at 0x", without_downloads(block.html))
    outline(block.html)


def test_every_public_part_is_used_in_a_notebook_and_documented():
    used = set(
        re.findall(
            r"show\(medhome\.(\w+)\(",
            "".join(p.read_text(encoding="utf-8") for p in NOTEBOOKS.glob("[0-9]*.ipynb")),
        )
    )
    assert used == set(PARTS)
    assert all((getattr(pages, name).__doc__ or "").strip() for name in pages.__all__)


def test_pages_are_well_formed_with_one_first_heading_and_headings_in_order(made):
    for file, page in made.items():
        levels = [int(tag[1]) for tag, _ in outline(page).tags if re.fullmatch(r"h[1-6]", tag)]
        assert levels.count(1) == 1 and levels[0] == 1, file
        assert all(b <= a + 1 for a, b in itertools.pairwise(levels)), (file, levels)


def test_nothing_is_fetched_and_nothing_runs(made):
    for file, page in made.items():
        found = outline(page)
        names = {tag for tag, _ in found.tags}
        assert not names & {"script", "link", "iframe", "object", "embed", "img", "video", "audio", "form"}, (
            file
        )
        for tag, attributes in found.tags:
            for name, value in attributes.items():
                assert not name.startswith("on"), (file, tag, name)
                if name in ("src", "href", "xlink:href", "action", "poster"):
                    good = r"#|data:|[\w-]+\.(html|json|toml)(#[\w,-]+)?$"
                    assert re.match(good, value or ""), (file, tag, value)
        assert "url(http" not in page and "@import" not in page
        policy = [a["content"] for t, a in found.tags if a.get("http-equiv") == "Content-Security-Policy"]
        assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]


def test_links_between_pages_and_within_them_are_met(made):
    files = set(made) | {"results.json", "manifest.json", "study.toml"}
    for file, page in made.items():
        found = outline(page).tags
        ids = [a["id"] for _, a in found if a.get("id")]
        assert len(ids) == len(set(ids)), f"{file}: an id occurs twice"
        for _, attributes in found:
            target = attributes.get("href") or ""
            if target.startswith("#"):
                assert target[1:] in ids, (file, target)
            elif target and not target.startswith("data:"):
                there, _, anchor = target.partition("#")
                assert there in files, (file, target)
                assert not anchor or f'id="{anchor}"' in made[there], (file, target)
        assert [a["href"] for _, a in found if a.get("aria-current") == "page"] == [file]


def test_tables_and_pictures_can_be_read_without_seeing_them(made):
    for file, page in made.items():
        body = without_downloads(page)
        tables = re.findall(r"<table.*?</table>", body, re.DOTALL)
        for table in tables:
            assert re.search(r"<caption>.*?\S.*?</caption>", table, re.DOTALL), file
            assert all("scope=" in head for head in re.findall(r"<th\b[^>]*>", table)), file
        for drawing in re.findall(r"<svg\b.*?</svg>", body, re.DOTALL):
            assert 'role="img"' in drawing[:600] and re.search(r"<title[^>]*>\S", drawing), file
            named = re.search(r'aria-labelledby="([^"]+)"', drawing)
            assert named and all(f'id="{i}"' in drawing for i in named[1].split()), file


def test_no_table_stands_twice_on_a_page_and_every_figure_leads_to_its_data(made):
    for file, page in made.items():
        captions = [re.sub("<[^>]+>", "", c) for c in re.findall(r"<caption>(.*?)</caption>", page)]
        assert sorted(set(captions)) == sorted(captions), file
        ids = set(re.findall(r'\bid="([^"]+)"', page))
        for figure in re.findall(r'<figure class="fig".*?</figure>', page, re.DOTALL):
            there = re.search(r'<a href="#([^"]+)">Data table</a>', figure)
            assert (there and there[1] in ids) or (
                "<summary>Data table</summary>" in figure and 'href="data:text/csv' in figure
            ), (file, figure[:200])
            assert 'href="data:image/svg+xml' in figure, file
        below = r'<div class="tbl".*?</table>.*?<div class="dl">(.*?)</div>'
        assert all('href="data:text/csv' in links for links in re.findall(below, page, re.DOTALL)), file


def test_every_exhibit_of_the_plan_stands_on_a_page_under_its_number(made):
    text = "".join(re.sub(r"<[^>]+>", "", page) for page in made.values())
    asked = {f"T{n}" for n in range(1, 21)}
    assert asked - set(re.findall(r"Exhibit (T\d+)\. \S", text)) == set()


def test_the_question_the_data_and_the_caveats_head_every_page(made):
    for file, page in made.items():
        start = re.sub(r"<[^>]+>", "", page[page.index("<main") :])[:1200]
        assert "Did care cost less in the medical home" in start, file
        assert "as paid through June 2010" in start, file
        assert "All data in this report are synthetic." in start, file


def test_the_first_page_says_what_can_be_detected_before_it_shows_an_effect(made):
    text = re.sub(r"<[^>]+>", "", made["index.html"][made["index.html"].index("<main") :])
    detectable = text.index("This study could detect a change of about $33")
    published = text.index("An effect of $1.78 PMPM")
    assert "is below what this study can detect" in text[published : published + 200]
    assert detectable < published < text.index("Effect on cost")
    assert "Versus expected (a change)" in text and "Versus peers (a level)" in text
    assert text.index("Read this first") < detectable


def test_the_same_report_gives_the_same_pages(made, tmp_path):
    again = make_pages(example.report(), tmp_path)
    assert again == made


def test_all_pages_together_are_small_enough_to_send(made):
    sizes = {file: len(page.encode()) for file, page in made.items()}
    assert sum(sizes.values()) < MOST_BYTES, sizes


def test_no_page_says_parallel_and_withheld_cells_stay_withheld(made):
    for page in made.values():
        assert "parallel" not in without_downloads(page).lower()
    assert WITHHELD in made["data-and-cohort.html"] and WITHHELD in made["expected-and-actual.html"]
    assert "secret-key" not in "".join(made.values()), "example keys of the input rules are private"
    assert "ORG-0" not in "".join(made.values()), "organisations appear under neutral names only"


def test_code_is_hidden_until_asked_for_and_parameters_are_named(made):
    page = made["index.html"]
    box = [a for tag, a in outline(page).tags if tag == "input"]
    assert box == [{"type": "checkbox", "id": "show-code"}]
    assert (
        "details.code { display: none" in page
        and "body:has(#show-code:checked) details.code { display: block; }" in page
    )
    assert "Default parameters" in page and page.count('class="code"') > 5


def test_formulas_of_expected_cost_are_those_of_definitions_that_were_worked_out():
    definitions = example.report().evaluation.expected.definitions
    text = pages.how_expected_cost_is_made(example.report()).html
    worked_out = set(definitions.loc[definitions["expected_pmpm"].notna(), "definition"])
    assert {"E1", "E2", "E3"} <= worked_out
    for name in ("E1", "E1b", "E2", "E3", "E4", "E5", "E5 as a trend"):
        there = {"E5": "E5_level", "E5 as a trend": "E5_trend"}.get(name, name) in worked_out
        assert (f'aria-label="{name}, as a formula"' in text) is there, name
    assert text.count("<math ") == text.count("as a formula")
    placebo = pages.how_expected_cost_is_made(example.report(example.placebo_spec())).text
    assert "placebo arm's cost" in placebo and "the program" not in placebo


def test_the_return_on_fees_has_a_formula_only_where_there_are_fees():
    report = example.report()
    assert pages.how_savings_are_made(report).html.count("<math ") == 3
    savings = report.evaluation.savings
    none = dataclasses.replace(savings.rows["roi_ratio"], value=None)
    without = dataclasses.replace(savings, rows={**savings.rows, "roi_ratio": none})
    assert pages.how_savings_are_made(example.report(savings=without)).html.count("<math ") == 2


def test_a_placebo_says_so_instead_of_naming_a_program():
    head = pages.the_question(example.report(example.placebo_spec()))
    assert "This is a placebo study" in head.text and "The placebo arm started in" in head.text


def test_what_a_study_file_says_is_escaped():
    spec = example.spec()
    program = spec.program.model_copy(
        update={"name": "<script>alert(1)</script>", "components": ["<b>", "a & b"]}
    )
    report = example.report(spec.model_copy(update={"program": program, "question": "<i>Did it?</i>"}))
    markup = pages.the_program(report).html + pages.the_question(report).html
    assert "<script" not in markup and "<b>" not in markup and "<i>" not in markup
    assert "&lt;script&gt;" in markup and "a &amp; b" in markup


def test_nothing_is_shown_where_there_is_nothing_to_warn_of():
    report = example.report(checks=())
    assert pages.first_things_first(report) == Block(html="", text="")
    assert notice("Title", ["", ""]) == Block(html="", text="")
    assert paragraphs(["", ""]).html == ""


def test_amounts_keep_their_sign_on_their_line():
    assert prose("by −$1,234.50 or 2.5%") == 'by <span class="nb">−$1,234.50</span> or 2.5%'
    assert prose("by -$3.10, not 2006-06 or (G-1)") == (
        'by <span class="nb">−$3.10</span>, not 2006-06 or (G-1)'
    )
    assert prose("a < b") == "a &lt; b" and escape('"') == "&quot;"


def test_show_displays_in_a_notebook(monkeypatch):
    import IPython.display

    shown: list[object] = []
    monkeypatch.setattr(IPython.display, "display", shown.append)
    pages.show(paragraphs(["A."]), notice("N", []), paragraphs(["B."]))
    assert [b.text for b in shown] == ["A.", "B."]
