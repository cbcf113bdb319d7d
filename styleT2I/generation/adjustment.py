"""Compositional Attribute Adjustment: help the attributes that a sentence's direction works against.

s' = s + sum over i of step_i * a_i / ||a_i||, where s is the sentence's direction, a_i are the attributes' own, and the
method decides which steps are not 0 (StyleT2I, Li et al., CVPR 2022, sec. 5.3, is the method "paper"). Methods that
observe images find the step lengths by a Broyden search (`search_steps`), which observes few of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import torch

from styleT2I.generation.arguments import CLARITY, METHODS, AdjustmentConfig

__all__ = ["METHODS", "Adjusted", "AdjustmentConfig", "Found", "Goals", "adjust", "search_steps"]

# Of the search:
REACH = 3.0  # initial guess: a step of ||a|| changes its margin by this multiple of a clear margin; corrected later
TRUST = 0.5  # in units of ||a||: no observation is further than this from the last
ACCEPTED = 0.9  # proportion of its target from which a margin counts as there: the last bit costs most observations
NEAR = 1.3  # a hard margin below this many targets is held where it is while others move
RIDGE = 0.02  # of the least-norm solution, relative to the largest squared slope


@dataclass(frozen=True)
class Adjusted:
    """Directions of N latents before and after the adjustment, over the A attributes `names`."""

    names: tuple[str, ...]
    s: torch.Tensor  # [N, num_ws, w_dim], Text-to-Direction's; of "hold" less what would move the surroundings
    s_adjusted: torch.Tensor  # [N, num_ws, w_dim]: w + s_adjusted is what is drawn
    signs: torch.Tensor  # [N, A]: 1 asserted, -1 denied, 0 not asked for
    cosines: torch.Tensor  # [N, A] of sign * a and s (of a and s where not asked for)
    steps: torch.Tensor  # [N, A] along a / ||a||, in units of W; 0: untouched
    before: torch.Tensor | None  # [N, A] margins in G(w + s): above 0 the attribute is there; None: not observed
    after: torch.Tensor | None  # [N, A] margins in G(w + s_adjusted)
    observer: str | None = None  # "judge" or "clip", which gave the margins

    @classmethod
    def untouched(cls, s: torch.Tensor) -> Adjusted:
        """The directions as they are, with no attribute in view."""
        empty = s.new_zeros(len(s), 0)
        return cls((), s, s, empty, empty, empty, None, None)

    def num_wrong(self) -> torch.Tensor:
        """Attributes asked for that the observer does not see as asked, int64 [N]; images were observed."""
        assert self.after is not None
        return ((self.signs != 0) & (self.signs * self.after <= 0)).sum(dim=1)

    def improved(self, rows: torch.Tensor, other: Adjusted) -> Adjusted:
        """With the rows of `other`, which are those of int64 `rows` here, where it has fewer verdicts wrong."""
        is_better = other.num_wrong() < self.num_wrong()[rows]
        values = {}
        for name in (field.name for field in fields(self)):
            value = getattr(self, name)
            if isinstance(value, torch.Tensor):
                value = value.index_copy(0, rows[is_better], getattr(other, name)[is_better])
            values[name] = value
        return Adjusted(**values)

    @classmethod
    def join(cls, parts: Sequence[Adjusted]) -> Adjusted:
        """One of several over the same attributes, row after row."""
        values: dict[str, Any] = {}
        for field in fields(cls):
            first = getattr(parts[0], field.name)
            is_rows = isinstance(first, torch.Tensor)
            values[field.name] = torch.cat([getattr(part, field.name) for part in parts]) if is_rows else first
        return cls(**values)


def adjust(
    s: torch.Tensor,
    directions: torch.Tensor,
    signs: torch.Tensor,
    config: AdjustmentConfig,
    names: tuple[str, ...],
    *,
    is_free: torch.Tensor | None = None,
    margins: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] | None = None,
    observer: str | None = None,
) -> Adjusted:
    """Adjust the directions s [N, num_ws, w_dim] of N sentences, every row by itself.

    directions [N, A, num_ws, w_dim] belong to the affirmative phrases of `names`; signs [N, A] as in `Adjusted`;
    is_free bool [N, A]: left open, for "hold". margins(s' [M, num_ws, w_dim], rows [M]) -> [M, A] observes G(w + s')
    of those rows, for the methods that observe images.
    """
    norms = directions.flatten(2).norm(dim=2).clamp_min(1e-8)  # [N, A]
    units = directions / norms[:, :, None, None]
    is_asked = signs != 0
    cosines = torch.where(is_asked, signs, 1) * _cosines(units, s)
    is_weak = is_asked & (cosines <= config.threshold)

    def moved(steps, rows):
        return s[rows] + (steps[:, :, None, None] * units[rows]).sum(dim=1)

    rows = torch.arange(len(s), device=s.device)
    if not config.looks:
        is_stepped = is_weak if config.method == "paper" else torch.zeros_like(is_weak)
        steps = config.strength * signs * is_stepped
        return Adjusted(names, s, moved(steps, rows), signs, cosines, steps, None, None)
    assert margins is not None, f"method {config.method!r} observes images, and margins are not given"
    before = margins(s, rows)
    wanted = signs * is_weak if config.method == "calibrated" else signs
    clarity = CLARITY if config.clarity is None else config.clarity
    clear = clarity * before.abs().mean(dim=1, keepdim=True)  # [N, 1]
    targets = clear.expand_as(before)
    if config.method == "hold":
        assert is_free is not None, "method 'hold' needs is_free"
        unedited = margins(torch.zeros_like(s), rows)
        wanted = torch.where(is_free, unedited.sign(), wanted)
        targets = torch.where(is_free, torch.minimum(0.9 * unedited.abs(), clear), clear)
    found = search_steps(
        lambda steps, rows: margins(moved(steps, rows), rows), before, Goals(wanted, targets, is_asked), norms,
        num_looks=config.num_looks, max_step=config.max_step,
    )  # fmt: skip
    steps, s_adjusted = config.strength * found.steps, moved(config.strength * found.steps, rows)
    after = found.margins if config.strength == 1 else margins(s_adjusted, rows)
    return Adjusted(names, s, s_adjusted, signs, cosines, steps, before, after, observer)


def _cosines(units, s):
    """Of unit directions [N, A, num_ws, w_dim] and s [N, num_ws, w_dim]: [N, A]; 0 for an s of 0."""
    flat = s.flatten(1).unsqueeze(1)  # [N, 1, num_ws * w_dim]
    return (units.flatten(2) * flat).sum(dim=2) / flat.norm(dim=2).clamp_min(1e-8)


class Goals(NamedTuple):
    """What N rows want of A margins."""

    wanted: torch.Tensor  # [N, A]: 1 the margin shall be positive, -1 negative, 0 either (and no step along it)
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
    """The best steps that were observed, and the margins there."""

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
    lowers no firm one. A row whose targets are reached is not observed again; the rest end with the best steps seen.
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
