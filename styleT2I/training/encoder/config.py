"""Settings of an encoder's training; its presets are recipes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from styleT2I.config import setting
from styleT2I.errors import ConfigError
from styleT2I.recipes import configured


@dataclass(frozen=True)
class EncoderTrainingConfig:
    """Settings of an encoder's training."""

    generator: str | None = setting(None, "Generator whose latents are estimated.", metavar="FILE")
    judge: str | None = setting(
        None, "Judge whose features are compared beside pixels; pixels alone without.", metavar="FILE"
    )
    data: str | None = setting(
        None, "Images of the generator's world, to learn from beside its own samples.", metavar="SPEC"
    )
    eval_data: str | None = setting(None, "Images to measure on; the generator's own samples without.", metavar="SPEC")
    name: str = setting("encoder", "Name of the exported component.")
    feature_side: int | None = setting(None, "Side at which the judge compares; half costs a quarter.", low=8)
    resolution: int = setting(64, "Side that images are resized to.", low=32)
    widths: tuple[int, ...] = (24, 32, 48, 64)
    pyramid_dim: int = 24
    hidden_dim: int = 104
    batch_size: int = setting(16, "Images per step.", flag="--batch", low=2)
    data_rate: float = setting(0.5, "Proportion of a batch that is data, of the rest samples.", low=0, high=1)
    lr: float = setting(2e-3, "Peak learning rate of AdamW.")  # warmed up over 5 % of the steps, then cosine to 0
    weight_decay: float = 0.0
    latent_weight: float = setting(0.3, "Weight of the distance from a sample's own w.", low=0)
    delta_weight: float = setting(0.01, "Weight of the deltas' squares, which keeps latents near W.", low=0)
    progressive: float = 0.5  # of the steps, over which the deltas are let in one after the other; before them a tenth
    truncation_psi: float = 1.0  # of the samples
    eval_num: int = setting(200, "Images measured in evaluations before the last.", low=1)

    def __post_init__(self):
        for name in ("batch_size", "lr", "eval_num"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} of encoder training must be above 0, not {getattr(self, name)}")
        if not 0 <= self.progressive <= 0.8:
            raise ConfigError(f"progressive is a proportion of the steps from 0 to 0.8, not {self.progressive}")


def encoder_config(recipe: str | Path, **changes) -> tuple[int, EncoderTrainingConfig]:
    """Steps and settings of a preset, or of a file of one's own, some replaced; ConfigError names the nearest known."""
    return configured("encoder", recipe, EncoderTrainingConfig, what="encoder preset", **changes)
