"""The random numbers of StyleGAN2's training steps: drawn on the CPU before the part of a step that takes them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from styleT2I.data.training.augment import ClipAugmentation, draw_augmentation
from styleT2I.networks.stylegan2.generator import Generator, draw_mixing
from styleT2I.torch_utils.distributed import draw_rows
from styleT2I.training.stylegan2.augmentation import Changes, change, draw_changes
from styleT2I.training.stylegan2.config import StyleGAN2Config


class Latents(NamedTuple):
    """What N images are drawn from."""

    z: Tensor  # [N, z_dim]
    other_z: Tensor | None  # [N, z_dim], of the styles that are mixed in; None: none are
    is_other: Tensor | None  # bool [N, num_ws]: which styles are
    noise: tuple[Tensor, ...] | None  # of every layer; None: the device draws its own
    c: Tensor | None  # [N, c_dim], labels


class Shown(NamedTuple):
    """How N images are changed before the discriminator sees them."""

    changes: Changes | None
    jitter: ClipAugmentation

    def __call__(self, image: Tensor, *, is_whole: bool) -> Tensor:
        """The changed images [N, 3, R, R]; is_whole: as of `augmentation.change`."""
        return self.jitter(change(image, self.changes, is_whole=is_whole))


class Fakes(NamedTuple):
    """The generator's update: a part of its batch, and its share of it."""

    latents: Latents
    shown: Shown
    share: float


class Paths(NamedTuple):
    """The path-length regulariser's."""

    latents: Latents
    noise: Tensor  # [N, 3, R, R], the random image
    share: float


class Pairs(NamedTuple):
    """The discriminator's update."""

    real: Tensor  # [N, 3, R, R] in [-1, 1]
    latents: Latents
    shown_fake: Shown
    shown_real: Shown
    share: float


class Reals(NamedTuple):
    """R1's."""

    real: Tensor
    c: Tensor | None
    shown: Shown


class Draws:
    """Draws for a generator and its settings, in a fixed order."""

    def __init__(self, config: StyleGAN2Config, G: Generator, *, with_noise: bool):
        """with_noise: the noise of every pixel too, which else the device draws itself: the CPU is slow at it."""
        self.config, self.G, self.with_noise = config, G, with_noise

    def latents(self, num: int, c: Tensor | None, rng: torch.Generator) -> Latents:
        """New latents of `num` images with their labels."""
        G, probability = self.G, self.config.style_mixing
        z, other_z, is_other = draw_rows(torch.randn, num, G.z_dim, generator=rng), None, None
        if probability:
            other_z = draw_rows(torch.randn, num, G.z_dim, generator=rng)
            is_other = draw_mixing(num, G.num_ws, rng, probability)
        noise = G.synthesis.draw_noises(num, rng) if self.with_noise else None
        return Latents(z, other_z, is_other, noise, c)

    def shown(self, num: int, p: float, rng: torch.Generator) -> Shown:
        """Changes of `num` images, each of adaptive augmentation's with probability p."""
        changes = draw_changes(num, p, self.G.resolution, rng)
        config = self.config
        return Shown(changes, draw_augmentation(num, rng, jitter=config.jitter, translate=config.translate))

    def fakes(self, num: int, c: Tensor | None, share: float, p: float, rng: torch.Generator) -> Fakes:
        """For the generator's update."""
        return Fakes(self.latents(num, c, rng), self.shown(num, p, rng), share)

    def paths(self, num: int, c: Tensor | None, share: float, rng: torch.Generator) -> Paths:
        """For the path-length regulariser."""
        latents, G = self.latents(num, c, rng), self.G
        shape = (num, G.config.image_channels, G.resolution, G.resolution)
        return Paths(latents, draw_rows(torch.randn, *shape, generator=rng), share)

    def pairs(self, real: Tensor, c: Tensor | None, share: float, p: float, rng: torch.Generator) -> Pairs:
        """For the discriminator's update."""
        num = len(real)
        latents, shown_fake = self.latents(num, c, rng), self.shown(num, p, rng)
        return Pairs(real, latents, shown_fake, self.shown(num, p, rng), share)

    def reals(self, real: Tensor, c: Tensor | None, p: float, rng: torch.Generator) -> Reals:
        """For R1."""
        return Reals(real, c, self.shown(len(real), p, rng))
