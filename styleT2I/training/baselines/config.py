"""Settings of the baselines' trainings, one class a system, and their presets."""

from __future__ import annotations

from dataclasses import dataclass

from styleT2I.baselines.dfgan import DFGANConfig, DFGANDiscriminatorConfig
from styleT2I.baselines.gan_int_cls import GanIntClsConfig, GanIntClsDiscriminatorConfig, StyleEncoderConfig
from styleT2I.baselines.stackgan import StackGANConfig, StackGANDiscriminatorConfig
from styleT2I.config import from_dict, suggestion
from styleT2I.errors import ConfigError


@dataclass(frozen=True)
class BaselineConfig:
    """What the trainings share. Sentences are read by a CLIP or a DAMSM, or their features come from a file."""

    data: str  # captioned pictures, as data.dataset.open_dataset reads it
    clip: str | None = None  # component of the frozen CLIP; its features are standardised over the captions
    text_encoder: str | None = None  # DAMSM's, a component or a file of its authors
    embeddings: str | None = None  # file of sentence features, the rows of a picture by its place in the data
    shuffle_captions: bool = False  # control: every picture is shown with the sentence of another one
    num_mean: int = 1  # features of one picture that are averaged for every showing of it
    batch_size: int = 64
    g_lr: float = 2e-4
    d_lr: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    halving_kimg: float | None = None  # thousands of images after which learning rates halve; None: never
    ema_kimg: float = 0.0  # half-life of the averaged generator, thousands of images; 0: the generator itself
    judge: str | None = None  # attribute classifier of the log's distances; it trains nothing
    eval_data: str | None = None  # pictures and captions of the log's distances; None: data
    eval_num: int = 256

    def __post_init__(self):
        if sum(given is not None for given in (self.clip, self.text_encoder, self.embeddings)) != 1:
            raise ConfigError("a sentence's features have one source: give one of --clip, --damsm and --embeddings")
        if self.batch_size < 4:
            raise ConfigError(f"texts are exchanged within a batch: batch_size starts at 4, got {self.batch_size}")
        if self.num_mean < 1 or self.ema_kimg < 0 or (self.halving_kimg is not None and self.halving_kimg <= 0):
            raise ConfigError("num_mean starts at 1, ema_kimg at 0, and halving_kimg is above 0")


@dataclass(frozen=True)
class GanIntClsTraining(BaselineConfig):
    """GAN-INT-CLS; the defaults are the paper's."""

    generator: GanIntClsConfig = GanIntClsConfig()
    discriminator: GanIntClsDiscriminatorConfig = GanIntClsDiscriminatorConfig()
    style_encoder: StyleEncoderConfig = StyleEncoderConfig()
    interpolation_weight: float = 1.0  # of the loss on midpoints between texts; 0: GAN-CLS alone
    beta: float = 0.5  # where between two texts they lie
    style_share: float = 0.1  # of the steps, the last ones: the style encoder learns, the generator rests
    style_lr: float = 2e-4

    def __post_init__(self):
        super().__post_init__()
        _check_share(self.style_share, "style_share")


@dataclass(frozen=True)
class StackGANTraining(BaselineConfig):
    """StackGAN; the defaults are the paper's for COCO."""

    generator: StackGANConfig = StackGANConfig()
    discriminator1: StackGANDiscriminatorConfig = StackGANDiscriminatorConfig()
    discriminator2: StackGANDiscriminatorConfig = StackGANDiscriminatorConfig(
        128, (96, 192, 384, 768, 1536, 3072), (1536, 768), True
    )
    kl_weight: float = 2.0
    stage1_share: float = 0.5  # of the steps, the first ones: Stage-I learns; it then stays as its average is

    def __post_init__(self):
        super().__post_init__()
        _check_share(self.stage1_share, "stage1_share")
        if self.generator.stage2 is None:
            raise ConfigError("StackGAN is trained with both stages; give the generator a stage2")


@dataclass(frozen=True)
class DFGANTraining(BaselineConfig):
    """DF-GAN; the defaults are the paper's for birds."""

    generator: DFGANConfig = DFGANConfig()
    discriminator: DFGANDiscriminatorConfig = DFGANDiscriminatorConfig()
    penalty_weight: float = 2.0  # of the matching-aware gradient penalty
    penalty_power: float = 6.0


@dataclass(frozen=True)
class Preset:
    """A starting point: thousands of real images shown in all, and settings."""

    kimg: float
    settings: dict


CONFIGS = {"gan_int_cls": GanIntClsTraining, "stackgan": StackGANTraining, "dfgan": DFGANTraining}
_FACES = {
    "data": "minifaces:biased/train:20000", "eval_data": "minifaces:biased/val:256", "batch_size": 32,
    "ema_kimg": 2.0,
}  # fmt: skip
# Epochs of the papers on the 8,855 training birds of CUB, in thousands of images.
PRESETS = {
    "gan_int_cls": {
        "paper": Preset(5_313, {"num_mean": 4, "halving_kimg": 885.5}),
        "minifaces": Preset(
            128,  # 64 for the generator, as for the others, then as many of its own pictures for the style encoder
            {
                **_FACES, "style_share": 0.5, "style_lr": 1e-3,
                # Few numbers of noise: pictures change little with it, and the encoder has to find every one of them.
                "generator": {"z_dim": 8, "cond_dim": 32, "widths": (128, 96, 64, 32), "num_residual": 1},
                "discriminator": {"cond_dim": 32, "widths": (32, 64, 96, 128)},
                "style_encoder": {"z_dim": 8, "widths": (24, 48, 96, 128)},
            },
        ),
    },
    "stackgan": {
        "paper": Preset(10_626, {"batch_size": 64, "halving_kimg": 885.5}),
        "minifaces": Preset(
            64,
            {
                **_FACES,
                "generator": {
                    "z_dim": 64, "cond_dim": 32, "widths": (128, 96, 64),
                    "stage2": {"encoder_widths": (48, 64), "num_residual": 2, "widths": (96, 64, 32, 24)},
                },
                "discriminator1": {"cond_dim": 32, "widths": (48, 96)},
                "discriminator2": {"cond_dim": 32, "widths": (24, 48, 96, 128), "is_unconditional": True},
            },
        ),
    },
    "dfgan": {
        "paper": Preset(
            11_520, {"batch_size": 32, "g_lr": 1e-4, "d_lr": 4e-4, "betas": (0.0, 0.9), "ema_kimg": 20.0}
        ),
        "minifaces": Preset(
            64,
            {
                **_FACES, "g_lr": 2e-4, "d_lr": 4e-4, "betas": (0.0, 0.9),
                "generator": {"z_dim": 64, "widths": (96, 64, 48, 32, 16)},
                "discriminator": {"widths": (8, 16, 32, 64, 96), "head_width": 48},
            },
        ),
    },
}  # fmt: skip


def baseline_config(model: str, preset: str, **changes) -> tuple[float, BaselineConfig]:
    """Thousands of images and the settings of a system's preset, with the changes that are not None; ConfigError."""
    if model not in PRESETS:
        raise ConfigError(f"unknown system {model!r}{suggestion(model, PRESETS)}")
    if preset not in PRESETS[model]:
        raise ConfigError(f"unknown preset {preset!r}{suggestion(preset, PRESETS[model])}")
    chosen = PRESETS[model][preset]
    settings = {**chosen.settings, **{key: value for key, value in changes.items() if value is not None}}
    if "data" not in settings:
        raise ConfigError(f"the preset {preset} has no data of its own; add --data SPEC")
    return chosen.kimg, from_dict(CONFIGS[model], settings)


def _check_share(value, name):
    if not 0 <= value < 1:
        raise ConfigError(f"{name} is a share of the steps from 0 to below 1, got {value}")
