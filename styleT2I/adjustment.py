"""Compositional Attribute Adjustment: help the attributes that the direction of the sentence works against."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from styleT2I.errors import ConfigError

METHODS = ("none", "paper")
DEFAULT_METHOD = "paper"


@dataclass(frozen=True)
class AdjustmentConfig:
    """How the attributes of a sentence are adjusted.

    "none": s' = s.
    "paper": A = {a_i : cos(a_i, s) <= threshold}; s' = s + strength * sum over A of a_i / ||a_i||.

    Norms and cosines are over the flattened num_ws * w_dim numbers. A denied attribute enters as -a.
    """

    method: str = DEFAULT_METHOD
    threshold: float = 0.0
    strength: float = 1.0
    by: str = "auto"  # whose eyes: "judge" (the guide judge), "clip", or "auto": the judge if the model has one

    def __post_init__(self):
        if self.method not in METHODS:
            raise ConfigError(f"unknown adjustment method {self.method!r}; choose one of {', '.join(METHODS)}")


@dataclass(frozen=True)
class Adjusted:
    """Directions of N latents before and after the adjustment, over the A attributes `names`."""

    names: tuple[str, ...]
    s: torch.Tensor  # [N, num_ws, w_dim], Text-to-Direction's
    s_adjusted: torch.Tensor  # [N, num_ws, w_dim]: w + s_adjusted is what is drawn
    signs: torch.Tensor  # [N, A]: 1 asked for, -1 denied, 0 left open
    cosines: torch.Tensor  # [N, A] of sign * a and s (of a and s where left open)
    steps: torch.Tensor  # [N, A] along a / ||a||, in units of W; 0: untouched
    before: torch.Tensor | None  # [N, A] margins in G(w + s): above 0 the attribute is there; None: nobody looked
    after: torch.Tensor | None  # [N, A] margins in G(w + s_adjusted)


def adjust(
    s: torch.Tensor,
    directions: torch.Tensor,
    signs: torch.Tensor,
    config: AdjustmentConfig,
    names: tuple[str, ...] = (),
) -> Adjusted:
    """Adjust the directions s [N, num_ws, w_dim] of N sentences; every row by itself.

    directions [N, A, num_ws, w_dim] of the attributes' affirmative phrases, signs [N, A] as in `Adjusted`.
    """
    asked = signs != 0
    units = directions / directions.flatten(2).norm(dim=2)[:, :, None, None].clamp(min=1e-8)
    cosines = torch.where(asked, signs, 1) * torch.cosine_similarity(
        directions.flatten(2), s.flatten(1)[:, None], dim=2
    )
    steps = torch.zeros_like(cosines)
    if config.method == "paper":
        steps = config.strength * signs * (asked & (cosines <= config.threshold))
    s_adjusted = s + (steps[:, :, None, None] * units).sum(dim=1)
    return Adjusted(names, s, s_adjusted, signs, cosines, steps, None, None)
