"""Sources of regions: a trained segmenter, a face-parsing model of transformers, or masks that a user drew."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from styleT2I.config import read_json, suggestion
from styleT2I.errors import CheckpointError, ConfigError, DataError
from styleT2I.networks.faces.face_parsing import HUB, open_face_parser
from styleT2I.networks.faces.regions import REGION_RULES, RegionFinder
from styleT2I.networks.faces.segmenter import Segmenter
from styleT2I.networks.registry import load_network_component
from styleT2I.torch_utils.images import load_image


class RegionSource(Protocol):
    """Interface that finds the region of an attribute in an image: RegionFinder or FixedRegions."""

    def check(self, regions: Sequence[str | None]) -> None:
        """Raise ConfigError unless every region can be found."""

    def __call__(self, image: Tensor, regions: Sequence[str | None]) -> tuple[Tensor, Tensor]:
        """image [N, 3, H, W] in [-1, 1], a region each -> mask [N, H, W] of zeros and ones, has_region bool [N]."""

    def by_number(self, image: Tensor, numbers: Tensor, regions: Sequence[str | None]) -> tuple[Tensor, Tensor]:
        """The same of regions[numbers[k]] in the k-th image, without a look at the numbers, int64 [N], on the CPU."""


class FixedRegions:
    """The same masks for every image: enough where all faces are aligned alike. A RegionSource."""

    def __init__(self, masks: Mapping[str, Tensor], where: str = "the masks"):
        """masks: region -> [H, W] in [0, 1], 1 inside, resized to each image; `where` is for messages."""
        self.masks, self.where = dict(masks), where
        self._resized = {}  # (region, size, type, device of an image) -> mask

    def check(self, regions: Sequence[str | None]) -> None:
        """Warn of regions without a mask, which count as none; ConfigError for a mask that is named like no region."""
        asked = set(regions) - {None}
        known = [*REGION_RULES, *asked]
        for name in self.masks:
            if name not in known:
                raise ConfigError(f"{self.where}: unknown region {name!r}{suggestion(name, known)}")
        missing = sorted(asked - set(self.masks))
        if missing:
            warnings.warn(
                f"{self.where}: no mask of {', '.join(missing)}; such attributes have no region", stacklevel=2
            )

    @torch.no_grad()
    def __call__(self, image: Tensor, regions: Sequence[str | None]) -> tuple[Tensor, Tensor]:
        """As RegionFinder, but independent of the image's content."""
        mask = image.new_zeros((len(image), *image.shape[-2:]))
        for name in set(regions) & set(self.masks):
            rows = [i for i, region in enumerate(regions) if region == name]
            mask[rows] = self._mask(name, image)
        return mask, mask.flatten(1).any(dim=1)

    @torch.no_grad()
    def by_number(self, image: Tensor, numbers: Tensor, regions: Sequence[str | None]) -> tuple[Tensor, Tensor]:
        """The same of regions[numbers[k]] in the k-th image; numbers int64 [N] on its device."""
        mask = image.new_zeros((len(image), *image.shape[-2:]))
        for number, name in enumerate(regions):
            if name in self.masks:
                mask = torch.where((numbers == number).view(-1, 1, 1), self._mask(name, image), mask)
        return mask, mask.flatten(1).any(dim=1)

    def _mask(self, name, image):
        """The region's mask [1, H, W] in an image's size, type and place."""
        key = (name, image.shape[-2:], image.dtype, image.device)
        if key not in self._resized:
            resized = F.interpolate(self.masks[name][None, None].to(image), size=image.shape[-2:], mode="bilinear",
                                    align_corners=False, antialias=True)  # fmt: skip
            self._resized[key] = (resized[0] >= 0.5).to(image)
        return self._resized[key]


def read_fixed_regions(folder: str | Path) -> FixedRegions:
    """Read REGION.png for each region, white inside and black outside; DataError names a file that is unusable."""
    masks = {}
    for path in sorted(Path(folder).glob("*.png")):
        masks[path.stem] = load_image(path).float().mean(dim=0) / 255
        if not (masks[path.stem] >= 0.5).any():
            raise DataError(f"{path}: the mask is black everywhere; paint the region white")
    if not masks:
        raise DataError(f"{folder}: no masks; name them by region, for example {folder}/mouth.png")
    return FixedRegions(masks, str(folder))


def open_segmenter(source: str | Path, device="cpu") -> RegionSource:
    """Open whichever source of regions is named, ready to be called.

    source: a segmenter's component, a folder of masks REGION.png, or a face-parsing model of transformers as a folder
    or hf://OWNER/NAME. Raises a StyleT2IError that says what is wrong with it.
    """
    path = Path(source)
    if str(source).startswith(HUB) or _is_transformers_folder(path):
        return RegionFinder(open_face_parser(str(source), device))
    if path.is_dir() and any(path.glob("*.png")):
        return read_fixed_regions(path)
    network = load_network_component(path, device)
    if not isinstance(network, Segmenter):
        raise CheckpointError(f"{path}: is a {network.kind!r}, not a segmenter")
    return RegionFinder(network)


def _is_transformers_folder(path: Path) -> bool:
    try:
        return "model_type" in read_json(path / "config.json", CheckpointError)
    except CheckpointError:
        return False
