"""Pictures in and out: odd kinds read right, damaged ones named."""

import io
import os
import struct
import zlib

import numpy as np
import PIL.Image
import pytest
import torch

from styleT2I.errors import DataError
from styleT2I.torch_utils.images import (
    centre_crop_resize,
    check_image,
    from_uint8,
    load_image,
    make_grid_u8,
    save_png,
    to_uint8,
)


def gradient(height=40, width=60):
    """A smooth picture that JPEG keeps to within a few grey levels, and no symmetry that would hide a flip."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([255 * x / width, 255 * y / height, 90 + 0 * x], axis=2).astype(np.uint8)


def encoded(array, kind, **options):
    stream = io.BytesIO()
    PIL.Image.fromarray(array).save(stream, kind, **options)
    return stream.getvalue()


def load(tmp_path, data, name="picture.png"):
    (tmp_path / name).write_bytes(data)
    return load_image(tmp_path / name).permute(1, 2, 0).numpy()


@pytest.mark.parametrize("kind, tolerance", [("PNG", 0), ("BMP", 0), ("TIFF", 0), ("JPEG", 6), ("WEBP", 8)])
def test_common_kinds_read_as_rgb_whatever_the_file_is_called(tmp_path, kind, tolerance):
    options = {"quality": 95} if kind in ("JPEG", "WEBP") else {}
    found = load(tmp_path, encoded(gradient(), kind, **options), name="wrong-extension.gif")
    assert np.abs(found.astype(int) - gradient()).max() <= tolerance


def test_cmyk_palette_grey_alpha_and_16_bit_read_as_8_bit_rgb(tmp_path):
    picture = PIL.Image.fromarray(gradient())
    streams = {name: io.BytesIO() for name in ("cmyk", "palette", "grey", "alpha", "gif")}
    picture.convert("CMYK").save(streams["cmyk"], "JPEG", quality=95)
    picture.quantize(256).save(streams["palette"], "PNG")
    picture.convert("L").save(streams["grey"], "PNG")
    picture.convert("RGBA").save(streams["alpha"], "PNG")
    picture.save(streams["gif"], "GIF", save_all=True, append_images=[picture.rotate(180)])
    tolerances = {"cmyk": 25, "palette": 40, "alpha": 0, "gif": 40}
    for name, tolerance in tolerances.items():
        found = load(tmp_path, streams[name].getvalue())
        assert found.shape == gradient().shape, name
        assert np.abs(found.astype(int) - gradient()).mean() <= tolerance / 3, name
    grey = load(tmp_path, streams["grey"].getvalue())
    assert np.array_equal(grey, np.repeat(np.asarray(picture.convert("L"))[:, :, None], 3, axis=2))
    deep = encoded((np.arange(256, dtype=np.uint16) * 257).reshape(16, 16), "PNG")
    assert np.abs(load(tmp_path, deep)[:, :, 0].astype(int).ravel() - np.arange(256)).max() <= 1


@pytest.mark.parametrize("orientation, turn", [(3, 2), (6, 3), (8, 1)])
def test_pictures_are_turned_as_their_exif_says(tmp_path, orientation, turn):
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    found = load(tmp_path, encoded(gradient(), "JPEG", quality=95, exif=exif))
    assert np.abs(found.astype(int) - np.rot90(gradient(), turn)).max() <= 6


def bomb():
    """A valid PNG header that announces 50,000 x 50,000 pixels."""
    data = bytearray(encoded(gradient(), "PNG"))
    data[16:24] = (50_000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    return bytes(data)


JPEG = encoded(gradient(), "JPEG")
PNG = encoded(gradient(), "PNG")


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "the file is empty"),
        (b"hello", "not an image"),
        (b"<svg></svg>", "not an image"),
        (JPEG[:100], "not an image, or cut off in its header"),
        (JPEG[:-20], "the image is cut off"),
        (JPEG[:-2], "the image is cut off"),
        (PNG[: len(PNG) // 2], "the image is cut off"),
        (bomb(), "too many pixels|50000x50000 pixels; the limit is"),
    ],
)
def test_damaged_files_are_named_before_decoding(data, message):
    with pytest.raises(DataError, match=f"x.jpg: .*({message})") as caught:
        check_image(data, "x.jpg")
    assert "\n" not in str(caught.value)


def test_a_jpeg_with_bytes_after_its_end_is_whole():
    check_image(JPEG + b"\0" * 40 + b"trailer", "x.jpg")


def test_a_picture_whose_inside_is_damaged_is_named(tmp_path):
    data = PNG[:60] + b"\xff" * 30 + PNG[90:]
    with pytest.raises(DataError, match="picture.png: the image is damaged"):
        load(tmp_path, data)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="gone.png: cannot be read: No such file"):
        load_image(tmp_path / "gone.png")


def test_what_never_ends_or_blocks_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "fifo.png")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    for name in ("fifo.png", "zero.png"):
        with pytest.raises(DataError, match=f"{name}: is a pipe or a device"):
            load_image(tmp_path / name)
    with open(tmp_path / "huge.png", "wb") as file:
        file.truncate(1 << 34)
    with pytest.raises(DataError, match="huge.png: has over"):
        load_image(tmp_path / "huge.png")


def test_an_error_of_the_decoder_is_one_line(tmp_path):
    """OpenCV's own limit on the side of a picture, which a file within ours can exceed."""
    data = bytearray(encoded(gradient(), "BMP"))
    data[18:26] = struct.pack("<2i", (1 << 20) + 1, 1)
    with pytest.raises(DataError, match="picture.png: the image is damaged") as caught:
        load(tmp_path, bytes(data))
    assert "\n" not in str(caught.value)


def test_a_flipped_bit_anywhere_in_a_png_is_found_or_changes_nothing(tmp_path):
    whole = load(tmp_path, PNG)
    for place in range(0, 8 * len(PNG), 7):
        data = bytearray(PNG)
        data[place // 8] ^= 1 << place % 8
        try:
            assert np.array_equal(load(tmp_path, bytes(data)), whole), place
        except DataError:
            pass


def test_floats_and_bytes_convert_both_ways():
    every = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_uint8(from_uint8(every)), every)
    assert to_uint8(torch.tensor([-3.0, -1.0, 0.0, 1.0, 9.0])).tolist() == [0, 0, 128, 255, 255]


def test_saved_pictures_are_what_another_reader_sees(tmp_path):
    image = torch.from_numpy(gradient()).permute(2, 0, 1)
    save_png(tmp_path / "rgb.png", image)
    save_png(tmp_path / "grey.png", image[:1])
    assert np.array_equal(np.asarray(PIL.Image.open(tmp_path / "rgb.png")), gradient())
    assert np.array_equal(np.asarray(PIL.Image.open(tmp_path / "grey.png")), gradient()[:, :, 0])
    assert torch.equal(load_image(tmp_path / "rgb.png"), image)


def test_a_grid_places_pictures_row_by_row_on_white():
    images = torch.arange(5, dtype=torch.uint8).view(5, 1, 1, 1).expand(5, 3, 4, 6) * 10
    grid = make_grid_u8(images, ncol=3, pad=2, scale=1)
    assert grid.shape == (3, 2 * (4 + 2) + 2, 3 * (6 + 2) + 2)
    for i in range(5):
        top, left = 2 + i // 3 * 6, 2 + i % 3 * 8
        assert (grid[:, top : top + 4, left : left + 6] == 10 * i).all()
        grid[:, top : top + 4, left : left + 6] = 255
    assert (grid == 255).all()
    assert make_grid_u8(images, ncol=5, pad=1, scale=3).shape == (3, 4 * 3 + 2, 5 * (6 * 3 + 1) + 1)


def test_crops_are_central_and_shrinking_averages():
    array = np.zeros((4, 8, 3), np.uint8)
    array[:, 2:6] = 100
    assert (centre_crop_resize(array, 4) == 100).all()
    checks = np.kron(np.indices((8, 8)).sum(axis=0) % 2, np.ones((1, 1)))[:, :, None].repeat(3, axis=2)
    assert np.abs(centre_crop_resize((checks * 200).astype(np.uint8), 4).astype(int) - 100).max() <= 1
    assert centre_crop_resize(array, 16).shape == (16, 16, 3)
