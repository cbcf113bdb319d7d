"""Video files that loop: GIF and WebP with Pillow, MP4 (H.264) with imageio-ffmpeg where it is installed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from styleT2I.errors import ConfigError, OutputError
from styleT2I.generation.arguments import VIDEO_FORMATS

MAX_PIXELS = 1 << 29  # of all frames of a GIF or WebP, which lie in memory until the last is there
_QUALITY = 88  # of WebP: hair stays hair


def check_format(name: str, num_frames: int, width: int, height: int) -> None:
    """ConfigError where a file of this kind and size cannot be written here: found before anything is drawn."""
    if name not in VIDEO_FORMATS:
        raise ConfigError(f"unknown video format {name!r}; known: {', '.join(VIDEO_FORMATS)}")
    if name == "mp4":
        _ffmpeg()
    elif num_frames * width * height > MAX_PIXELS:
        raise ConfigError(
            f"{num_frames} frames of {width} x {height} pixels are too many for {name}, whose frames all lie in "
            "memory; take --format mp4, a smaller --size or fewer --frames"
        )


def write_video(path: str | Path, frames: Iterable[np.ndarray], fps: float) -> None:
    """Write frames [H, W, 3] uint8 RGB as the kind of file that the name says; GIF and WebP repeat for ever.

    Args:
        path: NAME.webp, NAME.gif or NAME.mp4.
        frames: One after the other, all of one size, its sides even for MP4.
        fps: Frames per second. GIF and WebP count in 10 and 1 ms, so that 30 becomes 33.3 in a GIF.

    Raises:
        ConfigError: imageio-ffmpeg is missing, for MP4.
        OutputError: The file cannot be written.
    """
    path = Path(path)
    try:
        _WRITERS[path.suffix[1:]](path, iter(frames), fps)
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"{path}: cannot be written ({reason}); look at the disk and rights") from error


def _write_webp(path, frames, fps):
    from PIL import Image

    first, *others = [Image.fromarray(frame) for frame in frames]
    first.save(
        path, save_all=True, append_images=others, duration=round(1000 / fps), loop=0, quality=_QUALITY, method=4
    )


def _write_gif(path, frames, fps):
    from PIL import Image

    # One palette for all frames: colours that are chosen anew for each flicker.
    images = [Image.fromarray(frame) for frame in frames]
    shown = images[:: max(1, len(images) // 8)]
    sheet = Image.new("RGB", (sum(image.width for image in shown), images[0].height))
    for k, image in enumerate(shown):
        sheet.paste(image, (k * image.width, 0))
    palette = sheet.quantize(256, method=Image.Quantize.MEDIANCUT)
    made = [image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG) for image in images]
    made[0].save(
        path, save_all=True, append_images=made[1:], duration=max(20, round(100 / fps) * 10), loop=0, optimize=False
    )


def _write_mp4(path, frames: Iterator[np.ndarray], fps):
    first = next(frames)
    height, width = first.shape[:2]
    writer = _ffmpeg().write_frames(
        str(path), (width, height), fps=fps, codec="libx264", quality=8, macro_block_size=2, pix_fmt_out="yuv420p",
        output_params=["-movflags", "+faststart"], ffmpeg_log_level="error",
    )  # fmt: skip
    writer.send(None)
    try:
        writer.send(np.ascontiguousarray(first))
        for frame in frames:
            writer.send(np.ascontiguousarray(frame))
    finally:
        writer.close()


def _ffmpeg():
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise ConfigError(
            "MP4 needs imageio-ffmpeg: pip install 'styleT2I[video]', or take --format webp or gif"
        ) from error
    return imageio_ffmpeg


_WRITERS = {"webp": _write_webp, "gif": _write_gif, "mp4": _write_mp4}
