"""Which images: image k of a set is a pure function of (distribution, wanted attributes, split, seed, k)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from styleT2I.attributes.compositions import composition_name, read_composition
from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.data.portraits.scenes.distributions import DISTRIBUTIONS, draw_attributes, implied
from styleT2I.data.portraits.scenes.sampling import sample_scene
from styleT2I.data.portraits.scenes.scene import WORLD_VERSION, Scene
from styleT2I.data.portraits.scenes.streams import Streams, latent_of_seed
from styleT2I.data.worlds import WORLDS
from styleT2I.errors import DataError
from styleT2I.formats.model_folder import cache_dir
from styleT2I.torch_utils.seeding import derive_seed

SPLITS = ("train", "val", "test", "judge-train", "judge-val")  # the judges see images of their own
DEFAULT_RESOLUTION = 128
_DEFAULT_NUM = {"biased/train": 14000, "balanced/train": 4000, "balanced/judge-train": 4000}
_OTHER_DEFAULT_NUM = 1000
_SPEC = re.compile(r"(?P<distribution>\w+)(=(?P<wanted>[^/:]+))?/(?P<split>[\w-]+)(:((?P<first>\d+)-)?(?P<num>\d+))?$")


@dataclass(frozen=True)
class Recipe:
    """A set of portraits: one of DISTRIBUTIONS and of SPLITS, what "composition" forces, and the side in pixels.

    DataError where these do not go together, ConfigError for attributes that no face can show together.
    """

    distribution: str = "biased"
    split: str = "train"
    resolution: int = DEFAULT_RESOLUTION
    seed: int = 0
    wanted: Mapping[str, bool] = field(default_factory=dict)

    def __post_init__(self):
        if self.distribution not in DISTRIBUTIONS:
            raise DataError(
                f"unknown Portraits distribution '{self.distribution}'; choose from {', '.join(DISTRIBUTIONS)}"
            )
        if self.split not in SPLITS:
            raise DataError(f"unknown Portraits split '{self.split}'; choose from {', '.join(SPLITS)}")
        if self.resolution < 16:
            raise DataError(f"Portraits have at least 16 pixels a side, got {self.resolution}")
        if (self.distribution == "composition") != bool(self.wanted):
            raise DataError(
                "the Portraits distribution 'composition' takes attributes, and only that one: "
                "composition=Male+Wearing_Lipstick/test:200"
            )
        implied(self.wanted)

    @property
    def name(self) -> str:
        """The specification without a number of images: "biased/train"."""
        wanted = f"={composition_name(self.wanted, load_vocabulary('portraits'))}" if self.wanted else ""
        return f"{self.distribution}{wanted}/{self.split}"

    def scene(self, index: int, attempt: int = 0) -> Scene:
        """The scene of an image; later attempts replace scenes that do not show what they must.

        Images of equal index share all that the wanted attributes leave free, so compositions compare in pairs.
        """
        return sample_scene(self._seed(index, attempt), self.distribution, self.wanted)

    def attributes(self, index: int, attempt: int = 0) -> dict[str, bool]:
        """What the scene of an image asks for; its labels are what of it can be seen."""
        return draw_attributes(Streams(self._seed(index, attempt)), self.distribution, self.wanted)

    def latent(self, index: int, attempt: int = 0) -> list[float]:
        """The z [Z_DIM] that the scene is a function of."""
        return latent_of_seed(self._seed(index, attempt))

    def _seed(self, index: int, attempt: int) -> int:
        return derive_seed("portraits", self.distribution, self.split, self.seed, index, attempt)

    def accepts(self, labels: Mapping[str, bool]) -> bool:
        """Whether an image shows what it must: the wanted attributes, and one of each group of which one holds."""
        groups = [group.attributes for group in load_vocabulary("portraits").exclusive if group.exactly_one]
        return all(labels[name] == value for name, value in self.wanted.items()) and all(
            sum(labels[name] for name in group) == 1 for group in groups
        )

    def info(self) -> dict:
        """The entries of dataset.json."""
        return {
            "generator": "Portraits",
            "world_version": WORLD_VERSION,
            "distribution": self.distribution,
            "wanted": dict(self.wanted),
            "split": self.split,
            "seed": self.seed,
            "resolution": self.resolution,
        }

    def cache_folder(self) -> Path:
        """The set's default folder, in the user's cache."""
        name = re.sub(r"[^\w+=-]+", "-", self.name) + (f"-seed{self.seed}" if self.seed else "")
        return cache_dir() / "portraits" / f"v{WORLD_VERSION}-{self.resolution}" / name


def read_spec(spec: str, resolution: int = DEFAULT_RESOLUTION) -> tuple[Recipe, range]:
    """Read "DISTRIBUTION/SPLIT[:NUM]" into (recipe, indices of the images): "biased/train:10000" are the first ones,
    "biased/train:10000-10999" others.

    DataError if it is none, ConfigError for attributes that no face can show together.
    """
    match = _SPEC.match(spec)
    if match is None:
        raise DataError(
            f"'portraits:{spec}' is not of the form portraits:DISTRIBUTION/SPLIT[:NUM], "
            "for example portraits:biased/train:10000, or portraits:biased/train:10000-10999"
        )
    wanted = read_composition(match["wanted"], load_vocabulary("portraits")) if match["wanted"] else {}
    default = _DEFAULT_NUM.get(f"{match['distribution']}/{match['split']}", _OTHER_DEFAULT_NUM)
    if match["first"]:
        indices = range(int(match["first"]), int(match["num"]) + 1)
    else:
        indices = range(int(match["num"] or default))
    if not indices:
        raise DataError(f"'portraits:{spec}' asks for no image; ask for one or more")
    return Recipe(match["distribution"], match["split"], resolution, wanted=wanted), indices


def read_specs(spec: str, resolution: int = DEFAULT_RESOLUTION) -> list[tuple[Recipe, range]]:
    """As `read_spec`, of one or many sets: "compositions/test:50" is every rare composition and its frequent twin."""
    kind, _, rest = spec.partition("/")
    if kind != "compositions":
        return [read_spec(spec, resolution)]
    vocabulary, found = load_vocabulary("portraits"), {}
    for composition in WORLDS["portraits"].compositions:
        for attributes in (composition.attributes, composition.twin):
            name = composition_name(attributes, vocabulary)
            found[name] = read_spec(f"composition={name}/{rest}", resolution)
    return list(found.values())
