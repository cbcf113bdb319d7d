"""The audit's page in a real browser: nothing fails, nothing is loaded, the verdict and the images are to be seen."""

import pytest

from styleT2I.fairness.report.page import write_report
from tests.audit_result import audit_plan, audit_result, write_cells
from tests.browser import chromium, listened

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
