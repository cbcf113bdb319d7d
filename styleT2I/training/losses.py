"""Training losses: tensors in, scalars out; the trainer encodes, freezes and casts.

Of a batch that several processes share they take one's own rows, and compare them with those of all.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from styleT2I.torch_utils.distributed import gathered, summed


def clip_contrastive_loss(
    image_features: torch.Tensor,
    text_features: torch.Tensor,
    temperature_scale: float | torch.Tensor,
    *,
    symmetric: bool = False,
    also_true: torch.Tensor | None = None,
) -> torch.Tensor:
    """Cross-entropy that picks, for each image, its own caption among the batch's captions.

    image_features, text_features [B, D], L2-normalised, row i of one belongs to row i of the other.
    temperature_scale multiplies the cosines: the *exponentiated* temperature, about 100 for OpenAI's CLIP (the released
    StyleT2I code passes its logarithm, about 4.6).
    symmetric averages the image-to-text term with the text-to-image one, as CLIP's own training does.
    also_true [B, B] bool, of the whole batch: caption j is true of image i as well, so it is not counted as a wrong
    answer for i.
    Source: StyleT2I (Li et al., CVPR 2022), sec. 4.1; image-to-text only in the paper.
    """
    image_features, text_features = gathered(image_features), gathered(text_features)
    logits = temperature_scale * image_features @ text_features.t()  # [B images, B captions]
    own = torch.arange(len(logits), device=logits.device)
    if also_true is not None:
        is_own = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
        logits = logits.masked_fill(also_true & ~is_own, float("-inf"))
    loss = F.cross_entropy(logits, own)
    if symmetric:
        loss = (loss + F.cross_entropy(logits.t(), own)) / 2
    return loss


def attribute_flip_loss(
    image_features: torch.Tensor,
    text_features: torch.Tensor,
    flipped_features: torch.Tensor,
    owner: torch.Tensor,
    temperature_scale: float | torch.Tensor,
    weight: torch.Tensor | None = None,
) -> torch.Tensor:
    """Cross-entropy between an image's own sentence and each with one attribute turned round, summed over an image's.

    image_features, text_features [B, D] as in clip_contrastive_loss; flipped_features [M, D], L2-normalised, the k-th
    belongs to image owner[k] (int64 [M]) and counts weight[k] times, without weights once. The sum over the M choices
    is divided by B. Only what the sentence states can lower it, so nothing else is pushed. Not in the paper, whose
    wrong answers are the batch's other captions.
    """
    right = (image_features * text_features).sum(dim=1)[owner]  # [M]
    wrong = (image_features[owner] * flipped_features).sum(dim=1)
    each = F.softplus(temperature_scale * (wrong - right))
    return (each if weight is None else each * weight).sum() / len(image_features)


def verdict_keep_loss(margins: torch.Tensor, before: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """Cross-entropy that holds the verdicts on attributes that an edit should leave alone.

    margins, before [N, A]: logits of each attribute after and before the edit, their sign the verdict; kept [N, A]
    bool. Mean over the kept ones of the cross-entropy against the old verdict. Not in the paper.
    """
    verdict = torch.where(before > 0, 1.0, -1.0)
    return summed((F.softplus(-verdict * margins) * kept).sum()) / summed(kept.sum()).clamp(min=1)


def semantic_matching_loss(
    positive_features: torch.Tensor, negative_features: torch.Tensor, text_features: torch.Tensor, alpha: float
) -> torch.Tensor:
    """max(cos(E(I_neg), E(t)) - cos(E(I_pos), E(t)) + alpha, 0), mean over the batch.

    positive_features, negative_features: images of w + a and w - a; text_features: the attribute's phrase; all
    [B, D], L2-normalised. alpha: the least difference of cosines. Source: StyleT2I (Li et al., CVPR 2022), sec. 5.1.
    """
    difference = ((positive_features - negative_features) * text_features).sum(dim=1)
    return (alpha - difference).clamp(min=0).mean()


def spatial_constraint_loss(
    positive: torch.Tensor, negative: torch.Tensor, region: torch.Tensor, has_region: torch.Tensor
) -> torch.Tensor:
    """Cross-entropy between where two images differ and where the attribute is allowed to show.

    positive, negative [B, 3, H, W]; region [B, H, W] in [0, 1]; has_region [B] bool: rows without one do not count.
    The difference is |positive - negative| summed over the channels, min-max scaled to [0, 1] for each image.
    Source: StyleT2I (Li et al., CVPR 2022), sec. 5.2.
    """
    scaled = min_max_scaled((positive - negative).abs().sum(dim=1))
    loss = F.binary_cross_entropy(scaled.clamp(1e-4, 1 - 1e-4), region, reduction="none").mean(dim=(1, 2))  # [B]
    return summed((loss * has_region).sum()) / summed(has_region.sum()).clamp(min=1)


def min_max_scaled(difference: torch.Tensor) -> torch.Tensor:
    """Each map of difference [B, H, W] brought to [0, 1]; a map without any difference becomes 0."""
    low, high = difference.amin(dim=(1, 2), keepdim=True), difference.amax(dim=(1, 2), keepdim=True)
    return (difference - low) / (high - low).clamp(min=1e-6)


def norm_penalty_loss(s: torch.Tensor, theta: float) -> torch.Tensor:
    """Mean over the batch of max(||s|| - theta, 0), the norm taken over the flattened [num_ws * w_dim] vector.

    s [N, num_ws, w_dim]; theta in the units of W. Source: StyleT2I (Li et al., CVPR 2022), sec. 4.2.
    """
    return (s.flatten(1).norm(dim=1) - theta).clamp(min=0).mean()


def pixel_fit_loss(drawn: torch.Tensor, image: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Weighted Charbonnier distance of pixels plus that of their horizontal and vertical differences (crisp edges).

    drawn, image [N, 3, R, R] in [-1, 1]; weight [N, 1, R, R], at least 1.
    """
    error = drawn - image
    loss = (weight * _charbonnier(error)).mean()
    for dim in (2, 3):
        loss = loss + 0.5 * _charbonnier(error.diff(dim=dim)).mean()
    return loss


def _charbonnier(error: torch.Tensor) -> torch.Tensor:
    return torch.sqrt(error.square() + 0.02**2) - 0.02
