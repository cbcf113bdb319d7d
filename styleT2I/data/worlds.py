"""Worlds: made faces of which everything is known, and what a measurement may ask of one.

A model belongs to the world whose vocabulary it has. What a suite of `evaluation` or an audit needs to know about faces
beside the model (data, rare compositions, true parts) it asks here, so that each runs on every world.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from styleT2I.attributes.compositions import composition_name
from styleT2I.attributes.vocabulary import Vocabulary, load_vocabulary
from styleT2I.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["WORLDS", "Composition", "KnownScenes", "World", "world_of"]

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Composition:
    """Attributes asked for together, their frequent twin, and the attribute that gives way where they are held out."""

    name: str
    attributes: Mapping[str, bool]
    twin: Mapping[str, bool]
    yields: str = ""


@lru_cache(maxsize=8)
def _read_compositions(path: Path) -> dict[str, tuple[Composition, ...]]:
    """Read a world's compositions.json: {"rare_pairs": [...], "held_out": [...]}."""
    data = json.loads(path.read_text(encoding="utf-8"))
    return {kind: tuple(Composition(**row) for row in rows) for kind, rows in data.items()}


class KnownScenes(NamedTuple):
    """Faces whose latent is known, and all that is drawn of each."""

    z: Tensor  # [N, Z_DIM]; a generator that was fitted from latents to the world's images draws them from it
    images: Tensor  # [N, 3, R, R] in [-1, 1]
    parts: Tensor  # [N, P, R, R] bool, what is visible of every part
    part_names: tuple[str, ...]  # P


@dataclass(frozen=True)
class World:
    """A world of made faces: its data sets, its compositions and the truth about its images.

    Example:
        >>> portraits = WORLDS["portraits"]
        >>> portraits.rare_pairs[0].name, portraits.spec("balanced/test")
        ('Male+Wearing_Lipstick', 'portraits:balanced/test:1000')
    """

    name: str  # of the world, of its vocabulary, and before the colon of its data sets' specifications
    title: str  # as documents call it
    resolution: int  # of its images, px
    compositions_file: Path
    scenes: str  # "module:function" below `data`: (num, resolution, batch_size) -> Iterator[KnownScenes]
    nuisance_groups: Mapping[
        str, tuple[str, ...]
    ]  # what an edit should leave alone, as users name it; the rest is face
    counts: tuple[int, ...]  # attributes of the sentences that are measured by number
    shown: tuple[str, ...]  # rare compositions that stand for all where there is room for a few
    max_images: int | None = None  # of a split that measurements read; None: any number is drawn when asked for
    baselines: tuple[str, ...] = field(default=())  # other systems that were trained on it and come with the package

    @property
    def is_drawn(self) -> bool:
        """Whether its images are drawn when asked for; else they are rendered before and read from the user's cache."""
        return self.max_images is None

    @property
    def vocabulary(self) -> Vocabulary:
        """The attributes that its images are labelled with."""
        return load_vocabulary(self.name)

    @property
    def rare_pairs(self) -> tuple[Composition, ...]:
        """Pairs that few images of the biased distribution show."""
        return _read_compositions(self.compositions_file)["rare_pairs"]

    @property
    def held_out(self) -> tuple[Composition, ...]:
        """Compositions of three attributes that no image or caption of the biased distribution contains."""
        return _read_compositions(self.compositions_file)["held_out"]

    @property
    def compositions(self) -> tuple[Composition, ...]:
        """The rare pairs, then the held-out compositions."""
        return (*self.rare_pairs, *self.held_out)

    def spec(self, part: str, num: int = 4000) -> str:
        """The data set of "DISTRIBUTION/SPLIT", as `open_dataset` takes it: num images, or as many as a split has."""
        return f"{self.name}:{part}:{self.most(num)}"

    def most(self, num: int) -> int:
        """So many images of a split, or as many as there are."""
        return num if self.max_images is None else min(num, self.max_images)

    def composition_spec(self, attributes: Mapping[str, bool], num: int) -> str:
        """The data set of `num` unseen images that all show the attributes; equal indices share everything else."""
        name = composition_name(attributes, self.vocabulary).replace(" ", "_")
        return f"{self.name}:composition={name}/test:{num}"

    def why_missing(self, spec: str) -> str:
        """Why a data set of the world cannot be read, with what renders it; "" where it can be."""
        if self.is_drawn:
            return ""
        from styleT2I.data.dataset import open_dataset

        try:
            open_dataset(spec, with_masks=False)
        except DataError as error:
            return str(error)
        return ""

    def known_scenes(self, num: int, resolution: int, batch_size: int) -> Iterator[KnownScenes]:
        """Unseen faces of the biased distribution, `num` in all, with the latent of each.

        DataError where they have to be rendered first.
        """
        module, _, name = self.scenes.partition(":")
        return getattr(importlib.import_module(f"styleT2I.data.{module}"), name)(num, resolution, batch_size)


def world_of(vocabulary: Vocabulary | None) -> World | None:
    """The world whose images are labelled with a vocabulary; None where it is no world's."""
    if vocabulary is None or vocabulary.name not in WORLDS:
        return None
    world = WORLDS[vocabulary.name]
    return world if vocabulary.names == world.vocabulary.names else None


WORLDS = {
    world.name: world
    for world in (
        World(
            "minifaces",
            "MiniFaces",
            64,
            _FOLDER / "minifaces" / "compositions.json",
            "minifaces.dataset:known_scenes",
            {
                "pose": ("shift_x", "shift_y", "roll", "scale", "yaw", "pitch", "gaze"),
                "background": ("background_l", "background_a", "background_b", "background_gradient"),
                "clothes": ("clothes_l", "clothes_a", "clothes_b", "collar"),
            },
            (1, 2, 3, 4, 5),
            ("he+lipstick", "she+beard", "young+gray_hair", "he+old+earrings", "dark_skin+blond_hair+lipstick"),
            baselines=("gan_int_cls", "stackgan", "attngan", "dfgan", "unclip"),
        ),
        World(
            "portraits",
            "Portraits",
            128,
            _FOLDER / "portraits" / "scenes" / "compositions.json",
            "portraits.dataset:known_scenes",
            {
                "pose": ("shift_x", "shift_y", "roll", "zoom", "fov", "yaw", "pitch", "gaze_yaw", "gaze_pitch"),
                "background": ("background", "background_colour", "background_colour_2"),
                "clothes": ("clothes", "clothes_colour", "clothes_colour_2", "tie_colour"),
                "light": ("key_azimuth", "key_elevation", "key_size", "warmth", "fill", "rim", "exposure", "contrast"),
            },
            (1, 2, 3, 4, 5, 6, 7, 8),
            ("Male+Wearing_Lipstick", "Female+a beard", "Gray_Hair+Young", "Male+Wearing_Earrings+Wearing_Hat",
             "Blond_Hair+Dark_Skin+Wearing_Lipstick"),
            max_images=1000,
        ),
    )
}  # fmt: skip
