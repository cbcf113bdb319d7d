"""A downloaded data set as a `Dataset`: images cropped and resized when they are asked for, nothing is written."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from styleT2I.data.cached_images import CACHE_BYTES, CachedImages
from styleT2I.data.releases.release import Record, Release
from styleT2I.errors import DataError
from styleT2I.torch_utils.images import centre_crop_resize, decode_image

__all__ = ["ReleaseData"]


class ReleaseData(CachedImages):
    """Records of a release behind the interface of data sets (`data.dataset.Dataset`).

    An image that cannot be decoded raises DataError, which names it, when it is read; `dataset check` finds all of them
    before.
    """

    nuisance_names: tuple[str, ...] = ()

    def __init__(
        self,
        release: Release,
        records: Sequence[Record],
        resolution: int,
        *,
        with_masks: bool = True,
        cache_bytes: int = CACHE_BYTES,
    ):
        super().__init__(cache_bytes)
        self.release, self.resolution, self.records = release, resolution, list(records)
        self.attribute_names = release.attribute_names
        self.region_names = release.region_names if with_masks else ()
        self._captions: dict[int, tuple[str, ...]] = {}

    def __len__(self) -> int:
        return len(self.records)

    def name_of(self, index: int) -> str:
        """The name of one sample."""
        return self.records[index].name

    def captions_of(self, index: int) -> tuple[str, ...]:
        """The captions of one sample, without touching its image."""
        if index not in self._captions:
            record = self.records[index]
            self._captions[index] = self.release.captions(record) if record.captions is None else record.captions
        return self._captions[index]

    def labels_of(self, indices: Sequence[int]) -> torch.Tensor:
        """bool [N, A] of the given samples, without touching their images."""
        rows = [list(self.release.labels(self.records[i])) for i in indices]
        return torch.tensor(rows).reshape(len(indices), len(self.attribute_names)) > 0

    def _decoded(self, index):
        record = self.records[index]
        decoded = decode_image(self.release.read(record), self.release.where(record))
        mask = self.release.mask_bits(record, self.resolution) if self.region_names else None
        return centre_crop_resize(cut(decoded, record), self.resolution), mask


def cut(pixels: np.ndarray, record: Record) -> np.ndarray:
    """The record's box out of an image [H, W, ...], as much of it as lies inside; DataError where nothing does."""
    if record.box is None:
        return pixels
    left, top, right, bottom = record.box
    inside = pixels[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    if not inside.size:
        raise DataError(f"{record.name}: its box {record.box} lies outside its image; unpack the release again")
    return inside
