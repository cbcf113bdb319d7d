"""A photo with one face in it: the face as a generator expects it, and the photo with an edited face in its place."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from styleT2I.config import read_bytes
from styleT2I.errors import DataError
from styleT2I.photos.alignment import Crop, cut
from styleT2I.photos.faces import Face, Finder, choose_face
from styleT2I.photos.putting_back import changed_regions, put_back
from styleT2I.torch_utils.images import MAX_BYTES, decode_image

__all__ = ["Photo", "framed", "open_photo"]

_COUNTED = 128  # brightness of a mask's pixel, from which on it must not count


@dataclass(frozen=True)
class Photo:
    """A photo's pixels [H, W, 3] uint8, its face's square, and that square as the generator expects it."""

    path: Path
    sha256: str  # of the file
    pixels: np.ndarray
    crop: Crop
    face: Face | None  # None: the photo is a face cut out already
    aligned_u8: Tensor  # [3, R, R] uint8
    weight: Tensor | None = None  # [1, R, R] from 0, what must not count, to 1; None: all counts

    def with_face(self, before_u8: Tensor, after_u8: Tensor, allowed: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The photo [3, H, W] uint8 with an edit of its face, and where it is from the edit, [1, R, R] uint8.

        before_u8, after_u8: [3, R, R] uint8, the face as the generator draws it without and with the edit. allowed:
        bool [R, R], the regions that the edit may touch; None: all. Bytes outside the regions are the photo's own.
        """
        before, after = (image.permute(1, 2, 0).numpy() for image in (before_u8, after_u8))
        mask = changed_regions(before, after, None if allowed is None else allowed.numpy())
        pixels = put_back(self.pixels, after, self.crop, mask)
        shown = torch.from_numpy(np.rint(mask * 255).astype(np.uint8)).unsqueeze(0)
        return torch.from_numpy(pixels).permute(2, 0, 1).contiguous(), shown

    def describe(self) -> dict:
        """What a record says of it."""
        place = {"aligned": True} if self.face is None else {"aligned": False, **self.face.describe()}
        return {"file": str(self.path), "sha256": self.sha256, **place}


def open_photo(
    path: str | Path,
    resolution: int,
    finder: Finder | None,
    index: int | None = None,
    mask: str | Path | None = None,
) -> Photo:
    """Read a photo of any common kind and cut its face out.

    Args:
        path: It is turned as its EXIF says; transparency is dropped, grey becomes RGB.
        resolution: Of the generator, pixels.
        finder: Who finds faces; None: the photo is a face cut out already, and square.
        index: Of the face by size, from 0; None: the largest.
        mask: An image of the photo's size, white where nothing counts for an inversion.

    Raises:
        DataError: The photo or the mask cannot be read, or there is no such face.
    """
    data = read_bytes(path, DataError, MAX_BYTES)
    pixels = decode_image(data, path)
    face = None if finder is None else choose_face(finder.find(pixels, path), index, str(path))
    photo = framed(path, hashlib.sha256(data).hexdigest(), pixels, face, resolution)
    if mask is None:
        return photo
    return replace(photo, weight=_weight(mask, pixels.shape, photo.crop, resolution))


def framed(path: str | Path, sha256: str, pixels: np.ndarray, face: Face | None, resolution: int) -> Photo:
    """The photo of pixels [H, W, 3] uint8 that were read already, with its face; None: it is a face, and square.

    path, sha256: of the file, for records and messages. Raises DataError where such a photo is not square.
    """
    if face is None:
        height, width = pixels.shape[:2]
        if height != width:
            raise DataError(f"{path}: {width} x {height} pixels; a face that is cut out already is square: leave "
                            "--aligned out")  # fmt: skip
        crop = Crop((width / 2, height / 2), (width / 2, 0.0), (0.0, height / 2))
    else:
        crop = face.crop
    aligned = torch.from_numpy(cut(pixels, crop, resolution)).permute(2, 0, 1).contiguous()
    return Photo(Path(path), sha256, pixels, crop, face, aligned)


def _weight(mask, shape, crop, resolution):
    """[1, R, R]: 1 where the mask is dark, 0 where it is white."""
    pixels = decode_image(read_bytes(mask, DataError, MAX_BYTES), mask)
    if pixels.shape != shape:
        raise DataError(f"{mask}: {pixels.shape[1]} x {pixels.shape[0]} pixels, but the photo has "
                        f"{shape[1]} x {shape[0]}; a mask lies over its photo")  # fmt: skip
    hidden = cut(((pixels >= _COUNTED) * 255).astype(np.uint8), crop, resolution)[:, :, 0] / 255
    weight = torch.from_numpy(1 - hidden).float().unsqueeze(0)
    if weight.sum() < 1:
        raise DataError(f"{mask}: it is white all over the face, so nothing is left to count")
    return weight
