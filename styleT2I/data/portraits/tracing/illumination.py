"""Light that reaches the image's surfaces: importance-sampled directions, interleaved over pixels, no noise left.

Each pixel of a 4 x 4 tile tests its own few directions out of one well-spread set for the whole image, and a filter
over just such a tile, kept to one surface, gives every pixel the light of all of them.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from styleT2I.data.portraits.tracing.colours import luminance
from styleT2I.data.portraits.tracing.engine import Engine, is_llvm
from styleT2I.data.portraits.tracing.gbuffer import Surfaces
from styleT2I.data.portraits.tracing.light import HEIGHT, WIDTH, map_directions, solid_angles

TILE = 4
_BAYER = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]])
_OFF_SURFACE = 0.004  # dm: where a shadow ray starts
_TAPS = np.array([0.5, 1, 1, 1, 0.5]) / TILE  # a box of one tile, symmetric about the pixel


@lru_cache(maxsize=1)
def _morton_order() -> np.ndarray:
    """Return the map's pixels in Morton order: neighbours in the list are neighbours in direction."""
    v, u = np.divmod(np.arange(HEIGHT * WIDTH), WIDTH)
    code = sum(((u >> b) & 1) << (2 * b) | ((v >> b) & 1) << (2 * b + 1) for b in range(8))
    return np.argsort(code, kind="stable")


def light_directions(environment: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (unit directions [number, 3], their parts of the irradiance [number, 3]) that stand for the map.

    The parts sum to the map's light over pi: an unshadowed surface gathers sum(parts * cosine).
    """
    order = _morton_order()
    light = (environment * solid_angles()[..., None]).reshape(-1, 3)[order]
    power = luminance(light) + 1e-9
    ends = np.cumsum(power)
    at = np.searchsorted(ends, (np.arange(number) + 0.5) / number * ends[-1])
    shares = light[at] / power[at, None] * ends[-1] / number / np.pi
    return map_directions().reshape(-1, 3)[order][at], shares


def irradiance(engine: Engine, surfaces: Surfaces, environment: np.ndarray, lights: int) -> np.ndarray:
    """Return the irradiance over pi f32 [N, N, 3] under an environment map, `lights` directions tested per pixel."""
    if not is_llvm():
        return filtered(engine.white_irradiance(len(surfaces.seen), 2 * lights, environment), surfaces)
    directions, shares = light_directions(environment, lights * TILE * TILE)
    sets = [v.reshape(lights, TILE * TILE, 3).swapaxes(0, 1) for v in (directions, shares * TILE * TILE)]
    rows, columns = np.nonzero(surfaces.seen)
    normal = surfaces.normal[rows, columns]
    start = surfaces.position[rows, columns] + _OFF_SURFACE * normal
    light = np.zeros(surfaces.normal.shape, np.float32)
    light[rows, columns] = engine.gathered(start, normal, _BAYER[rows % TILE, columns % TILE], *sets)
    return filtered(light, surfaces)


def filtered(image: np.ndarray, surfaces: Surfaces) -> np.ndarray:
    """Return the image f32 [N, N, 3] averaged over a tile about each pixel, over like surfaces only."""
    for axis in (0, 1):
        image = _filtered_along(image, surfaces, axis)
    return image


def _filtered_along(image: np.ndarray, surfaces: Surfaces, axis: int) -> np.ndarray:
    total, weights = np.zeros_like(image), np.zeros(image.shape[:2], np.float32)
    for offset, tap in zip((-2, -1, 0, 1, 2), _TAPS, strict=True):
        shifted = [_shifted(p, offset, axis) for p in (image, surfaces.normal, surfaces.depth, surfaces.part)]
        alike = (shifted[3] == surfaces.part) & (np.abs(shifted[2] - surfaces.depth) < 0.12) & surfaces.seen
        turned = np.clip((shifted[1] * surfaces.normal).sum(-1), 0, 1)
        weight = tap * alike * (0.02 + turned**4)
        total += shifted[0] * weight[..., None]
        weights += weight
    return total / np.maximum(weights, 1e-6)[..., None]


def _shifted(image: np.ndarray, offset: int, axis: int) -> np.ndarray:
    """Return the image moved by `offset` pixels, its border repeated."""
    index = np.clip(np.arange(image.shape[axis]) + offset, 0, image.shape[axis] - 1)
    return np.take(image, index, axis)
