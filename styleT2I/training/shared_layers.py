"""Layers that look at, or draw numbers for, a whole batch, in a training whose batch several processes share."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn
from torch.nn import functional as F

from styleT2I.torch_utils.distributed import averaged, draw_rows, num_processes


def share_layers(networks: Iterable[nn.Module]) -> None:
    """Make batch norms and dropouts of the networks those of the whole batch; weights and their names stay.

    Nothing where one process has all of it. Raises TypeError for another layer of the kind, which none of ours has.
    """
    if num_processes() == 1:
        return
    for module in (module for network in networks for module in network.modules()):
        if type(module) in _SHARED:
            module.__class__ = _SHARED[type(module)]
        elif isinstance(module, _LOOKING) and not isinstance(module, tuple(_SHARED.values())):
            raise TypeError(f"{type(module).__name__} does not know of other processes' rows")


class _SharedNorm:
    """Batch norm by the mean and variance over all processes' rows (as many on each), running statistics too."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or num_processes() == 1:
            return super().forward(x)
        self._check_input_dim(x)
        dims = [0, *range(2, x.dim())]
        mean = averaged(x.mean(dim=dims))  # [C]
        shape = [1, -1] + [1] * (x.dim() - 2)
        centred = x - mean.view(shape)
        variance = averaged(centred.square().mean(dim=dims))
        if self.track_running_stats:
            self._follow(mean.detach(), variance.detach(), x.numel() // x.shape[1] * num_processes())
        y = centred * (variance + self.eps).rsqrt().view(shape)
        return y if self.weight is None else y * self.weight.view(shape) + self.bias.view(shape)

    @torch.no_grad()
    def _follow(self, mean, variance, num):
        """Move the running statistics as torch does: towards the unbiased variance of `num` values."""
        self.num_batches_tracked += 1
        rate = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, rate)
        self.running_var.lerp_(variance * (num / max(num - 1, 1)), rate)


class SharedBatchNorm1d(_SharedNorm, nn.BatchNorm1d):
    """nn.BatchNorm1d over all processes' rows."""


class SharedBatchNorm2d(_SharedNorm, nn.BatchNorm2d):
    """nn.BatchNorm2d over all processes' rows."""


class SharedDropout(nn.Dropout):
    """nn.Dropout that gives a row the mask it has where one process draws those of all."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or num_processes() == 1 or self.p == 0:
            return super().forward(x)

        def masks(num):  # in x's memory format, by which torch draws them
            return F.dropout(torch.cat([torch.ones_like(x)] * (num // len(x))), self.p)

        return x * draw_rows(masks, len(x))


_LOOKING = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)
_SHARED = {nn.BatchNorm1d: SharedBatchNorm1d, nn.BatchNorm2d: SharedBatchNorm2d, nn.Dropout: SharedDropout}
