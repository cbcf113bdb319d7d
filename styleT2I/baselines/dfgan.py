"""DF-GAN (Tao et al. 2022): one stage of UpBlocks each of which fuses its feature maps with the sentence."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from styleT2I.baselines.config import DFGANConfig, DFGANDiscriminatorConfig
from styleT2I.baselines.layers import LEAK, join_text


class DFGANGenerator(nn.Module):
    """Image [N, 3, R, R] in [-1, 1] of noise [N, noise_dim] and a sentence's features [N, text_dim]."""

    kind = "dfgan-generator"
    Config = DFGANConfig

    def __init__(self, config: DFGANConfig):
        super().__init__()
        self.config = config
        self.project = nn.Linear(config.z_dim, config.widths[0] * 16)
        cond_dim = config.z_dim + config.text_dim
        pairs = zip(config.widths, config.widths[1:], strict=False)
        self.blocks = nn.ModuleList(UpBlock(cond_dim, in_dim, out_dim) for in_dim, out_dim in pairs)
        self.to_rgb = nn.Sequential(nn.LeakyReLU(LEAK), nn.Conv2d(config.widths[-1], 3, 3, padding=1), nn.Tanh())

    @classmethod
    def example(cls):
        """A tiny instance and the inputs of its forward."""
        return cls(DFGANConfig(5, 3, (6, 6, 4))), (torch.randn(2, 3), torch.randn(2, 5))

    @property
    def resolution(self) -> int:
        return self.config.resolution

    @property
    def noise_dim(self) -> int:
        return self.config.z_dim

    def forward(self, noise: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        h = self.project(noise).unflatten(1, (-1, 4, 4))
        condition = torch.cat([noise, text], dim=1)
        for block in self.blocks:
            h = block(h, condition)
        return self.to_rgb(h)


class UpBlock(nn.Module):
    """The map doubled, then two 3x3 convolutions, each after a fusion with the condition, and a shortcut."""

    def __init__(self, cond_dim: int, in_dim: int, out_dim: int):
        super().__init__()
        self.fuse0, self.fuse1 = Fusion(cond_dim, in_dim), Fusion(cond_dim, out_dim)
        self.conv0 = nn.Conv2d(in_dim, out_dim, 3, padding=1)
        self.conv1 = nn.Conv2d(out_dim, out_dim, 3, padding=1)
        self.skip = nn.Identity() if in_dim == out_dim else nn.Conv2d(in_dim, out_dim, 1)

    def forward(self, h: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        h = F.interpolate(h, scale_factor=2)
        residual = self.conv0(self.fuse0(h, condition))
        return self.skip(h) + self.conv1(self.fuse1(residual, condition))


class Fusion(nn.Module):
    """Two affine transformations by the condition, each followed by a leaky ReLU."""

    def __init__(self, cond_dim: int, width: int):
        super().__init__()
        self.affine0, self.affine1 = Affine(cond_dim, width), Affine(cond_dim, width)

    def forward(self, h: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        h = F.leaky_relu(self.affine0(h, condition), LEAK)
        return F.leaky_relu(self.affine1(h, condition), LEAK)


class Affine(nn.Module):
    """A scale and a shift for every channel, each by a two-layer perceptron of the condition; at first 1 and 0."""

    def __init__(self, cond_dim: int, width: int):
        super().__init__()
        self.gamma, self.beta = (
            nn.Sequential(nn.Linear(cond_dim, width), nn.ReLU(), nn.Linear(width, width)) for _ in range(2)
        )
        for network, start in ((self.gamma, 1.0), (self.beta, 0.0)):
            nn.init.zeros_(network[2].weight)
            nn.init.constant_(network[2].bias, start)

    def forward(self, h: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        return self.gamma(condition)[:, :, None, None] * h + self.beta(condition)[:, :, None, None]


class DFGANDiscriminator(nn.Module):
    """One logit [N] of an image and a sentence together (one-way output)."""

    kind = "dfgan-discriminator"
    Config = DFGANDiscriminatorConfig

    def __init__(self, config: DFGANDiscriminatorConfig):
        super().__init__()
        self.config = config
        self.from_rgb = nn.Conv2d(3, config.widths[0], 3, padding=1)
        pairs = zip(config.widths, config.widths[1:], strict=False)
        self.blocks = nn.Sequential(*(DownBlock(in_dim, out_dim) for in_dim, out_dim in pairs))
        self.head = nn.Sequential(
            nn.Conv2d(config.widths[-1] + config.text_dim, config.head_width, 3, padding=1, bias=False),
            nn.LeakyReLU(LEAK),
            nn.Conv2d(config.head_width, 1, 4, bias=False),
        )

    @classmethod
    def example(cls):
        """A tiny instance and the inputs of its forward."""
        config = DFGANDiscriminatorConfig(5, (3, 4, 4), 3)
        return cls(config), (torch.randn(2, 3, 16, 16).tanh(), torch.randn(2, 5))

    def forward(self, image: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        """image [N, 3, R, R], text [N, text_dim] -> logits [N]."""
        return self.matching(self.features(image), text)

    def features(self, image: torch.Tensor) -> torch.Tensor:
        """Maps [N, widths[-1], 4, 4] of images, so that one encoding serves several sentences."""
        return self.blocks(self.from_rgb(image))

    def matching(self, features: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        """Logits [N] of maps [N, widths[-1], 4, 4] and sentences [N, text_dim]."""
        return self.head(join_text(features, text)).flatten()


class DownBlock(nn.Module):
    """A residual that halves the map, scaled by a learnt number that starts at 0, beside a pooled shortcut."""

    def __init__(self, in_dim: int, out_dim: int):
        super().__init__()
        self.residual = nn.Sequential(
            nn.Conv2d(in_dim, out_dim, 4, stride=2, padding=1, bias=False),
            nn.LeakyReLU(LEAK),
            nn.Conv2d(out_dim, out_dim, 3, padding=1, bias=False),
            nn.LeakyReLU(LEAK),
        )
        self.skip = nn.Identity() if in_dim == out_dim else nn.Conv2d(in_dim, out_dim, 1)
        self.gain = nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.avg_pool2d(self.skip(x), 2) + self.gain * self.residual(x)
