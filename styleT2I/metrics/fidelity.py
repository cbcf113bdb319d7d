"""Pixel-wise comparison of two images: PSNR, and structural similarity by scikit-image."""

from __future__ import annotations

import torch

from styleT2I.errors import DataError

_RANGE = 2.0  # of images in [-1, 1]


def psnr(images: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """Peak signal-to-noise ratio of each pair of images.

    Args:
        images: float [N, C, H, W] in [-1, 1].
        others: of the same shape.

    Returns:
        float64 [N] in dB; infinite for equal images.

    Raises:
        DataError: the shapes differ.

    Example:
        >>> psnr(torch.zeros(1, 3, 8, 8), torch.full((1, 3, 8, 8), 0.2)).round(decimals=3).tolist()
        [20.0]
    """
    _check(images, others)
    error = (images.double() - others.double()).square().flatten(1).mean(dim=1)
    return 10 * torch.log10(_RANGE**2 / error)


def structural_similarity(images: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """Structural similarity (SSIM) of each pair of images, by scikit-image.

    Wang et al. 2004, "Image quality assessment", equation 13, with the paper's settings: Gaussian windows of sigma 1.5,
    population covariances, K1 0.01, K2 0.03.

    Args:
        images: float [N, C, H, W] in [-1, 1], sides of at least 11 pixels.
        others: of the same shape.

    Returns:
        float64 [N], from -1 to 1; 1 for equal images.

    Raises:
        DataError: the shapes differ or the sides are smaller.

    Example:
        >>> image = torch.linspace(-1, 1, 3 * 16 * 16).view(1, 3, 16, 16)
        >>> structural_similarity(image, image).tolist()
        [1.0]
    """
    from skimage.metrics import structural_similarity as ssim

    _check(images, others)
    if min(images.shape[-2:]) < 11:
        raise DataError(f"images of {images.shape[-1]} x {images.shape[-2]} pixels; SSIM takes sides of at least 11")
    settings = {"channel_axis": 0, "data_range": _RANGE, "gaussian_weights": True, "sigma": 1.5}
    settings |= {"use_sample_covariance": False}
    pairs = zip(images.double().cpu().numpy(), others.double().cpu().numpy(), strict=True)
    return torch.tensor([ssim(image, other, **settings) for image, other in pairs], dtype=torch.float64)


def _check(images, others):
    if images.shape != others.shape or images.ndim != 4:
        raise DataError(f"images of shapes {list(images.shape)} and {list(others.shape)}; give two of [N, C, H, W]")
