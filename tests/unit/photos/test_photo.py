"""A photo with a face: read whatever it is, cut out, and back in its place, with every other byte as it was."""

import io

import cv2
import numpy as np
import PIL.Image
import pytest
import torch

from styleT2I.errors import DataError
from styleT2I.photos.faces import open_finder
from styleT2I.photos.photo import open_photo

POINTS = "130 110\n170 110\n150 135\n136 160\n164 160\n"


def pattern(height=240, width=320):
    y, x = np.mgrid[:height, :width]
    return np.stack([x % 256, y % 256, (x + y) % 256], axis=2).astype(np.uint8)


def write(path, pixels, **options):
    PIL.Image.fromarray(pixels).save(path, **options)
    return path


@pytest.fixture
def finder(tmp_path):
    (tmp_path / "points.txt").write_text(POINTS)
    return open_finder(tmp_path / "points.txt")


def test_bytes_outside_the_regions_are_the_photos_own(tmp_path, finder):
    photo = open_photo(write(tmp_path / "photo.png", pattern()), 64, finder)
    before = photo.aligned_u8
    after = before.clone()
    after[:, 20:40, 20:40] = 255 - after[:, 20:40, 20:40]  # an edit that also touches what it may not
    after[:, 50:60, 10:50] = 255 - after[:, 50:60, 10:50]
    allowed = torch.zeros(64, 64, dtype=torch.bool)
    allowed[20:40, 20:40] = True
    image_u8, mask_u8 = photo.with_face(before, after, allowed)
    changed = (image_u8.permute(1, 2, 0).numpy() != photo.pixels).any(axis=2)
    assert 0 < changed.mean() < 0.1 and mask_u8.shape == (1, 64, 64)
    places = np.argwhere(changed)[:, ::-1] + 0.5
    inside = photo.crop.to_crop(places, 64)
    assert (inside > 12).all() and (inside < 48).all()  # the region, widened and softened
    same, nothing = photo.with_face(before, before)
    assert np.array_equal(same.permute(1, 2, 0).numpy(), photo.pixels) and nothing.max() == 0


def test_a_face_that_is_cut_out_already_is_its_own_square(tmp_path):
    pixels = pattern(96, 96)
    photo = open_photo(write(tmp_path / "face.png", pixels), 96, None)
    assert np.array_equal(photo.aligned_u8.permute(1, 2, 0).numpy(), pixels)
    assert photo.face is None and photo.describe()["aligned"] and len(photo.sha256) == 64
    with pytest.raises(DataError, match="--aligned"):
        open_photo(write(tmp_path / "wide.png", pattern()), 64, None)


def test_a_phone_photo_is_turned_as_its_exif_says(tmp_path, finder):
    upright = open_photo(write(tmp_path / "a.png", pattern()), 32, finder)
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # lies on its side: to be turned clockwise
    turned = write(tmp_path / "b.jpg", np.rot90(pattern()).copy(), exif=exif, quality=100, subsampling=0)
    found = open_photo(turned, 32, finder)
    assert found.pixels.shape == upright.pixels.shape
    assert (found.aligned_u8.int() - upright.aligned_u8.int()).abs().float().mean() < 6


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "I;16"])
def test_odd_kinds_become_rgb(tmp_path, finder, mode):
    if mode == "I;16":
        cv2.imwrite(str(tmp_path / "odd.png"), pattern()[:, :, 0].astype(np.uint16) * 257)
    else:
        PIL.Image.fromarray(pattern()).convert(mode).save(tmp_path / "odd.png")
    photo = open_photo(tmp_path / "odd.png", 32, finder)
    assert photo.aligned_u8.shape == (3, 32, 32) and photo.aligned_u8.float().std() > 5


def test_a_mask_lies_over_its_photo(tmp_path, finder):
    mask = np.zeros((240, 320, 3), np.uint8)
    mask[:, 150:] = 255
    path = write(tmp_path / "photo.png", pattern())
    photo = open_photo(path, 32, finder, mask=write(tmp_path / "mask.png", mask))
    assert photo.weight.shape == (1, 32, 32)
    assert photo.weight[0, :, :14].min() > 0.9 and photo.weight[0, :, 18:].max() < 0.1
    for wrong, text in ((mask[:100], "lies over its photo"), (np.full_like(mask, 255), "white all over")):
        with pytest.raises(DataError, match=text):
            open_photo(path, 32, finder, mask=write(tmp_path / "wrong.png", wrong))


@pytest.mark.parametrize(
    ("content", "text"),
    [(b"a text", "not an image"), (b"", "empty"), (b"\x89PNG\r\n\x1a\n" + b"0" * 40, "not an image|damaged|cut off")],
)
def test_what_is_no_photo_is_one_line(tmp_path, finder, content, text):
    (tmp_path / "photo.jpg").write_bytes(content)
    with pytest.raises(DataError, match=text):
        open_photo(tmp_path / "photo.jpg", 32, finder)


def test_a_photo_of_too_many_pixels_is_refused_from_its_header(tmp_path, finder):
    buffer = io.BytesIO()
    PIL.Image.new("L", (20000, 10000)).save(buffer, "PNG")
    (tmp_path / "huge.png").write_bytes(buffer.getvalue())
    with pytest.raises(DataError, match="limit|too many"):
        open_photo(tmp_path / "huge.png", 32, finder)


def test_no_face_and_a_face_too_many_are_one_line(tmp_path, finder):
    path = write(tmp_path / "photo.png", pattern())
    with pytest.raises(DataError, match="0 to 0"):
        open_photo(path, 32, finder, index=1)

    class Blind:
        name = "blind"

        def find(self, photo, path):
            return []

    with pytest.raises(DataError, match="no face was found"):
        open_photo(path, 32, Blind())
