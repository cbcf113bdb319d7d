"""The landmark network that comes with the package, on a photograph: it has seen none in its training."""

import numpy as np
import pytest

from styleT2I.photos.alignment import cut
from styleT2I.photos.faces import open_finder


@pytest.fixture(scope="module")
def finder():
    return open_finder(device="cpu")


@pytest.fixture(scope="module")
def astronaut():
    """A photograph of NASA (public domain), 512 pixels, which scikit-image ships."""
    from skimage import data

    return data.astronaut()


# Read off the photograph by eye, in pixels: the pupils, the nose's tip, the corners of the mouth.
PLACES = {"left eye": (203, 101), "right eye": (247, 105), "nose": (223, 127), "mouth left": (205, 137),
          "mouth right": (242, 141)}  # fmt: skip


def test_the_astronaut_is_found_where_she_is(finder, astronaut):
    (face,) = finder.find(astronaut, "astronaut")
    points = np.asarray(face.landmarks)
    found = [points[36:42].mean(0), points[42:48].mean(0), points[30], points[48], points[54]]
    errors = np.linalg.norm(np.array(found) - np.array(list(PLACES.values())), axis=1)
    assert errors.max() < 0.1 * 44, dict(zip(PLACES, errors.round(1), strict=True))  # 44: between the eyes
    assert face.confidence > 0.9


def test_a_turned_photo_gives_the_same_crop(finder, astronaut):
    import cv2

    centre, angle = (223.0, 120.0), 20.0
    matrix = cv2.getRotationMatrix2D(centre, angle, 1.0)
    turned = cv2.warpAffine(astronaut, matrix, (512, 512), borderMode=cv2.BORDER_REFLECT)
    crops = [cut(photo, finder.find(photo, "photo")[0].crop, 64).astype(float) for photo in (astronaut, turned)]
    assert np.abs(crops[0] - crops[1]).mean() < 12, "levels of 255: the same face in the same frame"
    apart = np.abs(crops[0] - np.roll(crops[0], 6, axis=1)).mean()
    assert np.abs(crops[0] - crops[1]).mean() < 0.6 * apart, "nearer than a frame a tenth aside"


def test_a_plain_box_has_no_face(finder):
    flat = np.full((200, 300, 3), 128, np.uint8)
    flat[60:140, 100:200] = (200, 180, 150)
    assert finder.find(flat, "a box") == []
