"""Ground truth of a rendered image: parts, depth, normals and landmarks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from styleT2I.data.portraits.parts import PART, PARTS
from styleT2I.data.portraits.person import Person
from styleT2I.data.portraits.tracing.finish import downsampled
from styleT2I.data.portraits.tracing.gbuffer import Surfaces

_THIN = ("glasses", "ear_r", "neck_l", "l_brow", "r_brow", "l_eye", "r_eye")  # win a pixel with half the votes


@dataclass(frozen=True)
class Truth:
    """See `render.Portrait`."""

    parts: np.ndarray
    depth: np.ndarray
    normals: np.ndarray
    landmarks: np.ndarray


def truth_of(seen: Surfaces, person: Person, factor: int) -> Truth:
    """Return the truth of the image that `factor` x `factor` sub-pixels make one pixel of."""
    size = len(seen.part) // factor
    cover = downsampled(seen.seen.astype(np.float32), factor)
    depth = downsampled(seen.depth, factor) / np.maximum(cover, 1e-6)
    normals = downsampled(person.camera.to_view(seen.normal), factor)
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    places, _ = person.camera.project(person.head.landmarks)
    visible = cover >= 0.5
    return Truth(
        voted_parts(seen.part, factor),
        np.where(visible, depth, 0).astype(np.float32),
        np.where(visible[..., None], normals / np.maximum(length, 1e-6), 0).astype(np.float32),
        (places * size - 0.5).astype(np.float32),
    )


def voted_parts(part: np.ndarray, factor: int) -> np.ndarray:
    """Return the part u8 [N / factor, ...] that most sub-pixels of each pixel show; thin things win ties and thirds."""
    size = len(part) // factor
    tiles = part.reshape(size, factor, size, factor).transpose(0, 2, 1, 3).reshape(size, size, -1)
    votes = np.stack([(tiles == index).sum(-1) for index in range(len(PARTS))], -1).astype(float)
    votes[..., [PART[name] for name in _THIN]] *= 1.5
    return votes.argmax(-1).astype(np.uint8)
