"""Text-to-Direction and Attribute-to-Direction: from a latent w and a text to a direction over W+."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import nn

from styleT2I.config import suggestion
from styleT2I.errors import ConfigError
from styleT2I.networks.text_encoders import GruTextConfig, GruTextEncoder

SPACES = ("w+", "low-rank", "w")


@dataclass(frozen=True)
class DirectionConfig:
    """Sizes of a direction network; the defaults are the paper's at 256 px with GloVe + bi-GRU sizes."""

    w_dim: int = 512
    num_ws: int = 14
    text_dim: int = 512  # features of the sentence: CLIP's embedding, or the GRU's hidden size
    hidden_dim: int = 7168  # width of the hidden layers
    num_hidden: int = 2
    space: str = "w+"  # "w+": every layer free (paper); "low-rank": `rank` directions in W mixed per layer; "w": one
    rank: int = 4  # of "low-rank" only
    standardize: bool = False  # read and write W in units of its spread (set_w_statistics); the paper uses raw W
    text_encoder: GruTextConfig | None = None  # None: features come from CLIP (the default of this project)

    def __post_init__(self):
        if self.space not in SPACES:
            raise ConfigError(f"unknown space {self.space!r} of a direction network{suggestion(self.space, SPACES)}")
        for name in ("w_dim", "num_ws", "text_dim", "hidden_dim", "rank"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} of a direction network must be at least 1, not {getattr(self, name)}")
        if self.text_encoder is not None and self.text_encoder.hidden_dim != self.text_dim:
            raise ConfigError(
                f"text_dim {self.text_dim} and the text encoder's hidden_dim {self.text_encoder.hidden_dim} differ"
            )


class DirectionTrunk(nn.Module):
    """The map (w [N, w_dim], text features [N, text_dim]) -> direction over W+ [N, num_ws, w_dim].

    With the defaults: Linear 1024->7168, ReLU, 7168->7168, ReLU, 7168->7168 (StyleT2I, released text_encoder_cond.py).
    """

    def __init__(self, config: DirectionConfig):
        super().__init__()
        self.config = config
        num_outputs = {
            "w+": config.num_ws * config.w_dim,
            "low-rank": config.rank * (config.w_dim + config.num_ws),
            "w": config.w_dim,
        }[config.space]
        layers, width = [], config.w_dim + config.text_dim
        for _ in range(config.num_hidden):
            layers += [nn.Linear(width, config.hidden_dim), nn.ReLU()]
            width = config.hidden_dim
        self.mlp = nn.Sequential(*layers, nn.Linear(width, num_outputs))
        if config.space == "low-rank":  # layer coefficients start at one: the same direction in every layer
            with torch.no_grad():
                self.mlp[-1].bias[config.rank * config.w_dim :] = 1
        self.register_buffer("w_mean", torch.zeros(config.w_dim))
        self.register_buffer("w_std", torch.ones(config.w_dim))

    def set_w_statistics(self, w: torch.Tensor) -> None:
        """Set the mean and spread per coordinate from sampled w [M, w_dim]; only with config.standardize."""
        self.w_mean.copy_(w.mean(dim=0))
        self.w_std.copy_(w.std(dim=0).clamp(min=1e-6))

    def forward(self, w: torch.Tensor, text_features: torch.Tensor) -> torch.Tensor:
        config = self.config
        if config.standardize:
            w = (w - self.w_mean) / self.w_std
            # An L2-normalised embedding has coordinates of about 1/sqrt(T): bring them to the size of w's.
            text_features = nn.functional.normalize(text_features, dim=1) * config.text_dim**0.5
        out = self.mlp(torch.cat([w, text_features], dim=1))
        if config.space == "w+":
            s = out.unflatten(1, (config.num_ws, config.w_dim))
        elif config.space == "w":
            s = out.unsqueeze(1).expand(-1, config.num_ws, -1)  # the same step in every layer
        else:
            directions, coefficients = out.split([config.rank * config.w_dim, config.rank * config.num_ws], dim=1)
            directions = directions.unflatten(1, (config.rank, config.w_dim))  # [N, rank, w_dim]
            s = coefficients.unflatten(1, (config.num_ws, config.rank)) @ directions  # [N, num_ws, w_dim]
        return s * self.w_std if config.standardize else s


class _DirectionNetwork(nn.Module):
    """A direction over W+ from text features and a latent: what both networks of the paper have in common."""

    Config = DirectionConfig

    def __init__(self, config: DirectionConfig):
        super().__init__()
        self.config = config
        self.trunk = DirectionTrunk(config)
        self.text_encoder = GruTextEncoder(config.text_encoder) if config.text_encoder else None

    @classmethod
    def example(cls):
        config = DirectionConfig(w_dim=6, num_ws=4, text_dim=5, hidden_dim=16, space="low-rank", standardize=True)
        return cls(config), (torch.randn(2, 6), torch.randn(2, 5))

    def repeat_over(self, num_ws: int) -> None:
        """Repeat the direction in `num_ws` layers; space "w" only, whose one direction fits a generator of any size."""
        assert self.config.space == "w"
        self.config = self.trunk.config = dataclasses.replace(self.config, num_ws=num_ws)

    def encode_text(self, texts: list[str], clip: nn.Module) -> torch.Tensor:
        """Features [N, text_dim] from the network's own encoder if it has one, else from the frozen CLIP."""
        if self.text_encoder is not None:
            return self.text_encoder(texts)
        with torch.no_grad():
            return clip.encode_text(texts)

    def forward(self, w: torch.Tensor, text_features: torch.Tensor) -> torch.Tensor:
        return self.trunk(w, text_features)


class TextToDirection(_DirectionNetwork):
    """The network of the whole sentence: s = T2D(w, text features), added to w in every layer before synthesis.

    w [N, w_dim], text features [N, text_dim] -> s [N, num_ws, w_dim]. Source: StyleT2I (Li et al., CVPR 2022), sec. 4.
    """

    kind = "t2d"


class AttributeToDirection(_DirectionNetwork):
    """The network of one attribute: a = A2D(w, phrase features); w + a has the attribute more, w - a less.

    w [N, w_dim], features of the attribute's affirmative phrase [N, text_dim] -> a [N, num_ws, w_dim].
    Source: StyleT2I (Li et al., CVPR 2022), sec. 5.
    """

    kind = "a2d"
