"""Rows through a function in micro-batches of one fixed size, or each alone."""

from collections.abc import Callable, Iterator

import torch


def images_at_a_time(resolution: int, most: int = 32) -> int:
    """How many images of a side of `resolution` pixels to draw in one go: at 256 pixels and a float32 StyleGAN2 eight,
    whose largest layers then take about half a gigabyte."""
    return max(1, min(most, (1 << 19) // resolution**2))


def rows_alone(function: Callable[..., torch.Tensor], size: int, *rows: torch.Tensor) -> torch.Tensor:
    """function over rows [N, ...], so that what comes out of a row does not depend on the others: [N, ...] again.

    On a CPU one row at a time, in memory of its own: there a sum's last bits may follow from the batch's size, from the
    row's place in the batch and from its address (MKL splits sums by the address modulo 16 bytes), so only the same
    call on the same bytes at equally aligned addresses is sure to give the same bits. Elsewhere `in_micro_batches` of
    `size` rows, where kernels are chosen by the shape.
    """
    if rows[0].device.type != "cpu":
        return in_micro_batches(function, size, *rows)
    return torch.cat([function(*row) for row in each_alone(*rows)])


def each_alone(*rows: torch.Tensor) -> Iterator[list[torch.Tensor]]:
    """Every row of rows [N, ...] as [1, ...] in memory of its own, which torch aligns alike for all."""
    for k in range(len(rows[0])):
        yield [values[k : k + 1].clone(memory_format=torch.contiguous_format) for values in rows]


def in_micro_batches(function: Callable[..., torch.Tensor], size: int, *rows: torch.Tensor) -> torch.Tensor:
    """function over exactly `size` rows at a time: each of rows [N, ...] is cut alike, the result is [N, ...] again.

    The last batch is filled up with copies of its last row. A sum's last bits may depend on the batch's size; with one
    size, what comes out of a row does not depend on how many others there are.
    """
    num = len(rows[0])
    parts = []
    for start in range(0, num, size):
        batch = [values[start : start + size] for values in rows]
        missing = size - len(batch[0])
        if missing:
            batch = [torch.cat([values, values[-1:].expand(missing, *values.shape[1:])]) for values in batch]
        parts.append(function(*batch))
    return torch.cat(parts)[:num]
