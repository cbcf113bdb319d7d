"""Suite "quality": every figure of how real, varied and true to their captions pictures are, of any two folders or of a
model against a data set's split; docs/metrics.md says what each means and when not to believe it."""

from __future__ import annotations

from styleT2I.errors import ConfigError
from styleT2I.evaluation.image_sources import enough, open_pictures, side_of
from styleT2I.evaluation.observers.open import Onlookers, QualityConfig
from styleT2I.evaluation.quality_metrics import compared, of_one_set, texts_of
from styleT2I.generation.model import Model

__all__ = ["evaluate_folders"]


def evaluate_folders(model: Model, config: QualityConfig, real: str, fake: str, num: int | None) -> dict:
    """Pictures of `fake` (a folder or a data set) against those of `real`, the first `num` of each or all.

    "sets": figure by figure, of the fakes and, where that makes sense, of the reals themselves; each a Measurement.
    "left_out": what cannot be measured, and why. Identity needs edits: ConfigError for a face embedder.
    """
    if config.embedder is not None:
        what = "identity compares faces with their edits, which a model draws"
        raise ConfigError(f"{config.embedder}: {what}; leave it out")
    sources = [open_pictures(source) for source in (real, fake)]
    numbers = [enough(source, num) for source in sources]
    onlookers = Onlookers(model, config, side_of(sources[1]))
    real, fake = (onlookers.look(*one) for one in zip(sources, numbers, ("real", "fake"), strict=True))
    sets = {
        "fake": {**compared(onlookers, real, fake), **of_one_set(onlookers, fake), **texts_of(onlookers, fake)},
        "real": {**of_one_set(onlookers, real), **texts_of(onlookers, real)},
    }
    return {"sets": sets, "left_out": onlookers.left_out}
