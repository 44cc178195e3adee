"""The pages of a report, how they link to one another, and how the report is run again."""

from __future__ import annotations

from medhome.reporting import measure_pages, robustness_pages, study_words, titles, where_pages
from medhome.reporting.blocks import Block, escape, notice, prose
from medhome.study.released import ReleasedRun

REPORT_PAGES = {
    "01-findings": ("index.html", "Findings at a glance"),
    "02-data-and-cohort": ("data-and-cohort.html", "Data and cohort"),
    "03-expected-and-actual": ("expected-and-actual.html", "Expected and actual cost"),
    "04-difference-in-differences": ("difference-in-differences.html", "Difference in differences"),
    "05-savings": ("savings.html", "Savings"),
    "06-how-sure-are-we": (robustness_pages.PAGE, robustness_pages.TITLE),
    "07-where-and-for-whom": (where_pages.PAGE, where_pages.TITLE),
    "08-utilisation-and-quality": (measure_pages.PAGE, measure_pages.TITLE),
}
"""Each notebook, the page that is made from it, and the page's title."""

PROTOCOL_PAGE, PROTOCOL_TITLE = "protocol.html", "Protocol and checklists"
"""The page that no notebook makes (`medhome.reporting.protocol_page`)."""


def the_question(report: ReleasedRun) -> Block:
    """The question, what data answer it, and what must be known beforehand: the head of every page."""
    spec = report.spec
    lede, meta = study_words.question(spec), study_words.data_through(spec)
    head = Block(
        html=f'<p class="lede">{prose(lede)}</p>\n<p class="meta">{prose(meta)}</p>', text=f"{lede}\n{meta}"
    )
    return head + notice(
        study_words.caveats_title(spec),
        study_words.caveats(spec),
        kind="warning",
    )


def the_other_pages(report: ReleasedRun) -> Block:
    """Where to read on."""
    every = [*REPORT_PAGES.values(), (PROTOCOL_PAGE, PROTOCOL_TITLE)]
    points = [(file, title, titles.ABOUT[file]) for file, title in every if file in titles.ABOUT]
    items = "".join(
        f'<li><a href="{file}">{escape(title)}</a>: {escape(about)}</li>' for file, title, about in points
    )
    return Block(
        html=f'<ul class="read-on">{items}</ul>',
        text="\n".join(f"- {title}: {about}" for _, title, about in points),
    )


def reproduce_this_report(report: ReleasedRun) -> Block:
    """The files beside this page, and the one command that runs the study again and compares every number."""
    files = [
        ("results.json", "every number of this report"),
        ("manifest.json", "inputs, code and environment, by their digests"),
        ("study.toml", "the study as it was run"),
    ]
    items = "".join(f'<li><a href="{name}">{name}</a>: {about}</li>' for name, about in files)
    version = f" Made with medhome {report.code_version}." if report.code_version else ""
    before = "With the same input data, this command runs the study again and gives every number a verdict:"
    command = "medhome verify REPORT_FOLDER --data DATA_FOLDER"
    after = f"Fingerprint of the study: {report.spec.fingerprint[:16]}.{version}"
    return Block(
        html=f'<ul>{items}</ul><p>{before}</p><div class="hl command" tabindex="0"><pre>{command}</pre></div>'
        f"<p>{escape(after)}</p>",
        text="\n".join([*(f"- {n}: {a}" for n, a in files), before, command, after]),
    )
