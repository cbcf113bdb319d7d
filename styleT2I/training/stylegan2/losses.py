"""Losses and regularisers of StyleGAN2's adversarial training: tensors in, scalars or one value per sample out."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from styleT2I.torch_utils.distributed import averaged


def nonsaturating_generator_loss(fake_logits: torch.Tensor) -> torch.Tensor:
    """Mean of -log sigmoid(D(fake)) over fake_logits [N,1]. Source: Goodfellow et al. 2014, section 3."""
    return F.softplus(-fake_logits).mean()


def logistic_discriminator_loss(real_logits: torch.Tensor, fake_logits: torch.Tensor) -> torch.Tensor:
    """Mean of -log sigmoid(D(real)) plus mean of -log(1 - sigmoid(D(fake))); logits [N,1]."""
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def r1_penalty(real_logits: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
    """Squared gradient norm [N] of each sample's logit with respect to its real image.

    image [N,3,H,W] must require gradients and have led to real_logits [N,1]. The loss is gamma / 2 times the mean.
    Source: Mescheder et al. 2018 (arXiv 1801.04406), equation 9.
    """
    (gradient,) = torch.autograd.grad(real_logits.sum(), image, create_graph=True)
    return gradient.square().sum(dim=[1, 2, 3])


def path_lengths(image: torch.Tensor, ws: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Length [N] of J^T y, the image's Jacobian in W against a random image y, root mean square over the layers.

    image [N,3,H,W] was drawn from ws [N,num_ws,w_dim]; noise is standard normal in the image's shape and is scaled by
    1 / sqrt(H W) here. Source: StyleGAN2, section 3.2 (equation 4 and appendix B).
    """
    noise = noise / math.sqrt(image.shape[2] * image.shape[3])
    (gradient,) = torch.autograd.grad((image * noise).sum(), ws, create_graph=True)
    return gradient.square().sum(dim=2).mean(dim=1).sqrt()


def path_length_loss(
    lengths: torch.Tensor, mean_length: torch.Tensor, decay: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean squared distance of lengths [N] to their moving mean, which takes them in first, and that mean, detached.

    Where several processes share a batch, the moving mean takes in the lengths of all.

    decay: weight of this batch in the moving mean. Source: StyleGAN2, section 3.2 and appendix B.
    """
    mean_length = mean_length.lerp(averaged(lengths.mean()), decay)
    return (lengths - mean_length).square().mean(), mean_length.detach()
