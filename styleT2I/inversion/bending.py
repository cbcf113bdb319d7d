"""A generator that is bent a little to one image, and the small difference that bends it again.

Source: pivotal tuning (Roich et al. 2021, arXiv 2106.05744), section 3.2: the latent, the pivot, stays, the synthesis
network learns to draw the image at it. Here the convolutions may only change by matrices of low rank (Hu et al. 2021,
arXiv 2106.09685), so that an image's difference takes a few per cent of the generator.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call

from styleT2I.errors import CheckpointError
from styleT2I.networks.stylegan2.generator import SynthesisNetwork
from styleT2I.torch_utils.seeding import generator

_LEFT, _RIGHT = ".left", ".right"
_RAMP_DOWN = 0.25


@torch.enable_grad()
def bent_to(
    synthesis: SynthesisNetwork,
    ws: Tensor,
    distances: Callable[[Tensor], Tensor],
    *,
    steps: int,
    lr: float = 3e-3,
    rank: int = 8,
    noise: Mapping[str, Tensor] | None = None,
) -> dict[str, Tensor]:
    """The difference by which a network draws an image better at a latent.

    Args:
        synthesis: Frozen; it is left as it is.
        ws: The pivot [1, num_ws, w_dim].
        distances: Of images [1, 3, R, R] from the target, [1].
        steps: Of Adam.
        lr: Its learning rate; weights are stored near N(0, 1).
        rank: Of the change of each convolution.
        noise: Maps [R, R] by layer in place of the stored ones.

    Returns:
        float16 tensors on the CPU: "b8.conv0.weight.left" [O, rank] and ".right" [rank, ...], and whole changes of
        small parameters; in half precision already, so that what is stored is what was measured.
    """
    factors = _fresh(synthesis, rank)
    buffers = {f"{name}.noise_const": map for name, map in (noise or {}).items()}
    own = dict(synthesis.named_parameters())
    optimizer = torch.optim.Adam(factors.values(), lr=lr)
    best, kept = float("inf"), {}
    for step in range(steps + 1):
        changed = {name: own[name] + change for name, change in changes(factors, own).items()}
        distance = distances(functional_call(synthesis, {**changed, **buffers}, (ws,))).sum()
        if distance.item() < best:
            best, kept = distance.item(), {name: factor.detach().clone() for name, factor in factors.items()}
        if step == steps:
            break
        optimizer.param_groups[0]["lr"] = lr * min(1.0, (1 - (step + 0.5) / steps) / _RAMP_DOWN)
        optimizer.zero_grad()
        distance.backward()
        optimizer.step()
    return {name: factor.half().cpu() for name, factor in kept.items()}


def changes(factors: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The changes of parameters, by name, in their shapes and types; CheckpointError where one is not theirs."""
    found = {}
    for name in factors:
        if name.endswith(_RIGHT):
            continue
        target = name.removesuffix(_LEFT)
        if target not in own:
            raise CheckpointError(f"the difference of {target!r} is of another generator; invert the image again")
        change = factors[name].to(own[target])
        if name.endswith(_LEFT):
            right = factors.get(target + _RIGHT)
            if right is None or change.ndim != 2 or right.ndim != 2 or change.shape[1] != right.shape[0]:
                raise CheckpointError(f"the difference of {target!r} is damaged; invert the image again")
            change = change @ right.to(change)
        if change.numel() != own[target].numel():
            raise CheckpointError(f"the difference of {target!r} is of another generator; invert the image again")
        found[target] = change.view_as(own[target])
    return found


@contextlib.contextmanager
def bent(synthesis: SynthesisNetwork, factors: Mapping[str, Tensor], noise: Mapping[str, Tensor]) -> Iterator[None]:
    """While the block runs, the network draws with a difference of `bent_to` and with noise maps [R, R] by layer.

    Both are put in place, so that compiled and recorded forms draw them too, and taken out again bit for bit. Not for
    two threads at once. CheckpointError where they are of another generator.
    """
    own: dict[str, Tensor] = dict(synthesis.named_parameters())
    buffers = dict(synthesis.named_buffers())
    values = {name: own[name].detach() + change for name, change in changes(factors, own).items()}
    for name, map in noise.items():
        buffer = buffers.get(f"{name}.noise_const")
        if buffer is None or buffer.shape != map.shape:
            raise CheckpointError(f"the noise map {name!r} is of another generator; invert the image again")
        values[f"{name}.noise_const"] = map.to(buffer)
    places = {name: own[name] if name in own else buffers[name] for name in values}
    before = {name: place.detach().clone() for name, place in places.items()}
    try:
        with torch.no_grad():
            for name, place in places.items():
                place.copy_(values[name])
        yield
    finally:
        with torch.no_grad():
            for name, place in places.items():
                place.copy_(before[name])


def _fresh(synthesis, rank):
    """Factors whose product is 0, of the convolutions, and changes of 0 of their biases, RGB outputs and constant."""
    rng, factors = generator("inversion", "bending"), {}
    for name, parameter in synthesis.named_parameters():
        if ".affine." in name or name.endswith("noise_strength"):
            continue
        if parameter.ndim == 4 and min(parameter.shape[0], parameter[0].numel()) > 2 * rank:
            right = torch.randn(rank, parameter[0].numel(), generator=rng) / rank**0.5
            factors[name + _LEFT] = torch.zeros(parameter.shape[0], rank, device=parameter.device)
            factors[name + _RIGHT] = right.to(parameter.device)
        else:
            factors[name] = torch.zeros_like(parameter)
    return {name: nn.Parameter(factor) for name, factor in factors.items()}
