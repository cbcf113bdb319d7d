"""Explanatory images: what each attribute's step did to a face, and one attribute from weak to strong."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional as F

from styleT2I.errors import ConfigError
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.generation.results import AttributeFound, Result
from styleT2I.networks.faces.regions import region_masks
from styleT2I.torch_utils.images import from_uint8, heat_u8, make_grid_u8, text_strip_u8, to_uint8

PANEL_SIZE = 128  # pixels of a panel, at least: small faces are enlarged
_OUTLINE = (0, 255, 255)


@torch.no_grad()
def explain_u8(pipeline: StyleT2I, result: Result, num_seeds: int = 4) -> torch.Tensor:
    """One image [3, H, W] uint8 of `num_seeds` seeds side by side: the first whose face was stepped, else the first.

    Above: the unedited face, the sentence alone (w + s), the adjusted one (w + s') and what the adjustment changed. For
    every attribute: w + s' without its step, with it, the difference (brightest where most changed) and its region.
    An attribute asked for that needed no step is shown against w + s' less its direction a, which says where it lives.
    The region is left out where the model has no segmenter. ConfigError without an Attribute-to-Direction network.
    """
    rows = _telling_rows(result, num_seeds)
    seeds = [result.seeds[row] for row in rows]
    found = [
        attribute
        for attribute in result.attributes
        if attribute.cosine is not None and (attribute.value is not None or attribute.step[rows].any())
    ]
    if not found:
        raise ConfigError("there is nothing to explain: the model has no a2d, or the sentence names no attribute")
    edited = result.ws[rows].to(pipeline.model.device)
    w = pipeline.latents(seeds, result.settings["truncation_psi"])[:, 0]
    directions = pipeline.attribute_directions(w, [attribute.name for attribute in found])  # [N, A, num_ws, w_dim]
    norms = directions.flatten(2).norm(dim=2)
    shown = torch.stack(
        [_shown_step(attribute, rows, norm) for attribute, norm in zip(found, norms.t().cpu(), strict=True)], dim=1
    )
    steps = torch.stack([attribute.step[rows] for attribute in found], dim=1)
    units = directions / norms[:, :, None, None].clamp_min(1e-8)
    along = {name: values.to(w.device)[:, :, None, None] * units for name, values in (("is", steps), ("shown", shown))}

    def draw(ws):
        return pipeline.images_u8(ws, seeds, result.settings["noise_mode"])

    alone, images = draw(edited - along["is"].sum(dim=1)), result.images_u8[rows]
    side = images.shape[-1] * _scale(images)
    masks = _region_masks(pipeline.model, images, [attribute.region for attribute in found])
    strips = [
        _labels([f"seed {seed}: {result.prompt.text}" for seed in seeds], 4 * side),
        _labels(["unedited", "sentence alone", "adjusted", "difference"] * len(seeds), side),
        _panels([result.unedited_u8[rows], alone, images, _difference_u8(alone, images)]),
        _labels(["without it", "with it", "difference", "its region"] * len(seeds), side),
    ]
    for column, attribute in enumerate(found):
        without = draw(edited - along["shown"][:, column])
        panels = [without, images, _difference_u8(without, images), _region_u8(images, masks[column])]
        strips += [_labels([_caption(attribute, row) for row in rows], 4 * side), _panels(panels)]
    return torch.cat(strips, dim=1)


@torch.no_grad()
def strip_u8(
    pipeline: StyleT2I, latents, name: str, strengths: Sequence[float] | None = None, **settings
) -> torch.Tensor:
    """One image [3, H, W] uint8: one row per latent, one column per strength of an attribute, its number above.

    strengths: nine from -2 to 2 where None. latents and settings (truncation_psi, noise_mode) as `StyleT2I.edit` takes
    them.
    """
    strengths = strip_strengths() if strengths is None else strengths
    columns = [pipeline.edit(latents, {name: strength}, **settings).images_u8 for strength in strengths]
    images = torch.stack(columns, dim=1).flatten(0, 1)  # [N * strengths, 3, R, R]
    captions = [f"{name} {strength:+g}" if strength else "unedited (0)" for strength in strengths]
    labels = _labels(captions, images.shape[-1] * _scale(images))
    return torch.cat([labels, make_grid_u8(images, len(strengths), pad=0, scale=_scale(images))], dim=1)


def strip_strengths(low: float = -2.0, high: float = 2.0, num: int = 9) -> list[float]:
    """`num` strengths at equal distances from low to high, rounded so that labels stay short."""
    return [round(low + (high - low) * k / (num - 1), 3) for k in range(num)]


def _telling_rows(result: Result, num: int) -> list[int]:
    """Which rows of a result are explained: the first that the adjustment stepped, in order, filled up with others."""
    is_stepped = torch.zeros(len(result.seeds), dtype=torch.bool)
    for attribute in result.attributes:
        is_stepped |= attribute.step != 0
    return sorted(sorted(range(len(is_stepped)), key=lambda row: not is_stepped[row])[:num])


def _shown_step(attribute: AttributeFound, rows: list[int], norm: torch.Tensor) -> torch.Tensor:
    """The step that the image takes back, [N]: that made, or all of a where an attribute asked for needed none."""
    made = attribute.step[rows]
    if attribute.value is None:
        return made
    return torch.where(made != 0, made, norm if attribute.value else -norm)


def _caption(attribute: AttributeFound, row: int) -> str:
    name = attribute.name if attribute.value is not False else f"not {attribute.name}"
    if attribute.step[row] == 0:
        return (
            f"{name}: no step needed, against -a" if attribute.value is not None else f"{name}: left open, kept itself"
        )
    what = "" if attribute.value is not None else " (left open)"
    observed = ""
    if attribute.margins:
        observer, (before, after) = list(attribute.margins.items())[-1]
        observed = f", {observer} {before[row]:+.1f} > {after[row]:+.1f}"
    return f"{name}{what}: step {attribute.step[row]:+.1f}{observed}"


def _difference_u8(before_u8, after_u8):
    """Where two sets of images differ, summed over the channels, each image's largest difference brightest."""
    difference = (before_u8.float() - after_u8.float()).abs().sum(dim=1)  # [N, R, R]
    return heat_u8(difference / difference.amax(dim=(1, 2), keepdim=True).clamp_min(1))


def _region_masks(model, images_u8, regions):
    """Masks [N, R, R] of each region in the images; None where it has none or the model no segmenter."""
    if not model.has("segmenter"):
        return [None] * len(regions)
    segmenter = model.network("segmenter")
    parts = segmenter(from_uint8(images_u8).to(model.device)) > 0
    return [region and region_masks(parts, segmenter.region_names, [region] * len(parts)).cpu() for region in regions]


def _region_u8(images_u8, mask):
    """The images with the outline of a region [N, R, R]; white where there is none."""
    if mask is None:
        return torch.full_like(images_u8, 255)
    scale = _scale(images_u8)
    mask = F.interpolate(mask.unsqueeze(1), scale_factor=scale, mode="bilinear").gt(0.5).float()
    outline = (F.max_pool2d(mask, 3, 1, 1) - mask) > 0  # [N, 1, H, W]
    enlarged = to_uint8(F.interpolate(from_uint8(images_u8), scale_factor=scale, mode="bicubic"))
    return torch.where(outline, torch.tensor(_OUTLINE, dtype=torch.uint8).view(1, 3, 1, 1), enlarged)


def _panels(columns):
    """Sets of images [N, 3, ., .] as one row [3, H, W]: the first image of every set, then the second ..."""
    rows = zip(*(column.split(1) for column in columns), strict=True)
    return torch.cat([make_grid_u8(one, 1, pad=0, scale=_scale(one)) for row in rows for one in row], dim=2)


def _labels(texts, width):
    return torch.cat([text_strip_u8(text, width) for text in texts], dim=2)


def _scale(images_u8):
    return max(1, PANEL_SIZE // images_u8.shape[-1])
