"""Adaptive discriminator augmentation: what D is shown is changed at random, so that a small data set lasts longer.

Every image, real and generated, goes through a chain of invertible transformations, each of which is applied with
probability p: blits (mirror, quarter turns, whole-pixel shifts), geometry (scaling, rotation, shift) and colour
(brightness, contrast, luma flip, hue, saturation). p follows how surely D tells the training images: the mean sign of
its logits on them. Source: Karras et al. 2020, "Training Generative Adversarial Networks with Limited Data"
(StyleGAN2-ADA), sections 2 and 3, appendix B; the set "bgc" of its figure 4.
"""

from __future__ import annotations

import math

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

    def observe(self, real_logits: Tensor) -> None:
        """Take in D's logits of training images, any shape."""
        self.sign_sum += real_logits.detach().sign().sum().item()
        self.num_signs += real_logits.numel()

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


def augment(image: Tensor, p: float, rng: torch.Generator) -> Tensor:
    """Apply each transformation of the chain to each image with probability p, differentiably.

    image: [N, 3, S, S], S at least 8, nominally in [-1, 1]. rng: on the CPU, so that every device draws the same
    changes; it is not touched when p is 0. Returns the same shape.

    >>> import torch
    >>> image = torch.rand(2, 3, 8, 8)
    >>> torch.equal(augment(image, 0.0, torch.Generator()), image)
    True
    >>> augment(image, 0.8, torch.Generator().manual_seed(1)).shape
    torch.Size([2, 3, 8, 8])
    """
    if p == 0:
        return image
    num, size = len(image), image.shape[-1]
    image = _on_changed_rows(image, draw_blits(num, p, size, rng), blit)
    image = _on_changed_rows(image, draw_geometry(num, p, size, rng), warp)
    return recolour(image, draw_colours(num, p, rng).to(image))


def _on_changed_rows(image, matrices, transform):
    """Transform the rows whose matrix is not the identity: at a low p most are left alone."""
    rows = (matrices - torch.eye(3)).abs().amax(dim=(1, 2)).nonzero()[:, 0]
    if not len(rows):
        return image
    changed = transform(image[rows.to(image.device)], matrices[rows])
    return image.index_copy(0, rows.to(image.device), changed)


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
    size = image.shape[-1]
    grid = _grid(matrices, image, size, size)
    return F.grid_sample(image, grid, mode="nearest", padding_mode="reflection", align_corners=False)


def warp(image: Tensor, matrices: Tensor) -> Tensor:
    """Resample square images [N, 3, S, S] at the places of matrices [N, 3, 3], mirrored beyond their borders.

    The image is enlarged twice by a wavelet, sampled linearly there, and reduced by the wavelet's mirror, so that
    nothing blurs: under the identity the result is the image.
    """
    size, margin = image.shape[-1], (len(SYM6) + 1) // 2  # pixels beside the image that the wavelet reads
    taps = torch.tensor(SYM6, dtype=image.dtype, device=image.device)
    fine = upfirdn2d(_mirrored(image, margin), taps, up=2, padding=(_LAST - _BEFORE, _BEFORE, _LAST - _BEFORE, _BEFORE))
    fine = fine[:, :, 2 * margin : -2 * margin, 2 * margin : -2 * margin]
    zoom, offset = torch.diag(torch.tensor([2.0, 2.0, 1.0])), torch.full((1, 2), _OFFSET)
    moved = _translation(offset) @ zoom @ matrices @ zoom.inverse() @ _translation(-offset)
    grid = _grid(moved, image, 2 * (size + 2 * margin), 2 * size)
    fine = F.grid_sample(fine, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    coarse = upfirdn2d(fine, taps, down=2, padding=_BEFORE, flip_filter=True)
    return coarse[:, :, margin:-margin, margin:-margin]


def recolour(image: Tensor, matrices: Tensor) -> Tensor:
    """Map the colours of images [N, 3, H, W] by matrices [N, 4, 4] of homogeneous RGB."""
    mixed = torch.einsum("nij,njhw->nihw", matrices[:, :3, :3], image)
    return mixed + matrices[:, :3, 3, None, None]


def _grid(matrices, image, side, source_side):
    """Places in [-1, 1] at which a source of `source_side` is read for a result of `side`: [N, side, side, 2]."""
    to_pixels = torch.diag(torch.tensor([side / 2, side / 2, 1.0]))
    to_source = torch.diag(torch.tensor([2 / source_side, 2 / source_side, 1.0]))
    places = (to_source @ matrices @ to_pixels)[:, :2].to(image)
    return F.affine_grid(places, [len(image), 1, side, side], align_corners=False)


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
