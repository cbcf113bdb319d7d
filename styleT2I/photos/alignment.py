"""FFHQ's alignment: the square of a photo that a generator of aligned faces expects, from landmarks.

The square is turned with the line between the eyes and with that from the eyes to the mouth, and sized by both, so
that every face lies at the same place at the same size. Source: Karras et al. 2018, "Progressive Growing of GANs",
appendix C; Karras et al. 2019, "A Style-Based Generator Architecture for Generative Adversarial Networks", appendix A.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from styleT2I.errors import DataError

LEFT_EYE, RIGHT_EYE = slice(36, 42), slice(42, 48)  # of iBUG's 68 points; left and right as the viewer sees them
MOUTH_CORNERS = (48, 54)
_EYE_SHARE, _MOUTH_SHARE = 2.0, 1.8  # half the side in distances between the eyes, and from eyes to mouth
_DOWN_SHIFT = 0.1  # of the distance from eyes to mouth, from the eyes to the square's middle
_FADE = 0.08  # of the side: how far beyond the photo's border the repeated border turns into a blur
_MIN_EYE_DISTANCE = 4.0  # pixels


@dataclass(frozen=True)
class Crop:
    """A square of a photo: its middle and its half axes to the right and down, pairs (x, y) in pixels.

    Pixel (0, 0) covers the places from 0 to 1, so its middle is (0.5, 0.5).
    """

    centre: tuple[float, float]
    right: tuple[float, float]
    down: tuple[float, float]

    @property
    def side(self) -> float:
        """Length of the square's side in pixels of the photo."""
        return 2 * math.hypot(*self.right)

    @property
    def corners(self) -> np.ndarray:
        """Upper left, upper right, lower right, lower left: float64 [4, 2]."""
        centre, right, down = (np.asarray(v, dtype=np.float64) for v in (self.centre, self.right, self.down))
        return np.stack([centre - right - down, centre + right - down, centre + right + down, centre - right + down])

    def matrix(self, resolution: int) -> np.ndarray:
        """Map [2, 3] from places of the cut image of `resolution` pixels to places of the photo."""
        right, down = (np.asarray(v) * (2 / resolution) for v in (self.right, self.down))
        return np.column_stack([right, down, self.corners[0]])

    def to_photo(self, points: np.ndarray, resolution: int) -> np.ndarray:
        """Places [N, 2] of the cut image as places of the photo."""
        return points @ self.matrix(resolution)[:, :2].T + self.corners[0]

    def to_crop(self, points: np.ndarray, resolution: int) -> np.ndarray:
        """Places [N, 2] of the photo as places of the cut image."""
        return (points - self.corners[0]) @ np.linalg.inv(self.matrix(resolution)[:, :2]).T


def ffhq_crop(landmarks: np.ndarray) -> Crop:
    """The square in which FFHQ shows a face.

    landmarks: [68, 2] of iBUG's order, or [5, 2]: the eyes' middles, the nose's tip, the corners of the mouth, left
    before right as the viewer sees them; places (x, y) in pixels. Raises DataError for other shapes and for points too
    close to each other to be a face's.

    >>> import numpy as np
    >>> crop = ffhq_crop(np.array([[40, 50], [60, 50], [50, 62], [43, 75], [57, 75]]))
    >>> [round(v, 1) for v in crop.centre], round(crop.side, 1)
    ([50.0, 52.5], 90.0)
    """
    left, right, mouth = _eyes_and_mouth(landmarks)
    eyes, between, down = (left + right) / 2, right - left, mouth - (left + right) / 2
    if not np.isfinite(landmarks).all() or np.hypot(*between) < _MIN_EYE_DISTANCE:
        raise DataError(
            f"the eyes lie {np.hypot(*between):.1f} pixels apart, too close for a face; take a larger photo"
        )
    axis = between + np.array([down[1], -down[0]])  # the mouth's direction, turned by a quarter, has its say as well
    length = np.hypot(*axis)
    if length < 1e-6:
        raise DataError("eyes and mouth do not lie as a face's do; check the order of the landmarks")
    half = max(np.hypot(*between) * _EYE_SHARE, np.hypot(*down) * _MOUTH_SHARE)
    axis = axis * (half / length)
    centre = eyes + down * _DOWN_SHIFT
    return Crop(tuple(map(float, centre)), tuple(map(float, axis)), (-float(axis[1]), float(axis[0])))


def _eyes_and_mouth(landmarks):
    landmarks = np.asarray(landmarks, dtype=np.float64)
    if landmarks.shape == (68, 2):
        return (
            landmarks[LEFT_EYE].mean(axis=0),
            landmarks[RIGHT_EYE].mean(axis=0),
            landmarks[list(MOUTH_CORNERS)].mean(axis=0),
        )
    if landmarks.shape == (5, 2):
        return landmarks[0], landmarks[1], landmarks[3:].mean(axis=0)
    raise DataError(f"alignment takes 68 or 5 points (x, y), got {list(landmarks.shape)}")


def cut(photo: np.ndarray, crop: Crop, resolution: int) -> np.ndarray:
    """Cut a crop out of a photo [H, W, 3] uint8 and bring it to [resolution, resolution, 3] uint8.

    Where the square reaches beyond the photo, the photo's border is mirrored and turns into a blur, as in FFHQ.
    """
    reduced, scale = _reduced(photo, crop.side / resolution)
    matrix = crop.matrix(resolution) / scale
    image = _warped(reduced, matrix, resolution)
    outside = _distance_outside(matrix, resolution, reduced.shape)
    if outside.max() > 0:
        fade = np.clip(outside / (_FADE * resolution), 0, 1)[:, :, None]
        blurred = cv2.GaussianBlur(image, (0, 0), 0.04 * resolution, borderType=cv2.BORDER_REFLECT)
        image = image * (1 - fade) + blurred * fade
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _reduced(photo, shrink):
    """The photo made smaller by a whole factor, by area, so that the warp skips no pixels; and the factor of places."""
    factor = int(shrink)
    if factor < 2:
        return photo, np.ones(2)[:, None]
    height, width = (max(1, round(side / factor)) for side in photo.shape[:2])
    small = cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA)
    return small, np.array([[photo.shape[1] / width], [photo.shape[0] / height]])


def _warped(photo, matrix, resolution):
    """Cubic resampling: float32 [resolution, resolution, 3]; the matrix maps places, OpenCV's pixels' middles."""
    shifted = matrix.copy()
    shifted[:, 2] += matrix[:, :2].sum(axis=1) / 2 - 0.5
    return cv2.warpAffine(photo.astype(np.float32), shifted, (resolution, resolution),
                          flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT)  # fmt: skip


def _distance_outside(matrix, resolution, shape):
    """How far each pixel's place lies outside the photo, in pixels of the cut image: [resolution, resolution]."""
    along = np.arange(resolution) + 0.5
    x, y = (matrix[k, 0] * along[None, :] + matrix[k, 1] * along[:, None] + matrix[k, 2] for k in (0, 1))
    beyond = [np.maximum(np.maximum(-place, place - size), 0) for place, size in ((x, shape[1]), (y, shape[0]))]
    return np.hypot(*beyond) / np.hypot(matrix[0, 0], matrix[1, 0])
