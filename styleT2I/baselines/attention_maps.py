"""AttnGAN's word attention, drawn over the image: where each word was used."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from styleT2I.torch_utils.images import heat_u8, make_grid_u8, text_strip_u8, to_uint8

NUM_COLUMNS = 6
LABEL_HEIGHT = 20
SHARE = 0.4  # weight of the image under a map


def attention_picture_u8(
    image: torch.Tensor, attention: torch.Tensor, words: list[str], cell: int = 96
) -> torch.Tensor:
    """A grid of the image and, for each word, its map over the image with the word below.

    Args:
        image: [3, R, R] in [-1, 1].
        attention: [T, r, r], of which the first len(words) maps are drawn, each stretched from its own least to its
            largest weight (a map without contrast is black).
        words: As the generator's encoder split them.
        cell: Side of each image in pixels.

    Returns:
        The grid [3, H, W], uint8.
    """
    drawn = _resized(to_uint8(image.unsqueeze(0)).float(), cell)
    maps = _resized(_stretched(attention[: len(words)].float()).unsqueeze(1), cell).squeeze(1)
    mixed = SHARE * drawn + (1 - SHARE) * heat_u8(maps).to(drawn)
    panels = torch.cat([drawn, mixed]).round().clamp(0, 255).to(torch.uint8).cpu()
    labels = torch.stack([text_strip_u8(word, cell, LABEL_HEIGHT) for word in ("", *words)])
    return make_grid_u8(torch.cat([panels, labels], dim=2), min(NUM_COLUMNS, len(panels)))


def _stretched(maps):
    """Maps [T, r, r] with the least weight of each at 0 and the largest at 1."""
    low, high = maps.amin(dim=(1, 2), keepdim=True), maps.amax(dim=(1, 2), keepdim=True)
    return (maps - low) / (high - low).clamp_min(1e-12)


def _resized(images, size):
    return F.interpolate(images, size=(size, size), mode="bilinear", align_corners=False)
