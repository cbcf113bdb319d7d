"""Adaptive discriminator augmentation: what D is shown is changed at random, so that a small data set lasts longer.

Every image, real and generated, goes through a chain of invertible transformations, each of which is applied with
probability p: blits (mirror, quarter turns, whole-pixel shifts), geometry (scaling, rotation, shift) and colour
(brightness, contrast, luma flip, hue, saturation). p follows how surely D tells the training images: the mean sign of
its logits on them. Source: Karras et al. 2020, "Training Generative Adversarial Networks with Limited Data"
(StyleGAN2-ADA), sections 2 and 3, appendix B; the set "bgc" of its figure 4.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from styleT2I.ops.upfirdn2d import upfirdn2d
from styleT2I.torch_utils.distributed import draw_rows, summed

# The orthonormal Daubechies wavelet of 6 vanishing moments that is nearest to symmetry: enlarging an image by it and
# reducing the result by its mirror is the identity, and rotations between lose little.
SYM6 = (
    -0.00780070832503, 0.00176771186425, 0.04472490177078, -0.02106029251237, -0.07263752278638, 0.33792942172824,
    0.78764114103020, 0.49105594192766, -0.04831174258563, -0.11799011114819, 0.00349071208422, 0.01540410932703,
)  # fmt: skip
_LAST = len(SYM6) - 1
_BEFORE = 5  # taps before a pixel's first half; the others follow
_MARGIN = (len(SYM6) + 1) // 2  # pixels beside the image that the wavelet reads
# How far the wavelet's centre lies from the middle of the two halves, in halves: places are counted from it.
_OFFSET = sum(k * tap for k, tap in enumerate(SYM6)) / sum(SYM6) - _BEFORE - 0.5


class AugmentationStrength:
    """The probability p of every transformation, and the rule that moves it.

    target: mean sign of D's logits on training images at which p rests, in [-1, 1]; None: p stays where it is. images:
    how many images it takes p from 0 to 1. interval: steps between moves. p: where it starts.
    """

    def __init__(self, target: float | None, images: float, interval: int = 4, p: float = 0.0):
        self.target, self.images, self.interval = target, images, interval
        self.p, self.sign_sum, self.num_signs, self.num_steps = p, 0.0, 0, 0

    def observe(self, sign_sum: float, num: int) -> None:
        """Take in the sum of the signs of D's logits of `num` training images."""
        self.sign_sum += sign_sum
        self.num_signs += num

    def move(self) -> float | None:
        """End a step; every `interval` steps raise or lower p and return the mean sign that decided it."""
        self.num_steps += 1
        if self.target is None or self.num_steps < self.interval:
            return None
        sign_sum, num_signs = summed(torch.tensor([self.sign_sum, self.num_signs], dtype=torch.float64)).tolist()
        mean_sign = sign_sum / max(num_signs, 1)
        change = math.copysign(num_signs / self.images, mean_sign - self.target)
        self.p = min(max(self.p + change, 0.0), 1.0)
        self.sign_sum, self.num_signs, self.num_steps = 0.0, 0, 0
        return mean_sign

    def state_dict(self) -> dict[str, Tensor]:
        """All that a resumed run goes on from."""
        values = [self.p, self.sign_sum, self.num_signs, self.num_steps]
        return {"values": torch.tensor(values, dtype=torch.float64)}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Load what `state_dict` returned."""
        self.p, self.sign_sum, num_signs, num_steps = state["values"].tolist()
        self.num_signs, self.num_steps = int(num_signs), int(num_steps)


class Changes(NamedTuple):
    """What the chain does to N images, drawn on the CPU."""

    is_blitted: Tensor  # bool [N]
    blit_places: Tensor  # [N, 2, 3], affine maps of the result's places to the source's, both in [-1, 1]
    is_warped: Tensor  # bool [N]
    warp_places: Tensor  # [N, 2, 3], those of `warp`'s enlarged images
    colours: Tensor  # [N, 4, 4], as of `draw_colours`


def draw_changes(num: int, p: float, size: int, rng: torch.Generator) -> Changes | None:
    """Each transformation of the chain for each of `num` images of side `size` with probability p.

    size: at least 8. rng: on the CPU, so that every device draws the same changes; with a p of 0 it is not touched, and
    the result is None.
    """
    if p == 0:
        return None
    blits = draw_blits(num, p, size, rng)
    warps = draw_geometry(num, p, size, rng)
    blit_places, warp_places = _blit_places(blits, size), _warp_places(warps, size)
    return Changes(_changes(blits), blit_places, _changes(warps), warp_places, draw_colours(num, p, rng))


def change(image: Tensor, changes: Changes | None, *, is_whole: bool = False) -> Tensor:
    """Images [N, 3, S, S], nominally in [-1, 1], through the chain, differentiably; changes: on the images' device.

    is_whole: transform the rows that are left alone too, and leave that out of the result: no shape then depends on
    what was drawn.

    >>> import torch
    >>> image, rng = torch.rand(2, 3, 8, 8), torch.Generator().manual_seed(1)
    >>> torch.equal(change(image, draw_changes(2, 0.0, 8, rng)), image)
    True
    >>> change(image, draw_changes(2, 0.8, 8, rng)).shape
    torch.Size([2, 3, 8, 8])
    """
    if changes is None:
        return image
    image = _on_changed_rows(image, changes.is_blitted, changes.blit_places, _moved, is_whole)
    image = _on_changed_rows(image, changes.is_warped, changes.warp_places, _resampled, is_whole)
    return recolour(image, changes.colours.to(image))


def _changes(matrices):
    """Which matrices are not the identity: at a low p most are."""
    return (matrices - torch.eye(3)).abs().amax(dim=(1, 2)) > 0


def _on_changed_rows(image, is_changed, places, transform, is_whole):
    """Transform the rows that are changed."""
    if is_whole:
        return torch.where(is_changed.view(-1, 1, 1, 1), transform(image, places), image)
    rows = is_changed.nonzero()[:, 0]
    return image.index_copy(0, rows, transform(image[rows], places[rows])) if len(rows) else image


def draw_blits(num: int, p: float, size: int, rng: torch.Generator) -> Tensor:
    """Mirror, quarter turn and whole-pixel shift of up to an eighth of the side: source places [num, 3, 3].

    A matrix maps a place of the result, in pixels from the middle, to where its value comes from.
    """
    mirrored = _gated(_uniform(num, rng).mul(2).floor(), p, rng)
    turns = _gated(_uniform(num, rng).mul(4).floor(), p, rng)
    shift = _gated((_uniform(num, rng, 2) * 2 - 1) / 8, p, rng)
    matrix = _scaling(1 - 2 * mirrored, torch.ones(num))
    matrix = matrix @ _rotation(turns * (math.pi / 2)).round()
    return matrix @ _translation((shift * size).round())


def draw_geometry(num: int, p: float, size: int, rng: torch.Generator) -> Tensor:
    """Scaling, rotation, stretching, rotation and shift: source places [num, 3, 3], as `draw_blits`.

    Both rotations are drawn with probability 1 - sqrt(1 - p), so that an image is turned with probability p.
    """
    once, log2 = 1 - math.sqrt(1 - p), math.log(2)
    scale = torch.exp(_gated(_normal(num, rng) * 0.2 * log2, p, rng))
    before = _gated((_uniform(num, rng) * 2 - 1) * math.pi, once, rng)
    stretch = torch.exp(_gated(_normal(num, rng) * 0.2 * log2, p, rng))
    after = _gated((_uniform(num, rng) * 2 - 1) * math.pi, once, rng)
    shift = _gated(_normal(num, rng, 2) / 8, p, rng)
    matrix = _scaling(scale, scale) @ _rotation(before) @ _scaling(stretch, 1 / stretch) @ _rotation(after)
    return matrix @ _translation(shift * size)


def draw_colours(num: int, p: float, rng: torch.Generator) -> Tensor:
    """Brightness, contrast, luma flip, hue and saturation as maps [num, 4, 4] of homogeneous RGB in [-1, 1]."""
    eye, log2 = torch.eye(4).expand(num, 4, 4), math.log(2)
    grey = torch.tensor([1.0, 1.0, 1.0, 0.0]) / math.sqrt(3)
    along = grey.outer(grey)  # projects on the axis of greys
    brightness = _gated(_normal(num, rng) * 0.2, p, rng)
    contrast = torch.exp(_gated(_normal(num, rng) * 0.5 * log2, p, rng))
    flipped = _gated(_uniform(num, rng).mul(2).floor(), p, rng)
    hue = _gated((_uniform(num, rng) * 2 - 1) * math.pi, p, rng)
    saturation = torch.exp(_gated(_normal(num, rng) * log2, p, rng))
    colours = eye.clone()
    colours[:, :3, 3] = brightness[:, None]
    colours = torch.diag_embed(torch.cat([contrast[:, None].expand(-1, 3), torch.ones(num, 1)], dim=1)) @ colours
    colours = (eye - 2 * along * flipped[:, None, None]) @ colours
    colours = _turned_about_grey(hue) @ colours
    homogeneous = torch.diag(torch.tensor([0.0, 0.0, 0.0, 1.0]))
    return (along + homogeneous + (torch.eye(4) - along - homogeneous) * saturation[:, None, None]) @ colours


def blit(image: Tensor, matrices: Tensor) -> Tensor:
    """Move whole pixels of square images [N, 3, S, S], mirrored beyond their borders; matrices [N, 3, 3]: of blits."""
    return _moved(image, _blit_places(matrices, image.shape[-1]))


def warp(image: Tensor, matrices: Tensor) -> Tensor:
    """Resample square images [N, 3, S, S] at the places of matrices [N, 3, 3], mirrored beyond their borders.

    The image is enlarged twice by a wavelet, sampled linearly there, and reduced by the wavelet's mirror, so that
    nothing blurs: under the identity the result is the image.
    """
    return _resampled(image, _warp_places(matrices, image.shape[-1]))


def recolour(image: Tensor, matrices: Tensor) -> Tensor:
    """Map the colours of images [N, 3, H, W] by matrices [N, 4, 4] of homogeneous RGB."""
    mixed = torch.einsum("nij,njhw->nihw", matrices[:, :3, :3], image)
    return mixed + matrices[:, :3, 3, None, None]


def _blit_places(matrices, size):
    return _places(matrices, size, size)


def _moved(image, places):
    grid = _grid(places, image, image.shape[-1])
    return F.grid_sample(image, grid, mode="nearest", padding_mode="reflection", align_corners=False)


def _warp_places(matrices, size):
    zoom, offset = torch.diag(torch.tensor([2.0, 2.0, 1.0])), torch.full((1, 2), _OFFSET)
    moved = _translation(offset) @ zoom @ matrices @ zoom.inverse() @ _translation(-offset)
    return _places(moved, 2 * (size + 2 * _MARGIN), 2 * size)


def _resampled(image, places):
    size, margin = image.shape[-1], _MARGIN
    taps = _taps(image.dtype, image.device)
    fine = upfirdn2d(_mirrored(image, margin), taps, up=2, padding=(_LAST - _BEFORE, _BEFORE, _LAST - _BEFORE, _BEFORE))
    fine = fine[:, :, 2 * margin : -2 * margin, 2 * margin : -2 * margin]
    grid = _grid(places, image, 2 * (size + 2 * margin))
    fine = F.grid_sample(fine, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    coarse = upfirdn2d(fine, taps, down=2, padding=_BEFORE, flip_filter=True)
    return coarse[:, :, margin:-margin, margin:-margin]


@functools.lru_cache(maxsize=8)
def _taps(dtype, device):
    return torch.tensor(SYM6, dtype=dtype, device=device)


def _places(matrices, side, source_side):
    """Affine maps [N, 2, 3] from the places of a result of `side` to those of a source of `source_side`, in [-1, 1]."""
    to_pixels = torch.diag(torch.tensor([side / 2, side / 2, 1.0]))
    to_source = torch.diag(torch.tensor([2 / source_side, 2 / source_side, 1.0]))
    return (to_source @ matrices @ to_pixels)[:, :2]


def _grid(places, image, side):
    """Places at which a source is read for a result of `side`: [N, side, side, 2]."""
    return F.affine_grid(places.to(image), [len(image), 1, side, side], align_corners=False)


def _uniform(num, rng, *shape):
    """Numbers in [0, 1) for this process's `num` rows, of those that are drawn for all."""
    return draw_rows(torch.rand, num, *shape, generator=rng)


def _normal(num, rng, *shape):
    return draw_rows(torch.randn, num, *shape, generator=rng)


def _mirrored(image, margin):
    """Lengthen both axes by `margin` pixels at either end, the border's pixel twice."""
    for axis in (2, 3):
        size = image.shape[axis]
        start, end = image.narrow(axis, 0, margin).flip(axis), image.narrow(axis, size - margin, margin).flip(axis)
        image = torch.cat([start, image, end], dim=axis)
    return image


def _gated(values, p, rng):
    """Each row of values [N, ...] with probability p, else 0."""
    is_on = _uniform(len(values), rng) < p
    return torch.where(is_on.view(-1, *[1] * (values.ndim - 1)), values, torch.zeros_like(values))


def _scaling(x, y):
    return torch.diag_embed(torch.stack([x, y, torch.ones_like(x)], dim=1))


def _rotation(angle):
    matrix = torch.eye(3).repeat(len(angle), 1, 1)
    matrix[:, 0, 0] = matrix[:, 1, 1] = angle.cos()
    matrix[:, 1, 0] = angle.sin()
    matrix[:, 0, 1] = -angle.sin()
    return matrix


def _translation(shift):
    matrix = torch.eye(3).repeat(len(shift), 1, 1)
    matrix[:, :2, 2] = shift
    return matrix


def _turned_about_grey(angle):
    """Rotations [N, 4, 4] of RGB about the axis of greys (Rodrigues' formula)."""
    axis = torch.full((3,), 1 / math.sqrt(3))
    cross = torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) / math.sqrt(3)
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    matrix = torch.eye(4).repeat(len(angle), 1, 1)
    matrix[:, :3, :3] = cos * torch.eye(3) + sin * cross + (1 - cos) * axis.outer(axis)
    return matrix
