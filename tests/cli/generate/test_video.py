"""`python -m styleT2I.video`: its files, and every user error as one line with exit status 2 and nothing written."""

import json

import pytest
from click.testing import CliRunner
from PIL import Image

from styleT2I.video import main
from tests.tiny_model import write_tiny_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_model(tmp_path_factory.mktemp("tiny"))


def video(folder, outdir, name, *arguments):
    shared = ("--model", str(folder), "--device", "cpu", "--frames", "4", "--size", "16", "--outdir", str(outdir))
    return CliRunner().invoke(main, [name, *shared, *arguments])


@pytest.mark.parametrize(
    "name, arguments, size",
    [
        ("walk", ("--seeds", "0-1", "--seeds", "2,5"), (32, 16)),
        ("sentences", ("--text", "she is smiling", "--seeds", "0-2", "--columns", "1"), (16, 48)),
        ("sentences", ("--text", "a hat", "--text", "old", "--no-from-face", "--adjust-method", "none"), (32, 32)),
        ("sweep", ("--set", "hat", "--set", "young", "--seeds", "0-2", "--no-labels"), (48, 32)),
        ("sweep", ("--set", "hat", "--seeds", "0", "--range", "0", "2", "--format", "gif"), (16, 36)),
    ],
)
def test_each_video_is_a_file_and_the_record_to_make_it_again(folder, tmp_path, name, arguments, size):
    result = video(folder, tmp_path / "out", name, *arguments)
    assert result.exit_code == 0, result.output
    kind = "gif" if "gif" in arguments else "webp"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(["video.json", f"video.{kind}"])
    film = Image.open(tmp_path / "out" / f"video.{kind}")
    assert (film.size, film.n_frames) == (size, 4)
    record = json.loads((tmp_path / "out/video.json").read_text())
    assert (record["width"], record["height"], record["frames"]) == (*size, 4)
    assert record["command"].startswith("python -m styleT2I.video")
    assert "generator" in record["model"]["components"]


@pytest.mark.parametrize(
    "name, arguments, named",
    [
        ("walk", ("--seeds", "3"), "two or more"),
        ("walk", ("--seeds", "0-5"), "6 stops"),
        ("walk", ("--seeds", "0-1", "--size", "5000"), "2048"),
        ("walk", ("--seeds", "0-1", "--frames", "90000", "--size", "2048"), "--format mp4"),
        ("sentences", ("--text", "she is smiling", "--no-from-face"), "another --text"),
        ("sentences", ("--text", "xyzzy"), "xyzzy"),
        ("sentences", ("--text", "a hat", "--adjust-method", "magic"), "magic"),
        ("sweep", ("--set", "hatt"), "hat"),
        ("sweep", ("--set", "hat", "--range", "1", "-1"), "backwards"),
        ("sweep", ("--seeds", "0"), "--set"),
    ],
)
def test_errors_are_one_line(folder, tmp_path, name, arguments, named):
    result = video(folder, tmp_path / "out", name, *arguments)
    assert result.exit_code == 2 and named in result.output, result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())
