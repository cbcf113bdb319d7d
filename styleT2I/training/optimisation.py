"""Steps down a loss, the learning rates they take, and moving averages of weights."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import nn

from styleT2I.torch_utils.distributed import average_gradients
from styleT2I.torch_utils.hardware.recordable_adam import set_rates, step_where_finite

SCHEDULES = ("constant", "cosine", "warmup-cosine")


def schedule(name: str, step: int, num_steps: int) -> float:
    """The learning rate factor of step `step` of `num_steps`.

    "constant": 1; "cosine": half a cosine from 1 towards 0; "warmup-cosine": linear to 1 over the first 5 % of the
    steps, then half a cosine towards 0.
    """
    if name not in SCHEDULES:
        raise ValueError(f"unknown schedule {name!r}; known: {', '.join(SCHEDULES)}")
    if name == "constant":
        return 1.0
    warmup = max(1, num_steps // 20) if name == "warmup-cosine" else 0
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, num_steps - warmup)))


def descend(
    optimizer: torch.optim.Optimizer,
    loss: torch.Tensor | Callable[[], object],
    lr: float | torch.Tensor | Sequence[float | torch.Tensor] | None,
    *,
    clipped: Iterable[nn.Parameter] = (),
    max_norm: float = 0.0,
    skips_overflow: bool = False,
):
    """One step of the optimizer down the loss, or the mean of several processes' losses.

    The gradients are freed at its end.

    loss: a scalar, or a function that adds the gradients itself and whose result is passed on. lr: the learning rate,
    or one for each parameter group; None: as it is. max_norm: above 0, the gradients of `clipped` are shortened to this
    norm. skips_overflow: leave the update out where a gradient is not finite.
    """
    if lr is not None:
        set_rates(optimizer, lr if isinstance(lr, Sequence) else [lr] * len(optimizer.param_groups))
    optimizer.zero_grad(set_to_none=True)
    result = loss.backward() if isinstance(loss, torch.Tensor) else loss()
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    average_gradients(parameters)
    if max_norm:
        nn.utils.clip_grad_norm_(clipped, max_norm)
    if skips_overflow:
        step_where_finite(optimizer, [p.grad for p in parameters if p.grad is not None])
    else:
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return result


@contextlib.contextmanager
def held_fixed(network: nn.Module) -> Iterator[None]:
    """While the block runs, the network's weights, which else all learn, get no gradients."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)


@torch.no_grad()
def move_average(average: nn.Module, network: nn.Module, keep: float | torch.Tensor) -> None:
    """Move the averaged network, with its statistics, towards the network; `keep` is the weight of its old value."""
    current = network.state_dict()
    for name, tensor in average.state_dict().items():
        tensor.copy_(current[name].lerp(tensor, keep) if tensor.is_floating_point() else current[name])
