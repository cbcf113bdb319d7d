"""An ordinary image-caption-attribute-mask data set in a folder.

    images/NAME.png|jpg|...   pictures of any size and kind; sub-folders are part of NAME
    captions.json             {"NAME": ["a caption", ...]}, or text/NAME.txt with one caption a line
    attributes.csv            header `file,ATTRIBUTE,...`, a row a picture, values 0/1 or -1/1
    masks/NAME.png            16-bit, bit k set where region k is; or an index map (grey or palette), value k = region k
    masks/regions.json        {"encoding": "bits"|"index", "regions": [...]}
    nuisances.csv             header `file,NUISANCE,...`, a row a picture, real numbers
    dataset.json              name, resolution and what else is known; written by `data.writer`

Everything but images/ may be absent. The `file` column and the keys hold NAME or the picture's file name.
"""

import csv
import json
import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import torch

from styleT2I.data.dataset import Batch
from styleT2I.errors import DataError
from styleT2I.torch_utils.images import centre_crop_resize, check_image, decode_image

ENCODINGS = ("bits", "index")


class FolderDataset:
    """Reader of the layout above: pictures cropped to their central square and resized to `resolution`.

    Samples that cannot be used are left out and named, with the reason, in `skipped` and in one warning. More of them
    than `max_skipped` (by default 5 % or 10, whichever is more) raise DataError. Decoded pictures and masks stay in
    memory as integers until `cache_bytes` is reached.
    """

    def __init__(self, folder, resolution: int | None = None, *, max_skipped: int | None = None, cache_bytes=2 << 30):
        self.folder = Path(folder)
        info = _read_json(self.folder / "dataset.json", dict, {})
        self.resolution = resolution or info.get("resolution")
        if not isinstance(self.resolution, int) or self.resolution < 1:
            raise DataError(f"{self.folder}: no dataset.json names the resolution; give one")
        self._captions = _read_json(self.folder / "captions.json", dict, None)
        self.attribute_names, self._attributes = _read_table(self.folder / "attributes.csv")
        self.nuisance_names, self._nuisances = _read_table(self.folder / "nuisances.csv")
        self._encoding, self.region_names = _read_regions(self.folder / "masks" / "regions.json")
        self._cache, self._cache_left = {}, cache_bytes
        self.skipped = {}
        self._samples = []  # (path, captions, attribute row, nuisance row)
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
        return self._name(self._samples[index][0])

    def batch(self, indices: Sequence[int]) -> Batch:
        """Return the samples of the given indices; raises DataError naming a picture that proves undecodable."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            pixels = list(pool.map(self._pixels, indices))
        samples = [self._samples[i] for i in indices]
        images = torch.from_numpy(np.stack([image for image, _ in pixels])).permute(0, 3, 1, 2)
        batch = Batch(images.contiguous(), [s[1] for s in samples])
        if self.attribute_names:
            batch.attributes = self.labels_of(indices)
        if self.nuisance_names:
            batch.nuisances = torch.tensor([s[3] for s in samples], dtype=torch.float32)
        if self.region_names:
            bits = np.stack([mask for _, mask in pixels])  # [N, H, W]
            planes = [(bits >> k) & 1 for k in range(len(self.region_names))]
            batch.masks = torch.from_numpy(np.stack(planes, axis=1).astype(bool))  # [N, R, H, W]
        return batch

    def _scan(self, max_skipped):
        """Find the usable samples: files checked by header and completeness, tables matched, the rest named."""
        root = self.folder / "images"
        files = sorted(p for p in root.rglob("*") if p.is_file() and not p.name.startswith("."))
        if not files:
            raise DataError(f"{root}: no pictures; a data set keeps them in images/")
        seen = set()
        for path in files:
            name = self._name(path)
            try:
                if name in seen:
                    raise DataError(f"{path}: another picture has the same name; rename one")
                self._samples.append(self._sample(path, name))
                seen.add(name)
            except DataError as error:
                self.skipped[path.relative_to(root).as_posix()] = str(error)
        limit = max(10, len(files) // 20) if max_skipped is None else max_skipped
        if not self.skipped:
            return
        reasons = "; ".join(list(self.skipped.values())[:3])
        text = f"{self.folder}: {len(self.skipped)} of {len(files)} pictures cannot be used, the first: {reasons}"
        if len(self.skipped) > limit or not self._samples:
            raise DataError(f"{text}; mend or remove them (at most {limit} are skipped)")
        warnings.warn(text, stacklevel=3)

    def _sample(self, path, name):
        try:
            check_image(path.read_bytes(), path)
        except OSError as error:
            raise DataError(f"{path}: cannot read the picture: {error.strerror or error}") from error
        keys = (name, path.relative_to(self.folder / "images").as_posix())
        if self.region_names and not self._mask_path(name).is_file():
            raise DataError(f"{path}: no mask {self._mask_path(name).name}")
        attributes = _row(self._attributes, keys, self.folder / "attributes.csv")
        if any(v not in (-1, 0, 1) for v in attributes):
            raise DataError(f"{path}: its row in attributes.csv holds other values than -1, 0 and 1")
        nuisances = _row(self._nuisances, keys, self.folder / "nuisances.csv")
        return path, self._find_captions(keys, path), attributes, nuisances

    def _find_captions(self, keys, path):
        texts = self.folder / "text"
        if self._captions is not None:
            captions = next((self._captions[k] for k in keys if k in self._captions), ())
        elif texts.is_dir():
            try:
                captions = (texts / f"{keys[0]}.txt").read_text(encoding="utf-8").splitlines()
            except (OSError, UnicodeDecodeError):
                captions = ()
        else:
            return ()
        if not isinstance(captions, (list, tuple)) or not all(isinstance(c, str) for c in captions):
            raise DataError(f"{path}: its captions are not a list of texts")
        captions = tuple(c.strip() for c in captions if c.strip())
        if not captions:
            raise DataError(f"{path}: no caption; add one or remove the picture")
        return captions

    def _pixels(self, index):
        """Return (picture [H, W, 3] uint8, region bits [H, W] uint32 or None) at the resolution, cached."""
        if index in self._cache:
            return self._cache[index]
        path = self._samples[index][0]
        image = centre_crop_resize(decode_image(path.read_bytes(), path), self.resolution)
        mask = self._region_bits(self._name(path)) if self.region_names else None
        size = image.nbytes + (mask.nbytes if mask is not None else 0)
        if size <= self._cache_left:
            self._cache_left -= size
            self._cache[index] = image, mask
        return image, mask

    def _region_bits(self, name):
        path = self._mask_path(name)
        try:
            with PIL.Image.open(path, formats=("PNG",)) as picture:  # OpenCV would turn palette indices into colours
                values = np.asarray(picture)
        except Exception as error:
            raise DataError(f"{path}: the mask is damaged; replace or remove it") from error
        if values.ndim != 2:
            raise DataError(f"{path}: a mask has one channel, this has {values.shape[2]}")
        values = values.astype(np.uint32)
        bits = np.zeros((self.resolution, self.resolution), np.uint32)
        for k in range(len(self.region_names)):
            plane = values == k if self._encoding == "index" else (values >> k) & 1
            bits |= resize_plane(plane, self.resolution).astype(np.uint32) << k
        return bits

    def _mask_path(self, name):
        return self.folder / "masks" / f"{name}.png"

    def _name(self, path):
        return path.relative_to(self.folder / "images").with_suffix("").as_posix()


def resize_plane(plane, resolution):
    """Return the bool plane [H, W] cropped and resized like its picture; a pixel is set when half of it is."""
    height, width = plane.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = plane[top : top + side, left : left + side].astype(np.float32)
    if side != resolution:
        method = cv2.INTER_AREA if side > resolution else cv2.INTER_LINEAR
        square = cv2.resize(square, (resolution, resolution), interpolation=method)
    return square >= 0.5


def _read_json(path, kind, default):
    if not path.exists():
        return default
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not readable as JSON: {error}") from error
    if not isinstance(value, kind):
        raise DataError(f"{path}: holds a {type(value).__name__}, not a {kind.__name__}")
    return value


def _read_regions(path):
    value = _read_json(path, dict, {"encoding": "bits", "regions": []})
    encoding, regions = value.get("encoding"), value.get("regions")
    if encoding not in ENCODINGS or not isinstance(regions, list) or len(regions) > 32:
        raise DataError(f'{path}: wants {{"encoding": "bits" or "index", "regions": [at most 32 names]}}')
    return encoding, tuple(regions)


def _read_table(path):
    """Return (column names, {file: tuple of floats}) of a CSV file, both empty when it is absent."""
    if not path.exists():
        return (), None
    rows = {}
    try:
        with open(path, newline="", encoding="utf-8") as f:
            reader = csv.reader(f)
            header = next(reader, [])
            for row in filter(None, reader):
                if len(row) != len(header):
                    raise ValueError(f"line {reader.line_num} has {len(row)} values, the header {len(header)}")
                rows[row[0]] = tuple(float(v) for v in row[1:])
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{path}: not a table of numbers: {error}") from error
    return tuple(header[1:]), rows


def _row(rows, keys, where):
    if rows is None:
        return ()
    for key in keys:
        if key in rows:
            return rows[key]
    raise DataError(f"{keys[1]}: no row in {where}")
