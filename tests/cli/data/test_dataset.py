"""`python -m styleT2I.dataset`: a download is checked, described and turned into a folder."""

import json
import tarfile

import pytest
from click.testing import CliRunner

from styleT2I.data.dataset import open_dataset
from styleT2I.dataset import main
from tests.bird_releases import BIRDS, write_cub
from tests.celebahq_release import write_release
from tests.conftest import ROOT

EXAMPLE = ROOT / "docs" / "he-is-wearing-lipstick.png"


@pytest.fixture
def release(tmp_path):
    return write_release(tmp_path / "CelebAMask-HQ")


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_check_says_one_line_for_each_part_and_damaged_image(release):
    file = release / "CelebA-HQ-img" / "3.jpg"
    file.write_bytes(file.read_bytes()[:100])
    result = invoke("check", f"celebahq:{release}")
    lines = result.output.splitlines()
    assert result.exit_code == 2 and lines[0].startswith("images: incomplete, 7 of 30,000")
    assert f"damaged: {file}: not an image" in result.output  # beside the progress that stderr shows
    assert lines[-1].startswith("error: celebahq:") and "1 image damaged" in lines[-1]
    assert "damaged" not in invoke("check", f"celebahq:{release}", "--quick").output


def test_a_part_that_is_missing_altogether_is_told_and_no_error(tmp_path):
    with tarfile.open(tmp_path / "0.tar", "w") as archive:
        archive.add(EXAMPLE, "000.png")
    result = invoke("check", f"webdataset:{tmp_path}")
    assert result.exit_code == 0 and "captions: missing; images without a .txt or .json: 000" in result.output


def test_check_refuses_what_is_no_download(tmp_path):
    result = invoke("check", "minifaces:biased/test:4")
    assert result.exit_code == 2 and "is no download (celebahq, cub" in result.output


def test_convert_writes_the_folder_that_trainings_read(tmp_path):
    folder = write_cub(tmp_path)
    result = invoke("convert", f"cub:{folder}:seen", "--outdir", tmp_path / "set", "--resolution", 32)
    assert result.exit_code == 0 and "3 images in" in result.output, result.output
    made, there = open_dataset(tmp_path / "set"), open_dataset(f"cub:{folder}:seen", 32)
    assert made.name_of(0) == BIRDS[0].replace("/", "_") and made.captions_of(0) == there.captions_of(0)
    one, other = made.batch(range(3)), there.batch(range(3))
    assert (one.images_u8 == other.images_u8).all() and (one.masks == other.masks).all()
    assert (one.attributes == other.attributes).all() and made.region_names == there.region_names


def test_convert_of_a_damaged_release_writes_nothing(release, tmp_path):
    (release / "CelebA-HQ-img" / "2000.jpg").write_bytes(b"")
    result = invoke("convert", f"celebahq:{release}", "--outdir", tmp_path / "set", "--resolution", 16)
    assert result.exit_code == 2 and "2000.jpg: the file is empty" in result.output
    assert not (tmp_path / "set").exists() and not list(tmp_path.glob("tmp.*"))


def test_convert_takes_any_data_and_refuses_a_foreign_folder(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    assert "holds other files" in invoke("convert", "minifaces:biased/test:2", "--outdir", tmp_path / "mine").output
    assert invoke("convert", "minifaces:biased/test:2", "--outdir", tmp_path / "two", "--no-masks").exit_code == 0
    assert len(open_dataset(tmp_path / "two")) == 2 and not (tmp_path / "two" / "masks").exists()


def test_report_is_a_page_and_a_table_of_the_same(release, tmp_path):
    (tmp_path / "text").rename(tmp_path / "celeba-caption")
    result = invoke("report", f"celebahq:{release}", "--outdir", tmp_path / "report")
    assert result.exit_code == 0, result.output
    page = (tmp_path / "report" / "index.html").read_text()
    for told in ("celebahq:", "parts of the face", "picture 0. / he smiles.", "Male", "28.57\u00a0%", "data:image/png"):
        assert told in page
    about = json.loads((tmp_path / "report" / "dataset-report.json").read_text())
    assert about["num"] == 7 and about["num_captions"] == 14 and about["rates"]["Male"] == pytest.approx(2 / 7)
    assert about["parts"][0]["state"] == "incomplete"


def test_a_report_of_a_damaged_release_writes_nothing(release, tmp_path):
    (release / "CelebA-HQ-img" / "2001.jpg").write_bytes(b"")
    result = invoke("report", f"celebahq:{release}", "--outdir", tmp_path / "report")
    assert result.exit_code == 2 and "2001.jpg" in result.output
    assert not list((tmp_path / "report").glob("*") if (tmp_path / "report").exists() else [])
