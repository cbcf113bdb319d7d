"""Photos of the page's visitors: found, moved, inverted, edited, put back; refused in one line; kept nowhere."""

import base64
import io
import re
import tempfile

import numpy as np
import PIL.Image
import pytest

from styleT2I.app import photo_desk
from styleT2I.app.photo_desk import POINTS as NAMES
from styleT2I.app.photo_desk import PhotoDesk
from styleT2I.errors import StyleT2IError
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.inversion.inverter import Inverter
from styleT2I.photos.alignment import ffhq_crop
from tests.photos_of_faces import IN_SQUARE, LEFT, POINTS, SIDE, TOP, encoded, made_photo

NUMBERS = POINTS.ravel().tolist()


@pytest.fixture(scope="module")
def pipeline():
    return StyleT2I.from_pretrained("minifaces", device="cpu")


@pytest.fixture(scope="module")
def photo(pipeline):
    return made_photo(pipeline)


class Nobody:
    name = "nobody"

    def find(self, photo, path):
        return []


@pytest.fixture
def desk(pipeline, photo, tmp_path, monkeypatch):
    """With a photo of "ann"; the user's cache and temporary files lie in tmp_path."""
    monkeypatch.setenv("STYLET2I_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    desk = PhotoDesk(pipeline, Nobody())
    desk.receive("ann", "photo.png", encoded(photo))
    desk.find("ann")
    return desk


def images(html):
    found = re.findall(r'<img src="data:image/png;base64,([^"]+)"', html)
    return [np.array(PIL.Image.open(io.BytesIO(base64.b64decode(data)))) for data in found]


def test_the_points_of_the_tests_lay_the_square_of_the_face():
    crop = ffhq_crop(np.array(POINTS))
    assert np.allclose(crop.corners[0], [LEFT, TOP], atol=1) and abs(crop.side - SIDE) < 1


def test_the_shipped_network_finds_the_face(pipeline, photo):
    desk = PhotoDesk(pipeline)
    desk.receive("ann", "photo.png", encoded(photo))
    points, is_found = desk.find("ann")
    assert is_found and points.shape == (5, 2)
    assert np.abs(points[:2] - POINTS[:2]).max() < 0.1 * SIDE  # the eyes are where they were drawn


def test_without_a_face_points_lie_in_the_photo_to_be_moved(desk, photo):
    points, is_found = desk.find("ann")
    assert not is_found and (points > 0).all() and (points < photo.shape[1::-1]).all()
    moved = desk.moved("ann", points.ravel().tolist(), "nose", 0.25, 0.5)
    assert moved[2].tolist() == [150, 200] and np.array_equal(np.delete(moved, 2, 0), np.delete(points, 2, 0))
    (shown,) = images(desk.shown("ann", NUMBERS))
    greens = (shown == (0, 255, 0)).all(axis=2)
    for x, y in POINTS.round().astype(int):
        assert greens[y - 5 : y + 6, x - 5 : x + 6].any()
    assert greens.sum() < 1000


def test_a_face_is_inverted_edited_and_put_back_and_nothing_is_written(desk, pipeline, photo, tmp_path):
    html = desk.inverted("ann", NUMBERS, "encoder")
    face, inverted = images(html)
    assert face.shape == inverted.shape == (64, 64, 3) and "encoder, " in html
    assert np.abs(face.astype(int) - inverted).mean() < 12
    html = desk.edited("ann", NUMBERS, "encoder", {"eyeglasses": 1.0, "hat": 0.0})
    shown = images(html)
    assert np.array_equal(shown[0], face) and np.array_equal(shown[1], inverted)
    (data,) = re.findall(r'<a href="data:image/png;base64,([^"]+)" download="photo.png"', html)
    edited = np.array(PIL.Image.open(io.BytesIO(base64.b64decode(data))))
    changed = (edited != photo).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert changed.sum() > 500 and np.array_equal(shown[3], edited)
    eyes = np.array(IN_SQUARE)[:2].mean(axis=0) * SIDE + [LEFT, TOP]
    assert abs(columns.mean() - eyes[0]) < 30 and abs(rows.mean() - eyes[1]) < 30
    assert not changed[: TOP + 20].any() and not changed[:, :LEFT].any()
    assert list(tmp_path.rglob("*")) == []


def test_an_inversion_is_done_once_for_points_and_method(desk, monkeypatch):
    calls, invert = [], Inverter.invert
    monkeypatch.setattr(Inverter, "invert", lambda self, *given: calls.append(1) or invert(self, *given))
    desk.inverted("ann", NUMBERS, "encoder")
    desk.edited("ann", NUMBERS, "encoder", {"smiling": 1})
    assert len(calls) == 1
    desk.inverted("ann", [value + 1 for value in NUMBERS], "encoder")
    assert len(calls) == 2


def test_nobody_sees_another_ones_photo_and_it_goes_with_its_visitor(desk, photo, monkeypatch):
    monkeypatch.setattr(photo_desk, "MAX_HELD", 2)
    data = encoded(photo[:100, :100])
    with pytest.raises(StyleT2IError, match="no photo"):
        desk.shown("bob", NUMBERS)
    desk.receive("bob", "b.png", data)
    desk.shown("ann", NUMBERS)  # used last
    desk.receive("cid", "c.png", data)
    desk.shown("ann", NUMBERS)
    for gone in ("bob", "ann"):
        desk.forget("ann")
        with pytest.raises(StyleT2IError, match="no photo"):
            desk.find(gone)


def test_a_refused_photo_leaves_none(desk, photo):
    with pytest.raises(StyleT2IError):
        desk.receive("ann", "text.jpg", b"no photo")
    with pytest.raises(StyleT2IError, match="no photo"):
        desk.shown("ann", NUMBERS)


def fifty_megapixels():
    data = io.BytesIO()
    PIL.Image.new("1", (8660, 5774)).save(data, "PNG")
    return data.getvalue()


@pytest.mark.parametrize(
    "ask, named",
    [
        (lambda d: d.receive("bob", "text.jpg", b"no photo"), "text.jpg: not an image"),
        (lambda d: d.receive("bob", "empty.jpg", b""), "empty"),
        (lambda d: d.receive("bob", "large.png", fifty_megapixels()), "8660x5774 pixels; the limit is 25000000"),
        (lambda d: d.receive("bob", "heavy.png", bytes(31 << 20)), "31 MiB"),
        (lambda d: d.inverted("ann", [50.0] * 10, "encoder"), "apart"),
        (lambda d: d.inverted("ann", [None] * 10, "encoder"), "missing"),
        (lambda d: d.shown("ann", [float("nan")] * 10), "outside"),
        (lambda d: d.shown("ann", [1e9 * value for value in NUMBERS]), "outside"),
        (lambda d: d.inverted("ann", NUMBERS, "magic"), "magic"),
        (lambda d: d.moved("ann", NUMBERS, "chin", 0.5, 0.5), "chin.*left eye"),
        (lambda d: d.edited("ann", NUMBERS, "encoder", {"hat": 0.0}), "slider"),
        (lambda d: d.edited("ann", NUMBERS, "encoder", {"black_hair": 1, "blond_hair": 1}), "exclude"),
    ],
)
def test_what_is_wrong_is_one_line(desk, ask, named):
    with pytest.raises(StyleT2IError, match=named) as caught:
        ask(desk)
    assert "\n" not in str(caught.value) and len(NAMES) == 5


def test_a_photo_that_is_still_being_read_has_no_points_yet(desk, photo):
    desk.receive("ann", "photo.png", encoded(photo))
    with pytest.raises(StyleT2IError, match="wait"):
        desk.shown("ann", NUMBERS)


def test_a_damaged_photo_is_one_line(desk, photo):
    data = bytearray(encoded(photo, "BMP"))
    desk.receive("bob", "cut.bmp", bytes(data[: len(data) // 200]))
    with pytest.raises(StyleT2IError, match="cut.bmp"):
        desk.find("bob")
