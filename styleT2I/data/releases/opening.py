"""Opening a downloaded data set by its specification."""

from __future__ import annotations

import importlib
import io

import PIL.Image

from styleT2I.data.releases.reading import ReleaseData
from styleT2I.data.releases.release import Release
from styleT2I.data.releases.specs import RELEASES, Spec, read_spec
from styleT2I.errors import DataError
from styleT2I.torch_utils.images import check_image

__all__ = ["open_release", "release_of"]


def release_of(spec: str) -> tuple[Release, Spec]:
    """The reader that a specification names, and the specification; DataError where the release is not there."""
    kind = str(spec).partition(":")[0]
    module, _, name = RELEASES[kind].partition(":")
    reader = getattr(importlib.import_module(f"styleT2I.data.releases.{module}"), name)
    asked = read_spec(spec, reader.splits)
    release = reader(asked.folder)
    release.check_split(asked.split)
    return release, asked


def open_release(spec: str, resolution: int | None = None, *, with_masks: bool = True) -> ReleaseData:
    """Open a downloaded data set, to be read where it lies.

    Args:
        spec: KIND:FOLDER[:SPLIT][:NUM], the kinds as in RELEASES.
        resolution: Side of the images in pixels; None: the release's own choice.
        with_masks: False where no masks are read.

    Raises:
        DataError: The release, or the table of its split, is missing or damaged.
    """
    release, asked = release_of(spec)
    records = release.records(asked.split)[: asked.num]
    if not records:
        raise DataError(f"{spec}: no images in it; python -m styleT2I.dataset check {spec} says what is missing")
    side = resolution or release.resolution or _first_side(release, records[0])
    return ReleaseData(release, records, side, with_masks=with_masks)


def _first_side(release, record):
    """The side of the first image, where that is square and a power of 2; else 256."""
    data = release.read(record)
    check_image(data, release.where(record))
    with PIL.Image.open(io.BytesIO(data)) as header:
        width, height = header.size
    return width if width == height >= 8 and width.bit_count() == 1 else 256
