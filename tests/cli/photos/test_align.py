"""`align`: faces out of photos, the record by which they go back, and one line for what cannot be done."""

import json

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from styleT2I.align import main
from styleT2I.photos.alignment import Crop

POINTS = [[130, 110], [170, 110], [150, 135], [136, 160], [164, 160]]


@pytest.fixture
def photo(tmp_path):
    y, x = np.mgrid[:240, :320]
    pixels = np.stack([x % 256, y % 256, (x + y) % 256], axis=2).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "photo.png"), pixels)
    (tmp_path / "points.json").write_text(json.dumps([POINTS]))
    return tmp_path


def align(folder, *arguments):
    given = [str(folder / "photo.png"), "--landmarks", str(folder / "points.json"), "--outdir", str(folder / "out")]
    return CliRunner().invoke(main, [*(arguments or given), "--device", "cpu"])


def test_a_face_is_cut_out_and_recorded(photo):
    result = align(photo)
    assert result.exit_code == 0, result.output
    record = json.loads((photo / "out" / "align.json").read_text())
    (face,) = record["faces"]
    assert face["file"] == "photo-0.png" and record["files"] == ["photo-0.png"] and len(face["sha256"]) == 64
    corners = np.array(face["corners"])
    assert np.linalg.norm(corners[1] - corners[0]) == pytest.approx(2 * 50 * 1.8, abs=0.01)
    image = cv2.imread(str(photo / "out" / "photo-0.png"))
    assert image.shape == (256, 256, 3)
    crop = Crop(tuple(corners.mean(axis=0)), tuple((corners[1] - corners[0]) / 2), tuple((corners[3] - corners[0]) / 2))
    x, y = crop.to_photo(np.array([[128.5, 128.5]]), 256)[0]
    assert abs(int(image[128, 128, 0]) - x) < 2 and abs(int(image[128, 128, 1]) - y) < 2
    assert align(photo).exit_code == 0  # the same request again


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["{}/nosuch.jpg", "--landmarks", "{}/points.json"], "nosuch.jpg"),
        (["{}/points.json", "--landmarks", "{}/points.json"], "not a picture|not an image"),
        (["{}/photo.png", "--landmarks", "{}/photo.png"], "photo.png"),
        (["{}/photo.png", "--landmarks", "{}/far.json"], "outside"),
        (["{}/photo.png", "--landmarks", "{}/points.json", "--face", "1"], "0 to 0"),
        (["{}/photo.png", "--landmarks", "{}/points.json", "--detector", "{}/points.json"], "leave one"),
        (["{}/photo.png", "{}/other.png", "--landmarks", "{}/points.json"], "one photo"),
        (["{}/photo.png", "{}/sub/photo.png"], "same name"),
        (["{}/photo.png", "--detector", "{}/points.json"], "points.json"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_leaves_nothing(photo, arguments, text):
    (photo / "far.json").write_text(json.dumps((np.array(POINTS) + 5000).tolist()))
    given = [argument.replace("{}", str(photo)) for argument in arguments]
    result = align(photo, *given, "--outdir", str(photo / "new"))
    assert result.exit_code == 2 and not (photo / "new").exists()
    import re

    assert re.search(text, result.output.strip().splitlines()[-1])


def test_yunet_by_name_says_where_it_comes_from(photo, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    result = align(photo, "photo.png", "--detector", "yunet", "--offline", "--outdir", str(tmp_path / "faces"))
    assert result.exit_code == 2 and "Traceback" not in result.output
    assert "opencv_zoo" in result.output and "save it as" in result.output
    assert not (tmp_path / "faces").exists()
