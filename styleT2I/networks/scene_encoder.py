"""From the scene of a rendered face to w: what a generator is fitted with before its mapping network learns z."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from styleT2I.errors import ConfigError
from styleT2I.networks.stylegan2.layers import FullyConnected

__all__ = ["SceneEncoder", "SceneEncoderConfig"]


@dataclass(frozen=True)
class SceneEncoderConfig:
    """A scene encoder's sizes."""

    in_dim: int  # numbers of a scene
    hidden_dim: int = 512
    w_dim: int = 256

    def __post_init__(self):
        for name in ("in_dim", "hidden_dim", "w_dim"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} of a scene encoder is at least 1, got {getattr(self, name)}")


class SceneEncoder(nn.Module):
    """Scene vectors [N, in_dim] -> w [N, w_dim]: a linear map beside a hidden layer, for interactions.

    `mean` [in_dim] is taken off first: of the training's scenes, so that the mean scene begins near w = 0.

    Example:
        >>> SceneEncoder(SceneEncoderConfig(3, hidden_dim=4, w_dim=2))(torch.zeros(5, 3)).shape
        torch.Size([5, 2])
    """

    kind = "scene-encoder"
    Config = SceneEncoderConfig

    def __init__(self, config: SceneEncoderConfig):
        super().__init__()
        self.config = config
        self.register_buffer("mean", torch.zeros(config.in_dim))
        self.linear = FullyConnected(config.in_dim, config.w_dim)
        self.hidden = FullyConnected(config.in_dim, config.hidden_dim, act="lrelu")
        self.out = FullyConnected(config.hidden_dim, config.w_dim)

    @classmethod
    def example(cls):
        """A tiny encoder and the scene vectors that its forward takes."""
        return cls(SceneEncoderConfig(6, hidden_dim=4, w_dim=3)), (torch.randn(2, 6),)

    def forward(self, vector: Tensor) -> Tensor:
        vector = vector - self.mean
        return self.linear(vector) + self.out(self.hidden(vector))
