"""Conditioning augmentation (StackGAN, section 3.2): a sentence stands for a Gaussian, and its condition is a draw."""

from __future__ import annotations

import torch


def sampled(mu: torch.Tensor, logvar: torch.Tensor, epsilon: torch.Tensor) -> torch.Tensor:
    """The condition that standard normal epsilon makes of N(mu, exp(logvar)), all [N, cond_dim]."""
    return mu + epsilon * (logvar / 2).exp()
