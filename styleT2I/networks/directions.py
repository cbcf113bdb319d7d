"""Text-to-Direction and Attribute-to-Direction: from a latent w and a text to a direction over W+."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from styleT2I.config import suggestion
from styleT2I.errors import ConfigError
from styleT2I.torch_utils.words import plain_words, unknown_words


@dataclass(frozen=True)
class GruTextConfig:
    """Sizes of GruTextEncoder; the defaults are the paper's (GloVe 300-d, one layer of 512 units)."""

    words: tuple[str, ...] = ()  # the words with a vector, in the table's order (row 0 is the unknown word)
    embedding_dim: int = 300
    hidden_dim: int = 512
    train_embedding: bool = False  # False: the vectors are GloVe's and stay as they are

    def __post_init__(self):
        if not self.words:
            raise ConfigError("the GRU text encoder needs at least one word in `words`")
        if min(self.embedding_dim, self.hidden_dim) < 1:
            raise ConfigError("embedding_dim and hidden_dim of the GRU text encoder must be at least 1")


class GruTextEncoder(nn.Module):
    """Sentence features [N, hidden_dim]: the mean of the last states of both directions of a one-layer bi-GRU.

    Words outside the table are read as one unknown word, whose vector is zero under GloVe.
    Source: StyleT2I (Li et al., CVPR 2022), the released model/text_encoder_cond.py for the averaging.
    """

    def __init__(self, config: GruTextConfig):
        super().__init__()
        self.config = config
        self.index = {word: row for row, word in enumerate(config.words, start=1)}
        self.embedding = nn.Embedding(len(config.words) + 1, config.embedding_dim)
        self.gru = nn.GRU(config.embedding_dim, config.hidden_dim, batch_first=True, bidirectional=True)

    @property
    def feature_dim(self) -> int:
        return self.config.hidden_dim

    def load_vectors(self, vectors: torch.Tensor) -> None:
        """Set the word table to given vectors [num_words, embedding_dim], in the order of config.words."""
        with torch.no_grad():
            self.embedding.weight[0] = 0
            self.embedding.weight[1:] = vectors

    def unknown_words(self, text: str) -> list[tuple[str, str | None]]:
        """Words of the text that are not in the table, each with the nearest one that is (or None)."""
        return unknown_words(text, self.index)

    def overlong(self, text: str) -> int:
        """How many words of the text are beyond its limit: always 0, as there is no limit."""
        return 0

    def forward(self, texts: list[str]) -> torch.Tensor:
        """Features of N sentences [N, hidden_dim]."""
        device = self.embedding.weight.device
        rows = [torch.tensor([self.index.get(w, 0) for w in plain_words(text)] or [0]) for text in texts]
        lengths = torch.tensor([len(row) for row in rows])
        tokens = nn.utils.rnn.pad_sequence(rows, batch_first=True).to(device)  # [N, longest]
        packed = pack_padded_sequence(self.embedding(tokens), lengths, batch_first=True, enforce_sorted=False)
        _, last = self.gru(packed)  # [2 directions, N, hidden_dim], in the order of `texts`
        return last.mean(dim=0)


SPACES = ("w+", "low-rank", "w")
_RIDGE = 1e-3  # of the readings' correlations over W


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
    num_readings: int = 0  # of A2D: readings of the surroundings that its null space leaves alone; 0: it has none

    def __post_init__(self):
        if self.space not in SPACES:
            raise ConfigError(f"unknown space {self.space!r} of a direction network{suggestion(self.space, SPACES)}")
        for name in ("w_dim", "num_ws", "text_dim", "hidden_dim", "rank"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} of a direction network must be at least 1, not {getattr(self, name)}")
        if self.num_readings < 0:
            raise ConfigError(f"num_readings of a direction network must be at least 0, not {self.num_readings}")
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


class NullSpace(nn.Module):
    """Takes from directions s [..., num_ws, w_dim] what would change any of K readings; the same shape comes back.

    Projecting a direction onto the null space of what must stay is from Zhu et al. 2021, "Low-Rank Subspaces in GANs".
    Here the response is the mean over latents, so that nothing is differentiated when an image is drawn, and
    what is taken away lies along W's own spread: s - C R' (R C R')^-1 R s, with R the response and C the covariance
    of w in every layer.

    Example:
        >>> response = torch.tensor([[[1.0, 0.0]]])  # one reading, of the first coordinate of one layer
        >>> NullSpace.of(response, torch.eye(2))(torch.tensor([[3.0, 4.0]])).round(decimals=2).tolist()
        [[0.0, 4.0]]
    """

    def __init__(self, num_readings: int, num_ws: int, w_dim: int):
        super().__init__()
        self.register_buffer("response", torch.zeros(num_readings, num_ws, w_dim))  # of every reading to s
        self.register_buffer("correction", torch.zeros(num_readings, num_ws, w_dim))  # for every unit of response

    @classmethod
    def of(cls, response: torch.Tensor, covariance: torch.Tensor) -> NullSpace:
        """The projection for readings with a response [K, num_ws, w_dim], and w of a covariance [w_dim, w_dim]."""
        space = cls(*response.shape).to(response.device)
        variance = torch.einsum("kld,kld->k", response, response @ covariance)
        response = response / variance.clamp_min(1e-12).sqrt()[:, None, None]  # every reading in its own spread
        natural = response @ covariance  # [K, num_ws, w_dim]
        gram = torch.einsum("kld,mld->km", response, natural)
        gram = gram + _RIDGE * torch.eye(len(gram), device=gram.device)
        space.response.copy_(response)
        space.correction.copy_(torch.linalg.solve(gram, natural.flatten(1)).view_as(natural))
        return space

    def forward(self, s: torch.Tensor) -> torch.Tensor:
        return s - torch.einsum("...ld,kld,kmn->...mn", s, self.response, self.correction)


class AttributeToDirection(_DirectionNetwork):
    """The network of one attribute: a = A2D(w, phrase features); w + a has the attribute more, w - a less.

    w [N, w_dim], features of the attribute's affirmative phrase [N, text_dim] -> a [N, num_ws, w_dim].
    `null_space`: what of a direction leaves the pose, the background and the clothes alone; None where it was not
    measured. Source: StyleT2I (Li et al., CVPR 2022), sec. 5, without the null space.
    """

    kind = "a2d"

    def __init__(self, config: DirectionConfig):
        super().__init__(config)
        shape = config.num_readings, config.num_ws, config.w_dim
        self.null_space = NullSpace(*shape) if config.num_readings else None

    def set_null_space(self, null_space: NullSpace) -> None:
        """Take a null space that was measured on the generator of this network."""
        self.config = dataclasses.replace(self.config, num_readings=len(null_space.response))
        self.null_space = null_space
