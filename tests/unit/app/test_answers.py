"""The page's answers: the pipeline's own images inside the page, one-line refusals, nothing left on the disk."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from styleT2I.app import answers
from styleT2I.errors import StyleT2IError
from styleT2I.generation.pipeline import StyleT2I


@pytest.fixture(scope="module")
def pipeline():
    return StyleT2I.from_pretrained("minifaces", device="cpu")


def images(html):
    """The images in a page, each [H, W, 3]."""
    found = re.findall(r'<img src="data:image/png;base64,([^"]+)"', html)
    return [np.array(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")) for data in found]


def same(image, image_u8):
    return np.array_equal(image, image_u8.permute(1, 2, 0).numpy())


def test_a_sentence_is_drawn_read_and_explained(pipeline):
    faces, found, explanation = answers.written(pipeline, "a woman with a beard", 3, 2, 0.7, "auto")
    result = pipeline.generate("a woman with a beard", [3, 4])
    shown = images(faces)
    assert len(shown) == 4 and same(shown[1], result.images_u8[0]) and same(shown[2], result.unedited_u8[1])
    assert 'download="seed0004.png"' in faces and "judge&#x27;s margin after" in found
    assert len(images(explanation)) == 1


def test_attributes_are_moved_and_none_is_the_face_itself(pipeline):
    shown = images(answers.edited(pipeline, 0, 1, 0.5, {"hat": 1, "smiling": 0.0}))
    result = pipeline.edit([0], {"hat": 1}, truncation_psi=0.5)
    assert same(shown[0], result.unedited_u8[0]) and same(shown[1], result.images_u8[0])
    shown = images(answers.edited(pipeline, 0, 1, 0.5, {"hat": 0.0}))
    assert same(shown[0], result.unedited_u8[0]) and np.array_equal(shown[0], shown[1])
    assert len(images(answers.strip(pipeline, 0, 9, 0.7, "hat"))) == 1


def test_systems_come_one_after_the_other(pipeline):
    parts = list(answers.compared(pipeline, "he is smiling", 0, 2, ["dfgan"]))
    assert [len(images(part)) for part in parts] == [2, 4]
    assert same(images(parts[1])[1], pipeline.generate("he is smiling", [1]).images_u8[0])


def test_an_audit_tells_progress_and_ends_in_a_report(pipeline, tmp_path, monkeypatch):
    monkeypatch.setattr(answers.tempfile, "tempdir", str(tmp_path))
    parts = list(answers.audited(pipeline, "she+lipstick", "he+lipstick", 2, 0.7, False))
    assert all("of 4 images drawn" in said and report == "" for said, report in parts[:-1]) and len(parts) > 1
    said, report = parts[-1]
    assert "points, interval" in said and report.startswith("<iframe srcdoc=") and "styleT2I:minifaces" in report
    assert list(tmp_path.iterdir()) == []


def test_an_audit_is_read_in_the_models_own_vocabulary(tmp_path, monkeypatch):
    monkeypatch.setattr(answers.tempfile, "tempdir", str(tmp_path))
    pipeline = StyleT2I.from_pretrained("portraits", device="cpu")
    *_, (said, report) = answers.audited(pipeline, "she+necklace", "he+necklace", 2, 0.7, False)
    assert "points, interval" in said and "a man who wears a necklace" in report


def test_a_cancelled_audit_stops_and_leaves_nothing(pipeline, tmp_path, monkeypatch):
    monkeypatch.setattr(answers.tempfile, "tempdir", str(tmp_path))
    running = answers.audited(pipeline, "she+lipstick", "he+lipstick", 100, 0.7, True)
    next(running)
    running.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "ask, named",
    [
        (lambda p: answers.written(p, "", 0, 1, 0.7, "auto"), "empty"),
        (lambda p: answers.written(p, "hat " * 2500, 0, 1, 0.7, "auto"), "characters"),
        (lambda p: answers.written(p, "qwerty zxcv", 0, 1, 0.7, "auto"), "understood"),
        (lambda p: answers.written(p, "a hat", 0, 1, 0.7, "magic"), "magic"),
        (lambda p: answers.written(p, "a hat", 0, 17, 0.7, "auto"), "1 to 16"),
        (lambda p: answers.written(p, "a hat", -1, 1, 0.7, "auto"), "0 or more"),
        (lambda p: answers.written(p, "a hat", 0.5, 1, 0.7, "auto"), "whole"),
        (lambda p: answers.written(p, "a hat", None, 1, 0.7, "auto"), "whole"),
        (lambda p: answers.written(p, "a hat", 0, 1, 9, "auto"), "psi"),
        (lambda p: answers.edited(p, 0, 1, 0.7, {"black_hair": 1, "blond_hair": 1}), "exclude"),
        (lambda p: list(answers.compared(p, "a hat", 0, 1, ["/etc/passwd"])), "no system"),
        (lambda p: list(answers.compared(p, "a hat", 0, 5, [])), "1 to 4"),
        (lambda p: list(answers.audited(p, "she+lipstick", "he+lipstik", 2, 0.7, False)), "lipstik"),
        (lambda p: list(answers.audited(p, "she+lipstick", "he+lipstick", 1000, 0.7, False)), "2 to 100"),
    ],
)
def test_what_is_wrong_is_one_line(pipeline, ask, named):
    with pytest.raises(StyleT2IError, match=named) as caught:
        ask(pipeline)
    assert "\n" not in str(caught.value)
