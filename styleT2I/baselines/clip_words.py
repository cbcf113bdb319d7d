"""A frozen CLIP as AttnGAN's text encoder: token states as words, projected; DAMSM trains the projections."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from styleT2I.baselines.damsm import TextFeatures
from styleT2I.config import override
from styleT2I.errors import ConfigError
from styleT2I.networks.clip.model import CLIP, CLIPConfig

# Only the text tower is used; the smallest image tower is built with it and dropped.
_NO_IMAGE = {"image_size": 8, "patch_size": 8, "layers": 1, "width": 8, "head_width": 8}


@dataclass(frozen=True)
class ClipWordsConfig:
    """The CLIP that the text tower belongs to, and the size of DAMSM's space."""

    clip: CLIPConfig
    text_dim: int = 256

    def __post_init__(self):
        if self.text_dim < 1:
            raise ConfigError(f"text_dim starts at 1, got {self.text_dim}")


def check_states(clip: CLIP) -> None:
    """ConfigError for a CLIP whose tokens' states `text_and_states` cannot read."""
    tower = clip.model
    if not hasattr(tower, "ln_final") or getattr(tower, "text_pool_type", "argmax") != "argmax":
        raise ConfigError(f"{clip.config.name}: its tokens' states cannot be read; give a CLIP of OpenAI's layout")


def text_and_states(tower: nn.Module, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """CLIP's text features [N, D] of ids int64 [N, L], not normalised, and the states [N, L, W] of all tokens."""
    kept = []
    handle = tower.ln_final.register_forward_hook(lambda module, given, states: kept.append(states))
    try:
        whole = tower.encode_text(ids)
    finally:
        handle.remove()
    return whole, kept[0]


class ClipWords(nn.Module):
    """Features of sentences and their tokens by CLIP's text tower, in the form of damsm.TextEncoder."""

    kind = "damsm-clip-text"
    Config = ClipWordsConfig

    def __init__(self, config: ClipWordsConfig):
        super().__init__()
        clip = CLIP(config.clip)
        self.config, self.tokenizer, self.tower = config, clip.tokenizer, clip.model.requires_grad_(False)
        check_states(clip)
        self.tower.visual = self.tower.logit_scale = self.tower.logit_bias = None
        self.words = nn.Linear(self.tower.ln_final.normalized_shape[0], config.text_dim, bias=False)
        self.sentence = nn.Linear(clip.embed_dim, config.text_dim)

    @classmethod
    def of_clip(cls, clip: CLIP, text_dim: int) -> ClipWords:
        """Fresh projections behind the text tower of a CLIP, with its weights."""
        text_only = override(clip.config, model={**clip.config.model, "vision_cfg": _NO_IMAGE})
        network = cls(ClipWordsConfig(text_only, text_dim))
        weights = clip.model.state_dict()
        network.tower.load_state_dict({name: weights[name] for name in network.tower.state_dict()})
        return network

    @classmethod
    def example(cls):
        """A tiny instance and the ids its forward takes."""
        clip, (_, ids) = CLIP.example()
        return cls.of_clip(clip, 6), (ids,)

    @property
    def feature_dim(self) -> int:
        return self.config.text_dim

    @property
    def can_read(self) -> bool:
        """Whether it has a tokenizer."""
        return self.config.clip.tokenizer["kind"] != "none"

    def forward(self, ids: torch.Tensor) -> TextFeatures:
        """Features of CLIP's ids int64 [N, L], whose start and end marks are not words: T is L - 2."""
        whole, states = text_and_states(self.tower, ids)
        places = torch.arange(1, ids.shape[1] - 1, device=ids.device)
        mask = places >= ids.argmax(dim=1, keepdim=True)  # the end mark has the highest id
        words = self.words(states[:, 1:-1]).masked_fill(mask.unsqueeze(2), 0)
        return TextFeatures(self.sentence(F.normalize(whole, dim=-1)), words.transpose(1, 2), mask)

    def encode(self, texts: list[str]) -> TextFeatures:
        """Features of N sentences."""
        return self(self.tokenize(texts).to(self.words.weight.device))

    def tokenize(self, texts: list[str], max_words: int | None = None) -> torch.Tensor:
        """Ids int64 [N, L] of the first max_words tokens of each text; ConfigError for a text without any."""
        ids = self.tokenizer(list(texts))
        end = ids.argmax(dim=1)
        if (end < 2).any():
            text = texts[int((end < 2).nonzero()[0])]
            raise ConfigError(f"{text!r} has no word that the text encoder knows; say it in words of its captions")
        last = end if max_words is None else end.clamp(max=max_words + 1)
        places = torch.arange(ids.shape[1]).expand_as(ids)
        marks = ids.gather(1, end.unsqueeze(1))
        last = last.unsqueeze(1)
        return torch.where(places < last, ids, torch.where(places == last, marks, 0))

    def known_words(self, text: str) -> list[str]:
        """The tokens of a text, in order, as they are written."""
        return self.tokenizer.pieces(text)

    def unknown_words(self, text: str) -> list[tuple[str, str | None]]:
        """Words of the text without a token, each with the nearest one that has (or None)."""
        return self.tokenizer.unknown_words(text)

    def overlong(self, text: str) -> int:
        """How many tokens of the text do not fit into the context."""
        return max(0, self.tokenizer.num_tokens(text) - self.tower.context_length)
