"""Where in the image the difference between two images lies."""

from __future__ import annotations

import torch

__all__ = ["energy_inside"]


def energy_inside(first: torch.Tensor, second: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Share of the difference of two images that lies inside a region: its energy, the square summed over RGB.

    first, second [N, 3, H, W], mask [N, H, W] of zeros and ones -> float64 [N]; 0 where the images are equal.
    """
    energy = (first - second).square().sum(dim=1).double()  # [N, H, W]
    return (energy * mask).sum(dim=(1, 2)) / energy.sum(dim=(1, 2)).clamp_min(1e-12)
