"""InterFaceGAN: the normal of a linear boundary in W between faces with and without an attribute.

Source: Shen et al. 2020 (arXiv 2005.09635): section 3.2, the boundary; section 3.3, conditional manipulation.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch

from styleT2I.errors import ConfigError
from styleT2I.rivals.samples import Samples
from styleT2I.rivals.ways import Way, over_w

MOST_CONFIDENT = 0.2  # of all faces, on either side: the paper trains on the faces that its predictors are sure of
MIN_FACES = 8  # on either side; fewer decide nothing
_COST = 1.0  # of a face inside the margin, as scikit-learn's default
_MAX_NEWTON = 100


def interfacegan(samples: Samples, names: Sequence[str], is_conditional: bool = False) -> dict[str, Way]:
    """The way of each attribute: the unit normal of its boundary in W, the same in every layer.

    is_conditional: take the normals of all unrelated attributes out of it (`conditional`). An attribute of which there
    are too few faces is left out with a warning; ConfigError where that leaves none.
    """
    normals = {name: normal for name in samples.names if (normal := boundary(samples, name)) is not None}
    missing = [name for name in names if name not in normals]
    if len(missing) == len(names):
        raise ConfigError(
            f"among {samples.num} faces fewer than {MIN_FACES} have, or lack, {', '.join(names)}; add --samples"
        )
    if missing:
        warnings.warn(f"too few of {samples.num} faces have, or lack, {', '.join(missing)}; left out", stacklevel=2)
    ways = {}
    for name in names:
        if name in normals:
            others = [samples.names[k] for k in samples.unrelated(name) if samples.names[k] in normals]
            rest = [normals[other] for other in others] if is_conditional else []
            note = f"without the directions of {len(rest)} other attributes" if rest else ""
            ways[name] = over_w(conditional(normals[name], rest), samples.generator.num_ws, samples.reach, note)
    return ways


def boundary(samples: Samples, name: str) -> torch.Tensor | None:
    """The unit normal [w_dim] of an attribute's boundary, None where fewer than MIN_FACES lie on one side."""
    margins = samples.margins[:, samples.column(name)]
    num = min(int((margins > 0).sum()), int((margins <= 0).sum()), max(MIN_FACES, int(MOST_CONFIDENT * samples.num)))
    if num < MIN_FACES:
        return None
    order = margins.argsort()
    rows = torch.cat([order[:num], order[-num:]])
    labels = torch.cat([-torch.ones(num), torch.ones(num)]).double()
    w = samples.w.cpu().double()
    spread = (w - w.mean(dim=0)).square().mean().sqrt()  # in this unit, so that the cost means the same everywhere
    normal, _ = linear_svm((w[rows] - w.mean(dim=0)) / spread, labels)
    return normal / normal.norm()


def linear_svm(x: torch.Tensor, labels: torch.Tensor, cost: float = _COST) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight [D] and bias of the linear support vector machine with squared hinge loss.

    It minimises |weight|^2 / 2 + cost * sum max(0, 1 - label (weight . x + bias))^2 by Newton's method on the points
    inside the margin (Chapelle 2007, "Training a support vector machine in the primal", section 4.1); the bias is not
    penalised. The loss is piecewise quadratic, so that few steps reach the minimum.

    Args:
        x: Points [N, D], float64.
        labels: [N] of 1 and -1.
        cost: Of a point inside the margin.

    Example:
        >>> weight, bias = linear_svm(torch.tensor([[-1.0], [1.0]]).double(), torch.tensor([-1.0, 1.0]).double(), 1e6)
        >>> round(weight.item(), 3), abs(round(bias.item(), 3))
        (1.0, 0.0)
    """
    points = torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], dim=1)  # [N, D + 1], the last for the bias
    ridge = torch.eye(points.shape[1], dtype=x.dtype)
    ridge[-1, -1] = 0
    solution = torch.zeros(points.shape[1], dtype=x.dtype)
    for _ in range(_MAX_NEWTON):
        inside = labels * (points @ solution) < 1
        near = points[inside]
        gradient = ridge @ solution + 2 * cost * near.t() @ (near @ solution - labels[inside])
        if gradient.abs().max() <= 1e-9 * cost * points.abs().sum(dim=0).max():
            break
        curvature = ridge + 2 * cost * near.t() @ near + 1e-10 * torch.eye(len(ridge), dtype=x.dtype)
        step = torch.linalg.solve(curvature, gradient)
        solution = _line_search(solution, step, gradient, points, labels, ridge, cost)
    return solution[:-1], solution[-1]


def _line_search(solution, step, gradient, points, labels, ridge, cost):
    """The Newton step, halved until it lowers the loss."""

    def loss(at):
        return at @ ridge @ at / 2 + cost * (1 - labels * (points @ at)).clamp_min(0).square().sum()

    before, slope, size = loss(solution), gradient @ step, 1.0
    while size > 1e-6 and loss(solution - size * step) > before - 1e-4 * size * slope:
        size /= 2
    return solution - size * step


def conditional(normal: torch.Tensor, others: Sequence[torch.Tensor]) -> torch.Tensor:
    """The part of a normal [D] that is orthogonal to all the others, of length 1; for one other n1 - (n1 . n2) n2.

    Several are orthonormalised first. Where nothing is left, because the others span it, the normal itself.

    Example:
        >>> conditional(torch.tensor([0.6, 0.8]), [torch.tensor([1.0, 0.0])]).tolist()
        [0.0, 1.0]
    """
    if not others:
        return normal
    basis, values, _ = torch.linalg.svd(torch.stack(list(others), dim=1), full_matrices=False)  # [D, K]
    basis = basis[:, values > 1e-8 * values.max()]
    rest = normal - basis @ (basis.t() @ normal)
    length = rest.norm()
    return rest / length if length > 1e-6 * normal.norm() else normal
