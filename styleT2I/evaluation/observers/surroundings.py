"""The segmenter as an observer: how far an edit changes what is not the face, such as background and clothes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch

from styleT2I.generation.model import Model
from styleT2I.networks.faces.segmenter import SURROUNDINGS

__all__ = ["SeenImages", "Surroundings"]

_LEVELS = 127.5  # of 8 bits in a unit of images in [-1, 1]
_BATCH_SIZE = 64


class SeenImages(NamedTuple):
    """N images and where their surroundings are."""

    images: torch.Tensor  # [N, 3, R, R] in [-1, 1], on the CPU
    masks: Mapping[str, torch.Tensor]  # name -> bool [N, R, R]


class Surroundings:
    """Finds the surroundings of faces by the model's segmenter, and compares images there.

    What the segmenter does not know is left out: everything where a model has none.
    """

    def __init__(self, model: Model):
        self._network = model.network("segmenter") if model.has("segmenter") else None
        known = tuple(self._network.region_names) if self._network is not None else ()
        self._columns = {name: known.index(part) for name, part in SURROUNDINGS.items() if part in known}
        self.names = tuple(self._columns)

    @torch.no_grad()
    def see(self, images: torch.Tensor) -> SeenImages:
        """Images [N, 3, R, R] in [-1, 1], with the masks of their surroundings."""
        if not self._columns:
            return SeenImages(images.cpu(), {})
        columns = list(self._columns.values())
        found = torch.cat([(self._network(part)[:, columns] > 0).cpu() for part in images.split(_BATCH_SIZE)])
        return SeenImages(images.cpu(), dict(zip(self.names, found.unbind(1), strict=True)))

    def changes(self, before: SeenImages, after: SeenImages) -> dict[str, torch.Tensor]:
        """Mean absolute difference of the RGB values, in levels of 255, over the pixels that are the part in both.

        What a hat or longer hair newly covers does not count. float64 [N] by name, NaN for images without such a pixel.
        """
        difference = (after.images - before.images).abs().mean(dim=1).double() * _LEVELS  # [N, R, R]
        both = {name: before.masks[name] & after.masks[name] for name in self.names}
        return {name: (difference * mask).sum(dim=(1, 2)) / mask.sum(dim=(1, 2)) for name, mask in both.items()}
