"""Settings of the trainings of DAMSM and AttnGAN; their presets are recipes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from styleT2I.baselines.config import AttnGANConfig, ImageEncoderConfig, StackGANDiscriminatorConfig
from styleT2I.errors import ConfigError


@dataclass(frozen=True)
class DAMSMTraining:
    """Settings of DAMSM's training; the defaults are the paper's for birds."""

    data: tuple[str, ...]  # captioned images, as data.dataset.open_dataset reads them
    eval_data: str | None = None  # images to measure retrieval on, never trained on
    vocabulary: str | None = None  # attributes of the captions, to tell which are true of other images too
    clip: str | None = None  # a frozen CLIP that reads the captions in place of the bi-LSTM
    inception: str | None = None  # torchvision's inception_v3 weights, needed by the trunk "inception"

    image: ImageEncoderConfig = ImageEncoderConfig("inception")
    embedding_dim: int = 300
    dropout: float = 0.5  # of word vectors
    max_words: int = 18  # read of a caption
    vocabulary_num: int = 20_000  # images whose captions give the words
    batch_size: int = 48
    lr: float = 2e-3  # at the start; times lr_decay after each pass over the data, down to a tenth
    lr_decay: float = 0.98
    max_grad_norm: float = 0.25  # of the text encoder
    eval_num: int = 500
    half: bool = False  # store the result as fp16

    def __post_init__(self):
        if self.image.trunk == "inception" and self.inception is None:
            raise ConfigError("DAMSM's paper encodes images by Inception-v3: give torchvision's weights as inception")
        if self.batch_size < 2:
            raise ConfigError(f"DAMSM compares captions: batch_size starts at 2, got {self.batch_size}")
        if min(self.lr, self.lr_decay, self.max_grad_norm) <= 0 or min(self.max_words, self.eval_num) < 1:
            raise ConfigError("DAMSM's rates are above 0, max_words and eval_num at least 1")


@dataclass(frozen=True)
class AttnGANTraining:
    """Settings of AttnGAN's training; the defaults are the paper's for birds."""

    data: tuple[str, ...]
    text_encoder: str  # DAMSM's, a component or a file of its authors
    image_encoder: str
    eval_data: str | None = None  # images and captions of the log's distances; None: none are measured
    judge: str | None = None  # attribute classifier of these distances; it trains nothing
    shuffle_captions: bool = False  # control: every image is shown with the caption of another one

    generator: AttnGANConfig = AttnGANConfig()  # its text_dim is replaced by the text encoder's
    d_width: int = 64  # of each discriminator's first layer, doubled by each halving of the image
    max_words: int = 18
    batch_size: int = 20
    g_lr: float = 2e-4
    d_lr: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    damsm_weight: float = 5.0  # lambda; 50 for COCO
    kl_weight: float = 1.0
    ema: float = 0.999  # weight of the averaged generator in a step's update of it
    eval_num: int = 256
    half: bool = False

    def __post_init__(self):
        if self.batch_size < 2:
            raise ConfigError(f"captions are exchanged within a batch: batch_size starts at 2, got {self.batch_size}")
        if self.shuffle_captions and self.batch_size < 4:
            raise ConfigError(f"shuffled captions need a batch_size of at least 4, got {self.batch_size}")
        if min(self.g_lr, self.d_lr) <= 0 or not 0 <= self.ema < 1:
            raise ConfigError("g_lr and d_lr are above 0, ema from 0 to below 1")
        if min(self.d_width, self.max_words) < 1 or self.eval_num < 8:
            raise ConfigError("d_width and max_words start at 1, eval_num at 8")


def discriminator_configs(generator: AttnGANConfig, width: int, text_dim: int) -> list[StackGANDiscriminatorConfig]:
    """One discriminator per stage: each halves its image to 4 px, then narrows to the channels of the first one."""
    num_halvings = int(math.log2(generator.first_resolution)) - 2
    configs = []
    for stage in range(generator.num_stages):
        widths = tuple(width << i for i in range(num_halvings + stage))
        narrow = tuple(reversed(widths[num_halvings - 1 : -1]))
        configs.append(StackGANDiscriminatorConfig(text_dim, widths, narrow, True))
    return configs


CONFIGS = {"damsm": DAMSMTraining, "attngan": AttnGANTraining}
