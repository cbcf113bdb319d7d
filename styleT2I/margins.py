"""Whose eyes decide during generation whether a picture shows an attribute: the guide judge's or the CLIP's.

Neither the held-out judge nor the scoring CLIP can be asked here: what measures the model must not steer it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from styleT2I.errors import ConfigError
from styleT2I.model import Model
from styleT2I.training.clip_evaluation import ZeroShotLogits

OBSERVERS = ("auto", "judge", "clip")


@dataclass(frozen=True)
class Observer:
    """Margins [N, A] of the attributes `names` in an image [N, 3, H, W] in [-1, 1]; above 0 the attribute is there.

    Margins are log-odds: the judge's logits, or CLIP's zero-shot cosine margins times its temperature scale.
    """

    name: str  # "judge" or "clip"
    names: tuple[str, ...]
    margins: Callable[[torch.Tensor], torch.Tensor]


def open_observer(model: Model, names: Sequence[str], by: str = "auto") -> Observer:
    """The observer asked for; "auto" is the guide judge where the model has one that knows all the names, else CLIP.

    Raises ConfigError for another name, or for a judge that does not know an attribute, CheckpointError where the
    model lacks the network.
    """
    if by not in OBSERVERS:
        raise ConfigError(f"unknown observer {by!r}; choose one of {', '.join(OBSERVERS)}")
    if by == "judge" or (by == "auto" and model.has("judges.guide")):
        judge = model.network("judges.guide")
        unknown = [name for name in names if name not in judge.attribute_names]
        if not unknown:
            columns = [judge.attribute_names.index(name) for name in names]
            return Observer("judge", tuple(names), lambda image: judge(image)[:, columns])
        if by == "judge":
            raise ConfigError(f"the guide judge does not know {unknown[0]!r}; let CLIP look: --adjust-by clip")
    return Observer("clip", tuple(names), _clip_margins(model, names))


def _clip_margins(model, names):
    clip, vocabulary = model.network("clip"), model.vocabulary
    logits = ZeroShotLogits(clip, vocabulary)  # of all attributes: rivals in an exclusive group count, asked for or not
    columns = [vocabulary.index(name) for name in names]
    return lambda image: logits(clip.encode_image(image))[:, columns]
