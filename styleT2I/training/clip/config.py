"""Settings of CLIP training, the small architectures of MiniFaces and the presets, read and checked without torch."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path

from styleT2I.config import from_dict, setting, suggestion
from styleT2I.data.training.degrade_config import DegradeConfig
from styleT2I.errors import ConfigError
from styleT2I.recipes import check_has_data, read_recipe

TUNES = ("all", "image", "paper", "release")  # which tensors train; see training.clip.tuning
AUGMENTS = ("light", "crop", "none")
SCHEDULES = ("cosine", "constant")

# Image towers of 64 and 128 px (networks.clip.towers). The text towers' vocab_size is the tokenizer's.
_TEXT = {"context_length": 40, "width": 64, "heads": 4, "layers": 2, "mlp_ratio": 2.0}
ARCHITECTURES = {
    name: {"embed_dim": 64, "vision_cfg": {"image_size": 64, "small": tower}, "text_cfg": _TEXT}
    for name, tower in {
        "strided": {"widths": (16, 32, 64, 96), "pool": "stride"},
        "pooled": {"widths": (12, 24, 48, 96), "pool": "max"},
    }.items()
}
_TEXT_128 = {"context_length": 64, "width": 96, "heads": 4, "layers": 2, "mlp_ratio": 2.0}
ARCHITECTURES |= {
    name: {"embed_dim": 96, "vision_cfg": {"image_size": 128, "small": tower}, "text_cfg": _TEXT_128}
    for name, tower in {
        "strided128": {"widths": (12, 24, 48, 96, 160), "pool": "stride"},
        "pooled128": {"widths": (8, 16, 32, 64, 128), "pool": "max"},
    }.items()
}


@dataclass(frozen=True)
class CLIPTrainConfig:
    """Settings of a CLIP's training; the defaults are those of training from scratch."""

    data: tuple[str, ...] = setting(  # mixed in proportion to their sizes
        help="Captioned images: a data set's folder, or minifaces:DISTRIBUTION/SPLIT[:NUM]; give it several times to "
        "mix.",
        metavar="SPEC",
    )
    eval_data: str | None = setting(None, "Captioned images to measure on.", metavar="SPEC")
    name: str = setting("clip", "Name of the exported component.")  # models trained against it must agree on it
    vocabulary: str | None = setting(  # None: captions are only known to be equal or not
        None,
        "Attributes that captions speak of: minifaces, portraits, celeba, cub, or none.",
        metavar="NAME|FILE",
    )

    clip: str | None = setting(  # None: from scratch
        None, "Weights to start from: a clip component or any CLIP file.", metavar="FILE"
    )
    architecture: str = setting("strided", "Image tower of a CLIP from scratch.", choices=tuple(ARCHITECTURES))
    tune: str = setting(
        "all",
        "Tensors to train: all; the image tower, so that texts mean what they meant; those the paper names; the three "
        "that the released script trains by mistake.",
        choices=TUNES,
    )

    batch_size: int = setting(128, "Pairs per step.", flag="--batch")
    epochs: int | None = setting(None, "Passes over the data, where --steps is not given.", low=1)
    lr: float = setting(2e-3, "Peak learning rate of AdamW.")
    beta2: float = 0.98  # of AdamW
    weight_decay: float = 0.05
    schedule: str = "cosine"  # "cosine": warmed up over 5 % of the steps, then down to 0; "constant": neither
    max_grad_norm: float = 1.0  # longer gradients are shortened to this; 0: never
    attribute_weight: float = setting(  # on both towers; needs labels and a vocabulary
        8.0, "Weight of the attributes' cross-entropy.", low=0
    )
    phrase_weight: float = setting(  # needs labels and a vocabulary
        0.0, "Weight of the loss that compares each attribute's phrase with its negation.", low=0
    )
    paraphrase: float = setting(0.3, "Share of captions said in other words.", low=0, high=1)  # needs a vocabulary
    augment: str = setting(  # "light": shifts and random_degrade; "crop": RandomResizedCrop, scale 0.9 to 1
        "light", "Random changes of training images.", choices=AUGMENTS
    )
    degrade: DegradeConfig = field(default_factory=DegradeConfig)  # of "light"
    eval_num: int = 1000  # images of eval_data in evaluations during the run; all of them at its end
    half: bool = True  # store the result as fp16

    def __post_init__(self):
        for name, value, known in (
            ("tuned part", self.tune, TUNES),
            ("augmentation", self.augment, AUGMENTS),
            ("schedule", self.schedule, SCHEDULES),
            ("CLIP architecture", self.architecture, ARCHITECTURES),
        ):
            if value not in known:
                raise ConfigError(f"unknown {name} {value!r}{suggestion(value, known)}")
        if self.batch_size < 2:
            raise ConfigError(f"the contrastive loss compares captions: batch_size starts at 2, got {self.batch_size}")
        if self.lr <= 0 or self.eval_num < 1:
            raise ConfigError(f"lr and eval_num of CLIP training must be above 0, not {self.lr} and {self.eval_num}")
        if not 0 <= self.paraphrase <= 1:
            raise ConfigError(f"paraphrase is a share between 0 and 1, not {self.paraphrase}")
        if self.tune != "all" and self.clip is None:
            raise ConfigError(f"--tune {self.tune} trains a part of given weights; add --clip FILE")


def preset_config(recipe: str | Path, **changes) -> CLIPTrainConfig:
    """The settings of a preset, or of a file of one's own, with some replaced; ConfigError names the nearest known."""
    _, written = read_recipe("clip", recipe, CLIPTrainConfig, what="CLIP preset")
    settings = {**written, **changes}
    check_has_data(recipe, settings)
    is_preset = isinstance(recipe, str) and "name" not in changes
    own, others = (_sources(data.get("data", ())) for data in (written, settings))
    if is_preset and not settings.get("clip") and not (own and others <= own):
        settings["name"] = "clip"  # a preset's own name is that of a CLIP of its own world
    return from_dict(CLIPTrainConfig, settings)


def _sources(specs):
    """What is before the colons of data sets' specifications: their worlds, or folders."""
    return {spec.partition(":")[0] for spec in specs}


def scratch_model(architecture: str, vocab_size: int) -> dict:
    """open_clip's model config of a named small architecture for a vocabulary."""
    model = copy.deepcopy(ARCHITECTURES[architecture])
    model["text_cfg"]["vocab_size"] = vocab_size
    return model
