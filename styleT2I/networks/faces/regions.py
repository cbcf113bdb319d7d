"""Regions of a face where an attribute shows, even if it is absent: rules over parts that are always there.

Absent glasses have no mask, but the eyes have one, and glasses go around them. A rule takes a FaceLayout and
returns bool [N, H, W]; it may add the thing itself where it is seen. Pseudo-ground truth of the spatial constraint
(StyleT2I, Li et al., CVPR 2022, sec. 5).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from styleT2I.config import suggestion
from styleT2I.errors import ConfigError
from styleT2I.networks.faces.layout import FaceLayout, grow
from styleT2I.networks.faces.segmenter import RegionSegmenter

REGION_RULES: dict[str, Callable[[FaceLayout], Tensor]] = {}  # by the name that vocabularies use
_MARGIN = 0.025  # fraction of the image's height by which a part is grown, so that its edge is inside


def region_rule(name: str):
    """Register the decorated function as the rule of region `name`."""

    def register(rule: Callable[[FaceLayout], Tensor]):
        REGION_RULES[name] = rule
        return rule

    return register


def check_regions(regions: Sequence[str | None], part_names: Sequence[str] = ()) -> None:
    """Raise ConfigError on a region that is neither None, a rule's name nor one of the parts."""
    known = [*REGION_RULES, *part_names]
    for name in regions:
        if name is not None and name not in known:
            raise ConfigError(f"unknown region {name!r} of an attribute{suggestion(name, known)}")


def region_masks(parts: Tensor, part_names: Sequence[str], regions: Sequence[str | None]) -> Tensor:
    """Mask of one region per image, float [N, H, W] of zeros and ones; None gives zeros.

    parts [N, P, H, W]: bool, or probabilities that count from 0.5, in the order of part_names. A region that has no
    rule but the name of a part is that part, a little grown. Raises ConfigError on an unknown region.
    """
    check_regions(regions, part_names)
    if len(regions) != len(parts):
        raise ValueError(f"{len(regions)} regions for {len(parts)} images")
    mask = torch.zeros_like(parts[:, 0], dtype=torch.float32)
    for name in set(regions) - {None}:
        rows = torch.tensor([i for i, region in enumerate(regions) if region == name], device=parts.device)
        mask[rows] = _found(FaceLayout(parts[rows], part_names), name)
    return mask


def numbered_region_masks(
    parts: Tensor, part_names: Sequence[str], numbers: Tensor, regions: Sequence[str | None]
) -> Tensor:
    """The same where numbers int64 [N], on the parts' device, says which of the regions each image's is.

    Every region is looked for in every image, so that no shape depends on what is asked for.
    """
    face = FaceLayout(parts, part_names)
    mask = torch.zeros_like(parts[:, 0], dtype=torch.float32)
    for number, name in enumerate(regions):
        if name is not None:
            mask = torch.where((numbers == number).view(-1, 1, 1), _found(face, name), mask)
    return mask


def _found(face, name):
    rule = REGION_RULES.get(name)
    return (rule(face) if rule else face.grown(name, _MARGIN)).float()


class RegionFinder:
    """Finds the region of an attribute in an image by a segmenter's parts and the rules above; takes no gradient."""

    def __init__(self, segmenter: RegionSegmenter):
        self.segmenter = segmenter

    def check(self, regions: Sequence[str | None]) -> None:
        """Raise ConfigError unless every region can be found."""
        check_regions(regions, self.segmenter.region_names)

    @torch.no_grad()
    def __call__(self, image: Tensor, regions: Sequence[str | None]) -> tuple[Tensor, Tensor]:
        """image [N, 3, H, W] in [-1, 1], a region each -> mask [N, H, W] of zeros and ones, has_region bool [N].

        An attribute without a region (None), or one whose region lies outside the image, has zeros and False.
        """
        mask = region_masks(self.segmenter(image) > 0, self.segmenter.region_names, regions)
        return mask, mask.flatten(1).any(dim=1)

    @torch.no_grad()
    def by_number(self, image: Tensor, numbers: Tensor, regions: Sequence[str | None]) -> tuple[Tensor, Tensor]:
        """The same of regions[numbers[k]] in the k-th image; numbers int64 [N] on its device."""
        mask = numbered_region_masks(self.segmenter(image) > 0, self.segmenter.region_names, numbers, regions)
        return mask, mask.flatten(1).any(dim=1)


@region_rule("around_eyes")
def _around_eyes(face):
    lenses = face.box(-1.1, 1.1, -0.42, 0.48)
    arms = (face.head_x.abs() < 1.12) & (face.y.abs() < 0.25)
    return lenses | arms | face.grown("glasses", _MARGIN)


@region_rule("beside_jaw")
def _beside_jaw(face):
    beside = (face.head_x.abs() > 0.8) & (face.head_x.abs() * face.half_width < 1.65)
    return beside & (face.y > 0.35) & (face.y < 1.35) | face.grown("earrings", _MARGIN)


@region_rule("cheeks")
def _cheeks(face):
    return face.ellipse(-0.65, 0.58, 0.4, 0.35) | face.ellipse(0.65, 0.58, 0.4, 0.35)


@region_rule("eyebrows")
def _eyebrows(face):
    band = face.box(-1.0, 1.0, -0.65, -0.12)
    return torch.where(face.has("brows").view(-1, 1, 1), face.grown("brows", 0.03), band)


@region_rule("eyes")
def _eyes(face):
    usual = face.ellipse(-0.5, 0, 0.32, 0.22) | face.ellipse(0.5, 0, 0.32, 0.22)
    return torch.where(face.has("eyes").view(-1, 1, 1), face.grown("eyes", _MARGIN), usual)


@region_rule("face")
def _face(face):
    head = face.head_x.square() + ((face.y - 0.3) / 1.4).square() < 1.1
    return head & ~face.part("hair") & ~face.part("hat") | face.part("skin") | face.part("ears")


@region_rule("forehead")
def _forehead(face):
    return (face.head_x.abs() < 1.0) & (face.y > -1.15) & (face.y < -0.25)


@region_rule("hair")
def _hair(face):
    cap = face.head_x.square() + ((face.y - 0.2) / 1.7).square() < 1.15
    bald = cap & (face.y < -0.8)
    hair = torch.where(face.has("hair").view(-1, 1, 1), face.grown("hair", 0.015), bald)
    return hair | face.grown("beard", 0.015) | _eyebrows(face)  # they are of its colour


@region_rule("lower_face")
def _lower_face(face):
    jaw = (face.head_x / 1.12).square() + ((face.y - 0.4) / 1.55).square() < 1
    return (jaw & (face.y > 0.4) | grow(face.part("beard"), 0.015)) & ~face.part("mouth")


@region_rule("mouth")
def _mouth(face):
    usual = face.ellipse(0, 1, 0.6, 0.3)
    return torch.where(face.has("mouth").view(-1, 1, 1), face.grown("mouth", _MARGIN), usual)


@region_rule("mouth_and_cheeks")
def _mouth_and_cheeks(face):
    return face.ellipse(0, 0.95, 0.85, 0.5)


@region_rule("neck")
def _neck(face):
    below = (face.head_x.abs() < 0.9) & (face.y > 1.6)
    return below | face.part("neck") | face.grown("necklace", _MARGIN)


@region_rule("nose")
def _nose(face):
    usual = face.box(-0.35, 0.35, -0.1, 0.72)
    return torch.where(face.has("nose").view(-1, 1, 1), face.grown("nose", _MARGIN), usual)


@region_rule("sides_of_face")
def _sides_of_face(face):
    x = face.head_x.abs()
    return (x > 0.7) & (x < 1.15) & (face.y > -0.3) & (face.y < 1.1)


@region_rule("skin")
def _skin(face):
    seen = face.part("skin") | face.part("nose") | face.part("ears") | face.part("neck")
    usual = face.head_x.square() + ((face.y - 0.3) / 1.3).square() < 1
    return torch.where(face.has("skin").view(-1, 1, 1), grow(seen, 0.015), usual)


@region_rule("top_of_head")
def _top_of_head(face):
    return (face.head_x.abs() < 1.6) & (face.y < -0.65) | face.grown("hat", _MARGIN)


@region_rule("under_eyes")
def _under_eyes(face):
    return face.box(-0.9, 0.9, 0.05, 0.5)
