"""A downloaded data set as a `Dataset`: images cropped and resized when they are asked for, nothing is written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from styleT2I.data.dataset import Batch
from styleT2I.data.releases.release import Record, Release
from styleT2I.errors import DataError
from styleT2I.torch_utils.images import centre_crop_resize, decode_image

__all__ = ["ReleaseData"]

_CACHE_BYTES = 2 << 30


class ReleaseData:
    """Records of a release behind the interface of data sets (`data.dataset.Dataset`).

    Decoded images and masks stay in memory as integers until `cache_bytes` is reached. An image that cannot be decoded
    raises DataError, which names it, when it is read; `python -m styleT2I.dataset check` finds all of them before.
    """

    nuisance_names: tuple[str, ...] = ()

    def __init__(
        self,
        release: Release,
        records: Sequence[Record],
        resolution: int,
        *,
        with_masks: bool = True,
        cache_bytes: int = _CACHE_BYTES,
    ):
        self.release, self.resolution, self.records = release, resolution, list(records)
        self.attribute_names = release.attribute_names
        self.region_names = release.region_names if with_masks else ()
        self._captions: dict[int, tuple[str, ...]] = {}
        self._cache: dict[int, tuple] = {}
        self._cached_bytes, self._cache_bytes = 0, cache_bytes

    def __len__(self) -> int:
        return len(self.records)

    def name_of(self, index: int) -> str:
        """The name of one sample."""
        return self.records[index].name

    def captions_of(self, index: int) -> tuple[str, ...]:
        """The captions of one sample, without touching its image."""
        if index not in self._captions:
            self._captions[index] = self.release.captions(self.records[index])
        return self._captions[index]

    def labels_of(self, indices: Sequence[int]) -> torch.Tensor:
        """bool [N, A] of the given samples, without touching their images."""
        rows = [list(self.release.labels(self.records[i])) for i in indices]
        return torch.tensor(rows).reshape(len(indices), len(self.attribute_names)) > 0

    def batch(self, indices: Sequence[int]) -> Batch:
        """The samples of the given indices."""
        is_worker = torch.utils.data.get_worker_info() is not None  # one of several, each on a core of its own
        with ThreadPoolExecutor(1 if is_worker else os.cpu_count()) as pool:
            pixels = list(pool.map(self._pixels, indices))
        images = torch.from_numpy(np.stack([image for image, _ in pixels])).permute(0, 3, 1, 2)
        batch = Batch(images.contiguous(), [self.captions_of(i) for i in indices])
        if self.attribute_names:
            batch.attributes = self.labels_of(indices)
        if self.region_names:
            bits = np.stack([mask for _, mask in pixels])  # [N, H, W]
            planes = [(bits >> k) & 1 for k in range(len(self.region_names))]
            batch.masks = torch.from_numpy(np.stack(planes, axis=1).astype(bool))
        return batch

    def mask_bits(self, index: int) -> np.ndarray:
        """Bits [H, W] uint16 of one sample's regions, as `data.writer` takes them."""
        return self._pixels(index)[1]

    def _pixels(self, index):
        if index in self._cache:
            return self._cache[index]
        record = self.records[index]
        decoded = decode_image(self.release.read(record), self.release.where(record))
        image = centre_crop_resize(cut(decoded, record), self.resolution)
        mask = self.release.mask_bits(record, self.resolution) if self.region_names else None
        size = image.nbytes + (mask.nbytes if mask is not None else 0)
        worker = torch.utils.data.get_worker_info()
        if self._cached_bytes + size <= self._cache_bytes // (worker.num_workers if worker else 1):
            self._cached_bytes += size
            self._cache[index] = image, mask
        return image, mask


def cut(pixels: np.ndarray, record: Record) -> np.ndarray:
    """The record's box out of an image [H, W, ...], as much of it as lies inside; DataError where nothing does."""
    if record.box is None:
        return pixels
    left, top, right, bottom = record.box
    inside = pixels[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    if not inside.size:
        raise DataError(f"{record.name}: its box {record.box} lies outside its image; unpack the release again")
    return inside
