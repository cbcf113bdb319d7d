"""MiniFaces as a data set: image k of a split is a pure function of (distribution, split, seed, k)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from styleT2I.attributes.compositions import read_composition
from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.data.worlds import KnownScenes
from styleT2I.errors import DataError

if TYPE_CHECKING:
    import torch

    from styleT2I.data.dataset import Batch
    from styleT2I.data.minifaces.scene import Scenes

DISTRIBUTIONS = ("biased", "balanced", "composition")
SPLITS = ("train", "val", "test", "judge-train", "judge-val")  # the judges see renders of their own
NUM_CAPTIONS = 5
_DEFAULT_RESOLUTION = 64
_DEFAULT_NUM = {"train": 60000, "judge-train": 40000}
_DEFAULT_HELDOUT_NUM = 4000  # of every other split
_SPEC = re.compile(r"(?P<distribution>\w+)(=(?P<wanted>[\w+]+))?/(?P<split>[\w-]+)(:(?P<num>\d+))?$")


class MiniFaces:
    """Captioned, labelled and segmented renders, painted when first asked for and kept in memory as uint8.

    That memory is shared with processes forked later: what one of them paints, all have.

    distribution: one of DISTRIBUTIONS; split: one of SPLITS; num: images; resolution: their side in pixels; seed: of
    the whole world; wanted: attributes that "composition" forces; with_masks: paint region masks too (slower).
    DataError if these do not go together.
    """

    def __init__(
        self,
        distribution: str,
        split: str,
        num: int,
        resolution: int = _DEFAULT_RESOLUTION,
        *,
        seed: int = 0,
        wanted: Mapping[str, bool] | None = None,
        with_masks: bool = True,
    ):
        import torch

        from styleT2I.data.minifaces.renderer import REGIONS
        from styleT2I.data.minifaces.scene import ATTRIBUTES, NUISANCES
        from styleT2I.torch_utils.hardware.memory import shared_zeros

        _check(distribution, split, num, resolution, wanted)
        self.distribution, self.split, self.num, self.resolution, self.seed = distribution, split, num, resolution, seed
        self.wanted, self.with_masks = dict(wanted or {}), with_masks
        self.attribute_names, self.region_names, self.nuisance_names = ATTRIBUTES, REGIONS, NUISANCES
        self.vocabulary = load_vocabulary("minifaces")
        planes = len(REGIONS) if with_masks else 0
        try:
            self._painted = shared_zeros((num,), torch.bool)
            self._images = shared_zeros((num, 3, resolution, resolution), torch.uint8)
            self._masks = shared_zeros((num, planes, resolution, resolution), torch.bool)
        except (OSError, OverflowError, ValueError, RuntimeError) as error:
            raise DataError(f"{num} MiniFaces of {resolution} pixels do not fit into memory; ask for fewer") from error

    def __len__(self) -> int:
        return self.num

    def latents(self, indices: Sequence[int]) -> torch.Tensor:
        """z [N, 64] of the given images, the same for every composition: two compositions can be compared pairwise."""
        import torch

        from styleT2I.data.minifaces.scene import Z_DIM
        from styleT2I.torch_utils.seeding import generator

        key = ("minifaces", self.distribution, self.split, self.seed)
        return torch.stack([torch.randn(Z_DIM, generator=generator(*key, int(k))) for k in indices])

    def scenes(self, indices: Sequence[int]) -> Scenes:
        """The scenes behind the given images."""
        from styleT2I.data.minifaces.scene import scenes_from_latents

        return scenes_from_latents(self.latents(indices), self.distribution, self.wanted)

    def captions_of(self, index: int) -> tuple[str, ...]:
        """The captions of one image, the same at every call."""
        return self._captions(index, self.scenes([index]).labels[0].tolist())

    def labels_of(self, indices: Sequence[int]) -> torch.Tensor:
        """Labels bool [N, 14] of the given images, unpainted."""
        return self.scenes(indices).labels

    def batch(self, indices: Sequence[int]) -> Batch:
        """Images, captions, labels, masks and nuisances of the given images."""
        import torch

        from styleT2I.data.dataset import Batch

        rows = torch.as_tensor(indices, dtype=torch.long)
        scenes = self.scenes(indices)
        self._paint(rows, scenes)
        labels = scenes.labels
        captions = [self._captions(int(k), label) for k, label in zip(indices, labels.tolist(), strict=True)]
        masks = self._masks[rows] if self.with_masks else None
        return Batch(self._images[rows], captions, labels, masks, scenes.nuisances)

    def _captions(self, index: int, label: list[bool]) -> tuple[str, ...]:
        from styleT2I.attributes.wording.captions import captions
        from styleT2I.torch_utils.seeding import generator

        source = generator("captions", self.distribution, self.split, self.seed, index)
        return tuple(captions(dict(zip(self.attribute_names, label, strict=True)), source, NUM_CAPTIONS))

    def _paint(self, rows: torch.Tensor, scenes: Scenes) -> None:
        from styleT2I.data.minifaces.renderer import render
        from styleT2I.torch_utils.images import to_uint8

        missing = ~self._painted[rows]
        if missing.any():
            image, masks = render(scenes[missing], self.resolution, self.with_masks)
            self._images[rows[missing]] = to_uint8(image)
            if self.with_masks:
                self._masks[rows[missing]] = masks
            self._painted[rows[missing]] = True


def _check(distribution: str, split: str, num: int, resolution: int, wanted: Mapping[str, bool] | None) -> None:
    if distribution not in DISTRIBUTIONS:
        raise DataError(f"unknown MiniFaces distribution '{distribution}'; choose from {', '.join(DISTRIBUTIONS)}")
    if split not in SPLITS:
        raise DataError(f"unknown MiniFaces split '{split}'; choose from {', '.join(SPLITS)}")
    if num < 1 or resolution < 16:
        raise DataError(f"MiniFaces needs at least one image of at least 16 pixels, got {num} of {resolution}")
    if (distribution == "composition") != bool(wanted):
        raise DataError(
            "the MiniFaces distribution 'composition' takes attributes, and only that one: "
            "composition=he+lipstick/test:200"
        )


def open_minifaces(spec: str, resolution: int | None = None, *, with_masks: bool = True) -> MiniFaces:
    """Open "DISTRIBUTION/SPLIT[:NUM]", for example "biased/train:60000" or "composition=he+lipstick/test:200".

    DataError if it is none, ConfigError for attributes that no face can show together.
    """
    match = _SPEC.match(spec)
    if match is None:
        raise DataError(
            f"'minifaces:{spec}' is not of the form minifaces:DISTRIBUTION/SPLIT[:NUM], "
            "for example minifaces:biased/train:20000"
        )
    wanted = read_composition(match["wanted"], load_vocabulary("minifaces")) if match["wanted"] else None
    num = int(match["num"]) if match["num"] else _DEFAULT_NUM.get(match["split"], _DEFAULT_HELDOUT_NUM)
    resolution = resolution or _DEFAULT_RESOLUTION
    return MiniFaces(match["distribution"], match["split"], num, resolution, wanted=wanted, with_masks=with_masks)


def known_scenes(num: int, resolution: int, batch_size: int) -> Iterator[KnownScenes]:
    """The scenes of the latents of seeds 0 ... num - 1, which no data set holds, painted when asked for."""
    from styleT2I.data.minifaces.renderer import REGIONS, render
    from styleT2I.data.minifaces.scene import Z_DIM, scenes_from_latents
    from styleT2I.torch_utils.seeding import latents_of_seeds

    for start in range(0, num, batch_size):
        z = latents_of_seeds(range(start, min(start + batch_size, num)), Z_DIM)
        images, parts = render(scenes_from_latents(z, "biased"), resolution, with_masks=True)
        yield KnownScenes(z, images, parts, REGIONS)
