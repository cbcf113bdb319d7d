"""The audit's pages in a real browser: nothing fails, nothing is loaded, verdict and images are seen, labels kept."""

import os
import threading
from pathlib import Path

import pytest
import torch

from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.errors import DependencyError
from styleT2I.fairness.labels.sample import SampledImage
from styleT2I.fairness.labels.server import LabelServer
from styleT2I.fairness.labels.session import open_session
from styleT2I.fairness.report.page import write_report
from styleT2I.fairness.report.pdf import find_browser, write_pdf
from styleT2I.torch_utils.images import save_png
from tests.audit_result import audit_plan, audit_result, write_cells
from tests.browser import chromium, executable, listened, wait_until

pytestmark = pytest.mark.browser
HOSTILE = '<script>window.broken = 1</script><img src="http://127.0.0.1:9/x" onerror="window.broken = 1">'


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    plan = audit_plan(name=HOSTILE)
    folder = write_cells(tmp_path_factory.mktemp("audit"), plan, tile=64)
    return write_report(audit_result(plan, is_calibrated=True), folder, [folder])


@pytest.fixture
def axe():
    """axe-core's script: `npm install axe-core` anywhere, and its axe.min.js named in AXE_CORE."""
    path = Path(os.environ.get("AXE_CORE", ""))
    if not path.is_file():
        pytest.skip("AXE_CORE does not name axe.min.js (npm install axe-core)")
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [1280, 375])
def test_the_page_opens_without_errors_or_requests_and_shows_verdict_and_images(browser, path, width, tmp_path):
    page = browser.new_page(viewport={"width": width, "height": 800})
    said, asked = listened(page)
    page.goto(path.as_uri())

    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
    assert page.locator("h1").inner_text() == HOSTILE and page.evaluate("window.broken") is None
    assert page.locator("#verdict .status").is_visible()
    assert "2 of 2 limits are not decided" in page.locator("#verdict .sentence").inner_text()
    assert page.locator("#primary svg.forest").bounding_box()["width"] > 300

    image = page.locator("#images img").first
    image.scroll_into_view_if_needed()
    assert image.is_visible() and image.evaluate("one => one.complete && one.naturalWidth") == 3 * 64
    hidden = page.locator("#images details").nth(1)
    assert not hidden.locator("img").first.is_visible()
    hidden.locator("summary").click()
    assert hidden.locator("img").first.is_visible()
    assert page.evaluate(
        "document.documentElement.scrollWidth <= window.innerWidth"
    )  # tables scroll, the page does not
    assert page.screenshot(path=tmp_path / "page.png", full_page=True)[:4] == b"\x89PNG"
    page.close()


def test_print_shows_what_is_folded(browser, path):
    page = browser.new_page()
    page.goto(path.as_uri())
    page.emulate_media(media="print")
    assert page.locator("#images details:not([open]) img").last.is_visible()
    assert not page.locator("nav").is_visible()
    assert page.pdf()[:4] == b"%PDF"
    page.close()


def test_a_rater_labels_by_keyboard_alone(browser, tmp_path):
    images = []
    for index in range(2):
        save_png(tmp_path / f"{index:016x}.png", torch.full((3, 8, 8), 90 * index, dtype=torch.uint8))
        images.append(SampledImage(f"{index:016x}", tmp_path / f"{index:016x}.png", ("he", "lipstick")))
    session = open_session(tmp_path, "anna", images, load_vocabulary("minifaces"), "key")
    page, said, asked = browser.new_page(), [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    with LabelServer(session) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        page.goto(server.address)
        page.get_by_text("Image 1 of 2").wait_for()
        first = session.current()["image"]
        assert page.locator("#image").evaluate("one => one.decode().then(() => one.naturalWidth)") == 8
        assert page.locator("fieldset.now legend").inner_text() == "he, or she?"
        page.screenshot(path=tmp_path / "label.png")
        page.keyboard.press("2")
        page.keyboard.press("u")
        page.get_by_text("Image 2 of 2").wait_for()
        given = [session.answers.given[first, name][0] for name in ("he", "lipstick")]
        assert given == ["no", "undecided"]
        page.keyboard.press("Backspace")
        page.get_by_text("Image 1 of 2").wait_for()
        assert session.num_done == 0
        for number in ("2 of 2", None):
            page.keyboard.press("1")
            page.keyboard.press("n")
            page.get_by_text(f"Image {number}" if number else "All 2 images are answered").wait_for()
        page.keyboard.press("Enter")
        page.get_by_text("Finished. You can close this page.").wait_for()
        thread.join(20)
        assert not thread.is_alive() and session.answers.is_sealed
    assert said == [] and all(url.startswith(server.address) for url in asked)
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 375])
def test_axe_finds_nothing_serious(browser, path, axe, scheme, width):
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True)
    page.goto(path.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    page.evaluate(axe)
    found = page.evaluate("axe.run().then(result => result.violations)")
    told = [(each["id"], each["impact"], [node["html"][:120] for node in each["nodes"]][:3]) for each in found]
    assert not [each for each in told if each[1] in ("serious", "critical")], told
    page.close()


def test_every_part_that_scrolls_is_reached_by_the_keyboard(browser, path):
    page = browser.new_page(viewport={"width": 375, "height": 800})
    page.goto(path.as_uri())
    wide = "[...document.querySelectorAll('.scroll')].filter(each => each.scrollWidth > each.clientWidth)"
    assert page.evaluate(f"{wide}.length") > 3
    assert page.evaluate(f"{wide}.every(each => each.tabIndex === 0 && each.ariaLabel && each.role === 'region')")
    page.locator("#declared .scroll").focus()
    page.keyboard.press("ArrowRight")
    wait_until(page, "document.querySelector('#declared .scroll').scrollLeft > 0")
    page.close()


def test_dark_mode_is_dark_and_print_is_not(browser, path):
    page = browser.new_page(color_scheme="dark")
    page.goto(path.as_uri())
    paper = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(paper) == "rgb(18, 23, 29)"
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate(paper) == "rgb(255, 255, 255)"
    page.close()


def test_a_pdf_is_written_and_small_and_a_missing_browser_is_one_line(path, monkeypatch):
    monkeypatch.setenv("CHROMIUM", executable())
    made = write_pdf(audit_result(audit_plan(name=HOSTILE), is_calibrated=True), path.parent, [path.parent])
    assert made.name == "audit.pdf" and made.read_bytes()[:5] == b"%PDF-" and made.stat().st_size < 3_000_000
    monkeypatch.setenv("CHROMIUM", "no-such-browser")
    with pytest.raises(DependencyError, match="CHROMIUM names 'no-such-browser', which is no program"):
        find_browser()
    monkeypatch.delenv("CHROMIUM")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DependencyError, match="none is on the path; install one"):
        find_browser()
