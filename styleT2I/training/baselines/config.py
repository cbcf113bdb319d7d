"""Settings of the baselines' trainings, one class per system; their presets are recipes."""

from __future__ import annotations

from dataclasses import dataclass

from styleT2I.baselines.config import (
    DFGANConfig,
    DFGANDiscriminatorConfig,
    GanIntClsConfig,
    GanIntClsDiscriminatorConfig,
    StackGANConfig,
    StackGANDiscriminatorConfig,
    StyleEncoderConfig,
)
from styleT2I.config import setting
from styleT2I.errors import ConfigError


@dataclass(frozen=True)
class BaselineConfig:
    """Settings of all baselines. A CLIP or a DAMSM encodes the sentences, or their features come from a file."""

    data: str = setting(help="Captioned images: a folder, or minifaces:DISTRIBUTION/SPLIT[:NUM].", metavar="SPEC")
    clip: str | None = setting(  # its features are standardised over the captions
        None,
        "Component of the frozen CLIP that reads the sentences; the embedded model's unless --damsm or --embeddings is "
        "given.",
        metavar="FILE",
    )
    text_encoder: str | None = None  # DAMSM's, a component or a file of its authors
    embeddings: str | None = setting(
        None,
        "Sentence features in place of a CLIP's: .npy, .npz or .pickle, the rows of each image in the data's order.",
        metavar="FILE",
    )
    shuffle_captions: bool = setting(False, "Control: every image is shown with another one's sentence.")
    num_mean: int = 1  # captions of an image whose features are averaged, drawn anew each time
    batch_size: int = setting(64, "Images per step.", flag="--batch", low=4)
    g_lr: float = setting(2e-4, "Learning rate of the generator.", flag="--glr")
    d_lr: float = setting(2e-4, "Learning rate of the discriminator.", flag="--dlr")
    betas: tuple[float, float] = (0.5, 0.999)
    halving_kimg: float | None = None  # thousands of images after which learning rates halve; None: never
    ema_kimg: float = setting(  # 0: the generator itself
        0.0, "Half-life of the averaged generator, thousands of images.", low=0
    )
    judge: str | None = setting(
        None, "Attribute classifier for the log's distances; it never trains anything.", metavar="FILE"
    )
    eval_data: str | None = setting(None, "Images and captions of the log's distances.", metavar="SPEC")  # None: data
    eval_num: int = setting(256, "Images of either kind in an evaluation.", low=8)

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
    style_share: float = 0.1  # fraction of the steps, the last ones: only the style encoder learns
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
    stage1_share: float = 0.5  # fraction of the steps, the first ones: Stage-I learns; then its average is frozen

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


CONFIGS = {"gan_int_cls": GanIntClsTraining, "stackgan": StackGANTraining, "dfgan": DFGANTraining}


def _check_share(value, name):
    if not 0 <= value < 1:
        raise ConfigError(f"{name} is a fraction of the steps from 0 to below 1, got {value}")
