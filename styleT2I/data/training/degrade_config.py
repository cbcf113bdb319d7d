"""Settings of the damage that training images get, read and checked without torch.

They stand apart from augment.py, which computes it, so that a refused setting takes no second.
"""

from __future__ import annotations

from dataclasses import dataclass

from styleT2I.errors import ConfigError


@dataclass(frozen=True)
class DegradeConfig:
    """How much `random_degrade` and `random_shift` change at most; 0 switches a change off.

    Every image draws its own amount of each.

    Raises:
        ConfigError: A value is below 0.

    Example:
        >>> DegradeConfig(blur=0).noise
        0.08
        >>> DegradeConfig(noise=-1)
        Traceback (most recent call last):
        ...
        styleT2I.errors.ConfigError: noise of the training damage is -1; it cannot be below 0
    """

    shift: int = 2  # pixels left, right, up and down, the border repeated
    blur: float = 2.0  # passes of the [1, 2, 1] / 4 kernel; half of the images stay sharp
    noise: float = 0.08  # standard deviation of Gaussian noise, in units of [-1, 1]
    brightness: float = 0.12  # added to all channels, in units of [-1, 1]
    contrast: float = 0.12  # relative change of the gain
    tint: float = 0.05  # relative change of each channel's gain

    def __post_init__(self):
        for name, value in vars(self).items():
            if value < 0:
                raise ConfigError(f"{name} of the training damage is {value}; it cannot be below 0")
