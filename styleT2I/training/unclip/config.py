"""Settings of unCLIP's trainings and their presets."""

from __future__ import annotations

from dataclasses import dataclass

from styleT2I.baselines.unclip.prior import PriorConfig
from styleT2I.config import from_dict, suggestion
from styleT2I.errors import ConfigError


@dataclass(frozen=True)
class UnclipTraining:
    """What unCLIP's trainings share; sizes that follow from the CLIP are filled in, whatever the network's say."""

    data: str  # captioned images, as data.dataset.open_dataset reads them
    clip: str  # component of the frozen CLIP
    eval_data: str | None = None  # unseen images and captions of the log's metrics; None: none are measured
    eval_num: int = 500
    shuffle_captions: bool = False  # control: every embedding and image goes with another one's caption

    batch_size: int = 64
    lr: float = 1.1e-4
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    decay_lr: bool = False  # warm up and let the learning rate fall as half a cosine; else it stays
    ema: float = 0.9999  # share of the averaged network that a step keeps, less at the start
    text_drop: float = 0.1  # rate at which a caption is replaced by the empty one
    half: bool = False  # store the result as fp16

    def __post_init__(self):
        if self.batch_size < 2 or self.lr <= 0 or self.eps <= 0 or self.weight_decay < 0:
            raise ConfigError("batch_size starts at 2, lr and eps are above 0, weight_decay at least 0")
        if not 0 <= self.ema < 1 or not 0 <= self.text_drop < 1:
            raise ConfigError("ema and text_drop are rates from 0 to below 1")


@dataclass(frozen=True)
class PriorTraining(UnclipTraining):
    """The diffusion prior; the defaults are the paper's."""

    network: PriorConfig = PriorConfig()
    eval_steps: int = 16  # of sampling, for the log's metrics


_FACES = {
    "data": "minifaces:biased/train:20000", "eval_data": "minifaces:biased/val:500", "decay_lr": True, "half": True,
}  # fmt: skip
_PAPER_PRIOR = {"batch_size": 4096, "betas": (0.9, 0.96), "eps": 1e-6, "weight_decay": 6e-2}
# Thousands of images shown in all, and settings.
PRESETS = {
    "unclip_prior": {
        "paper": (600_000 * 4.096, {**_PAPER_PRIOR, "lr": 1.1e-4}),
        "minifaces": (
            384,
            {
                **_FACES, "lr": 1e-3, "betas": (0.9, 0.99), "weight_decay": 0.01, "ema": 0.999,
                "network": {"width": 96, "num_heads": 4, "num_layers": 3},
            },
        ),
    },
}  # fmt: skip
CONFIGS = {"unclip_prior": PriorTraining}


def unclip_config(model: str, preset: str, **changes) -> tuple[float, UnclipTraining]:
    """Thousands of images and the settings of a preset of one of unCLIP's networks, with the changes not None."""
    if preset not in PRESETS[model]:
        raise ConfigError(f"unknown preset {preset!r}{suggestion(preset, PRESETS[model])}")
    kimg, settings = PRESETS[model][preset]
    settings = {**settings, **{key: value for key, value in changes.items() if value is not None}}
    if "data" not in settings:
        raise ConfigError(f"the preset {preset} has no data of its own; add --data SPEC")
    return kimg, from_dict(CONFIGS[model], settings)
