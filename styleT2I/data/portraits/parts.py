"""The parts of a portrait in its parts map, named as in CelebAMask-HQ where it names them, and the map itself."""

from __future__ import annotations

import numpy as np

PARTS = (
    "background", "skin", "nose", "glasses", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear", "mouth", "u_lip",
    "l_lip", "hair", "hat", "ear_r", "neck_l", "neck", "cloth", "beard",
)  # fmt: skip
"""CelebAMask-HQ's 19 parts in its own order (left and right are the person's; `mouth` is what is inside: teeth and
tongue; `ear_r` an earring, `neck_l` a necklace), then the beard, which CelebAMask-HQ counts as skin."""

PART = {name: index for index, name in enumerate(PARTS)}
CELEBAMASK_PARTS = PARTS[:19]
_THIN = ("glasses", "ear_r", "neck_l", "l_brow", "r_brow", "l_eye", "r_eye")  # win a pixel with half the votes


def celebamask(parts: np.ndarray) -> np.ndarray:
    """Return the parts map (u8, any shape) in CelebAMask-HQ's 19 parts: the beard becomes skin.

    Example:
        >>> celebamask(np.array([PART["beard"], PART["hair"]])).tolist() == [PART["skin"], PART["hair"]]
        True
    """
    return np.where(parts == PART["beard"], PART["skin"], parts).astype(np.uint8)


def voted_parts(part: np.ndarray, factor: int) -> np.ndarray:
    """Return the part that most sub-pixels of each pixel show; thin things win ties and thirds.

    Args:
        part: u8 [N, N], the part of every sub-pixel.
        factor: Sub-pixels per pixel, each way.

    Returns:
        u8 [N / factor, N / factor].
    """
    size = len(part) // factor
    tiles = part.reshape(size, factor, size, factor).transpose(0, 2, 1, 3).reshape(size, size, -1)
    votes = np.stack([(tiles == index).sum(-1) for index in range(len(PARTS))], -1).astype(float)
    votes[..., [PART[name] for name in _THIN]] *= 1.5
    return votes.argmax(-1).astype(np.uint8)
