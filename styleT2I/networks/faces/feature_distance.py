"""A distance of images in a judge's features: unit features compared at every depth, as LPIPS does.

Source: LPIPS (Zhang et al. 2018, arXiv 1801.03924), section 3, without its fitted weights: a judge stands for the
network that was trained on ImageNet.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["feature_distance", "feature_distances", "trunk_maps"]


def trunk_maps(trunk: nn.Module, image: Tensor) -> list[Tensor]:
    """The maps of a judge's trunk at every resolution, the finest first: [N, C, H, W] each.

    trunk: `AttributeClassifier.trunk` of either architecture. image: [N, 3, R, R] in [-1, 1], R the judge's resolution.
    """
    if hasattr(trunk, "blocks"):
        maps = [F.relu(trunk.stem(image))]
        for block in trunk.blocks:
            maps.append(block(maps[-1]))
        return maps
    maps, x = [], image
    for layer in trunk.layers:
        if isinstance(layer, nn.MaxPool2d):
            maps.append(x)
        x = layer(x)
    return [*maps, x]


def feature_distances(first: list[Tensor], second: list[Tensor]) -> Tensor:
    """Distances [N] of two images' maps, each of `trunk_maps`: the mean over depths; 0 for the same image."""
    return torch.stack([_unit_distances(a, b) for a, b in zip(first, second, strict=True)]).mean(dim=0)


def feature_distance(trunk: nn.Module, first: Tensor, second: Tensor) -> Tensor:
    """The mean distance of two batches of images [N, 3, R, R] in a judge's trunk, a scalar."""
    return feature_distances(trunk_maps(trunk, first), trunk_maps(trunk, second)).mean()


def _unit_distances(a, b):
    return (F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(dim=1).mean(dim=(1, 2))
