"""Settings of the fits of a generator to a renderer."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from styleT2I.config import from_dict
from styleT2I.errors import ConfigError
from styleT2I.recipes import given, read_recipe

_RENDERED_CHANNELS = {4: 192, 8: 192, 16: 192, 32: 128, 64: 64, 128: 32, 256: 16}
_CHANNELS = {4: 128, 8: 128, 16: 128, 32: 64, 64: 16, 128: 8}  # of the synthesis network, by resolution


@dataclass(frozen=True)
class RendererFitConfig:
    """Settings of a fit to MiniFaces; `share_*` are fractions of all steps, in the order in which the stages run."""

    steps: int = 37000
    resolution: int = 64
    distribution: str = "biased"  # data that the generator is fitted to
    channels: dict = field(default_factory=dict)  # of the synthesis network, by resolution
    w_dim: int = 128
    mapping_layers: int = 3  # wide and shallow fits the thresholds of the attributes better than deep and narrow
    mapping_hidden_dim: int = 512
    batch: int = 16  # at the final resolution; four times as many scenes at 16 pixels, twice as many at 32
    lr: float = 0.02  # of equalised weights, cosine to 0 over the drawing stages
    mapping_lr: float = 0.1
    mapping_batch: int = 256
    joint_lr: float = 0.002
    share_16: float = 0.0405
    share_32: float = 0.0676
    share_mapping: float = 0.5405  # a step costs a thirtieth of a drawing step
    share_joint: float = 0.1081
    min_truncation_psi: float = 0.5  # half of the scenes are pulled towards the mean one: truncated w stay legible

    def __post_init__(self):
        if not 0 < self.share_16 + self.share_32 + self.share_mapping + self.share_joint < 1:
            raise ConfigError("the shares of the stages leave no step for the final resolution; make them smaller")


@dataclass(frozen=True)
class RenderedFitConfig:
    """Settings of a fit to rendered portraits; `share_*` are fractions of all steps, in the stages' order."""

    steps: int = 40000
    data: tuple[str, ...] = ("portraits:biased/train",)  # rendered, from the user's cache
    eval_data: str = "portraits:biased/val"
    init: str | None = None  # folder of another fit, of the same sizes, whose weights this one starts with
    train_encoder: bool = True  # no: W stays what it was, and so does what was trained in it
    resolution: int = 128
    channels: dict = field(default_factory=dict)  # of the synthesis network, by resolution
    w_dim: int = 256
    encoder_hidden_dim: int = 512
    mapping_layers: int = 4
    mapping_hidden_dim: int = 768
    batch: int = 16  # at the final resolution and below; smaller images in larger batches
    lr: float = 0.01  # of equalised weights, cosine to 0 over the drawing stages
    mapping_lr: float = 0.1
    mapping_batch: int = 256
    joint_lr: float = 0.002
    judge: str | None = None  # component of a judge whose features are compared as well
    feature_weight: float = 0.5  # of that comparison
    precision: str = "fp32"  # bf16: convolutions in half precision, faster on GPUs and on CPUs with AVX512-BF16 or AMX
    num_latents: int = 200000  # scenes, not rendered, that the mapping network learns from: 40,000 are learnt by heart
    share_16: float = 0.04
    share_32: float = 0.06
    share_64: float = 0.09
    share_mapping: float = 0.5  # a step costs a fiftieth of a drawing step
    share_joint: float = 0.11

    def __post_init__(self):
        if not 0 < self.share_16 + self.share_32 + self.share_64 + self.share_mapping + self.share_joint < 1:
            raise ConfigError("the shares of the stages leave no step for the final resolution; make them smaller")
        _check_precision(self.precision)


@dataclass(frozen=True)
class PairedFinishConfig:
    """Settings of the finish of a fit to rendered portraits, with a discriminator of patches."""

    steps: int = 900
    init: str = ""  # folder of the fit, or of another finish, whose discriminator then goes on too
    data: tuple[str, ...] = ("portraits:biased/train",)  # rendered, from the user's cache
    eval_data: str = "portraits:biased/val"
    judge: str | None = None  # component of a judge whose features are compared as well
    batch: int = 8  # scenes whose render is known
    unpaired: int = 8  # further latents, pulled towards the mean: what is drawn of them must look real
    min_truncation_psi: float = 0.5  # the pull: 1 for a half of these, uniform in [this, 1] for the others
    lr: float = 0.001  # of equalised weights, cosine to 0
    d_lr: float = 0.001  # likewise
    r1_gamma: float = 1.0  # of the penalty on the discriminator's slope at renders
    r1_interval: int = 4  # steps from one penalty to the next
    feature_weight: float = 0.25  # of the judge's features, beside the pixels
    matching_weight: float = 1.0  # of the discriminator's maps
    adversarial_weight: float = 0.25
    ema_kimg: float = 2.0  # half-life of the averaged generator, thousands of images
    finished_share: float = 0.5  # of the weights exported, between those of the fit (0) and those that were trained (1)
    d_widths: tuple[int, ...] = (32, 64, 96, 128)
    precision: str = "fp32"  # as of the fit

    def __post_init__(self):
        if not self.init:
            raise ConfigError("the fit to finish is not named; add --init DIR, its folder")
        if not 0 <= self.finished_share <= 1:
            raise ConfigError(f"finished_share of a finish lies between 0 and 1, not {self.finished_share}")
        _check_precision(self.precision)


def fit_config(file: Path | None = None, **changes) -> RendererFitConfig:
    """The settings of a fit to MiniFaces; see `_fitted`."""
    return _fitted(RendererFitConfig, _CHANNELS, file, changes)


def rendered_fit_config(file: Path | None = None, **changes) -> RenderedFitConfig:
    """The settings of a fit to Portraits; see `_fitted`."""
    return _fitted(RenderedFitConfig, _RENDERED_CHANNELS, file, changes)


def paired_finish_config(file: Path | None = None, **changes) -> PairedFinishConfig:
    """The settings of a finish: the defaults, replaced by a file of one's own, then by changes that are not None."""
    steps, written = read_recipe("fit", file, PairedFinishConfig) if file is not None else (None, {})
    return from_dict(PairedFinishConfig, {**written, **given({"steps": steps}), **given(changes)})


def _fitted(cls, channels, file, changes):
    """The defaults, replaced by what a file of one's own says, then by the changes that are not None.

    Channels that nobody names are those of the resolution.
    """
    steps, written = read_recipe("fit", file, cls) if file is not None else (None, {})
    settings = {**written, **given({"steps": steps}), **given(changes)}
    resolution = settings["resolution"] = int(settings.get("resolution", cls.resolution))
    return from_dict(cls, {"channels": {r: n for r, n in channels.items() if r <= resolution}, **settings})


def _check_precision(precision):
    if precision not in ("fp32", "bf16"):
        raise ConfigError(f"precision of a fit or a finish is fp32 or bf16, not {precision!r}")
