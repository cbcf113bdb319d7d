"""An edited face back in its photo: the edit's pixels where the edit changed something, the photo's everywhere else."""

from __future__ import annotations

import cv2
import numpy as np

from styleT2I.photos.alignment import Crop

_BORDER = 0.06  # of the side: the band along the square's border that stays the photo's
_LOW, _HIGH = 6.0, 24.0  # change of a channel, of 255, below which nothing and above which all is taken from the edit
_SPREAD = 0.02  # of the side: by how much what changed is widened and softened


def changed_regions(before: np.ndarray, after: np.ndarray, allowed: np.ndarray | None = None) -> np.ndarray:
    """Where an edit changed a face, softly: float32 [R, R] in [0, 1].

    before, after: [R, R, 3] uint8, the face as the generator draws it without and with the edit. allowed: bool [R, R],
    the regions that the edit may touch; None: all. A band along the border is always 0, so that no seam shows.
    """
    side = before.shape[0]
    change = np.abs(after.astype(np.float32) - before).max(axis=2)
    change = cv2.GaussianBlur(change, (0, 0), max(_SPREAD * side / 2, 0.5))
    mask = np.clip((change - _LOW) / (_HIGH - _LOW), 0, 1)
    if allowed is not None:
        mask = mask * _widened(allowed.astype(np.float32), side)
    return _soft(_widened(mask, side), side) * _inside(side)


def put_back(photo: np.ndarray, face: np.ndarray, crop: Crop, mask: np.ndarray) -> np.ndarray:
    """Blend a face into its photo: [H, W, 3] uint8, the photo's own bytes wherever the mask is 0.

    photo: [H, W, 3] uint8. face: [R, R, 3] uint8, to be seen in the square `crop`. mask: [R, R] in [0, 1], the face's
    weight.
    """
    height, width = photo.shape[:2]
    corners = crop.corners
    left, top = (max(0, int(np.floor(corners[:, k].min()))) for k in (0, 1))
    right, bottom = (min(size, int(np.ceil(corners[:, k].max()))) for k, size in ((0, width), (1, height)))
    result = photo.copy()
    if right <= left or bottom <= top:
        return result
    resolution = face.shape[0]
    to_face = np.linalg.inv(np.vstack([crop.matrix(resolution), [0, 0, 1]]))[:2]
    to_face[:, 2] += to_face[:, :2] @ (np.array([left, top]) + 0.5) - 0.5
    size = (right - left, bottom - top)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    drawn = cv2.warpAffine(face.astype(np.float32), to_face, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    weight = cv2.warpAffine(mask.astype(np.float32), to_face, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    weight = np.clip(weight, 0, 1)[:, :, None]
    place = result[top:bottom, left:right]
    mixed = np.rint(place * (1 - weight) + np.clip(drawn, 0, 255) * weight)
    result[top:bottom, left:right] = np.where(weight > 0, mixed, place).astype(np.uint8)
    return result


def _widened(mask, side):
    width = 2 * max(1, round(_SPREAD * side)) + 1
    return cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width)))


def _soft(mask, side):
    return cv2.GaussianBlur(mask, (0, 0), max(_SPREAD * side, 0.5))


def _inside(side):
    """1 in the middle, falling to 0 at the border: float32 [side, side]."""
    along = np.minimum(np.arange(side) + 0.5, side - np.arange(side) - 0.5) / (_BORDER * side)
    ramp = np.clip(along - 0.5, 0, 1).astype(np.float32)
    return np.minimum(ramp[:, None], ramp[None, :])
