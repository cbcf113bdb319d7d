"""The exported page in a real browser: the same words, random numbers and images as Python's, and what a user sees."""

import base64
import functools
import http.server
import io
import os
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from styleT2I.attributes.parsing.parser import parse
from styleT2I.exports.web import export_web
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.torch_utils.words import plain_words
from tests.browser import chromium, listened, wait_until
from tests.tiny_model import write_tiny_model

pytestmark = pytest.mark.browser
FINISHED = "!['loading', 'drawing'].includes(document.documentElement.dataset.state)"
PATIENCE = 120_000  # milliseconds
SENTENCES = (
    "he is wearing lipstick",
    "She isn't gray-haired!",
    "A grandpa's hat; w/o glasses",
    "hes got the man\u2019s beard \u2014 whos old?",
    "\u00c9L\u00c8VE na\u00efve #smiling",
    "w/ bangs & earrings",
    "an old woman, without a hat",
    "theyre 70, can't smile",
    "",
    "x-y--z . - .",
    "a young lady with blonde hair and lipstick",
    "she has dark skin and never smiles",
    "a smiling man in a cap or a hat",
    "man + hat - glasses \u2014 (smiling:1.3) | hair=gray",
)


@pytest.fixture(scope="module")
def pipeline():
    return StyleT2I.from_pretrained("minifaces", device="cpu")


@pytest.fixture(scope="module")
def folder(pipeline, tmp_path_factory):
    runtime = os.environ.get("ONNXRUNTIME_WEB")
    if not runtime:
        pytest.skip("npm install onnxruntime-web, and name its folder in ONNXRUNTIME_WEB")
    folder = tmp_path_factory.mktemp("page")
    export_web(pipeline, folder, runtime)
    return folder


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def opened(browser, folder):
    """The page from the disk, its first face drawn: (page, what it said, what it asked for)."""
    page = browser.new_page(viewport={"width": 1100, "height": 900})
    said, asked = listened(page)
    page.goto((folder / "index.html").as_uri())
    wait(page)
    yield page, said, asked
    page.close()


@pytest.fixture
def page(opened):
    """The page as it is after loading."""
    page, said, _ = opened
    page.fill("#text", "")
    page.fill("#seed", "0")
    page.set_checked("#adjust", True)
    page.click("#reset")
    wait(page)
    yield page
    assert said == [] and state(page) == "ready"


def wait(page):
    wait_until(page, FINISHED, seconds=PATIENCE / 1000)


def state(page):
    return page.evaluate("document.documentElement.dataset.state")


def pixels(page, name):
    """A canvas as [R, R, 3]."""
    address = page.evaluate(f"document.getElementById('{name}').toDataURL('image/png')")
    image = np.array(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("RGBA"))
    assert (image[:, :, 3] == 255).all()
    return image[:, :, :3].astype(int)


def far(image, image_u8):
    """The largest difference of pixels from those of [3, R, R]."""
    return np.abs(image - image_u8.permute(1, 2, 0).numpy().astype(int)).max()


def say(page, text):
    page.fill("#text", text)
    page.keyboard.press("Enter")
    wait(page)


def set_slider(page, label, value):
    slider = page.get_by_label(label, exact=True)
    slider.evaluate("(one, value) => { one.value = value; one.dispatchEvent(new Event('input')); }", value)
    wait(page)


def test_the_first_face_is_pytorchs_and_nothing_is_asked_of_others(opened, pipeline, folder):
    page, said, asked = opened
    assert said == [] and state(page) == "ready"
    result = pipeline.generate("she is smiling", [0], adjustment=None)
    assert far(pixels(page, "before"), result.unedited_u8[0]) <= 2
    assert np.array_equal(pixels(page, "after"), pixels(page, "before"))
    elsewhere = [url for url in asked if not url.startswith((folder.as_uri(), "data:", "blob:"))]
    assert elsewhere == []


def test_the_first_face_takes_less_than_ten_seconds_of_processor(browser, folder):
    """Of all the browser's processes together: on a machine that does nothing else it is there sooner."""
    session = browser.new_browser_cdp_session()

    def seconds():
        return sum(process["cpuTime"] for process in session.send("SystemInfo.getProcessInfo")["processInfo"])

    page, before = browser.new_page(), seconds()
    page.goto((folder / "index.html").as_uri())
    wait(page)
    assert 0 < seconds() - before < 10
    assert page.evaluate("performance.getEntriesByName('first-face').length") == 1
    page.close()


@pytest.mark.parametrize("method", [None, "paper"])
@pytest.mark.parametrize(
    "text, seed, helped",
    [
        ("he is wearing lipstick", 12345678901234, []),
        ("Young woman with gray hair and beard and eyeglasses and hat.", 0, ["wearing eyeglasses"]),
        ("an old woman without a hat, without eyeglasses, without earrings, no beard", 4, ["without eyeglasses"]),
    ],
)
def test_a_sentence_gives_pytorchs_image(page, pipeline, text, seed, helped, method):
    page.set_checked("#adjust", method == "paper")
    page.fill("#seed", str(seed))
    say(page, text)
    result = pipeline.generate(text, [seed], adjustment=method)
    stepped = [found.phrase for found in result.attributes if found.step[0] != 0]
    assert stepped == (helped if method else [])  # so that the rule is told from none
    assert far(pixels(page, "before"), result.unedited_u8[0]) <= 2
    assert far(pixels(page, "after"), result.images_u8[0]) <= 2
    asked, _, said_helped = page.inner_text("#notes").partition("Helped: ")
    assert said_helped.partition(".")[0] == ", ".join(stepped)
    assert all(found.phrase in asked for found in result.attributes)


def test_sliders_move_attributes_as_edit_does(page, pipeline):
    before = pixels(page, "before")
    set_slider(page, "wearing eyeglasses", 1)
    assert far(pixels(page, "after"), pipeline.edit([0], {"eyeglasses": 1}).images_u8[0]) <= 2
    set_slider(page, "smiling", -1.5)
    expected = pipeline.edit([0], {"eyeglasses": 1, "smiling": -1.5}).images_u8[0]
    assert far(pixels(page, "after"), expected) <= 2
    assert np.array_equal(pixels(page, "before"), before)
    page.click("#reset")
    wait(page)
    assert np.array_equal(pixels(page, "after"), before)


def test_sliders_move_what_the_sentence_drew(page, pipeline):
    page.set_checked("#adjust", False)
    say(page, "he is wearing lipstick")
    set_slider(page, "wearing a hat", 1)
    drawn = pipeline.generate("he is wearing lipstick", [0], adjustment=None)
    assert far(pixels(page, "after"), pipeline.edit(drawn.ws, {"hat": 1}).images_u8[0]) <= 2


def test_every_attribute_has_a_labelled_slider_that_keys_move(page, pipeline):
    sliders = page.locator("#sliders input")
    assert sliders.count() == len(pipeline.model.vocabulary)
    for name in pipeline.model.vocabulary.names:
        assert page.get_by_label(pipeline.model.vocabulary[name].true.phrase, exact=True).get_attribute("name") == name
    before = pixels(page, "after")
    page.get_by_label("smiling", exact=True).focus()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    wait(page)
    assert page.locator("#slider-smiling + output").inner_text() == "1"
    assert np.abs(pixels(page, "after") - before).max() > 30


def test_one_hair_colour_at_a_time(page):
    set_slider(page, "black hair", 1)
    set_slider(page, "blond hair", 0.5)
    assert page.get_by_label("black hair", exact=True).input_value() == "0"
    assert page.get_by_label("blond hair", exact=True).input_value() == "0.5"


@pytest.mark.parametrize(
    "text, told",
    [
        ("he is wearing a hatt", "“hatt” (did you mean “hat”?)"),
        ("qwerty zxcv", "Nothing in the sentence is understood"),
        ("?!", "no words"),
        ("she is not old", "“not”"),
        ("she has a beard and no hat", "“no”"),
        ("a man " * 60, "too long"),
    ],
)
def test_what_is_doubtful_is_said(page, text, told):
    say(page, text)
    assert told in page.inner_text("#notes")


def test_another_seed_another_psi_and_a_new_face(page, pipeline):
    page.locator("#psi").evaluate("one => { one.value = 0.4; one.dispatchEvent(new Event('input')); }")
    page.fill("#seed", "7")
    page.keyboard.press("Tab")
    wait(page)
    ws = pipeline.latents([7], truncation_psi=0.4)
    assert far(pixels(page, "before"), pipeline.images_u8(ws, [7])[0]) <= 2
    page.click("#another")
    wait(page)
    assert page.input_value("#seed") != "7"
    page.locator("#psi").evaluate("one => { one.value = 0.7; one.dispatchEvent(new Event('input')); }")
    page.fill("#seed", "-3")
    page.keyboard.press("Tab")
    wait(page)
    assert "whole number" in page.inner_text("#status")


def test_the_download_is_the_face(page):
    set_slider(page, "a beard", 1)
    with page.expect_download() as started:
        page.click("#download")
    assert started.value.suggested_filename == "seed0000.png"
    image = Image.open(io.BytesIO(Path(started.value.path()).read_bytes())).convert("RGB")
    assert np.array_equal(np.array(image), pixels(page, "after"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_telephone_and_follows_the_colour_scheme(page, scheme):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    paper, ink = (page.evaluate(f"getComputedStyle(document.body).{name}") for name in ("backgroundColor", "color"))
    brightness = [sum(map(int, colour[4:-1].split(","))) for colour in (paper, ink)]
    assert (brightness[0] > brightness[1] + 300) if scheme == "light" else (brightness[0] + 300 < brightness[1])
    page.set_viewport_size({"width": 1100, "height": 900})
    page.emulate_media(color_scheme="light")


def test_words_and_ids_are_those_of_python(opened, pipeline):
    page, *_ = opened
    tokenizer = pipeline.model.network("clip").tokenizer
    for text in SENTENCES:
        assert page.evaluate("text => plainWords(text)", text) == plain_words(text), text
        ids = page.evaluate("text => [...model.tokenizer.encode(text)].map(Number)", text)
        assert ids == tokenizer([text])[0].tolist(), text
        unknown = [list(pair) for pair in tokenizer.unknown_words(text)]
        assert page.evaluate("text => model.tokenizer.unknown(text)", text) == unknown, text


def test_phrases_are_read_as_the_parser_reads_them_or_not_at_all(opened, pipeline):
    page, *_ = opened
    read = {text: page.evaluate("text => model.phrases.read(text)", text) for text in SENTENCES}
    for text, found in read.items():
        attributes = parse(text, pipeline.model.vocabulary).attributes if text else {}
        assert found["asked"] in ({}, attributes), text
        assert not (found["asked"] and found["unclear"])
    assert read["an old woman, without a hat"]["asked"] == {"old": True, "he": False, "hat": False}
    assert read["a smiling man in a cap or a hat"]["unclear"] == "or"


@pytest.mark.parametrize("num", [1, 8, 15, 16, 64, 100])
@pytest.mark.parametrize("seed", [0, 1, 2**32 + 5, 2**53 - 1])
def test_random_numbers_are_pytorchs(opened, seed, num):
    page, *_ = opened
    found = page.evaluate("([seed, num]) => [...randomNormal(seed, num)]", [str(seed), num])
    expected = torch.randn(num, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(torch.tensor(found), expected, rtol=0, atol=2e-6)


def test_it_works_from_a_file_server_under_any_path(browser, folder, pipeline):
    handler = functools.partial(QuietHandler, directory=str(folder.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = browser.new_page()
        said, asked = listened(page)
        page.goto(f"http://127.0.0.1:{server.server_port}/{folder.name}/")
        wait(page)
        assert said == [] and state(page) == "ready"
        assert far(pixels(page, "after"), pipeline.generate("a hat", [0], adjustment=None).unedited_u8[0]) <= 2
        assert all(url.startswith((f"http://127.0.0.1:{server.server_port}/", "data:", "blob:")) for url in asked)
        page.close()
        server.shutdown()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files without a line for each."""

    def log_message(self, *arguments):
        pass


@pytest.mark.parametrize("without", [(), ("t2d",), ("t2d", "a2d", "clip")])
def test_a_page_offers_what_its_model_can_do(browser, folder, tmp_path, without):
    """The tiny model's z has 8 numbers, which PyTorch draws in another way than 16 or more."""
    pipeline = StyleT2I.from_pretrained(write_tiny_model(tmp_path / "model", without=without), device="cpu")
    export_web(pipeline, tmp_path / "page", os.environ["ONNXRUNTIME_WEB"])
    page = browser.new_page()
    said, _ = listened(page)
    page.goto((tmp_path / "page/index.html").as_uri())
    wait(page)
    assert said == [] and state(page) == "ready"
    assert page.locator("#wish").is_visible() == (without == ())
    assert page.locator("#attributes").is_visible() == ("a2d" not in without)
    assert far(pixels(page, "after"), pipeline.images_u8(pipeline.latents([0]), [0])[0]) <= 2
    page.close()


@pytest.mark.parametrize("missing", ["weights.js", "runtime.js"])
def test_a_folder_that_was_copied_in_part_says_so(browser, folder, tmp_path, missing):
    for path in folder.iterdir():
        if path.name != missing and path.is_file():
            (tmp_path / path.name).symlink_to(path)
    page = browser.new_page()
    page.goto((tmp_path / "index.html").as_uri())
    wait(page)
    assert state(page) == "failed" and "copy all files" in page.inner_text("#status")
    page.close()
