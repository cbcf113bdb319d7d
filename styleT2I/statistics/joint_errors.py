"""Errors of a judge about several attributes at once, and success rates corrected by them.

A judge that takes a man with lipstick for a woman moves both sides of a comparison: the man is missed on one side and,
were he drawn there, found on the other. Errors measured by composition miss that. Here they are one matrix: rows of
verdicts, columns of truths, over the joint states of the attributes that a comparison is about. Its inverse turns
proportions of verdicts into proportions of truths on both sides, and its labels are resampled once for both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from styleT2I.statistics.misclassification import Sides, multinomial

__all__ = [
    "JointErrors", "expected_undetermined", "joint_rate", "joint_sides", "joint_sides_of_samples", "states_that_hold",
]  # fmt: skip

_NUM_RESAMPLES = 4000


@dataclass(frozen=True)
class JointErrors:
    """Labelled images by true state and verdict. A state has one character per attribute: 1 yes, 0 no, ? undetermined.

    Args:
        attributes: Their names, in the order of the characters.
        counts: true state -> verdict -> images.

    Raises:
        ValueError: A state does not fit the attributes, a count is negative, a true state has no image, or a verdict is
            not likeliest where it is true, so that nothing can be corrected.

    >>> judge = JointErrors(("he",), {"1": {"1": 90, "0": 10}, "0": {"0": 95, "?": 5}})
    >>> judge.states, judge.matrix[1].tolist()
    (('0', '1'), [0.0, 0.9])
    """

    attributes: tuple[str, ...]
    counts: dict[str, dict[str, int]]

    def __post_init__(self):
        for true, verdicts in self.counts.items():
            if len(true) != len(self.attributes) or set(true) - set("01"):
                raise ValueError(f"{true!r} is no state of {', '.join(self.attributes)}")
            if any(len(verdict) != len(true) or set(verdict) - set("01?") for verdict in verdicts):
                raise ValueError(f"a verdict on {true!r} is no state of {', '.join(self.attributes)}")
            if min(verdicts.values(), default=0) < 0 or not sum(verdicts.values()):
                raise ValueError(f"the state {true!r} of {', '.join(self.attributes)} needs one labelled image or more")
        if not self.counts:
            raise ValueError(f"no labelled image of {', '.join(self.attributes)}")
        if not bool(_is_usable(self.matrix)):
            raise ValueError(
                f"the judge knows no better than chance about {', '.join(self.attributes)}, so nothing can be corrected"
            )

    @property
    def states(self) -> tuple[str, ...]:
        """The true states that were labelled."""
        return tuple(sorted(self.counts))

    @property
    def matrix(self) -> torch.Tensor:
        """float64 [S, S]: rate of each verdict (row) on images of each true state (column)."""
        columns = [
            [self.counts[true].get(verdict, 0) / sum(self.counts[true].values()) for verdict in self.states]
            for true in self.states
        ]
        return torch.tensor(columns, dtype=torch.float64).T.contiguous()

    @property
    def undetermined(self) -> torch.Tensor:
        """float64 [S]: rate of images of each true state with an undetermined verdict about any of the attributes."""
        rates = [sum(n for verdict, n in self.counts[true].items() if "?" in verdict) / sum(self.counts[true].values())
                 for true in self.states]  # fmt: skip
        return torch.tensor(rates, dtype=torch.float64)


def states_that_hold(judge: JointErrors, wanted: Mapping[str, bool]) -> torch.Tensor:
    """bool [S]: true states that have every wanted value.

    >>> judge = JointErrors(("he",), {"1": {"1": 90, "0": 10}, "0": {"0": 95, "?": 5}})
    >>> states_that_hold(judge, {"he": False}).tolist()
    [True, False]
    """
    places = {name: judge.attributes.index(name) for name in wanted}
    return torch.tensor([all(state[places[name]] == str(int(value)) for name, value in wanted.items())
                         for state in judge.states])  # fmt: skip


def expected_undetermined(verdicts: Sequence[str], judge: JointErrors) -> float:
    """The rate of undetermined verdicts, from 0 to 1, that the judge's errors explain on images with such verdicts.

    >>> judge = JointErrors(("he",), {"1": {"1": 90, "0": 10}, "0": {"0": 90, "?": 10}})
    >>> round(expected_undetermined(["0"] * 9 + ["?"], judge), 2)
    0.1
    """
    truths = torch.linalg.solve(judge.matrix, _proportions(verdicts, judge)).clamp(min=0)
    return float(truths @ judge.undetermined / truths.sum()) if truths.sum() > 0 else float(judge.undetermined.max())


def joint_rate(
    verdicts: Sequence[str],
    wanted: torch.Tensor,
    judge: JointErrors,
    generator: torch.Generator,
    num_resamples: int = _NUM_RESAMPLES,
) -> tuple[float, torch.Tensor]:
    """The corrected rate of the wanted true states and its resamples float64 [B]; arguments as in `joint_sides`."""
    matrices = _resampled_matrices(judge, num_resamples, generator)
    drawn = _resampled_proportions(verdicts, wanted, judge, num_resamples, generator)
    return float(_share(_proportions(verdicts, judge), judge.matrix, wanted)), _share(drawn, matrices, wanted)


def joint_sides(
    verdicts: tuple[Sequence[str], Sequence[str]],
    wanted: tuple[torch.Tensor, torch.Tensor],
    judge: JointErrors,
    generator: torch.Generator,
    num_resamples: int = _NUM_RESAMPLES,
) -> Sides:
    """Corrected success rates of both sides of a comparison of pairs.

    Pairs are resampled as pairs, labelled images within their true state, once for both sides. Proportions of truths
    are kept within 0 and 1.

    Args:
        verdicts: One state per image, both sides in the order of the pairs.
        wanted: bool [S] of each side: the true states that are a success there, as `states_that_hold` gives them.
        judge: Its measured errors.
        generator: Source of the resamples.
        num_resamples: Bootstrap resamples.

    >>> judge = JointErrors(("he",), {"1": {"1": 90, "0": 10}, "0": {"0": 90, "1": 10}})
    >>> he, she = (states_that_hold(judge, {"he": value}) for value in (True, False))
    >>> found = joint_sides((["1"] * 9 + ["0"], ["0"] * 10), (he, she), judge, torch.Generator().manual_seed(0))
    >>> [round(value, 2) for value in found.values]
    [1.0, 1.0]
    """
    first, second = verdicts
    kinds = Counter(zip(first, second, strict=True))
    num = len(first)
    values = [
        float(_share(_proportions(side, judge), judge.matrix, hold))
        for side, hold in zip(verdicts, wanted, strict=True)
    ]
    weights = dict(kinds)
    is_success = [{state for state, holds in zip(judge.states, hold.tolist(), strict=True) if holds} for hold in wanted]
    alone = [sum(n for pair, n in kinds.items() if (pair[side] in is_success[side]) and pair[1 - side] not in
                 is_success[1 - side]) for side in (0, 1)]  # fmt: skip
    if not min(alone):  # as in corrected_sides: one pair more of every kind, spread over its states
        for pair, weight in _one_more_of_each_kind(judge.states, is_success):
            weights[pair] = weights.get(pair, 0.0) + weight
    drawn = _all_classes(num, list(weights.values()), num_resamples, generator)  # [C, B]
    matrices = _resampled_matrices(judge, num_resamples, generator)
    resamples = []
    for side in (0, 1):
        counts = torch.zeros(num_resamples, len(judge.states), dtype=torch.float64)
        for pair, each in zip(weights, drawn, strict=True):
            if pair[side] in judge.states:
                counts[:, judge.states.index(pair[side])] += each
        resamples.append(_share(counts / num, matrices, wanted[side]))
    return Sides((values[0], values[1]), (resamples[0], resamples[1]))


def joint_sides_of_samples(
    verdicts: tuple[Sequence[str], Sequence[str]],
    wanted: tuple[torch.Tensor, torch.Tensor],
    judge: JointErrors,
    generator: torch.Generator,
    num_resamples: int = _NUM_RESAMPLES,
) -> Sides:
    """Corrected success rates of two independent samples, each resampled by itself; else as `joint_sides`."""
    matrices, values, resamples = _resampled_matrices(judge, num_resamples, generator), [], []
    for side, hold in zip(verdicts, wanted, strict=True):
        values.append(float(_share(_proportions(side, judge), judge.matrix, hold)))
        resamples.append(_share(_resampled_proportions(side, hold, judge, num_resamples, generator), matrices, hold))
    return Sides((values[0], values[1]), (resamples[0], resamples[1]))


def _share(proportions, matrix, wanted):
    """Rate of the wanted true states behind proportions of verdicts [..., S]; NaN where the judge is useless."""
    is_usable = _is_usable(matrix)
    identity = torch.eye(matrix.shape[-1], dtype=torch.float64)
    safe = torch.where(is_usable[..., None, None], matrix, identity)
    truths = torch.linalg.solve(safe, proportions[..., None])[..., 0]
    found = truths[..., wanted].sum(dim=-1).clamp(0, 1)
    return torch.where(is_usable, found, torch.nan)


def _is_usable(matrix):
    """Whether every verdict is likeliest where it is true: bool of matrices [..., S, S]."""
    own = matrix.diagonal(dim1=-2, dim2=-1)
    others = matrix - torch.diag_embed(own) - 2 * torch.eye(matrix.shape[-1], dtype=matrix.dtype)
    return (own > others.amax(dim=-1)).all(dim=-1) & (torch.linalg.det(matrix).abs() > 1e-6)


def _proportions(verdicts, judge):
    counts, num = Counter(verdicts), len(verdicts)
    return torch.tensor([counts[state] / num for state in judge.states], dtype=torch.float64)


def _resampled_proportions(side, wanted, judge, num_resamples, generator):
    """Proportions of verdicts [B, S] of one resampled side."""
    counts: dict[str, float] = dict(Counter(side))
    hit = [state for state, holds in zip(judge.states, wanted.tolist(), strict=True) if holds]
    missed = [state for state in judge.states if state not in hit]
    if sum(counts.get(state, 0) for state in hit) in (0, len(side)):  # 32 of 32 are not a certainty
        for group in (hit, missed):
            for state in group:
                counts[state] = counts.get(state, 0) + 2 / len(group)
    drawn = _all_classes(len(side), list(counts.values()), num_resamples, generator)
    found = torch.zeros(num_resamples, len(judge.states), dtype=torch.float64)
    for state, each in zip(counts, drawn, strict=True):
        if state in judge.states:
            found[:, judge.states.index(state)] += each
    return found / len(side)


def _one_more_of_each_kind(states, is_success):
    for hits in ((True, True), (True, False), (False, True), (False, False)):
        groups = [[state for state in states if (state in is_success[side]) == hit] for side, hit in enumerate(hits)]
        for first in groups[0]:
            for second in groups[1]:
                yield (first, second), 1 / (len(groups[0]) * len(groups[1]))


def _resampled_matrices(judge, num_resamples, generator):
    """Matrices [B, S, S] as the labelled images allow them: draws from their posterior.

    The prior is one image per true state, in equal parts over all verdicts (Perks 1947). Resampled counts would be too
    sure of a judge with one or two errors among few images, and certain of one with none.
    """
    states, columns = judge.states, []
    rng = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
    for true in states:
        verdicts = judge.counts[true]
        kinds = list(dict.fromkeys([*states, *verdicts]))
        drawn = rng.dirichlet([verdicts.get(kind, 0) + 1 / len(kinds) for kind in kinds], num_resamples)  # [B, V]
        columns.append(torch.from_numpy(drawn[:, : len(states)]))
    return torch.stack(columns, dim=2)


def _all_classes(num, weights, num_resamples, generator):
    """Counts [num_resamples] of num things drawn by weight, of every class."""
    drawn = multinomial(num, weights, num_resamples, generator)
    return [*drawn, num - sum(drawn, torch.zeros(num_resamples, dtype=torch.float64))]
