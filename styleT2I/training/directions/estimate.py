"""Estimate of a direction network's training: seconds, memory and disk, before its first step.

A few rows of a batch are computed forward and backward and measured; the rest is arithmetic. Nothing is changed by it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from styleT2I.torch_utils.distributed import num_processes
from styleT2I.torch_utils.hardware.memory import memory_in_use, memory_left

_WORKSPACE = 1.3  # factor on the graph's tensors for what else is alive while a layer is computed
_SPARE = 0.9  # fraction of the free memory that a suggestion fills
_SECOND_PASS = 4 / 3  # a split batch is drawn once more without a graph, about a third of forward and backward
_NUM_ROWS = {"cuda": 8}  # measured at a time; elsewhere 2
_NUM_KEPT = 3  # checkpoints on the disk at most: two are kept while the next is written


@dataclass(frozen=True)
class Estimate:
    """Costs of one training, for each of its processes; bytes, seconds and rows of the part of the batch it has."""

    steps: int
    batch_size: int
    seconds_of_row: float  # forward and backward
    seconds_of_step: float  # of the optimizer, besides
    bytes_of_row: int  # of the graph
    bytes_besides: int  # networks, gradients and optimizer
    bytes_left: int | None  # of memory, not in use yet
    bytes_in_use: int
    bytes_of_weights: int  # of the trained network
    num_processes: int = 1

    def seconds(self, micro_batch: int | None = None) -> float:
        """Seconds a step."""
        is_split = micro_batch is not None and micro_batch < self.batch_size
        return self.batch_size * self.seconds_of_row * (_SECOND_PASS if is_split else 1) + self.seconds_of_step

    def memory(self, micro_batch: int | None = None) -> int:
        """Bytes at the peak of a step."""
        rows = min(micro_batch or self.batch_size, self.batch_size)
        return self.bytes_besides + int(_WORKSPACE * rows * self.bytes_of_row)

    @property
    def disk(self) -> int:
        """Bytes of checkpoints, which hold the weights and Adam's two means of them, and of the exported network."""
        return (3 * _NUM_KEPT + 1) * self.bytes_of_weights

    def fits(self, micro_batch: int | None = None) -> bool:
        """Whether there is enough memory; True where the system does not tell."""
        return self.bytes_left is None or self.memory(micro_batch) <= self.bytes_in_use + self.bytes_left

    def largest_micro_batch(self) -> int | None:
        """The most rows at a time that leave some memory free; None where not even one fits."""
        free = self.bytes_in_use + _SPARE * (self.bytes_left or 0) - self.bytes_besides
        rows = int(free / (_WORKSPACE * max(self.bytes_of_row, 1)))
        return min(rows, self.batch_size) if rows >= 1 else None

    def lines(self, micro_batch: int | None = None, disk_left: int | None = None) -> list[str]:
        """Lines for the user: the first one always, others where the memory or the disk is too small."""
        seconds, rows = self.seconds(micro_batch), self.batch_size * self.num_processes
        lines = [
            f"{self.steps} steps of {rows} take about {_duration(self.steps * seconds)} here "
            f"({_seconds_a_step(seconds)}, without evaluations), {_size(self.memory(micro_batch))} of memory and "
            f"{_size(self.disk)} of disk"
        ]
        if not self.fits(micro_batch):
            there = _size(self.bytes_in_use + self.bytes_left)
            lines.append(f"only {there} of memory are available: {self._remedy(micro_batch)}")
        if disk_left is not None and disk_left < self.disk:
            lines.append(f"only {_size(disk_left)} are free on the disk of --outdir: name another one")
        return lines

    def _remedy(self, micro_batch):
        rows = self.largest_micro_batch()
        if rows is None or rows >= min(micro_batch or self.batch_size, self.batch_size):
            return "a machine with more is needed"
        costs = f"{_size(self.memory(rows))}, {_seconds_a_step(self.seconds(rows))}, the same gradients"
        return f"add --micro-batch {rows} ({costs})"


def measure(
    forward: Callable[[int], tuple[torch.Tensor, ...]],
    network: torch.nn.Module,
    *,
    steps: int,
    batch_size: int,
) -> Estimate:
    """The costs of training `network` on what `forward` computes of as many rows as it is told."""
    device = next(network.parameters()).device
    num = min(_NUM_ROWS.get(device.type, 2), batch_size)
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    seconds = min(_seconds(lambda: _gradient(forward(num), trained), device) for _ in range(2)) / num
    bytes_of_row = _graph_bytes(forward, 2) - _graph_bytes(forward, 1)  # what all rows share is not counted per row
    weights = sum(p.numel() * p.element_size() for p in network.parameters())
    gradients = sum(p.numel() * p.element_size() for p in trained)
    in_use = memory_in_use(device)
    return Estimate(
        steps=steps, batch_size=batch_size, seconds_of_row=seconds,
        seconds_of_step=_seconds_of_adam(sum(p.numel() for p in trained), device), bytes_of_row=bytes_of_row,
        bytes_besides=in_use + 3 * gradients, bytes_left=memory_left(device), bytes_in_use=in_use,
        bytes_of_weights=weights, num_processes=num_processes(),
    )  # fmt: skip


def _gradient(outputs, trained):
    torch.autograd.grad(sum(output.sum() for output in outputs), trained, allow_unused=True)


def _graph_bytes(forward, num):
    """Bytes that the graph of `num` rows keeps, weights included."""
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        outputs = forward(num)
    total = sum(kept.values())
    del outputs  # keeps the graph alive until here, so that no address is reused
    return total


def _seconds(function, device):
    start = time.perf_counter()
    function()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def _seconds_of_adam(num, device):
    """Of `num` parameters, from a step over a part of them."""
    part = torch.nn.Parameter(torch.zeros(max(1, min(num, 1 << 22)), device=device))
    part.grad = torch.zeros_like(part)
    optimizer = torch.optim.Adam([part], fused=True)
    optimizer.step()
    return _seconds(optimizer.step, device) * num / part.numel()


def _duration(seconds):
    for name, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{seconds:.0f} s"


def _seconds_a_step(seconds):
    return f"{seconds:.2f} s a step" if seconds < 10 else f"{seconds:.0f} s a step"


def _size(num):
    return f"{num / 1e9:.1f} GB" if num >= 1e8 else f"{num / 1e6:.0f} MB"
