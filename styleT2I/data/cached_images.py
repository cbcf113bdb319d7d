"""Data sets whose images lie in files: decoded when they are asked for, many at a time, and then kept in memory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from styleT2I.data.dataset import Batch

__all__ = ["CACHE_BYTES", "CachedImages"]

CACHE_BYTES = 2 << 30


class CachedImages:
    """Batches of images of `resolution`, with attributes and region masks where the subclass names any.

    Decoded images and masks stay in memory as integers until `cache_bytes` is reached.
    """

    resolution: int
    attribute_names: tuple[str, ...]
    region_names: tuple[str, ...]

    def __init__(self, cache_bytes: int = CACHE_BYTES):
        self._cache: dict[int, tuple] = {}
        self._cached_bytes, self._cache_bytes = 0, cache_bytes

    def captions_of(self, index: int) -> tuple[str, ...]:
        """The captions of one sample without touching its image."""
        raise NotImplementedError

    def labels_of(self, indices: Sequence[int]) -> torch.Tensor:
        """bool [N, A] of the given samples without touching their images."""
        raise NotImplementedError

    def batch(self, indices: Sequence[int]) -> Batch:
        """The samples of the given indices; DataError naming an image that proves undecodable."""
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
            batch.masks = torch.from_numpy(np.stack(planes, axis=1).astype(bool))  # [N, R, H, W]
        return batch

    def _decoded(self, index):
        """(image [H, W, 3] uint8, region bits [H, W] or None) of one sample, from its files."""
        raise NotImplementedError

    def _pixels(self, index):
        """What `_decoded` returns, cached."""
        if index in self._cache:
            return self._cache[index]
        image, mask = self._decoded(index)
        size = image.nbytes + (mask.nbytes if mask is not None else 0)
        worker = torch.utils.data.get_worker_info()
        if self._cached_bytes + size <= self._cache_bytes // (worker.num_workers if worker else 1):
            self._cached_bytes += size
            self._cache[index] = image, mask
        return image, mask
