"""How usual an image's contrasts are among real ones, by channel, scale and quarter: noise and blur make them unusual.

The idea of NIQE (Mittal, Soundararajan and Bovik 2013, IEEE Signal Processing Letters 20, 209), one Gaussian over
statistics of good images, with the plainest statistics: means of absolute Laplacians, where NIQE fits distributions.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

__all__ = ["Naturalness", "contrasts", "laplacian"]

_NUM_SCALES, _QUARTERS = 3, 2  # the image, halved, halved again; each in 2 x 2 parts
_SHRINKAGE = 0.001  # of the covariance towards a multiple of the identity: a small reference has a singular one


def laplacian(planes: torch.Tensor) -> torch.Tensor:
    """5-point Laplacian [N, C, H - 2, W - 2] of planes float64 [N, C, H, W]."""
    kernel = torch.tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]], dtype=planes.dtype)
    return F.conv2d(planes, kernel.expand(planes.shape[1], 1, 3, 3), groups=planes.shape[1])


def contrasts(images: torch.Tensor) -> torch.Tensor:
    """Logarithms float64 [N, 36] of 0.1 plus the mean magnitude of the Laplacian, of images [N, 3, H, W] in 0..255.

    By scale, channel and quarter; H and W are 16 or more.
    """
    planes, found = images.cpu().double(), []
    for _ in range(_NUM_SCALES):
        found.append(F.adaptive_avg_pool2d(laplacian(planes).abs(), _QUARTERS).flatten(1))
        planes = F.avg_pool2d(planes, 2)
    return (torch.cat(found, dim=1) + 0.1).log()


class Naturalness:
    """Minus the logarithm of a squared Mahalanobis distance over its mean, to contrasts [M, D] of real images."""

    def __init__(self, real: torch.Tensor):
        self._mean = real.mean(dim=0)
        covariance = torch.cov(real.T)
        scale = covariance.diagonal().mean().clamp(min=1e-12)
        self._precision = torch.linalg.inv(covariance + _SHRINKAGE * scale * torch.eye(len(covariance)).double())
        self._typical = self._squared(real).mean()

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        """[N] of contrasts [N, D]; about 0 for a real image, -0.69 at twice the squared distance of these."""
        return -(self._squared(rows) / self._typical).clamp(min=1e-12).log()

    def _squared(self, rows):
        deviations = rows - self._mean
        return ((deviations @ self._precision) * deviations).sum(dim=1)
