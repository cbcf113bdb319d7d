"""Pictures for the suite "quality": any folder, in order, with captions where they are known, resized as said."""

import json

import numpy as np
import PIL.Image
import pytest
import torch

from styleT2I.errors import DataError
from styleT2I.evaluation.image_sources import enough, open_images, resized, side_of
from styleT2I.torch_utils.images import save_png
from tests.bird_releases import BIRDS, write_cub


def write(path, seed=0, height=20, width=20):
    path.parent.mkdir(parents=True, exist_ok=True)
    draw = torch.Generator().manual_seed(seed)
    save_png(path, torch.randint(256, (3, height, width), dtype=torch.uint8, generator=draw))


def test_a_folder_is_read_in_order_whatever_the_kinds_and_sizes(tmp_path):
    write(tmp_path / "b.png", 0, 20, 30)
    write(tmp_path / "sub" / "c.png", 1)
    write(tmp_path / ".hidden" / "d.png", 2)
    (tmp_path / "notes.txt").write_text("no picture")
    array = np.full((24, 16, 3), 9, np.uint8)
    PIL.Image.fromarray(array).save(tmp_path / "a.jpg")
    images = open_images(str(tmp_path))
    assert [image.shape for image in images.batch(0, 9)] == [(24, 16, 3), (20, 30, 3), (20, 20, 3)]
    assert side_of(images) == 16 and images.captions is None and images.seeds is None
    with pytest.raises(DataError, match="3 images are too few"):
        enough(images, None)


def test_sheets_that_generate_writes_are_passed_over_and_its_sentence_is_the_caption(tmp_path):
    for name in ("seed0000.png", "seed0001.png", "grid.png", "explain.png"):
        write(tmp_path / name)
    assert len(open_images(str(tmp_path))) == 4
    (tmp_path / "generate.json").write_text(json.dumps({"text": "he is smiling"}))
    images = open_images(str(tmp_path))
    assert len(images) == 2 and images.captions == ["he is smiling"] * 2


def test_a_data_set_folder_lends_its_captions_by_name(tmp_path):
    for name in ("x", "y/z"):
        write(tmp_path / "images" / f"{name}.png")
    (tmp_path / "captions.json").write_text(json.dumps({"y/z": ["a hat", "more"], "x": ["no hat"]}))
    images = open_images(str(tmp_path))
    assert len(images) == 2 and list(images.captions) == ["no hat", "a hat"]


def test_a_split_of_minifaces_is_read_with_its_captions():
    images = open_images("minifaces:biased/test:30")
    assert enough(images, 25) == 25 and images.batch(0, 2)[1].shape == (64, 64, 3)
    assert isinstance(images.captions[29], str) and len(images.captions) == 30


@pytest.mark.parametrize("height, width, size", [(50, 40, 16), (9, 9, 24)])
def test_resizing_is_pillows_antialiased_bicubic_of_the_central_square(height, width, size):
    picture = np.random.default_rng(0).integers(90, 166, (height, width, 3), np.uint8)  # overshoots meet no end
    side = min(height, width)
    box = ((width - side) / 2, (height - side) / 2, (width + side) / 2, (height + side) / 2)
    theirs = PIL.Image.fromarray(picture).crop(box).resize((size, size), PIL.Image.Resampling.BICUBIC)
    ours = resized(picture, size).permute(1, 2, 0).numpy()
    # Pillow rounds 8-bit images after each of its two passes, ours is rounded once.
    assert np.abs(ours.astype(int) - np.asarray(theirs).astype(int)).max() <= 2
    assert np.abs(ours.astype(int) - np.asarray(theirs).astype(int)).mean() < 0.5


def test_shrinking_a_checkerboard_gives_grey_and_the_right_size_is_left_alone():
    board = np.indices((64, 64)).sum(axis=0) % 2 * 255
    picture = np.repeat(board[:, :, None], 3, axis=2).astype(np.uint8)
    inner = resized(picture, 16)[:, 2:-2, 2:-2]  # a filter without antialiasing would pick black or white
    assert (inner.float() - 127.5).abs().max() <= 1
    assert torch.equal(resized(picture, 64), torch.from_numpy(picture).permute(2, 0, 1))


def test_what_is_no_picture_is_named(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        open_images(str(tmp_path / "missing"))
    with pytest.raises(DataError, match="no images in it"):
        open_images(str(tmp_path))
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="a.png"):
        open_images(str(tmp_path)).batch(0, 1)
    with pytest.raises(DataError, match="minifaces"):
        open_images("minifaces:nonsense")


def test_a_download_has_captions_or_has_none_and_one_that_is_missing_is_told(tmp_path):
    data = write_cub(tmp_path)
    assert open_images(f"cub:{data}").captions[3] == "a bird with a long bill, told 0."
    (tmp_path / "text_c10" / f"{BIRDS[3]}.txt").write_text("\n")
    with pytest.raises(DataError, match="image 3 has no caption, and others have"):
        _ = open_images(f"cub:{data}").captions[3]
    (tmp_path / "text_c10").rename(tmp_path / "elsewhere")
    assert open_images(f"cub:{data}").captions is None
