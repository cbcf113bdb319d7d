"""The colours of a scene."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from styleT2I.data.minifaces.scene import HAIR_COLOURS

_SKIN = ((0.97, 0.82, 0.72), (0.41, 0.27, 0.21))  # pale, dark
_WARMTH = (0.03, 0.0, -0.04)  # what warm skin has more of
_HAIR = ((0.10, 0.09, 0.11), (0.50, 0.26, 0.12), (0.97, 0.80, 0.36), (0.74, 0.75, 0.79))  # in the order of HAIR_COLOURS
_OLD_BROW = 0.80
_BARE_LIP = (0.86, 0.66, 0.64)  # times the skin
_LIP_LINE = (0.42, 0.26, 0.26)  # times the skin
_LIPSTICK = ((0.80, 0.04, 0.12), (0.86, 0.05, 0.40))
_BLUSH = (0.92, 0.42, 0.40)
_IRIS = ((0.30, 0.18, 0.10), (0.22, 0.58, 0.66))
_FRAME = ((0.06, 0.06, 0.08), (0.42, 0.10, 0.10))
_EARRING = ((0.98, 0.78, 0.12), (0.20, 0.80, 0.82))

INK = (0.10, 0.08, 0.10)  # pupils, lids and lashes
EYE_WHITE = (0.98, 0.98, 0.98)
GLINT = (1.0, 1.0, 1.0)
TEETH = (0.99, 0.98, 0.96)
GLASS = (0.90, 0.96, 1.0)
EARRING_RIM = (0.20, 0.13, 0.05)
EARRING_GLINT = (1.0, 1.0, 0.94)


def rgb(colour: tuple[float, float, float]) -> Tensor:
    """A colour as a tensor [1, 3, 1, 1]."""
    return torch.tensor(colour).view(1, 3, 1, 1)


def mix(a: Tensor | float, b: Tensor | float, t: Tensor) -> Tensor:
    """a where t is 0, b where t is 1, and linear between them."""
    return a + (b - a) * t


def _between(ends: tuple, t: Tensor) -> Tensor:
    return mix(rgb(ends[0]), rgb(ends[1]), t)


def _opponent(lightness: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Colour from lightness and two opponent axes (red-green, blue-yellow), linear: colour mixes as light does."""
    return torch.cat([lightness + a + 0.5 * b, lightness - a + 0.5 * b, lightness - b], dim=1).clamp(0.03, 0.97)


@dataclass(frozen=True)
class Palette:
    """Every colour that differs from scene to scene, each [N, 3, 1, 1] in about [0, 1]."""

    skin: Tensor
    crease: Tensor
    blush: Tensor
    hair: Tensor
    brow: Tensor
    beard: Tensor
    iris: Tensor
    lips: Tensor  # bare or painted
    lip_line: Tensor  # between closed lips
    frame: Tensor  # of the glasses
    earring: Tensor
    hat: Tensor
    clothes: Tensor
    background: Tensor


def scene_palette(nuisance: Mapping[str, Tensor], on: Mapping[str, Tensor]) -> Palette:
    """The colours of scenes.

    nuisance: values in [-1, 1] by name; on: how much of each attribute is there, in [0, 1] by name; each [N, 1, 1].
    """
    shade = {name: value.unsqueeze(1) for name, value in nuisance.items()}  # [N, 1, 1, 1], to mix colours with
    dark, old, lipstick = (on[name].unsqueeze(1) for name in ("dark_skin", "old", "lipstick"))
    skin = mix(rgb(_SKIN[0]), rgb(_SKIN[1]), dark)
    skin = skin + 0.045 * shade["skin_shade"] + rgb(_WARMTH) * shade["skin_warmth"]
    weights = torch.cat([on[name].unsqueeze(1) for name in HAIR_COLOURS], dim=1)  # [N, 4, 1, 1]
    weights = weights / weights.sum(dim=1, keepdim=True).clamp_min(1e-3)
    hair = torch.einsum("nkhw,kc->nchw", weights, torch.tensor(_HAIR)) * (1 + 0.10 * shade["hair_shade"])
    rose = _between(_LIPSTICK, 0.5 + 0.5 * shade["lipstick_hue"])
    return Palette(
        skin=skin,
        crease=skin * mix(torch.tensor(0.45), torch.tensor(0.40), dark),
        blush=rgb(_BLUSH) * (0.35 + 0.65 * skin),
        hair=hair,
        brow=mix(hair * 0.62, _OLD_BROW, 0.85 * old),
        beard=hair * 0.88,
        iris=_between(_IRIS, 0.5 + 0.5 * shade["iris"]),
        lips=mix(skin * rgb(_BARE_LIP), rose, lipstick),
        lip_line=skin * rgb(_LIP_LINE),
        frame=_between(_FRAME, 0.5 + 0.5 * shade["glasses_shade"]),
        earring=_between(_EARRING, (shade["earring_shade"] * 4 + 0.5).clamp(0, 1)),  # seldom in between
        hat=_opponent(torch.full_like(shade["hat_a"], 0.48), 0.28 * shade["hat_a"], 0.28 * shade["hat_b"]),
        clothes=_opponent(0.44 + 0.14 * shade["clothes_l"], 0.24 * shade["clothes_a"], 0.24 * shade["clothes_b"]),
        background=_opponent(
            0.56 + 0.14 * shade["background_l"], 0.16 * shade["background_a"], 0.16 * shade["background_b"]
        ),
    )
