"""Settings of unCLIP's trainings and their presets."""

from __future__ import annotations

from dataclasses import dataclass

from styleT2I.baselines.unclip.ar_prior import ARPriorConfig
from styleT2I.baselines.unclip.decoder import DecoderConfig
from styleT2I.baselines.unclip.prior import PriorConfig
from styleT2I.baselines.unclip.upsampler import UpsamplerConfig
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


@dataclass(frozen=True)
class ARPriorTraining(UnclipTraining):
    """The autoregressive prior; the defaults are the paper's."""

    network: ARPriorConfig = ARPriorConfig()
    smoothing: float = 0.0  # deviation, in buckets, that a code's target is spread with

    def __post_init__(self):
        super().__post_init__()
        if self.smoothing < 0:
            raise ConfigError(f"smoothing is at least 0 buckets, got {self.smoothing}")


@dataclass(frozen=True)
class DecoderTraining(UnclipTraining):
    """The decoder; the defaults are the paper's."""

    network: DecoderConfig = DecoderConfig()
    image_drop: float = 0.1  # rate at which the image embedding is replaced by the learned null
    text_drop: float = 0.5
    eval_steps: int = 25
    prior: str | None = None  # components that go with the decoder into its model folder
    ar_prior: str | None = None
    upsampler: str | None = None

    def __post_init__(self):
        super().__post_init__()
        if not 0 <= self.image_drop < 1:
            raise ConfigError(f"image_drop is a rate from 0 to below 1, got {self.image_drop}")


@dataclass(frozen=True)
class UpsamplerTraining(UnclipTraining):
    """An upsampler; the defaults are the paper's from 64 to 256 px."""

    network: UpsamplerConfig = UpsamplerConfig()
    crop: int = 64  # side of the squares that it learns on
    blur_rate: float = 0.5
    eval_steps: int = 5

    def __post_init__(self):
        super().__post_init__()
        if not 0 <= self.blur_rate <= 1:
            raise ConfigError(f"blur_rate is a rate from 0 to 1, got {self.blur_rate}")


_FACES = {
    "data": "minifaces:biased/train:20000", "eval_data": "minifaces:biased/val:500", "decay_lr": True, "half": True,
    "ema": 0.999,
}  # fmt: skip
_LARGE_BATCH = {"batch_size": 1024, "lr": 2e-3}
_SMALL_PRIOR = {"width": 96, "num_heads": 4, "num_layers": 3}
_PRIOR = {**_FACES, "lr": 1e-3, "betas": (0.9, 0.99), "weight_decay": 0.01, "network": _SMALL_PRIOR}
_AR_PRIOR = {
    **_PRIOR, "smoothing": 0.6,
    "network": {**_SMALL_PRIOR, "num_components": 13, "num_buckets": 32, "num_dots": 16},
}  # fmt: skip
_DECODER = {"cond_dim": 128, "context_dim": 96, "learns_variance": False}
# Thousands of images shown in all, and settings: the papers', small ones for two cores ("minifaces"), and for a GPU
# larger batches and a decoder at 64 pixels, which needs no upsampler ("minifaces64").
PRESETS = {
    "unclip_prior": {
        "paper": (2_457_600, {"batch_size": 4096, "betas": (0.9, 0.96), "eps": 1e-6, "weight_decay": 6e-2}),
        "minifaces": (384, _PRIOR),
        "minifaces64": (6144, {**_PRIOR, **_LARGE_BATCH}),
    },
    "unclip_ar_prior": {
        "paper": (
            4_096_000,
            {"batch_size": 4096, "lr": 1.6e-4, "betas": (0.9, 0.91), "eps": 1e-10, "weight_decay": 4e-2},
        ),
        "minifaces": (384, _AR_PRIOR),
        "minifaces64": (6144, {**_AR_PRIOR, **_LARGE_BATCH}),
    },
    "unclip": {
        "paper": (1_638_400, {"batch_size": 2048, "lr": 1.2e-4}),
        "minifaces": (
            128,
            {
                **_FACES, "batch_size": 32, "lr": 5e-4, "eval_num": 128,
                "network": {
                    **_DECODER, "resolution": 32,
                    "unet": {
                        "widths": (48, 96), "num_blocks": 1, "attention": (1,), "head_width": 48, "patch": 2,
                        "dropout": 0.0,
                    },
                },
            },
        ),
        "minifaces64": (
            512,
            {
                **_FACES, "batch_size": 128, "lr": 5e-4, "eval_num": 128,
                "network": {
                    **_DECODER, "resolution": 64,
                    "unet": {
                        "widths": (24, 48, 64, 96), "num_blocks": 1, "attention": (2, 3), "head_width": 32,
                        "dropout": 0.0,
                    },
                },
            },
        ),
    },
    "unclip_upsampler": {
        "paper": (1_024_000, {"batch_size": 1024, "lr": 1.2e-4}),
        "minifaces": (
            64,
            {
                **_FACES, "batch_size": 32, "lr": 1e-3, "eval_num": 32, "crop": 16,
                "network": {
                    "resolution": 64, "low_resolution": 32, "cond_dim": 64, "prediction": "v",
                    "unet": {"widths": (24, 32, 48), "num_blocks": 1, "attention": (), "dropout": 0.0},
                },
            },
        ),
    },
}  # fmt: skip
CONFIGS = {
    "unclip_prior": PriorTraining,
    "unclip_ar_prior": ARPriorTraining,
    "unclip": DecoderTraining,
    "unclip_upsampler": UpsamplerTraining,
}


def unclip_config(model: str, preset: str, **changes) -> tuple[float, UnclipTraining]:
    """Thousands of images and the settings of a preset of one of unCLIP's networks, with the changes not None."""
    if preset not in PRESETS[model]:
        raise ConfigError(f"unknown preset {preset!r}{suggestion(preset, PRESETS[model])}")
    kimg, settings = PRESETS[model][preset]
    settings = {**settings, **{key: value for key, value in changes.items() if value is not None}}
    if "data" not in settings:
        raise ConfigError(f"the preset {preset} has no data of its own; add --data SPEC")
    return kimg, from_dict(CONFIGS[model], settings)
