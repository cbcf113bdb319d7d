"""Settings of CLIP training, the small architectures of MiniFaces and the presets."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

from styleT2I.config import from_dict, suggestion
from styleT2I.data.augment import DegradeConfig
from styleT2I.errors import ConfigError
from styleT2I.training.clip.word_list import is_minifaces

TUNES = ("all", "paper", "release")  # which tensors train; see training.clip_tuning
AUGMENTS = ("light", "crop", "none")
SCHEDULES = ("cosine", "constant")

# Image towers of 64 and 128 px (networks.clip_towers). The text towers' vocab_size is the tokenizer's.
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
    """What a CLIP is trained on and how; the defaults are those of training from scratch."""

    data: tuple[str, ...]  # training data, as data.dataset.open_dataset reads it; mixed in proportion to their sizes
    eval_data: str | None = None  # captioned pictures to measure on, never trained on
    name: str = "clip"  # file name of the exported component, and what models trained against it must agree on
    vocabulary: str | None = None  # attributes of the captions; None: captions are only known to be equal or not

    clip: str | None = None  # component or OpenAI state-dict file to fine-tune; None: from scratch
    architecture: str = "strided"  # from scratch only: a key of ARCHITECTURES
    tune: str = "all"

    batch_size: int = 128
    epochs: int | None = None  # passes over the data, where the number of steps is not given
    lr: float = 2e-3  # of AdamW at its peak
    beta2: float = 0.98  # of AdamW
    weight_decay: float = 0.05
    schedule: str = "cosine"  # "cosine": warmed up over 5 % of the steps, then down to 0; "constant": neither
    max_grad_norm: float = 1.0  # longer gradients are shortened to this; 0: never
    attribute_weight: float = 8.0  # of the attributes' cross-entropy on both towers; needs labels and a vocabulary
    paraphrase: float = 0.3  # share of captions said in other words of the vocabulary; needs one
    augment: str = "light"  # "light": shifts and training.degrade; "crop": RandomResizedCrop, scale 0.9 to 1
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


# The paper's fine-tuning (papers' released ft_clip_text.py): AdamW lr 5e-4, torch's default weight decay, no schedule.
_PAPER = {
    "tune": "paper", "lr": 5e-4, "beta2": 0.999, "weight_decay": 0.01, "schedule": "constant", "max_grad_norm": 0.0,
    "attribute_weight": 0.0, "paraphrase": 0.0, "augment": "crop", "half": False,
}  # fmt: skip
PRESETS = {
    "minifaces": {
        "data": ("minifaces:balanced/train:60000",),
        "eval_data": "minifaces:balanced/test:4000",
        "name": "minifaces-clip",
        "vocabulary": "minifaces",
    },
    "minifaces-eval": {
        "data": ("minifaces:balanced/train:60000",),
        "eval_data": "minifaces:balanced/test:4000",
        "name": "minifaces-clip-eval",
        "vocabulary": "minifaces",
        "architecture": "pooled",
    },
    "portraits": {
        "data": ("portraits:balanced/train", "portraits:biased/train"),
        "eval_data": "portraits:balanced/test",
        "name": "portraits-clip",
        "vocabulary": "portraits",
        "architecture": "strided128",
    },
    "portraits-eval": {
        "data": ("portraits:balanced/train", "portraits:biased/train"),
        "eval_data": "portraits:balanced/test",
        "name": "portraits-clip-eval",
        "vocabulary": "portraits",
        "architecture": "pooled128",
    },
    "celebahq": {**_PAPER, "name": "celebahq-clip", "batch_size": 192, "epochs": 1000, "vocabulary": "celeba"},
    "cub": {**_PAPER, "name": "cub-clip", "batch_size": 256, "epochs": 100},
}


def preset_config(preset: str, **changes) -> CLIPTrainConfig:
    """The settings of a preset with some replaced; ConfigError names the nearest known preset or setting."""
    if preset not in PRESETS:
        raise ConfigError(f"unknown CLIP preset {preset!r}{suggestion(preset, PRESETS)}")
    settings = {**PRESETS[preset], **changes}
    if "name" not in changes and not settings.get("clip") and not is_minifaces(settings.get("data", ())):
        settings["name"] = "clip"  # the presets' own name is MiniFaces'
    return from_dict(CLIPTrainConfig, settings)


def scratch_model(architecture: str, vocab_size: int) -> dict:
    """open_clip's model config of a named small architecture for a vocabulary."""
    model = copy.deepcopy(ARCHITECTURES[architecture])
    model["text_cfg"]["vocab_size"] = vocab_size
    return model
