"""Who looks at the pictures of the suite "quality": networks opened once, and a reason for each that is missing."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from styleT2I.config import suggestion
from styleT2I.errors import ConfigError, StyleT2IError
from styleT2I.evaluation.image_sources import PictureSource
from styleT2I.evaluation.observers.face_embedder import EmbedderEyes
from styleT2I.evaluation.observers.inception import InceptionEyes
from styleT2I.evaluation.observers.lpips import TRUNKS, Lpips
from styleT2I.evaluation.observers.networks import ClipEyes, JudgeEyes, Network, PictureKeeper, look_through
from styleT2I.generation.model import Model

__all__ = ["FEATURES", "Onlookers", "QualityConfig", "Sight"]

FEATURES = ("auto", "inception", "judge")


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
        """What all see in the first `num` pictures."""
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
