"""Shared by the convolutional baselines: blocks, DCGAN's initial weights, conditioning augmentation."""

from __future__ import annotations

import torch
from torch import nn

LEAK = 0.2  # slope of the leaky ReLU below zero in all of the papers


def conv3x3(in_dim: int, out_dim: int) -> nn.Conv2d:
    """3x3 convolution without bias, of the same size."""
    return nn.Conv2d(in_dim, out_dim, 3, padding=1, bias=False)


def conv_down(in_dim: int, out_dim: int) -> nn.Conv2d:
    """4x4 convolution of stride 2 without bias, size halved."""
    return nn.Conv2d(in_dim, out_dim, 4, stride=2, padding=1, bias=False)


def conv_norm_leaky(conv: nn.Conv2d) -> list[nn.Module]:
    """A convolution, batch norm and leaky ReLU."""
    return [conv, nn.BatchNorm2d(conv.out_channels), nn.LeakyReLU(LEAK)]


def downsampler(widths: tuple[int, ...]) -> nn.Sequential:
    """Image [N, 3, 4 * 2^k, ...] -> [N, widths[-1], 4, 4] in k = len(widths) halvings, the first without batch norm."""
    layers = [conv_down(3, widths[0]), nn.LeakyReLU(LEAK)]
    for in_dim, out_dim in zip(widths, widths[1:], strict=False):
        layers += conv_norm_leaky(conv_down(in_dim, out_dim))
    return nn.Sequential(*layers)


def join_text(h: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
    """A vector [N, C] replicated over the map h [N, D, H, W] and joined to it in depth: [N, D + C, H, W]."""
    return torch.cat([h, text[:, :, None, None].expand(-1, -1, *h.shape[2:])], dim=1)


def init_dcgan(network: nn.Module) -> None:
    """Weights from N(0, 0.02), batch norm scales from N(1, 0.02), biases 0 (Radford et al. 2016, section 3)."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.normal_(module.weight, 1.0, 0.02)
        if getattr(module, "bias", None) is not None and isinstance(module.bias, torch.Tensor):
            nn.init.zeros_(module.bias)


def sampled(mu: torch.Tensor, logvar: torch.Tensor, epsilon: torch.Tensor) -> torch.Tensor:
    """A condition drawn from N(mu, exp(logvar)) by standard normal epsilon, all [N, cond_dim]."""
    return mu + epsilon * (logvar / 2).exp()
