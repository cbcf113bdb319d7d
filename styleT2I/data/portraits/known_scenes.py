"""The scenes that latents stand for, as `data.worlds` gives them: pictures rendered before, with their latents."""

from __future__ import annotations

from collections.abc import Iterator

from styleT2I.data.portraits.dataset import open_portraits
from styleT2I.data.worlds import KnownScenes
from styleT2I.torch_utils.images import from_uint8


def known_scenes(num: int, resolution: int, batch_size: int) -> Iterator[KnownScenes]:
    """The first pictures of biased/test; DataError where fewer are rendered."""
    data = open_portraits(f"biased/test:{num}", resolution)
    for start in range(0, num, batch_size):
        rows = range(start, min(start + batch_size, num))
        batch = data.batch(rows)
        yield KnownScenes(data.latents(rows), from_uint8(batch.images_u8), batch.masks, data.region_names)
