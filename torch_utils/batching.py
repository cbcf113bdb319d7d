"""Rows through a function in micro-batches of one fixed size."""

from collections.abc import Callable

import torch


def images_at_a_time(resolution: int, most: int = 32) -> int:
    """How many images of a side of `resolution` pixels to draw in one go: at 256 pixels and a float32 StyleGAN2 eight,
    whose largest layers then take about half a gigabyte."""
    return max(1, min(most, (1 << 19) // resolution**2))


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
