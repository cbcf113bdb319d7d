"""StackGAN (Zhang et al. 2017): a small image from the sentence, then a larger one from image and sentence.

Both stages draw their condition from N(mu, sigma^2) of the sentence (conditioning augmentation); discriminators see mu.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from styleT2I.baselines.layers import (
    conv3x3,
    conv_down,
    conv_norm_leaky,
    downsampler,
    init_dcgan,
    join_text,
    sampled,
)
from styleT2I.errors import ConfigError


@dataclass(frozen=True)
class StageTwoConfig:
    """Sizes of Stage-II; the defaults are those of the published COCO weights."""

    encoder_widths: tuple[int, ...] = (192, 384, 768)  # of Stage-I's image, halved by each but the first
    num_residual: int = 2
    widths: tuple[int, ...] = (768, 384, 192, 96, 48)  # of the joined map, then after each doubling

    def __post_init__(self):
        if not self.encoder_widths or not self.widths:
            raise ConfigError("Stage-II needs encoder_widths and widths of at least one layer each")


@dataclass(frozen=True)
class StackGANConfig:
    """Sizes of the generator; the defaults are those of the published COCO weights."""

    text_dim: int = 1024
    z_dim: int = 100
    cond_dim: int = 128  # of the condition that each stage draws
    widths: tuple[int, ...] = (1536, 768, 384, 192, 96)  # of Stage-I at 4 px, then after each doubling
    stage2: StageTwoConfig | None = StageTwoConfig()  # None: Stage-I alone

    def __post_init__(self):
        if not self.widths:
            raise ConfigError("Stage-I needs widths of at least one layer")
        if self.stage2 and self.stage1_resolution % 2 ** (len(self.stage2.encoder_widths) - 1):
            raise ConfigError(f"Stage-I's {self.stage1_resolution} px cannot be halved by all of Stage-II's encoder")

    @property
    def stage1_resolution(self) -> int:
        return 4 << (len(self.widths) - 1)

    @property
    def resolution(self) -> int:
        """Side of the final image."""
        if self.stage2 is None:
            return self.stage1_resolution
        return (self.stage1_resolution >> (len(self.stage2.encoder_widths) - 1)) << (len(self.stage2.widths) - 1)


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


@dataclass(frozen=True)
class StackGANDiscriminatorConfig:
    """Sizes of a stage's discriminator; the defaults are those of the published Stage-I."""

    cond_dim: int = 128
    widths: tuple[int, ...] = (96, 192, 384, 768)  # after each halving, down to 4 px
    narrow_widths: tuple[int, ...] = ()  # of the 3x3 convolutions that follow at 4 px (Stage-II)
    is_unconditional: bool = False  # whether it also judges the image without the sentence (Stage-II)

    def __post_init__(self):
        if not self.widths:
            raise ConfigError("a discriminator needs widths of at least one layer")

    @property
    def resolution(self) -> int:
        return 4 << len(self.widths)


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
