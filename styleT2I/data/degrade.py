"""Light random damage to training pictures, so that networks stay right on generated ones, which are softer."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional as F

from styleT2I.errors import ConfigError


@dataclass(frozen=True)
class DegradeConfig:
    """Upper ends of the changes; each picture draws its own amount of each. 0 switches a change off."""

    shift: int = 2  # pixels left, right, up and down, the border repeated
    blur: float = 2.0  # passes of the [1, 2, 1] / 4 kernel; every other picture stays sharp
    noise: float = 0.08  # standard deviation of Gaussian noise, in units of [-1, 1]
    brightness: float = 0.12  # added to all channels, in units of [-1, 1]
    contrast: float = 0.12  # relative change of the gain
    tint: float = 0.05  # relative change of each channel's gain

    def __post_init__(self):
        for name, value in vars(self).items():
            if value < 0:
                raise ConfigError(f"{name} of the training damage is {value}; it cannot be below 0")


def random_shift(tensors: list[torch.Tensor], generator: torch.Generator, max_shift: int) -> list[torch.Tensor]:
    """Shift each sample by up to max_shift pixels, borders repeated; all tensors [N, *, H, W] by the same amounts."""
    num, _, height, width = tensors[0].shape
    offset = torch.randint(-max_shift, max_shift + 1, (2, num, 1), generator=generator)
    rows = (torch.arange(height) + offset[0]).clamp(0, height - 1).unsqueeze(2)  # [N, H, 1]
    columns = (torch.arange(width) + offset[1]).clamp(0, width - 1).unsqueeze(1)  # [N, 1, W]
    sample = torch.arange(num).view(num, 1, 1)
    # Indexing around the channel dimension moves it last: [N, H, W, *], which channels-last networks want anyway.
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
        return (torch.rand(num, *shape, generator=generator) * 2 - 1).to(image)

    if config.blur:
        passes = (config.blur * uniform(1, 1, 1)).clamp_min(0)  # half of the pictures draw a negative amount: none
        softer = image
        for done in range(-int(-config.blur // 1)):
            softer = blur(softer)
            image = torch.lerp(image, softer, (passes - done).clamp(0, 1))
    image = image * (1 + config.contrast * uniform(1, 1, 1) + config.tint * uniform(3, 1, 1))
    image = image + config.brightness * uniform(1, 1, 1)
    if config.noise:
        sigma = config.noise * uniform(1, 1, 1).abs()
        image = image + sigma * torch.randn(image.shape, generator=generator).to(image)
    return image.clamp(-1, 1)
