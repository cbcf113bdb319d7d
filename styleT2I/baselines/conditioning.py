"""Conditioning augmentation (StackGAN, section 3.2): a sentence stands for a Gaussian, and its condition is a draw."""

from __future__ import annotations

import torch


def sampled(mu: torch.Tensor, logvar: torch.Tensor, epsilon: torch.Tensor) -> torch.Tensor:
    """The condition that standard normal epsilon makes of N(mu, exp(logvar)), all [N, cond_dim]."""
    return mu + epsilon * (logvar / 2).exp()


def conditioning_loss(mu: torch.Tensor, logvar: torch.Tensor) -> torch.Tensor:
    """Mean over a batch and its dimensions of the KL divergence of N(mu, exp(logvar)) [N, cond_dim] from N(0, I)."""
    return (mu.square() + logvar.exp() - 1 - logvar).mean() / 2
