"""Pages as a browser shows them: no sideways scroll, no request, no complaint, at two widths, light and "
"dark."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
from test_pages import example_pages

_SPEC = importlib.util.spec_from_file_location("screenshots", Path(__file__).parents[1] / "screenshots.py")
assert _SPEC and _SPEC.loader
screenshots = importlib.util.module_from_spec(_SPEC)
sys.modules["screenshots"] = screenshots
_SPEC.loader.exec_module(screenshots)


@pytest.fixture(scope="module")
def views(chromium, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    for file, page in example_pages().items():
        (folder / file).write_text(page, encoding="utf-8")
    return list(screenshots.views(folder, chromium))


def test_every_page_was_seen_at_every_width_in_every_scheme(views):
    assert len(views) == len(example_pages()) * 2 * 2
    assert len({v.name for v in views}) == len(views)


def test_no_page_scrolls_sideways(views):
    assert [v.name for v in views if v.scrolls_sideways] == []


def test_the_browser_asks_for_nothing_and_complains_of_nothing(views):
    assert {v.name: v.requests for v in views if v.requests} == {}
    assert {v.name: v.complaints for v in views if v.complaints} == {}


def test_pictures_are_whole_and_dark_pages_are_dark(views):
    from io import BytesIO

    from matplotlib import image

    for view in views:
        pictures = [image.imread(BytesIO(png), format="png") for png in view.pictures]
        assert {p.shape[1] for p in pictures} == {view.width}
        assert sum(p.shape[0] for p in pictures) == pytest.approx(view.content_height, abs=1)
        picture = pictures[0]
        corner = float(picture[5, 5, :3].mean())
        assert corner > 0.95 if view.scheme == "light" else corner < 0.15, view.name


def test_a_page_that_scrolls_sideways_fails_and_a_request_is_seen(chromium, tmp_path, capsys):
    (tmp_path / "wide.html").write_text(
        '<!doctype html><div style="width: 700px">wide</div><img src="missing.png">', encoding="utf-8"
    )
    seen = {v.width: v for v in screenshots.views(tmp_path, chromium, schemes=("light",))}
    assert seen[390].scrolls_sideways and not seen[1180].scrolls_sideways
    assert any(url.endswith("missing.png") for url in seen[390].requests)
    assert screenshots.main([str(tmp_path), str(tmp_path / "out")]) == 1
    assert "wide-390-light.png: SCROLLS SIDEWAYS" in capsys.readouterr().out


def test_a_folder_without_pages_is_named(chromium, tmp_path):
    with pytest.raises(SystemExit, match="no page"):
        list(screenshots.views(tmp_path, chromium))


def test_code_is_shown_by_a_click_without_any_script(chromium, tmp_path):
    page = tmp_path / "index.html"
    page.write_text(example_pages()["index.html"], encoding="utf-8")
    browser = screenshots.Browser(chromium, tmp_path / "profile")
    try:
        target = browser.ask("Target.createTarget", url="about:blank")["targetId"]
        session = browser.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "DOM"):
            browser.ask(f"{domain}.enable", session)
        browser.ask("Emulation.setScriptExecutionDisabled", session, value=True)
        browser.ask("Page.navigate", session, url=page.as_uri())
        browser.wait_for("Page.loadEventFired", session)
        before = browser.ask("Page.getLayoutMetrics", session)["cssContentSize"]["height"]
        root = browser.ask("DOM.getDocument", session)["root"]["nodeId"]
        box = browser.ask("DOM.querySelector", session, nodeId=root, selector="#show-code")["nodeId"]
        x, y = browser.ask("DOM.getBoxModel", session, nodeId=box)["model"]["content"][:2]
        for kind in ("mousePressed", "mouseReleased"):
            place = {"x": x + 3, "y": y + 3, "button": "left", "clickCount": 1}
            browser.ask("Input.dispatchMouseEvent", session, type=kind, **place)
        after = browser.ask("Page.getLayoutMetrics", session)["cssContentSize"]["height"]
    finally:
        browser.close()
    assert after > before + 300
