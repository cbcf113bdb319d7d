"""Anti-aliased painting of signed distance fields, vectorised over a batch of images."""

from __future__ import annotations

import torch
from torch import Tensor

Rect = tuple[slice, slice]  # rows, columns


def ellipse(x: Tensor, y: Tensor, rx: Tensor | float, ry: Tensor | float) -> Tensor:
    """Signed distance to an axis-aligned ellipse at the origin, first-order accurate near its edge; the shape of x."""
    u, v = x / rx, y / ry
    k1 = torch.sqrt(u * u + v * v)
    u, v = u / rx, v / ry
    k2 = torch.sqrt(u * u + v * v).clamp_min(1e-6)
    return k1 * (k1 - 1) / k2


def box(x: Tensor, y: Tensor, hx: Tensor | float, hy: Tensor | float, radius: Tensor | float) -> Tensor:
    """Signed distance to a box of half sizes (hx, hy) whose corners are rounded by `radius`."""
    qx, qy = x.abs() - hx + radius, y.abs() - hy + radius
    outside = torch.sqrt(qx.clamp_min(0).square() + qy.clamp_min(0).square())
    return outside + torch.maximum(qx, qy).clamp_max(0) - radius


def arc(x: Tensor, y: Tensor, half_width: Tensor | float, curve: Tensor | float, thickness: Tensor | float) -> Tensor:
    """Distance to a parabolic stroke y = curve * (x / half_width)^2, thickest in the middle, ending at +-half_width."""
    t = x / half_width
    slope = 2 * curve * t / half_width
    across = (y - curve * t * t).abs() / torch.sqrt(1 + slope * slope)
    return torch.maximum(across - thickness * (1 - 0.6 * t * t).clamp_min(0.1), x.abs() - half_width)


def segment(
    x: Tensor,
    y: Tensor,
    x0: Tensor | float,
    y0: Tensor | float,
    x1: Tensor | float,
    y1: Tensor | float,
    thickness: Tensor | float,
) -> Tensor:
    """Signed distance to a capsule from (x0, y0) to (x1, y1)."""
    dx, dy = x1 - x0, y1 - y0
    h = (((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy)).clamp(0, 1)
    return torch.sqrt((x - x0 - h * dx).square() + (y - y0 - h * dy).square()) - thickness


class Canvas:
    """RGB images [N, 3, size, size] in [0, 1] painted back to front, remembering which region each layer belongs to.

    Coordinates run over [-1, 1], x to the right and y down. `window(x0, x1, y0, y1)` limits the work to a rectangle:
    parts that cover a tenth of the image cost a tenth of it.
    """

    def __init__(self, num: int, size: int, regions: tuple[str, ...] = ()):
        self.size, self.regions = size, regions
        self.rgb = torch.zeros(num, 3, size, size)
        self.layers: list[tuple[str, Rect, Tensor]] = []
        self.whole: Rect = (slice(0, size), slice(0, size))
        centres = (torch.arange(size, dtype=torch.float32) + 0.5) * (2 / size) - 1
        self.grid_y, self.grid_x = torch.meshgrid(centres, centres, indexing="ij")

    def window(self, x0: float, x1: float, y0: float, y1: float) -> Rect:
        """Pixel rectangle (rows, columns) covering the given coordinates, clipped to the image."""
        low = [max(0, int((v + 1) * self.size / 2)) for v in (y0, x0)]
        high = [min(self.size, int((v + 1) * self.size / 2) + 1) for v in (y1, x1)]
        return slice(low[0], high[0]), slice(low[1], high[1])

    def coverage(self, distance: Tensor, softness: float = 1.0) -> Tensor:
        """Fraction of each pixel inside a shape, from its signed distance; `softness` is the edge's width in pixels."""
        return (0.5 - distance * (self.size / (2 * softness))).clamp(0, 1)

    def paint(self, alpha: Tensor, colour: Tensor, region: str | None = None, rect: Rect | None = None) -> None:
        """Blend colour ([N, 3, 1, 1] or [N, 3, h, w]) over the rectangle (None: everywhere) with alpha [N, h, w]."""
        rows, cols = rect or self.whole
        patch = self.rgb[:, :, rows, cols]  # [N, 3, h, w], a view
        patch.lerp_(colour.expand_as(patch), alpha.unsqueeze(1).expand_as(patch))
        if self.regions and region is not None:
            self.layers.append((region, (rows, cols), alpha))

    def masks(self) -> Tensor:
        """Visible area of each region, bool [N, R, size, size]: at least half of the pixel shows it."""
        num = self.rgb.shape[0]
        share = torch.zeros(num, len(self.regions), self.size, self.size)
        free = torch.ones(num, self.size, self.size)  # fraction of the pixel that no layer in front covers
        for region, (rows, cols), alpha in reversed(self.layers):
            left = free[:, rows, cols]
            if region in self.regions:
                share[:, self.regions.index(region), rows, cols] += alpha * left
            left *= 1 - alpha
        return share >= 0.5
