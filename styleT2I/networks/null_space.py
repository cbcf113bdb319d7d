"""Null-space projection: of a direction in W+ what, to first order, leaves given readings of the image alone."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["NullSpace"]

_RIDGE = 1e-3  # of the readings' correlations over W


class NullSpace(nn.Module):
    """Takes from directions s [..., num_ws, w_dim] what would change any of K readings; the same shape comes back.

    Projecting a direction onto the null space of what must stay is from Zhu et al. 2021, "Low-Rank Subspaces in GANs",
    eq. 7. Here the response is the mean over latents, so that nothing is differentiated when an image is drawn, and
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
