"""Noise maps of a generator that are optimised with a latent, and kept from carrying the image.

Source: StyleGAN2 (Karras et al. 2020, arXiv 1912.04958), appendix D: maps are normalised after every step, and their
correlation with themselves, shifted by a pixel, costs at every resolution.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from styleT2I.networks.stylegan2.generator import SynthesisNetwork
from styleT2I.networks.stylegan2.styles import style_layers

_SMALLEST = 8  # pixels, below which maps are not looked at at half their side


def noise_layers(synthesis: SynthesisNetwork) -> dict[str, int]:
    """The sides of the noise maps that change what is drawn, by layer: "b8.conv0" -> 8."""
    layers = style_layers(synthesis)
    return {name: one.resolution for name, one in layers.items() if one.use_noise and one.noise_strength.item() != 0}


def start_noise(synthesis: SynthesisNetwork, num: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Fresh maps [num, 1, R, R] by layer, ready for gradients; {} where noise changes nothing."""
    device = next(synthesis.parameters()).device
    return {
        name: torch.randn(num, 1, side, side, generator=generator).to(device).requires_grad_()
        for name, side in noise_layers(synthesis).items()
    }


def noise_penalty(maps: Mapping[str, Tensor]) -> Tensor:
    """The sum over maps and resolutions of the squared correlations of neighbours; a scalar, near 0 for white noise."""
    total = torch.zeros(())
    for noise in maps.values():
        total = total.to(noise)
        while True:
            for dim in (2, 3):
                total = total + (noise * noise.roll(1, dims=dim)).mean(dim=(1, 2, 3)).square().sum()
            if noise.shape[-1] <= _SMALLEST:
                break
            noise = F.avg_pool2d(noise, 2) * 2  # white noise keeps its variance
    return total


@torch.no_grad()
def normalise(maps: Mapping[str, Tensor]) -> None:
    """Bring every map to mean 0 and variance 1, in place."""
    for noise in maps.values():
        noise -= noise.mean(dim=(1, 2, 3), keepdim=True)
        noise *= noise.square().mean(dim=(1, 2, 3), keepdim=True).clamp_min(1e-12).rsqrt()


def as_buffers(maps: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The maps under the names that the network has them by."""
    return {f"{name}.noise_const": noise for name, noise in maps.items()}
