"""Losses of the earlier text-to-image GANs: logits and tensors in, one scalar out."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def matching_aware_loss(real: torch.Tensor, wrong: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """GAN-CLS, cross-entropy: real images with their own text against the mean of wrong texts and of fakes.

    Logits [N] each. Source: Reed et al. 2016, algorithm 1; StackGAN's Stage-I uses the same.
    """
    return F.softplus(-real).mean() + (F.softplus(wrong).mean() + F.softplus(fake).mean()) / 2


def two_headed_discriminator_loss(
    real: torch.Tensor, wrong: torch.Tensor, fake: torch.Tensor, real_alone: torch.Tensor, fake_alone: torch.Tensor
) -> torch.Tensor:
    """Cross-entropy of a discriminator that also judges images alone: mean of 2 real and of 3 negative terms.

    Logits [N] each. Source: StackGAN's Stage-II.
    """
    positive = F.softplus(-real).mean() + F.softplus(-real_alone).mean()
    negative = F.softplus(wrong).mean() + F.softplus(fake).mean() + F.softplus(fake_alone).mean()
    return positive / 2 + negative / 3


def kl_to_standard_normal(mu: torch.Tensor, logvar: torch.Tensor) -> torch.Tensor:
    """KL divergence of N(mu, exp(logvar)) from N(0, 1), mean over all numbers of mu and logvar [N, C].

    Source: StackGAN, equation 2 (conditioning augmentation).
    """
    return (mu.square() + logvar.exp() - 1 - logvar).mean() / 2


def draw_pairs(num: int, rng: torch.Generator) -> torch.Tensor:
    """Pairs of `num` texts, each in one at most: int64 [2, num // 2]."""
    return torch.randperm(num, generator=rng)[: num // 2 * 2].view(2, -1)


def midpoint_texts(text: torch.Tensor, beta: float, pairs: torch.Tensor) -> torch.Tensor:
    """Features beta t1 + (1 - beta) t2 [M, C] of pairs int64 [2, M] of text [N, C] (GAN-INT).

    Source: Reed et al. 2016, equation 5.
    """
    return beta * text[pairs[0]] + (1 - beta) * text[pairs[1]]


def hinge_matching_loss(real: torch.Tensor, wrong: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """Hinge: real images with their own text above 1, wrong texts and fakes, half each, below -1; logits [N] each.

    Source: DF-GAN, equation 2.
    """
    return F.relu(1 - real).mean() + (F.relu(1 + wrong).mean() + F.relu(1 + fake).mean()) / 2


def matching_gradient_penalty(
    real: torch.Tensor, image: torch.Tensor, text: torch.Tensor, weight: float = 2.0, power: float = 6.0
) -> torch.Tensor:
    """MA-GP: weight times the mean of |gradient|^power of real logits [N] in image [N, 3, H, W] and text [N, C].

    Both must require gradients and have led to the logits. Source: DF-GAN, equation 2 (k = 2, p = 6).
    """
    gradients = torch.autograd.grad(real.sum(), (image, text), create_graph=True)
    flat = torch.cat([gradient.flatten(1) for gradient in gradients], dim=1)
    return weight * flat.square().sum(dim=1).pow(power / 2).mean()
