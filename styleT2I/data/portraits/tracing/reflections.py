"""Light from all around as surfaces of some roughness gather it: the environment map under lobes of several widths."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from styleT2I.data.portraits.tracing.light import HEIGHT, WIDTH, map_directions, solid_angles

_ROUGHNESSES = (0.15, 0.3, 0.45, 0.65, 0.9)


@lru_cache(maxsize=1)
def _lobes() -> np.ndarray:
    """Return what each direction of a map of half the size gathers from all, f32 [lobes, H W / 4, H W / 4].

    One lobe per roughness about the mirrored direction, each of sum 1, then the cosine about a normal, over pi.
    """
    towards = _shrunk(map_directions()).reshape(-1, 3)
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    cosine = np.clip(towards @ towards.T, -1, 1).astype(np.float32)
    solid = _shrunk(solid_angles()[..., None]).reshape(1, -1)
    lobes = [np.exp((cosine - 1) / max(roughness, 0.2) ** 4) * solid for roughness in _ROUGHNESSES]
    lobes = [lobe / lobe.sum(1, keepdims=True) for lobe in lobes] + [np.maximum(cosine, 0) * solid / np.pi]
    return np.stack(lobes).astype(np.float32)


def _shrunk(image: np.ndarray) -> np.ndarray:
    """Return the sums over 2 x 2 pixels."""
    return image.reshape(HEIGHT // 2, 2, WIDTH // 2, 2, -1).sum((1, 3))


class Reflections:
    """An environment map f32 [HEIGHT, WIDTH, 3] (`light.environment_map`) made ready to be looked up."""

    def __init__(self, environment: np.ndarray):
        solid = solid_angles()[..., None]
        light = (_shrunk(environment * solid) / _shrunk(solid)).reshape(-1, 3).astype(np.float32)
        self._maps = (_lobes() @ light).reshape(-1, HEIGHT // 2, WIDTH // 2, 3)

    def mirrored(self, directions: np.ndarray, roughness: np.ndarray) -> np.ndarray:
        """Return the light f32 [P, 3] about unit directions [P, 3], in a lobe as wide as each one's roughness [P]."""
        level = np.interp(roughness, _ROUGHNESSES, np.arange(len(_ROUGHNESSES)))
        where = _place(directions)
        total = np.zeros(directions.shape, np.float32)
        for k in range(len(_ROUGHNESSES)):
            weight = np.maximum(1 - np.abs(level - k), 0)
            own = weight > 0
            if own.any():
                total[own] += weight[own, None] * _looked_up(self._maps[k], where[own])
        return total

    def irradiance(self, normals: np.ndarray) -> np.ndarray:
        """Return the irradiance over pi f32 [P, 3] of unshadowed surfaces with unit normals [P, 3]."""
        return _looked_up(self._maps[-1], _place(normals))


def _place(directions: np.ndarray) -> np.ndarray:
    """Return (column, row) f32 [P, 2] of unit directions in a map of half the size."""
    u = np.arctan2(directions[:, 0], -directions[:, 2]) / (2 * np.pi) % 1
    v = np.arccos(np.clip(directions[:, 1], -1, 1)) / np.pi
    return np.stack([u * (WIDTH // 2) - 0.5, v * (HEIGHT // 2) - 0.5], 1).astype(np.float32)


_ROW = 8192  # remap takes images, no longer than 32767 per side


def _looked_up(image: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Return the image [H, W, 3] at places [P, 2], bilinear, around in columns."""
    wide = np.concatenate([image[:, -1:], image, image[:, :1]], 1)
    padded = np.zeros((-(-len(where) // _ROW) * _ROW, 2), np.float32)
    padded[: len(where)] = where + [1, 0]
    x, y = padded.reshape(-1, _ROW, 2).transpose(2, 0, 1)
    found = cv2.remap(
        wide, np.ascontiguousarray(x), np.ascontiguousarray(y), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return found.reshape(-1, 3)[: len(where)]
