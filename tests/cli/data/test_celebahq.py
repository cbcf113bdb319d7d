"""`python -m styleT2I.data.celebahq`: the released annotations in, a data set out that a segmenter trains on."""

import pytest
import torch
from click.testing import CliRunner

from styleT2I.data.celebahq.__main__ import main
from styleT2I.data.dataset import open_dataset
from styleT2I.data.releases.celebahq import PARTS
from styleT2I.formats.component import read_component
from styleT2I.networks.faces.region_sources import open_segmenter
from styleT2I.train_segmenter import main as train_segmenter
from tests.celebahq_release import ANNOTATIONS, ATTRIBUTES, INDICES, NAMES, write_release


@pytest.fixture
def release(tmp_path):
    """A release of seven images, with captions and a split beside it."""
    return write_release(tmp_path / "CelebAMask-HQ")


def convert(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_pictures_parts_and_attributes_become_a_data_set(release, tmp_path):
    result = convert(release, "--outdir", tmp_path / "set", "--resolution", 64)
    assert result.exit_code == 0, result.output
    data = open_dataset(tmp_path / "set")
    assert len(data) == len(INDICES) and data.resolution == 64 and not data.skipped
    assert data.region_names == tuple(PARTS) and data.attribute_names == NAMES
    assert [data.name_of(i) for i in (0, 4, 5)] == ["00000", "01999", "02000"]
    batch = data.batch(range(len(INDICES)))
    assert batch.attributes[:, 0].tolist() == [i < 2 for i in INDICES]
    assert [round(v) for v in batch.images_u8.float().mean(dim=(1, 2, 3)).tolist()] == [
        40 + i % 7 * 20 for i in INDICES
    ]


def test_parts_lie_where_they_were_annotated_and_may_overlap(release, tmp_path):
    convert(release, "--outdir", tmp_path / "set", "--resolution", 64)
    masks = dict(zip(PARTS, open_dataset(tmp_path / "set").batch([0, 1]).masks.unbind(1), strict=True))
    expected = torch.zeros(64, 64, dtype=torch.bool)
    expected[28:32, 20:28] = expected[28:32, 36:44] = True
    assert torch.equal(masks["eyes"][0], expected)
    assert masks["glasses"][0, 26:34, 18:46].all() and not masks["glasses"][1].any()  # an absent file is an absent part
    assert (masks["glasses"][0] & masks["eyes"][0]).any()
    assert masks["mouth"][0, 44:46, 26:38].all()  # each lip alone covers less than half of these pixels
    assert not masks["hat"].any()


def test_a_split_a_range_and_captions_can_be_chosen(release, tmp_path):
    split = ("--partition", tmp_path / "list_eval_partition.csv", "--split", "val")
    for extra, names in ((split, ["00003", "01999"]), (("--first", 2, "--num", 2), ["00002", "00003"])):
        result = convert(
            release, "--outdir", tmp_path / "set", "--resolution", 32, "--captions", tmp_path / "text", *extra
        )
        assert result.exit_code == 0, result.output
        data = open_dataset(tmp_path / "set")
        assert [data.name_of(i) for i in range(len(data))] == names
        assert data.captions_of(1) == (f"picture {int(names[1])}.", "he smiles.")


def test_a_segmenter_trains_on_the_annotations_and_finds_regions(release, tmp_path):
    convert(release, "--outdir", tmp_path / "set", "--resolution", 32)
    arguments = ["--outdir", tmp_path / "run", "--data", tmp_path / "set", "--eval-data", tmp_path / "set", "--device",
                 "cpu", "--steps", "2", "--batch", "4", "--resolution", "32", "--eval-every", "2"]  # fmt: skip
    result = CliRunner().invoke(train_segmenter, [str(a) for a in arguments])
    assert result.exit_code == 0, result.output
    assert tuple(read_component(tmp_path / "run" / "segmenter.json").config["region_names"]) == tuple(PARTS)
    finder = open_segmenter(tmp_path / "run" / "segmenter.json")
    finder.check(["around_eyes", "clothes"])
    assert finder(torch.zeros(1, 3, 32, 32), ["around_eyes"])[1].all()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / ANNOTATIONS).rename(folder / "masks"), "has no folder CelebAMask"),
        (lambda folder: [p.unlink() for p in folder.rglob("00002_*.png")], "no annotation 00002_"),
        (lambda folder: next(folder.rglob("00002_hair.png")).write_bytes(b"\x89PNG"), "00002_hair.png"),
        (lambda folder: (folder / "CelebA-HQ-img" / "3.jpg").write_bytes(b""), "3.jpg: the file is empty"),
        (lambda folder: (folder / ATTRIBUTES).write_text("2\nMale\n0.jpg 1 1"), "2 values for 1"),
        (lambda folder: (folder / ATTRIBUTES).write_text("1\nMale\n0.jpg 1"), "no row 1.jpg"),
    ],
)  # fmt: skip
def test_what_is_missing_or_damaged_is_named_in_one_line_and_nothing_written(release, tmp_path, spoil, message):
    spoil(release)
    result = convert(release, "--outdir", tmp_path / "set", "--resolution", 32)
    assert result.exit_code == 2 and message in result.output
    assert not (tmp_path / "set").exists() and not list(tmp_path.glob("tmp.*"))


def test_a_split_without_its_table_or_without_pictures_is_refused(release, tmp_path):
    assert "go together" in convert(release, "--outdir", tmp_path / "set", "--split", "val").output
    result = convert(release, "--outdir", tmp_path / "set", "--first", 5000)
    assert result.exit_code == 2 and "no images chosen; it has 0 to 2001" in result.output
    (tmp_path / "table.csv").write_text("image,part\n1,2\n")
    result = convert(release, "--outdir", tmp_path / "set", "--partition", tmp_path / "table.csv", "--split", "val")
    assert "not a table with columns idx and split" in result.output
