"""Observers of the suite "quality": networks with name and hash, and one pass of all over a set of images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from tqdm import tqdm

from styleT2I.evaluation.image_sources import ImageSource, resized
from styleT2I.evaluation.measurement import judge_name
from styleT2I.generation.model import Model
from styleT2I.torch_utils.images import from_uint8

__all__ = ["ClipObserver", "JudgeObserver", "ImageObserver", "ImageCollector", "observe_all"]

_BATCH_SIZE = 64
_MAX_COLLECTED = 2000  # images that are compared with each other


class ImageObserver(Protocol):
    """Interface of a network for metrics."""

    name: str  # what a report calls it
    sha256: str | None  # of its weights
    size: int  # side of the images that it is given
    versions: Mapping[str, str]  # of packages that it needs beside ours

    def __call__(self, images_u8: torch.Tensor) -> dict[str, torch.Tensor]:
        """Its observations of [N, 3, size, size] uint8, on the CPU: "features" [N, F], and what else the class says."""
        ...


class JudgeObserver:
    """The held-out judge: "features", "logits" [N, A], and "probabilities" [N, A, 2], yes and no of each attribute."""

    versions: Mapping[str, str] = {}
    classes = "{num} attributes, each a question of yes or no"

    def __init__(self, model: Model):
        self._judge, self._device = model.network("judges.heldout"), model.device
        self.name, self.sha256 = judge_name(model), model.describe()["components"]["judges.heldout"]
        self.size = self._judge.config.resolution

    @torch.no_grad()
    def __call__(self, images_u8):
        features = self._judge.features(from_uint8(images_u8).to(self._device))
        logits = self._judge.logits_of(features)
        probabilities = torch.stack([logits, -logits], dim=2).double().sigmoid()
        return {"features": features.cpu(), "logits": logits.cpu(), "probabilities": probabilities.cpu()}


class ClipObserver:
    """A CLIP, the one that did not train the model unless told: "features" in the space of its sentences."""

    versions: Mapping[str, str] = {}

    def __init__(self, model: Model, role: str = "clip_eval"):
        self.clip, self._device = model.network(role), model.device
        which = "second" if role == "clip_eval" else "guiding"
        self.name = f"{which} CLIP of {model.name} ({self.clip.config.name})"
        self.sha256, self.size = model.describe()["components"][role], self.clip.config.image_size

    @torch.no_grad()
    def __call__(self, images_u8):
        return {"features": self.clip.encode_image(from_uint8(images_u8).to(self._device)).cpu()}


class ImageCollector:
    """Keeps "images" as they are, for what compares them with each other: the first _MAX_COLLECTED of one set."""

    name, sha256, versions = "no network", None, {}

    def __init__(self, size: int):
        self.size, self._num_collected = size, 0

    def __call__(self, images_u8):
        first = images_u8[: _MAX_COLLECTED - self._num_collected]
        self._num_collected += len(first)
        return {"images": first}


def observe_all(
    images: ImageSource, networks: Mapping[str, ImageObserver], num: int, title: str
) -> dict[str, dict[str, torch.Tensor]]:
    """Every network's observations of the first `num` images, each read or drawn once: name -> key -> [N, ...]."""
    observations = {name: [] for name in networks}
    for start in tqdm(range(0, num, _BATCH_SIZE), title, unit="batch", disable=None):
        batch = images.batch(start, min(start + _BATCH_SIZE, num))
        at_size = {size: torch.stack([resized(image, size) for image in batch]) for size in _sizes(networks)}
        observed = {network: network(at_size[network.size]) for network in dict.fromkeys(networks.values())}
        for name, network in networks.items():  # of which two may be the same
            observations[name].append(observed[network])
    return {
        name: {key: torch.cat([part[key] for part in parts]) for key in parts[0]}
        for name, parts in observations.items()
    }


def _sizes(networks):
    return {network.size for network in networks.values()}
