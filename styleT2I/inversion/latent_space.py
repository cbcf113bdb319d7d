"""What latents of a generator are like: their mean and spread, and how far others are from W."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from styleT2I.torch_utils.seeding import generator

NUM_SAMPLES = 4096


@dataclass(frozen=True)
class LatentSpace:
    """Mean [w_dim] of a generator's w, and the root mean square of a coordinate about it."""

    mean: Tensor
    spread: float

    @classmethod
    @torch.no_grad()
    def of(cls, G) -> LatentSpace:
        """That of a generator, on latents that are the same every time."""
        z = torch.randn(NUM_SAMPLES, G.z_dim, generator=generator("inversion", "latents"))
        w = G.mapping(z.to(next(G.parameters()).device))[:, 0]
        mean = w.mean(dim=0)
        return cls(mean, max((w - mean).square().mean().sqrt().item(), 1e-6))

    def from_mean(self, ws: Tensor) -> Tensor:
        """Mean square distances [N] of ws [N, num_ws, w_dim] from the mean, in units of the spread; 1 is usual."""
        return ((ws - self.mean) / self.spread).square().mean(dim=(1, 2))

    def from_w(self, ws: Tensor) -> Tensor:
        """Mean square distances [N] of the layers' w from their own mean, in units of the spread; 0 in W.

        Example:
            >>> LatentSpace(torch.zeros(2), 1.0).from_w(torch.tensor([[[1.0, 0.0], [3.0, 0.0]]])).tolist()
            [0.5]
        """
        return ((ws - ws.mean(dim=1, keepdim=True)) / self.spread).square().mean(dim=(1, 2))
