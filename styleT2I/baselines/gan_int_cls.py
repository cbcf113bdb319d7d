"""GAN-INT-CLS (Reed et al. 2016): DCGAN conditioned on a sentence, and the encoder of an image's style.

What a sentence says comes from its features, everything else (pose, background) from z: the style. `StyleEncoder`
inverts the generator, so that one image's style can be drawn with another sentence (`transfer_style`).
"""

from __future__ import annotations

import torch
from torch import nn

from styleT2I.baselines.config import GanIntClsConfig, GanIntClsDiscriminatorConfig, StyleEncoderConfig
from styleT2I.baselines.layers import LEAK, conv_norm_leaky, downsampler, init_dcgan, join_text


class GanIntClsGenerator(nn.Module):
    """Image [N, 3, R, R] in [-1, 1] of noise [N, noise_dim] and a sentence's features [N, text_dim]."""

    kind = "gan-int-cls-generator"
    Config = GanIntClsConfig

    def __init__(self, config: GanIntClsConfig):
        super().__init__()
        self.config = config
        self.compress = compressor(config.text_dim, config.cond_dim)
        in_dims = (config.z_dim + config.cond_dim, *config.widths)
        layers = []
        for index, width in enumerate(config.widths):
            size = {"kernel_size": 4} if index == 0 else {"kernel_size": 4, "stride": 2, "padding": 1}
            layers += [nn.ConvTranspose2d(in_dims[index], width, bias=False, **size), nn.BatchNorm2d(width)]
            layers += [Bottleneck(width)] if index < config.num_residual else []
            layers += [nn.ReLU()]
        last = nn.ConvTranspose2d(config.widths[-1], 3, kernel_size=4, stride=2, padding=1)
        self.layers = nn.Sequential(*layers, last, nn.Tanh())
        init_dcgan(self)

    @classmethod
    def example(cls):
        """A tiny instance and the inputs of its forward."""
        return cls(GanIntClsConfig(5, 3, 4, (8, 4), 1)), (torch.randn(3, 3), torch.randn(3, 5))

    @property
    def resolution(self) -> int:
        return self.config.resolution

    @property
    def noise_dim(self) -> int:
        return self.config.z_dim

    def forward(self, noise: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        return self.layers(torch.cat([noise, self.compress(text)], dim=1)[:, :, None, None])


class Bottleneck(nn.Module):
    """A residual block through a quarter of the channels; the caller applies the ReLU after it."""

    def __init__(self, width: int):
        super().__init__()
        inner = max(width // 4, 1)
        self.block = nn.Sequential(
            nn.Conv2d(width, inner, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU(),
            nn.Conv2d(inner, inner, 3, padding=1, bias=False), nn.BatchNorm2d(inner), nn.ReLU(),
            nn.Conv2d(inner, width, 3, padding=1, bias=False), nn.BatchNorm2d(width),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.block(x)


class GanIntClsDiscriminator(nn.Module):
    """Logit [N] of "real and matching" of an image and a sentence's features."""

    kind = "gan-int-cls-discriminator"
    Config = GanIntClsDiscriminatorConfig

    def __init__(self, config: GanIntClsDiscriminatorConfig):
        super().__init__()
        self.config = config
        self.encode = downsampler(config.widths)
        self.compress = compressor(config.text_dim, config.cond_dim)
        width = config.widths[-1]
        joined = conv_norm_leaky(nn.Conv2d(width + config.cond_dim, width, 1, bias=False))
        self.head = nn.Sequential(*joined, nn.Conv2d(width, 1, 4))
        init_dcgan(self)

    @classmethod
    def example(cls):
        """A tiny instance and the inputs of its forward."""
        config = GanIntClsDiscriminatorConfig(5, 2, (3, 4))
        return cls(config), (torch.randn(3, 3, 16, 16).tanh(), torch.randn(3, 5))

    def forward(self, image: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        """image [N, 3, R, R], text [N, text_dim] -> logits [N]."""
        return self.matching(self.encode(image), text)

    def matching(self, h: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        """Logits [N] of `encode`'s maps h, so that one encoding serves several sentences."""
        return self.head(join_text(h, self.compress(text))).flatten()


class StyleEncoder(nn.Module):
    """The z [N, z_dim] that an image [N, 3, R, R] of the generator was drawn from, trained by squared error."""

    kind = "style-encoder"
    Config = StyleEncoderConfig

    def __init__(self, config: StyleEncoderConfig):
        super().__init__()
        self.config = config
        self.encode = downsampler(config.widths)
        self.read = nn.Linear(config.widths[-1] * 16, config.z_dim)
        init_dcgan(self)

    @classmethod
    def example(cls):
        """A tiny instance and the input of its forward."""
        return cls(StyleEncoderConfig(3, (3, 4))), (torch.randn(3, 3, 16, 16).tanh(),)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.read(self.encode(image).flatten(1))


def transfer_style(generator: nn.Module, encoder: StyleEncoder, image: torch.Tensor, text: torch.Tensor):
    """The sentences [N, text_dim] drawn in the style of the images [N, 3, R, R]: [N, 3, R, R]."""
    return generator(encoder(image), text)


def style_loss(z: torch.Tensor, recovered: torch.Tensor) -> torch.Tensor:
    """Mean over the batch of the squared distance of z [N, z_dim] and the encoder's estimate of it."""
    return (z - recovered).square().sum(dim=1).mean()


def compressor(text_dim: int, cond_dim: int) -> nn.Sequential:
    """Sentence features [N, text_dim] -> [N, cond_dim]."""
    return nn.Sequential(nn.Linear(text_dim, cond_dim), nn.LeakyReLU(LEAK))
