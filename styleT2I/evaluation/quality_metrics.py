"""The metrics of the suite "quality" from observations, each a Measurement ready for JSON."""

from __future__ import annotations

import warnings

import numpy as np
import PIL
import torch

from styleT2I.evaluation.measurement import RESIZE, Basis, Measurement
from styleT2I.evaluation.measures.clip import encode_texts
from styleT2I.evaluation.observers.open import ObservedSet, Observers
from styleT2I.generation.results import versions
from styleT2I.metrics.frechet import frechet_distance
from styleT2I.metrics.inception_score import inception_score
from styleT2I.metrics.kernel_distance import kernel_distance, used_subset_size
from styleT2I.metrics.pairwise import clip_score, mean_and_error, pair_distances
from styleT2I.metrics.precision_recall import density_coverage, precision_recall
from styleT2I.statistics.intervals import wilson_interval
from styleT2I.torch_utils.seeding import generator

__all__ = ["set_distances", "mean_value", "measurement", "set_metrics", "rate_of", "caption_metrics"]

_PRECISION_NEIGHBOURS, _DENSITY_NEIGHBOURS = 3, 5  # as published
_NUM_SPLITS = 10
_NUM_SUBSETS, _SUBSET_SIZE = 100, 1000


def set_distances(observers: Observers, real: ObservedSet, fake: ObservedSet) -> dict:
    """Metrics that need both sets: distances, and how much of either lies among the other."""
    network = observers.networks["features"]
    first, second = real.observations["features"]["features"], fake.observations["features"]["features"]
    if min(len(first), len(second)) <= first.shape[1]:
        warnings.warn(
            f"{fake.images.name}: {min(len(first), len(second))} images for {first.shape[1]} features; such a "
            "Frechet distance is mostly bias, read the kernel distance",
            stacklevel=2,
        )
    draw = ("evaluate", "quality", "kernel")
    kernel = kernel_distance(first, second, generator(*draw), _NUM_SUBSETS, _SUBSET_SIZE)
    subsets = {
        "kernel": "(x.y / F + 1)^3", "unbiased": True, "subsets": _NUM_SUBSETS,
        "subset_size": used_subset_size(_SUBSET_SIZE, len(first), len(second)), "subset_mean": kernel.subset_mean,
        "subset_std": kernel.subset_std, "generator": list(draw),
    }  # fmt: skip

    def metric(value, error=None, **settings):
        return measurement(network, fake, value, error, real, **settings)

    inside = precision_recall(first, second, _PRECISION_NEIGHBOURS)
    around = density_coverage(first, second, _DENSITY_NEIGHBOURS)
    return {
        "frechet": metric(frechet_distance(first, second)),
        "kernel_distance": metric(kernel.value, kernel.standard_error, **subsets),
        **{name: metric(value, neighbours=_PRECISION_NEIGHBOURS) for name, value in inside.items()},
        **{name: metric(value, neighbours=_DENSITY_NEIGHBOURS) for name, value in around.items()},
    }


def set_metrics(observers: Observers, fake: ObservedSet) -> dict:
    """Metrics that need no reals: the inception score, and how much images differ from each other."""
    network, observations = observers.networks["features"], fake.observations["features"]
    draw = ("evaluate", "quality", "inception_score")
    score = inception_score(observations["probabilities"], generator(*draw), _NUM_SPLITS)
    settings = {
        "classes": network.classes,
        "splits": _NUM_SPLITS,
        "split_std": score.split_std,
        "generator": list(draw),
    }
    metrics = {"inception_score": measurement(network, fake, score.value, score.standard_error, **settings)}
    draw = ("evaluate", "quality", "pairs")
    pairs = pair_distances(observations["features"], lambda a, b: (a - b).norm(dim=1), generator(*draw))
    settings = {"pairs": len(pairs), "distance": "Euclidean", "generator": list(draw)}
    metrics["feature_diversity"] = mean_value(network, fake, pairs, **settings)
    if observers.lpips is not None:
        pairs = pair_distances(fake.observations["images"]["images"], observers.lpips, generator(*draw))
        settings = {"pairs": len(pairs), "generator": list(draw)}
        metrics["lpips_diversity"] = mean_value(observers.lpips, fake, pairs, **settings)
    return metrics


def caption_metrics(observers: Observers, fake: ObservedSet) -> dict:
    """CLIP score with the images' own captions and, for scale, with other images'; {} without captions or CLIP."""
    if observers.clip is None or fake.images.captions is None:
        return {}
    captions = [fake.images.captions[i] for i in range(fake.num)]
    image, text = fake.observations["clip"]["features"], encode_texts(observers.clip.clip, captions)
    shift = fake.num // 2
    others = text.roll(shift, dims=0)
    return {
        "clip_score": mean_value(observers.clip, fake, clip_score(image, text), weight=2.5),
        "clip_score_shuffled": mean_value(observers.clip, fake, clip_score(image, others), weight=2.5, shift=shift),
    }


def measurement(
    network, fake: ObservedSet, value, error=None, real: ObservedSet | None = None, interval=None, **settings
) -> dict:
    """A metric value of a network's observations, as a Measurement ready for JSON."""
    packages = {"numpy": np.__version__, "pillow": PIL.__version__, **network.versions}
    compared_with = {} if real is None else {"real": real.images.name, "num_real": real.num}
    basis = Basis(
        network.name, network.sha256, f"to {network.size} px: {RESIZE}", fake.images.name, fake.num,
        fake.images.seeds, **compared_with, versions={**versions(), **packages},
    )  # fmt: skip
    return Measurement(value, basis, error, interval, settings).to_dict()


def mean_value(network, fake: ObservedSet, values: torch.Tensor, **settings) -> dict:
    """The mean of values [N], one per image or a pair, with its standard error."""
    return measurement(network, fake, *mean_and_error(values), **settings)


def rate_of(network, fake: ObservedSet, values: torch.Tensor, **settings) -> dict:
    """The mean of values [N] from 0 (no) to 1 (yes), one per image, with its Wilson interval."""
    interval = wilson_interval(round(float(values.sum())), len(values))
    return measurement(network, fake, float(values.double().mean()), interval=interval, **settings)
