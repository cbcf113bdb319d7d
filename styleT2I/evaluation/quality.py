"""Suite "quality": every figure of how real, varied and true to their captions pictures are, of any two folders or of a
model against a data set's split; docs/metrics.md says what each means and when not to believe it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import PIL
import torch

from styleT2I.config import suggestion
from styleT2I.errors import ConfigError, DataError, StyleT2IError
from styleT2I.evaluation.measurement import RESIZE, Basis, Measurement
from styleT2I.evaluation.quality_identity import EmbedderEyes
from styleT2I.evaluation.quality_inception import InceptionEyes
from styleT2I.evaluation.quality_lpips import TRUNKS, Lpips
from styleT2I.evaluation.quality_networks import ClipEyes, JudgeEyes, Network, PictureKeeper, look_through
from styleT2I.evaluation.quality_pictures import PictureSource, open_pictures
from styleT2I.metrics.diversity import pair_distances
from styleT2I.metrics.frechet import frechet_distance
from styleT2I.metrics.inception_score import inception_score
from styleT2I.metrics.kernel_distance import kernel_distance
from styleT2I.metrics.precision_recall import density_coverage, precision_recall
from styleT2I.metrics.similarity import clip_score, mean_and_error
from styleT2I.model import Model
from styleT2I.results import versions
from styleT2I.torch_utils.seeding import generator
from styleT2I.training.clip_evaluation import encode_texts

__all__ = ["FEATURES", "QualityConfig", "Onlookers", "Sight", "evaluate_folders", "mean_of", "measurement"]

FEATURES = ("auto", "inception", "judge")
MIN_PICTURES = 20
_PRECISION_NEIGHBOURS, _DENSITY_NEIGHBOURS = 3, 5  # as published
_NUM_SPLITS = 10
_NUM_SUBSETS, _SUBSET_SIZE = 100, 1000


@dataclass(frozen=True)
class QualityConfig:
    """Which networks look."""

    features: str = "auto"  # of the distances; auto: Inception where its weights are, else the held-out judge
    lpips: str | None = None  # trunk of LPIPS, a key of TRUNKS; None: the first whose weights are there, or none
    embedder: str | None = None  # ONNX file of a face embedder, for identity; None: the judge's features

    def __post_init__(self):
        for name, value, known in (("features", self.features, FEATURES), ("lpips", self.lpips, (None, *TRUNKS))):
            if value not in known:
                known = [one for one in known if one]
                raise ConfigError(f"unknown {name} {value!r}; one of {', '.join(known)}{suggestion(value, known)}")


@dataclass
class Sight:
    """What the onlookers saw in one set of pictures."""

    pictures: PictureSource
    num: int
    seen: dict[str, dict[str, torch.Tensor]]  # by network


class Onlookers:
    """The networks of one run, opened once; "left_out" has the reason for each figure that cannot be measured.

    What was asked for by name and is missing raises the error that says what to put where.
    """

    def __init__(self, model: Model, config: QualityConfig, side: int):
        self.left_out = {}
        found = None
        if config.features != "judge":
            is_wanted = config.features == "inception"
            found = self._try("Inception's features", lambda: InceptionEyes(model.device), is_wanted)
        self.networks: dict[str, Network] = {"features": found or JudgeEyes(model)}
        trunks = (config.lpips,) if config.lpips else tuple(TRUNKS)
        for trunk in trunks:
            self.lpips = self._try("lpips", lambda trunk=trunk: Lpips(trunk, side, model.device), bool(config.lpips))
            if self.lpips is not None:
                break
        self.clip = self._try("clip_score", lambda: ClipEyes(model), False)
        if self.clip is not None:
            self.networks["clip"] = self.clip
        if config.embedder is not None:
            self.networks["identity"] = EmbedderEyes(config.embedder)

    def add_judge(self, model: Model) -> None:
        """Let the held-out judge look for itself, as "judge", where the model has one."""
        features = self.networks["features"]
        is_judge = isinstance(features, JudgeEyes)
        judge = features if is_judge else self._try("attributes", lambda: JudgeEyes(model), False)
        if judge is not None:
            self.networks["judge"] = judge

    def look(self, pictures: PictureSource, num: int, title: str) -> Sight:
        """What all see in the first `num` pictures. DataError for fewer than MIN_PICTURES."""
        if num < MIN_PICTURES:
            raise DataError(
                f"{pictures.name}: {num} pictures are too few to measure; at least {MIN_PICTURES} are needed"
            )
        networks = dict(self.networks)
        if self.lpips is not None:
            networks["pictures"] = PictureKeeper(self.lpips.size)
        return Sight(pictures, num, look_through(pictures, networks, num, title))

    def _try(self, figure, build, is_wanted):
        try:
            return build()
        except StyleT2IError as error:
            if is_wanted:
                raise
            self.left_out.setdefault(figure, str(error))
            return None


def evaluate_folders(model: Model, config: QualityConfig, real: str, fake: str, num: int | None) -> dict:
    """Pictures of `fake` (a folder or a data set) against those of `real`, the first `num` of each or all.

    "sets": figure by figure, of the fakes and, where that makes sense, of the reals themselves; each a Measurement.
    "left_out": what cannot be measured, and why.
    """
    sources = [open_pictures(source) for source in (real, fake)]
    for source in sources:
        if len(source) < MIN_PICTURES:
            raise DataError(f"{source.name}: {len(source)} pictures are too few; at least {MIN_PICTURES} are needed")
    onlookers = Onlookers(model, config, side_of(sources[1]))
    real, fake = (
        onlookers.look(source, min(len(source), num or len(source)), title)
        for source, title in zip(sources, ("real", "fake"), strict=True)
    )
    sets = {
        "fake": {**compared(onlookers, real, fake), **of_one_set(onlookers, fake), **texts_of(onlookers, fake)},
        "real": {**of_one_set(onlookers, real), **texts_of(onlookers, real)},
    }
    return {"sets": sets, "left_out": onlookers.left_out}


def side_of(pictures: PictureSource) -> int:
    """Shorter side of the first picture, px."""
    return min(pictures.batch(0, 1)[0].shape[:2])


def compared(onlookers: Onlookers, real: Sight, fake: Sight) -> dict:
    """Figures that need both sets: distances, and how much of either lies among the other."""
    network = onlookers.networks["features"]
    first, second = real.seen["features"]["features"], fake.seen["features"]["features"]
    if min(len(first), len(second)) <= first.shape[1]:
        warnings.warn(
            f"{fake.pictures.name}: {min(len(first), len(second))} pictures for {first.shape[1]} features; such a "
            "Frechet distance is mostly bias, read the kernel distance",
            stacklevel=2,
        )
    draw = ("evaluate", "quality", "kernel")
    kernel = kernel_distance(first, second, generator(*draw), _NUM_SUBSETS, _SUBSET_SIZE)
    subsets = {
        "kernel": "(x.y / F + 1)^3", "unbiased": True, "subsets": _NUM_SUBSETS,
        "subset_size": min(_SUBSET_SIZE, len(first), len(second)), "subset_mean": kernel.subset_mean,
        "subset_std": kernel.subset_std, "generator": list(draw),
    }  # fmt: skip

    def figure(value, error=None, **settings):
        return measurement(network, fake, value, error, real, **settings)

    inside = precision_recall(first, second, _PRECISION_NEIGHBOURS)
    around = density_coverage(first, second, _DENSITY_NEIGHBOURS)
    return {
        "frechet": figure(frechet_distance(first, second)),
        "kernel_distance": figure(kernel.value, kernel.standard_error, **subsets),
        **{name: figure(value, neighbours=_PRECISION_NEIGHBOURS) for name, value in inside.items()},
        **{name: figure(value, neighbours=_DENSITY_NEIGHBOURS) for name, value in around.items()},
    }


def of_one_set(onlookers: Onlookers, fake: Sight) -> dict:
    """Figures that need no reals: the inception score, and how much pictures differ from each other."""
    network, seen = onlookers.networks["features"], fake.seen["features"]
    draw = ("evaluate", "quality", "inception_score")
    score = inception_score(seen["probabilities"], generator(*draw), _NUM_SPLITS)
    settings = {
        "classes": network.classes,
        "splits": _NUM_SPLITS,
        "split_std": score.split_std,
        "generator": list(draw),
    }
    figures = {"inception_score": measurement(network, fake, score.value, score.standard_error, **settings)}
    pairs = pair_distances(seen["features"], lambda a, b: (a - b).norm(dim=1), _pair_draw())
    figures["feature_diversity"] = mean_of(network, fake, pairs, pairs=len(pairs), distance="Euclidean")
    if onlookers.lpips is not None:
        pairs = pair_distances(fake.seen["pictures"]["pictures"], onlookers.lpips, _pair_draw())
        figures["lpips_diversity"] = mean_of(onlookers.lpips, fake, pairs, pairs=len(pairs))
    return figures


def texts_of(onlookers: Onlookers, fake: Sight) -> dict:
    """CLIP score with the pictures' own captions and, for scale, with other pictures'; {} without captions or CLIP."""
    if onlookers.clip is None or fake.pictures.captions is None:
        return {}
    captions = [fake.pictures.captions[i] for i in range(fake.num)]
    image, text = fake.seen["clip"]["features"], encode_texts(onlookers.clip.clip, captions)
    others = text.roll(fake.num // 2, dims=0)
    return {
        "clip_score": mean_of(onlookers.clip, fake, clip_score(image, text), weight=2.5),
        "clip_score_shuffled": mean_of(onlookers.clip, fake, clip_score(image, others), weight=2.5),
    }


def measurement(network, fake: Sight, value, error=None, real: Sight | None = None, **settings) -> dict:
    """A figure of what a network saw, as a Measurement ready for JSON."""
    packages = {"numpy": np.__version__, "pillow": PIL.__version__, **network.versions}
    compared_with = {} if real is None else {"real": real.pictures.name, "num_real": real.num}
    basis = Basis(
        network.name, network.sha256, f"to {network.size} px: {RESIZE}", fake.pictures.name, fake.num,
        fake.pictures.seeds, **compared_with, versions={**versions(), **packages},
    )  # fmt: skip
    return Measurement(value, basis, error, settings).to_dict()


def mean_of(network, fake: Sight, values: torch.Tensor, **settings) -> dict:
    """The mean of values [N], one a picture or a pair, with its standard error."""
    return measurement(network, fake, *mean_and_error(values), **settings)


def _pair_draw():
    return generator("evaluate", "quality", "pairs")
