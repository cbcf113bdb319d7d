"""The causal transformer of both priors, and how a step number becomes a vector."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F


class TransformerBlock(nn.Module):
    """Causal self-attention and a perceptron of four times the width, each after a layer norm and added."""

    def __init__(self, width: int, num_heads: int):
        super().__init__()
        self.num_heads = num_heads
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.attn_out = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: torch.Tensor, allowed: torch.Tensor) -> torch.Tensor:
        """x [N, L, width]; allowed bool [N, 1, L, L], True where the row's position may read the column's."""
        heads = self.qkv(self.norm1(x)).unflatten(2, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        read = F.scaled_dot_product_attention(*heads, attn_mask=allowed)
        x = x + self.attn_out(read.transpose(1, 2).flatten(2))
        return x + self.mlp(self.norm2(x))


def causal_mask(hidden: torch.Tensor, num_further: int) -> torch.Tensor:
    """Which position may read which: bool [N, 1, L, L] of L = T + num_further places, earlier ones and itself.

    hidden: bool [N, T], True where a sentence has no such token; only these positions read themselves.
    """
    hidden = F.pad(hidden, (0, num_further), value=False)
    length = hidden.shape[1]
    earlier = torch.ones(length, length, dtype=torch.bool, device=hidden.device).tril()
    itself = torch.eye(length, dtype=torch.bool, device=hidden.device)
    return ((earlier & ~hidden[:, None, :]) | itself).unsqueeze(1)


def step_features(step: torch.Tensor, width: int) -> torch.Tensor:
    """Cosines, then sines, of step numbers [N] at width / 2 frequencies from 1 down to 1/10,000: [N, width]."""
    half = width // 2
    frequencies = torch.exp(-math.log(10_000) * torch.arange(half, device=step.device) / half)
    angles = step.float().unsqueeze(1) * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=1)
