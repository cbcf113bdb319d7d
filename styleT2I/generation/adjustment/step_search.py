"""Broyden search for the steps along given directions that turn wrong verdicts right, observing few images."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch

__all__ = ["Found", "Goals", "search_steps"]

REACH = 3.0  # initial guess: a step of ||a|| changes its margin by this multiple of a clear margin; corrected later
TRUST = 0.5  # in units of ||a||: no observation is further than this from the last
ACCEPTED = 0.9  # share of its target from which a margin counts as there: the last bit costs most observations
NEAR = 1.3  # a hard margin below this many targets is held where it is while others move
RIDGE = 0.02  # of the least-norm solution, relative to the largest squared slope


class Goals(NamedTuple):
    """What N rows want of A margins."""

    wanted: torch.Tensor  # [N, A]: 1 the margin shall be positive, -1 negative, 0 whatever (and no step along it)
    targets: torch.Tensor  # [N, A] > 0: wanted * margin shall reach this
    is_firm: torch.Tensor  # bool [N, A]: hard goals; satisfied before soft ones when both cannot be met

    @property
    def weights(self) -> torch.Tensor:
        """What a wrong verdict counts, [N, A]: a hard one more than all soft ones together."""
        return torch.where(self.is_firm, 1.0 + (self.wanted != 0).sum(dim=1, keepdim=True), 1.0)

    def shortfalls(self, margins: torch.Tensor) -> torch.Tensor:
        """How much wanted * margin lacks, [N, A]; 0 where it has reached its target, or nothing is wanted."""
        return (self.targets - self.wanted * margins).clamp_min(0) * (self.wanted != 0)

    def costs(self, margins: torch.Tensor) -> torch.Tensor:
        """[N]: by the weight of the wrong verdicts first, by that of the shortfalls second."""
        wrong = (self.wanted * margins <= 0) & (self.wanted != 0)
        short = self.shortfalls(margins)
        lacking = self.weights * short / (short + self.targets).clamp_min(1e-6)  # each below its weight
        return (wrong * self.weights).sum(dim=1) + lacking.sum(dim=1) / self.weights.sum(dim=1)

    def open_rows(self, margins: torch.Tensor) -> torch.Tensor:
        """Whether a row has a margin that is not there yet, bool [N]."""
        return (self.shortfalls(margins) > (1 - ACCEPTED) * self.targets).any(dim=1)

    def of(self, rows: torch.Tensor) -> Goals:
        """The goals of some rows."""
        return Goals(*(values[rows] for values in self))


class Found(NamedTuple):
    """The best steps that were looked at, and the margins there."""

    steps: torch.Tensor  # [N, A]
    margins: torch.Tensor  # [N, A]


def search_steps(
    look: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    margins: torch.Tensor,
    goals: Goals,
    norms: torch.Tensor,
    *,
    num_looks: int,
    max_step: float,
) -> Found:
    """Short steps that bring every wanted margin to its target, each row by itself.

    look(steps [M, A], rows [M]) -> margins [M, A] of these rows with these steps; margins [N, A] are those without any.
    norms [N, A] are the lengths ||a|| that steps are counted by: none is longer than max_step * ||a||.

    A quasi-Newton method: slopes[i, j], by how much margin i grows along direction j, start diagonal and are corrected
    after every look by what was seen (Broyden 1965), so that it learns how attributes disturb each other. Each round
    takes the shortest change of the steps that, by the slopes, lifts all short margins to their targets at once and
    lowers no firm one. A row whose targets are reached is not looked at again; the rest end with the best steps seen.
    """
    clear = margins.abs().mean(dim=1, keepdim=True).clamp_min(1e-3)  # [N, 1]
    slopes = torch.diag_embed(REACH * clear / norms)  # [N, A, A]
    steps, margins = torch.zeros_like(margins), margins.clone()
    best, best_costs = Found(steps.clone(), margins.clone()), goals.costs(margins)
    rows = torch.arange(len(margins), device=margins.device)
    for _ in range(num_looks):
        rows = rows[goals.of(rows).open_rows(margins[rows])]
        if not len(rows):
            break
        goal, limit = goals.of(rows), norms[rows]
        change = _least_change(slopes[rows], goal, margins[rows])
        change = torch.clamp(change, -TRUST * limit, TRUST * limit)
        new = torch.clamp(steps[rows] + change, -max_step * limit, max_step * limit)
        change = new - steps[rows]
        seen = look(new, rows)
        slopes[rows] = _corrected(slopes[rows], change, seen - margins[rows])
        steps[rows], margins[rows] = new, seen
        costs = goal.costs(seen)
        better = costs < best_costs[rows]
        best.steps[rows[better]], best.margins[rows[better]] = new[better], seen[better]
        best_costs[rows[better]] = costs[better]
    return best


def _least_change(slopes, goal, margins):
    """The change of the steps [M, A] of least norm that by the slopes ends every shortfall, without lowering a hard
    margin that is only just above its target."""
    short, may_move = goal.shortfalls(margins), goal.wanted != 0
    is_bound = (short > 0) | (goal.is_firm & may_move & (goal.wanted * margins < NEAR * goal.targets))
    rise = goal.wanted.unsqueeze(2) * slopes * is_bound.unsqueeze(2) * may_move.unsqueeze(1)  # [M, bound, moved]
    gram = rise @ rise.transpose(1, 2)
    ridge = RIDGE * gram.diagonal(dim1=1, dim2=2).amax(dim=1, keepdim=True).clamp_min(1e-6)
    gram = gram + torch.diag_embed(torch.where(is_bound, ridge / goal.weights, 1.0))  # hard goals give way least
    return (rise.transpose(1, 2) @ torch.linalg.solve(gram, short.unsqueeze(2))).squeeze(2)


def _corrected(slopes, change, seen):
    """Broyden's update: the smallest correction after which the slopes explain what the change of the steps did."""
    missed = seen - (slopes @ change.unsqueeze(2)).squeeze(2)
    length = change.square().sum(dim=1).clamp_min(1e-6)
    return slopes + missed.unsqueeze(2) * change.unsqueeze(1) / length[:, None, None]
