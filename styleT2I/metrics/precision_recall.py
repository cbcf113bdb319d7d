"""How much of the fakes lies among the reals and the reverse, by nearest neighbours in feature space."""

from __future__ import annotations

import torch

__all__ = ["density_coverage", "local_realism", "neighbour_radii", "precision_recall"]

ROWS_PER_BLOCK = 1024  # a block of distances is [1024, M]: memory stays flat in N


def _squared_distances(rows: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Squared Euclidean distances [n, M] between rows [n, F] and points [M, F], both float64."""
    squares = rows.square().sum(dim=1, keepdim=True) + points.square().sum(dim=1)
    return (squares - 2 * rows @ points.T).clamp(min=0)


def _prepare(real: torch.Tensor, fake: torch.Tensor, num_neighbours: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Both sets in float64 on the CPU, centred on the reals so that the expanded square loses no digits."""
    for name, features in (("real", real), ("fake", fake)):
        if features.ndim != 2 or features.shape[0] <= num_neighbours:
            raise ValueError(f"{name} must be [N, F] with N > {num_neighbours}, not {list(features.shape)}")
    real, fake = real.detach().to("cpu", torch.float64), fake.detach().to("cpu", torch.float64)
    centre = real.mean(dim=0)
    return real - centre, fake - centre


def neighbour_radii(features: torch.Tensor, num_neighbours: int) -> torch.Tensor:
    """Squared distance [N] of every row of features [N, F] to its num_neighbours-th nearest other row."""
    radii = []
    for start in range(0, features.shape[0], ROWS_PER_BLOCK):
        distances = _squared_distances(features[start : start + ROWS_PER_BLOCK], features)
        index = torch.arange(distances.shape[0])
        distances[index, start + index] = float("inf")  # a point is not its own neighbour
        radii.append(distances.kthvalue(num_neighbours, dim=1).values)
    return torch.cat(radii)


def local_realism(
    rows: torch.Tensor, points: torch.Tensor, radii: torch.Tensor, num_neighbours: int = 5
) -> torch.Tensor:
    """Logarithm [N] of how near each row lies to the points, measured by how near these lie to each other there.

    rows [N, F], points [M, F], radii [M] as `neighbour_radii` has them for the same num_neighbours. 0 is a distance
    to the k-th nearest point that equals the mean such distance of the k nearest points themselves, -0.69 twice it:
    minus the logarithm of the simplified local outlier factor (Schubert et al. 2014). Unlike the realism score of
    Kynkaanniemi et al. (2019), it drops no point of a sparse region, so a rare kind of picture keeps its neighbours.
    """
    values = []
    for block in rows.split(ROWS_PER_BLOCK):
        nearest = _squared_distances(block, points).topk(num_neighbours, dim=1, largest=False)
        own = nearest.values[:, -1].clamp(min=1e-12).sqrt()
        values.append((radii[nearest.indices].clamp(min=1e-12).sqrt().mean(dim=1) / own).log())
    return torch.cat(values)


def _share_inside_any(rows: torch.Tensor, points: torch.Tensor, radii: torch.Tensor) -> float:
    """Share of rows that lie within the ball of at least one point."""
    inside = 0
    for block in rows.split(ROWS_PER_BLOCK):
        inside += int((_squared_distances(block, points) <= radii).any(dim=1).sum())
    return inside / rows.shape[0]


def precision_recall(real: torch.Tensor, fake: torch.Tensor, num_neighbours: int = 3) -> dict[str, float]:
    """Improved precision and recall (Kynkaanniemi et al. 2019, arXiv 1904.06991, eq. 1 and 2; k = 3 as published).

    real [N, F], fake [M, F] -> {"precision": share of fakes inside the reals' manifold, "recall": the reverse}, where
    a manifold is the union of balls that reach each point's k-th nearest neighbour.
    """
    real, fake = _prepare(real, fake, num_neighbours)
    return {
        "precision": _share_inside_any(fake, real, neighbour_radii(real, num_neighbours)),
        "recall": _share_inside_any(real, fake, neighbour_radii(fake, num_neighbours)),
    }


def density_coverage(real: torch.Tensor, fake: torch.Tensor, num_neighbours: int = 5) -> dict[str, float]:
    """Density and coverage (Naeem et al. 2020, arXiv 2002.09797, eq. 4 and 5; k = 5 as published).

    real [N, F], fake [M, F] -> {"density": mean number of real balls around a fake, divided by k (may exceed 1);
    "coverage": share of real balls that hold at least one fake}. One outlying real cannot inflate either.
    """
    real, fake = _prepare(real, fake, num_neighbours)
    radii = neighbour_radii(real, num_neighbours)
    num_inside = 0
    covered = torch.zeros(real.shape[0], dtype=torch.bool)
    for block in fake.split(ROWS_PER_BLOCK):
        inside = _squared_distances(block, real) <= radii  # [n, N]
        num_inside += int(inside.sum())
        covered |= inside.any(dim=0)
    return {
        "density": num_inside / (num_neighbours * fake.shape[0]),
        "coverage": float(covered.double().mean()),
    }
