"""An executed notebook becomes one self-contained page, or none."""

from __future__ import annotations

import re

import nbformat
import pytest

from medhome.reporting import render
from medhome.reporting.failures import NotRepeatable
from medhome.reporting.render import Heading, contents, render_page

PAGES = [
    {"file": "index.html", "title": "Findings", "current": True},
    {"file": "did.html", "title": "Effect & time", "current": False},
]


@pytest.fixture
def page(tmp_path):
    def make(markup: str, **context) -> str:
        notebook = nbformat.v4.new_notebook()
        output = nbformat.v4.new_output("display_data", {"text/html": markup, "text/plain": "x"})
        notebook.cells = [
            nbformat.v4.new_markdown_cell("## Who & what\n\nText.\n\n### Below\n\n## Who & what else"),
            nbformat.v4.new_code_cell("print(1)", execution_count=1, outputs=[output]),
        ]
        for number, cell in enumerate(notebook.cells):
            cell.id = f"c{number:03d}"
        nbformat.write(notebook, tmp_path / "n.ipynb")
        render_page(
            tmp_path / "n.ipynb", tmp_path / "index.html", {"title": "A <study>", "pages": PAGES, **context}
        )
        return (tmp_path / "index.html").read_text(encoding="utf-8")

    return make


def test_a_page(page, tmp_path):
    text = page('<p id="here">−$1.78</p>')
    assert text.lstrip().lower().startswith("<!doctype html>") and text.endswith("</html>\n")
    assert "−$1.78" in text
    assert "A &lt;study&gt;" in text and "<study>" not in text
    assert 'href="did.html"' in text and 'aria-current="page"' in text
    assert len(re.findall(r"<h1\b", text)) == 1
    assert "<script" not in text and "¶" not in text
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", text)
    assert "default-src 'none'" in text
    assert text == page('<p id="here">−$1.78</p>')


def test_every_link_of_the_contents_has_its_heading(page):
    text = page("<h2>without an id</h2>")
    links = re.findall(r'class="h[23]"><a href="#([^"]+)"', text)
    assert len(links) == 3
    assert all(f'id="{anchor}"' in text for anchor in links)


def test_contents_of_a_page():
    page = (
        '<h2 id="side">nav</h2><main><h1 id="t">T</h1><h2 class="a" id="b">B &amp; <em>C</em></h2>'
        '<h3 id="d">D</h3><h4 id="e">E</h4><h2>no id</h2></main>'
    )
    assert contents(page) == [Heading(2, "b", "B & C"), Heading(3, "d", "D")]


@pytest.mark.parametrize("markup", ["<img src='https://x.org/a.png'>", "A at 0x7f0012ab34", "/home/ann/x"])
def test_a_page_that_would_not_repeat_is_refused(page, tmp_path, markup):
    with pytest.raises(NotRepeatable, match=r"index\.html: would not come out the same"):
        page(markup)
    assert not (tmp_path / "index.html").exists()


def test_a_users_own_templates_are_not_used(page, tmp_path, monkeypatch):
    """A template called base in the user's Jupyter folder would change every page."""
    before = page("<p>x</p>")
    mine = tmp_path / "jupyter" / "nbconvert" / "templates" / "base"
    mine.mkdir(parents=True)
    (mine / "display_priority.j2").write_text("mine")
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    assert page("<p>x</p>") == before


def test_where_the_template_lies():
    assert {"conf.json", "index.html.j2", "style.css"} <= {
        p.name for p in (render.TEMPLATES / "medhome").iterdir()
    }
