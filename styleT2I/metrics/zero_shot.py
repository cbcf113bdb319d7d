"""Zero-shot classification: which of two opposite prompts an image is nearer to (Radford et al. 2021, sec. 3.1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch.nn import functional as F

__all__ = ["prompt_features", "zero_shot_margins"]


def prompt_features(text_features: torch.Tensor) -> torch.Tensor:
    """One prompt out of several wordings of it: the mean of their unit vectors, of unit length again.

    CLIP (Radford et al. 2021), section 3.1.4, ensembling in embedding space.

    Args:
        text_features: [..., P wordings, D].

    Returns:
        [..., D].

    Example:
        >>> prompt_features(torch.tensor([[2.0, 0.0], [0.0, 3.0]])).round(decimals=4).tolist()
        [0.707099974155426, 0.707099974155426]
    """
    return F.normalize(F.normalize(text_features, dim=-1).mean(dim=-2), dim=-1)


def zero_shot_margins(
    image_features: torch.Tensor,
    true_features: torch.Tensor,
    false_features: torch.Tensor,
    exclusive_groups: Iterable[Sequence[int]] = (),
) -> torch.Tensor:
    """By how much the prompt that asserts an attribute beats its rival, in cosine; above 0 means yes.

    The rival is the prompt that denies the attribute; within an exclusive group it is the best asserting prompt of the
    group's other columns, so that exactly one of them is yes.

    Args:
        image_features: [N, D].
        true_features: [A, D] of the prompts that assert ("wearing a hat").
        false_features: [A, D] of the prompts that deny ("without a hat").
        exclusive_groups: columns of which exactly one holds, as hair colours.

    Returns:
        [N, A], from -2 to 2, read like a judge's logits by `metrics.attributes.verdicts`.

    Example:
        >>> image = torch.tensor([[1.0, 0.0]])
        >>> zero_shot_margins(image, torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])).tolist()
        [[1.0]]
    """
    image = F.normalize(image_features, dim=-1)
    asserted = image @ F.normalize(true_features, dim=-1).t()  # [N, A]
    margins = asserted - image @ F.normalize(false_features, dim=-1).t()
    for group in exclusive_groups:
        for column in group:
            others = [other for other in group if other != column]
            margins[:, column] = asserted[:, column] - asserted[:, others].amax(dim=1)
    return margins
