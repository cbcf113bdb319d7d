"""An ordinary image-caption-attribute-mask data set in a folder, or in a zip of one (docs/data-folders.md).

    images/NAME.png|jpg|...   images of any size and kind; sub-folders are part of NAME
    captions.json             {"NAME": ["a caption", ...]} or {"NAME": "a caption"}; or text/NAME.txt, one per line
    attributes.csv            header `file,ATTRIBUTE,...`, one row per image, values 0/1 or -1/1
    masks/NAME.png            16-bit, bit k set where region k is; or an index map (grey or palette), value k = region k
    masks/regions.json        {"encoding": "bits"|"index", "regions": [...]}
    nuisances.csv             header `file,NUISANCE,...`, one row per image, real numbers
    dataset.json              name, resolution and what else is known; written by `data.writer`

Everything but the images may be absent, images/ too: the images are then all that lie in the folder. The `file`
column and the keys hold NAME or the image's file name.
"""

import csv
import io
import math
import warnings
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
import PIL.Image
import torch

from styleT2I.config import parse_json
from styleT2I.data.cached_images import CACHE_BYTES, CachedImages
from styleT2I.data.dataset import Batch
from styleT2I.data.image_files import ImageFiles, open_image_files
from styleT2I.errors import DataError, guarded
from styleT2I.torch_utils.images import centre_crop_resize, check_image, decode_image

ENCODINGS = ("bits", "index")
MAX_RESOLUTION = 8192
_REMEDY = "repair or remove it"


class FolderDataset(CachedImages):
    """Reader of the layout above: images cropped to their central square and resized to `resolution`.

    Samples that cannot be used are left out and named, with the reason, in `skipped` and in one warning. More of them
    than `max_skipped` (by default 5 % or 10, whichever is more) raise DataError. Decoded images and masks stay in
    memory as integers until `cache_bytes` is reached.
    """

    def __init__(
        self, folder, resolution: int | None = None, *, max_skipped: int | None = None, cache_bytes=CACHE_BYTES
    ):
        super().__init__(cache_bytes)
        self.folder, self._files = Path(folder), open_image_files(folder)
        if not self._files.images:
            raise DataError(f"{self.folder}: no images; put them into images/, or into a folder of images alone")
        self.resolution = self._checked_resolution(resolution or _read_json(self._files, "dataset.json", {}))
        self._captions = _read_json(self._files, "captions.json", None)
        self.attribute_names, self._attributes = _read_table(self._files, "attributes.csv")
        self.nuisance_names, self._nuisances = _read_table(self._files, "nuisances.csv")
        self._encoding, self.region_names = _read_regions(self._files, "masks/regions.json")
        self.skipped = {}
        self._samples = []  # (image below its root, captions, attribute row, nuisance row)
        self._scan(max_skipped)

    def __len__(self):
        return len(self._samples)

    def captions_of(self, index: int) -> tuple[str, ...]:
        """Return the captions of one sample; empty when the data set has none."""
        return self._samples[index][1]

    def labels_of(self, indices: Sequence[int]) -> torch.Tensor:
        """Return bool [N, A] of the given samples; A is 0 where the data set has no attributes."""
        rows = [self._samples[i][2] for i in indices] if self.attribute_names else [()] * len(indices)
        return torch.tensor(rows).reshape(len(indices), len(self.attribute_names)) > 0

    def name_of(self, index: int) -> str:
        """Return the NAME of one sample: its path below images/ without the suffix."""
        return _name(self._samples[index][0])

    def batch(self, indices: Sequence[int]) -> Batch:
        """Return the samples of the given indices; raises DataError naming an image that proves undecodable."""
        batch = super().batch(indices)
        if self.nuisance_names:
            batch.nuisances = torch.tensor([self._samples[i][3] for i in indices], dtype=torch.float32)
        return batch

    def _checked_resolution(self, given):
        """The resolution given, or dataset.json's; else the side of the first image, where that is a power of 2."""
        if isinstance(given, dict):
            given = given.get("resolution", self._first_side())
        if given is None:
            raise DataError(f"{self.folder}: no dataset.json names the resolution; give one")
        if not isinstance(given, int) or isinstance(given, bool) or not 1 <= given <= MAX_RESOLUTION:
            raise DataError(f"{self.folder}: resolution {given!r}; it is an integer from 1 to {MAX_RESOLUTION}")
        return given

    def _first_side(self):
        first = self._files.images[0]
        with guarded(self._files.image_path(first), "not an image; replace or remove it", DataError):
            data = self._files.read_image(first)
            check_image(data, self._files.image_path(first))
            with PIL.Image.open(io.BytesIO(data)) as header:
                width, height = header.size
        return width if width == height >= 8 and width.bit_count() == 1 else None

    def _scan(self, max_skipped):
        """Find the usable samples: files checked by header and completeness, tables matched, the rest named."""
        files, seen = self._files.images, set()
        for image in files:
            name = _name(image)
            try:
                if name in seen:
                    raise DataError(f"{self._where(image)}: another image has the same name; rename one")
                self._samples.append(self._sample(image, name))
                seen.add(name)
            except DataError as error:
                self.skipped[image] = str(error)
        limit = max(10, len(files) // 20) if max_skipped is None else max_skipped
        if not self.skipped:
            return
        reasons = "; ".join(list(self.skipped.values())[:3])
        text = f"{self.folder}: {len(self.skipped)} of {len(files)} images cannot be used, the first: {reasons}"
        if len(self.skipped) > limit or not self._samples:
            raise DataError(f"{text}; repair or remove them (at most {limit} are skipped)")
        warnings.warn(text, stacklevel=3)

    def _sample(self, image, name):
        path, keys = self._where(image), (name, image)
        check_image(self._files.read_image(image), path)
        if self.region_names and not self._files.has(_mask(name)):
            raise DataError(f"{path}: no mask {self._files.path(_mask(name)).name}")
        attributes = _row(self._attributes, keys, self.folder / "attributes.csv")
        if any(v not in (-1, 0, 1) for v in attributes):
            raise DataError(f"{path}: its row in attributes.csv holds other values than -1, 0 and 1")
        nuisances = _row(self._nuisances, keys, self.folder / "nuisances.csv")
        return image, self._find_captions(keys, path), attributes, nuisances

    def _find_captions(self, keys, path):
        text = f"text/{keys[0]}.txt"
        if self._captions is not None:
            captions = next((self._captions[k] for k in keys if k in self._captions), ())
        elif self._files.has_texts:
            captions = self._files.read_text(text).splitlines() if self._files.has(text) else ()
        else:
            return ()
        captions = [captions] if isinstance(captions, str) else captions
        if not isinstance(captions, (list, tuple)) or not all(isinstance(c, str) for c in captions):
            raise DataError(f"{path}: its captions are not a text or a list of texts")
        captions = tuple(c.strip() for c in captions if c.strip())
        if not captions:
            raise DataError(f"{path}: no caption; add one or remove the image")
        return captions

    def _decoded(self, index):
        file = self._samples[index][0]
        decoded = decode_image(self._files.read_image(file), self._where(file))
        mask = self._region_bits(_name(file)) if self.region_names else None
        return centre_crop_resize(decoded, self.resolution), mask

    def _region_bits(self, name):
        path, data = self._files.path(_mask(name)), self._files.read(_mask(name))
        check_image(data, path)
        with guarded(path, "the mask is damaged; replace or remove it", DataError):
            with PIL.Image.open(io.BytesIO(data), formats=("PNG",)) as image:  # OpenCV turns indices into colours
                values = np.asarray(image)
        if values.ndim != 2:
            raise DataError(f"{path}: a mask has one channel, this has {values.shape[2]}")
        values = values.astype(np.uint32)
        bits = np.zeros((self.resolution, self.resolution), np.uint32)
        for k in range(len(self.region_names)):
            plane = values == k if self._encoding == "index" else (values >> k) & 1
            bits |= resize_plane(plane, self.resolution).astype(np.uint32) << k
        return bits

    def _where(self, image):
        return self._files.image_path(image)


def _name(image):
    """NAME of an image: its path below its root without the extension."""
    return PurePosixPath(image).with_suffix("").as_posix()


def _mask(name):
    return f"masks/{name}.png"


def resize_plane(plane, resolution):
    """Return the bool plane [H, W] cropped and resized like its image; a pixel is set when half of it is."""
    height, width = plane.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = plane[top : top + side, left : left + side].astype(np.float32)
    if side != resolution:
        method = cv2.INTER_AREA if side > resolution else cv2.INTER_LINEAR
        square = cv2.resize(square, (resolution, resolution), interpolation=method)
    return square >= 0.5


def _read_json(files: ImageFiles, name, default):
    if not files.has(name):
        return default
    return parse_json(files.read_text(name), files.path(name), DataError, remedy=_REMEDY)


def _read_regions(files: ImageFiles, name):
    value = _read_json(files, name, {"encoding": "bits", "regions": []})
    encoding, regions = value.get("encoding"), value.get("regions")
    is_list = isinstance(regions, list) and all(isinstance(region, str) for region in regions)
    if encoding not in ENCODINGS or not is_list or len(set(regions)) < len(regions) or len(regions) > 32:
        raise DataError(
            f'{files.path(name)}: needs {{"encoding": "bits" or "index", "regions": [at most 32 different names]}}'
        )
    return encoding, tuple(regions)


def _read_table(files: ImageFiles, name):
    """Return (column names, {file: tuple of floats}) of a CSV file, both empty when it is absent."""
    if not files.has(name):
        return (), None
    path, rows = files.path(name), {}
    try:
        reader = csv.reader(io.StringIO(files.read_text(name), newline=""))
        header = next(reader, [])
        for column in header[1:]:
            if header.count(column) > 1 or not column.strip():
                raise ValueError(f"the header has the column {column[:80]!r} twice, or it has no name")
        for row in filter(None, reader):
            if len(row) != len(header):
                raise ValueError(f"line {reader.line_num} has {len(row)} values, the header {len(header)}")
            if row[0] in rows:
                raise ValueError(f"line {reader.line_num} has {row[0][:80]!r} again")
            rows[row[0]] = values = tuple(float(v) for v in row[1:])
            if not all(map(math.isfinite, values)):
                raise ValueError(f"line {reader.line_num} holds NaN or an infinite number")
    except (ValueError, csv.Error) as error:
        raise DataError(f"{path}: not a table of numbers: {error}") from error
    return tuple(header[1:]), rows


def _row(rows, keys, where):
    if rows is None:
        return ()
    found = [key for key in dict.fromkeys(keys) if key in rows]
    if len(found) != 1:
        reason = f"no row in {where}" if not found else f"two rows in {where}, {found[0]!r} and {found[1]!r}"
        raise DataError(f"{keys[1]}: {reason}")
    return rows[found[0]]
