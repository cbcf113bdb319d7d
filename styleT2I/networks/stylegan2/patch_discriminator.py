"""A discriminator of patches, at full and at half size: is each neighbourhood of an image as real ones are?

Beside an image it sees what a blur takes away from it, so that it tells fine structure from its mean within tens of
steps; layers held to a spectral norm had not after hundreds.

Sources: PatchGAN of pix2pix (Isola et al. 2017, arXiv 1611.07004, section 3.2.2); several sizes and the matching of the
discriminator's maps, pix2pixHD (Wang et al. 2018, arXiv 1711.11585, sections 3.2 and 3.3).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styleT2I.errors import ConfigError

__all__ = ["PatchDiscriminator", "PatchDiscriminatorConfig", "image_logits", "map_distance", "patch_logits"]

_FINE_GAIN = 4.0  # of the fine structure, which has a fraction of the image's range


@dataclass(frozen=True)
class PatchDiscriminatorConfig:
    """A discriminator's shape."""

    widths: tuple[int, ...] = (32, 64, 96, 128)  # channels after each halving; with four, a patch is 80 pixels wide

    def __post_init__(self):
        if not self.widths or min(self.widths) < 1:
            raise ConfigError(f"widths of a discriminator of patches are numbers from 1 on, got {list(self.widths)}")


class PatchDiscriminator(nn.Module):
    """For each size, the maps of its layers; the last one holds the logits of overlapping patches.

    Example:
        >>> maps = PatchDiscriminator(PatchDiscriminatorConfig((8, 16)))(torch.zeros(2, 3, 32, 32))
        >>> [[tuple(each.shape) for each in size] for size in maps]
        [[(2, 8, 16, 16), (2, 16, 8, 8), (2, 1, 8, 8)], [(2, 8, 8, 8), (2, 16, 4, 4), (2, 1, 4, 4)]]
    """

    kind = "patch-discriminator"
    Config = PatchDiscriminatorConfig

    def __init__(self, config: PatchDiscriminatorConfig):
        super().__init__()
        self.config = config
        self.sizes = nn.ModuleList(_patch_layers(config.widths) for _ in range(2))

    def forward(self, image: Tensor) -> list[list[Tensor]]:
        """image [N, 3, R, R] in [-1, 1] -> for R and R / 2, the maps [N, C, H, W] of every layer, logits last."""
        found = []
        for layers in self.sizes:
            x = torch.cat([image, _FINE_GAIN * (image - _blurred(image))], dim=1)
            x, maps = x.contiguous(memory_format=torch.channels_last), []
            for layer in layers:
                x = layer(x)
                maps.append(x)
            found.append(maps)
            image = F.avg_pool2d(image, 2)
        return found

    @classmethod
    def example(cls) -> tuple[PatchDiscriminator, tuple[Tensor]]:
        """A tiny network and its input, for the contract test."""
        return cls(PatchDiscriminatorConfig((4, 8))), (torch.zeros(2, 3, 16, 16),)


def patch_logits(maps: list[list[Tensor]]) -> Tensor:
    """Logits of all patches of both sizes in one row, [P], of what `PatchDiscriminator` returned."""
    return torch.cat([size[-1].flatten() for size in maps])


def image_logits(maps: list[list[Tensor]]) -> Tensor:
    """Mean logit [N, 1] of each image's patches, of what `PatchDiscriminator` returned."""
    return torch.stack([size[-1].mean(dim=(1, 2, 3)) for size in maps]).mean(dim=0)[:, None]


def map_distance(real: list[list[Tensor]], fake: list[list[Tensor]]) -> Tensor:
    """Mean absolute difference of the maps below the logits, in which image k of `fake` should be image k of `real`."""
    pairs = [(r, f) for one, other in zip(real, fake, strict=True) for r, f in zip(one[:-1], other[:-1], strict=True)]
    return torch.stack([(r.detach() - f).abs().mean() for r, f in pairs]).mean()


def _blurred(image):
    return F.avg_pool2d(F.pad(image, (1, 1, 1, 1), mode="replicate"), 3, stride=1)


def _patch_layers(widths):
    convs = [nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in pairwise((6, *widths))]
    for conv in convs:
        nn.init.kaiming_normal_(conv.weight, 0.2)
        nn.init.zeros_(conv.bias)
    last = nn.Conv2d(widths[-1], 1, 3, padding=1)
    nn.init.normal_(last.weight, std=0.01)
    nn.init.zeros_(last.bias)
    return nn.ModuleList([*(nn.Sequential(conv, nn.LeakyReLU(0.2)) for conv in convs), last])
