"""Random changes of training images: jitter and shifts before CLIP, crops, and the softness of generated images.

Where several processes share a batch, each draws the changes of all rows and takes those of its own.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch.nn import functional as F

from styleT2I.data.training.degrade_config import DegradeConfig
from styleT2I.torch_utils.distributed import draw_rows, num_processes, own_rows

_TRIES = 10  # rectangles that are drawn before the centre is taken


class ClipAugmentation(NamedTuple):
    """The changes drawn for N images; None: no change of this kind."""

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

    jitter: largest change of each channel's gain and offset. translate: largest shift as a fraction of the side, the
    border repeated. generator: on the CPU, so that every device draws the same changes.
    """

    def uniform(*shape):  # in [-1, 1)
        return draw_rows(torch.rand, num, *shape, generator=generator) * 2 - 1

    gain, offset = (jitter * uniform(3, 1, 1), jitter * uniform(3, 1, 1)) if jitter else (None, None)
    return ClipAugmentation(gain, offset, 2 * translate * uniform(2) if translate else None)


def random_resized_crop(
    image: torch.Tensor,
    generator: torch.Generator,
    size: int,
    scale: tuple[float, float],
    ratio: tuple[float, float] = (3 / 4, 4 / 3),
) -> torch.Tensor:
    """Cut a random rectangle out of each image and resize it, bicubic and antialiased, to size x size.

    image [N, 3, H, W] -> [N, 3, size, size], values clamped to [-1, 1]. scale: range of the rectangle's fraction of the
    area, uniform; ratio: range of width / height, log-uniform. As torchvision's RandomResizedCrop, with a generator.
    """
    height, width = image.shape[-2:]
    num = len(image) * num_processes()
    rectangles = [_rectangle(height, width, generator, scale, ratio) for _ in range(num)][own_rows(num)]
    crops = []
    for sample, (top, left, rows, columns) in zip(image, rectangles, strict=True):
        part = sample[None, :, top : top + rows, left : left + columns]
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


def random_shift(tensors: list[torch.Tensor], generator: torch.Generator, max_shift: int) -> list[torch.Tensor]:
    """Shift each sample by up to max_shift pixels, borders repeated; all tensors [N, *, H, W] by the same amounts."""
    num, _, height, width = tensors[0].shape
    both = (2, num * num_processes(), 1)
    offset = torch.randint(-max_shift, max_shift + 1, both, generator=generator)[:, own_rows(both[1])]
    rows = (torch.arange(height) + offset[0]).clamp(0, height - 1).unsqueeze(2)  # [N, H, 1]
    columns = (torch.arange(width) + offset[1]).clamp(0, width - 1).unsqueeze(1)  # [N, 1, W]
    sample = torch.arange(num).view(num, 1, 1)
    # Indexing around the channel dimension moves it last: [N, H, W, *], as channels-last networks need it.
    return [tensor[sample, :, rows, columns].permute(0, 3, 1, 2) for tensor in tensors]


def blur(image: torch.Tensor) -> torch.Tensor:
    """Convolve [N, C, H, W] with [1, 2, 1] / 4 along both axes, borders repeated."""
    x = F.pad(image, (1, 1, 1, 1), mode="replicate")
    x = (x[:, :, :-2] + 2 * x[:, :, 1:-1] + x[:, :, 2:]) / 4
    return (x[..., :-2] + 2 * x[..., 1:-1] + x[..., 2:]) / 4


def random_degrade(image: torch.Tensor, generator: torch.Generator, config: DegradeConfig) -> torch.Tensor:
    """Blur, tint, contrast, brightness and noise of image [N, 3, H, W] in [-1, 1]; the result is clamped to the range.

    generator: on the CPU, so that every device draws the same changes.
    """
    num = len(image)

    def uniform(*shape):  # in [-1, 1)
        return (draw_rows(torch.rand, num, *shape, generator=generator) * 2 - 1).to(image)

    if config.blur:
        passes = (config.blur * uniform(1, 1, 1)).clamp_min(0)  # half of the images draw a negative amount: none
        softer = image
        for done in range(-int(-config.blur // 1)):
            softer = blur(softer)
            image = torch.lerp(image, softer, (passes - done).clamp(0, 1))
    image = image * (1 + config.contrast * uniform(1, 1, 1) + config.tint * uniform(3, 1, 1))
    image = image + config.brightness * uniform(1, 1, 1)
    if config.noise:
        sigma = config.noise * uniform(1, 1, 1).abs()
        image = image + sigma * draw_rows(torch.randn, *image.shape, generator=generator).to(image)
    return image.clamp(-1, 1)


def drop_rows(num: int, rate: float, rng: torch.Generator) -> torch.Tensor:
    """Which rows of a batch are kept, each dropped independently at `rate`: bool [num]."""
    return draw_rows(torch.rand, num, generator=rng) >= rate
