"""How far a drawn image is from the image to be drawn: a network's features beside a pyramid of pixels.

Features are LPIPS's where its weights are at hand, else those of the model's guide judge, else of its CLIP. What must
not count is taken from the image itself before anything is compared, so that it adds nothing to any of them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from styleT2I.config import suggestion
from styleT2I.errors import CheckpointError, ConfigError, StyleT2IError
from styleT2I.generation.arguments import DISTANCES
from styleT2I.inversion.lpips import TRUNKS, Lpips, resized
from styleT2I.networks.faces.feature_distance import feature_distances, trunk_maps

__all__ = ["Distance", "judge_distance", "open_distance", "pixel_distances"]

_NUM_LEVELS = 4  # of the pyramid: the image, a half, a quarter, an eighth
FEATURE_WEIGHT, PIXEL_WEIGHT = 1.0, 2.0

Features = Callable[[Tensor], Callable[[Tensor], Tensor]]  # images -> (other images -> distances [N])


class Distance:
    """Distances of images from targets, differentiable; `name` says whose features they are."""

    def __init__(self, name: str, features: Features | None):
        self.name = f"{name} and a pyramid of pixels" if features else "a pyramid of pixels"
        self._features = features

    def to(self, target: Tensor, weight: Tensor | None = None) -> Callable[[Tensor], Tensor]:
        """A function of images [N, 3, R, R] that returns their distances [N] from `target`, 0 for the same.

        target: [N, 3, R, R] in [-1, 1]. weight: [N, 1, R, R] from 0, what must not count, to 1; None: all counts.
        """
        with torch.no_grad():
            features = self._features(target) if self._features else None
            counted = 1.0 if weight is None else weight.mean(dim=(1, 2, 3)).clamp_min(1e-6)

        def distances(image: Tensor) -> Tensor:
            if weight is not None:
                image = target + weight * (image - target)
            total = PIXEL_WEIGHT * pixel_distances(image, target) / counted
            return total if features is None else total + FEATURE_WEIGHT * features(image) / counted

        return distances


def pixel_distances(first: Tensor, second: Tensor) -> Tensor:
    """Mean squares [N] of the difference of images [N, 3, R, R] in [-1, 1], the mean over the levels of a pyramid.

    >>> pixel_distances(torch.zeros(2, 3, 16, 16), torch.ones(2, 3, 16, 16)).tolist()
    [1.0, 1.0]
    """
    difference, levels = first - second, []
    for _ in range(_NUM_LEVELS):
        levels.append(difference.square().mean(dim=(1, 2, 3)))
        if min(difference.shape[-2:]) < 8:
            break
        difference = F.avg_pool2d(difference, 2)
    return torch.stack(levels).mean(dim=0)


def open_distance(model, kind: str = "auto") -> Distance:
    """The distance of a kind (of DISTANCES) with a Model's networks; "auto": the first that can be had.

    ConfigError for an unknown kind, CheckpointError where the network of a kind asked for is missing.
    """
    if kind not in DISTANCES:
        raise ConfigError(f"unknown distance {kind!r}{suggestion(kind, DISTANCES)}")
    openers = {"lpips": _lpips, "judge": _judge, "clip": _clip, "pixels": lambda model: Distance("", None)}
    if kind != "auto":
        return openers[kind](model)
    for opener in openers.values():
        try:
            return opener(model)
        except StyleT2IError:
            continue
    raise AssertionError("pixels can always be had")


def judge_distance(judge, side: int | None = None) -> Distance:
    """By the features of an attribute classifier (`AttributeClassifier`) at every depth.

    side: pixels that images are resized to before; None: the judge's own resolution. Half of it costs a quarter.
    """
    side = side or judge.config.resolution

    def of(target):
        maps = trunk_maps(judge.trunk, resized(target, side))
        return lambda image: feature_distances(trunk_maps(judge.trunk, resized(image, side)), maps)

    return Distance("the guide judge's features", of)


def _lpips(model):
    problems = []
    for trunk in TRUNKS:
        try:
            network = Lpips(trunk, model.network("generator").resolution, model.device)
        except CheckpointError as error:
            problems.append(str(error))
            continue
        return _by_network(network)
    raise CheckpointError(problems[0])


def _by_network(network):
    return Distance(network.name, lambda target: lambda image: network.distances(image, target))


def _judge(model):
    return judge_distance(model.network("judges.guide"))


def _clip(model):
    clip = model.network("clip")

    def of(target):
        wanted = clip.encode_image(target)
        return lambda image: 1 - (clip.encode_image(image.clamp(-1, 1)) * wanted).sum(dim=1)

    return Distance("CLIP's features", of)
