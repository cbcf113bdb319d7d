"""CelebA-HQ read in place: captions and splits that lie in the release or beside it, and what is missing."""

import os
import pickle
from pathlib import Path

import pytest

from styleT2I.data.dataset import open_dataset
from styleT2I.data.releases.celebahq import CelebAHQ
from styleT2I.data.releases.checking import parts_of, refuse_incomplete
from styleT2I.errors import DataError
from tests.celebahq_release import ANNOTATIONS, ATTRIBUTES, INDICES, NAMES, write_release

STYLET2I = Path(os.environ.get("STYLET2I_SHARED", "/nonexistent")) / "data" / "stylet2i"


@pytest.fixture
def release(tmp_path):
    """Seven images, the captions and tables of others beside the folder."""
    folder = write_release(tmp_path / "CelebAMask-HQ")
    (tmp_path / "text").rename(tmp_path / "celeba-caption")
    flags = ["1"] * 2002
    flags[1] = "0"
    (tmp_path / "filter_mask.csv").write_text("\n".join(["filter_mask", *flags]))
    unseen = [f"{int(i == 2000)},{int(i in (3, 1999))}" for i in range(2002)]
    (tmp_path / "unseen_split.csv").write_text("\n".join(["unseen_test,unseen_valid", *unseen]))
    return folder


def names(spec):
    data = open_dataset(spec, 16)
    return [data.name_of(i) for i in range(len(data))]


def test_everything_is_read_where_it_lies(release):
    data = open_dataset(f"celebahq:{release}", 64)
    assert len(data) == len(INDICES) and data.attribute_names == NAMES and "hair" in data.region_names
    assert data.captions_of(4) == ("picture 1999.", "he smiles.")
    batch = data.batch([0, 1])
    assert batch.images_u8.shape == (2, 3, 64, 64) and batch.masks.any() and batch.attributes[:, 0].tolist() == [1, 1]
    assert names(f"celebahq:{release.parent}") == names(f"celebahq:{release}")  # the folder around it


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        ("train", ["00000", "00001", "00002"]),
        ("filtered-train", ["00000", "00002"]),
        ("val", ["00003", "01999"]),
        ("test", ["02000", "02001"]),
        ("unseen-test", ["02000"]),
        ("unseen-val", ["00003", "01999"]),
        ("train:2", ["00000", "00001"]),
    ],
)
def test_splits(release, split, expected):
    assert names(f"celebahq:{release}:{split}") == expected


def test_without_its_table_the_partition_is_that_of_celeba(release):
    (release.parent / "list_eval_partition.csv").unlink()
    rows = [(0, 162770), (1, 162771), (2, 182637), (3, 182638)]
    lines = ["idx  orig_idx  orig_file", *(f"{i}  {number - 1}  {number:06d}.jpg" for i, number in rows)]
    (release / "CelebA-HQ-to-CelebA-mapping.txt").write_text("\n".join(lines))
    found = [names(f"celebahq:{release}:{split}") for split in ("train", "val", "test")]
    assert found == [["00000"], ["00001", "00002"], ["00003"]]


@pytest.mark.skipif(not STYLET2I.is_dir(), reason="the authors' tables are not here")
def test_the_authors_tables_have_the_published_sizes(tmp_path):
    release = CelebAHQ(write_release(tmp_path / "CelebAMask-HQ"))
    release._places = [STYLET2I]
    sizes = {split: len(release._numbers_of(split)) for split in release.splits}
    assert sizes == {"train": 24183, "val": 2993, "test": 2824, "filtered-train": 23379, "filtered-val": 2886,
                     "filtered-test": 2751, "unseen-test": 1941, "unseen-val": 1874}  # fmt: skip


def test_the_authors_captions_are_those_of_the_unseen_images(release):
    pickled = release.parent / "novel_composition_caption_unseen_test_cached.pkl"
    pickled.write_bytes(pickle.dumps([["the man wears lipstick ", "a man"]], protocol=2))
    data = open_dataset(f"celebahq:{release}:unseen-test", 16)
    assert data.name_of(0) == "02000" and data.captions_of(0) == ("the man wears lipstick", "a man")
    assert open_dataset(f"celebahq:{release}:test", 16).captions_of(0) == ("picture 2000.", "he smiles.")
    found = {part.name: part.line() for part in parts_of(f"celebahq:{release}")}
    assert found["unseen captions"].startswith("unseen captions: incomplete, 1 of 1,941")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (pickle.dumps([["a"], ["b"]]), "captions of 2 images, and unseen_split.csv names 1"),
        (pickle.dumps({"a": 1}), "not a list of lists of captions"),
        (pickle.dumps([["a"]])[:-4], "cut off or damaged"),
        (b"cos\nsystem\n(S'true'\ntR.", "os.system"),
    ],
)
def test_authors_captions_that_do_not_fit_are_refused_and_nothing_in_them_is_run(release, content, told):
    (release.parent / "novel_composition_caption_unseen_test_cached.pkl").write_bytes(content)
    with pytest.raises(DataError) as error:
        open_dataset(f"celebahq:{release}:unseen-test", 16)
    assert told in str(error.value) and "\n" not in str(error.value)


def test_a_part_of_the_release_is_told_from_the_whole(release):
    found = {part.name: part.line() for part in parts_of(f"celebahq:{release}")}
    assert found["images"].startswith(
        "images: incomplete, 7 of 30,000; numbers without an image: 4, 5, 6 and 1,992 more"
    )
    assert found["parts of the face"].startswith("parts of the face: incomplete, 7 of 30,000; from https://github.com")
    assert all("\n" not in line for line in found.values())
    with pytest.raises(DataError, match="as listed above; get them again"):
        refuse_incomplete("celebahq", parts_of(f"celebahq:{release}"))


@pytest.mark.parametrize(
    ("spoil", "part", "told"),
    [
        (lambda f: (f.parent / "celeba-caption" / "3.txt").unlink(), "captions", "images without a file: 3"),
        (lambda f: (f.parent / "celeba-caption").rename(f.parent / "captions"), "captions", "no folder celeba-caption"),
        (lambda f: [p.unlink() for p in f.rglob("00002_*.png")], "parts of the face", "images without any: 2"),
        (lambda f: (f / ANNOTATIONS).rename(f / "CelebAMask-HQ-mask-ano"), "parts of the face", "did you mean"),
        (lambda f: (f / ATTRIBUTES).rename(f / "list_attr.txt"), "attributes", f"no {ATTRIBUTES}"),
        (lambda f: (f / ATTRIBUTES).write_text("1\nMale\n0.jpg 1"), "attributes", "without a row: 1, 2, 3 and 3 more"),
        (
            lambda f: (f.parent / "unseen_split.csv").write_text("a,b\n1,2\n"),
            "unseen split",
            "not a table with columns",
        ),
        (lambda f: (f.parent / "filter_mask.csv").unlink(), "filter", "no filter_mask.csv in"),
    ],
)
def test_what_is_missing_or_misnamed_is_one_line(release, spoil, part, told):
    spoil(release)
    found = {each.name: each for each in parts_of(f"celebahq:{release}")}[part]
    assert told in found.problem and "\n" not in found.line() and "from https://" in found.line()


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda f: (f / "CelebA-HQ-img").rename(f / "CelebA-HQ-imgs"), "did you mean 'CelebA-HQ-imgs'?"),
        (lambda f: (f / "CelebA-HQ-img" / "00003.png").write_bytes(b"x"), "are the same number"),
        (lambda f: (f.parent / "list_eval_partition.csv").unlink(), "no list_eval_partition.csv or CelebA-HQ-to"),
        (lambda f: (f / "CelebA-HQ-img" / "3.jpg").write_bytes(b"GIF89a"), "3.jpg: not an image"),
        (lambda f: (f.parent / "celeba-caption" / "3.txt").write_bytes(b"\xff\xfe"), "3.txt: not UTF-8"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(release, spoil, told):
    spoil(release)
    with pytest.raises(DataError) as error:
        open_dataset(f"celebahq:{release}:val", 16).batch([0])
    assert told in str(error.value) and "\n" not in str(error.value)
