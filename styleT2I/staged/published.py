"""Values of the papers, to stand beside ours; each with its source, and whether anybody here has read it there."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["PUBLISHED", "UNVERIFIED", "Published"]

UNVERIFIED = "unverified"
_WHY = "recalled; the paper's table was not at hand (Li et al., CVPR 2022, table 1). Look it up before you quote it"


class Published(NamedTuple):
    """A row of a paper's table."""

    system: str
    r_precision: float  # with the authors' tuned CLIP, 1 in 100
    fid: float
    state: str  # "verified", or UNVERIFIED
    source: str


_FACES = (("ControlGAN", 0.435, 31.38), ("DAE-GAN", 0.484, 30.74), ("TediGAN-A", 0.044, 16.5),
          ("TediGAN-B", 0.306, 15.5), ("StyleT2I", 0.625, 17.46))  # fmt: skip
_BIRDS = (("ControlGAN", 0.137, 29.0), ("DAE-GAN", 0.145, 27.0), ("TediGAN-A", 0.071, 16.4), ("TediGAN-B", 0.121, 16.8),
          ("StyleT2I", 0.264, 20.53))  # fmt: skip
PUBLISHED: dict[str, tuple[Published, ...]] = {  # by what is drawn and steered, the name of the recipe
    "celebahq": tuple(Published(*row, UNVERIFIED, _WHY) for row in _FACES),
    "cub": tuple(Published(*row, UNVERIFIED, _WHY) for row in _BIRDS),
    "ffhq": (Published("StyleT2I-XD", 0.698, 18.02, UNVERIFIED, _WHY),),
}
