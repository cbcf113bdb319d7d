"""A scene: attribute logits and nuisances, and how a latent z becomes them under each distribution."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from styleT2I.data.worlds import WORLDS

ATTRIBUTES = (
    "he", "lipstick", "smiling", "eyeglasses", "beard", "bangs", "hat", "earrings", "old", "dark_skin",
    "black_hair", "brown_hair", "blond_hair", "gray_hair",
)  # fmt: skip
_HAIR = 10  # columns from here on are hair colours; latents before it decide an attribute each, this one all colours
HAIR_COLOURS = ATTRIBUTES[_HAIR:]
_DECIDED_FIRST = ("he", "old", "dark_skin")  # hair colour and then everything else depend on them
_DECIDED_LAST = ATTRIBUTES[1:8]
NUISANCES = (
    "shift_x", "shift_y", "roll", "scale", "yaw", "pitch",  # pose
    "face_width", "face_height", "jaw",  # proportions, down to the ears
    "eye_size", "eye_spacing", "eye_height", "iris", "gaze", "brow_angle", "brow_thickness",
    "nose_length", "nose_width", "mouth_height", "mouth_width", "mouth_open", "lip_fullness", "neck", "ears",
    "hair_volume", "hair_length", "parting", "hair_shade", "skin_shade", "skin_warmth", "blush",
    "light_x", "light_y", "light_strength",
    "background_l", "background_a", "background_b", "background_gradient",
    "clothes_l", "clothes_a", "clothes_b", "collar",
    "hat_a", "hat_b", "glasses_shape", "glasses_shade", "earring_shade", "lipstick_hue", "beard_length",
)  # fmt: skip
Z_DIM = 64
_MIN_LOGIT = 0.3  # in magnitude: no scene is near the renderer's ramp between absent and present


@dataclass(frozen=True)
class Scenes:
    """A batch of scenes: `logits` [N, 14] (positive = visible, in +-[0.3, 1]) and `nuisances` [N, K] in [-1, 1]."""

    logits: Tensor
    nuisances: Tensor

    def __len__(self) -> int:
        return self.logits.shape[0]

    def __getitem__(self, rows: slice | Tensor) -> Scenes:
        return Scenes(self.logits[rows], self.nuisances[rows])

    @property
    def labels(self) -> Tensor:
        """Truthful labels, bool [N, 14]: the renderer draws exactly the attributes whose logit is positive."""
        return self.logits > 0

    def vector(self) -> Tensor:
        """Everything that determines the image as one vector [N, 14 + K], roughly in [-1, 1]."""
        return torch.cat([self.logits, self.nuisances], dim=1)


_SHARES_BY_HE = {  # P(name is true) for he, for she
    "lipstick": (0.055, 0.70),
    "smiling": (0.42, 0.60),
    "beard": (0.55, 0.055),
    "bangs": (0.06, 0.36),
    "hat": (0.24, 0.16),
    "earrings": (0.09, 0.52),
}


def _biased(y: dict[str, Tensor], name: str) -> Tensor:
    """P(name is true | the attributes already decided), [N].

    Correlated in CelebA-HQ's directions, with the rare pairs at 2-4 % of all images.
    """
    he, old, dark = y["he"], y.get("old"), y.get("dark_skin")

    def pick(condition: Tensor, yes: float, no: float) -> Tensor:
        return torch.where(condition, torch.tensor(yes), torch.tensor(no))

    if name == "old":
        return pick(he, 0.38, 0.24)
    if name == "dark_skin":
        return torch.full(he.shape, 0.30)
    if name == "gray_hair":
        return pick(old, 0.62, 0.04)
    if name == "blond_hair":  # of those who are not gray
        return torch.where(dark, torch.tensor(0.11), pick(he, 0.22, 0.45))
    if name == "black_hair":  # of those neither gray nor blond
        return pick(dark, 0.72, 0.40)
    if name == "eyeglasses":
        return pick(old, 0.45, 0.20)
    return pick(he, *_SHARES_BY_HE[name])


def _probability(distribution: str, y: dict[str, Tensor], name: str) -> Tensor:
    """P(name is true | the attributes already decided) under a distribution, [N] or a scalar."""
    if name == "he" or (distribution == "balanced" and name not in HAIR_COLOURS):
        reference = next(iter(y.values())) if y else None
        return torch.tensor(0.5) if reference is None else torch.full(reference.shape, 0.5)
    if distribution == "balanced":  # four colours, drawn one after the other
        return torch.full(y["he"].shape, {"gray_hair": 1 / 4, "blond_hair": 1 / 3, "black_hair": 1 / 2}[name])
    return _biased(y, name)


def _logit(z: Tensor, probability: Tensor) -> Tensor:
    """Signed margin of a latent [N] over its threshold: true with the given probability, magnitude in [0.3, 1]."""
    threshold = -math.sqrt(2) * torch.erfinv((2 * probability - 1).clamp(-0.9999, 0.9999))
    margin = z - threshold
    return torch.where(margin > 0, 1.0, -1.0) * (_MIN_LOGIT + (1 - _MIN_LOGIT) / 2 * margin.abs().clamp_max(2.0))


def _hair_logits(distribution: str, y: dict[str, Tensor], z: Tensor, wanted: Mapping[str, bool]) -> Tensor:
    """Logits [N, 4] of black, brown, blond, gray: one latent cut into four intervals, the chosen colour positive."""
    uniform = 0.5 * (1 + torch.erf(z / math.sqrt(2)))
    gray = _probability(distribution, y, "gray_hair")
    blond = (1 - gray) * _probability(distribution, y, "blond_hair")
    black = (1 - gray - blond) * _probability(distribution, y, "black_hair")
    shares = torch.stack([black, 1 - gray - blond - black, blond, gray], dim=1)  # [N, 4]
    for name, value in wanted.items():
        if name in HAIR_COLOURS:
            keep = torch.zeros(4)
            keep[HAIR_COLOURS.index(name)] = 1
            shares = shares * (keep if value else 1 - keep)
    shares = shares / shares.sum(dim=1, keepdim=True)
    upper = shares.cumsum(dim=1)
    upper[:, -1] = 1.0  # whatever the sum was rounded to
    inside = (uniform[:, None] <= upper) & (uniform[:, None] > upper - shares)
    inside[:, 0] |= ~inside.any(dim=1)
    edge = torch.minimum((upper - uniform[:, None]).abs(), (uniform[:, None] - upper + shares).abs())
    strength = _MIN_LOGIT + (1 - _MIN_LOGIT) * (3 * edge).clamp_max(1.0)
    return torch.where(inside, strength, -strength)


def scenes_from_latents(z: Tensor, distribution: str, wanted: Mapping[str, bool] | None = None) -> Scenes:
    """Decide every attribute and nuisance from z [N, 64], deterministically.

    z is first scaled to unit root mean square, as StyleGAN2's mapping network does, so the scene is a function of what
    that network sees. `distribution` is "biased", "balanced" or "composition"; the last draws like "biased" with the
    `wanted` attributes forced. The biased distribution never contains a held-out composition: the attribute named as
    its `yields` gives way.
    """
    z = z * torch.rsqrt(z.square().mean(dim=1, keepdim=True) + 1e-8)
    wanted = dict(wanted or {})
    y: dict[str, Tensor] = {}
    logits = torch.zeros(z.shape[0], len(ATTRIBUTES))
    for name in _DECIDED_FIRST:
        _decide(logits, y, z, name, distribution, wanted)
    hair = _hair_logits(distribution, y, z[:, _HAIR], wanted)
    logits[:, _HAIR:] = hair
    y.update({name: hair[:, k] > 0 for k, name in enumerate(HAIR_COLOURS)})
    for name in _DECIDED_LAST:
        _decide(logits, y, z, name, distribution, wanted)
    if distribution == "biased":
        for composition in WORLDS["minifaces"].held_out:
            hit = torch.stack([y[name] == value for name, value in composition.attributes.items()]).all(dim=0)
            column = ATTRIBUTES.index(composition.yields)
            logits[:, column] = torch.where(hit, -logits[:, column], logits[:, column])
            y[composition.yields] = logits[:, column] > 0
    first = _HAIR + 1
    nuisances = torch.erf(z[:, first : first + len(NUISANCES)] / math.sqrt(2))  # [N, K], uniform in [-1, 1]
    return Scenes(logits, nuisances)


def _decide(
    logits: Tensor, y: dict[str, Tensor], z: Tensor, name: str, distribution: str, wanted: Mapping[str, bool]
) -> None:
    """Write one attribute's logits into its column, and its truth into y; `wanted` overrules the latent's sign."""
    column = ATTRIBUTES.index(name)
    value = _logit(z[:, column], _probability(distribution, y, name))
    if name in wanted:
        value = value.abs() * (1.0 if wanted[name] else -1.0)
    logits[:, column] = value
    y[name] = value > 0
