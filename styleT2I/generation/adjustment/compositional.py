"""Compositional Attribute Adjustment: help the attributes that a sentence's direction works against.

s' = s + sum over i of step_i * a_i / ||a_i||, where s is the sentence's direction, a_i are the attributes' own, and the
method decides which steps are not 0 (StyleT2I, Li et al., CVPR 2022, sec. 5.3, is the method "paper").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch

from styleT2I.generation.adjustment.config import METHODS, AdjustmentConfig
from styleT2I.generation.adjustment.step_search import Goals, search_steps

__all__ = ["METHODS", "Adjusted", "AdjustmentConfig", "adjust"]


@dataclass(frozen=True)
class Adjusted:
    """Directions of N latents before and after the adjustment, over the A attributes `names`."""

    names: tuple[str, ...]
    s: torch.Tensor  # [N, num_ws, w_dim], Text-to-Direction's
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
    clear = config.clarity * before.abs().mean(dim=1, keepdim=True)  # [N, 1]
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
