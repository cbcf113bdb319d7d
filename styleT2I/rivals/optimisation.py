"""A latent for a sentence by optimisation: StyleCLIP's first way, and one that keeps the image as TediGAN does.

Sources: StyleCLIP, Patashnik et al. 2021 (arXiv 2103.17249), section 4; TediGAN, Xia et al. 2021 (arXiv 2012.03308),
section 3.4, whose instance-level optimisation this follows in that it starts in W+ and holds on to pixels, without its
trained encoder. Neither draws on an identity network: none for any generator is at hand.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional as F

from styleT2I.errors import ConfigError
from styleT2I.torch_utils.batching import rows_alone
from styleT2I.torch_utils.seeding import latents_of_seeds

_RAMP_UP = 0.05  # of the steps, over which the learning rate rises, as in StyleGAN2's projector
_RAMP_DOWN = 0.25  # over which it falls to 0


@dataclass(frozen=True)
class OptimisationConfig:
    """How a latent is optimised: loss = (1 - cos(image, text)) + latent * distance in W+ + pixels * distance of images.

    The distance in W+ is the square of its length, in units of the latents' own mean square distance from their mean,
    so that one weight serves every generator; that of images is the mean square over pixels from -1 to 1.
    """

    steps: int = 60  # the paper's 200 to 300 draw little more
    lr: float = 0.1  # of Adam, in units of the latents' spread per coordinate
    latent: float = 2.0  # weight of the distance from the start; with less a small CLIP is pleased by what is no face
    pixels: float = 0.0  # weight of the distance from the start's image

    def __post_init__(self):
        if self.steps < 1:
            raise ConfigError(f"an optimisation takes at least one step, not {self.steps}")
        if self.lr <= 0 or self.latent < 0 or self.pixels < 0:
            raise ConfigError(f"lr is above 0 and weights are not below, got {self.lr}, {self.latent}, {self.pixels}")


OPTIMISATIONS = {
    "optimize": OptimisationConfig(),
    "tedigan": OptimisationConfig(latent=1.0, pixels=10.0),
}


def optimised(generator, clip, text_features: torch.Tensor, ws: torch.Tensor, config: OptimisationConfig):
    """Latents [N, num_ws, w_dim] near `ws` whose images agree with the text to the CLIP.

    Args:
        generator: Frozen; of any size.
        clip: Frozen; `encode_image` of images in [-1, 1] is asked.
        text_features: [1 or N, D] of unit length.
        ws: Where each starts. On a CPU no row depends on another.
        config: Steps and weights.
    """
    spread = latent_spread(generator)
    features = text_features.expand(len(ws), -1)
    return rows_alone(lambda w, text: _descended(generator, clip, text, w, config, spread), 8, ws, features)


@torch.enable_grad()
def _descended(generator, clip, text, ws, config, spread):
    start, at = ws.detach(), torch.zeros_like(ws).requires_grad_()  # the offset, in units of the spread
    with torch.no_grad():
        image_before = generator.synthesis(start).clamp(-1, 1) if config.pixels else None
    optimizer = torch.optim.Adam([at], lr=config.lr)
    for step in range(config.steps):
        optimizer.param_groups[0]["lr"] = config.lr * _ramp((step + 0.5) / config.steps)
        image = generator.synthesis(start + spread * at)
        loss = (1 - (F.normalize(clip.encode_image(image.clamp(-1, 1)), dim=1) * text).sum(dim=1)).sum()
        loss = loss + config.latent * at.square().mean(dim=(1, 2)).sum()
        if image_before is not None:
            loss = loss + config.pixels * (image - image_before).square().mean(dim=(1, 2, 3)).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return (start + spread * at).detach()


def _ramp(progress):
    return min(1.0, progress / _RAMP_UP, (1 - progress) / _RAMP_DOWN)


@torch.no_grad()
def latent_spread(generator, num: int = 256) -> float:
    """Root mean square of a coordinate of w about its mean, over latents of fixed seeds."""
    z = latents_of_seeds(range(num), generator.z_dim).to(next(generator.parameters()).device)
    w = generator.mapping(z)[:, 0]
    return (w - w.mean(dim=0)).square().mean().sqrt().item()
