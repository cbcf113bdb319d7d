"""The parts of a portrait in its parts map, named as in CelebAMask-HQ where it names them."""

import numpy as np

PARTS = (
    "background", "skin", "nose", "glasses", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear", "mouth", "u_lip",
    "l_lip", "hair", "hat", "ear_r", "neck_l", "neck", "cloth", "beard",
)  # fmt: skip
"""CelebAMask-HQ's 19 parts in its own order (left and right are the person's; `mouth` is what is inside: teeth and
tongue; `ear_r` an earring, `neck_l` a necklace), then the beard, which CelebAMask-HQ counts as skin."""

PART = {name: index for index, name in enumerate(PARTS)}
CELEBAMASK_PARTS = PARTS[:19]


def celebamask(parts: np.ndarray) -> np.ndarray:
    """Return the parts map (u8, any shape) in CelebAMask-HQ's 19 parts: the beard becomes skin."""
    return np.where(parts == PART["beard"], PART["skin"], parts).astype(np.uint8)
