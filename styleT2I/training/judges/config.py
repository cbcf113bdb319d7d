"""Settings of the trainings of judges, segmenters and landmark networks; their presets are recipes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from styleT2I.config import setting
from styleT2I.data.training.degrade_config import DegradeConfig
from styleT2I.errors import ConfigError
from styleT2I.recipes import configured


@dataclass(frozen=True)
class JudgeConfig:
    """Settings of a judge's training."""

    data: tuple[str, ...] = setting(
        ("minifaces:balanced/judge-train:40000",),
        "Labelled images: a data set's folder, or minifaces:DISTRIBUTION/SPLIT[:NUM]; give it several times to pool.",
        metavar="SPEC",
    )
    eval_data: str = setting("minifaces:balanced/test:4000", "Labelled images to measure on.", metavar="SPEC")
    name: str = setting("judge", "Name of the exported component.")
    init: str | None = setting(
        None, "Judge to go on from, such as a model's judges_guide.json, of the same shape and names.", metavar="FILE"
    )
    architecture: str = setting("resnet", "Shape of the network.", choices=("resnet", "plain"))
    resolution: int = setting(64, "Side that images are resized to.", low=16)
    widths: tuple[int, ...] = (24, 32, 64, 128)
    feature_dim: int = 128
    batch_size: int = setting(64, "Images per step.", flag="--batch", low=2)
    lr: float = setting(3e-3, "Peak learning rate of AdamW.")  # warmed up over 5 % of the steps, then cosine to 0
    weight_decay: float = 0.02
    nuisance_weight: float = setting(0.5, "Weight of the nuisances' regression.", low=0)
    mirror: bool = setting(  # whose nuisances, such as yaw, are then left out
        False,
        "Mirror half of the images, and judge each by itself and its mirror image: where right and left mean nothing, "
        "few images last longer.",
        flag="--mirror/--no-mirror",
    )
    label_smoothing: float = 0.02  # label smoothing towards 1/2: confident logits stay near +-4.6
    degrade: DegradeConfig = field(default_factory=DegradeConfig)
    eval_num: int = setting(1000, "How many of them in evaluations before the last.", low=1)

    def __post_init__(self):
        _check_above_zero(self, "judge")


def judge_config(recipe: str | Path, **changes) -> tuple[int, JudgeConfig]:
    """Steps and settings of a preset, or of a file of one's own, some replaced; ConfigError names the nearest known."""
    return configured("judge", recipe, JudgeConfig, what="judge preset", **changes)


@dataclass(frozen=True)
class SegmenterTrainingConfig:
    """Settings of a segmenter's training."""

    data: tuple[str, ...] = setting(
        ("minifaces:balanced/judge-train:16000",),
        "Images with region masks: a data set's folder, or minifaces:DISTRIBUTION/SPLIT[:NUM]; give it several times "
        "to pool.",
        metavar="SPEC",
    )
    eval_data: str = setting("minifaces:balanced/test:1000", "Images with region masks to measure on.", metavar="SPEC")
    name: str = setting("segmenter", "Name of the exported component.")
    resolution: int = setting(64, "Side that images are resized to.", low=16)
    widths: tuple[int, ...] = (16, 32, 48, 64)
    batch_size: int = setting(16, "Images per step.", flag="--batch", low=2)
    lr: float = setting(6e-3, "Peak learning rate of AdamW.")  # warmed up over 5 % of the steps, then cosine to 0
    weight_decay: float = 0.01
    overlap_weight: float = 0.5  # of the Dice loss beside the cross-entropy: it counts small regions like large ones
    degrade: DegradeConfig = field(default_factory=DegradeConfig)
    eval_num: int = setting(256, "How many of them in evaluations before the last.", low=1)

    def __post_init__(self):
        _check_above_zero(self, "segmenter")


def segmenter_config(recipe: str | Path, **changes) -> tuple[int, SegmenterTrainingConfig]:
    """Steps and settings of a preset, or of a file of one's own, some replaced; ConfigError names the nearest known."""
    return configured("segmenter", recipe, SegmenterTrainingConfig, what="segmenter preset", **changes)


@dataclass(frozen=True)
class LandmarkTrainingConfig:
    """Settings of a landmark network's training."""

    data: str = setting("portraits:balanced/judge-train", "Faces whose landmarks are known: rendered Portraits.",
                        metavar="SPEC")  # fmt: skip
    eval_data: str = setting("portraits:balanced/test", "Faces to measure on.", metavar="SPEC")
    name: str = setting("landmarks", "Name of the exported component.")
    resolution: int = setting(64, "Side that squares are resized to.", low=16)
    widths: tuple[int, ...] = (24, 48, 64, 96)
    batch_size: int = setting(32, "Squares per step.", flag="--batch", low=2)
    lr: float = setting(4e-3, "Peak learning rate of AdamW.")  # warmed up over 5 % of the steps, then cosine to 0
    weight_decay: float = 0.01
    no_face: float = setting(0.25, "Fraction of the squares that show no face.", low=0, high=0.9)
    turn: float = 40.0  # largest rotation of a face, degrees either way
    shift: float = 0.16  # largest shift, of the side, either way
    zoom: float = 0.35  # largest change of the logarithm of the size
    degrade: DegradeConfig = field(default_factory=DegradeConfig)
    eval_num: int = setting(256, "How many of them in evaluations before the last.", low=1)

    def __post_init__(self):
        _check_above_zero(self, "landmark")


def landmark_config(recipe: str | Path, **changes) -> tuple[int, LandmarkTrainingConfig]:
    """Steps and settings of a preset, or of a file of one's own, some replaced; ConfigError names the nearest known."""
    return configured("landmarks", recipe, LandmarkTrainingConfig, what="landmark preset", **changes)


def _check_above_zero(config, network):
    for name in ("batch_size", "lr", "eval_num"):
        if getattr(config, name) <= 0:
            raise ConfigError(f"{name} of {network} training must be above 0, not {getattr(config, name)}")
