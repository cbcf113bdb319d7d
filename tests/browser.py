"""Pages in a real, headless Chromium: where it is, how it is started, and what a page said."""

import contextlib
import os
import shutil
import time

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = ("--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
             "--disable-sync")  # fmt: skip


def executable():
    """The Chromium or Chrome to drive, None where there is none: that which CHROMIUM names, or one on the path."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@contextlib.contextmanager
def chromium():
    """A running browser; the test skips, saying what is missing, where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason='needs pip install "styleT2I[browser]"')
    program = executable()
    if not program:
        pytest.skip("no Chromium on the PATH (apt-get install chromium, or name it in CHROMIUM)")
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    with playwright.sync_playwright() as running:
        arguments = [*ARGUMENTS, *(["--no-sandbox"] if is_root else [])]
        browser = running.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()


def listened(page):
    """(what the page said on its console or failed with, addresses that it asked for), filled as it runs."""
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    return said, asked


def wait_until(page, expression, argument=None, seconds=30.0):
    """Asks the page until the JavaScript is true. Playwright's own wait evaluates strings inside the page, which a
    strict content security policy forbids."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression, argument):
        assert time.monotonic() < end, f"not true after {seconds:g} s: {expression}"
        page.wait_for_timeout(50)
