"""A step down a loss, and the learning rate it takes."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch


def warmup_cosine(step: int, num_steps: int) -> float:
    """Learning rate factor: linear to 1 over the first 5 % of the steps, then half a cosine towards 0."""
    warmup = max(1, num_steps // 20)
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, num_steps - warmup)))


def descend(optimizer: torch.optim.Optimizer, loss: torch.Tensor, lr: float) -> None:
    """One step of the optimizer down the loss at this learning rate."""
    descend_by(optimizer, loss.backward, lr)


def descend_by(optimizer: torch.optim.Optimizer, backward: Callable[[], object], lr: float):
    """One step of the optimizer at this learning rate down the gradients that `backward` adds; its result is passed on.

    The gradients are dropped at the end: what follows, say a picture or a checkpoint, need not find room beside them.
    """
    for group in optimizer.param_groups:
        group["lr"] = lr
    optimizer.zero_grad(set_to_none=True)
    result = backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return result
