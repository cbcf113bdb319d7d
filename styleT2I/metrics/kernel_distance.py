"""Kernel distance between two feature sets, the KID where the features are Inception's (Binkowski et al. 2018)."""

from __future__ import annotations

from typing import NamedTuple

import torch

__all__ = ["KernelDistance", "kernel_distance", "used_subset_size"]

_ROWS_PER_BLOCK = 1024  # a block of kernels is [1024, M]: memory stays flat in N


class KernelDistance(NamedTuple):
    """Squared maximum mean discrepancy of two feature sets; unbiased, so it may lie below 0 where they are alike."""

    value: float  # over all rows
    standard_error: float  # of value, by leaving out one row at a time
    subset_mean: float  # over random subsets, as it is usually published
    subset_std: float  # over the same subsets; they overlap, so this is not the error of their mean


class _KernelSums(NamedTuple):
    """Row sums of the kernel, float64 on the CPU."""

    real_real: torch.Tensor  # [N], without the row's kernel with itself
    fake_fake: torch.Tensor  # [M], likewise
    real_fake: torch.Tensor  # [N], over the fakes
    fake_real: torch.Tensor  # [M], over the reals


def kernel_distance(
    real: torch.Tensor,
    fake: torch.Tensor,
    generator: torch.Generator,
    num_subsets: int = 100,
    subset_size: int = 1000,
) -> KernelDistance:
    """Unbiased squared MMD with the kernel (x.y / F + 1)^3 (arXiv 1801.01401, eq. 4 and sec. 4).

    Args:
        real: features [N, F] with N >= 3, any float dtype.
        fake: features [M, F] with M >= 3.
        generator: draws the subsets; on the CPU.
        num_subsets: how many subsets are drawn, each without replacement.
        subset_size: rows of a subset, at most half of the smaller set: subsets of nearly everything would not differ.

    Returns:
        The distance over all rows with its standard error, by Arvesen's (1969) jackknife of a two-sample U-statistic,
        and mean and deviation over the subsets. Unbiased, so that sets that are alike may lie below 0.

    Raises:
        ValueError: fewer than three rows, or values that are not finite.

    Example:
        >>> features = torch.randn(200, 8, generator=torch.Generator().manual_seed(0))
        >>> distance = kernel_distance(features, features + 1, torch.Generator().manual_seed(0))
        >>> distance.value > 10 * distance.standard_error
        True
    """
    real, fake = _prepare("real", real), _prepare("fake", fake)
    sums = _kernel_sums(real, fake)
    subset_size = used_subset_size(subset_size, len(real), len(fake))
    subsets = torch.tensor(
        [
            _unbiased(_kernel_sums(_subset(real, subset_size, generator), _subset(fake, subset_size, generator)))
            for _ in range(num_subsets)
        ],
        dtype=torch.float64,
    )
    return KernelDistance(
        _unbiased(sums), _jackknife_error(sums), float(subsets.mean()), float(subsets.std(correction=0))
    )


def used_subset_size(subset_size: int, num_real: int, num_fake: int) -> int:
    """Rows of a subset, where subset_size were asked for: at most half of the smaller set, and at least 2.

    Args:
        subset_size: what was asked for.
        num_real: rows of the first set.
        num_fake: rows of the second set.

    Returns:
        The size that `kernel_distance` uses.

    Example:
        >>> used_subset_size(1000, 300, 5000)
        150
    """
    return max(min(subset_size, num_real // 2, num_fake // 2), 2)


def _prepare(name, features):
    if features.ndim != 2 or features.shape[0] < 3:
        raise ValueError(f"{name} must be [N, F] with N >= 3, not {list(features.shape)}")
    features = features.detach().to("cpu", torch.float64)
    if not torch.isfinite(features).all():
        raise ValueError(f"{name} holds NaN or infinite values")
    return features


def _subset(rows, size, generator):
    return rows[torch.randperm(len(rows), generator=generator)[:size]]


def _kernel(a, b):
    return (a @ b.T / a.shape[1] + 1) ** 3


def _kernel_sums(real, fake) -> _KernelSums:
    own = [
        torch.cat([_kernel(block, rows).sum(dim=1) for block in rows.split(_ROWS_PER_BLOCK)])
        - (rows.square().sum(dim=1) / rows.shape[1] + 1) ** 3
        for rows in (real, fake)
    ]
    real_fake, fake_real = [], torch.zeros(len(fake), dtype=torch.float64)
    for block in real.split(_ROWS_PER_BLOCK):
        kernels = _kernel(block, fake)
        real_fake.append(kernels.sum(dim=1))
        fake_real += kernels.sum(dim=0)
    return _KernelSums(*own, torch.cat(real_fake), fake_real)


def _unbiased(sums: _KernelSums) -> float:
    num_real, num_fake = len(sums.real_real), len(sums.fake_fake)
    within_real = sums.real_real.sum() / (num_real * (num_real - 1))
    within_fake = sums.fake_fake.sum() / (num_fake * (num_fake - 1))
    return float(within_real + within_fake - 2 * sums.real_fake.sum() / (num_real * num_fake))


def _jackknife_error(sums: _KernelSums) -> float:
    """Standard error from the value without each row in turn, which the row sums give without another kernel."""

    def variance(own, across, num_others):
        """Of one side: what leaving out row i does to this side's own term and to the one across."""
        num = len(own)
        within = (own.sum() - 2 * own) / ((num - 1) * (num - 2))
        left_out = within - 2 * (across.sum() - across) / ((num - 1) * num_others)
        return (num - 1) / num * (left_out - left_out.mean()).square().sum()

    num_real, num_fake = len(sums.real_real), len(sums.fake_fake)
    of_real = variance(sums.real_real, sums.real_fake, num_fake)
    of_fake = variance(sums.fake_fake, sums.fake_real, num_real)
    return float((of_real + of_fake).sqrt())
