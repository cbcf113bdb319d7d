"""Rendered images of one or more sets with the scenes behind them: what a generator is fitted to, and finished with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from styleT2I.data.portraits.scenes.vector import MIRRORED
from styleT2I.data.training.joined import JoinedData
from styleT2I.errors import DataError
from styleT2I.torch_utils.distributed import draw_rows
from styleT2I.torch_utils.images import from_uint8

if TYPE_CHECKING:
    from styleT2I.data.portraits.dataset import Portraits

_PART_WEIGHTS = {  # additional weight of a part's pixels
    "mouth": 4.0, "u_lip": 3.0, "l_lip": 3.0, "l_eye": 4.0, "r_eye": 4.0, "l_brow": 2.0, "r_brow": 2.0, "glasses": 4.0,
    "ear_r": 40.0, "neck_l": 12.0, "nose": 1.0, "beard": 1.0, "skin": 0.5,
}  # fmt: skip


class KnownRenders(NamedTuple):
    """Renders of N scenes."""

    image: Tensor  # [N, 3, R, R] in [-1, 1]
    weight: Tensor  # [N, 1, R, R] of their pixels, from 1 on: small parts count more
    vector: Tensor  # [N, VECTOR_SIZE], the scenes

    def mirrored(self, is_mirrored: Tensor) -> KnownRenders:
        """The same with those rows the other way round that `is_mirrored` [N] marks."""
        signs = torch.tensor([-1.0 if is_turned else 1.0 for is_turned in MIRRORED], device=self.vector.device)
        rows = is_mirrored.view(-1, 1, 1, 1)
        image, weight = (torch.where(rows, x.flip(3), x) for x in (self.image, self.weight))
        return KnownRenders(image, weight, torch.where(is_mirrored[:, None], self.vector * signs, self.vector))


class RenderedScenes(JoinedData):
    """Rendered images behind one index.

    specs: portraits:DISTRIBUTION/SPLIT[:NUM], one or several; DataError where there is none or the images of one have
    no scenes.
    """

    def __init__(self, specs: Sequence[str], resolution: int):
        if not specs:
            raise DataError("no rendered portraits are named; give --data SPEC, for example portraits:biased/train")
        super().__init__(specs, resolution, with_masks=True)
        for spec, part in zip(specs, self.parts, strict=True):
            if not hasattr(part, "vectors"):
                raise DataError(f"{spec}: its images have no scenes; name rendered portraits, portraits:biased/train")

    def renders(self, indices: Sequence[int], resolution: int, device) -> KnownRenders:
        """The samples of the given indices in their order, no larger than `resolution`."""
        found, order = [(part, part.batch(rows)) for part, rows in self._by_part(indices)], self._order(indices)
        image = from_uint8(torch.cat([batch.images_u8 for _, batch in found]))[order]
        weight = torch.cat([_weights(part.region_names, batch.masks) for part, batch in found])[order]
        factor = image.shape[-1] // resolution
        if factor > 1:
            image, weight = F.avg_pool2d(image, factor), F.avg_pool2d(weight, factor)
        return KnownRenders(image.to(device), weight.to(device), self.vectors(indices).to(device))

    def half_mirrored(self, indices: Sequence[int], resolution: int, device, generator) -> KnownRenders:
        """As `renders`; half of the rows, at random, are mirrored."""
        is_mirrored = draw_rows(torch.rand, len(indices), generator=generator) < 0.5
        return self.renders(indices, resolution, device).mirrored(is_mirrored.to(device))

    def vectors(self, indices: Sequence[int]) -> Tensor:
        """The scenes, float32 [N, VECTOR_SIZE]."""
        return torch.cat([part.vectors(rows) for part, rows in self._by_part(indices)])[self._order(indices)]

    def latents(self, indices: Sequence[int]) -> Tensor:
        """The z that each scene is a function of, float32 [N, Z_DIM]."""
        return torch.cat([part.latents(rows) for part, rows in self._by_part(indices)])[self._order(indices)]

    def _by_part(self, indices):
        return cast("Iterator[tuple[Portraits, list[int]]]", self.by_part(indices))

    def _order(self, indices):
        """Where each of the indices is, in what `by_part` gives of one data set after the other."""
        parts = torch.bucketize(torch.tensor(list(indices)), torch.tensor(self.starts[1:-1]), right=True)
        return parts.argsort(stable=True).argsort()


def _weights(region_names, masks):
    gains = torch.tensor([_PART_WEIGHTS.get(name, 0.0) for name in region_names])
    return 1 + torch.einsum("nrhw,r->nhw", masks.float(), gains).unsqueeze(1)
