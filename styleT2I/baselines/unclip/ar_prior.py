"""unCLIP's autoregressive prior: the image embedding as a sequence of quantised principal components.

The embedding is cut to its first components, ordered by eigenvalue, each quantised to buckets of equal width. A causal
transformer over the caption's tokens, its embedding z_t and a token for the quantised dot product of both embeddings
predicts bucket after bucket (paper, section 2.2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from styleT2I.baselines.unclip.config import ARPriorConfig
from styleT2I.baselines.unclip.diffusion import with_guidance
from styleT2I.baselines.unclip.prior import Caption, example_caption
from styleT2I.baselines.unclip.trunk import TransformerBlock, causal_mask
from styleT2I.errors import DataError


class PCA(NamedTuple):
    """Principal components of embeddings [N, D]."""

    mean: torch.Tensor  # [D]
    basis: torch.Tensor  # [K, D], orthonormal rows, largest eigenvalue first
    eigenvalues: torch.Tensor  # float64 [D], all of them, descending

    def reconstructed(self, z: torch.Tensor, num: int) -> torch.Tensor:
        """Embeddings [N, D] out of their first `num` components."""
        basis = self.basis[:num]
        return self.mean + (z - self.mean) @ basis.t() @ basis


def fit_pca(embeddings: torch.Tensor, num: int) -> PCA:
    """The first `num` principal components of embeddings [N, D], in float64; DataError for too few embeddings."""
    if len(embeddings) < 2:
        raise DataError("principal components need at least two embeddings")
    x = embeddings.double()
    mean = x.mean(dim=0)
    eigenvalues, vectors = torch.linalg.eigh((x - mean).t() @ (x - mean) / len(x))
    basis = vectors.flip(1).t()[:num].contiguous()
    return PCA(mean.to(embeddings), basis.to(embeddings), eigenvalues.flip(0).clamp_min(0))


class UnclipARPrior(nn.Module):
    """Logits [N, num_components, num_buckets] of every component's bucket, given those before it."""

    kind = "unclip-ar-prior"
    Config = ARPriorConfig

    def __init__(self, config: ARPriorConfig):
        super().__init__()
        self.config = config
        width, num = config.width, config.num_components
        self.token_in = nn.Linear(config.text_width, width)
        self.text_in = nn.Linear(config.embed_dim, width)
        self.dot_in = nn.Embedding(config.num_dots, width)
        self.code_in = nn.Embedding(num * config.num_buckets, width)
        self.value_in = nn.Parameter(0.02 * torch.randn(num, width))  # gives neighbouring buckets similar inputs
        self.places = nn.Parameter(0.02 * torch.randn(1, config.num_tokens + num + 1, width))
        self.blocks = nn.ModuleList(TransformerBlock(width, config.num_heads) for _ in range(config.num_layers))
        self.norm_out = nn.LayerNorm(width)
        self.code_out = nn.Linear(width, config.num_buckets)
        for table in (self.dot_in, self.code_in):
            nn.init.normal_(table.weight, std=0.02)
        self.register_buffer("mean", torch.zeros(config.embed_dim))
        self.register_buffer("basis", torch.eye(config.embed_dim)[:num].clone())
        self.register_buffer("low", -torch.ones(num))  # of the buckets' range, by component
        self.register_buffer("high", torch.ones(num))
        self.register_buffer("dot_edges", torch.linspace(-1, 1, config.num_dots + 1)[1:-1].clone())

    @classmethod
    def example(cls):
        """A tiny instance and the inputs of its forward."""
        config = ARPriorConfig(6, 5, 4, 8, 2, 2, num_components=3, num_buckets=4, num_dots=3)
        codes, dot = torch.tensor([[0, 3, 1], [2, 2, 0]]), torch.tensor([0, 2])
        return cls(config), (codes, dot, *example_caption())

    def fit(self, embeddings: torch.Tensor, dots: torch.Tensor) -> PCA:
        """Take components, ranges and edges from a training's embeddings [N, D] and dot products [M]."""
        pca = fit_pca(embeddings, self.config.num_components)
        self.mean.copy_(pca.mean)
        self.basis.copy_(pca.basis)
        values = (embeddings - pca.mean) @ pca.basis.t()
        self.low.copy_(values.amin(dim=0))
        self.high.copy_(values.amax(dim=0))
        shares = torch.linspace(0, 1, self.config.num_dots + 1, dtype=torch.float64)[1:-1]
        self.dot_edges.copy_(torch.quantile(dots.double(), shares))
        return pca

    def forward(self, codes, dot, embedding, states, hidden) -> torch.Tensor:
        """codes int64 [N, num_components], of which the last is never read, dot int64 [N], then a Caption's parts."""
        config, length = self.config, hidden.shape[1]
        offsets = torch.arange(config.num_components, device=codes.device) * config.num_buckets
        read = self.code_in(codes + offsets) + self._scaled(codes).unsqueeze(2) * self.value_in
        prefix = torch.stack([self.text_in(embedding), self.dot_in(dot)], dim=1)
        h = torch.cat([self.token_in(states), prefix, read[:, :-1]], dim=1)
        h = h + torch.cat([self.places[:, :length], self.places[:, config.num_tokens :]], dim=1)
        allowed = causal_mask(hidden, h.shape[1] - length)
        for block in self.blocks:
            h = block(h, allowed)
        return self.code_out(self.norm_out(h[:, length + 1 :]))

    def encode(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Codes int64 [N, num_components] of image embeddings [N, embed_dim]."""
        values = (embeddings - self.mean) @ self.basis.t()
        share = (values - self.low) / (self.high - self.low).clamp_min(1e-12)
        return (share * self.config.num_buckets).floor().long().clamp(0, self.config.num_buckets - 1)

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Image embeddings [N, embed_dim] in the middle of the codes' buckets, not brought to length 1."""
        share = (codes + 0.5) / self.config.num_buckets
        return self.mean + (self.low + share * (self.high - self.low)) @ self.basis

    def dot_codes(self, dots: torch.Tensor) -> torch.Tensor:
        """Buckets int64 of dot products z_i . z_t."""
        return torch.bucketize(dots, self.dot_edges, right=True)

    def top_dots(self, noise: torch.Tensor, top: float = 0.5) -> torch.Tensor:
        """Buckets int64 [N] from the top half of the training's dot products, by standard normal noise [N]."""
        num = self.config.num_dots
        first = num - max(round(num * top), 1)
        return first + (uniform_of(noise) * (num - first)).floor().long().clamp(max=num - first - 1)

    def draw(
        self,
        caption: Caption,
        null: Caption,
        draw: Callable[[Sequence[int]], torch.Tensor],
        guidance: float = 1.0,
        temperature: float = 1.0,
        top: float = 0.5,
    ) -> torch.Tensor:
        """Image embeddings [N, embed_dim] of length 1, one per caption.

        Each code is drawn by inverting its cumulative distribution at the seed's own noise.
        """  # fmt: skip
        config, num = self.config, len(caption.embedding)
        null = null.trimmed(caption.num_tokens).expand(num)
        noise = draw((config.num_components + 1,))
        dot = self.top_dots(noise[:, -1], top)
        codes = torch.zeros(num, config.num_components, dtype=torch.int64, device=noise.device)
        for place in range(config.num_components):
            logits = with_guidance(
                lambda: self(codes, dot, *caption), lambda: self(codes, dot, *null), guidance
            )[:, place]  # fmt: skip
            codes[:, place] = inverse_cdf((logits / temperature).softmax(dim=1), uniform_of(noise[:, place]))
        return F.normalize(self.decode(codes), dim=1)

    def _scaled(self, codes):
        """Middles of the codes' buckets, from -1 to 1 over the range."""
        return (codes + 0.5) * (2 / self.config.num_buckets) - 1


def uniform_of(noise: torch.Tensor) -> torch.Tensor:
    """Uniform numbers in [0, 1) from standard normal ones."""
    return torch.special.ndtr(noise.double()).clamp(max=1 - 1e-9)


def inverse_cdf(probabilities: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """The first code whose summed probability exceeds uniform [N], of probabilities [N, B]: int64 [N]."""
    summed = probabilities.double().cumsum(dim=1)
    below = (summed <= uniform.unsqueeze(1) * summed[:, -1:]).sum(dim=1)
    return below.clamp(max=probabilities.shape[1] - 1)


def smoothed_targets(codes: torch.Tensor, num_buckets: int, sigma: float) -> torch.Tensor:
    """Probabilities [..., num_buckets] around codes int64 [...]: a Gaussian over buckets, at sigma 0 the code alone."""
    if sigma == 0:
        return F.one_hot(codes, num_buckets).float()
    distance = (torch.arange(num_buckets, device=codes.device) - codes.unsqueeze(-1)).float()
    return (-0.5 * (distance / sigma).square()).softmax(dim=-1)
