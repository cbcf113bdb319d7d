"""Random numbers by name: a latent z of normal numbers, each name with places of its own in it.

What one name draws does not depend on what others drew, so switching one attribute changes nothing else; and a scene is
a function of z, so a generator can be fitted from z to images.
"""

from __future__ import annotations

import colorsys
import math
import random
from collections.abc import Mapping, Sequence
from functools import lru_cache

from styleT2I.torch_utils.seeding import derive_seed

Z_DIM = 192
_RECORDED = 400  # scenes that between them draw every name
Colour = tuple[float, float, float]


def latent_of_seed(seed: int) -> list[float]:
    """The z of a seed: Z_DIM standard normal numbers, the same in every version of Python."""
    roll = random.Random(derive_seed("portrait", seed)).random
    return [math.sqrt(-2 * math.log(1 - roll())) * math.cos(2 * math.pi * roll()) for _ in range(Z_DIM)]


class Streams:
    """Draws from a latent z [Z_DIM], by default that of a seed.

    z is first scaled to unit root mean square, as StyleGAN2's mapping network does: only its direction counts.
    """

    def __init__(self, seed: int, z: Sequence[float] | None = None):
        z = latent_of_seed(seed) if z is None else z
        length = math.sqrt(sum(float(v) ** 2 for v in z) / Z_DIM + 1e-8)
        self._z = [float(v) / length for v in z]

    def normals(self, name: str, num: int) -> list[float]:
        """Standard normal numbers."""
        start, count = slots()[name]
        if num > count:
            raise ValueError(f"{name!r} has {count} places in the latent, not {num}")
        return self._z[start : start + num]

    def shares(self, name: str, num: int = 1) -> list[float]:
        """Numbers uniform in (0, 1)."""
        return [min(max(0.5 * (1 + math.erf(v / math.sqrt(2))), 1e-9), 1 - 1e-9) for v in self.normals(name, num)]

    def uniform(self, name: str, low: float = -1.0, high: float = 1.0) -> float:
        """A number in [low, high]."""
        return low + (high - low) * self.shares(name)[0]

    def bell(self, name: str, scale: float, limit: float) -> float:
        """A normal number around 0, cut at +-limit."""
        return max(-limit, min(limit, scale * self.normals(name, 1)[0]))

    def pick(self, name: str, options: Sequence):
        """One of the options, all alike."""
        return options[int(self.shares(name)[0] * len(options))]

    def favourite(self, name: str, weights: Mapping[str, float]) -> str:
        """One key with odds like its weight; another weight of one key leaves the choice between the others."""
        keys = {k: self.shares(f"{name} {k}")[0] ** (1 / w) for k, w in weights.items() if w > 0}
        return max(keys, key=keys.get)

    def graded(self, name: str, is_true: bool, absent: tuple[float, float], present: tuple[float, float]) -> float:
        """The strength of a graded attribute: in the range of what is absent or of what is present."""
        return self.uniform(name, *(present if is_true else absent))

    def hue(self, name: str, saturation: tuple[float, float], value: tuple[float, float]) -> Colour:
        """A colour of any hue."""
        h, a, b = self.shares(name, 3)
        return colorsys.hsv_to_rgb(h, *(low + t * (high - low) for (low, high), t in ((saturation, a), (value, b))))

    def near(self, name: str, colour: Colour, by: float) -> Colour:
        """A colour near another one."""
        light, *tints = (by * (2 * share - 1) for share in self.shares(name, 4))
        tinted = (c * (1 + light) * (1 + 0.4 * tint) for c, tint in zip(colour, tints, strict=True))
        return tuple(min(1.0, max(0.0, c)) for c in tinted)


class _Recorder(Streams):
    """Draws from Python's generator and notes how many numbers each name takes."""

    def __init__(self, seed: int, counts: dict[str, int]):
        super().__init__(seed, ())
        self._roll, self._counts = random.Random(derive_seed("slots", seed)), counts

    def normals(self, name: str, num: int) -> list[float]:
        self._counts[name] = max(num, self._counts.get(name, 0))
        return [self._roll.gauss(0, 1) for _ in range(num)]


@lru_cache(maxsize=1)
def slots() -> dict[str, tuple[int, int]]:
    """The place of each name's numbers in z: (start, count), in the order of the names."""
    from styleT2I.data.portraits.scenes.sampling import scene_from_streams

    counts: dict[str, int] = {}
    for seed in range(_RECORDED):
        scene_from_streams(seed, _Recorder(seed, counts), "balanced")
    starts, at = {}, 0
    for name in sorted(counts):
        starts[name] = (at, counts[name])
        at += counts[name]
    if at > Z_DIM:
        raise ValueError(f"the streams take {at} numbers, the latent has {Z_DIM}")
    return starts
