"""Every page as a browser shows it, offline: three widths, light and dark, paper, keyboard, links, downloads.

No page scrolls sideways, lays text over text, cuts text off, asks for anything or complains; axe-core finds
no serious barrier; a CSV that is downloaded holds the numbers of ``results.json``.
"""

from __future__ import annotations

import copy
import csv
import dataclasses
import json
import re
import time
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import example
import pytest
from test_pages import example_pages
from tests import screenshots
from tests.chromium_over_a_pipe import Tab, started

from medhome.reporting import results_file, verify
from medhome.reporting.changes import compare as compare_reports
from medhome.reporting.changes import write_changes_page
from medhome.reporting.quality_page import write_quality_page
from medhome.reporting.verification_page import write_verification
from medhome.reporting.verify import read_published

BARRIERS = """axe.run(document, {resultTypes: ["violations"], runOnly: %s}).then(
  found => found.violations.map(v => `${v.impact}: ${v.id}: ${v.nodes[0].html.slice(0, 120)}`))"""
EVERY_RULE = json.dumps(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"])
COLOURS = json.dumps({"type": "rule", "values": ["color-contrast", "link-in-text-block"]})


@dataclass(frozen=True)
class Seen:
    """What a browser saw of the example's report."""

    folder: Path
    views: tuple[screenshots.View, ...]
    barriers: dict[str, list[str]]


@pytest.fixture(scope="module")
def browser(chromium):
    with started(chromium) as one:
        yield one


@pytest.fixture(scope="module")
def seen(browser, axe, tmp_path_factory) -> Seen:
    folder = tmp_path_factory.mktemp("report")
    for file, page in example_pages().items():
        (folder / file).write_text(page, encoding="utf-8")
    report = example.report()
    results_file.write(report.evaluation, report.spec, folder / "results.json", run_id="0" * 64)
    for name in ("manifest.json", "study.toml"):
        (folder / name).write_text("{}")
    views, barriers = [], {}
    for page in screenshots.pages_of(folder):
        tab = Tab(browser)
        tab.open(page.as_uri())
        tab.run(axe)
        for scheme, rules in (("light", EVERY_RULE), ("dark", COLOURS)):
            tab.look(1180, scheme)
            barriers[f"{page.name} {scheme}"] = tab.run(BARRIERS % rules)
        tab.run(screenshots.OPEN_DATA_TABLES)
        for width in screenshots.WIDTHS:
            for scheme in screenshots.SCHEMES:
                pictured = page.name == "savings.html" and width != 768
                views.append(screenshots.view(tab, width, scheme, pictured))
        tab.close()
    return Seen(folder, tuple(views), barriers)


def test_every_page_was_seen_at_every_width_in_every_scheme(seen):
    assert len(seen.views) == len(example_pages()) * 3 * 2
    assert len({v.name for v in seen.views}) == len(seen.views)


def test_no_page_scrolls_sideways_or_lays_text_over_text_or_cuts_it_off(seen):
    assert {v.name: v.faults for v in seen.views if v.faults} == {}


def test_the_browser_asks_for_nothing_and_complains_of_nothing(seen):
    assert {v.name: v.requests for v in seen.views if v.requests} == {}
    assert {v.name: v.complaints for v in seen.views if v.complaints} == {}


def test_axe_finds_nothing_serious_in_light_and_dark(seen):
    assert len(seen.barriers) == 2 * len(example_pages())
    grave = {page: [b for b in found if not b.startswith("minor")] for page, found in seen.barriers.items()}
    assert {page: found for page, found in grave.items() if found} == {}


def test_pictures_are_whole_and_dark_pages_are_dark(seen):
    from matplotlib import image

    pictured = [v for v in seen.views if v.pictures]
    assert {(v.width, v.scheme) for v in pictured} == {
        (w, s) for w in (390, 1180) for s in ("light", "dark")
    }
    for view in pictured:
        pictures = [image.imread(BytesIO(png), format="png") for png in view.pictures]
        assert {p.shape[1] for p in pictures} == {view.width}
        assert sum(p.shape[0] for p in pictures) == pytest.approx(view.content_height, abs=1)
        corner = float(pictures[0][5, 5, :3].mean())
        assert corner > 0.95 if view.scheme == "light" else corner < 0.15, view.name


def test_every_link_within_the_report_leads_somewhere(browser, seen):
    tab, followed = Tab(browser), 0
    opened: dict[str, set[str]] = {}
    wanted: set[tuple[str, str]] = set()
    for page in screenshots.pages_of(seen.folder):
        tab.open(page.as_uri())
        opened[page.name] = set(tab.run("[...document.querySelectorAll('[id]')].map(e => e.id)"))
        links = tab.run(
            "[...document.links].map(a => a.getAttribute('href')).filter(h => !h.startsWith('data:'))"
        )
        wanted |= {(page.name, link) for link in links}
    for page, link in wanted:
        file, _, anchor = link.partition("#")
        target = file or page
        followed += 1
        if target.endswith(".html"):
            assert target in opened, (page, link)
            assert not anchor or anchor in opened[target], (page, link)
        else:
            assert (seen.folder / target).is_file(), (page, link)
    assert followed > 60
    # and one of them by hand, as a reader does
    tab.open((seen.folder / "index.html").as_uri())
    tab.click("nav a[href='savings.html']")
    _until(lambda: tab.run("location.pathname").endswith("/savings.html"))
    tab.close()


def test_a_downloaded_table_holds_the_numbers_of_the_results_file(browser, seen, tmp_path):
    browser.ask("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    tab = Tab(browser)
    tab.open((seen.folder / "savings.html").as_uri())
    tab.click("#tbl-savings-year .dl a[download]")
    file = tmp_path / "tbl-savings-year.csv"
    _until(file.is_file)
    tab.close()
    rows = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
    numbers = json.loads((seen.folder / "results.json").read_text())["numbers"]
    assert len(rows) == 2
    for row in rows:
        for name in ("members", "member_months", "expected_pmpm", "actual_pmpm", "gross_pmpm", "net_pmpm"):
            number = numbers[f"savings.year.{row['year']}.{name}"]
            assert float(row[name]) == pytest.approx(number["value"], rel=1e-9), (row["year"], name)
        assert [float(row["lo95"]), float(row["hi95"])] == pytest.approx(
            numbers[f"savings.year.{row['year']}.gross_pmpm"]["ci95"], rel=1e-9
        )


def _until(happened) -> None:
    """Wait until a browser has done what it was asked; it fails after ten seconds."""
    for _ in range(200):
        if happened():
            return
        time.sleep(0.05)
    raise AssertionError("the browser did not do it within ten seconds")


def pages_of_paper(pdf: bytes) -> int:
    """How many sheets a PDF of Chromium has."""
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf))


def test_findings_at_a_glance_print_on_two_pages_and_nothing_of_the_screen_is_printed(browser, seen):
    tab = Tab(browser)
    tab.open((seen.folder / "index.html").as_uri())
    pdf = tab.pdf()
    assert pdf.startswith(b"%PDF") and pages_of_paper(pdf) == 2
    more = """(row => { for (let i = 0; i < 40; i++) row.after(row.cloneNode(true)) })(
      document.querySelector('#tbl-checks tr.muted'))"""
    tab.run(more)
    assert pages_of_paper(tab.pdf()) == 2, "a study with many remarks keeps to two sheets, too"
    tab.open((seen.folder / "savings.html").as_uri())
    assert 2 <= pages_of_paper(tab.pdf()) <= 8
    tab.look(700, "dark", medium="print")
    hidden = "nav, .dl, .tog, details.code"
    assert tab.run(f"[...document.querySelectorAll({hidden!r})].some(e => e.checkVisibility())") is False
    assert tab.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert tab.run("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert tab.run(f"{screenshots.layout_script()}(700)") == []
    tab.close()


def test_the_keyboard_goes_through_a_page_in_reading_order_and_shows_where_it_is(browser, seen):
    tab = Tab(browser)
    tab.open((seen.folder / "savings.html").as_uri())
    order = """(() => {
      const all = [...document.querySelectorAll("a[href], input, summary, [tabindex='0']")];
      window.stops = all.filter(e => e.checkVisibility());
      return window.stops.length;
    })()"""
    stops = tab.run(order)
    assert stops > 30
    here = """(e => [window.stops.indexOf(e), getComputedStyle(e).outlineStyle])(document.activeElement)"""
    visited = []
    for _ in range(stops):
        tab.press("Tab")
        visited.append(tab.run(here))
    assert [place for place, _ in visited] == list(range(stops))
    assert [place for place, outline in visited if outline == "none"] == []
    tab.run("document.activeElement.blur(); document.querySelector('.skip').focus()")
    tab.press("Enter")
    assert tab.run("location.hash") == "#main"
    tab.close()


FAULTY = {
    "wide": ('<div style="width: 700px">wide</div><img src="missing.png">', "SCROLLS SIDEWAYS"),
    "over": (
        '<p style="margin:0">First line</p><p style="margin:-1.1em 0 0 1em">Second</p>',
        'page: TEXT OVER TEXT: "First line" and "Second"',
    ),
    "cut": (
        '<p style="width:5em;overflow:hidden;white-space:nowrap">Far too long for this box</p>',
        'page: TEXT CUT OFF: "Far too long for this box"',
    ),
    "svg": (
        '<figure id="f"><svg role="img" width="300" height="100" viewBox="0 0 300 100"><path d="M0 0H9"/>'
        '<path d="M0 1H9"/><path d="M0 2H9"/><text x="10" y="50">Adults</text><text x="20" y="52">Children'
        '</text><text x="280" y="90">Everyone else</text></svg></figure>',
        'f: TEXT OVER TEXT: "Adults" and "Children"',
    ),
    "empty": ('<figure id="e"><svg role="img" viewBox="0 0 9 9"></svg></figure>', "e: EMPTY PLOT"),
}


@pytest.mark.parametrize("name", FAULTY)
def test_a_faulty_page_is_seen(browser, tmp_path, name):
    markup, fault = FAULTY[name]
    (tmp_path / f"{name}.html").write_text(f"<!doctype html><body>{markup}</body>", encoding="utf-8")
    tab = Tab(browser)
    tab.open((tmp_path / f"{name}.html").as_uri())
    found = screenshots.view(tab, 390, "light", picture=False)
    assert any(one.startswith(fault) for one in found.faults), found.faults
    if name == "wide":
        assert any(url.endswith("missing.png") for url in found.requests)
        assert not screenshots.view(tab, 1180, "light", picture=False).faults
    if name == "svg":
        assert 'f: TEXT OUTSIDE THE DRAWING: "Everyone else"' in found.faults
    tab.close()


def test_the_command_writes_pictures_and_fails_where_a_page_is_faulty(chromium, tmp_path, capsys):
    (tmp_path / "wide.html").write_text(
        '<!doctype html><meta name="viewport" content="width=device-width"><div class="scroll" '
        'style="overflow: auto"><table id="wide"><tr><td><div style="width: 2000px">x</div></table>'
    )
    assert screenshots.main([str(tmp_path), str(tmp_path / "out")]) == 1
    said = capsys.readouterr().out
    assert "wide-390-light.png: ok" in said and "TABLE WIDER THAN THE PAGE" in said
    assert len(list((tmp_path / "out").glob("*.png"))) == 6


def test_a_folder_without_pages_is_named(chromium, tmp_path):
    with pytest.raises(SystemExit, match="no page"):
        list(screenshots.views(tmp_path, chromium))


def test_code_is_shown_by_a_click_without_any_script(browser, seen):
    tab = Tab(browser)
    tab.ask("Emulation.setScriptExecutionDisabled", value=True)
    tab.open((seen.folder / "index.html").as_uri())
    before = tab.height()
    tab.click("#show-code")
    assert tab.height() > before + 300
    tab.close()


def test_pages_about_a_report_are_laid_out_and_read_like_its_own(browser, axe, example_report, tmp_path):
    """Verification, comparison and quality of the input data: long names, long values, no barrier."""
    published = read_published(example_report)
    names = ["did.total_pmpm", *sorted(published.numbers, key=len)[-25:]]
    published = dataclasses.replace(published, numbers={name: published.numbers[name] for name in names})
    numbers = copy.deepcopy(dict(published.numbers))
    for name in names[:20]:
        numbers[name]["value"] = 123_456_789.123456
    manifest = copy.deepcopy(dict(published.manifest))
    manifest["parameters"]["payment.shared_savings.benchmark_pmpm_usd"] = [312.5] * 12
    manifest["inputs"][0]["content_sha256"] = "f" * 64
    later = dataclasses.replace(published, numbers=numbers, manifest=manifest)
    write_changes_page(compare_reports(published, later, None), tmp_path / "compare.html", "What changed")
    write_verification(verify.compare(published, {"numbers": numbers}, manifest), tmp_path)
    write_quality_page(example.evaluation().quality, example.spec(), tmp_path / "quality.html")
    for page in screenshots.pages_of(tmp_path):
        tab = Tab(browser)
        tab.open(page.as_uri())
        tab.run(axe)
        barriers = tab.run(BARRIERS % EVERY_RULE)
        assert [b for b in barriers if not b.startswith("minor")] == [], page.name
        for width in (390, 1180):
            found = screenshots.view(tab, width, "light", picture=False)
            assert (found.faults, found.requests, found.complaints) == ((), (), ()), (page.name, width)
        tab.close()


HOSTILE = ("<script>alert(1)</script>", "=cmd('x')", '" onmouseover="alert(2)', "]]><b>bold</b>")


def test_a_practice_named_like_a_script_or_a_formula_is_text_in_page_and_csv(browser, tmp_path):
    from medhome.reporting import cohort_exhibits, cohort_figures

    cohort = example.cohort()
    organizations = cohort.organizations.copy()
    organizations.loc[range(len(HOSTILE)), "label"] = HOSTILE
    cohort = dataclasses.replace(cohort, organizations=organizations)
    block = cohort_figures.organizations(cohort, example.spec()).block()
    page = tmp_path / "names.html"
    page.write_text(
        f"<!doctype html><meta charset=utf-8><title>n</title><body>{block.html}</body>", encoding="utf-8"
    )
    browser.ask("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    tab = Tab(browser)
    tab.open(page.as_uri())
    names = tab.run("[...document.querySelectorAll('tbody th')].map(e => e.textContent)")
    assert set(HOSTILE) <= set(names)
    assert tab.run("document.querySelectorAll('script, b, [onmouseover]').length") == 0
    tab.click(".dl a[download$='.csv']")
    file = tmp_path / f"{cohort_exhibits.organizations(cohort, example.spec()).id}.csv"
    _until(file.is_file)
    tab.close()
    first = [row[0] for row in csv.reader(file.read_text(encoding="utf-8").splitlines())]
    assert {"<script>alert(1)</script>", "'=cmd('x')"} <= set(first)
    assert not [cell for cell in first if cell.startswith(("=", "+", "@"))]
