"""FFHQ's square from landmarks, cutting it out, and putting an edited face back."""

import math

import numpy as np
import pytest

from styleT2I.errors import DataError
from styleT2I.photos.alignment import Crop, cut, ffhq_crop
from styleT2I.photos.putting_back import changed_regions, put_back

FIVE = np.array([[40.0, 50], [60, 50], [50, 62], [43, 75], [57, 75]])


def turned(points, angle, scale=1.0, shift=(0.0, 0.0)):
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    return points @ np.array([[cos, sin], [-sin, cos]]) + shift


def photo(height=200, width=300, seed=0):
    """Smooth colours, so that resampling loses nothing."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / 40.0
    phases = rng.uniform(0, 6, (3, 4))
    waves = [np.sin(x * np.cos(p) + y * np.sin(p) + q) + np.cos(x * np.sin(r) - y * np.cos(r) + s)
             for p, q, r, s in phases]  # fmt: skip
    return np.rint(np.stack(waves, axis=2) * 60 + 128).astype(np.uint8)


def test_the_square_follows_the_published_rule():
    crop = ffhq_crop(FIVE)  # eyes 20 apart, mouth 25 below: half the side is max(2 * 20, 1.8 * 25)
    assert crop.centre == pytest.approx((50, 52.5)) and crop.right == pytest.approx((45, 0))
    wide = ffhq_crop(np.array([[30.0, 50], [70, 50], [50, 62], [43, 75], [57, 75]]))
    assert wide.side == pytest.approx(2 * 80)


@pytest.mark.parametrize("angle", [0.3, -1.2, 2.5])
def test_the_square_turns_grows_and_moves_with_the_face(angle):
    plain, moved = ffhq_crop(FIVE), ffhq_crop(turned(FIVE, angle, 1.7, (9.0, -4.0)))
    np.testing.assert_allclose(moved.corners, turned(plain.corners, angle, 1.7, (9.0, -4.0)), atol=1e-9)


def test_68_points_give_the_square_of_their_eyes_and_mouth():
    points = np.full((68, 2), 55.0)
    points[36:42], points[42:48], points[48], points[54] = FIVE[0], FIVE[1], FIVE[3], FIVE[4]
    np.testing.assert_allclose(ffhq_crop(points).corners, ffhq_crop(FIVE).corners)


@pytest.mark.parametrize(
    ("points", "text"),
    [(np.zeros((5, 2)), "too close"), (np.zeros((7, 2)), "68 or 5"), (np.full((5, 2), np.nan), "too close"),
     (np.array([[0.0, 0], [20, 0], [10, 5], [10, -20], [10, -20]]), "order")],
)  # fmt: skip
def test_points_of_no_face_are_refused(points, text):
    with pytest.raises(DataError, match=text):
        ffhq_crop(points)


def test_an_upright_square_of_whole_pixels_is_cut_exactly():
    image = photo()
    crop = Crop((132.0, 96.0), (32.0, 0.0), (0.0, 32.0))
    assert np.array_equal(cut(image, crop, 64), image[64:128, 100:164])


def test_places_go_to_the_cut_image_and_back():
    crop, points = ffhq_crop(turned(FIVE, 0.7)), np.random.default_rng(0).uniform(0, 100, (9, 2))
    np.testing.assert_allclose(crop.to_photo(crop.to_crop(points, 128), 128), points)
    np.testing.assert_allclose(crop.to_crop(crop.corners, 128), [[0, 0], [128, 0], [128, 128], [0, 128]], atol=1e-9)


@pytest.mark.parametrize("resolution", [64, 128])
def test_a_turned_cut_shows_what_lies_at_its_places(resolution):
    """Against the smooth function that the photo was drawn from, at the photo places of the cut image's pixels."""
    y, x = np.mgrid[:240, :240] + 0.5
    image = np.rint(np.stack([128 + 90 * np.sin(x / 25), 128 + 90 * np.cos(y / 30), 60 + x / 2], axis=2)).astype(
        np.uint8
    )
    crop = ffhq_crop(turned(FIVE, 0.5, 1.0, (90.0, 60.0)))
    drawn = cut(image, crop, resolution).astype(float)
    places = np.stack(np.meshgrid(np.arange(resolution) + 0.5, np.arange(resolution) + 0.5), axis=2).reshape(-1, 2)
    px, py = crop.to_photo(places, resolution).T
    expected = np.stack([128 + 90 * np.sin(px / 25), 128 + 90 * np.cos(py / 30), 60 + px / 2], axis=1)
    assert np.abs(drawn.reshape(-1, 3) - expected).max() < 2.5


def test_a_large_photo_is_reduced_before_it_is_cut():
    """A checkerboard of single pixels is grey when ten of them make one, not black or white."""
    board = (np.indices((1000, 1000)).sum(axis=0) % 2 * 255).astype(np.uint8)[:, :, None].repeat(3, axis=2)
    drawn = cut(board, Crop((500.0, 500.0), (400.0, 0.0), (0.0, 400.0)), 80)
    assert np.abs(drawn.astype(int) - 128).max() <= 2


def test_beyond_the_border_the_photo_is_mirrored_and_fades():
    image = photo(100, 100)
    drawn = cut(image, Crop((0.0, 50.0), (32.0, 0.0), (0.0, 32.0)), 64)
    assert np.array_equal(drawn[:, 32:], image[18:82, :32])
    assert np.abs(drawn[:, 31].astype(int) - image[18:82, 0]).max() < 25  # the border goes on without a step
    assert drawn[:, :20].astype(float).std() < image.astype(float).std()


def test_an_unchanged_face_leaves_every_byte_of_the_photo():
    image, crop = photo(), ffhq_crop(turned(FIVE, 0.4, 1.5, (60.0, 10.0)))
    face = cut(image, crop, 64)
    mask = changed_regions(face, face)
    assert mask.max() == 0 and np.array_equal(put_back(image, face, crop, mask), image)


def test_what_is_put_back_lies_where_it_was_cut():
    """The crop's own pixels, put back whole, are nearly the photo; outside of the square not a byte has changed."""
    image, crop = photo(), ffhq_crop(turned(FIVE, 0.4, 1.5, (60.0, 10.0)))
    face = cut(image, crop, 128)
    result = put_back(image, face, crop, np.ones((128, 128), np.float32))
    assert np.abs(result.astype(int) - image).max() <= 3
    red = put_back(image, np.full_like(face, 255), crop, np.ones((128, 128), np.float32))
    y, x = np.nonzero((red != image).any(axis=2))
    inside = crop.to_crop(np.stack([x + 0.5, y + 0.5], axis=1), 1)
    assert inside.min() > -0.02 and inside.max() < 1.02 and len(x) > 0.95 * crop.side**2


def test_only_changed_and_allowed_regions_are_taken():
    before = np.full((64, 64, 3), 100, np.uint8)
    after = before.copy()
    after[20:30, 20:30] += 100
    after[40:50, 40:50] += 100
    mask = changed_regions(before, after)
    assert mask[25, 25] > 0.95 and mask[45, 45] > 0.95 and mask[25, 45] == 0 and mask.max() <= 1
    allowed = np.zeros((64, 64), bool)
    allowed[15:35, 15:35] = True
    mask = changed_regions(before, after, allowed)
    assert mask[25, 25] > 0.95 and mask[45, 45] == 0
    after[:] = 255
    border = changed_regions(before, after)
    assert border[0].max() == border[:, -1].max() == 0 and border[32, 32] == pytest.approx(1)


def test_a_face_at_the_border_is_put_back_as_far_as_it_is_there():
    image = photo(100, 100)
    crop = Crop((0.0, 50.0), (32.0, 0.0), (0.0, 32.0))
    result = put_back(image, np.full((64, 64, 3), 255, np.uint8), crop, np.ones((64, 64), np.float32))
    assert (result[18:82, :31] == 255).all() and np.array_equal(result[:, 33:], image[:, 33:])
    away = Crop((-500.0, 50.0), (32.0, 0.0), (0.0, 32.0))
    assert np.array_equal(put_back(image, result[:64, :64], away, np.ones((64, 64), np.float32)), image)
