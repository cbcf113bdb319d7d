"""Settings of unCLIP's trainings; their presets are recipes."""

from __future__ import annotations

from dataclasses import dataclass

from styleT2I.baselines.unclip.config import ARPriorConfig, DecoderConfig, PriorConfig, UpsamplerConfig
from styleT2I.errors import ConfigError


@dataclass(frozen=True)
class UnclipTraining:
    """Settings of all unCLIP's trainings; sizes that follow from the CLIP replace the network's."""

    data: str  # captioned images, as data.dataset.open_dataset reads them
    clip: str  # component of the frozen CLIP
    eval_data: str | None = None  # unseen images and captions of the log's metrics; None: none are measured
    eval_num: int = 500
    shuffle_captions: bool = False  # control: every embedding and image gets another image's caption

    batch_size: int = 64
    lr: float = 1.1e-4
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    decay_lr: bool = False  # warm-up and half a cosine for the learning rate; else it is constant
    ema: float = 0.9999  # weight of the averaged network in a step's update of it, less at the start
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


CONFIGS = {
    "unclip_prior": PriorTraining,
    "unclip_ar_prior": ARPriorTraining,
    "unclip": DecoderTraining,
    "unclip_upsampler": UpsamplerTraining,
}
