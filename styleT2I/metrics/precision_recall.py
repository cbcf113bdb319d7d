"""Precision and recall, density and coverage of fakes against reals, by nearest neighbours in feature space."""

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
    """Squared distance of every row to its k-th nearest other row.

    Args:
        features: [N, F] float64 with N > num_neighbours.
        num_neighbours: k, 1 or more.

    Returns:
        Squared distances [N].

    Example:
        >>> neighbour_radii(torch.tensor([[0.0], [1.0], [3.0]]).double(), 1).tolist()
        [1.0, 1.0, 4.0]
    """
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
    """How near each row lies to the points, measured by how near these lie to each other there.

    Minus the logarithm of the simplified local outlier factor (Schubert et al. 2014). Unlike the realism score of
    Kynkaanniemi et al. (2019), it drops no point of a sparse region, so a rare kind of image keeps its neighbours.

    Args:
        rows: [N, F] float64, what is measured.
        points: [M, F] float64, the reference.
        radii: [M] as `neighbour_radii` of the points has them for the same num_neighbours.
        num_neighbours: k.

    Returns:
        Logarithms [N]: 0 for a distance to the k-th nearest point that equals the mean such distance of the k nearest
        points themselves, -0.69 for twice that distance.

    Example:
        >>> points = torch.arange(5.0, dtype=torch.float64)[:, None]
        >>> far = torch.tensor([[8.0]], dtype=torch.float64)
        >>> round(float(local_realism(far, points, neighbour_radii(points, 1), 1).exp()), 4)
        0.25
    """
    values = []
    for block in rows.split(ROWS_PER_BLOCK):
        nearest = _squared_distances(block, points).topk(num_neighbours, dim=1, largest=False)
        own = nearest.values[:, -1].clamp(min=1e-12).sqrt()
        values.append((radii[nearest.indices].clamp(min=1e-12).sqrt().mean(dim=1) / own).log())
    return torch.cat(values)


def _rate_inside_any(rows: torch.Tensor, points: torch.Tensor, radii: torch.Tensor) -> float:
    """Rate of rows that lie within the ball of at least one point."""
    inside = 0
    for block in rows.split(ROWS_PER_BLOCK):
        inside += int((_squared_distances(block, points) <= radii).any(dim=1).sum())
    return inside / rows.shape[0]


def precision_recall(real: torch.Tensor, fake: torch.Tensor, num_neighbours: int = 3) -> dict[str, float]:
    """Improved precision and recall (Kynkaanniemi et al. 2019, arXiv 1904.06991, eq. 1 and 2).

    A set's manifold is the union of balls that reach each point's k-th nearest neighbour.

    Args:
        real: features [N, F] of real images, N > num_neighbours, any float dtype.
        fake: features [M, F] of generated images, M > num_neighbours.
        num_neighbours: k, 3 as published.

    Returns:
        "precision": rate of fakes inside the reals' manifold; "recall": the reverse. Both from 0 to 1.

    Raises:
        ValueError: too few rows for k neighbours.

    Example:
        >>> real = torch.arange(10.0)[:, None]
        >>> precision_recall(real, torch.cat([real[:5], real[:5] + 100]))
        {'precision': 0.5, 'recall': 0.8}
    """
    real, fake = _prepare(real, fake, num_neighbours)
    return {
        "precision": _rate_inside_any(fake, real, neighbour_radii(real, num_neighbours)),
        "recall": _rate_inside_any(real, fake, neighbour_radii(fake, num_neighbours)),
    }


def density_coverage(real: torch.Tensor, fake: torch.Tensor, num_neighbours: int = 5) -> dict[str, float]:
    """Density and coverage (Naeem et al. 2020, arXiv 2002.09797, eq. 4 and 5).

    One outlying real image cannot inflate either.

    Args:
        real: features [N, F] of real images, N > num_neighbours, any float dtype.
        fake: features [M, F] of generated images, M > num_neighbours.
        num_neighbours: k, 5 as published.

    Returns:
        "density": mean number of real balls around a fake, divided by k (may exceed 1); "coverage": rate of real balls
        that hold at least one fake, from 0 to 1.

    Raises:
        ValueError: too few rows for k neighbours.

    Example:
        >>> real = torch.arange(10.0)[:, None]
        >>> density_coverage(real, real + 100)
        {'density': 0.0, 'coverage': 0.0}
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
