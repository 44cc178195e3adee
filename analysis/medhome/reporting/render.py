"""Executed notebooks to pages: nbconvert with the house's template and nothing of the user's settings."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medhome.reporting.failures import NotRepeatable
from medhome.reporting.normalise import signs_of_chance

if TYPE_CHECKING:
    from nbconvert import HTMLExporter
    from nbformat import NotebookNode

    from medhome.study.released import ReleasedRun

TEMPLATES = Path(__file__).resolve().parent / "templates"
_HEADING = re.compile(r"<h([23])\b[^>]*?\bid=\"([^\"]+)\"[^>]*>(.*?)</h\1>", re.DOTALL)
_ANCHOR = re.compile(r"<a class=\"anchor-link\"[^>]*>[^<]*</a>")
_TAG = re.compile(r"<[^>]+>")
_CONTENTS = "<!--contents-->"


@dataclass(frozen=True)
class Heading:
    """One line of a page's contents."""

    level: int
    id: str
    text: str


def page_links(every: Sequence[tuple[str, str]], current: str) -> list[dict[str, Any]]:
    """The pages of a report, (file, title), as a page's template links to them."""
    return [{"file": file, "title": title, "current": file == current} for file, title in every]


def render_pages(executed: Sequence[Path], work: Path, report: ReleasedRun) -> list[Path]:
    """Make the pages of a report from its executed notebooks, in ``work``.

    The page's file and title come from `medhome.reporting.pages.REPORT_PAGES`. The page of the protocol,
    behind which no notebook stands, is made beside them. Pages that exist are linked to one another. Returns
    the pages in the order of ``executed``.
    """
    from medhome.reporting import protocol_page
    from medhome.reporting.report_pages import PROTOCOL_PAGE, PROTOCOL_TITLE, REPORT_PAGES

    known = [(path, *REPORT_PAGES.get(path.stem, (f"{path.stem}.html", path.stem))) for path in executed]
    every = [*((file, title) for _, file, title in known), (PROTOCOL_PAGE, PROTOCOL_TITLE)]
    made = []
    for path, file, title in known:
        pages = page_links(every, file)
        heading = f"{report.spec.title}: {title[:1].lower()}{title[1:]}"
        made.append(render_page(path, work / file, {"title": heading, "pages": pages}))
    protocol_page.write_protocol(report, work, {"pages": page_links(every, PROTOCOL_PAGE)})
    return made


def render_page(executed: Path, out: Path, context: Mapping[str, Any]) -> Path:
    """Make one self-contained page from an executed notebook.

    Arguments
        executed: a notebook that `runner.run_notebook` wrote.
        out: the page.
        context: what the template shows beside the cells: ``title`` and ``pages``, each with ``file``,
            ``title`` and ``current``; the contents of the page are found here.

    Raises `NotRepeatable` when the page holds a path of this machine, something fetched from the network, or
    anything else that would differ on another run.
    """
    import nbformat

    return render_notebook(nbformat.read(executed, as_version=4), out, context, (executed.parent,))


def render_notebook(
    notebook: NotebookNode, out: Path, context: Mapping[str, Any], folders: Sequence[Path] = ()
) -> Path:
    """Make one self-contained page from a notebook in memory. As `render_page`; ``folders`` must not show."""
    exporter = _exporter()
    style = (TEMPLATES / "medhome" / "style.css").read_text(encoding="utf-8")
    shown = {"css": style, "pages": [], **context}
    page, _ = exporter.from_notebook_node(notebook, resources={"medhome": shown})
    page = page.replace(_CONTENTS, _linked(contents(page)), 1)
    page = _ANCHOR.sub("", page)  # nbconvert gives headings an id only together with a link to themselves
    page = "\n".join(line.rstrip() for line in page.strip().split("\n")) + "\n"
    findings = signs_of_chance(page, folders=(out.parent, *folders))
    if findings:
        listed = "\n".join(f"  {f}" for f in findings)
        raise NotRepeatable(f"{out.name}: would not come out the same on another run\n{listed}")
    out.write_text(page, encoding="utf-8", newline="\n")
    return out


def _linked(headings: Sequence[Heading]) -> str:
    """The contents of a page, which are known only once it is made."""
    if not headings:
        return ""
    items = []
    for one in headings:
        link = f'<a href="#{html.escape(one.id)}">{html.escape(one.text, quote=False)}</a>'
        items.append(f'<li class="h{one.level}">{link}</li>')
    return "\n".join(['<nav aria-label="On this page"><b>On this page</b><ol>', *items, "</ol></nav>"])


def contents(page: str) -> list[Heading]:
    """The headings of the second and third level that can be linked to.

    >>> contents('<h2 id="a-b">A &amp; <b>B</b></h2>')
    [Heading(level=2, id='a-b', text='A & B')]
    """
    main = page[max(0, page.find("<main")) :]
    return [
        Heading(int(level), html.unescape(anchor), html.unescape(_TAG.sub("", _ANCHOR.sub("", text))).strip())
        for level, anchor, text in _HEADING.findall(main)
    ]


def _exporter() -> HTMLExporter:
    """nbconvert's exporter, which looks for templates in this package and in its own installation only."""
    import nbconvert
    from jupyter_core.paths import ENV_JUPYTER_PATH, SYSTEM_JUPYTER_PATH, jupyter_path

    installed = [
        p for p in (*ENV_JUPYTER_PATH, *SYSTEM_JUPYTER_PATH) if Path(p, "nbconvert", "templates").is_dir()
    ]

    class Exporter(nbconvert.HTMLExporter):
        def get_prefix_root_dirs(self) -> list[str]:
            return installed or jupyter_path()  # a user's own folder only where pip installed nbconvert there

    return Exporter(template_name="medhome", extra_template_basedirs=[str(TEMPLATES)])
