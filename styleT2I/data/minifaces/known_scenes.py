"""The scenes that latents stand for, as `data.worlds` gives them: painted when asked for."""

from __future__ import annotations

from collections.abc import Iterator

from styleT2I.data.minifaces.renderer import REGIONS, render
from styleT2I.data.minifaces.scene import Z_DIM, scenes_from_latents
from styleT2I.data.worlds import KnownScenes
from styleT2I.torch_utils.seeding import latents_of_seeds


def known_scenes(num: int, resolution: int, batch_size: int) -> Iterator[KnownScenes]:
    """The scenes of the latents of seeds 0 ... num - 1, which no data set holds."""
    for start in range(0, num, batch_size):
        z = latents_of_seeds(range(start, min(start + batch_size, num)), Z_DIM)
        images, parts = render(scenes_from_latents(z, "biased"), resolution, with_masks=True)
        yield KnownScenes(z, images, parts, REGIONS)
