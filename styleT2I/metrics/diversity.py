"""How much images of one set differ from each other: the mean distance of pairs, with LPIPS or any other distance."""

from __future__ import annotations

from collections.abc import Callable

import torch

__all__ = ["pair_distances"]

_PAIRS_PER_BATCH = 32


@torch.no_grad()
def pair_distances(
    rows: torch.Tensor,
    distance: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    generator: torch.Generator,
    max_pairs: int | None = None,
) -> torch.Tensor:
    """Distances float64 [P] of pairs drawn at random so that no row is in two of them.

    rows [N, ...]; distance takes two batches of rows and returns [n]. Disjoint pairs are independent, so that the
    standard error of their mean holds; P = N // 2, or max_pairs. Raises ValueError for fewer than two rows.
    """
    if len(rows) < 2:
        raise ValueError("a pair needs two rows")
    num_pairs = min(len(rows) // 2, max_pairs or len(rows))
    order = torch.randperm(len(rows), generator=generator)[: 2 * num_pairs].view(2, num_pairs)
    parts = zip(*(indices.split(_PAIRS_PER_BATCH) for indices in order), strict=True)
    return torch.cat([distance(rows[a], rows[b]).detach().cpu().double().flatten() for a, b in parts])
