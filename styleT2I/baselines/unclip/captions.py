"""Captions as unCLIP's networks take them, read by a frozen CLIP."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from styleT2I.baselines.clip_words import check_states, text_and_states
from styleT2I.baselines.unclip.prior import Caption
from styleT2I.networks.clip.model import CLIP


class CaptionEncoder:
    """Embedding and token states of captions; ConfigError for a CLIP whose token states cannot be read."""

    def __init__(self, clip: CLIP):
        check_states(clip)
        self.clip = clip

    @property
    def text_width(self) -> int:
        """Numbers of a token's state."""
        return self.clip.model.ln_final.normalized_shape[0]

    @property
    def num_tokens(self) -> int:
        """Places for tokens, marks included."""
        return self.clip.context_length

    @torch.no_grad()
    def __call__(self, ids: torch.Tensor) -> Caption:
        """Of CLIP's token ids int64 [N, T]."""
        whole, states = text_and_states(self.clip.model, ids)
        places = torch.arange(ids.shape[1], device=ids.device)
        hidden = places > ids.argmax(dim=1, keepdim=True)  # the end mark has the highest id
        return Caption(F.normalize(whole, dim=1), states, hidden)

    def encode(self, texts: list[str]) -> Caption:
        """Of sentences; "" is the null caption of guidance."""
        return self(self.clip.tokenize(texts))
