"""unCLIP's diffusion prior: the CLIP image embeddings that a caption may belong to, drawn by diffusion.

A causal transformer over the caption's tokens, its embedding z_t, the step, the noised image embedding and a learned
query; at the query it answers the embedding itself (paper, section 2.2 and equation 2). The layout is Karlo's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from styleT2I.baselines.unclip.config import PriorConfig
from styleT2I.baselines.unclip.diffusion import sample, step_grid, with_guidance
from styleT2I.baselines.unclip.trunk import TransformerBlock, causal_mask, step_features

MAX_STANDARDISED = 10.0  # of |x_0| while sampling, in deviations, as Karlo has it
NUM_FURTHER = 4  # places behind the tokens: z_t, the step, the noised embedding, the query


class Caption(NamedTuple):
    """N captions as a frozen CLIP reads them."""

    embedding: torch.Tensor  # z_t [N, embed_dim], of length 1
    states: torch.Tensor  # of the tokens after the last layer norm, start and end marks included, [N, T, text_width]
    hidden: torch.Tensor  # bool [N, T], True where a caption has no such token

    def where(self, keep: torch.Tensor, other: Caption) -> Caption:
        """Rows of this one where keep bool [N], of `other` (one caption) elsewhere."""
        rows = zip(self, other, strict=True)
        return Caption(*(torch.where(keep.view(-1, *[1] * (own.ndim - 1)), own, null) for own, null in rows))

    def expand(self, num: int) -> Caption:
        """One caption, num times."""
        return Caption(*(part.expand(num, *part.shape[1:]) for part in self))

    @property
    def num_tokens(self) -> int:
        """Places for tokens, used or not."""
        return self.hidden.shape[1]

    def trimmed(self, length: int | None = None) -> Caption:
        """The first `length` places; None: without those that no caption uses, which changes an answer's last bits."""
        length = int((~self.hidden).sum(dim=1).max()) if length is None else length
        return Caption(self.embedding, self.states[:, :length], self.hidden[:, :length])

    def padded(self, length: int) -> Caption:
        """With `length` places, the further ones empty."""
        missing = length - self.num_tokens
        states, hidden = F.pad(self.states, (0, 0, 0, missing)), F.pad(self.hidden, (0, missing), value=True)
        return Caption(self.embedding, states, hidden)


class UnclipPrior(nn.Module):
    """x_0, the standardised image embedding [N, embed_dim], of its noised state, the step and the caption."""

    kind = "unclip-prior"
    Config = PriorConfig

    def __init__(self, config: PriorConfig):
        super().__init__()
        self.config = config
        width = config.width
        self.token_in = nn.Linear(config.text_width, width)
        self.text_in = nn.Linear(config.embed_dim, width)
        self.step_in = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.image_in = nn.Linear(config.embed_dim, width)
        self.query = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.places = nn.Parameter(0.02 * torch.randn(1, config.num_tokens + NUM_FURTHER, width))
        self.blocks = nn.ModuleList(TransformerBlock(width, config.num_heads) for _ in range(config.num_layers))
        self.norm_out = nn.LayerNorm(width)
        self.image_out = nn.Linear(width, config.embed_dim)
        self.register_buffer("mean", torch.zeros(config.embed_dim))  # of image embeddings
        self.register_buffer("std", torch.ones(config.embed_dim))

    @classmethod
    def example(cls):
        """A tiny instance and the inputs of its forward."""
        config = PriorConfig(embed_dim=6, text_width=5, num_tokens=4, width=8, num_heads=2, num_layers=2)
        return cls(config), (torch.randn(2, 6), torch.tensor([3, 700]), *example_caption())

    def forward(self, x, step, embedding, states, hidden) -> torch.Tensor:
        """x [N, embed_dim] noised, step int64 [N], then a Caption's parts; T may be below num_tokens."""
        num, length = hidden.shape
        further = (
            self.text_in(embedding), self.step_in(step_features(step, self.config.width)), self.image_in(x),
            self.query.expand(num, 1, -1).squeeze(1),
        )  # fmt: skip
        h = torch.cat([self.token_in(states), torch.stack(further, dim=1)], dim=1)
        h = h + torch.cat([self.places[:, :length], self.places[:, self.config.num_tokens :]], dim=1)
        allowed = causal_mask(hidden, NUM_FURTHER)
        for block in self.blocks:
            h = block(h, allowed)
        return self.image_out(self.norm_out(h[:, -1]))

    def standardised(self, z: torch.Tensor) -> torch.Tensor:
        """Image embeddings [N, embed_dim] with mean 0 and deviation 1 per number."""
        return (z - self.mean) / self.std

    def embeddings(self, x0: torch.Tensor) -> torch.Tensor:
        """The inverse of `standardised`, brought to length 1."""
        return F.normalize(x0 * self.std + self.mean, dim=1)

    def draw(
        self,
        caption: Caption,
        null: Caption,
        abar: torch.Tensor,
        draw: Callable[[Sequence[int]], torch.Tensor],
        num_steps: int,
        eta: float,
        guidance: float,
    ) -> torch.Tensor:
        """Image embeddings [N, embed_dim] of length 1, one per caption; null: the empty caption, for guidance.

        abar: the schedule's table; draw(shape) gives the next noise [N, *shape].
        """  # fmt: skip
        num = len(caption.embedding)
        null = null.trimmed(caption.num_tokens).expand(num)

        def predict(x, step):
            steps = torch.full((num,), step, dtype=torch.int64, device=x.device)
            answer = with_guidance(lambda: self(x, steps, *caption), lambda: self(x, steps, *null), guidance)
            return answer, None

        start = draw((self.config.embed_dim,))
        return self.embeddings(sample(predict, start, abar, step_grid(num_steps), eta, draw, MAX_STANDARDISED))


def best_of(candidates: Sequence[torch.Tensor], text: torch.Tensor) -> torch.Tensor:
    """Row by row that candidate [N, D] whose dot product with text [N, D] is the largest, the first of equals."""
    stacked = torch.stack(list(candidates))  # [K, N, D]
    best = (stacked * text).sum(dim=2).argmax(dim=0)
    return stacked[best, torch.arange(len(text), device=text.device)]


def example_caption() -> Caption:
    """Two captions of up to four tokens for tiny instances: width 5, embedding 6."""
    hidden = torch.tensor([[False, False, False, True], [False, False, True, True]])
    return Caption(F.normalize(torch.randn(2, 6), dim=1), torch.randn(2, 4, 5), hidden)
