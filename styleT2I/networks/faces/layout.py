"""Place and size of a face in an image, from the masks of the visible parts."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

# One name for each part in all masks: MiniFaces, CelebAMask-HQ, LaPa, and the networks trained on them.
PARTS = {
    "hair": ("hair",),
    "skin": ("skin", "face", "face_skin", "facial_skin"),
    "eyes": ("eyes", "l_eye", "r_eye", "left_eye", "right_eye"),
    "brows": ("brows", "l_brow", "r_brow", "left_brow", "right_brow", "left_eyebrow", "right_eyebrow"),
    "glasses": ("glasses", "eye_g", "eyeglasses"),
    "nose": ("nose",),
    "mouth": ("mouth", "inner_mouth", "u_lip", "l_lip", "upper_lip", "lower_lip"),
    "beard": ("beard",),
    "ears": ("ears", "l_ear", "r_ear", "left_ear", "right_ear"),
    "earrings": ("earrings", "ear_r", "earring"),
    "hat": ("hat",),
    "neck": ("neck",),
    "necklace": ("necklace", "neck_l"),
}

# A face seen from the front, where nothing better is known. Fractions of the image's height:
_EYE_Y, _EYE_TO_MOUTH, _BROW_TO_EYE = 0.48, 0.22, 0.08
_TWO_EYES = 0.2  # what is wider than this is not a single eye
_EYE_TO_MOUTH_RANGE = (0.08, 0.40)
# and in units of the distance from eyes to mouth:
_HALF_WIDTH, _HALF_WIDTH_RANGE = 1.15, (0.85, 1.60)
_EYES_WIDTH = 1.45  # from the outer corner of one to that of the other
_TAIL = 0.01  # fraction of a part's pixels on each side that its extent leaves out, so that stray pixels do not count
_MIN_AREA = 5e-4  # fraction of the image that a part must cover to count


class FaceLayout:
    """Landmarks of N faces, and pixel coordinates in units of the face.

    `x` [N, 1, W] and `y` [N, H, 1] have their origin between the eyes, y down, and unit length from eyes to mouth;
    `head_x` is 0 in the middle of the head instead and +-1 at its sides, level with the cheeks. The chin is near y 1.6.
    Whatever is hidden is inferred from what is not, in the end from a mean face: every number is finite.
    """

    def __init__(self, parts: Tensor, part_names: Sequence[str]):
        """parts [N, P, H, W], bool or probabilities, in the order of part_names (PARTS lists those understood)."""
        self._masks = {name: mask for name, mask in zip(part_names, (parts > 0.5).unbind(1), strict=True)}
        self._none = torch.zeros_like(parts[:, 0], dtype=torch.bool)
        height, width = self._none.shape[1:]
        rows = torch.arange(height, device=parts.device).view(1, -1, 1) + 0.5
        columns = torch.arange(width, device=parts.device).view(1, 1, -1) + 0.5
        self._find_landmarks()
        self.x, self.y = (columns - self._x) / self._unit, (rows - self._y) / self._unit
        left, right = self._find_sides()
        self.half_width = (right - left) / 2  # [N, 1, 1]
        self.head_x = (self.x - (left + right) / 2) / self.half_width

    def part(self, name: str) -> Tensor:
        """Visible area of a part by one of the keys of PARTS, or as the segmenter names it: bool [N, H, W]."""
        mask = self._none
        for alias in PARTS.get(name, (name,)):
            mask = mask | self._masks.get(alias, self._none)
        return mask

    def has(self, name: str) -> Tensor:
        """Whether a part is visible, bool [N]."""
        return self.part(name).float().mean(dim=(1, 2)) > _MIN_AREA

    def grown(self, name: str, by: float) -> Tensor:
        """A part and what lies within `by` of it (a fraction of the image's height): bool [N, H, W]."""
        return grow(self.part(name), by)

    def box(self, x0: float, x1: float, y0: float, y1: float) -> Tensor:
        """Rectangle in face coordinates, bool [N, H, W]."""
        return (self.x > x0) & (self.x < x1) & (self.y > y0) & (self.y < y1)

    def ellipse(self, x: float, y: float, radius_x: float, radius_y: float) -> Tensor:
        """Ellipse around (x, y) in face coordinates, bool [N, H, W]."""
        return ((self.x - x) / radius_x).square() + ((self.y - y) / radius_y).square() < 1

    def _find_landmarks(self) -> None:
        height, width = self._none.shape[1:]
        eyes, glasses, brows, mouth, nose = (
            _Extent(self.part(name)) for name in ("eyes", "glasses", "brows", "mouth", "nose")
        )
        usual = torch.full_like(eyes.y, _EYE_TO_MOUTH * height)
        usual = torch.where(eyes.found & (eyes.width > _TWO_EYES * height), eyes.width / _EYES_WIDTH, usual)
        eye_y = torch.where(mouth.found, mouth.y - usual, _EYE_Y * height)
        for part, drop in ((brows, _BROW_TO_EYE * height), (glasses, 0), (eyes, 0)):  # the most reliable part last
            eye_y = torch.where(part.found, part.y + drop, eye_y)
        mouth_y = torch.where(mouth.found, mouth.y, eye_y + usual)
        low, high = _EYE_TO_MOUTH_RANGE
        unit = (mouth_y - eye_y).clamp(low * height, high * height)
        x = torch.full_like(unit, width / 2)
        for part in (nose, mouth):
            x = torch.where(part.found, part.x, x)
        for part in (glasses, eyes):  # one visible eye does not show the middle; two span more than a unit
            x = torch.where(part.found & (part.width > unit), part.x, x)
        self._x, self._y, self._unit = (v.view(-1, 1, 1) for v in (x, eye_y, unit))

    def _find_sides(self) -> tuple[Tensor, Tensor]:
        """Left and right end of the visible face, level with the cheeks, in face coordinates: [N, 1, 1] each."""
        surface = self._none
        for name in ("skin", "nose", "beard", "mouth", "eyes"):
            surface = surface | self.part(name)
        cheeks = _Extent(surface & (self.y > 0.1) & (self.y < 1))
        left, right = ((end.view(-1, 1, 1) - self._x) / self._unit for end in (cheeks.left, cheeks.right))
        found, (low, high) = cheeks.found.view(-1, 1, 1), _HALF_WIDTH_RANGE
        left = torch.where(found, left, -_HALF_WIDTH).clamp(-high, -low)
        right = torch.where(found, right, _HALF_WIDTH).clamp(low, high)
        return left, right


class _Extent:
    """Bounding boxes of masks [N, H, W] without their outermost 1 %, in pixels; every field is [N]."""

    def __init__(self, mask: Tensor):
        self.found = mask.float().mean(dim=(1, 2)) > _MIN_AREA
        self.left, self.right = _ends(mask.sum(dim=1))
        self.top, self.bottom = _ends(mask.sum(dim=2))
        self.x, self.y = (self.left + self.right) / 2, (self.top + self.bottom) / 2
        self.width = self.right - self.left


def _ends(counts: Tensor) -> tuple[Tensor, Tensor]:
    """First and last non-zero place of counts [N, L], [N] each, in pixels."""
    share = counts.cumsum(dim=1) / counts.sum(dim=1, keepdim=True).clamp_min(1)
    return (share <= _TAIL).sum(dim=1).float(), (share < 1 - _TAIL).sum(dim=1).float() + 1


def grow(mask: Tensor, by: float) -> Tensor:
    """Dilate bool [N, H, W] by `by` times its height to each side, rounded up to pixels."""
    radius = math.ceil(by * mask.shape[1])
    grown = F.max_pool2d(mask[:, None].float(), 2 * radius + 1, stride=1, padding=radius)
    return grown[:, 0] > 0.5
