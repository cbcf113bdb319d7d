"""Light random changes of an image before CLIP looks at it, so that no single pixel pattern can please it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F


@dataclass(frozen=True)
class ClipAugmentation:
    """The changes drawn for N images; None is no change of the kind."""

    gain: torch.Tensor | None  # [N, 3, 1, 1], added to 1
    offset: torch.Tensor | None  # [N, 3, 1, 1]
    shift: torch.Tensor | None  # [N, 2], in grid coordinates, which span 2 over the side

    def __call__(self, image: torch.Tensor, rows: torch.Tensor | None = None) -> torch.Tensor:
        """Change images [N, 3, H, W] in [-1, 1], differentiably; rows: which of those drawn for they are."""

        def of_rows(change):
            return (change if rows is None else change[rows]).to(image)

        if self.gain is not None:
            image = image * (1 + of_rows(self.gain)) + of_rows(self.offset)
        if self.shift is not None:
            affine = torch.eye(2, 3, dtype=image.dtype, device=image.device).repeat(len(image), 1, 1)  # [N, 2, 3]
            affine[:, :, 2] = of_rows(self.shift)
            grid = F.affine_grid(affine, list(image.shape), align_corners=False)  # [N, H, W, 2]
            image = F.grid_sample(image, grid, padding_mode="border", align_corners=False)
        return image


def draw_augmentation(num: int, generator: torch.Generator, *, jitter: float, translate: float) -> ClipAugmentation:
    """The changes of `num` images.

    jitter: largest change of each channel's gain and offset. translate: largest shift as a share of the side, the
    border repeated. generator: on the CPU, so that every device draws the same changes.
    """

    def uniform(*shape):  # in [-1, 1)
        return torch.rand(num, *shape, generator=generator) * 2 - 1

    gain, offset = (jitter * uniform(3, 1, 1), jitter * uniform(3, 1, 1)) if jitter else (None, None)
    return ClipAugmentation(gain, offset, 2 * translate * uniform(2) if translate else None)


def augment_for_clip(
    image: torch.Tensor, generator: torch.Generator, *, jitter: float, translate: float
) -> torch.Tensor:
    """Jitter the colours of each image [N, 3, H, W] in [-1, 1] and move it, as `draw_augmentation` draws it."""
    return draw_augmentation(len(image), generator, jitter=jitter, translate=translate)(image)
