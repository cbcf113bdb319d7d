"""What moves the surroundings of a face: readings of pose, background and clothes, and the null space of them all."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from styleT2I.networks.directions import NullSpace
from styleT2I.networks.faces.segmenter import SURROUNDINGS
from styleT2I.torch_utils.batching import images_at_a_time
from styleT2I.torch_utils.seeding import generator
from styleT2I.training.directions.setup import sample_w

__all__ = ["SurroundingsReadings"]

_HALVES = ("left", "right", "top", "bottom")
_CHANNELS = ("red", "green", "blue")
_MIN_AREA = 0.005  # mean proportion of the image; a half of a part that is smaller is not read


class SurroundingsReadings:
    """Reads an image's surroundings as K numbers that can be differentiated.

    The mean colour of each half of the background and the clothes, where the segmenter sees them, and of the judge's
    nuisances those named `pose`, in standard deviations.
    """

    def __init__(self, segmenter, judge=None, pose: Sequence[str] = ()):
        known = tuple(segmenter.region_names)
        self.segmenter, self.judge = segmenter, judge
        self._parts = {name: known.index(part) for name, part in SURROUNDINGS.items() if part in known}
        self._pose = tuple(pose) if judge is not None else ()
        colours = [f"{part}, {half}, {channel}" for part in self._parts for half in _HALVES for channel in _CHANNELS]
        self.names = (*colours, *self._pose)

    def read(self, images: torch.Tensor) -> torch.Tensor:
        """Readings [N, K] of images [N, 3, R, R] in [-1, 1], in the order of `names`."""
        with torch.no_grad():
            seen = self.segmenter(images) > 0  # [N, P, R, R]
        found = []
        for column in self._parts.values():
            for mask in self._halves(seen[:, column]):
                total = (images * mask.unsqueeze(1)).sum(dim=(2, 3))
                found.append(total / mask.sum(dim=(1, 2)).clamp_min(1).unsqueeze(1))  # [N, 3]
        if self._pose:
            columns = [self.judge.nuisance_names.index(name) for name in self._pose]
            found.append(self.judge.nuisances(images, standardised=True)[:, columns])
        return torch.cat(found, dim=1)

    def null_space(self, G, num: int, *, psi: float) -> NullSpace | None:
        """The null space of the readings of a generator's images, and leave in `names` those that it holds.

        Their response is the mean over `num` latents, truncated by psi. None where nothing can be read.
        """
        if not self.names:
            return None
        device = next(G.parameters()).device
        z = torch.randn(num, G.z_dim, generator=generator("surroundings")).to(device)
        with torch.no_grad():
            ws = G.mapping(z, truncation_psi=psi)
        response = sum(self._summed_response(G, part) for part in ws.split(images_at_a_time(G.resolution))) / num
        is_read = response.flatten(1).norm(dim=1) > 0
        self.names = tuple(name for name, kept in zip(self.names, is_read.tolist(), strict=True) if kept)
        return NullSpace.of(response[is_read], torch.cov(sample_w(G, device).t())) if self.names else None

    def _summed_response(self, G, ws):
        """[K, num_ws, w_dim], the sum over latents ws of the readings' slopes."""
        ws = ws.clone().requires_grad_(True)
        readings = self.read(G.synthesis(ws, noise_mode="const").clamp(-1, 1)).sum(dim=0)
        slopes = [torch.autograd.grad(reading, ws, retain_graph=True)[0].sum(dim=0) for reading in readings]
        return torch.stack(slopes)

    @staticmethod
    def _halves(mask):
        """The left, right, top and bottom of a mask [N, R, R], each where it is large enough to be read, else empty."""
        side = mask.shape[-1] // 2
        for rows, columns in (
            (slice(None), slice(None, side)), (slice(None), slice(side, None)),
            (slice(None, side), slice(None)), (slice(side, None), slice(None)),
        ):  # fmt: skip
            half = torch.zeros_like(mask, dtype=torch.float32)
            half[:, rows, columns] = mask[:, rows, columns].float()
            is_large = half.mean(dim=(1, 2), keepdim=True) >= _MIN_AREA
            yield half * is_large
