"""Random crops of training pictures, each brought back to one size."""

from __future__ import annotations

import math

import torch
from torch.nn import functional as F

_TRIES = 10


def random_resized_crop(
    image: torch.Tensor,
    generator: torch.Generator,
    size: int,
    scale: tuple[float, float],
    ratio: tuple[float, float] = (3 / 4, 4 / 3),
) -> torch.Tensor:
    """Cut a random rectangle out of each image and resize it, bicubic and antialiased, to size x size.

    image [N, 3, H, W] -> [N, 3, size, size], values clamped to [-1, 1]. scale: range of the rectangle's share of the
    area, uniform; ratio: range of width / height, log-uniform. As torchvision's RandomResizedCrop, with a generator.
    """
    height, width = image.shape[-2:]
    crops = []
    for picture in image:
        top, left, rows, columns = _rectangle(height, width, generator, scale, ratio)
        part = picture[None, :, top : top + rows, left : left + columns]
        crops.append(F.interpolate(part, size=(size, size), mode="bicubic", align_corners=False, antialias=True))
    return torch.cat(crops).clamp(-1, 1)


def _rectangle(height, width, generator, scale, ratio):
    """Top, left, rows and columns of a rectangle that fits; the whole image's centre where none does."""
    for _ in range(_TRIES):
        share, shape, down, right = torch.rand(4, generator=generator).tolist()
        area = height * width * (scale[0] + (scale[1] - scale[0]) * share)
        aspect = math.exp(math.log(ratio[0]) + (math.log(ratio[1]) - math.log(ratio[0])) * shape)
        columns, rows = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < columns <= width and 0 < rows <= height:
            return int(down * (height - rows + 1)), int(right * (width - columns + 1)), rows, columns
    aspect = min(max(width / height, ratio[0]), ratio[1])
    rows, columns = min(height, round(width / aspect)), min(width, round(height * aspect))
    return (height - rows) // 2, (width - columns) // 2, rows, columns
