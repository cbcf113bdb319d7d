"""AttnGAN (Xu et al. 2018): images of growing size, each refined where its regions attend to the sentence's words."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import nn

from styleT2I.baselines.config import AttnGANConfig
from styleT2I.baselines.layers import conv3x3, init_dcgan, sampled


class AttnGANOutput(NamedTuple):
    """The stages' results for N sentences of up to T words."""

    images: tuple[torch.Tensor, ...]  # one per stage, [N, 3, R, R] in [-1, 1]
    attention: tuple[
        torch.Tensor, ...
    ]  # one per further stage, [N, T, r, r] at the former stage's size; sums over T to 1
    mu: torch.Tensor  # [N, cond_dim] of the condition's Gaussian
    logvar: torch.Tensor  # [N, cond_dim]


class AttnGANGenerator(nn.Module):
    """Images of noise [N, noise_dim] (z, then epsilon) and the features of DAMSM's text encoder."""

    kind = "attngan-generator"
    Config = AttnGANConfig

    def __init__(self, config: AttnGANConfig):
        super().__init__()
        self.config = config
        num_doublings = int(math.log2(config.first_resolution)) - 2  # from 4 px
        start = config.width << num_doublings
        self.augment = GatedAugmentation(config.text_dim, config.cond_dim)
        self.project = nn.Sequential(
            nn.Linear(config.cond_dim + config.z_dim, 2 * start * 16, bias=False),
            nn.BatchNorm1d(2 * start * 16),
            nn.GLU(dim=1),
        )
        self.up = nn.Sequential(*(doubling(start >> i, start >> i + 1) for i in range(num_doublings)))
        self.refine = nn.ModuleList(RefiningStage(config) for _ in range(config.num_stages - 1))
        self.to_rgb = nn.ModuleList(
            nn.Sequential(conv3x3(config.width, 3), nn.Tanh()) for _ in range(config.num_stages)
        )
        init_dcgan(self)

    @classmethod
    def example(cls):
        """A tiny instance and the inputs of its forward: noise, sentence, words, mask."""
        config = AttnGANConfig(text_dim=5, z_dim=3, cond_dim=2, width=2, first_resolution=8, num_residual=1)
        mask = torch.tensor([[False, False, False, True], [False, False, False, False]])
        return cls(config), (torch.randn(2, 5), torch.randn(2, 5), torch.randn(2, 5, 4), mask)

    @property
    def resolution(self) -> int:
        """Side of the last stage's image."""
        return self.config.resolutions[-1]

    @property
    def noise_dim(self) -> int:
        return self.config.z_dim + self.config.cond_dim

    def forward(
        self, noise: torch.Tensor, sentence: torch.Tensor, words: torch.Tensor, mask: torch.Tensor
    ) -> AttnGANOutput:
        """sentence [N, text_dim], words [N, text_dim, T], mask bool [N, T], True where a sentence has no such word."""
        z, epsilon = noise.split([self.config.z_dim, self.config.cond_dim], dim=1)
        mu, logvar = self.augment(sentence)
        condition = sampled(mu, logvar, epsilon)
        h = self.up(self.project(torch.cat([condition, z], dim=1)).unflatten(1, (-1, 4, 4)))
        images, attention = [self.to_rgb[0](h)], []
        for stage, to_rgb in zip(self.refine, self.to_rgb[1:], strict=True):
            h, weights = stage(h, words, mask)
            images.append(to_rgb(h))
            attention.append(weights)
        return AttnGANOutput(tuple(images), tuple(attention), mu, logvar)


class GatedAugmentation(nn.Module):
    """Mean and log variance of the condition's Gaussian, gated: text [N, text_dim] -> two of [N, cond_dim]."""

    def __init__(self, text_dim: int, cond_dim: int):
        super().__init__()
        self.fc = nn.Linear(text_dim, 4 * cond_dim)

    def forward(self, text: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mu, logvar = nn.functional.glu(self.fc(text), dim=1).chunk(2, dim=1)
        return mu, logvar


class RefiningStage(nn.Module):
    """A stage's map joined with the word context of each position, refined by residual blocks and doubled."""

    def __init__(self, config: AttnGANConfig):
        super().__init__()
        self.attention = WordAttention(config.width, config.text_dim, config.legacy_mask)
        width = 2 * config.width
        self.residual = nn.Sequential(*(GatedResidual(width) for _ in range(config.num_residual)))
        self.up = doubling(width, config.width)

    def forward(self, h, words, mask) -> tuple[torch.Tensor, torch.Tensor]:
        """h [N, width, r, r] -> [N, width, 2r, 2r] and the attention [N, T, r, r]."""
        context, weights = self.attention(h, words, mask)
        return self.up(self.residual(torch.cat([h, context], dim=1))), weights


class WordAttention(nn.Module):
    """For each position of a map a mean of the words, weighted by how well they match it (equations 2 and 3)."""

    def __init__(self, width: int, text_dim: int, legacy_mask: bool = False):
        super().__init__()
        self.project = nn.Conv2d(text_dim, width, 1, bias=False)
        self.legacy_mask = legacy_mask

    def forward(self, h, words, mask) -> tuple[torch.Tensor, torch.Tensor]:
        """h [N, width, r, r], words [N, text_dim, T], mask bool [N, T] -> context as h, weights [N, T, r, r]."""
        num, _, height, side = h.shape
        keys = self.project(words.unsqueeze(3)).squeeze(3)  # [N, width, T]
        scores = torch.einsum("ncp,nct->npt", h.flatten(2), keys)  # [N, places, T]
        weights = scores.masked_fill(self._hidden(mask, height * side), float("-inf")).softmax(dim=2)
        context = torch.einsum("npt,nct->ncp", weights, keys)
        return context.unflatten(2, (height, side)), weights.transpose(1, 2).unflatten(2, (height, side))

    def _hidden(self, mask, num_places):
        """The words hidden from each position: bool [N, 1 or positions, T]."""
        if not self.legacy_mask:
            return mask.unsqueeze(1)
        # The released code repeats the whole batch's masks, though the attention's rows go sample by sample.
        return mask.repeat(num_places, 1).view(len(mask), num_places, -1)


class GatedResidual(nn.Module):
    """Two 3x3 convolutions with batch norm, the first gated, added to their input."""

    def __init__(self, width: int):
        super().__init__()
        self.block = nn.Sequential(
            conv3x3(width, 2 * width), nn.BatchNorm2d(2 * width), nn.GLU(dim=1),
            conv3x3(width, width), nn.BatchNorm2d(width),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.block(x)


def doubling(in_dim: int, out_dim: int) -> nn.Sequential:
    """Map [N, in_dim, r, r] -> [N, out_dim, 2r, 2r] by nearest neighbour and a gated 3x3 convolution."""
    return nn.Sequential(
        nn.Upsample(scale_factor=2), conv3x3(in_dim, 2 * out_dim), nn.BatchNorm2d(2 * out_dim), nn.GLU(dim=1)
    )
