"""An encoder of images into W+: a pyramid of features, one vector of w for the face and a delta for every layer.

Coarse layers read the deepest map, fine ones a map of twice or four times the side, as in pSp (Richardson et al. 2021,
arXiv 2008.00951, section 3.1). The latent is w_0 + delta_i, and deltas are let in one after the other while it trains,
as in encoder4editing (Tov et al. 2021, arXiv 2102.02766, section 4.1).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from styleT2I.errors import ConfigError
from styleT2I.networks.faces.attribute_classifier import ResidualBlock
from styleT2I.networks.small import ConvNorm

__all__ = ["LatentEncoder", "LatentEncoderConfig"]

_SIDE = 4  # pixels of the map that a level is flattened at
_LEVELS = 3


@dataclass(frozen=True)
class LatentEncoderConfig:
    """Shape of an encoder, and of the generator's latents that it estimates."""

    w_dim: int
    num_ws: int
    resolution: int = 64  # images of another size are resized to this, antialiased
    widths: tuple[int, ...] = (24, 32, 48, 64)  # channels at full, half, quarter ... resolution
    pyramid_dim: int = 32  # channels of the pyramid's maps
    hidden_dim: int = 128  # features that a level's latents are read from

    def __post_init__(self):
        if len(self.widths) < _LEVELS + 1:
            raise ConfigError(f"widths names {len(self.widths)} maps; an encoder takes at least {_LEVELS + 1}")
        deepest = self.resolution >> (len(self.widths) - 1)
        if self.resolution & (self.resolution - 1) or deepest < _SIDE:
            raise ConfigError(
                f"resolution is {self.resolution}; with {len(self.widths)} widths an encoder takes a power of two from "
                f"{_SIDE << (len(self.widths) - 1)}"
            )
        if min(self.w_dim, self.num_ws, self.pyramid_dim, self.hidden_dim, *self.widths) < 1:
            raise ConfigError("the widths of an encoder, w_dim and num_ws start at 1")


class LatentEncoder(nn.Module):
    """Latents ws [N, num_ws, w_dim] of images [N, 3, H, W] in [-1, 1] of any size, for one generator."""

    kind = "latent-encoder"
    Config = LatentEncoderConfig

    def __init__(self, config: LatentEncoderConfig):
        super().__init__()
        self.config = config
        widths = config.widths
        self.stem = ConvNorm(3, widths[0])
        self.blocks = nn.ModuleList(ResidualBlock(a, b, stride=2) for a, b in zip(widths, widths[1:], strict=False))
        self.deepest = ResidualBlock(widths[-1], widths[-1], stride=1)
        self.laterals = nn.ModuleList(
            ConvNorm(widths[-1 - level], config.pyramid_dim, kernel_size=1) for level in range(_LEVELS)
        )
        self.readers = nn.ModuleList(self._reader(level) for level in range(_LEVELS))
        self.w = nn.Linear(config.hidden_dim, config.w_dim)
        self.deltas = nn.ModuleList(nn.Linear(config.hidden_dim, config.w_dim) for _ in range(config.num_ws - 1))
        self.register_buffer("w_mean", torch.zeros(config.w_dim))
        self.register_buffer("w_spread", torch.ones(()))
        for delta in self.deltas:
            nn.init.normal_(delta.weight, std=1e-3)  # near W at first
            nn.init.zeros_(delta.bias)

    @classmethod
    def example(cls):
        """A tiny encoder and the input its forward takes."""
        config = LatentEncoderConfig(w_dim=6, num_ws=5, resolution=32, widths=(4, 4, 6, 6), pyramid_dim=4, hidden_dim=8)
        return cls(config), (torch.rand(2, 3, 40, 40) * 2 - 1,)

    def set_w_statistics(self, w: Tensor) -> None:
        """Estimates begin at the mean of w [M, w_dim] and count in its mean spread."""
        self.w_mean.copy_(w.mean(dim=0))
        self.w_spread.copy_(w.std(dim=0).square().mean().sqrt().clamp_min(1e-6))

    def level_of(self, index: int) -> int:
        """The pyramid's level that layer `index` reads, 0 the coarsest: thirds of the layers, as in pSp."""
        return min(_LEVELS * index // self.config.num_ws, _LEVELS - 1)

    def forward(self, image: Tensor, num_deltas: int | None = None) -> Tensor:
        """Latents ws [N, num_ws, w_dim].

        num_deltas: of the deltas, from layer 1 on, those that are let in; the other layers take w as it is. None: all.
        """
        features = [
            F.relu(read(level)) for read, level in zip(self.readers, self._pyramid(image), strict=True)
        ]  # 3 of [N, hidden_dim]
        w = self.w(features[0])
        used = self.config.num_ws - 1 if num_deltas is None else num_deltas
        rows = [w]
        for index, delta in enumerate(self.deltas, 1):
            rows.append(w + delta(features[self.level_of(index)]) if index <= used else w)
        return self.w_mean + self.w_spread * torch.stack(rows, dim=1)

    def _pyramid(self, image):
        """The maps that levels read, the coarsest first, each twice as large as the one before."""
        size = self.config.resolution
        if image.shape[-2:] != (size, size):
            image = F.interpolate(image, size=(size, size), mode="bilinear", align_corners=False, antialias=True)
        x, maps = F.relu(self.stem(image.contiguous(memory_format=torch.channels_last))), []
        for block in self.blocks:
            x = block(x)
            maps.append(x)
        maps[-1] = self.deepest(x)
        level, levels = None, []
        for lateral, features in zip(self.laterals, reversed(maps), strict=False):
            own = lateral(features)
            level = own if level is None else own + F.interpolate(level, scale_factor=2, mode="nearest")
            levels.append(level)
        return levels

    def _reader(self, level):
        """Convolutions down to a few pixels, and the vector of what they find."""
        config = self.config
        side = config.resolution >> (len(config.widths) - 1 - level)
        layers: list[nn.Module] = []
        while side > _SIDE:
            layers += [ConvNorm(config.pyramid_dim, config.pyramid_dim, stride=2), nn.ReLU()]
            side //= 2
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(config.pyramid_dim * _SIDE**2, config.hidden_dim))
