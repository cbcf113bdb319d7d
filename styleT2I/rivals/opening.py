"""The model that a rival steers: one of ours, or any generator with a CLIP or a judge to look at what it draws."""

from __future__ import annotations

from styleT2I.errors import ConfigError
from styleT2I.generation.model import Model
from styleT2I.generation.pipeline import StyleT2I


def open_pipeline(
    model, *, generator=None, clip=None, judge=None, vocabulary=None, device="auto", precision="fp32", offline=None
) -> StyleT2I:
    """The pipeline of a model for `Finder` and the systems here.

    A generator from elsewhere leaves all else of the model behind: its judges know the faces of their own generator.

    Args:
        model: As `StyleT2I.from_pretrained` takes it; not read where `generator` is given.
        generator: Any source of a StyleGAN2 generator, in the model's place.
        clip: Any source of a CLIP.
        judge: Any source of an attribute classifier that looks in the guide judge's place.
        vocabulary: In which attributes are named; None: the model's.
        device: As `StyleT2I.from_pretrained`.
        precision: As `StyleT2I.from_pretrained`.
        offline: True downloads nothing; None asks the environment.

    Raises:
        ConfigError: A generator is given without anything that looks at what it draws.
        CheckpointError: A source cannot be read.
    """
    settings = {"vocabulary": vocabulary, "device": device, "precision": precision, "offline": offline}
    parts = {"generator": generator, "clip": clip, "judges.guide": judge}
    if generator is None:
        return StyleT2I(Model.from_pretrained(model, **settings, **parts))
    if clip is None and judge is None:
        raise ConfigError(
            f"{generator}: a generator alone says nothing about its faces; add --clip FILE or --judge FILE"
        )
    return StyleT2I(Model(parts, name=str(generator), **settings))
