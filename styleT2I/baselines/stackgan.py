"""StackGAN (Zhang et al. 2017): a small image from the sentence, then a larger one from image and sentence.

Both stages draw their condition from N(mu, sigma^2) of the sentence (conditioning augmentation); discriminators see mu.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from styleT2I.baselines.config import StackGANConfig, StackGANDiscriminatorConfig, StageTwoConfig
from styleT2I.baselines.layers import (
    conv3x3,
    conv_down,
    conv_norm_leaky,
    downsampler,
    init_dcgan,
    join_text,
    sampled,
)


class StackGANOutput(NamedTuple):
    """The last stage's result."""

    image: torch.Tensor  # [N, 3, R, R] in [-1, 1]
    mu: torch.Tensor  # [N, cond_dim] of its condition
    logvar: torch.Tensor  # [N, cond_dim]


class StackGANGenerator(nn.Module):
    """Image of noise [N, noise_dim] (z, then one epsilon per stage) and a sentence's features [N, text_dim]."""

    kind = "stackgan-generator"
    Config = StackGANConfig

    def __init__(self, config: StackGANConfig):
        super().__init__()
        self.config = config
        self.stage1 = StageOne(config)
        self.stage2 = StageTwo(config) if config.stage2 else None
        init_dcgan(self)

    @classmethod
    def example(cls):
        """A tiny instance of both stages and the inputs of its forward."""
        config = StackGANConfig(5, 3, 2, (6, 4), StageTwoConfig((3, 4), 1, (4, 3, 2)))
        return cls(config), (torch.randn(2, 7), torch.randn(2, 5))

    @property
    def resolution(self) -> int:
        return self.config.resolution

    @property
    def noise_dim(self) -> int:
        return self.config.z_dim + self.config.cond_dim * (1 if self.stage2 is None else 2)

    def forward(self, noise: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        """The last stage's image [N, 3, R, R] in [-1, 1]."""
        return self.draw(noise, text).image

    def draw(self, noise: torch.Tensor, text: torch.Tensor) -> StackGANOutput:
        """The last stage's image with the distribution that its condition was drawn from."""
        z, *epsilons = noise.split([self.config.z_dim] + [self.config.cond_dim] * (1 if self.stage2 is None else 2), 1)
        made = self.stage1(z, epsilons[0], text)
        return made if self.stage2 is None else self.stage2(made.image, epsilons[1], text)


class ConditioningAugmentation(nn.Module):
    """Mean and log variance of the condition's Gaussian: text [N, text_dim] -> two of [N, cond_dim], both >= 0."""

    def __init__(self, text_dim: int, cond_dim: int):
        super().__init__()
        self.fc = nn.Linear(text_dim, 2 * cond_dim)

    def forward(self, text: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mu, logvar = F.relu(self.fc(text)).chunk(2, dim=1)  # rectified before the split, as the published weights need
        return mu, logvar


class StageOne(nn.Module):
    """A vector widened to 4x4 and doubled by nearest neighbour and 3x3 convolutions."""

    def __init__(self, config: StackGANConfig):
        super().__init__()
        width = config.widths[0]
        self.augment = ConditioningAugmentation(config.text_dim, config.cond_dim)
        self.project = nn.Sequential(
            nn.Linear(config.z_dim + config.cond_dim, width * 16, bias=False), nn.BatchNorm1d(width * 16), nn.ReLU()
        )
        self.up = _doublings(config.widths)
        self.to_rgb = nn.Sequential(conv3x3(config.widths[-1], 3), nn.Tanh())

    def forward(self, z: torch.Tensor, epsilon: torch.Tensor, text: torch.Tensor) -> StackGANOutput:
        mu, logvar = self.augment(text)
        condition = sampled(mu, logvar, epsilon)
        h = self.project(torch.cat([z, condition], dim=1)).unflatten(1, (-1, 4, 4))
        return StackGANOutput(self.to_rgb(self.up(h)), mu, logvar)


class StageTwo(nn.Module):
    """Stage-I's image encoded, joined with a condition of its own, refined by residual blocks and doubled."""

    def __init__(self, config: StackGANConfig):
        super().__init__()
        sizes = config.stage2
        self.augment = ConditioningAugmentation(config.text_dim, config.cond_dim)
        layers = [conv3x3(3, sizes.encoder_widths[0]), nn.ReLU()]
        for in_dim, out_dim in zip(sizes.encoder_widths, sizes.encoder_widths[1:], strict=False):
            layers += [conv_down(in_dim, out_dim), nn.BatchNorm2d(out_dim), nn.ReLU()]
        self.encode = nn.Sequential(*layers)
        width = sizes.widths[0]
        self.join = nn.Sequential(
            conv3x3(sizes.encoder_widths[-1] + config.cond_dim, width), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.residual = nn.Sequential(*(ResidualBlock(width) for _ in range(sizes.num_residual)))
        self.up = _doublings(sizes.widths)
        self.to_rgb = nn.Sequential(conv3x3(sizes.widths[-1], 3), nn.Tanh())

    def forward(self, image: torch.Tensor, epsilon: torch.Tensor, text: torch.Tensor) -> StackGANOutput:
        mu, logvar = self.augment(text)
        h = self.join(join_text(self.encode(image), sampled(mu, logvar, epsilon)))
        return StackGANOutput(self.to_rgb(self.up(self.residual(h))), mu, logvar)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with batch norm, added to their input."""

    def __init__(self, width: int):
        super().__init__()
        self.block = nn.Sequential(
            conv3x3(width, width), nn.BatchNorm2d(width), nn.ReLU(), conv3x3(width, width), nn.BatchNorm2d(width)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(x + self.block(x))


class StackGANDiscriminator(nn.Module):
    """Logits [N] of "real and matching", and of "real" where it judges that too, of images and conditions mu."""

    kind = "stackgan-discriminator"
    Config = StackGANDiscriminatorConfig

    def __init__(self, config: StackGANDiscriminatorConfig):
        super().__init__()
        self.config = config
        widths = (config.widths[-1], *config.narrow_widths)
        narrow = [conv_norm_leaky(conv3x3(a, b)) for a, b in zip(widths, widths[1:], strict=False)]
        self.encode = nn.Sequential(*downsampler(config.widths), *(layer for layers in narrow for layer in layers))
        width = widths[-1]
        joined = conv_norm_leaky(conv3x3(width + config.cond_dim, width))
        self.cond_head = nn.Sequential(*joined, nn.Conv2d(width, 1, 4, stride=4))
        self.uncond_head = nn.Sequential(nn.Conv2d(width, 1, 4, stride=4)) if config.is_unconditional else None
        init_dcgan(self)

    @classmethod
    def example(cls):
        """A tiny instance with both heads and the inputs of its forward."""
        config = StackGANDiscriminatorConfig(2, (3, 4), (3,), True)
        return cls(config), (torch.randn(3, 3, 16, 16).tanh(), torch.randn(3, 2))

    def forward(self, image: torch.Tensor, mu: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """image [N, 3, R, R], mu [N, cond_dim] -> (conditional logits [N], [unconditional logits [N]])."""
        h = self.encode(image)
        return self.matching(h, mu), *(() if self.uncond_head is None else (self.uncond_head(h).flatten(),))

    def matching(self, h: torch.Tensor, mu: torch.Tensor) -> torch.Tensor:
        """Conditional logits [N] of `encode`'s maps h, so that one encoding serves several sentences."""
        return self.cond_head(join_text(h, mu)).flatten()


def _doublings(widths):
    return nn.Sequential(*(
        nn.Sequential(nn.Upsample(scale_factor=2), conv3x3(a, b), nn.BatchNorm2d(b), nn.ReLU())
        for a, b in zip(widths, widths[1:], strict=False)
    ))  # fmt: skip
