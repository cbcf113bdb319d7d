"""Light random changes of an image before CLIP looks at it, so that no single pixel pattern can please it."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def augment_for_clip(
    image: torch.Tensor, generator: torch.Generator, *, jitter: float, translate: float
) -> torch.Tensor:
    """Jitter the colours of each image and move it, differentiably.

    image [N, 3, H, W] in [-1, 1]. jitter: largest change of each channel's gain and offset. translate: largest shift
    as a share of the side, the border repeated. generator: on the CPU, so that every device draws the same changes.
    """
    num = len(image)

    def uniform(*shape):  # in [-1, 1)
        return (torch.rand(num, *shape, generator=generator) * 2 - 1).to(image)

    if jitter:
        image = image * (1 + jitter * uniform(3, 1, 1)) + jitter * uniform(3, 1, 1)
    if translate:
        affine = torch.eye(2, 3, dtype=image.dtype, device=image.device).repeat(num, 1, 1)  # [N, 2, 3]
        affine[:, :, 2] = 2 * translate * uniform(2)  # grid coordinates span 2 over the side
        grid = F.affine_grid(affine, list(image.shape), align_corners=False)  # [N, H, W, 2]
        image = F.grid_sample(image, grid, padding_mode="border", align_corners=False)
    return image
