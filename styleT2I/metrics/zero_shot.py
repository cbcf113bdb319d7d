"""Zero-shot classification: which of two opposite prompts an image is nearer to (Radford et al. 2021, sec. 3.1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch.nn import functional as F

__all__ = ["prompt_features", "zero_shot_margins"]


def prompt_features(text_features: torch.Tensor) -> torch.Tensor:
    """One prompt out of several wordings of it: the mean of their unit vectors, of unit length again.

    text_features [..., P wordings, D] -> [..., D]. Source: CLIP, sec. 3.1.4 (ensembling in embedding space).
    """
    return F.normalize(F.normalize(text_features, dim=-1).mean(dim=-2), dim=-1)


def zero_shot_margins(
    image_features: torch.Tensor,
    true_features: torch.Tensor,
    false_features: torch.Tensor,
    exclusive_groups: Iterable[Sequence[int]] = (),
) -> torch.Tensor:
    """By how much the prompt that asserts an attribute beats its rival, in cosine; above 0 means yes.

    image_features [N, D], true_features and false_features [A, D] (the prompts "wearing a hat", "without a hat") ->
    [N, A], read like a judge's logits by `metrics.attributes.verdicts`. The rival is the prompt that denies the
    attribute; within an exclusive group (columns of which exactly one holds, as hair colours) it is the best asserting
    prompt of the group's other columns, so that exactly one of them is yes.
    """
    image = F.normalize(image_features, dim=-1)
    asserted = image @ F.normalize(true_features, dim=-1).t()  # [N, A]
    margins = asserted - image @ F.normalize(false_features, dim=-1).t()
    for group in exclusive_groups:
        for column in group:
            others = [other for other in group if other != column]
            margins[:, column] = asserted[:, column] - asserted[:, others].amax(dim=1)
    return margins
