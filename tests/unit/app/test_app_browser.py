"""The app in a real browser: faces of a sentence, a moved slider, a photo, systems, an audit, and refusals."""

import io
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from styleT2I.app.photo_desk import MAX_BYTES, PhotoDesk
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.torch_utils.images import load_image
from tests.browser import chromium, listened, wait_until
from tests.conftest import ROOT
from tests.photos_of_faces import LEFT, POINTS, SIDE, encoded, made_photo

pytest.importorskip("gradio", reason="needs pip install 'styleT2I[app]'")
pytestmark = pytest.mark.browser
PATIENCE = 180_000  # milliseconds
OF_AN_UPLOAD = "Method not implemented."  # warned by Gradio's own script when it has shown an upload's progress
SECOND = "document.querySelectorAll('div[role=tabpanel] img.face')[1].src"


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def server(browser, tmp_path_factory):
    """(address, process, its folder for temporary files) of a running app; without a browser none is started."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("temporary")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "TMPDIR": str(folder)}
    command = [sys.executable, "-m", "styleT2I.app", "--port", str(port), "--device", "cpu"]
    log = (folder.parent / "app.log").open("w+")
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + PATIENCE / 1000
    while not answers(address):
        assert process.poll() is None and time.monotonic() < deadline, Path(log.name).read_text()
        time.sleep(0.5)
    yield address, process, folder
    process.terminate()
    process.wait(60)
    assert "Traceback" not in Path(log.name).read_text()


def answers(address):
    try:
        return urllib.request.urlopen(address, timeout=30).status == 200
    except OSError:
        return False


@pytest.fixture
def page(browser, server):
    """A visitor's page, which says nothing and asks for nothing elsewhere."""
    page = browser.new_context(viewport={"width": 1200, "height": 900}).new_page()
    page.set_default_timeout(PATIENCE)
    said, asked = listened(page)
    page.goto(server[0])
    page.get_by_role("tab", name="Write").wait_for()
    yield page
    assert [text for text in said if text != OF_AN_UPLOAD] == []
    assert [url for url in asked if not url.startswith((server[0], "data:", "blob:"))] == []
    page.context.close()


def tab(page, name):
    page.get_by_role("tab", name=name).click()
    return page.locator("div[role=tabpanel]:visible")


def sources(panel):
    return [face.get_attribute("src") for face in panel.locator("img.face").all()]


def test_a_sentence_gives_faces_and_their_explanation(page):
    panel = tab(page, "Write")
    panel.get_by_role("button", name="Draw").click()
    panel.locator("img.face").first.wait_for()
    assert len(sources(panel)) == 8 and "wearing lipstick" in panel.inner_text()
    panel.locator("img.wide").wait_for()


def test_a_slider_moves_the_face_and_undo_brings_it_back(page):
    panel = tab(page, "Edit")
    panel.get_by_role("button", name="Draw").click()
    panel.locator("img.face").first.wait_for()
    before = sources(panel)
    panel.get_by_label("number input for smiling").fill("1")
    panel.get_by_role("button", name="Draw").click()
    wait_until(page, "src => document.querySelectorAll('div[role=tabpanel] img.face')[1].src !== src", before[1])
    assert sources(panel)[0] == before[0]
    panel.get_by_role("button", name="Undo").click()
    wait_until(page, "src => document.querySelectorAll('div[role=tabpanel] img.face')[1].src === src", before[1])
    assert panel.get_by_label("number input for smiling").input_value() == "0"


def uploaded(panel, name, kind, data):
    panel.locator("input[type=file]").set_input_files({"name": name, "mimeType": kind, "buffer": data})


def kept(folder):
    """Files with content among the server's temporary ones."""
    return [path for path in folder.rglob("*") if path.is_file() and path.stat().st_size]


def test_a_photo_is_dropped_corrected_inverted_edited_and_put_back(page, server):
    panel = tab(page, "My photo")
    pixels = made_photo(StyleT2I.from_pretrained("minifaces", device="cpu"))
    uploaded(panel, "me.png", "image/png", encoded(pixels))
    photo = panel.locator("img.photo")
    photo.wait_for()
    assert kept(server[2]) == []
    panel.get_by_role("button", name="Points in pixels").click()
    for name, place in zip(("left eye", "right eye", "nose", "left corner", "right corner"), POINTS, strict=True):
        panel.get_by_role("radio", name=name).check()
        before = photo.get_attribute("src")
        box = photo.bounding_box()
        scale = box["width"] / pixels.shape[1]
        photo.click(position={"x": place[0] * scale, "y": place[1] * scale})
        wait_until(page, "src => document.querySelector('img.photo').src !== src", before)
    moved = float(panel.get_by_label("right eye, x").input_value())
    assert abs(moved - (LEFT + 0.625 * SIDE)) < 2
    panel.get_by_role("button", name="Invert").click()
    panel.get_by_text("dB PSNR").wait_for()
    assert panel.locator("img.face").count() == 2 and "Inverted by " in panel.inner_text()
    panel.get_by_label("number input for eyeglasses").fill("1")
    panel.get_by_role("button", name="Edit and put back").click()
    with page.expect_download() as download:
        panel.get_by_role("link", name="Download the edited photo").click()
    edited = load_image(download.value.path()).permute(1, 2, 0).numpy()
    changed = (edited != pixels).any(axis=2)
    assert edited.shape == pixels.shape and changed.any() and not changed[:, :LEFT].any()
    assert kept(server[2]) == []
    panel.get_by_role("button", name="Forget").click()
    photo.first.wait_for(state="detached")
    panel.get_by_role("button", name="Invert").click()
    page.get_by_text("no photo is here").wait_for()


def test_photos_that_are_none_are_refused_in_one_line(page, server):
    panel = tab(page, "My photo")
    uploaded(panel, "text.jpg", "image/jpeg", b"no photo")
    page.get_by_text("text.jpg: not an image").wait_for()
    large = io.BytesIO()
    PIL.Image.new("1", (8660, 5774)).save(large, "PNG")
    uploaded(panel, "large.png", "image/png", large.getvalue())
    page.get_by_text("large.png: 8660x5774 pixels; the limit is 25000000").wait_for()
    uploaded(panel, "wall.png", "image/png", encoded(np.full((200, 300, 3), 127, np.uint8)))
    page.get_by_text("no face was found; move the points onto one").wait_for()
    assert panel.locator("img.photo").count() == 1 and kept(server[2]) == []


def test_a_photo_goes_when_its_page_is_left(browser, tmp_path, monkeypatch):
    from styleT2I.app import page as app
    from styleT2I.app import photo_tab

    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    pipeline, desks = StyleT2I.from_pretrained("minifaces", device="cpu"), []
    monkeypatch.setattr(photo_tab, "PhotoDesk", lambda given: desks.append(PhotoDesk(given)) or desks[0])
    served = app.built(pipeline).queue()
    _, address, _ = served.launch(server_name="127.0.0.1", prevent_thread_lock=True, quiet=True, share=False)
    try:
        page = browser.new_context().new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(address)
        panel = tab(page, "My photo")
        uploaded(panel, "me.png", "image/png", encoded(made_photo(pipeline)))
        panel.locator("img.photo").wait_for()
        assert len(desks[0]._held) == 1
        page.context.close()
        deadline = time.monotonic() + PATIENCE / 1000
        while desks[0]._held and time.monotonic() < deadline:
            time.sleep(0.2)
        assert desks[0]._held == {} and kept(tmp_path) == []
    finally:
        served.close()


def test_systems_and_an_audit(page):
    panel = tab(page, "Compare")
    panel.get_by_role("button", name="Compare").click()
    panel.get_by_role("heading", name="dfgan").wait_for()
    assert len(sources(panel)) == 8
    panel = tab(page, "Audit")
    panel.get_by_role("button", name="Audit").click()
    panel.locator("iframe.report").wait_for()
    assert "points, interval" in panel.inner_text()
    assert page.frame_locator("iframe.report").locator("h1").inner_text() == "a small audit"


def test_a_cancelled_audit_makes_way_and_leaves_nothing(page, server):
    panel = tab(page, "Audit")
    panel.get_by_label("number input for Pairs").fill("100")
    panel.get_by_label("With the adjustment").check()
    panel.get_by_role("button", name="Audit").click()
    panel.get_by_text("of 200 images drawn").first.wait_for()
    assert list(server[2].glob("styleT2I-audit-*"))
    panel.get_by_role("button", name="Cancel").click()
    deadline = time.monotonic() + 20
    while list(server[2].glob("styleT2I-audit-*")):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    panel = tab(page, "Write")
    panel.get_by_role("button", name="Draw").click()
    panel.locator("img.face").first.wait_for()


def test_what_is_refused_is_said_in_one_line(page):
    panel = tab(page, "Write")
    panel.get_by_label("Sentence").fill("hat " * 2500)
    panel.get_by_role("button", name="Draw").click()
    page.get_by_text("more than 1000; shorten it").wait_for()
    assert sources(panel) == []


@pytest.mark.parametrize("num", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_visitors_at_once_each_get_their_own(browser, server, num):
    pages = [browser.new_context().new_page() for _ in range(num)]
    for seed, page in enumerate(pages):
        page.set_default_timeout(PATIENCE)
        page.goto(server[0])
        panel = tab(page, "Write")
        panel.get_by_label("First seed").fill(str(100 + seed))
    for page in pages:
        tab(page, "Write").get_by_role("button", name="Draw").click()
    for seed, page in enumerate(pages):
        page.locator("img.face").first.wait_for()
        assert page.locator("figcaption").first.inner_text() == f"seed {100 + seed}"
        page.context.close()


def test_what_is_too_large_cannot_be_uploaded_and_nothing_is_left(server):
    address, _, folder = server
    start = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\n'
    body = start + bytes(MAX_BYTES + 1) + b"\r\n--x--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(urllib.request.Request(f"{address}/gradio_api/upload", body, headers), timeout=60)
    assert kept(folder) == []
