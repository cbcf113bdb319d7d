"""The observers of the suite "quality", opened once, with a reason for each that is missing."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from styleT2I.config import suggestion
from styleT2I.errors import ConfigError, StyleT2IError
from styleT2I.evaluation.image_sources import ImageSource
from styleT2I.evaluation.observers.face_embedder import EmbedderObserver
from styleT2I.evaluation.observers.inception import InceptionObserver
from styleT2I.evaluation.observers.networks import (
    ClipObserver,
    ImageCollector,
    ImageObserver,
    JudgeObserver,
    observe_all,
)
from styleT2I.generation.model import Model
from styleT2I.inversion.lpips import TRUNKS, Lpips

__all__ = ["FEATURES", "Observers", "QualityConfig", "ObservedSet"]

FEATURES = ("auto", "inception", "judge")


@dataclass(frozen=True)
class QualityConfig:
    """Which networks observe."""

    features: str = "auto"  # of the distances; auto: Inception where its weights are, else the held-out judge
    lpips: str | None = None  # trunk of LPIPS, a key of TRUNKS; None: the first whose weights are there, or none
    embedder: str | None = None  # ONNX file of a face embedder, for identity; None: the judge's features

    def __post_init__(self):
        for name, value, known in (("features", self.features, FEATURES), ("lpips", self.lpips, (None, *TRUNKS))):
            if value not in known:
                known = [name for name in known if name]
                raise ConfigError(f"unknown {name} {value!r}; one of {', '.join(known)}{suggestion(value, known)}")


@dataclass
class ObservedSet:
    """One set of images and the observations of it."""

    images: ImageSource
    num: int
    observations: dict[str, dict[str, torch.Tensor]]  # by network


class Observers:
    """The networks of one run, opened once; `left_out` has the reason for each metric that cannot be measured.

    A network asked for by name and missing raises its error; optional ones are listed in `left_out`.
    """

    def __init__(self, model: Model, config: QualityConfig, side: int):
        self.left_out = {}
        features = None
        if config.features != "judge":
            is_wanted = config.features == "inception"
            features = self._try("Inception's features", lambda: InceptionObserver(model.device), is_wanted)
        self.networks: dict[str, ImageObserver] = {"features": features or JudgeObserver(model)}
        trunks = (config.lpips,) if config.lpips else tuple(TRUNKS)
        for trunk in trunks:
            self.lpips = self._try("lpips", lambda trunk=trunk: Lpips(trunk, side, model.device), bool(config.lpips))
            if self.lpips is not None:
                break
        self.clip = self._try("clip_score", lambda: ClipObserver(model), False)
        if self.clip is not None:
            self.networks["clip"] = self.clip
        if config.embedder is not None:
            self.networks["identity"] = EmbedderObserver(config.embedder)

    def add_judge(self, model: Model) -> None:
        """Let the held-out judge observe for itself, as "judge", where the model has one."""
        features = self.networks["features"]
        is_judge = isinstance(features, JudgeObserver)
        judge = features if is_judge else self._try("attributes", lambda: JudgeObserver(model), False)
        if judge is not None:
            self.networks["judge"] = judge

    def observe(self, images: ImageSource, num: int, title: str) -> ObservedSet:
        """The observations of the first `num` images by all."""
        networks = dict(self.networks)
        if self.lpips is not None:
            networks["images"] = ImageCollector(self.lpips.size)
        return ObservedSet(images, num, observe_all(images, networks, num, title))

    def _try(self, metric, build, is_wanted):
        try:
            return build()
        except StyleT2IError as error:
            if is_wanted:
                raise
            self.left_out.setdefault(metric, str(error))
            return None
