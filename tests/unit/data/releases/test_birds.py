"""CUB-200-2011 and NABirds read in place: boxes, certainties, parts, captions, splits; what is missing is said."""

import pytest

from styleT2I.data.dataset import open_dataset
from styleT2I.data.releases.checking import damaged_images, parts_of, refuse_incomplete
from styleT2I.errors import DataError
from tests.bird_releases import BIRDS, NAMES, write_cub, write_nabirds


@pytest.fixture
def cub(tmp_path):
    return write_cub(tmp_path)


def test_images_are_cut_to_the_square_around_the_bird(cub):
    data = open_dataset(f"cub:{cub}", 30)
    batch = data.batch(range(4))
    assert len(data) == 4 and data.name_of(0) == BIRDS[0]
    assert batch.images_u8.float().mean() > 195  # the black border is outside the square


def test_an_attribute_counts_where_a_person_was_at_least_probably_certain(cub):
    data = open_dataset(f"cub:{cub}", 30)
    assert data.attribute_names == NAMES
    expected = [[image >= attribute for attribute in (1, 2, 3)] for image in (1, 2, 3, 4)]
    expected[2][1] = False  # image 3, attribute 2: guessed
    assert data.labels_of(range(4)).tolist() == expected
    assert data.release.certainties["3"].tolist() == [4, 2, 4]
    assert data.release.certainties["1"].tolist() == [4, -4, -4]


def test_the_bird_and_its_visible_parts_are_regions(cub):
    data = open_dataset(f"cub:{cub}", 60)  # the square has 60 pixels
    masks = dict(zip(data.region_names, data.batch([0]).masks[0], strict=True))
    assert masks["bird"].sum() == 20 * 40 and masks["bird"][20:40, 10:50].all()
    assert masks["bill"][30, 30] and 0 < masks["bill"].sum() < 20 * 20  # a disc around the point (40, 40) of the image
    assert not masks["eyes"].any() and not (masks["bill"] & ~masks["bird"]).any()


@pytest.mark.parametrize(("split", "rows"), [("train", [0, 1, 2]), ("test", [3]), ("seen", [0, 1, 2]), ("unseen", [3])])
def test_splits(cub, split, rows):
    data = open_dataset(f"cub:{cub}:{split}", 16)
    assert [data.name_of(i) for i in range(len(data))] == [BIRDS[i] for i in rows]
    assert len(open_dataset(f"cub:{cub}:{split}:1", 16)) == 1


def test_ten_captions_each(cub):
    data = open_dataset(f"cub:{cub}", 16)
    assert len(data.captions_of(2)) == 10 and data.captions_of(2)[3] == "a bird with a long bill, told 3."


def test_the_folder_around_it_may_be_named_too(cub):
    assert len(open_dataset(f"cub:{cub.parent}", 16)) == 4


def test_nabirds_is_images_alone(tmp_path):
    folder = write_nabirds(tmp_path)
    data = open_dataset(f"nabirds:{folder}:train", 16)
    assert len(data) == 1 and data.captions_of(0) == () and data.attribute_names == () and data.region_names == ()
    assert data.batch([0]).images_u8.float().mean() > 195
    assert len(open_dataset(f"nabirds:{tmp_path}", 16)) == 2


def test_the_parts_of_a_release_that_is_there_are_in_order_but_for_its_number(cub):
    parts = {part.name: part for part in parts_of(f"cub:{cub}")}
    assert not [part.problem for part in parts.values() if part.problem]
    assert parts["images"].line().startswith("images: incomplete, 4 of 11,788; from https://")
    assert {"attributes", "captions", "segmentations", "points of parts", "split", "boxes"} <= set(parts)


@pytest.mark.parametrize(
    ("spoil", "part", "told"),
    [
        (lambda f: (f / "images" / f"{BIRDS[1]}.jpg").unlink(), "images", "that are not there: 001.Black"),
        (lambda f: (f.parent / "text_c10" / f"{BIRDS[1]}.txt").unlink(), "captions", "without a file in text_c10"),
        (lambda f: (f.parent / "segmentations").rename(f.parent / "masks"), "segmentations", "no folder segmentations"),
        (lambda f: (f / "train_test_split.txt").rename(f / "train_test_splits.txt"), "split", "did you mean 'train_"),
        (lambda f: (f / "bounding_boxes.txt").write_text("1 2 3\n"), "boxes", "a row with 3 of 5 fields"),
        (lambda f: (f / "attributes/image_attribute_labels.txt").write_text("1 1 1 9 1\n"), "attributes", "line 1"),
        (lambda f: (f / "attributes/image_attribute_labels.txt").write_text("1 1 1 4 1\n"), "attributes", "each: 1, 2"),
    ],
)
def test_what_is_missing_or_damaged_is_one_line_of_the_check(cub, spoil, part, told):
    spoil(cub)
    found = {each.name: each for each in parts_of(f"cub:{cub}")}[part]
    assert told in found.problem and "\n" not in found.line() and found.state != "complete"


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda f: (f / "images.txt").unlink(), "has no images.txt"),
        (lambda f: (f / "images.txt").write_text("1 ../../secret.jpg\n"), "leaves the folder"),
        (lambda f: (f / "images.txt").write_text("1 a.jpg\n1 b.jpg\n"), "there twice"),
        (lambda f: (f / "images").rename(f / "image"), "did you mean 'image'? rename it to images"),
        (lambda f: (f.parent / "testclasses.txt").unlink(), "no testclasses.txt"),
        (lambda f: (f / "bounding_boxes.txt").write_text("1 900 900 10 10\n" * 4), "lies outside its image"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(cub, spoil, told):
    spoil(cub)
    with pytest.raises(DataError) as error:
        open_dataset(f"cub:{cub}:unseen", 16)
        open_dataset(f"cub:{cub}", 16).batch([0])
    assert told in str(error.value) and "\n" not in str(error.value)


def test_damaged_images_are_listed(cub):
    file = cub / "images" / f"{BIRDS[0]}.jpg"
    file.write_bytes(file.read_bytes()[:-40])
    (line,) = damaged_images(f"cub:{cub}")
    assert str(file) in line and "cut off" in line
    with pytest.raises(DataError, match="images, .* incomplete and 1 image damaged"):
        refuse_incomplete(f"cub:{cub}", parts_of(f"cub:{cub}"), [line])


def test_an_unknown_split_is_answered_with_the_nearest(cub):
    with pytest.raises(DataError, match="no split 'tests'; did you mean 'test'"):
        open_dataset(f"cub:{cub}:tests")
