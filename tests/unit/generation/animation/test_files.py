"""Video files, read back by Pillow and ffmpeg: frames, size, pace and endless repetition."""

import sys

import numpy as np
import pytest
from PIL import Image

from styleT2I.errors import ConfigError, OutputError
from styleT2I.generation.animation import files
from styleT2I.generation.animation.files import check_format, write_video
from styleT2I.generation.arguments import VIDEO_FORMATS


def frames(num=6, side=32):
    """A bright square that wanders over a coloured slope."""
    y, x = np.mgrid[:side, :side] * (200 // side)
    for k in range(num):
        frame = np.stack([x, y, np.full_like(x, 60)], axis=2).astype(np.uint8)
        frame[8:16, 2 + 4 * k : 8 + 4 * k] = 250
        yield frame


@pytest.mark.parametrize("kind, error, duration", [("webp", 8, 40), ("gif", 14, 40)])
def test_gif_and_webp_hold_every_frame_and_repeat(kind, error, duration, tmp_path):
    write_video(tmp_path / f"film.{kind}", frames(), 25)
    film = Image.open(tmp_path / f"film.{kind}")
    assert (film.n_frames, film.info["loop"], film.size) == (6, 0, (32, 32))
    for k, truth in enumerate(frames()):
        film.seek(k)
        assert np.abs(np.asarray(film.convert("RGB")).astype(int) - truth).mean() < error
        assert film.info["duration"] == duration


def test_mp4_holds_every_frame(tmp_path):
    ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="MP4 needs the extra video")
    write_video(tmp_path / "film.mp4", frames(side=64), 25)
    reader = ffmpeg.read_frames(str(tmp_path / "film.mp4"))
    about = next(reader)
    read = [np.frombuffer(frame, np.uint8).reshape(64, 64, 3) for frame in reader]
    assert (about["size"], about["fps"], about["codec"], len(read)) == ((64, 64), 25, "h264", 6)
    assert max(np.abs(a.astype(int) - b).mean() for a, b in zip(read, frames(side=64), strict=True)) < 8


def test_what_cannot_be_written_is_said_before_anything_is_drawn(monkeypatch, tmp_path):
    check_format("webp", 120, 800, 400)
    with pytest.raises(ConfigError, match="lie in memory"):
        check_format("gif", 100_000, 800, 400)
    with pytest.raises(ConfigError, match="avi"):
        check_format("avi", 2, 8, 8)
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(ConfigError, match=r"styleT2I\[video\]"):
        check_format("mp4", 2, 8, 8)
    with pytest.raises(OutputError, match="cannot be written"):
        write_video(tmp_path / "absent" / "film.webp", frames(), 25)
    assert set(files._WRITERS) == set(VIDEO_FORMATS)
