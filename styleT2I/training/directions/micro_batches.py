"""A step down the loss of a whole batch that holds the graph of a few rows at a time, with the same gradients.

Contrastive losses compare every row with every other, so that they cannot be summed up over parts of a batch. They do
depend on each row through a few numbers only, its features: these are computed without a graph, the loss gives their
gradients, and every part of the batch is computed again, with a graph, to carry its gradients on (gradient caching;
Gao et al. 2021, "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup", sec. 3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch


def accumulate_gradients(
    forward: Callable[[torch.Tensor], Sequence[torch.Tensor]],
    loss_of: Callable[..., torch.Tensor],
    num: int,
    size: int | None = None,
    device: torch.device | str = "cpu",
) -> torch.Tensor:
    """Add the gradients of `loss_of(*forward(all rows))` to the parameters, and return the loss, detached.

    forward: row numbers int64 [n] -> tensors [n, ...], of which no row depends on another; it is called twice for
    every part, so nothing in it may be random. loss_of: the tensors of all `num` rows -> a scalar, called once.
    size: rows whose graph is held at a time; None or `num` and more: all, in one pass instead of two. device: where the
    row numbers lie.
    """
    rows = torch.arange(num, device=device)
    if size is None or size >= num:
        loss = loss_of(*forward(rows))
        loss.backward()
        return loss.detach()
    with torch.no_grad():
        outputs = [torch.cat(parts) for parts in zip(*(forward(part) for part in rows.split(size)), strict=True)]
    outputs = [output.requires_grad_() for output in outputs]
    loss = loss_of(*outputs)
    gradients = torch.autograd.grad(loss, outputs, allow_unused=True)
    for part in rows.split(size):
        made = forward(part)
        used = [(output, grad[part]) for output, grad in zip(made, gradients, strict=True) if grad is not None]
        torch.autograd.backward(*map(list, zip(*used, strict=True)))
    return loss.detach()
