"""A small network that says whether a square shows a face, and where its 68 landmarks lie."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from styleT2I.errors import ConfigError

NUM_POINTS = 68


@dataclass(frozen=True)
class LandmarkConfig:
    """A landmark network's shape."""

    resolution: int = 64  # of the square that it looks at; others are resized
    widths: tuple[int, ...] = (24, 48, 64, 96)  # channels at half, quarter, eighth ... resolution

    def __post_init__(self):
        if len(self.widths) < 2 or self.resolution % 2 ** len(self.widths):
            raise ConfigError(f"a landmark network has 2 widths or more and halves its {self.resolution} pixels evenly")


class LandmarkNetwork(nn.Module):
    """Squares [N, 3, S, S] in [-1, 1] -> face logits [N] and landmarks [N, 68, 2] in parts of the side.

    Down to a few pixels, where a logit says whether a face fills the square; and up again to a quarter of the side,
    where each landmark has a map of its own, whose softmax is averaged over places, so that results are finer than the
    map (Sun et al. 2018, "Integral Human Pose Regression"). Place (0, 0) is the square's upper left corner, (1, 1) its
    lower right.
    """

    kind = "landmarks"
    Config = LandmarkConfig

    def __init__(self, config: LandmarkConfig):
        super().__init__()
        self.config = config
        widths = config.widths
        self.stem = nn.Conv2d(3, widths[0], 5, stride=2, padding=2)
        pairs = list(zip(widths, widths[1:], strict=False))
        self.down = nn.ModuleList([_block(widths[0], widths[0]), *(_block(a, b) for a, b in pairs)])
        self.up = nn.ModuleList([_block(a + b, a) for a, b in pairs[:0:-1]])
        self.face = nn.Linear(widths[-1], 1)
        self.maps = nn.Conv2d(widths[1], NUM_POINTS, 1)

    @classmethod
    def example(cls):
        """A tiny instance and the inputs of its forward pass."""
        return cls(LandmarkConfig(16, (4, 6, 8))), (torch.rand(2, 3, 16, 16) * 2 - 1,)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        side = self.config.resolution
        if image.shape[-1] != side or image.shape[-2] != side:
            image = F.interpolate(image, size=(side, side), mode="bilinear", align_corners=False, antialias=True)
        levels, x = [], self.stem(image)
        for depth, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if depth else x)
            levels.append(x)
        logit = self.face(x.mean(dim=(2, 3)))[:, 0]
        for block, skipped in zip(self.up, levels[-2:0:-1], strict=True):
            x = block(torch.cat([F.interpolate(x, scale_factor=2.0, mode="nearest"), skipped], dim=1))
        return logit, _mean_places(self.maps(x))


def _block(in_dim, out_dim):
    return nn.Sequential(
        nn.Conv2d(in_dim, out_dim, 3, padding=1, bias=False), nn.BatchNorm2d(out_dim), nn.ReLU(),
        nn.Conv2d(out_dim, out_dim, 3, padding=1, bias=False), nn.BatchNorm2d(out_dim), nn.ReLU(),
    )  # fmt: skip


def _mean_places(maps: Tensor) -> Tensor:
    """Mean place (x, y) under the softmax of each map [N, K, H, W], in parts of its side: [N, K, 2]."""
    height, width = maps.shape[-2:]
    weights = maps.flatten(2).softmax(dim=2).unflatten(2, (height, width))
    x = (torch.arange(width, device=maps.device, dtype=maps.dtype) + 0.5) / width
    y = (torch.arange(height, device=maps.device, dtype=maps.dtype) + 0.5) / height
    return torch.stack([(weights.sum(2) * x).sum(2), (weights.sum(3) * y).sum(2)], dim=2)
