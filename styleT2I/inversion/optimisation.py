"""A latent for an image by optimisation, in W or in W+, with the noise maps where a generator has any.

Sources: StyleGAN2 (Karras et al. 2020, arXiv 1912.04958), appendix D: the projector's noise on w and learning rates;
Image2StyleGAN (Abdal et al. 2019, arXiv 1904.03189): W+; Zhu et al. 2020 (arXiv 2012.09036), section 3, and
encoder4editing (arXiv 2102.02766): latents far from W or its mean fit better and edit worse, so distances cost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import functional_call

from styleT2I.inversion.arguments import InversionConfig
from styleT2I.inversion.latent_space import LatentSpace
from styleT2I.inversion.noise import as_buffers, noise_penalty, normalise, start_noise
from styleT2I.ops.kernels import default_impl

_RAMP_UP, _RAMP_DOWN = 0.05, 0.25  # of the steps, over which the learning rate rises, and falls
_NOISE_STEPS, _NOISE_SIZE = 0.5, 0.05  # of the steps that disturb w, and by how much at first, in units of the spread


@dataclass(frozen=True)
class Found:
    """Latents [N, num_ws, w_dim], their noise maps [N, 1, R, R] by layer, and distances [N] of what they draw."""

    ws: Tensor
    noise: dict[str, Tensor]
    distance: Tensor


@torch.enable_grad()
def optimised(
    G,
    space: LatentSpace,
    distances: Callable[[Tensor], Tensor],
    start: Tensor,
    config: InversionConfig,
    steps: int,
    rng: torch.Generator,
    *,
    in_w: bool,
    disturbed: bool = True,
) -> Found:
    """Go from latents to ones whose images are nearer to their targets.

    Args:
        G: Frozen generator.
        space: Of its latents.
        distances: Of images [N, 3, R, R] from the targets, [N].
        start: ws [N, num_ws, w_dim].
        config: Learning rate and weights.
        steps: At least 1.
        rng: On the CPU; of the noise maps and of the noise on w.
        in_w: Move all layers together.
        disturbed: Add noise to w at first, as from far away one should.

    Returns:
        Of each row the best latent that was drawn on the way, or the start.
    """
    start = start.detach()
    shape = (len(start), 1 if in_w else G.num_ws, G.w_dim)
    offset = torch.zeros(shape, device=start.device, requires_grad=True)  # in units of the spread
    noise = start_noise(G.synthesis, len(start), rng)
    optimizer = torch.optim.Adam([offset, *noise.values()], betas=(0.9, 0.999))
    best_ws, best_noise = start, {name: map.detach().clone() for name, map in noise.items()}
    best = torch.full((len(start),), torch.inf, device=start.device)
    for step in range(steps + 1):  # the last one is only looked at
        progress = (step + 0.5) / steps
        ws = start + space.spread * offset
        moved = ws
        if disturbed and step < steps and progress < _NOISE_STEPS:
            size = _NOISE_SIZE * space.spread * (1 - progress / _NOISE_STEPS) ** 2
            moved = ws + size * torch.randn(shape, generator=rng).to(ws)
        distance = distances(_drawn(G.synthesis, moved, noise))
        is_better = distance.detach() < best
        best_ws, best_noise = _taken(is_better, moved, noise, best_ws, best_noise)
        best = torch.where(is_better, distance.detach(), best)
        if step == steps:
            break
        loss = distance.sum() + config.near_mean * space.from_mean(ws).sum()
        loss = loss + (0 if in_w else config.near_w * space.from_w(ws).sum()) + config.noise * noise_penalty(noise)
        optimizer.param_groups[0]["lr"] = config.lr * min(1.0, progress / _RAMP_UP, (1 - progress) / _RAMP_DOWN)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        normalise(noise)
    return Found(best_ws.detach(), best_noise, best)


def _drawn(synthesis, ws, noise):
    """Images of latents with noise maps of their own; compiled operators know no gradient of these."""
    if not noise:
        return synthesis(ws)
    with default_impl("torch"):
        return functional_call(synthesis, as_buffers(noise), (ws,))


def _taken(is_better, ws, noise, best_ws, best_noise):
    """The new latents and maps of the rows that are better, the old ones of the others."""
    taken = torch.where(is_better[:, None, None], ws.detach(), best_ws)
    rows = is_better[:, None, None, None]
    return taken, {name: torch.where(rows, map.detach(), best_noise[name]) for name, map in noise.items()}
