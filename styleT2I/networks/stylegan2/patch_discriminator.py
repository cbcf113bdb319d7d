"""A discriminator of patches, at full and at half size: is each neighbourhood of an image as real ones are?

Sources: PatchGAN of pix2pix (Isola et al. 2017, arXiv 1611.07004, section 3.2.2); several sizes and the matching of the
discriminator's maps, pix2pixHD (Wang et al. 2018, arXiv 1711.11585, sections 3.2 and 3.3); spectral normalisation
(Miyato et al. 2018, arXiv 1802.05957).
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

__all__ = ["PatchDiscriminator", "hinge_discriminator_loss", "hinge_generator_loss", "map_distance"]


class PatchDiscriminator(nn.Module):
    """For each size, the maps of its layers; the last one holds the logits of overlapping patches.

    Example:
        >>> maps = PatchDiscriminator((8, 16))(torch.zeros(2, 3, 32, 32))
        >>> [[tuple(each.shape) for each in size] for size in maps]
        [[(2, 8, 16, 16), (2, 16, 8, 8), (2, 1, 8, 8)], [(2, 8, 8, 8), (2, 16, 4, 4), (2, 1, 4, 4)]]
    """

    def __init__(self, widths: tuple[int, ...] = (32, 64, 96, 128)):
        """widths: channels after each halving; with four, a patch is 78 pixels wide at full size."""
        super().__init__()
        self.sizes = nn.ModuleList(_patch_layers(widths) for _ in range(2))

    def forward(self, image: Tensor) -> list[list[Tensor]]:
        """image [N, 3, R, R] in [-1, 1] -> for R and R / 2, the maps [N, C, H, W] of every layer, logits last."""
        found = []
        for layers in self.sizes:
            x, maps = image.contiguous(memory_format=torch.channels_last), []
            for layer in layers:
                x = layer(x)
                maps.append(x)
            found.append(maps)
            image = F.avg_pool2d(image, 2)
        return found


def hinge_discriminator_loss(real: list[list[Tensor]], fake: list[list[Tensor]]) -> Tensor:
    """Mean of max(0, 1 - D(real)) + max(0, 1 + D(fake)) over patches and sizes; what `PatchDiscriminator` returned."""
    losses = [F.relu(1 - r[-1]).mean() + F.relu(1 + f[-1]).mean() for r, f in zip(real, fake, strict=True)]
    return torch.stack(losses).mean()


def hinge_generator_loss(fake: list[list[Tensor]]) -> Tensor:
    """Mean of -D(fake) over patches and sizes."""
    return -torch.stack([maps[-1].mean() for maps in fake]).mean()


def map_distance(real: list[list[Tensor]], fake: list[list[Tensor]]) -> Tensor:
    """Mean absolute difference of the maps below the logits, in which image k of `fake` should be image k of `real`."""
    pairs = [(r, f) for one, other in zip(real, fake, strict=True) for r, f in zip(one[:-1], other[:-1], strict=True)]
    return torch.stack([(r.detach() - f).abs().mean() for r, f in pairs]).mean()


def _patch_layers(widths):
    layers = [
        nn.Sequential(spectral_norm(nn.Conv2d(a, b, 4, stride=2, padding=1)), nn.LeakyReLU(0.2))
        for a, b in pairwise((3, *widths))
    ]
    return nn.ModuleList([*layers, spectral_norm(nn.Conv2d(widths[-1], 1, 3, padding=1))])
