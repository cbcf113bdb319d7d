"""The folder that CelebAMask-HQ is released as (Lee et al., CVPR 2020), and its split.

CelebA-HQ-img/0.jpg ... 29999.jpg                 1024 x 1024
CelebAMask-HQ-mask-anno/0/00000_hair.png ...      512 x 512, white inside; a part that is not visible has no file;
                                                  folder k holds the images 2000 k ... 2000 k + 1999
CelebAMask-HQ-attribute-anno.txt                  a count, 40 names, then "0.jpg -1 1 ..."; may be absent
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from styleT2I.data.folder import resize_plane
from styleT2I.data.writer import pack_masks
from styleT2I.errors import DataError
from styleT2I.torch_utils.images import centre_crop_resize, decode_image

# Our parts, named as in MiniFaces, and the annotations they unite. Left and right are one part: a data set that is
# mirrored stays right, and 13 parts fit the 16 bits of a mask, where they may overlap (eyes behind glasses).
PARTS = {
    "hair": ("hair",),
    "skin": ("skin",),
    "eyes": ("l_eye", "r_eye"),
    "brows": ("l_brow", "r_brow"),
    "glasses": ("eye_g",),
    "nose": ("nose",),
    "mouth": ("mouth", "u_lip", "l_lip"),
    "ears": ("l_ear", "r_ear"),
    "earrings": ("ear_r",),
    "hat": ("hat",),
    "neck": ("neck",),
    "necklace": ("neck_l",),
    "clothes": ("cloth",),
}
SPLITS = {"train": 0, "val": 1, "test": 2}  # numbers in list_eval_partition.csv
_IMAGES, _MASKS, _ATTRIBUTES = "CelebA-HQ-img", "CelebAMask-HQ-mask-anno", "CelebAMask-HQ-attribute-anno.txt"
_PER_FOLDER = 2000
_CHUNK = 64  # images decoded at once


class CelebAMaskHQ:
    """Reads images, parts and attributes of a release; DataError says what is missing or damaged."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        for name in (_IMAGES, _MASKS):
            if not (self.folder / name).is_dir():
                raise DataError(f"{self.folder}: has no folder {name}; name the unpacked CelebAMask-HQ")
        self.indices = sorted(int(p.stem) for p in (self.folder / _IMAGES).glob("*.jpg") if p.stem.isdecimal())
        if not self.indices:
            raise DataError(f"{self.folder / _IMAGES}: no images 0.jpg, 1.jpg, ...; name the unpacked CelebAMask-HQ")
        self.attribute_names, self._attributes = _read_attributes(self.folder / _ATTRIBUTES)

    def samples(self, indices: Sequence[int], resolution: int, captions: Path | None = None) -> Iterator[tuple]:
        """Yield the images of the given numbers as `data.writer` takes them, cropped and resized to `resolution`.

        captions: folder of NUMBER.txt, one caption per line, as in Multi-Modal-CelebA-HQ; None for none.
        """
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for start in range(0, len(indices), _CHUNK):
                chunk = indices[start : start + _CHUNK]
                yield from pool.map(lambda index: self._sample(index, resolution, captions), chunk)

    def _sample(self, index, resolution, captions):
        path = self.folder / _IMAGES / f"{index}.jpg"
        image = torch.from_numpy(centre_crop_resize(_decode(path), resolution)).permute(2, 0, 1)
        texts = () if captions is None else _read_captions(Path(captions) / f"{index}.txt")
        if self.attribute_names and index not in self._attributes:
            raise DataError(f"{self.folder / _ATTRIBUTES}: no row {index}.jpg; complete the file or remove it")
        return f"{index:05d}", image, texts, self._attributes.get(index, ()), self._mask_bits(index, resolution), ()

    def _mask_bits(self, index, resolution):
        """Bits [resolution, resolution] of the parts of one image, in the order of PARTS."""
        folder = self.folder / _MASKS / str(index // _PER_FOLDER)
        bits = np.zeros((len(PARTS), resolution, resolution), bool)
        num_found = 0
        for k, names in enumerate(PARTS.values()):
            found = [p for p in (folder / f"{index:05d}_{name}.png" for name in names) if p.exists()]
            planes = [_decode(path).max(axis=2) > 127 for path in found]
            if len({plane.shape for plane in planes}) > 1:
                raise DataError(f"{found[0]}: is not as large as {found[1].name}; unpack the release again")
            if planes:  # united at full size, as a thin lip alone might cover less than half of every pixel
                bits[k] = resize_plane(np.logical_or.reduce(planes), resolution)
            num_found += len(found)
        if not num_found:
            raise DataError(f"{folder}: no annotation {index:05d}_*.png; is the release unpacked completely?")
        return pack_masks(torch.from_numpy(bits))


def indices_of_split(path: str | Path, split: str) -> set[int]:
    """Numbers of the images of "train", "val" or "test" in a list_eval_partition.csv with columns idx and split."""
    try:
        with open(path, newline="", encoding="utf-8") as f:
            return {int(row["idx"]) for row in csv.DictReader(f) if int(row["split"]) == SPLITS[split]}
    except (OSError, UnicodeDecodeError, KeyError, ValueError, TypeError) as error:
        raise DataError(f"{path}: not a table with columns idx and split (0, 1, 2): {error}") from error


def _decode(path):
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot read the image: {error.strerror or error}") from error
    return decode_image(data, path)


def _read_captions(path):
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot read the captions: {error}") from error
    return tuple(line.strip() for line in lines if line.strip())


def _read_attributes(path):
    """Return (attribute names, {number: values of -1 and 1}), both empty when the file is absent."""
    if not path.exists():
        return (), {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()[1:]
        names = tuple(lines[0].split())
        rows = [line.split() for line in lines[1:] if line.strip()]
        table = {int(Path(name).stem): tuple(map(int, values)) for name, *values in rows}
    except (OSError, UnicodeDecodeError, ValueError, IndexError) as error:
        raise DataError(f"{path}: not a count, a line of names and one row per image: {error}") from error
    wrong = next((index for index, values in table.items() if len(values) != len(names)), None)
    if wrong is not None:
        raise DataError(f"{path}: row {wrong}.jpg has {len(table[wrong])} values for {len(names)} names")
    return names, table
